//! The state folder: private, whole, and never a reason to fail.

use crate::bench::Bench;
use crate::run::Run;

const ALL: [&str; 3] = ["status -b freebox", "status -b ixon", "status -b everyware"];

#[cfg(unix)]
#[test]
fn files_are_their_owners_alone() {
    use crate::bench::mode;
    let bench = Bench::new();
    for line in ALL {
        bench.run(line).ends(0);
    }
    assert_eq!(mode(&bench.state()), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(bench.state()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    for vendor in ["freebox", "ixon", "everyware"] {
        assert!(names.contains(&format!("{vendor}.json")), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
}

#[test]
fn a_half_written_file_is_set_aside_told_and_built_anew() {
    let bench = Bench::new();
    for (line, vendor) in ALL.iter().zip(["freebox", "ixon", "everyware"]) {
        bench.run(line).ends(0);
        let path = bench.state().join(format!("{vendor}.json"));
        let whole = std::fs::read_to_string(&path).unwrap();
        for broken in [&whole[..whole.len() / 2], "", "null", "\u{0}\u{0}"] {
            std::fs::write(&path, broken).unwrap();
            let run = bench.run(line).ends(0);
            assert_eq!(run.stderr.matches("is corrupt").count(), 1, "`{broken}`: {run}");
            assert!(run.stderr.contains(&format!("{vendor}.json")), "{run}");
            assert_eq!(std::fs::read_to_string(path.with_extension("json.corrupt")).unwrap(), broken);
            bench.run(line).ends(0).quietly();
        }
    }
}

/// Runs a line where the state folder can't be made.
fn stateless(bench: &Bench, line: &str) -> Run {
    let file = bench.write("a-file", "");
    bench.run_where("VPNCTL_STATE_DIR", &file.join("below").to_string_lossy(), line)
}

#[test]
fn without_state_it_works_and_says_so_once() {
    let bench = Bench::new();
    for line in ["status -b freebox", "status -b ixon", "status -b everyware", "status -A", "list -A"] {
        let run = stateless(&bench, line).ends(0);
        assert_eq!(run.stderr.matches("can't be written").count(), 1, "{run}");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
        let quiet = stateless(&bench, &format!("{line} -q")).ends(0);
        assert_eq!(quiet.stderr, "", "{quiet}");
    }
    let run = stateless(&bench, "connect -b freebox vpn0 --switch -o json").ends(0);
    assert_eq!(run.item()["changed"], true);
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_usual_place_is_the_systems() {
    let bench = Bench::new();
    let mut command = bench.command("status -b freebox");
    command.env_remove("VPNCTL_STATE_DIR");
    Run::of(command, "").ends(0).quietly();
    assert!(bench.path("state-home/vpnctl/freebox.json").exists());
    assert_eq!(crate::bench::mode(&bench.path("state-home/vpnctl")), 0o700);
}

#[test]
fn what_belongs_to_another_login_or_place_is_not_used() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    bench.run("status -b everyware").ends(0);
    // A session is sent to the place that gave it and nowhere else.
    let other = Bench::new();
    let run = bench.run_where("VPNCTL_BACKEND_FREEBOX_URL", &other.url("freebox", "api"), "status -b freebox");
    run.ends(0);
    let kept = |entry: &vpnctl::simulate::server::Entry| entry.headers.get("x-fbx-app-auth").cloned();
    let first: Vec<String> = bench.context("freebox").log.entries().iter().filter_map(kept).collect();
    let second: Vec<String> = other.context("freebox").log.entries().iter().filter_map(kept).collect();
    assert!(!first.is_empty() && !second.is_empty());
    assert!(second.iter().all(|token| !first.contains(token)), "a session was sent to another box");
    // Another password is another login, so the token of the first is not used.
    let run = bench.run_where("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "wrong", "status -b everyware -o json");
    run.fails("auth.rejected");
}

/// Runs a line where files can be made and nothing can be written into them, as on a disk that is full.
#[cfg(unix)]
pub(crate) fn on_a_full_disk(bench: &Bench, line: &str) -> Run {
    after(bench, "trap '' XFSZ; ulimit -f 0", line)
}

/// Runs a line after words of a shell.
#[cfg(unix)]
pub(crate) fn after(bench: &Bench, words: &str, line: &str) -> Run {
    let vpnctl = bench.command(line);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("{words}; exec \"$0\" \"$@\"")]).arg(vpnctl.get_program());
    command.args(vpnctl.get_args()).env_clear().current_dir(bench.folder.path());
    command.envs(vpnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Run::of(command, "")
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_said_once_and_nothing_is_left_behind() {
    let bench = Bench::new();
    for line in ALL.iter().chain(&["list -A", "status -A"]) {
        let run = on_a_full_disk(&bench, line).ends(0);
        assert_eq!((run.stderr.matches("can't be written").count(), run.stderr.lines().count()), (1, 1), "{run}");
    }
    // What failed can't be noted either, and that is no other failure.
    let run = on_a_full_disk(&bench, "status -b everyware gw-turin-04 nobody").ends(10);
    assert_eq!(run.stderr.matches("can't be written").count(), 1, "{run}");
    let run = on_a_full_disk(&bench, "connect -b freebox vpn0 --switch -o json").ends(0);
    assert_eq!(run.item()["changed"], true);
    for path in crate::crowds::files(&bench.state()) {
        assert!(path.extension().is_some_and(|ending| ending == "lock"), "{}", path.display());
    }
    // A limit is told like a full disk, also where nobody has said that its signal is not to end the process.
    for line in ALL {
        let run = after(&bench, "ulimit -f 0", line).ends(0);
        assert_eq!((run.stderr.matches("can't be written").count(), run.stderr.lines().count()), (1, 1), "{run}");
    }
    after(&bench, "ulimit -f 0", "status -b everyware gw-turin-04 nobody").ends(10).tells("can't be written");
    // What was kept before the disk was full is not lost by it.
    bench.run("status -A").ends(0).quietly();
    bench.fault("everyware", "invalidate-tokens");
    on_a_full_disk(&bench, "status -b everyware").ends(0);
    crate::crowds::is_whole(&bench);
}

#[test]
fn files_of_random_bytes_and_of_another_kind_are_no_crash() {
    let bench = Bench::new();
    let random: Vec<u8> = (0..4096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let other = br#"{"owner":{"of":"another kind"},"token":["new"],"session":7,"links":[],"ids":null}"#;
    let deep = [vec![b'['; 5000], vec![b']'; 5000]].concat();
    for bytes in [&random[..], &other[..], &deep[..], b"\xff\xfe"] {
        for (line, vendor) in ALL.iter().zip(["freebox", "ixon", "everyware"]) {
            bench.run(line).ends(0);
            std::fs::write(bench.state().join(format!("{vendor}.json")), bytes).unwrap();
            let run = bench.run(line).ends(0);
            assert_eq!(run.stderr.lines().count(), 1, "{run}");
            assert_eq!(std::fs::read(bench.state().join(format!("{vendor}.json.corrupt"))).unwrap(), bytes);
            bench.run(line).ends(0).quietly();
        }
    }
    // One that only knows more than this version is read.
    let path = bench.state().join("freebox.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    kept["of_tomorrow"] = serde_json::json!({"key": [1, 2]});
    std::fs::write(&path, kept.to_string()).unwrap();
    bench.requests();
    bench.run("status -b freebox").ends(0).quietly();
    assert_eq!(bench.requests(), 1, "the session is still used");
    // Of what failed before, lines that are none are left out.
    bench.run("status -b everyware gw-turin-04 gw-lyon-02");
    let failed = bench.state().join("failed/status.ndjson");
    let text = std::fs::read(&failed).unwrap();
    std::fs::write(&failed, [&random[..], b"\n", &text].concat()).unwrap();
    let run = bench.run("status --retry-failed -o json").ends(5).tells("is left out");
    assert_eq!(run.items().len(), 1, "{run}");
}

#[test]
fn files_of_a_newer_version_are_left_as_they_are_and_not_used() {
    let bench = Bench::new();
    let newer = r#"{"owner":["of","another","kind"],"app_token":{"new":"shape"},"token":["new"],"version":2}"#;
    for (line, vendor) in ALL.iter().zip(["freebox", "ixon", "everyware"]) {
        let path = bench.state().join(format!("{vendor}.json"));
        bench.run(line).ends(0).quietly();
        std::fs::write(&path, newer).unwrap();
        for line in [*line, &format!("auth login -b {vendor}"), *line] {
            let run = bench.run(line).ends(0).tells("was written by a newer vpnctl; update this one");
            assert_eq!(run.stderr.lines().count(), 1, "{run}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), newer, "{line}");
        }
        bench.run(&format!("doctor {vendor}")).prints("newer vpnctl");
        assert!(!path.with_extension("json.corrupt").exists());
        std::fs::remove_file(&path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_state_folder_that_others_can_write_is_not_used_and_said_once() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0).quietly();
    let kept = std::fs::read(bench.state().join("freebox.json")).unwrap();
    crate::bench::set_mode(&bench.state(), 0o777);
    for _ in 0..2 {
        bench.requests();
        let run = bench.run("status -A").ends(0).tells("others can write to the state folder").tells("chmod 700 ");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
        assert!(bench.count("freebox", "POST") > 0, "its session is not used");
    }
    assert_eq!(std::fs::read(bench.state().join("freebox.json")).unwrap(), kept);
    // As in /tmp, nobody can take away there what is another's.
    crate::bench::set_mode(&bench.state(), 0o1777);
    bench.run("status -b freebox").ends(0).quietly();
}

#[cfg(unix)]
#[test]
fn a_state_file_that_others_can_read_is_private_again_and_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let path = bench.state().join("freebox.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
    bench.run("status -b freebox").ends(0).tells("others could read");
    assert_eq!(crate::bench::mode(&path), 0o600);
    bench.run("status -b freebox").ends(0).quietly();
}
