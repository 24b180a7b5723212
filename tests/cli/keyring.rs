//! `{ keyring = true }`: what a build without a keyring says, and one whose keyring is not there.

use crate::bench::Bench;
#[cfg(all(feature = "keyring", unix, not(target_os = "macos")))]
use crate::bench::mode;

fn by_keyring(bench: &Bench) -> String {
    let secret = bench.config().lines().find(|line| line.starts_with("app_token")).unwrap().to_owned();
    bench.config().replace(&secret, "app_token = { keyring = true }")
}

#[cfg(not(feature = "keyring"))]
#[test]
fn a_build_without_a_keyring_says_so_with_line_and_column() {
    let bench = Bench::new();
    for line in ["status -b freebox", "config validate", "auth login -b freebox"] {
        let run = bench.run_by(&by_keyring(&bench), &format!("{line} -o json")).ends(13).without_output();
        let error = run.fails("config.invalid");
        let (message, hint) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
        assert!(message.contains("other.toml:") && message.contains("this build does not have"), "{run}");
        assert!(hint.contains("file") && hint.contains("command"), "{run}");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_keyring_is_meant_or_not_mentioned() {
    let bench = Bench::new();
    for value in ["false", "\"yes\"", "1"] {
        let config = by_keyring(&bench).replace("keyring = true", &format!("keyring = {value}"));
        let run = bench.run_by(&config, "status -b freebox -o json").ends(13).without_output();
        assert!(run.fails("config.invalid")["message"].as_str().unwrap().contains("`keyring` is not `true`"), "{run}");
    }
}

#[cfg(all(feature = "keyring", unix, not(target_os = "macos")))]
#[test]
fn a_keyring_that_is_not_there_is_an_error_to_read_and_a_warning_to_write() {
    let mut bench = Bench::with_faults(&["freebox:pairing=granted"]);
    // Not that of who runs this.
    bench.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bench.path("no-bus").display()));
    bench.set("VPNCTL_BACKEND_FREEBOX_APP_ID", "org.example.fresh");
    let config = by_keyring(&bench);
    bench.run_by(&config, "config show").ends(0).prints("{ keyring = true }");
    let run = bench.run_by(&config, "status -b freebox -o json").ends(13);
    let error = run.fails("config.invalid");
    assert!(error["message"].as_str().unwrap().contains("the system's keyring can't be asked"), "{run}");
    assert_eq!(bench.count("freebox", "POST"), 0, "no login without a token");

    bench.run_by(&config, "auth login -b freebox --no-input").ends(0).tells("kept in the state folder");
    assert_eq!(mode(&bench.state().join("freebox.json")), 0o600);
    bench.run_by(&config, "status -b freebox").ends(0).quietly();
    bench.run_by(&config, "auth logout -b freebox").ends(0).tells("stays in the system's keyring");
    bench.run_by(&config, "status -b freebox").ends(13);
}
