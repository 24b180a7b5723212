//! The completion script of bash, as bash runs it.

#![cfg(unix)]

use std::process::Command;

use crate::bench::bare;
use crate::run::Run;

/// Gives what bash offers at the end of a line.
fn offered(script: &str, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (last, before) = (words.len() - 1, words[words.len() - 2]);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let function = script.lines().rev().find_map(|line| line.trim().strip_prefix("complete -F ")).unwrap();
    let function = function.split(' ').next().unwrap();
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n{function} vpnctl '{}' '{before}' 2>/dev/null\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words[last],
    );
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-s"]).current_dir(folder.path());
    let run = Run::of(bash, &ask).ends(0).quietly();
    run.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn script(shell: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare(folder.path());
    command.args(["completion", shell]);
    Run::of(command, "").ends(0).quietly().stdout
}

#[test]
fn bash_offers_the_fields_of_each_verb() {
    let script = script("bash");
    assert_eq!(offered(&script, "vpnctl status --fields sta"), ["state"]);
    assert_eq!(
        offered(&script, "vpnctl status --fields target"),
        ["target", "target.kind", "target.id", "target.name", "target.type"]
    );
    assert_eq!(offered(&script, "vpnctl status -o json --fields raw"), ["raw_state"]);
    assert_eq!(offered(&script, "vpnctl watch --fields fr"), ["from"]);
    assert_eq!(offered(&script, "vpnctl wait --for connected --fields wai"), ["waited_s"]);
    assert_eq!(offered(&script, "vpnctl connect --fields cha"), ["changed"]);
    assert_eq!(offered(&script, "vpnctl tunnel list --fields act"), ["active"]);
    assert_eq!(offered(&script, "vpnctl auth status --fields exp"), ["expires_at"]);
    assert_eq!(offered(&script, "vpnctl config show --fields or"), ["origin"]);
    assert_eq!(offered(&script, "vpnctl wait --for dis"), ["disconnecting", "disconnected"]);
    assert_eq!(offered(&script, "vpnctl check --expect conn"), ["connected", "connecting"]);
    assert_eq!(offered(&script, "vpnctl check -o na"), ["nagios"]);
    assert!(offered(&script, "vpnctl status -o na").is_empty());
    // What a verb's items don't have is not offered.
    assert!(offered(&script, "vpnctl status --fields fr").is_empty());
    assert!(offered(&script, "vpnctl list --fields traffic").is_empty());
}

#[test]
fn bash_takes_the_script_and_asks_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-s"]).current_dir(folder.path());
    let run = Run::of(bash, &format!("{}\ncomplete -p vpnctl\n", script("bash"))).ends(0).quietly();
    assert!(run.stdout.contains("-F _vpnctl_lists") && run.stdout.contains("-o default"), "{run}");
}

#[test]
fn bash_goes_on_after_a_comma() {
    let script = script("bash");
    assert_eq!(offered(&script, "vpnctl status --fields state,ip"), ["state,ip_address"]);
    assert_eq!(
        offered(&script, "vpnctl status --fields a,b.c,traffic.rx"),
        ["a,b.c,traffic.rx_bytes", "a,b.c,traffic.rx_rate"]
    );
    assert!(offered(&script, "vpnctl status --fields state,").len() > 30);
    // Only there: elsewhere a comma is a part of the word.
    assert!(offered(&script, "vpnctl status --output json,").is_empty());
}

#[test]
fn bash_offers_all_that_it_did() {
    let script = script("bash");
    assert_eq!(offered(&script, "vpnctl stat"), ["status"]);
    assert_eq!(offered(&script, "vpnctl status -o nd"), ["ndjson"]);
    assert_eq!(offered(&script, "vpnctl status --exit-"), ["--exit-code"]);
    assert_eq!(offered(&script, "vpnctl status --jq"), ["--jq"]);
    assert_eq!(offered(&script, "vpnctl auth log"), ["login", "logout"]);
    assert_eq!(offered(&script, "vpnctl help e"), ["environment", "errors", "exit-codes"]);
}

#[test]
fn other_shells_have_the_fields_too_and_parsing_stays_open() {
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = script(shell);
        let told = ["traffic.rx_bytes", "waited_s"].iter().all(|field| script.contains(field));
        // Two shells complete no values at all.
        assert_eq!(told, ["zsh", "fish"].contains(&shell), "{shell}");
    }
    let bench = crate::bench::Bench::new();
    let run = bench.run("list -b everyware --fields labels.site -o value").ends(0);
    assert!(!run.stdout.is_empty(), "what lies below labels is the user's");
}

#[test]
fn the_backends_of_the_configuration_are_offered() {
    // In place of the program, which a shell finds by its name.
    let bash = format!(
        "vpnctl() {{ echo \"$*\" | grep -q '^backends -o value$' && printf 'attic\\ncellar\\n'; }}\n{}",
        script("bash")
    );
    for line in ["vpnctl doctor ce", "vpnctl -q doctor attic ce", "vpnctl status -b ce", "vpnctl list --backend ce"] {
        assert_eq!(offered(&bash, line), ["cellar"], "{line}");
    }
    assert_eq!(offered(&bash, "vpnctl doctor "), ["attic", "cellar"]);
    assert_eq!(offered(&bash, "vpnctl doctor --bun"), ["--bundle"]);
    let zsh = script("zsh");
    assert!(zsh.starts_with("#compdef vpnctl\n\n_vpnctl_backends() {"), "{zsh:.200}");
    let of = |begin: &str| zsh.lines().filter(|line| line.starts_with(begin)).collect::<Vec<_>>();
    for begin in ["'*-b+[", "'*--backend=[", "'*::backends -- "] {
        assert!(!of(begin).is_empty(), "{begin}");
        assert!(of(begin).iter().all(|line| line.contains(":_vpnctl_backends'")), "{:?}", of(begin));
    }
    let fish = script("fish");
    for part in ["-s b -l backend -x -a", "\"__fish_vpnctl_using_subcommand doctor\" -f -a"] {
        assert!(fish.contains(&format!("{part} \"(vpnctl backends -o value 2>/dev/null)\"")), "{part}");
    }
}
