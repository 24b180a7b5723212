//! What a person sees on a terminal: the binary runs on a real one, and what it writes is drawn as a terminal draws it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::bench::Bench;

/// How long a picture is waited for; nothing that works comes near.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal of a size, with a command on it.
pub(crate) struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    pub(crate) child: Child,
    pub(crate) keys: File,
}

impl Terminal {
    fn run(command: Command, rows: u16, columns: u16) -> Self {
        Self::start(command, rows, columns, false)
    }

    /// Runs a command that can be answered.
    pub(crate) fn with_person(command: Command) -> Self {
        Self::start(command, 40, 100, true)
    }

    fn start(mut command: Command, rows: u16, columns: u16, person: bool) -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let name = ptsname(&near, Vec::new()).unwrap();
        let far = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&far, size).unwrap();
        let stdin = if person { Stdio::from(far.try_clone().unwrap()) } else { Stdio::null() };
        command.stdin(stdin).stdout(far.try_clone().unwrap()).stderr(Stdio::from(far));
        let child = command.spawn().unwrap();
        // It holds the far end too, which would keep the terminal open after its end.
        drop(command);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (drawn, kept) = (Arc::clone(&screen), Arc::clone(&raw));
        let keys = File::from(near.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut near = File::from(near);
            let mut bytes = [0; 4096];
            // A terminal whose far end is closed can't be read any more.
            while let Ok(count) = near.read(&mut bytes) {
                if count == 0 {
                    break;
                }
                drawn.lock().unwrap().process(&bytes[..count]);
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { screen, raw, child, keys }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    fn picture(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the picture is as wanted.
    #[track_caller]
    pub(crate) fn shows(&self, wanted: impl Fn(&str) -> bool) -> String {
        let started = std::time::Instant::now();
        loop {
            let picture = self.picture();
            if wanted(&picture) {
                return picture;
            }
            assert!(started.elapsed() < PATIENCE, "the terminal shows\n{picture}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn ends(mut self) -> (i32, String, String) {
        let started = std::time::Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("it does not end; the terminal shows\n{}", self.picture());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // What was written last may still be on its way.
        std::thread::sleep(Duration::from_millis(100));
        let raw = String::from_utf8_lossy(&self.raw.lock().unwrap()).into_owned();
        (status.code().unwrap_or(-1), self.picture(), raw)
    }
}

pub(crate) fn command(bench: &Bench, line: &str) -> Command {
    let mut command = bench.command(line);
    command.env("TERM", "xterm-256color");
    command
}

#[test]
fn watch_draws_its_table_again_in_its_place() {
    let bench = Bench::new();
    let watch = command(&bench, "watch -b freebox -b ixon --interval 20ms --count 5");
    let terminal = Terminal::run(watch, 24, 120);
    let first = terminal.shows(|picture| picture.contains("Downloads") && picture.contains("ixon"));
    assert_eq!(first.lines().count(), 3, "{first}");
    assert!(first.starts_with("TIME "), "{first}");
    bench.run("connect -b ixon 'Press 7'").ends(0);
    let later =
        terminal.shows(|picture| !picture.contains("disconnected") && picture.matches(" connected").count() == 2);
    assert_eq!(later.matches("TIME ").count(), 1, "{later}");
    assert!(later.lines().count() <= 4, "there is a row for each target, and none of what was:\n{later}");
    bench.run("disconnect -b freebox").ends(0);
    let (code, last, raw) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    assert!(raw.matches("\u{1b}[J").count() >= 3, "it was not drawn again: {raw:?}");
    assert!(last.lines().any(|line| line.contains("freebox")), "the last picture stays:\n{last}");
}

#[test]
fn a_small_terminal_shows_what_fits() {
    let bench = Bench::with_devices(30);
    let terminal = Terminal::run(command(&bench, "watch -b everyware --interval 1h --duration 1s"), 6, 40);
    let picture = terminal.shows(|picture| picture.contains("more"));
    let (code, last, _) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    let lines: Vec<&str> = last.lines().collect();
    assert!(
        lines[0].starts_with("TIME"),
        "the header is still there, so nothing has left the screen:\n{picture}\n{last}"
    );
    assert!(lines.len() <= 5 && last.contains("… and "), "{last}");
}

#[test]
fn a_terminal_that_only_prints_gets_rows_and_no_sequences() {
    let bench = Bench::new();
    let mut watch = bench.command("watch -b freebox --count 1");
    watch.env("TERM", "dumb");
    let (code, picture, raw) = Terminal::run(watch, 24, 120).ends();
    assert_eq!(code, 0, "{picture}");
    assert!(picture.contains("Downloads") && !raw.contains('\u{1b}'), "{raw:?}");
}

#[test]
fn scripts_on_a_terminal_get_lines_all_the_same() {
    let bench = Bench::new();
    let (code, picture, raw) =
        Terminal::run(command(&bench, "watch -b freebox -o ndjson --fields state --count 1"), 24, 120).ends();
    assert_eq!(code, 0, "{picture}");
    assert!(raw.contains(r#"{"type":"event","state":"connected"}"#) && !raw.contains('\u{1b}'), "{raw:?}");
}

/// A fleet of which 12 devices are connected, and 8 are told so one after the other, slowly.
fn slow_fleet() -> Bench {
    let bench = Bench::with_devices(20);
    bench.fault("everyware", "all-online");
    bench.fault("everyware", "device-slow=150");
    bench
}

const SLOW: &str = "connect -b everyware 'gw-*' --yes --no-wait --jobs 1";

/// What is drawn of a bar, and nowhere else on these terminals.
const BAR: &str = "[====";

#[test]
fn what_takes_long_shows_how_far_it_is_and_leaves_nothing_behind() {
    let bench = slow_fleet();
    let terminal = Terminal::run(command(&bench, SLOW), 40, 100);
    let picture = terminal.shows(|picture| picture.contains(BAR));
    assert!(picture.lines().last().unwrap().contains(" of 20, "), "{picture}");
    assert!(picture.lines().next().unwrap().starts_with("connect 8 of the 20 targets"), "{picture}");
    let (code, last, _) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    assert!(!last.contains(BAR), "{last}");
    let lines: Vec<&str> = last.lines().collect();
    assert!(lines[1].starts_with("BACKEND ") && lines.len() == 22, "{last}");
}

#[test]
fn a_bar_tears_no_row_and_no_warning() {
    let bench = slow_fleet();
    let line = format!("{SLOW} --batch 2 -v -o csv --fields target.name,changed");
    let terminal = Terminal::run(command(&bench, &line), 40, 100);
    terminal.shows(|picture| picture.contains(BAR));
    let (code, last, _) = terminal.ends();
    assert_eq!(code, 0, "{last}");
    let lines: Vec<&str> = last.lines().collect();
    let rows: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("gw-")).collect();
    assert_eq!(rows.iter().filter(|row| row.len() == "gw-000001,true".len()).count(), 8, "{last}");
    assert_eq!(rows.iter().filter(|row| row.len() == "gw-000001,false".len()).count(), 12, "{last}");
    let told = |line: &&&str| line.starts_with("info: batch ") && line.ends_with(" of 4: 2 targets");
    assert_eq!(lines.iter().filter(told).count(), 4, "{last}");
    // The plan, the header, and nothing else.
    assert_eq!(lines.len(), 26, "{last}");
}

#[test]
fn a_signal_takes_the_bar_away() {
    let bench = slow_fleet();
    let terminal = Terminal::run(command(&bench, SLOW), 40, 100);
    terminal.shows(|picture| picture.contains(BAR));
    crate::signals::send("INT", &terminal.child);
    let (code, last, _) = terminal.ends();
    assert_eq!(code, 130, "{last}");
    assert!(!last.contains(BAR) && last.contains("error: interrupted"), "{last}");
}

#[test]
fn no_bar_is_drawn_where_nobody_would_see_it_or_wants_it() {
    let bench = slow_fleet();
    // Nothing but the plan where it is no terminal.
    let run = bench.run(SLOW).ends(0);
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    bench.run("disconnect -b everyware --no-wait 'gw-*' --yes").ends(0);
    let (code, picture, raw) = Terminal::run(command(&bench, &format!("{SLOW} -q")), 40, 100).ends();
    assert!(code == 0 && !raw.contains(BAR), "{picture}");
    bench.run("disconnect -b everyware --no-wait 'gw-*' --yes").ends(0);
    let mut dumb = command(&bench, SLOW);
    dumb.env("TERM", "dumb");
    let (code, picture, raw) = Terminal::run(dumb, 40, 100).ends();
    assert!(code == 0 && !raw.contains(BAR) && !raw.contains('\u{1b}'), "{picture}");
}

#[test]
fn a_mass_change_is_asked_about_with_how_many_it_changes() {
    let bench = Bench::with_devices(20);
    bench.fault("everyware", "all-online");
    let line = "connect -b everyware 'gw-*'";
    for (answer, code, writes) in [("\n", 2, 0), ("n\n", 2, 0), ("y\n", 0, 8)] {
        let mut terminal = Terminal::with_person(command(&bench, line));
        let picture = terminal.shows(|picture| picture.contains("connect 8 targets? [y/N]"));
        assert!(picture.starts_with("connect 8 of the 20 targets of everyware: gw-000013, "), "{picture}");
        terminal.types(answer);
        let (ended, last, _) = terminal.ends();
        assert_eq!(ended, code, "{last}");
        assert_eq!(last.contains("not confirmed; nothing was changed"), code == 2, "{last}");
        assert_eq!(bench.count("everyware", "POST /v1/_/devices/"), writes, "{last}");
    }
    // Nothing is left to be asked about; and nobody is asked who wants none of it.
    let (code, last, raw) = Terminal::with_person(command(&bench, line)).ends();
    assert!(code == 0 && !raw.contains("[y/N]"), "{last}");
    let refused = Terminal::with_person(command(&bench, "disconnect -b everyware 'gw-*' --no-input")).ends();
    assert!(refused.0 == 2 && !refused.2.contains("[y/N]"), "{}", refused.1);
}

#[test]
fn a_question_is_ended_by_a_signal_and_nothing_is_changed() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let bench = Bench::with_devices(20);
        bench.fault("everyware", "all-online");
        for (vendor, line) in [
            ("everyware", "connect -b everyware 'gw-*' -q"),
            ("freebox", "tunnel rm -b freebox vpn0"),
            ("ixon", "settings reset -b ixon"),
        ] {
            let mut terminal = Terminal::with_person(command(&bench, line));
            let picture = terminal.shows(|picture| picture.contains("? [y/N]"));
            // Who is asked sees about what, however quiet it is to be.
            assert_eq!(picture.starts_with("connect 8 of the 20 targets"), vendor == "everyware", "{picture}");
            bench.requests();
            crate::signals::send(signal, &terminal.child);
            terminal.shows(|picture| picture.contains("error: interrupted; nothing was changed"));
            terminal.types("y\n");
            let (ended, last, _) = terminal.ends();
            assert_eq!((ended, bench.requests()), (code, 0), "{line}: {last}");
        }
    }
}

/// Takes out what vpnctl itself tells a terminal: colours, and drawing a table or a bar again.
fn without_own_sequences(raw: &str) -> String {
    let mut rest = raw;
    let mut left = String::new();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        left.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
        let (sequence, tail) = after.split_at(end);
        let own = tail.starts_with(['m', 'A', 'K']) || (sequence.is_empty() && tail.starts_with('J'));
        assert!(own, "{sequence}{tail:.20}");
        rest = &tail[1..];
    }
    left + rest
}

#[test]
fn what_strangers_wrote_is_only_shown() {
    let stranger = crate::planted::strangers();
    for line in [
        "list -A --color always",
        "status -A --color always",
        "check -A",
        "watch -A --count 3 --interval 1s",
        "log -b freebox",
        "tunnel show -b freebox --id vpn0",
        "settings show -b ixon",
        "api GET vpn_client/log -b freebox",
        "status -b freebox -o json --native",
    ] {
        let mut command = stranger.command(&stranger.config(), line);
        command.env("TERM", "xterm-256color");
        let (_, _, raw) = Terminal::run(command, 40, 200).ends();
        let left = without_own_sequences(&raw);
        let wild: Vec<char> = left.chars().filter(|c| crate::hostile::drives(*c) && !"\r\n\t".contains(*c)).collect();
        assert!(wild.is_empty() && left.len() > 200, "{line}: {wild:?} in {left:.2000}");
        let has_lines = line.starts_with("log") || line.starts_with("api");
        assert!(has_lines || !left.contains("\nerror: forged"), "{line}: {left:.2000}");
    }
}

#[test]
fn a_plan_and_its_question_show_what_strangers_wrote_and_do_nothing_of_it() {
    let stranger = crate::planted::strangers();
    let mut command = stranger.command(&stranger.config(), "disconnect -b everyware '*'");
    command.env("TERM", "xterm-256color");
    let mut terminal = Terminal::with_person(command);
    terminal.shows(|picture| picture.contains("[y/N]"));
    stranger.asked();
    terminal.types("n\n");
    let (code, _, raw) = terminal.ends();
    assert_eq!(code, 2, "{raw}");
    let left = without_own_sequences(&raw);
    let wild: Vec<char> = left.chars().filter(|c| crate::hostile::drives(*c) && !"\r\n".contains(*c)).collect();
    assert!(wild.is_empty() && left.contains("owned"), "{wild:?} in {left}");
    assert_eq!(stranger.asked(), Vec::<String>::new());
}

#[test]
fn what_doctor_finds_is_not_said_again_below_it_on_the_same_screen() {
    let bench = Bench::with_faults(&["freebox:no-settings-right"]);
    let (code, screen, _) = Terminal::run(command(&bench, "doctor freebox"), 50, 200).ends();
    assert_eq!(code, 11, "{screen}");
    assert_eq!(screen.matches("the right `settings` is missing").count(), 1, "{screen}");
    assert!(screen.contains("error: 1 of 11 failed"), "{screen}");
}
