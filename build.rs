//! Leaves out of the released program what nothing of it reads, by the linker: a profile can't say so.
//!
//! - A release aborts where it panics (`panic = "abort"`), and nothing of it unwinds. Rust's own library comes with tables
//!   for it all the same, and the compiler writes them for every function: 1.2 MB of 9. What is lost is the backtrace, in
//!   which a stripped program could name no function.
//! - The addresses that the loader has to put right are 0.4 MB in their long form. glibc reads the short one since 2.36, and
//!   an older one says so and ends; so it is used only where the machine that builds has it.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Is put beside the linker's own script (INSERT), and takes the sections before that does. Works so in lld and in GNU's.
const SCRIPT: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*) } }
INSERT AFTER .comment;
";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // Where it was tried. What is built to be debugged or profiled keeps all, and so does every other system.
    if is("PROFILE", "release")
        && is("DEBUG", "false")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
    {
        let script = Path::new(&env::var("OUT_DIR")?).join("without-unwinding.ld");
        fs::write(&script, SCRIPT)?;
        // By itself, for a path may hold a comma.
        println!("cargo::rustc-link-arg-bins=-T{}", script.display());
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        if env::var("HOST") == env::var("TARGET") && glibc() >= Some((2, 36)) {
            println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
    }
    Ok(())
}

/// Gives the version of the C library here; `None` where it does not tell.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let (major, minor) = str::from_utf8(&told).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
