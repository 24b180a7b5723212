//! What keeps changes from happening.

use crate::bench::{Bench, VENDORS};
use crate::run::Run;

/// Counts what was sent besides reads and logins.
fn writes(bench: &Bench) -> usize {
    let write = |line: &&String| !line.starts_with("GET") && !line.contains("login") && !line.contains("authentic");
    VENDORS.iter().map(|vendor| bench.asked(vendor).iter().filter(write).count()).sum()
}

#[test]
fn read_only_refuses_before_any_request() {
    let bench = Bench::new();
    for verb in ["connect", "disconnect", "reconnect"] {
        for target in
            ["-b freebox vpn0", "freebox/vpn0", "-b everyware gw-lyon-03", "-b ixon 'Press 7'", "-A '*' --yes"]
        {
            let line = format!("{verb} {target} -o json");
            bench.run(&format!("{line} --read-only")).ends(9).without_output().fails("conflict.guard");
            bench.run_where("VPNCTL_READ_ONLY", "1", &line).ends(9).without_output().fails("conflict.guard");
        }
        let line = format!("{verb} -b freebox vpn0 -o json");
        let run = bench.run_where("VPNCTL_BACKEND_FREEBOX_READ_ONLY", "true", &line).ends(9).without_output();
        assert!(run.fails("conflict.guard")["message"].as_str().unwrap().contains("`freebox`"), "{run}");
    }
    let text = bench.config().replace("[backend.freebox]\n", "[backend.freebox]\nread_only = true\n");
    for line in ["disconnect -b freebox", "disconnect freebox/vpn1", "disconnect -A --yes"] {
        bench.run_by(&text, &format!("{line} -o json")).ends(9).without_output().fails("conflict.guard");
    }
    assert_eq!(bench.requests(), 0);
    // Reading is what it leaves, and another backend is none of its affairs.
    bench.run("status -b freebox --read-only").ends(0);
    bench.run_by(&text, "connect -b everyware gw-lyon-03").ends(0);
}

#[test]
fn mass_changes_need_a_yes_where_nobody_can_be_asked() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_EVERYWARE_LABELS", "site=lyon");
    let file = bench.write("targets.txt", "gw-lyon-02\ngw-lyon-03\n");
    for selection in [
        "'gw-lyon-*'".to_owned(),
        "-l site=lyon".to_owned(),
        "--state connected".to_owned(),
        format!("--targets-from {}", file.display()),
    ] {
        for verb in ["connect", "disconnect", "reconnect"] {
            let run = bench.run(&format!("{verb} -b everyware {selection} -o json")).ends(2).without_output();
            assert!(run.fails("usage")["hint"].as_str().unwrap().contains("--yes"), "{run}");
        }
    }
    bench.run("disconnect -A").ends(2).tells("--yes").without_output();
    assert_eq!(writes(&bench), 0, "nothing is sent without a yes");
    let run = bench.run("connect -b everyware 'gw-lyon-*' --yes --sort -o csv --fields target.name,state,changed");
    assert_eq!(
        run.ends(0).stdout,
        "target.name,state,changed\ngw-lyon-02,connected,false\ngw-lyon-03,connected,true\n"
    );
    // Names that were written out, and a pattern that fits one, were meant one by one.
    bench.run("disconnect -b everyware gw-lyon-02 gw-lyon-03").ends(0);
    bench.run("connect -b everyware '*-lyon-02'").ends(0);
}

#[test]
fn a_selection_that_selects_nothing_is_no_silent_success() {
    let bench = Bench::new();
    for line in
        ["connect -b everyware 'x*'", "disconnect -b everyware -l site=moon", "disconnect -b freebox 'x*' --yes"]
    {
        bench.run(&format!("{line} -o json")).ends(6).without_output().fails("selection.empty");
    }
    assert_eq!(writes(&bench), 0);
}

#[test]
fn a_dry_run_tells_what_it_would_do_and_sends_no_write() {
    let bench = Bench::new();
    let item = |run: &Run| run.item();
    let run = bench.run("disconnect -b freebox --dry-run -o json").ends(0).tells("would disconnect `Downloads`");
    assert_eq!((&item(&run)["state"], &item(&run)["changed"]), (&"connected".into(), &false.into()));
    let run = bench.run("connect -b freebox vpn0 --switch --dry-run -o json").ends(0);
    run.clone().tells("would disconnect `Downloads`").tells("would connect `Office PPTP`");
    assert_eq!((&item(&run)["state"], &item(&run)["changed"]), (&"disconnected".into(), &false.into()));
    bench.run("reconnect -b freebox vpn1 --dry-run").ends(0);
    bench.run("connect -b freebox vpn0 --dry-run").ends(9);
    bench.run("connect -b ixon 'Press 7' --dry-run").ends(0).tells("would connect `Press 7`");
    bench.run("connect -b everyware 'gw-lyon-*' --dry-run").ends(0).tells("would connect `gw-lyon-03`");
    // The states of devices come from the list, so one that can't be asked is no failure.
    bench.run("disconnect -A --dry-run").ends(0).tells("would disconnect 2 of the 7 targets of everyware");
    assert_eq!(writes(&bench), 0);
    bench.run("status -b freebox").ends(0).prints("Downloads");
}

