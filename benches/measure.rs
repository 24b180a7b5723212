//! Times commands against each other, and tells how much memory one needs.
//!
//! `measure times RUNS [--clean FOLDER] COMMAND… :: COMMAND…` runs the commands in turn, RUNS times each, after one round
//! that is not counted, and prints for each a line of milliseconds: the median, then all as they came. `--clean` empties
//! a folder before each run of the first command. `measure peak COMMAND…` prints the most memory that was resident, in
//! KiB. What the commands print is thrown away, on both streams; one that fails ends it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// How long nothing runs before a command, so that the server is done with what the one before has left.
const BREATH: Duration = Duration::from_millis(20);

type Failure = Box<dyn std::error::Error>;

/// Runs a command to its end, and gives how long that took, in milliseconds.
fn run(words: &[String]) -> Result<f64, Failure> {
    let (program, arguments) = words.split_first().ok_or("there is no command")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    let took = started.elapsed();
    if !status.success() {
        return Err(format!("{} ended with {status}", words.join(" ")).into());
    }
    Ok(took.as_secs_f64() * 1000.0)
}

/// Gives the middle of some numbers.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(below, above)
}

fn times(runs: usize, words: &[String]) -> Result<(), Failure> {
    let (clean, words) = match words {
        [flag, folder, rest @ ..] if flag == "--clean" => (Some(Path::new(folder)), rest),
        words => (None, words),
    };
    let commands: Vec<&[String]> = words.split(|word| word == "::").collect();
    let mut taken = vec![Vec::new(); commands.len()];
    for round in 0..=runs.max(1) {
        for (number, command) in commands.iter().enumerate() {
            if let Some(folder) = clean.filter(|folder| number == 0 && folder.exists()) {
                std::fs::remove_dir_all(folder)?;
            }
            std::thread::sleep(BREATH);
            let took = run(command)?;
            if round > 0 {
                taken[number].push(took);
            }
        }
    }
    for taken in taken {
        let all: Vec<String> = taken.iter().map(|took| format!("{took:.2}")).collect();
        println!("{:.3} {}", median(&taken), all.join(" "));
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [verb, runs, words @ ..] if verb == "times" => times(runs.parse()?, words),
        [verb, words @ ..] if verb == "peak" => {
            run(words)?;
            // This process has no other child.
            println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
            Ok(())
        }
        _ => Err("usage: measure times RUNS [--clean FOLDER] COMMAND… [:: COMMAND…], or measure peak COMMAND…".into()),
    }
}
