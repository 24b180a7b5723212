//! What vpnctl prints about itself: version, completions, man page.

use crate::bench::{Bench, bare};
use crate::run::{Run, words};

/// The verbs of the contract that are built.
pub(crate) const VERBS: &[&str] = &[
    "status",
    "list",
    "connect",
    "disconnect",
    "reconnect",
    "wait",
    "watch",
    "check",
    "with",
    "auth",
    "log",
    "tunnel",
    "settings",
    "trust",
    "api",
    "backends",
    "config",
    "doctor",
    "schema",
    "serve",
    "simulate",
    "completion",
    "man",
    "help",
];

fn run(line: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare(folder.path());
    // Nothing of these is read by what prints documents.
    command.env("VPNCTL_CONFIG", folder.path().join("there-is-none")).env("VPNCTL_BACKEND_X_VENDOR", "nonsense");
    command.args(words(line));
    let run = Run::of(command, "");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was written: {run}");
    run
}

#[test]
fn the_version_needs_no_configuration() {
    for line in ["--version", "-V"] {
        let run = run(line).ends(0).quietly();
        assert_eq!(run.stdout, format!("vpnctl {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn each_shell_has_a_completion_that_knows_every_verb() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&format!("completion {shell}")).ends(0).quietly().stdout;
        for verb in VERBS.iter().chain(&["--exit-code", "--read-only"]) {
            let bare = verb.trim_start_matches('-');
            assert!(script.contains(bare), "{shell} does not know {verb}");
        }
    }
    run("completion tcsh").ends(2).tells("tcsh").without_output();
    run("completion").ends(2).without_output();
}

#[test]
fn the_man_page_tells_of_every_verb() {
    let page = run("man").ends(0).quietly().stdout;
    assert!(page.contains(".TH vpnctl 1"), "{page}");
    let plain = page.replace("\\-", "-");
    for word in VERBS.iter().chain(&["--output", "--timeout", "--demo"]) {
        assert!(plain.contains(word), "the man page says nothing of {word}");
    }
}

#[test]
fn the_transcript_of_the_readme_is_what_happens() {
    let bench = Bench::new();
    let readme = include_str!("../../README.md");
    let run = bench.run("--demo connect 'freebox/Office PPTP'").ends(9);
    for line in run.stdout.lines().chain(run.stderr.lines()) {
        assert!(readme.contains(line), "README.md does not show `{line}`");
    }
    assert!(run.stderr.lines().count() >= 2, "{run}");
}