#[test]
fn a_dry_run_sends_no_raw_write_and_makes_and_ends_no_login() {
    let bench = Bench::new();
    for line in [
        "api -b freebox DELETE vpn_client/config/vpn1 --dry-run",
        "api -b everyware POST _/devices/x/vpn/_connect --dry-run",
        "api -b ixon PUT Configuration --data {} --dry-run",
        "auth login -b freebox --dry-run",
        "auth logout -A --dry-run",
    ] {
        bench.run(line).ends(0).without_output().tells("dry run: would");
    }
    bench.run("auth logout -b freebox --read-only -o json").ends(9).fails("conflict.guard");
    assert_eq!(bench.requests(), 0);
    // Reading is no change.
    bench.run("api -b ixon GET Status --dry-run").ends(0).prints("idle");
}

#[test]
fn no_dry_run_of_what_changes_something_sends_a_write() {
    let bench = Bench::new();
    bench.write("password", "hunter2");
    bench.write("work.ovpn", "client\nremote vpn.example.org 1194\nauth-user-pass\n");
    bench.run("disconnect -b freebox").ends(0);
    bench.requests();
    let added = "-b freebox --username u --password-file password";
    let add = format!("tunnel add {added} --type pptp --name Work --host vpn.example.org");
    let import = format!("tunnel import work.ovpn {added}");
    for (line, told) in [
        (&*add, "would add `Work`"),
        (&format!("{add} --activate"), "and bring it up"),
        (&import, "would add `work`"),
        (&format!("{import} --activate"), "and bring it up"),
        ("tunnel edit vpn0 -b freebox --name Work --mppe disable", "would change description, conf_pptp.mppe"),
        ("tunnel edit vpn0 -b freebox --activate", "would change active"),
        ("tunnel rm vpn0 -b freebox", "would remove `Office PPTP`"),
        ("tunnel rm '*' -b freebox --yes", "would remove `Downloads`"),
        ("settings set -b ixon simulatedConnectionType=tun --yes", "would set simulatedConnectionType"),
        ("settings reset -b ixon --yes", "would put the settings back"),
        ("connect -b ixon 'Press 8' --wake", "would connect `Press 8`"),
        ("reconnect -b everyware gw-lyon-02", "would disconnect `gw-lyon-02`, then connect it"),
        ("with -b everyware gw-lyon-03 -- true", "would connect `gw-lyon-03`"),
    ] {
        bench.run(&format!("--dry-run {line}")).ends(0).tells(told);
        assert_eq!(writes(&bench), 0, "{line}");
    }
    // A login is a write of its own: it may count against the user, and ends what others hold.
    bench.requests();
    for vendor in VENDORS {
        for line in ["login --password-stdin", "login", "logout"] {
            bench.run_with(&format!("auth {line} -b {vendor} --dry-run"), "hunter2\n").ends(0).tells("dry run: would");
        }
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn no_read_only_command_sends_a_write() {
    let bench = Bench::new();
    bench.write("password", "hunter2");
    bench.write("work.ovpn", "client\nremote vpn.example.org 1194\nauth-user-pass\n");
    let added = "-b freebox --username u --password-file password";
    for line in [
        &*format!("tunnel add {added} --type pptp --name Work --host vpn.example.org --activate"),
        &format!("tunnel import work.ovpn {added}"),
        "tunnel edit vpn0 -b freebox --name Work",
        "tunnel rm '*' -b freebox --yes",
        "settings set -b ixon simulatedConnectionType=tun --yes",
        "settings reset -b ixon --yes",
        "connect -b ixon 'Press 8' --wake",
        "connect --retry-failed --yes",
        "api -b freebox PUT vpn_client/config/vpn0 --data {}",
        "api -b everyware POST _/devices/x/vpn/_connect",
        "auth logout -A",
    ] {
        bench.run(&format!("{line} --read-only -o json")).ends(9).without_output().fails("conflict.guard");
    }
    bench.run("with -b everyware gw-lyon-03 --read-only -o json -- true").ends(125).fails("conflict.guard");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_raw_call_never_leaves_the_api() {
    let bench = Bench::new();
    for path in ["../../admin", "_/x/%2e%2e/%2E%2e/y", "https://elsewhere.example/x", "a/./b", "'a b/..'"] {
        bench.run(&format!("api -b everyware GET {path} -o json")).ends(2).fails("usage");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_raw_write_whose_outcome_is_unknown_is_nothing_to_repeat() {
    let bench = Bench::new();
    bench.run("status -b everyware").ends(0);
    for (fault, status) in [("proxy-page=504", 504), ("device-timeout", 500)] {
        bench.fault("everyware", fault);
        let run = bench.run("api -b everyware POST _/devices/-Kf2x0nQbDE/vpn/_connect -o json").ends(8);
        let error = run.fails("timeout.unknown_outcome");
        assert_eq!((&error["retryable"], &error["http_status"]), (&false.into(), &status.into()), "{error}");
        bench.context("everyware").faults.clear_all();
    }
}
