//! A canary in every place of a secret, in as many disguises as a stream may give it: none is told, and none is kept but
//! where it belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};
use vpnctl::simulate::everyware;

use crate::bench::Bench;
use crate::run::Run;

const FORMATS: [&str; 8] = ["table", "wide", "json", "ndjson", "yaml", "csv", "tsv", "value"];
const VOICES: [&str; 6] = ["", "-q", "-v", "-vvv", "-vvvv", "-vvvv --log-format json"];

/// What somebody has put into the environment for other programs.
const PROXY: &str = "http://somebody:canary%2Fproxy-5d1f@127.0.0.1:9";

/// Secrets by what they are, in every form in which a stream may hold one.
#[derive(Default)]
struct Canaries(BTreeMap<String, String>);

impl Canaries {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be told from a word");
        for form in forms(secret) {
            self.0.insert(form, what.to_owned());
        }
    }

    #[track_caller]
    fn are_not_in(&self, text: &str, place: &str) {
        for (form, what) in &self.0 {
            assert!(!text.contains(form.as_str()), "{what} is told ({form}) by {place}:\n{text}");
        }
    }

    fn is_in(&self, text: &str) -> bool {
        self.0.keys().any(|form| text.contains(form.as_str()))
    }
}

fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    let json = Value::from(secret).to_string();
    forms.insert(json.trim_matches('"').to_owned());
    forms.insert(secret.replace('/', "\\/"));
    forms.insert(format!("{secret:?}").trim_matches('"').to_owned());
    for lower in [false, true] {
        for kept in [&b"-._~"[..], b""] {
            let percent = secret.bytes().fold(String::new(), |mut text, byte| {
                let plain = byte.is_ascii_alphanumeric() || kept.contains(&byte);
                let _ = match (plain, lower) {
                    (true, _) => write!(text, "{}", char::from(byte)),
                    (_, true) => write!(text, "%{byte:02x}"),
                    (_, false) => write!(text, "%{byte:02X}"),
                };
                text
            });
            forms.insert(percent.replace("%20", "+"));
            forms.insert(percent);
        }
    }
    // Wherever it stands in what was encoded, all but its ends is the same.
    for before in 0..3 {
        let text = [&vec![b'x'; before][..], secret.as_bytes()].concat();
        let whole = text.len() / 3 * 3;
        for engine in [&STANDARD, &URL_SAFE] {
            forms.insert(engine.encode(&text[..whole])[if before == 0 { 0 } else { 4 }..].to_owned());
        }
    }
    forms.into_iter().filter(|form| form.len() >= 6).collect()
}

/// Collects what the state remembers as secret as what it was made from.
fn learn(bench: &Bench, canaries: &mut Canaries) {
    for vendor in ["freebox", "ixon", "everyware"] {
        let Ok(text) = std::fs::read_to_string(bench.state().join(format!("{vendor}.json"))) else { continue };
        let document: Value = serde_json::from_str(&text).unwrap();
        for place in [
            "/session/token",
            "/token/token",
            "/token/refresh",
            "/token/secret",
            "/app_token",
            "/api_key",
            "/trust_key",
        ] {
            if let Some(secret) = document.pointer(place).and_then(Value::as_str) {
                canaries.add(place, secret);
            }
        }
    }
}

fn run(bench: &Bench, line: &str, stdin: &str) -> Run {
    let mut command = bench.command(line);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, PROXY);
    }
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    Run::of(command, stdin)
}

