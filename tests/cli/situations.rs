//! One situation, one code: what each vendor's client tells where the same thing happens, provoked at the simulators and
//! written down in `docs/exit-codes.md`; `UPDATE_DOCS=1 cargo test --test cli situations` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, VENDORS};
use crate::run::Run;

/// What is done before the command whose end is told.
enum Step {
    /// Switches a fault of the vendor's simulator on.
    Fault(&'static str),
    /// Runs a command that goes well.
    Run(&'static str),
    /// Sets a variable of the environment.
    Set(&'static str, &'static str),
    /// Takes the lines of the configuration away that hold one of these texts.
    Without(&'static [&'static str]),
    /// Trusts the CA of another world.
    OtherCa,
}
use Step::{Fault, OtherCa, Run as Before, Set, Without};

/// How a situation comes about at one vendor, or why it can't.
enum Case {
    Told(&'static [Step], &'static str),
    None(&'static str),
}
use Case::{None as Never, Told};

/// Something that happens, the exit code that the contract has for it, and how it is provoked at each vendor.
struct Situation {
    name: &'static str,
    exit: i32,
    /// A vendor at which it ends otherwise, with the code and the reason.
    but: Option<(&'static str, i32, &'static str)>,
    /// In the order of [`VENDORS`].
    cases: [Case; 3],
}

const NOWHERE: &str = "http://127.0.0.1:1";

const SITUATIONS: &[Situation] = &[
    Situation {
        name: "connected as asked",
        exit: 0,
        but: None,
        cases: [
            Told(&[Before("disconnect -b freebox")], "connect -b freebox vpn0"),
            Told(&[], "connect -b ixon 'Press 7'"),
            Told(&[], "connect -b everyware gw-lyon-03"),
        ],
    },
    Situation {
        name: "asked whether it is connected, and it is not",
        exit: 3,
        but: None,
        cases: [
            Told(&[], "status -b freebox vpn0 --exit-code"),
            Told(&[], "status -b ixon --exit-code"),
            Told(&[], "status -b everyware gw-lyon-03 --exit-code"),
        ],
    },
    Situation {
        name: "wrong secret",
        exit: 4,
        but: None,
        cases: [
            Told(&[Set("VPNCTL_BACKEND_FREEBOX_APP_TOKEN", "wrong")], "status -b freebox"),
            Told(&[Set("VPNCTL_BACKEND_IXON_TOKEN", "wrong")], "connect -b ixon --id AAAAAAAAAAAA"),
            Told(&[Set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "wrong")], "status -b everyware gw-lyon-02"),
        ],
    },
    Situation {
        name: "no login at all",
        exit: 4,
        but: None,
        cases: [
            Told(&[Without(&["app_id", "app_token"])], "status -b freebox"),
            Told(&[Without(&["token = { file"])], "connect -b ixon --id AAAAAAAAAAAA"),
            Told(&[Without(&["username", "password"])], "status -b everyware gw-lyon-02"),
        ],
    },
    Situation {
        name: "a login that has expired or was withdrawn",
        exit: 4,
        but: None,
        cases: [
            Told(&[Before("status -b freebox"), Fault("invalid-token")], "status -b freebox"),
            Told(&[Before("list -b ixon"), Fault("token-expired")], "connect -b ixon --id AAAAAAAAAAAA"),
            Told(
                &[Before("status -b everyware gw-lyon-02"), Fault("invalidate-tokens"), Fault("refuse-login")],
                "status -b everyware gw-lyon-02",
            ),
        ],
    },
    Situation {
        name: "logged in, but without the right",
        exit: 11,
        but: None,
        cases: [
            Told(&[Fault("no-settings-right")], "disconnect -b freebox"),
            Told(&[Fault("connect-refused=403:not allowed")], "connect -b ixon 'Press 7'"),
            Told(&[Fault("no-permission=device_management:execute")], "connect -b everyware gw-lyon-03"),
        ],
    },
    Situation {
        name: "the server is down",
        exit: 5,
        but: None,
        cases: [
            Told(&[Set("VPNCTL_BACKEND_FREEBOX_URL", NOWHERE)], "status -b freebox --timeout 1s"),
            Told(&[Set("VPNCTL_BACKEND_IXON_URL", NOWHERE)], "status -b ixon --timeout 1s"),
            Told(&[Set("VPNCTL_BACKEND_EVERYWARE_URL", NOWHERE)], "status -b everyware --id x --timeout 1s"),
        ],
    },
    Situation {
        name: "the server does not answer",
        exit: 5,
        but: None,
        cases: [
            Told(&[Fault("silent")], "status -b freebox --request-timeout 100ms"),
            Told(&[Fault("silent")], "status -b ixon --request-timeout 100ms"),
            Told(&[Fault("silent")], "status -b everyware gw-lyon-02 --request-timeout 100ms"),
        ],
    },
    Situation {
        name: "the server is unwell (503)",
        exit: 5,
        but: None,
        cases: [
            Told(&[Fault("http-status=503")], "status -b freebox"),
            Told(&[Fault("http-status=503")], "status -b ixon"),
            Told(&[Fault("http-status=503")], "status -b everyware gw-lyon-02"),
        ],
    },
    Situation {
        name: "too many requests (429)",
        exit: 5,
        but: None,
        cases: [
            Told(&[Fault("http-status=429")], "status -b freebox"),
            Told(&[Fault("http-status=429")], "status -b ixon"),
            Told(&[Fault("http-status=429")], "status -b everyware gw-lyon-02"),
        ],
    },
    Situation {
        name: "a certificate that is not trusted",
        exit: 5,
        but: None,
        cases: [
            Told(&[OtherCa], "status -b freebox"),
            Told(&[OtherCa], "status -b ixon"),
            Told(&[OtherCa], "status -b everyware gw-lyon-02"),
        ],
    },
    Situation {
        name: "the answer is no document of the vendor's",
        exit: 14,
        but: None,
        cases: [
            Told(&[Before("status -b freebox"), Fault("not-json")], "status -b freebox"),
            Told(&[Fault("not-json")], "status -b ixon"),
            Told(&[Fault("not-json")], "status -b everyware gw-lyon-02"),
        ],
    },
    Situation {
        name: "the device is offline",
        exit: 5,
        but: Some((
            "ixon",
            7,
            "the client says only at which step the attempt failed; that the router is offline is in the message",
        )),
        cases: [
            Never("a tunnel ends at a server, not at a device"),
            Told(&[Fault("agent-offline")], "connect -b ixon 'Press 7'"),
            Told(&[], "connect -b everyware gw-turin-04"),
        ],
    },
    Situation {
        name: "the VPN server refuses the user or the password",
        exit: 7,
        but: None,
        cases: [
            Told(&[Before("disconnect -b freebox"), Fault("tunnel-fails=auth_failed")], "connect -b freebox vpn0"),
            Told(&[Fault("step-fails=openvpn.connection:203:Authentication failed.")], "connect -b ixon 'Press 7'"),
            Told(&[Fault("device-fails=AUTH_FAILED")], "connect -b everyware gw-lyon-03"),
        ],
    },
    Situation {
        name: "the vendor is busy",
        exit: 9,
        but: None,
        cases: [
            Told(&[Before("disconnect -b freebox"), Fault("activation=busy")], "connect -b freebox vpn0"),
            Never("the vendor documents no such answer"),
            Never("the vendor documents no such answer"),
        ],
    },
    Situation {
        name: "another target has the one VPN",
        exit: 9,
        but: None,
        cases: [
            Told(&[], "connect -b freebox vpn0"),
            Told(&[Before("connect -b ixon 'Press 7'")], "connect -b ixon CUTTERLINE04"),
            Never("each device has a VPN of its own"),
        ],
    },
    Situation {
        name: "a guard forbids the change",
        exit: 9,
        but: None,
        cases: [
            Told(&[], "connect -b freebox vpn0 --read-only"),
            Told(&[], "connect -b ixon 'Press 7' --read-only"),
            Told(&[], "connect -b everyware gw-lyon-03 --read-only"),
        ],
    },
    Situation {
        name: "unknown target",
        exit: 6,
        but: None,
        cases: [
            Told(&[], "connect -b freebox nobody"),
            Told(&[], "connect -b ixon nobody"),
            Told(&[], "connect -b everyware nobody"),
        ],
    },
    Situation {
        name: "a name that several targets have",
        exit: 2,
        but: None,
        cases: [
            Never("the simulated box has no name twice"),
            Told(&[], "connect -b ixon Pump"),
            Told(&[], "connect -b everyware 'Lyon pumping station'"),
        ],
    },
    Situation {
        name: "the deadline passes while it is still connecting",
        exit: 8,
        but: None,
        cases: [
            Told(&[Before("disconnect -b freebox"), Fault("stays-going-up")], "connect -b freebox vpn0 --timeout 2s"),
            Told(&[Fault("never-connects")], "connect -b ixon 'Press 7' --timeout 2s"),
            Told(&[Fault("connect-never")], "connect -b everyware gw-lyon-03 --timeout 2s"),
        ],
    },
    Situation {
        name: "the deadline passes while it is waited for",
        exit: 8,
        but: None,
        cases: [
            Told(&[], "wait -b freebox vpn0 --for connected --timeout 2s"),
            Told(&[], "wait -b ixon --for connected --timeout 2s"),
            Told(&[], "wait -b everyware gw-lyon-03 --for connected --timeout 2s"),
        ],
    },
    Situation {
        name: "one of two can be read",
        exit: 10,
        but: None,
        cases: [
            Told(&[], "status -b freebox Downloads nobody"),
            Told(&[], "status -b ixon 'Press 7' nobody"),
            Told(&[], "status -b everyware gw-lyon-02 gw-turin-04"),
        ],
    },
    Situation {
        name: "the vendor can't do it",
        exit: 12,
        but: None,
        cases: [Told(&[], "settings show -b freebox"), Told(&[], "tunnel list -b ixon"), Told(&[], "log -b everyware")],
    },
    Situation {
        name: "the configuration is wrong",
        exit: 13,
        but: None,
        cases: [
            Told(&[Set("VPNCTL_BACKEND_FREEBOX_URL", "ftp://box")], "status -b freebox"),
            Told(&[Set("VPNCTL_BACKEND_IXON_URL", "ftp://here")], "status -b ixon"),
            Told(&[Set("VPNCTL_BACKEND_EVERYWARE_URL", "ftp://cloud")], "status -b everyware"),
        ],
    },
];

/// What a run came to.
struct Outcome {
    states: Vec<String>,
    code: Option<String>,
    exit: i32,
}

/// Provokes one case in a world of its own.
fn provoke(vendor: &str, steps: &[Step], line: &str) -> Outcome {
    let mut bench = Bench::new();
    let other;
    let mut config = bench.config();
    for step in steps {
        match step {
            Fault(fault) => bench.fault(vendor, fault),
            Before(line) => drop(bench.run(line).ends(0)),
            Set(name, value) => bench.set(name, *value),
            Without(parts) => config = bench.config_without(parts),
            OtherCa => {
                other = Bench::new();
                let backend = format!("VPNCTL_BACKEND_{}", vendor.to_uppercase());
                if vendor == "freebox" {
                    bench.set(&format!("{backend}_URL"), bench.url(vendor, "https"));
                }
                bench.set(&format!("{backend}_TLS_CA_FILE"), other.path("vpnctl.ca.pem").to_string_lossy());
                break;
            }
        }
    }
    let run = bench.run_by(&config, &format!("{line} -o json"));
    let code = (!run.stderr.is_empty()).then(|| run.error()["code"].as_str().unwrap().to_owned());
    Outcome { states: states(&run), code, exit: run.code }
}

/// Gives the states of the items, where there are items and they have one.
fn states(run: &Run) -> Vec<String> {
    let document: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    let items = document["items"].as_array().cloned().unwrap_or_default();
    let states = items.iter().filter_map(|item| item["state"].as_str().map(|state| format!("`{state}`")));
    // They come as they become known.
    states.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn cell(told: &Outcome) -> String {
    let states = if told.states.is_empty() { "–".to_owned() } else { told.states.join(", ") };
    let code = told.code.as_ref().map_or_else(|| "–".to_owned(), |code| format!("`{code}`"));
    format!("{states} · {code} · **{}**", told.exit)
}

/// Tells how a case is provoked.
fn how(steps: &[Step], line: &str) -> String {
    let mut told: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Fault(fault) => format!("fault `{fault}`"),
            Before(line) => format!("after `{line}`"),
            Set(name, value) => format!("`{name}={value}`"),
            Without(_) => "nothing to log in with in the configuration".to_owned(),
            OtherCa => "`tls.ca_file` of another CA".to_owned(),
        })
        .collect();
    told.insert(0, format!("`vpnctl {}`", line.replace('\'', "\"")));
    told.join(", ")
}

