//! Who is asked for a secret: what is typed is not shown, and a signal ends it with the terminal as it was.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, tcgetattr};

use crate::bench::Bench;
use crate::run::Run;
use crate::signals::send;
use crate::terminal::{Terminal, command};

const PASSWORD: &str = "demo:pässword>>?~";

/// A bench whose IXON login asks for a password.
fn asking() -> Bench {
    let mut bench = Bench::new();
    let text = bench.config_without(&["ixon-token"]);
    bench.write("vpnctl.toml", &text);
    bench.set("VPNCTL_BACKEND_IXON_EMAIL", "demo@example.org");
    bench
}

fn shows_keys(terminal: &Terminal) -> bool {
    tcgetattr(&terminal.keys).unwrap().local_modes.contains(LocalModes::ECHO)
}

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let bench = asking();
    let mut terminal = Terminal::with_person(command(&bench, "auth login -b ixon"));
    terminal.shows(|picture| picture.contains("Password of demo@example.org at the IXON cloud: "));
    assert!(!shows_keys(&terminal));
    // What is typed is edited by the terminal: ^U takes the line away.
    terminal.types(&format!("oops\u{15}{PASSWORD}\n"));
    let keys = terminal.keys.try_clone().unwrap();
    let (code, last, raw) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    assert!(tcgetattr(&keys).unwrap().local_modes.contains(LocalModes::ECHO));
    assert!(!raw.contains("word>>") && !raw.contains("oops"), "{raw}");
    assert_eq!(bench.count("ixon", "POST /api/access-tokens"), 1);
}

#[test]
fn nothing_typed_is_nothing_sent() {
    let bench = asking();
    let mut terminal = Terminal::with_person(command(&bench, "auth login -b ixon"));
    terminal.shows(|picture| picture.contains("Password of"));
    terminal.types("\n");
    let (code, last, _) = terminal.ends();
    assert!(code == 2 && last.contains("nothing was typed"), "{last}");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_prompt_is_ended_by_a_signal_and_the_terminal_shows_keys_again() {
    for (line, prompt) in [
        ("auth login -b ixon", "Password of demo"),
        ("tunnel add -b freebox --type pptp --name Lyon --host vpn.example.org --username me", "Password for the VPN"),
    ] {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let bench = asking();
            let terminal = Terminal::with_person(command(&bench, line));
            terminal.shows(|picture| picture.contains(prompt));
            assert!(!shows_keys(&terminal), "{line}");
            send(signal, &terminal.child);
            let keys = terminal.keys.try_clone().unwrap();
            let (ended, last, _) = terminal.ends();
            assert_eq!(ended, code, "{line}: {last}");
            assert!(last.contains("error: interrupted"), "{last}");
            assert!(tcgetattr(&keys).unwrap().local_modes.contains(LocalModes::ECHO), "{line}: it stays dark");
        }
    }
}

#[test]
fn a_secret_that_does_not_come_by_standard_input_is_ended_by_a_signal() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let bench = asking();
        let mut child = bench.command("auth login -b ixon --password-stdin");
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let silent = child.stdin.take();
        until_it_listens(&child);
        send(signal, &child);
        Run::end_of(child, signal.to_owned()).ends(code).tells("interrupted");
        drop(silent);
        assert_eq!(bench.requests(), 0);
    }
}

/// Waits until a process catches SIGTERM, which is told by the system.
fn until_it_listens(child: &Child) {
    let started = Instant::now();
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim).unwrap_or("0");
        u64::from_str_radix(mask, 16).unwrap() & (1 << (15 - 1)) != 0
    };
    if !cfg!(target_os = "linux") {
        std::thread::sleep(Duration::from_secs(3));
        return;
    }
    while !caught() {
        assert!(started.elapsed() < Duration::from_secs(60), "it catches no signal");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_command_that_gives_a_secret_is_ended_with_what_waits_for_it() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let bench = Bench::new();
        let (began, ended) = (bench.path("began"), bench.path("ended"));
        let script =
            format!("trap ': > {}; exit' TERM; : > {}; while :; do sleep 0.02; done", ended.display(), began.display());
        let text = bench.config();
        let secret = text.lines().find(|line| line.starts_with("password = ")).unwrap();
        let config = text.replace(secret, &format!("password = {{ command = [\"sh\", \"-c\", \"{script}\"] }}"));
        bench.write("vpnctl.toml", &config);
        let mut command = bench.command("status -b everyware");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&began);
        send(signal, &child);
        Run::end_of(child, signal.to_owned()).ends(code).tells("interrupted");
        wait_for(&ended);
        assert_eq!(bench.requests(), 0);
    }
}