/// Each verb, with what it is given by standard input.
const VERBS: &[(&str, &str)] = &[
    ("status -A --native", ""),
    ("list -A", ""),
    ("list -A --native", ""),
    ("connect -b freebox vpn0 --switch --no-wait", ""),
    ("connect -b ixon 'Press 7' --no-wait", ""),
    ("connect -b everyware gw-lyon-03 --no-wait", ""),
    ("disconnect -b ixon --no-wait", ""),
    ("reconnect -b everyware gw-lyon-03 --no-wait", ""),
    ("disconnect -A --dry-run", ""),
    ("wait -b freebox vpn1 --for connected,disconnected,connecting", ""),
    ("watch -b freebox --count 1", ""),
    ("check -A", ""),
    ("with freebox/vpn0 --switch -- true", ""),
    ("log -b freebox", ""),
    (
        "tunnel add -b freebox --type pptp --name Added --host vpn.example.org --username me --password-stdin",
        "canary\"pptp/4711\n",
    ),
    ("tunnel edit -b freebox Added --password-file canary.password", ""),
    ("tunnel edit -b freebox Added --from-json canary.json", ""),
    ("tunnel import -b freebox canary.conf", ""),
    ("tunnel import -b freebox canary.ovpn --username me --password-stdin", "canary\"ovpn/4712\n"),
    ("tunnel import -b freebox canary.conf --name Dry --dry-run", ""),
    ("tunnel list -b freebox", ""),
    ("tunnel show -b freebox 'can*' Added --native", ""),
    ("tunnel show -b freebox 'can*' Added", ""),
    ("tunnel rm -b freebox 'can*' Added --yes", ""),
    ("settings show -b ixon", ""),
    ("settings set -b ixon simulatedProxyServer=proxy.example.org --yes", ""),
    ("settings reset -b ixon --yes", ""),
    ("auth login -b freebox", ""),
    ("auth login -b ixon", ""),
    ("auth login -b everyware --api-key-stdin", "simulate/00+loopback+only/not+a+secret+0\n"),
    ("auth login -b everyware --api-key-stdin", "canary/key+that+is+none/0\n"),
    ("auth status -A", ""),
    ("auth logout -b everyware", ""),
    ("trust show -A", ""),
    ("api GET /vpn_client/status -b freebox", ""),
    ("api GET /nowhere -b freebox", ""),
    ("api GET /_/devices -b everyware", ""),
    ("api GET status -b ixon", ""),
    ("backends", ""),
    ("backends --matrix", ""),
    ("config show", ""),
    ("config validate", ""),
    ("doctor", ""),
    ("doctor --bundle bundle.txt", ""),
    ("status -b nobody", ""),
    ("status --nonsense", ""),
];

/// Puts canaries into the files that tunnels are made of.
fn plant_tunnels(bench: &Bench, canaries: &mut Canaries) {
    let keys: Vec<String> = (0..2).map(|n| STANDARD.encode(format!("canary of wireguard no. {n:08}"))).collect();
    let public = STANDARD.encode("this is the key of the other end");
    let conf = format!(
        "[Interface]\nPrivateKey = {}\nAddress = 10.0.0.2/32\n\n[Peer]\nPublicKey = {public}\nPresharedKey = {}\n\
         Endpoint = 192.0.2.1:51820\nAllowedIPs = 0.0.0.0/0\n",
        keys[0], keys[1]
    );
    bench.write("canary.conf", &conf);
    let secret = "Y2FuYXJ5IG9mIGFuIG9wZW52cG4ga2V5IHRoYXQgaXMgbm9uZQ==";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----");
    let ovpn = format!("client\ndev tun\nproto udp\nremote 192.0.2.1 1194\nauth-user-pass\n<key>\n{key}\n</key>\n");
    bench.write("canary.ovpn", &ovpn);
    bench.write("canary.password", "canary\"file/4713\n");
    bench.write("canary.json", &json!({"conf_pptp": {"password": "canary\"json/4714"}}).to_string());
    for (what, secret) in [
        ("the private key", keys[0].as_str()),
        ("the preshared key", &keys[1]),
        ("the OpenVPN key", secret),
        ("the PPTP password", "canary\"pptp/4711"),
        ("the OpenVPN password", "canary\"ovpn/4712"),
        ("the password in a file", "canary\"file/4713"),
        ("the password in a document", "canary\"json/4714"),
        ("a tunnel's password", "office-secret"),
        ("another tunnel's password", "downloads-secret"),
        ("the proxy's password", "canary/proxy-5d1f"),
        ("the API key", everyware::API_KEY),
        ("a wrong API key", "canary/key+that+is+none/0"),
    ] {
        canaries.add(what, secret);
    }
}