/// Runs a situation at every vendor, side by side, and gives its row and how it was provoked.
fn row(situation: &Situation) -> (String, String) {
    let told: Vec<(String, String)> = std::thread::scope(|scope| {
        let runs: Vec<_> = VENDORS
            .iter()
            .zip(&situation.cases)
            .map(|(vendor, case)| scope.spawn(move || one(situation, vendor, case)))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let cells: Vec<&str> = told.iter().map(|(cell, _)| cell.as_str()).collect();
    let how: Vec<String> = VENDORS.iter().zip(&told).map(|(vendor, (_, how))| format!("  - {vendor}: {how}")).collect();
    (format!("| {} | {} |", situation.name, cells.join(" | ")), format!("- {}\n{}", situation.name, how.join("\n")))
}

fn one(situation: &Situation, vendor: &str, case: &Case) -> (String, String) {
    match case {
        Never(why) => ("–".to_owned(), format!("not here: {why}")),
        Told(steps, line) => {
            let told = provoke(vendor, steps, line);
            let but = situation.but.filter(|(other, ..)| *other == vendor);
            let (wanted, why) = but.map_or((situation.exit, ""), |(_, exit, why)| (exit, why));
            assert_eq!(told.exit, wanted, "{} at {vendor}: {}", situation.name, cell(&told));
            let note = if why.is_empty() { String::new() } else { format!(" – {why}") };
            (cell(&told), how(steps, line) + &note)
        }
    }
}

#[test]
fn every_situation_has_one_code_and_the_page_tells_it() {
    let mut page = String::from(
        "# Situations and exit codes\n\nGenerated by `tests/cli/situations.rs`, which provokes each situation at the simulators, and held by it.\n\n\
        Each cell has the states of the items, the `code` of the error object and the exit code. A situation has the same exit\n\
        code whichever vendor it happens at, but for what is said below the table. What the codes mean: `vpnctl help exit-codes`, `vpnctl help errors`.\n\n\
        | situation | Freebox | IXON | Everyware Cloud |\n| --- | --- | --- | --- |\n",
    );
    let mut provoked = String::from("\n## How each was provoked\n\n");
    for situation in SITUATIONS {
        let (row, how) = row(situation);
        writeln!(page, "{row}").unwrap();
        writeln!(provoked, "{how}").unwrap();
    }
    page.push_str(&provoked);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert_eq!(committed, page, "run: UPDATE_DOCS=1 cargo test --test cli situations");
}

#[test]
fn every_exit_code_of_a_single_target_is_provoked_or_cannot_be() {
    // Of these, 1 is no situation but a fault of vpnctl's own, and signals and partial outcomes have tests of their own.
    let elsewhere = [1, 130, 143];
    for (_, number, name, _) in vpnctl::error::EXITS {
        let number = i32::from(number);
        let told = SITUATIONS.iter().any(|situation| situation.exit == number);
        assert!(told || elsewhere.contains(&number), "no situation ends with {number} ({name})");
    }
}
