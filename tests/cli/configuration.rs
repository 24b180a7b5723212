//! `config`: where settings come from, and what is told about wrong ones.

use crate::bench::{Bench, bare};
use crate::run::{Run, words};

#[test]
fn flag_over_environment_over_file_over_built_in() {
    let bench = Bench::new();
    let shown = |key: &str| {
        let run = bench.run_where("VPNCTL_BACKEND_FREEBOX_JOBS", "3", "config show -o json").ends(0).quietly();
        let items = run.items();
        let found = items.iter().find(|item| item["key"] == key).unwrap_or_else(|| panic!("no {key}: {run}"));
        (found["value"].as_str().unwrap().to_owned(), found["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(shown("backend.freebox.jobs"), ("3".to_owned(), "$VPNCTL_BACKEND_FREEBOX_JOBS".to_owned()));
    assert_eq!(shown("backend.ixon.jobs"), ("8".to_owned(), "built-in".to_owned()));
    let (url, origin) = shown("backend.freebox.url");
    assert_eq!(url, bench.url("freebox", "api"));
    assert_eq!(origin, format!("{}:5:7", bench.path("vpnctl.toml").display()));
}

#[test]
fn the_default_backend_that_won_is_shown() {
    let bench = Bench::new();
    let path = bench.write("default.toml", &format!("default_backend = \"ixon\"\n{}", bench.config()));
    let line = format!("config show -o json --config {}", path.display());
    let shown = |run: Run| {
        let item = run.ends(0).quietly().items().remove(0);
        assert_eq!(item["key"], "default_backend");
        format!("{} {}", item["value"], item["origin"])
    };
    assert_eq!(shown(bench.run(&line)), format!("\"ixon\" \"{}:1:19\"", path.display()));
    assert_eq!(shown(bench.run_where("VPNCTL_BACKEND", "freebox", &line)), "\"freebox\" \"$VPNCTL_BACKEND\"");
}

#[test]
fn a_setting_of_the_environment_is_used() {
    let bench = Bench::new();
    // A whole second with no answer is too long for who waits 200 ms.
    bench.fault("freebox", "slow=1000");
    let line = "status -b freebox --timeout 700ms -o json";
    let told = bench.run_where("VPNCTL_BACKEND_FREEBOX_REQUEST_TIMEOUT", "100ms", line).ends(5);
    assert_eq!(told.fails("timeout.request")["retryable"], true);
    let told = bench.run_where("VPNCTL_TIMEOUT", "200ms", "status -b freebox -o json");
    assert_ne!(told.code, 0, "{told}");
    bench.run_where("VPNCTL_TIMEOUT", "soon", "status -b freebox").ends(2).tells("$VPNCTL_TIMEOUT");
    let url = "VPNCTL_BACKEND_FREEBOX_URL";
    bench.run_where(url, "http://127.0.0.1:1", "status -b freebox --timeout 1s -o json").ends(5).fails("net.refused");
    bench.run_where(url, "ftp://x", "status -b freebox -o json").ends(13).fails("config.invalid");
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest() {
    let bench = Bench::new();
    let text = "[backend.home]\nvendor = \"freebox\"\n  urll = \"http://127.0.0.1\"\n";
    let error = bench.run_by(text, "status -o json").ends(13).without_output().fails("config.unknown_key");
    let place = format!("{}:3:3: ", bench.path("other.toml").display());
    assert!(error["message"].as_str().unwrap().starts_with(&place), "{error}");
    assert_eq!(error["hint"], "did you mean `url`?");
    for (text, place, near) in [
        ("[backend.home]\nvendor = \"freebox\"\ntls.pinn = \"x\"\n", ":3:5:", "tls.pin"),
        ("default_backnd = \"home\"\n", ":1:1:", "default_backend"),
        ("[backend.home]\nvendor = \"freebox\"\napp_token = { fil = \"x\" }\n", ":3:15:", "file"),
        ("[backend.home]\nvendor = \"ixon\"\napp_tokn = \"x\"\n", ":3:1:", ""),
        ("[group.lyon]\nselct = \"site=lyon\"\n", ":2:", "select"),
    ] {
        let run = bench.run_by(text, "config validate -o json").ends(13).without_output();
        let error = run.fails("config.unknown_key");
        assert!(error["message"].as_str().unwrap().contains(&format!("other.toml{place}")), "{run}");
        if !near.is_empty() {
            assert_eq!(error["hint"], format!("did you mean `{near}`?"), "{run}");
        }
    }
}

#[test]
fn a_wrong_value_is_told_with_its_place() {
    let bench = Bench::new();
    let home = "[backend.home]\nvendor = \"freebox\"\n";
    for (text, place) in [
        ("[backend.home\n", ":1:14:"),
        ("[backend.home]\nvendor = \"freebx\"\n", ":2:10:"),
        ("[backend.Home]\nvendor = \"freebox\"\n", ":1:"),
        ("[backend.home]\nurl = \"http://127.0.0.1\"\n", ":1:"),
        ("default_backend = \"nobody\"\n", ":1:19:"),
        (&format!("{home}jobs = \"many\"\n"), ":3:8:"),
        (&format!("{home}timeout = 30\n"), ":3:11:"),
        (&format!("{home}read_only = \"yes\"\n"), ":3:13:"),
        (&format!("{home}url = \"freebox.local\"\n"), ""),
        (&format!("{home}app_token = {{ env = 7 }}\n"), ":3:21:"),
    ] {
        let run = bench.run_by(text, "status -A -o json").ends(13).without_output();
        let error = run.fails("config.invalid");
        assert!(error["message"].as_str().unwrap().contains(place), "{text}: {run}");
    }
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let bench = Bench::new();
    let missing = bench.path("there-is-none.toml");
    for verb in ["status", "list", "config show", "config validate"] {
        let error = bench.run(&format!("{verb} --config {} -o json", missing.display())).ends(13);
        error.fails("config.invalid");
        let by_variable = bench.run_where("VPNCTL_CONFIG", &missing.to_string_lossy(), verb).ends(13);
        by_variable.tells("there-is-none.toml").tells("vpnctl config init").without_output();
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn without_a_file_three_backends_are_there_and_everyware_asks_for_its_url() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = bare(folder.path());
        command.args(words(line));
        Run::of(command, "")
    };
    let backends = run("backends -o value --fields backend,url").ends(0).quietly();
    assert!(backends.stdout.contains("freebox\nhttps://mafreebox.freebox.fr\n"), "{backends}");
    assert!(backends.stdout.contains("ixon\nhttps://localhost:9250\n"), "{backends}");
    assert!(backends.stdout.contains("everyware\n"), "{backends}");
    for line in ["status -b everyware", "list -b everyware", "connect -b everyware x", "auth status -b everyware"] {
        let error = run(&format!("{line} -o json")).ends(13).without_output().fails("config.invalid");
        assert!(error["hint"].as_str().unwrap().contains("VPNCTL_BACKEND_EVERYWARE_URL"), "{error}");
    }
    run("status").ends(2).tells("everyware, freebox, ixon");
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let text = "[backend.home]\nvendor = \"freebox\"\napp_token = \"open-secret-1234\"\n";
    let path = bench.write("open.toml", text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = bench.run(&format!("config show --config {} -o json", path.display())).ends(13).without_output();
    let error = run.fails("config.invalid");
    assert!(error["message"].as_str().unwrap().contains(":3:13:"), "{run}");
    assert!(error["hint"].as_str().unwrap().contains("chmod 600"), "{run}");
    assert!(!run.stderr.contains("open-secret"), "{run}");
    crate::bench::private(&path);
    let shown = bench.run(&format!("config show --config {}", path.display())).ends(0).prints("backend.home.app_token");
    assert!(!shown.stdout.contains("open-secret"), "{shown}");
}

#[test]
fn init_writes_an_example_once_and_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = bare(folder.path());
        command.args(words(line));
        Run::of(command, "")
    };
    let example = include_str!("../../config.example.toml");
    assert_eq!(run("config init --stdout").ends(0).quietly().stdout, example);
    let path = folder.path().join("config/vpnctl/config.toml");
    #[cfg(target_os = "linux")]
    assert_eq!(run("config path").ends(0).quietly().stdout, format!("{}\n", path.display()));
    let printed = run("config path").ends(0).stdout;
    assert!(!path.exists(), "a path is told, nothing is made");
    assert_eq!(run("config init").ends(0).quietly().stdout, printed);
    let path = std::path::PathBuf::from(printed.trim_end());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), example);
    #[cfg(unix)]
    assert_eq!(crate::bench::mode(&path), 0o600);
    std::fs::write(&path, "# mine\n").unwrap();
    run("config init -o json").ends(9).without_output().fails("conflict.exists");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
    let named = folder.path().join("below/named.toml");
    run(&format!("config init --config {}", named.display())).ends(0).prints("named.toml");
    // The example is a configuration that holds.
    run(&format!("config validate --config {}", named.display())).ends(0).tells("ok, 1 backends").without_output();
}

#[test]
fn validate_finds_what_a_verb_would_stumble_over() {
    let bench = Bench::new();
    bench.run("config validate").ends(0).tells("ok, 3 backends").without_output();
    bench.run("config validate -q").ends(0).quietly().without_output();
    let text = bench.config_without(&["url = \"https://localhost"]);
    bench.run_by(&text, "config validate -o json").ends(13).fails("config.invalid");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn show_masks_secrets_in_every_format() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_EVERYWARE_API_KEY", "canary-of-the-environment");
    for format in ["table", "json", "yaml", "csv", "value"] {
        let run = bench.run(&format!("config show -o {format}")).ends(0).quietly();
        assert!(!run.stdout.contains("canary"), "{run}");
    }
    let run = bench.run("config show -o value --fields key").ends(0);
    assert!(run.stdout.contains("backend.everyware.api_key\n"), "{run}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let bench = Bench::new();
    let text = format!(
        "[backend.bench]\nvendor = \"ixon\"\nurl = \"https://localhost:1\"\ntls.insecure = true\ntls.pin = \"sha256:{}\"\n",
        "ab".repeat(32)
    );
    let run = bench.run_by(&text, "status -o json").ends(13);
    let error = run.fails("config.invalid");
    assert!(error["message"].as_str().unwrap().contains("tls.pin"), "{run}");
}

#[test]
fn a_demonstration_leaves_the_users_configuration_alone() {
    let bench = Bench::new();
    bench.run("--demo config init -o json").ends(2).fails("usage");
    bench.run("--demo config path -o json").ends(2).fails("usage");
    assert!(bench.run("--demo config init --stdout").ends(0).stdout.contains("[backend.home]"));
}

#[test]
fn a_certificate_that_is_not_verified_is_warned_about_once() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_IXON_TLS_INSECURE", "true");
    for line in ["status -b ixon", "list -b ixon", "with -b ixon 'Press 7' -- true"] {
        let run = bench.run(line).ends(0);
        assert_eq!(run.stderr.matches("not verified").count(), 1, "{run}");
    }
}