#[test]
fn a_file_to_import_that_is_a_pipe_is_waited_for_no_longer_than_the_command_may_take() {
    let bench = Bench::new();
    let pipe = |name: &str| pipe(&bench, name);
    let silent = pipe("silent.conf");
    let run = bench.run(&format!("tunnel import {} -b freebox --timeout 300ms -o json", silent.display())).ends(8);
    assert!(run.fails("timeout.deadline")["message"].as_str().unwrap().contains("silent.conf"), "{run}");
    // Beside the file is a file, or nothing.
    pipe("ca.pem");
    let file = bench.write("office.ovpn", "client\nremote vpn.example.org 1194\nca ca.pem\n");
    bench.run(&format!("tunnel import {} -b freebox", file.display())).ends(2).tells("it is no file");
    assert_eq!(bench.requests(), 0);
    // What somebody writes is taken.
    let spoken = pipe("lyon.conf");
    let text = "[Interface]\nPrivateKey = TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=\nAddress = 10.8.0.2/32\n\n[Peer]\n\
                PublicKey = QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=\nEndpoint = 192.0.2.1:51820\n\
                AllowedIPs = 0.0.0.0/0\n";
    let child = bench.start(&format!("tunnel import {} -b freebox", spoken.display()));
    std::fs::write(&spoken, text).unwrap();
    Run::end_of(child, "import".to_owned()).ends(0);
}

fn pipe(bench: &Bench, name: &str) -> std::path::PathBuf {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let path = bench.path(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    path
}

#[test]
fn a_document_or_a_configuration_that_is_a_pipe_is_waited_for_no_longer_than_the_command_may_take() {
    let bench = Bench::new();
    let (silent, spoken) = (pipe(&bench, "silent"), pipe(&bench, "spoken"));
    for line in [
        "tunnel edit vpn2 -b freebox --from-json silent",
        "tunnel add -b freebox --name x --from-json silent",
        "api -b freebox PUT vpn_client/config/vpn2 --data @silent",
        "status -b freebox --config silent",
        "config validate --config silent",
        "doctor --config silent",
        "status -b everyware --targets-from silent",
        "connect -b everyware --yes --targets-from silent",
    ] {
        let run = bench.run(&format!("{line} --timeout 300ms -o json").replace("silent", &silent.to_string_lossy()));
        let error = run.ends(8).fails("timeout.deadline");
        assert!(error["message"].as_str().unwrap().contains("silent"), "{line}: {error}");
    }
    assert_eq!(bench.requests(), 0);
    // What somebody writes is taken, as of `--from-json <(command)`.
    for (line, text) in [
        ("tunnel edit vpn2 -b freebox --from-json spoken", "{\"mtu\": 1300}"),
        ("api -b freebox PUT vpn_client/config/vpn2 --data @spoken", "{\"description\": \"Lyon\"}"),
        ("status -b freebox --config spoken", &bench.config()),
    ] {
        let child = bench.start(&line.replace("spoken", &spoken.to_string_lossy()));
        std::fs::write(&spoken, text).unwrap();
        Run::end_of(child, line.to_owned()).ends(0);
    }
    let run = bench.run_with("tunnel edit vpn2 -b freebox --from-json /dev/stdin", "{\"mtu\": 1310}").ends(0);
    assert_eq!(
        bench.run("tunnel show vpn2 -b freebox -o json").item()["config"]["conf_wireguard"]["mtu"],
        1310,
        "{run}"
    );
}

#[test]
fn an_authority_that_is_no_file_is_not_waited_for() {
    let bench = Bench::new();
    let silent = pipe(&bench, "ca.pem");
    for place in [silent.to_str().unwrap(), "/dev/zero"] {
        let mut command = bench.command("status -b freebox -o json");
        command.env("VPNCTL_BACKEND_FREEBOX_URL", "https://127.0.0.1:1");
        command.env("VPNCTL_BACKEND_FREEBOX_TLS_CA_FILE", place);
        let error = Run::of(command, "").ends(13).fails("config.invalid");
        assert!(error["message"].as_str().unwrap().contains("is no file"), "{place}: {error}");
    }
}

fn wait_for(path: &std::path::Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}