/// Runs every verb, each time in another format and as loud as before or louder.
fn run_all(bench: &Bench, canaries: &mut Canaries, rounds: usize) -> String {
    let mut heard = String::new();
    for round in 0..rounds {
        for (at, (verb, stdin)) in VERBS.iter().enumerate() {
            let turn = at + round * 5;
            // The loudest of the first round, so that each is heard so once.
            let voice = VOICES[if round == 0 { 4 + at % 2 } else { turn % VOICES.len() }];
            let format = FORMATS[turn % FORMATS.len()];
            let (own, rest) =
                verb.split_once(" -- ").map_or((*verb, String::new()), |(own, rest)| (own, format!(" -- {rest}")));
            let line = format!("{own} -o {format} {voice} --timeout 5s{rest}");
            let told = run(bench, &line, stdin);
            learn(bench, canaries);
            canaries.are_not_in(&format!("{}\n{}", told.stdout, told.stderr), &line);
            heard.push_str(&told.to_string());
        }
    }
    heard
}

/// Holds every file to hold no canary, but those that were given and those that may.
fn hold_files(bench: &Bench, canaries: &Canaries, given: &[PathBuf]) {
    for path in all_files(bench.folder.path()) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        if given.contains(&path) || !canaries.is_in(&text) {
            continue;
        }
        let allowed = ["freebox.json", "ixon.json", "everyware.json"].map(|name| bench.state().join(name));
        assert!(allowed.contains(&path), "{} holds a secret: {text}", path.display());
        #[cfg(unix)]
        assert_eq!(crate::bench::mode(&path), 0o600, "{}", path.display());
    }
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[test]
fn no_verb_tells_a_secret_in_any_format_however_loud() {
    let bench = Bench::new();
    let mut canaries = Canaries::default();
    for name in ["freebox-app-token", "ixon-token", "everyware-password"] {
        canaries.add(name, &bench.secret(name));
    }
    plant_tunnels(&bench, &mut canaries);
    let given = all_files(bench.folder.path());
    let heard = run_all(&bench, &mut canaries, 3);
    for word in ["POST /v1/authentication", "\"level\":\"DEBUG\"", "***"] {
        assert!(heard.contains(word), "{word} is not heard, so it was not loud or showed nothing");
    }
    assert!(canaries.0.values().any(|what| what == "/session/token"), "the state is known to hold secrets");
    hold_files(&bench, &canaries, &given);
}

#[test]
fn a_secret_from_anywhere_is_told_nowhere() {
    for way in ["written", "variable", "env", "command"] {
        let mut bench = Bench::new();
        let mut canaries = Canaries::default();
        let mut config = bench.config();
        for (name, key, backend) in [
            ("freebox-app-token", "app_token", "FREEBOX"),
            ("ixon-token", "token", "IXON"),
            ("everyware-password", "password", "EVERYWARE"),
        ] {
            let secret = bench.secret(name);
            canaries.add(name, &secret);
            let line = config.lines().find(|line| line.contains(name)).unwrap().to_owned();
            let file = bench.path(&format!("vpnctl.{name}")).display().to_string();
            let instead = match way {
                "written" => format!("{key} = {}", Value::from(secret.as_str())),
                "variable" => {
                    bench.set(&format!("VPNCTL_BACKEND_{backend}_{}", key.to_uppercase()), &secret);
                    String::new()
                }
                "env" => {
                    bench.set(&format!("OF_{backend}"), &secret);
                    format!("{key} = {{ env = \"OF_{backend}\" }}")
                }
                _ => format!("{key} = {{ command = [\"cat\", \"{file}\"] }}"),
            };
            config = config.replace(&line, &instead);
        }
        bench.write("vpnctl.toml", &config);
        let given = all_files(bench.folder.path());
        for (at, line) in
            ["status -A", "list -A", "auth login -A", "auth status -A", "config show", "backends"].iter().enumerate()
        {
            let line = format!("{line} -o {} {}", FORMATS[at], VOICES[4 + at % 2]);
            let told = run(&bench, &line, "").ends(0);
            learn(&bench, &mut canaries);
            canaries.are_not_in(&format!("{}\n{}", told.stdout, told.stderr), &format!("{way}: {line}"));
        }
        // Of the configuration nothing is copied; what was made of it is kept where it belongs.
        hold_files(&bench, &canaries, &given);
    }
}

