//! One cell of the matrix: what is expected of a verb under a fault, and whether that is so.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::bench::{Bench, Run};
use crate::exceptions;
use crate::rows::{Disk, FAULTS, Fault, How, Leaf};
use crate::strangers::{self, Elsewhere};
use crate::verbs::{self, Kind, Verb};

/// A verb under a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) verb: &'static Verb,
    pub(crate) fault: &'static Fault,
}

/// How many requests a counterpart sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Exactly(usize),
    AtMost(usize),
}

impl Count {
    fn holds(self, count: usize) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::AtMost(most) => count <= most,
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// What a cell comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Told {
        code: &'static str,
        requests: Count,
        /// How many of them are writes, of a verb that writes.
        writes: Count,
    },
    /// It can't be, for a reason.
    Never(&'static str),
}

/// How often a reading that fails for a while is tried (contract section 6).
const TRIES: usize = 4;
/// How many looks a wait or the end of a change may take here.
const LOOKS: Count = Count::AtMost(60);
/// How many requests a reading may be that goes well, a login and a look-up included.
const FEW: Count = Count::AtMost(6);
/// How many requests a doctor makes of a vendor that is well, a login included.
const LAYERS: Count = Count::AtMost(8);
const NONE: Count = Count::Exactly(0);
const ONE: Count = Count::Exactly(1);

/// Gives the exit code that the contract (section 5) has for a code.
pub(crate) fn exit_of(code: &str) -> i32 {
    match code {
        "" => 0,
        "usage" => 2,
        "api.not_found" | "target.not_found" => 6,
        "tunnel.connect_failed" => 7,
        "auth.forbidden" => 11,
        "unsupported" => 12,
        "config.invalid" => 13,
        "device.offline" | "device.timeout" => 5,
        _ if code.starts_with("auth.") => 4,
        _ if code.starts_with("net.") || code.starts_with("http.") || code == "timeout.request" => 5,
        _ if code.starts_with("timeout.") => 8,
        _ if code.starts_with("conflict.") => 9,
        _ if code.starts_with("vendor.") => 14,
        _ => 1,
    }
}

