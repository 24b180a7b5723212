//! Leaves out of the released program what nothing of it reads, by the linker: a profile can't say so.
//!
//! - A release aborts where it panics (`panic = "abort"`), and nothing of it unwinds. Rust's own library comes with tables
//!   for it all the same, and the compiler writes them for every function: 1.2 MB of 9. What is lost is the backtrace, in
//!   which a stripped program could name no function.
//! - The addresses that the loader has to put right are 0.4 MB in their long form. glibc reads the short one since 2.36, and
//!   an older one says so and ends; so it is used only where the machine that builds has it.
//!
//! And gathers what vpnctl says, from its own source: a support bundle keeps that, and nothing else.

#[path = "src/app/doctor/phrases.rs"]
mod phrases;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use phrases::{END, HOLE, Part, START};

/// Where the messages stand that `doctor` may tell.
const ROOMS: [&str; 9] = ["app", "backend", "backends", "config", "error", "http", "model", "secrets", "state"];
/// What libraries and systems say, as it stands in those messages.
const LIBRARIES: &str = "src/app/doctor/phrases.txt";

/// Is put beside the linker's own script (INSERT), and takes the sections before that does. Works so in lld and in GNU's.
const SCRIPT: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*) } }
INSERT AFTER .comment;
";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    gather_phrases()?;
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

/// Writes which words stand side by side in vpnctl's messages, for `app::doctor::scrub`.
fn gather_phrases() -> Result<(), Box<dyn Error>> {
    let mut pairs = BTreeSet::new();
    println!("cargo::rerun-if-changed={LIBRARIES}");
    fs::read_to_string(LIBRARIES)?.lines().for_each(|line| note(line, &mut pairs));
    for room in ROOMS {
        println!("cargo::rerun-if-changed=src/{room}");
        note_all(&Path::new("src").join(room), &mut pairs)?;
    }
    let bytes: Vec<u8> = pairs.into_iter().flat_map(u32::to_le_bytes).collect();
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("phrases"), bytes)?)
}

fn note_all(folder: &Path, pairs: &mut BTreeSet<u32>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_of_tests = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "fuzzing");
        if path.is_dir() {
            note_all(&path, pairs)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_of_tests {
            let source = fs::read_to_string(&path)?;
            // Tests stand at the end of their file.
            let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            literals(source).iter().for_each(|text| note(text, pairs));
        }
    }
    Ok(())
}

/// Notes the neighbours in a text; what stands between braces is put in.
fn note(text: &str, pairs: &mut BTreeSet<u32>) {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        plain.push_str(before);
        rest = match behind.split_once('}') {
            Some((name, after)) if !name.contains(char::is_whitespace) => {
                plain.push_str(HOLE);
                after
            }
            _ => behind,
        };
    }
    plain.push_str(rest);
    let (mut first, mut last) = ("", START);
    for (_, part) in phrases::parts(&plain).into_iter().filter(|(kind, _)| *kind != Part::Quiet) {
        let part = if part.contains(HOLE) { HOLE } else { part };
        pairs.insert(phrases::pair(last, part));
        if part == HOLE {
            pairs.insert(phrases::before_hole(first, last));
        }
        (first, last) = (last, part);
    }
    pairs.insert(phrases::pair(last, END));
}

/// Finds the texts in a source file.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(at);
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before[..before.len() - hashes].ends_with('r');
        rest = if here.starts_with("//") {
            here.split_once('\n').map_or("", |(_, after)| after)
        } else if here.starts_with("'\"'") || here.starts_with("'\\\"'") || here.starts_with("'/'") {
            &here[here[1..].find('\'').map_or(here.len(), |end| end + 2)..]
        } else if let Some(inner) = here.strip_prefix('"') {
            let (text, after) = if is_raw { whole(inner, &"#".repeat(hashes)) } else { unescaped(inner) };
            found.push(text);
            after
        } else {
            &here[1..]
        };
    }
    found
}

/// Reads a text in which nothing is escaped to its end; gives what is behind it too.
fn whole<'a>(source: &'a str, hashes: &str) -> (String, &'a str) {
    let (text, after) = source.split_once(&format!("\"{hashes}")).unwrap_or((source, ""));
    (text.to_owned(), after)
}

/// Reads a text to its end; gives what is behind it too.
fn unescaped(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = source.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => match rest.next() {
                Some('n' | 'r' | 't') => text.push(' '),
                // The line goes on behind the spaces of the next one.
                Some('\n') => rest = rest.as_str().trim_start().chars(),
                Some('u') => {
                    let code = rest.as_str().split(['{', '}']).nth(1).unwrap_or_default();
                    text.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32));
                    rest = rest.as_str().split_once('}').map_or("", |(_, after)| after).chars();
                }
                other => text.extend(other),
            },
            c => text.push(c),
        }
    }
    (text, rest.as_str())
}