#[test]
fn a_one_time_code_and_what_it_makes_are_told_nowhere() {
    let mut bench = Bench::new();
    bench.write("vpnctl.toml", &bench.config_without(&["everyware-password"]));
    bench.set("VPNCTL_BACKEND_EVERYWARE_USERNAME", everyware::MFA_USERNAME);
    let mut canaries = Canaries::default();
    canaries.add("the password", everyware::MFA_PASSWORD);
    let given = all_files(bench.folder.path());
    let code = "60719482";
    canaries.add("the code", code);
    let wrong = format!("{}\n{code}\n", everyware::MFA_PASSWORD);
    let line = "auth login -b everyware --password-stdin --otp-stdin -vvvv";
    let told = run(&bench, line, &wrong).ends(4);
    canaries.are_not_in(&told.to_string(), line);
    let right = format!("{}\n{}\n", everyware::MFA_PASSWORD, everyware::MFA_CODE);
    let told = run(&bench, &format!("{line} -o json"), &right).ends(0);
    learn(&bench, &mut canaries);
    assert!(canaries.0.values().any(|what| what == "/trust_key"), "this computer is trusted by now");
    canaries.are_not_in(&told.to_string(), line);
    let told = run(&bench, "status -b everyware -vvvv --native -o json", "").ends(0);
    canaries.are_not_in(&told.to_string(), "status");
    hold_files(&bench, &canaries, &given);
}

#[test]
fn no_fault_makes_a_secret_heard() {
    let bench = Bench::new();
    let mut canaries = Canaries::default();
    for name in ["freebox-app-token", "ixon-token", "everyware-password"] {
        canaries.add(name, &bench.secret(name));
    }
    let given = all_files(bench.folder.path());
    let faults = [
        (
            "freebox",
            "status -b freebox",
            ["expire-sessions", "invalid-token", "not-json", "body=[1", "http-status=403"],
        ),
        (
            "everyware",
            "status -b everyware",
            ["invalidate-tokens", "empty-401", "not-json", "body={\"a\"", "http-status=401"],
        ),
        ("ixon", "list -b ixon", ["token-expired", "otp-needed", "not-json", "body=null", "http-status=401"]),
    ];
    for (vendor, verb, faults) in faults {
        for (at, fault) in faults.iter().enumerate() {
            for (turn, verb) in
                [verb, &format!("auth login -b {vendor}"), "connect -A --switch --yes --no-wait '*'"].iter().enumerate()
            {
                bench.fault(vendor, fault);
                let line = format!("{verb} -o {} {} --timeout 1s", FORMATS[(at + turn) % 8], VOICES[4 + turn % 2]);
                let told = run(&bench, &line, "");
                learn(&bench, &mut canaries);
                canaries.are_not_in(&format!("{}\n{}", told.stdout, told.stderr), &format!("{fault}: {line}"));
                bench.context(vendor).faults.clear_all();
            }
        }
    }
    hold_files(&bench, &canaries, &given);
}

/// A server that gives back what it was sent, wherever an answer has room for it.
struct Echo {
    url: String,
    heard: Arc<Mutex<String>>,
    status: Arc<Mutex<u16>>,
}

/// What the echoing server gives to who logs in.
const GIVEN: [&str; 3] = ["canary/session+7701", "canary/bearer+7702", "canary/refresh+7703"];

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, status) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(400)));
        let (all, code) = (Arc::clone(&heard), Arc::clone(&status));
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, code) = (Arc::clone(&all), *code.lock().unwrap());
                // Who goes away in the middle wants no answer.
                std::thread::spawn(move || answer(stream.unwrap(), &all, code).unwrap_or_default());
            }
        });
        Self { url, heard, status }
    }
}