impl Cell {
    /// Gives all cells.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let verbs = verbs::ALL.into_iter().flat_map(|(_, verbs)| verbs);
        verbs.flat_map(|verb| FAULTS.iter().map(move |fault| Self { verb, fault }))
    }

    pub(crate) fn title(&self) -> String {
        format!("{} · {} · {}", self.verb.vendor, self.verb.name, self.fault.name)
    }

    fn at_one_request(&self) -> bool {
        matches!(self.verb.kind, Kind::Write | Kind::Login)
    }

    /// Says why a fault can't meet a verb.
    fn impossible(&self) -> Option<&'static str> {
        let Self { verb, fault } = self;
        match fault.how {
            How::Socket(_) if verb.vendor != "ixon" => Some("no WebSocket"),
            How::Socket(_) if !matches!(verb.kind, Kind::Wait | Kind::Watch) => Some("it opens no WebSocket"),
            How::Own(_) if self.at_one_request() => Some("it meets the reading before, or the login itself"),
            How::Own([.., Ok("invalidate-tokens;refuse-login")]) if verb.vendor == "ixon" && !needs_token(verb) => {
                Some("it needs no token")
            }
            How::Own(own) => own[index(verb.vendor)].err(),
            How::NoName | How::Nobody | How::Certificate(_) | How::Pin if verb.kind == Kind::Write => {
                Some("no write is sent where nothing can be read before")
            }
            How::Simulator("reset") if self.at_one_request() || verb.kind == Kind::Logout => {
                Some("before the request is known; see hung up")
            }
            How::Clock(_) if !matches!(verb.kind, Kind::Wait | Kind::Write) => Some("it waits for nothing"),
            _ => None,
        }
    }

    /// Gives what is expected.
    pub(crate) fn truth(&self) -> Truth {
        if let Some(why) = self.impossible() {
            return Truth::Never(why);
        }
        let truth = self.of_row();
        let Some(exception) = exceptions::all().find(|exception| exception.is_of(self)) else { return truth };
        let Truth::Told { requests, writes, .. } = self.counted(exception.code) else { return truth };
        let (requests, writes) = (exception.count.unwrap_or(requests), exception.writes.unwrap_or(writes));
        Truth::Told { code: exception.code, requests, writes }
    }

    fn of_row(&self) -> Truth {
        let Self { verb, fault } = self;
        let code = match verb.kind {
            // What it waits for then is never true.
            Kind::Wait if fault.passes || matches!(fault.how, How::Clock(_)) => "timeout.deadline",
            Kind::Watch if fault.passes => "",
            Kind::Write => fault.write,
            Kind::Login => fault.login,
            // No state can be read that would show what became of it.
            Kind::Logout if fault.write.is_empty() && !fault.login.is_empty() => "timeout.unknown_outcome",
            Kind::Logout => fault.write,
            _ => fault.read,
        };
        self.counted(code)
    }

    fn counted(&self, code: &'static str) -> Truth {
        let Self { verb, fault } = self;
        let nobody = matches!(fault.how, How::NoName | How::Nobody | How::Certificate(_) | How::Pin);
        let state = matches!(fault.how, How::State(_));
        let reads = matches!(verb.kind, Kind::Read | Kind::Wait | Kind::Watch | Kind::Doctor);
        let waits = matches!(fault.how, How::Clock(_));
        let is_write = matches!(verb.kind, Kind::Write | Kind::Login | Kind::Logout);
        let requests = match verb.kind {
            _ if nobody => NONE,
            Kind::Logout => ONE,
            Kind::Doctor if state || code.is_empty() => LAYERS,
            _ if reads && (state || code.is_empty() && !fault.passes) && !waits => FEW,
            _ if state => LOOKS,
            Kind::Wait if fault.passes || matches!(fault.how, How::Clock(_)) => LOOKS,
            Kind::Write | Kind::Login => LOOKS,
            _ if code.is_empty() && !fault.passes => LOOKS,
            _ => self.reading(if fault.passes { TRIES } else { 1 }),
        };
        let writes = match verb.kind {
            _ if verb.write.is_empty() || nobody => NONE,
            _ if is_write => ONE,
            _ if code.is_empty() => Count::Exactly(verb.writes),
            _ => NONE,
        };
        Truth::Told { code, requests, writes }
    }

    /// Gives how many requests so many tries of a reading are.
    fn reading(&self, tries: usize) -> Count {
        let Verb { times, beside, .. } = self.verb;
        // What is asked side by side may end with the first that fails, and of what is slow an attempt may end before
        // it was a request.
        let exact = *times == 1 && *beside == 0 && !self.fault.is_silence;
        // A WebSocket that is lost is opened again while the reading is tried; how often depends on how long that takes.
        // Of two that are asked to pause at once one has lost no try by it.
        let free = if self.fault.name.starts_with("429") || self.fault.name.starts_with("503") { times - 1 } else { 0 };
        if exact { Count::Exactly(tries) } else { Count::AtMost(tries * (times + beside) + free) }
    }

    /// Tells whether the world is as before when it was played, so that another may be played in it.
    pub(crate) fn leaves_no_trace(&self) -> bool {
        let reads = matches!(self.verb.kind, Kind::Read | Kind::Wait | Kind::Watch | Kind::Doctor);
        reads && matches!(self.fault.how, How::Simulator(_))
    }

    /// Plays cells of one verb in one world, and tells what differs. Where they are several, they leave no trace.
    pub(crate) fn play(cells: &[Self]) -> Vec<String> {
        let mut bench = Bench::new(cells[0].verb.vendor);
        cells[0].prepare(&mut bench);
        bench.keep_state();
        let played = cells.iter().filter_map(|cell| {
            bench.heal();
            cell.play_in(&mut bench)
        });
        played.collect()
    }

    fn play_in(&self, bench: &mut Bench) -> Option<String> {
        let Truth::Told { code, requests, writes } = self.truth() else { return None };
        let Self { verb, fault } = self;
        let elsewhere =
            matches!(fault.how, How::Simulator(written) if written.contains("{stranger}")).then(Elsewhere::new);
        self.strike(bench, elsewhere.as_ref());
        let run = bench.run(&self.words());
        let asked = bench.asked();
        let all = if fault.how == How::Simulator("reset") { bench.connections() } else { asked.len() };
        let sent = asked.iter().filter(|line| !verb.write.is_empty() && line.starts_with(verb.write)).count();
        let mut wrong = String::new();
        let told = run.error().map_or_else(String::new, |error| error["code"].as_str().unwrap().to_owned());
        if (told.as_str(), run.exit) != (code, Some(exit_of(code))) {
            let _ = write!(wrong, " [`{told}` {:?}, not `{code}` {}]", run.exit, exit_of(code));
        }
        if !requests.holds(all) {
            let _ = write!(wrong, " [{all} requests, not {requests}]");
        }
        if !writes.holds(sent) {
            let _ = write!(wrong, " [{sent} writes, not {writes}]");
        }
        if elsewhere.is_some_and(|elsewhere| elsewhere.visitors() > 0) {
            wrong.push_str(" [the redirect was followed]");
        }
        if let How::Certificate(leaf) = fault.how
            && strangers::with(leaf).requests.load(Ordering::SeqCst) > 0
        {
            wrong.push_str(" [a stranger was sent something]");
        }
        let _ = write!(wrong, "{}", self.unsafe_output(bench, &run));
        (!wrong.is_empty()).then(|| {
            let said = run.error().map_or_else(String::new, |error| error["message"].to_string());
            format!("{}:{wrong} {said} {asked:?}", self.title())
        })
    }

    /// Brings the world to where the verb begins.
    fn prepare(&self, bench: &mut Bench) {
        let Self { verb, fault } = self;
        let secure = matches!(fault.how, How::Certificate(_) | How::Pin);
        if verb.vendor == "freebox" && secure {
            let running = &bench.world.running[0];
            let (url, ca) = (running.url("https").unwrap().to_owned(), bench.path("freebox.pem"));
            std::fs::write(&ca, running.ca_pem()).unwrap();
            bench.key("URL", &url);
            bench.key("TLS_CA_FILE", &ca.to_string_lossy());
        }
        if matches!(verb.kind, Kind::Login | Kind::Logout) {
            if verb.vendor == "freebox" && verb.kind == Kind::Login {
                bench.without(&["app_id", "app_token"]);
            }
            if verb.vendor == "ixon" {
                bench.without(&["token = {"]);
                bench.key("EMAIL", "demo@example.org");
            }
        }
        for line in verb.before {
            let run = bench.run(&line.split(' ').chain(["--interval", "20ms"]).collect::<Vec<_>>()[..words_of(line)]);
            assert_eq!(run.exit, Some(0), "{}: {line}: {}", self.title(), run.stderr);
        }
    }

    /// Brings the fault about.
    fn strike(&self, bench: &mut Bench, elsewhere: Option<&Elsewhere>) {
        let Self { verb, fault } = self;
        match fault.how {
            How::Simulator(written) => {
                let written = written.replace("{stranger}", elsewhere.map_or("", |elsewhere| &elsewhere.url));
                let at = format!("@{}", verb.write);
                bench.fault(&written.replace('@', if self.at_one_request() { &at } else { "" }));
            }
            How::Own(own) => own[index(verb.vendor)].unwrap().split(';').for_each(|fault| bench.fault(fault)),
            How::Socket(written) => bench.fault(written),
            // Longer than a label may be: the system tells without asking anybody.
            How::NoName => self.move_to(bench, &format!("http://{}.invalid", "x".repeat(64))),
            How::Nobody => self.move_to(bench, "http://127.0.0.1:1"),
            How::Certificate(leaf) => self.meet(bench, leaf),
            How::Pin => bench.key("TLS_PIN", &format!("sha256:{}", "0a".repeat(32))),
            How::State(disk) => spoil(bench, disk),
            How::Clock(seconds) => {
                bench.set("LD_PRELOAD", &crate::bench::clock().to_string_lossy());
                bench.set("CLOCK_JUMPS_BY", &seconds.to_string());
            }
        }
    }

    fn meet(&self, bench: &mut Bench, leaf: Leaf) {
        let stranger = strangers::with(leaf);
        let ca = bench.path("stranger.pem");
        std::fs::write(&ca, &stranger.ca).unwrap();
        bench.key("TLS_CA_FILE", &ca.to_string_lossy());
        self.move_to(bench, &format!("https://localhost:{}", stranger.port));
    }

    /// Lets the backend look for its server elsewhere; where the cloud is asked, for that.
    fn move_to(&self, bench: &mut Bench, url: &str) {
        bench.key("URL", url);
        if self.verb.vendor == "ixon" {
            bench.key("CLOUD_URL", &format!("{url}/api"));
        }
    }

    /// Tells what no run may write: a panic, a secret, or characters that drive a terminal.
    fn unsafe_output(&self, bench: &Bench, run: &Run) -> String {
        let mut wrong = String::new();
        // What `api` prints is the answer, untouched.
        let raw = self.verb.name == "api";
        for (stream, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            if text.contains("panicked") {
                let _ = write!(wrong, " [{stream} has a panic]");
            }
            if bench.secrets().iter().any(|secret| text.contains(secret.as_str())) {
                let _ = write!(wrong, " [{stream} has a secret]");
            }
            let drives =
                |c: char| c != '\n' && c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if let Some(c) = text.chars().find(|c| drives(*c)).filter(|_| !raw || stream == "stderr") {
                let _ = write!(wrong, " [{stream} has {c:?}]");
            }
        }
        let whole = run.stdout.is_empty() || serde_json::from_str::<serde_json::Value>(&run.stdout).is_ok();
        if !whole && !raw {
            wrong.push_str(" [stdout is no document]");
        }
        for told in ["can't be written", "is corrupt"] {
            // To say so is a doctor's task, beside what every command says.
            let once = if self.verb.kind == Kind::Doctor { 2 } else { 1 };
            if run.stderr.matches(told).count() > once {
                let _ = write!(wrong, " [`{told}` is told more than once]");
            }
        }
        wrong
    }

    fn words(&self) -> Vec<&'static str> {
        let Self { verb, fault } = self;
        let mut words: Vec<&str> = verb.line.split(' ').collect();
        let lasts = verb.kind == Kind::Wait && (fault.passes || matches!(fault.how, How::Clock(_)));
        if matches!(fault.how, How::Clock(_)) && lasts {
            words.pop();
            words.push("failed");
        }
        words.extend(["-o", "json"]);
        match verb.kind {
            Kind::Wait => words.extend(["--interval", "100ms"]),
            Kind::Change | Kind::Write if verb.name.contains("connect") => words.extend(["--interval", "50ms"]),
            _ => {}
        }
        let timeout = match verb.kind {
            _ if lasts => "2s",
            Kind::Write => "12s",
            _ => "40s",
        };
        words.extend(["--timeout", timeout]);
        words.extend(["--request-timeout", if fault.is_silence { "700ms" } else { "20s" }]);
        words
    }
}

