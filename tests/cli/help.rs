//! The help of every command, as users read it.

use crate::bench::bare;
use crate::run::Run;

/// Gives the help of a command and of all below it, each under its own line.
fn tree(command: &clap::Command, path: &[String], folder: &std::path::Path, out: &mut String) {
    let mut child = bare(folder);
    child.args(path).arg("--help");
    let run = Run::of(child, "").ends(0).quietly();
    let begin = run.stdout.find("\nGlobal options:").unwrap_or_else(|| panic!("no global options: {run}"));
    // They are the same everywhere, so they are shown once.
    let own = if path.is_empty() { run.stdout.as_str() } else { &run.stdout[..begin] };
    let line = [&["vpnctl".to_owned()], path, &["--help".to_owned()]].concat().join(" ");
    out.push_str(&format!("===== {line}\n{}\n", own.trim_end()));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let path = [path, &[below.get_name().to_owned()]].concat();
        tree(below, &path, folder, out);
    }
}

#[test]
fn the_whole_tree_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = String::new();
    tree(&vpnctl::cli::command_tree(), &[], folder.path(), &mut out);
    insta::assert_snapshot!("help", out);
}

#[test]
fn every_command_has_the_global_options_and_says_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let global = |line: &str| {
        let mut child = bare(folder.path());
        child.args(line.split(' ').filter(|word| !word.is_empty())).arg("--help");
        Run::of(child, "").ends(0).stdout.split("\nGlobal options:").nth(1).unwrap().to_owned()
    };
    let root = global("");
    for line in ["status", "connect", "auth login", "config show", "simulate", "completion"] {
        let own = global(line);
        for flag in ["--backend", "--output", "--timeout", "--dry-run", "--read-only", "--demo", "--exit-code"] {
            assert!(own.contains(flag) && root.contains(flag), "{line}: {flag}");
        }
    }
}

/// Finds the flags of a command and of all below it whose names speak of a secret.
fn secret_flags(command: &clap::Command, found: &mut Vec<(String, bool)>) {
    const WORDS: [&str; 6] = ["password", "secret", "token", "key", "otp", "pin"];
    for argument in command.get_arguments() {
        let name = argument.get_long().unwrap_or(argument.get_id().as_str());
        if WORDS.iter().any(|word| name.split('-').any(|part| part == *word)) {
            found.push((name.to_owned(), argument.get_action().takes_values()));
        }
    }
    command.get_subcommands().for_each(|below| secret_flags(below, found));
}

/// Arguments are seen by everybody on the computer: a secret comes by standard input or by a file that is named.
#[test]
fn no_flag_takes_a_secret() {
    let mut found = Vec::new();
    secret_flags(&vpnctl::cli::command_tree(), &mut found);
    assert!(found.len() >= 5, "{found:?}");
    for (name, takes_value) in found {
        let is_named = if takes_value { name.ends_with("-file") } else { name.ends_with("-stdin") };
        assert!(is_named, "--{name} may take a secret");
    }
}

#[test]
fn no_verb_is_a_usage_error_that_shows_the_help() {
    let folder = tempfile::tempdir().unwrap();
    for line in [&[][..], &["auth"], &["config"]] {
        let mut child = bare(folder.path());
        child.args(line);
        Run::of(child, "").ends(2).tells("Usage: vpnctl").without_output();
    }
}