fn answer(mut stream: TcpStream, heard: &Mutex<String>, code: u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    heard.lock().unwrap().push_str(&format!("{head}\n{body}\n"));
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let [session, bearer, refresh] = GIVEN;
    let good = if path.ends_with("api_version") {
        Some(
            json!({"uid": "u", "device_name": "box", "api_version": "8.0", "api_base_url": "/api/", "https_available": false}),
        )
    } else if head.starts_with("GET") && path.ends_with("/login/") {
        Some(json!({"success": true, "result": {"logged_in": false, "challenge": "abc"}}))
    } else if path.contains("login/session") && code != 401 {
        Some(json!({"success": true, "result": {"session_token": session, "permissions": {"settings": true}}}))
    } else if path.contains("/authentication/") && code != 401 {
        Some(json!({"tokenId": bearer, "refreshToken": refresh, "expiresOn": "2099-01-01T00:00:00Z"}))
    } else {
        None
    };
    // What this one was given it is told again, and no other.
    let own = if path.starts_with("/v1/") { format!("{bearer} {refresh}") } else { String::new() };
    let said = format!("{head}{body} {own}");
    let is_good = good.is_some();
    // What a success names is data, and told as such; words about a failure are not.
    let data = if code < 300 { Value::Null } else { json!([{"message": said, "publicId": said}]) };
    let document = good.unwrap_or_else(|| {
        json!({
            "success": false, "error_code": said, "msg": said, "missing_right": said, "uid": said,
            "type": said, "message": said, "kapuaErrorCode": said, "errorMessage": said, "status": said,
            "data": data, "errors": [{"message": said, "propertyName": said}],
            "items": said, "result": said,
        })
    });
    let text = document.to_string();
    let values: Vec<&str> = head.lines().filter_map(|line| line.split_once(": ").map(|(_, value)| value)).collect();
    let mut reply = format!("HTTP/1.1 {} {}\r\n", if is_good { 200 } else { code }, values.join(" ").replace('\r', ""));
    for (at, value) in values.iter().enumerate() {
        let _ = write!(reply, "X-Echo-{at}: {value}\r\nWWW-Authenticate: {value}\r\nSet-Cookie: a={value}\r\n");
    }
    let query: String = values.join("&").replace(' ', "%20");
    let _ = write!(reply, "Location: http://127.0.0.1:9/?{query}\r\nServer: {own}\r\n");
    let _ = write!(
        reply,
        "Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(reply.as_bytes())
}

#[test]
fn what_a_server_echoes_is_not_told() {
    let echo = Echo::start();
    let mut canaries = Canaries::default();
    let secrets = [
        ("FREEBOX", "APP_TOKEN", "canary/app+token/7711"),
        ("IXON", "TOKEN", "canary.ixon-token.7712"),
        ("EVERYWARE", "PASSWORD", "canary\"pass/word+7713"),
    ];
    secrets.iter().for_each(|(_, key, secret)| canaries.add(key, secret));
    GIVEN.iter().for_each(|secret| canaries.add("what a login gave", secret));
    for status in [200, 302, 400, 401, 403, 404, 409, 500] {
        *echo.status.lock().unwrap() = status;
        // No refusal of one round keeps the next one from being sent.
        let mut bench = Bench::new();
        bench
            .write("vpnctl.toml", &bench.config_without(&["app_token", "ixon-token", "everyware-password", "ca_file"]));
        bench.set("VPNCTL_BACKEND_FREEBOX_URL", &echo.url);
        bench.set("VPNCTL_BACKEND_IXON_CLOUD_URL", format!("{}/api", echo.url));
        bench.set("VPNCTL_BACKEND_EVERYWARE_URL", format!("{}/v1", echo.url));
        secrets
            .iter()
            .for_each(|(backend, key, secret)| bench.set(&format!("VPNCTL_BACKEND_{backend}_{key}"), *secret));
        for (at, line) in [
            "status -b freebox",
            "status -b everyware",
            "list -b ixon",
            "connect -b freebox --id vpn0",
            "connect -b everyware --id WyczTs_GuDM",
            "auth login -A",
            "auth status -A",
            "api GET nowhere -b everyware",
            "doctor",
        ]
        .iter()
        .enumerate()
        {
            let voice = VOICES[4 + at % 2];
            let line = format!("{line} -o {} {voice} --timeout 2s", FORMATS[at % 8]);
            let told = run(&bench, &line, "");
            // The answer to `api` is the server's own, untouched; what is said of it is not.
            let out = if line.starts_with("api") { "" } else { &told.stdout };
            canaries.are_not_in(&format!("{out}\n{}", told.stderr), &format!("{status}: {line}"));
        }
    }
    let heard = echo.heard.lock().unwrap();
    for sent in [GIVEN[0], GIVEN[1], secrets[1].2, "canary\\\"pass/word+7713"] {
        assert!(heard.contains(sent), "{sent} was never sent, so it could not be echoed");
    }
}