fn needs_token(verb: &Verb) -> bool {
    matches!(verb.name, "list" | "connect" | "reconnect")
}

fn words_of(line: &str) -> usize {
    let changes = line.starts_with("connect") || line.starts_with("disconnect");
    line.split(' ').count() + if changes { 2 } else { 0 }
}

fn index(vendor: &str) -> usize {
    ["freebox", "ixon", "everyware"].iter().position(|known| *known == vendor).unwrap()
}

/// Spoils the state.
fn spoil(bench: &mut Bench, disk: Disk) {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, file) = (bench.path("state"), bench.state_file());
    let write = |bytes: &[u8]| {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(&file, bytes).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    match disk {
        Disk::Missing => {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
        }
        // Whoever runs this may be one whom no rights bind; what is below a file nobody can make.
        Disk::ReadOnly => {
            std::fs::write(bench.path("a-file"), "").unwrap();
            let below = bench.path("a-file").join("state");
            bench.set("VPNCTL_STATE_DIR", &below.to_string_lossy());
        }
        // No file may grow, and who tries is told so instead of being ended.
        Disk::Full => bench.wrap("trap '' XFSZ; ulimit -f 0"),
        Disk::Empty => write(b""),
        Disk::Random => write(&(0..2048_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>()),
        Disk::Newer => write(br#"{"version":999,"of_a_later_version":{"session":[1,2,3]}}"#),
    }
}
