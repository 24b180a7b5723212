//! `trust show`, `trust add`, `trust rm`: pins that people ask for, and servers whose certificate changes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use vpnctl::http::tls::Fingerprint;
use vpnctl::simulate::tls::Identity;

use crate::bench::Bench;
#[cfg(unix)]
use crate::bench::mode;
use crate::run::Run;

/// A TLS server on a loopback port whose certificate can be replaced; it notes each name that is asked for, and each
/// byte that is sent after a handshake.
struct Server {
    port: u16,
    identity: Arc<Mutex<Identity>>,
    names: Arc<Mutex<Vec<Option<String>>>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            identity: Arc::new(Mutex::new(Identity::generate().unwrap())),
            names: Arc::default(),
            heard: Arc::default(),
        };
        let (identity, names, heard) =
            (Arc::clone(&server.identity), Arc::clone(&server.names), Arc::clone(&server.heard));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let config = identity.lock().unwrap().server_config(&["http/1.1"]).unwrap();
                let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream.unwrap());
                let mut bytes = [0; 4096];
                // A client that refuses the certificate ends the handshake, and this with it.
                while let Ok(count) = tls.read(&mut bytes) {
                    heard.lock().unwrap().extend(&bytes[..count]);
                    if count == 0 || tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        break;
                    }
                }
                names.lock().unwrap().push(tls.conn.server_name().map(str::to_owned));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn fingerprint(&self) -> String {
        Fingerprint::of(self.identity.lock().unwrap().leaf()).to_string()
    }

    fn renew(&self) {
        *self.identity.lock().unwrap() = Identity::generate().unwrap();
    }

    fn heard(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

/// A world whose certificates nobody has said to trust.
fn strangers() -> Bench {
    let bench = Bench::new();
    bench.write("vpnctl.toml", &bench.config_without(&["ca_file"]));
    bench
}

#[test]
fn a_pin_is_made_on_request_and_used_until_it_is_forgotten() {
    let bench = strangers();
    let refused = |run: Run| {
        let hint = run.ends(5).fails("net.tls_untrusted")["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("vpnctl trust add -b ixon"), "{hint}");
    };
    refused(bench.run("status -b ixon -o json"));

    let shown = bench.run("trust show -b ixon -o json").ends(0).quietly().item();
    assert_eq!(shown["pinned"], false);
    assert_eq!(shown["url"], json!(bench.url("ixon", "client")));
    assert_eq!((&shown["subject"], &shown["not_after"]), (&json!("CN=localhost"), &json!("4096-01-01T00:00:00Z")));
    refused(bench.run("status -b ixon -o json"));
    assert_eq!(bench.requests(), 0, "a look is no request, and what is not trusted gets none");

    let added = bench.run("trust add -b ixon -o json").ends(0).quietly().item();
    assert_eq!((&added["pinned"], &added["fingerprint"]), (&json!(true), &shown["fingerprint"]));
    assert_eq!(bench.run("trust add -b ixon -o json").ends(0).quietly().item(), added, "the same again is as well");
    assert_eq!(bench.run("trust show -b ixon -o json").ends(0).quietly().item(), added);
    assert_eq!(bench.run("trust show -b ixon -o value").ends(0).stdout.trim_end(), added["fingerprint"]);
    assert_eq!(bench.requests(), 0);

    bench.run("status -b ixon").ends(0).quietly();
    let told = format!("{:?}", bench.context("ixon").log.entries());
    let digits = added["fingerprint"].as_str().unwrap().trim_start_matches("sha256:");
    assert!(told.contains("/status") && !told.contains(digits), "the pin was sent: {told}");
    #[cfg(unix)]
    for file in std::fs::read_dir(bench.state()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 });
    }

    let gone = bench.run("trust rm -b ixon -o json").ends(0).quietly().item();
    assert_eq!((&gone["pinned"], &gone["fingerprint"]), (&json!(false), &added["fingerprint"]));
    let again = bench.run("trust rm -b ixon -o json").ends(0).quietly().item();
    assert_eq!((&again["pinned"], &again["fingerprint"]), (&json!(false), &Value::Null));
    bench.requests();
    refused(bench.run("status -b ixon -o json"));
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_trust_item_has_every_key_in_every_state() {
    let bench = strangers();
    let keys = ["backend", "url", "fingerprint", "subject", "not_after", "pinned"];
    for line in ["trust rm -b everyware", "trust show -b everyware", "trust add -b everyware", "trust rm -b everyware"]
    {
        let run = bench.run(&format!("{line} -o json")).ends(0);
        assert_eq!(run.json()["schema"], "vpnctl.trust/v1");
        assert!(run.item().as_object().unwrap().keys().eq(&keys), "{run}");
    }
    let header = bench.run("trust show -b everyware -o csv").ends(0).stdout;
    assert_eq!(header.lines().next().unwrap(), keys.join(","));
    bench.run("trust show -b everyware --fields backend,pined").ends(2).tells("`pinned`").without_output();
}

#[test]
fn a_changed_certificate_is_refused_before_anything_is_sent() {
    let (bench, server) = (strangers(), Server::start());
    let config = bench.config().replace(&bench.url("ixon", "client"), &server.url());
    let run = |line: &str| bench.run_by(&config, line);
    let old = server.fingerprint();
    assert_eq!(run("trust add -b ixon -o json").ends(0).item()["fingerprint"], old.as_str());
    assert_eq!(server.heard(), 0, "a look sends nothing");

    server.renew();
    let new = server.fingerprint();
    for line in ["status -b ixon", "disconnect -b ixon", "api -b ixon GET Status"] {
        let failed = run(&format!("{line} -o json")).ends(5);
        let error = failed.fails("net.tls_pin_changed");
        let (message, hint) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
        assert!(message.contains(&old) && message.contains(&new), "{failed}");
        assert!(hint.contains("vpnctl trust rm -b ixon") && error["layer"] == "tls", "{failed}");
    }
    assert_eq!(server.heard(), 0);

    let both = run("trust show -b ixon -o json").ends(0).tells("not the pinned one").items();
    let told: Vec<_> = both.iter().map(|item| (item["fingerprint"].as_str().unwrap(), &item["pinned"])).collect();
    assert_eq!(told, [(new.as_str(), &json!(false)), (old.as_str(), &json!(true))]);

    let error = run("trust add -b ixon -o json").ends(9);
    let hint = error.fails("conflict.exists")["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("vpnctl trust rm -b ixon"), "{error}");
    run("trust rm -b ixon").ends(0);
    assert_eq!(run("trust add -b ixon -o json").ends(0).item()["fingerprint"], new.as_str());
    assert_eq!(server.heard(), 0);
    // Now it is trusted, so it is asked; what it answers is no API.
    run("status -b ixon").ends(14);
    assert!(server.heard() > 0);
}

#[test]
fn the_right_name_is_asked_for_at_the_right_address() {
    let (bench, server) = (strangers(), Server::start());
    let box_url = format!("https://mafreebox.freebox.fr:{}", server.port);
    let config = bench
        .config()
        .replace(&bench.url("freebox", "api"), &box_url)
        .replace("[backend.freebox]\n", "[backend.freebox]\nconnect_address = \"127.0.0.1\"\n");
    let item = bench.run_by(&config, "trust show -b freebox -o json").ends(0).quietly().item();
    assert_eq!((&item["url"], &item["fingerprint"]), (&json!(box_url), &json!(server.fingerprint())));
    let named = config.replace("[backend.freebox]\n", "[backend.freebox]\ntls.server_name = \"box.example.org\"\n");
    bench.run_by(&named, "trust show -b freebox").ends(0);
    // The next connection is taken only after the one before was noted.
    bench.run_by(&config, "trust show -b freebox").ends(0);
    let names = server.names.lock().unwrap().clone();
    let asked: Vec<_> = names.iter().take(2).map(|name| name.as_deref().unwrap()).collect();
    assert_eq!(asked, ["mafreebox.freebox.fr", "box.example.org"]);
}

#[test]
fn what_cannot_be_pinned_is_told() {
    let bench = strangers();
    for verb in ["show", "add"] {
        let run = bench.run(&format!("trust {verb} -b freebox -o json")).ends(2);
        assert!(run.fails("usage")["message"].as_str().unwrap().contains("plain http"), "{run}");
    }
    let pin = format!("sha256:{}", "0a".repeat(32));
    let variable = "VPNCTL_BACKEND_IXON_TLS_PIN";
    let run = bench.run_where(variable, &pin, "trust add -b ixon -o json").ends(9);
    assert!(run.fails("conflict.exists")["message"].as_str().unwrap().contains("it wins"), "{run}");
    let both = bench.run_where(variable, &pin, "trust show -b ixon -o json").ends(0).items();
    assert_eq!((&both[0]["pinned"], &both[1]["pinned"]), (&json!(false), &json!(true)));
    assert_eq!(both[1]["fingerprint"], pin.as_str());
    bench.run_where(variable, &pin, "trust rm -b ixon").ends(0).tells("stays");
    bench.run("trust").ends(2).without_output();
    bench.run("trust add").ends(2).tells("which backend?").without_output();
    assert!(!bench.state().join("ixon.pin.json").exists());
}

#[test]
fn a_dry_run_writes_nothing_and_read_only_is_about_the_vendors() {
    let bench = strangers();
    let item = bench.run("trust add -b ixon --dry-run -o json").ends(0).tells("would pin sha256:").item();
    assert_eq!(item["pinned"], false);
    assert!(!bench.state().exists());
    bench.run("trust add -b ixon --read-only").ends(0);
    let item = bench.run("trust rm -b ixon --dry-run -o json").ends(0).tells("would forget sha256:").item();
    assert_eq!(item["pinned"], true);
    bench.run("status -b ixon --read-only").ends(0);
}

#[test]
fn a_server_that_is_away_leaves_its_pin_to_be_shown() {
    let (bench, server) = (strangers(), Server::start());
    let here = bench.config().replace(&bench.url("ixon", "client"), &server.url());
    let pinned = bench.run_by(&here, "trust add -b ixon -o json").ends(0).item();
    // The same server by another name of the same computer, which the pin is not for, and where nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = bench.config().replace(&bench.url("ixon", "client"), &format!("https://{free}"));
    for verb in ["show", "add"] {
        let run = bench.run_by(&away, &format!("trust {verb} -b ixon -o json --timeout 1s")).ends(5);
        run.fails("net.refused");
        assert!(run.items().is_empty(), "{run}");
    }
    let file = bench.state().join("ixon.pin.json");
    let text = std::fs::read_to_string(&file).unwrap().replace(&server.url(), &format!("https://{free}"));
    std::fs::write(&file, text).unwrap();
    let run = bench.run_by(&away, "trust show -b ixon -o json --timeout 1s").ends(0).tells("nothing listens");
    let item = run.item();
    assert_eq!((&item["fingerprint"], &item["pinned"]), (&pinned["fingerprint"], &json!(true)));
    assert_eq!((&item["subject"], &item["not_after"]), (&pinned["subject"], &pinned["not_after"]));
}

#[test]
fn several_backends_are_pinned_at_once_each_by_itself() {
    let bench = strangers();
    let items = bench.run("trust add -b ixon -b everyware -o json").ends(0).items();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["pinned"] == true), "{items:?}");
    bench.run("trust rm -b ixon").ends(0);
    bench.run("status -b ixon").ends(5);
    bench.run("status -b everyware gw-lyon-02").ends(0);
    // One without a certificate does not keep the others from being shown.
    let run = bench.run("trust show -A -o json").ends(10);
    assert_eq!(run.items().len(), 2, "{run}");
}

#[test]
fn a_pin_that_cannot_be_kept_is_not_called_kept() {
    let mut bench = strangers();
    let file = bench.write("no-folder", "");
    bench.set("VPNCTL_STATE_DIR", file.join("below").to_string_lossy());
    let run = bench.run("trust add -b ixon -o json").ends(13);
    assert!(run.fails("config.invalid")["hint"].as_str().unwrap().contains("VPNCTL_STATE_DIR"), "{run}");
}

#[test]
fn a_pin_that_makes_no_sense_stops_everything_but_forgetting_it() {
    let bench = strangers();
    bench.run("trust add -b ixon").ends(0);
    let file = bench.state().join("ixon.pin.json");
    let text = std::fs::read_to_string(&file).unwrap().replace("sha256:", "sha1:");
    std::fs::write(&file, text).unwrap();
    let run = bench.run("status -b ixon -o json").ends(13);
    assert!(run.fails("config.invalid")["hint"].as_str().unwrap().contains("vpnctl trust rm -b ixon"), "{run}");
    bench.run("trust rm -b ixon").ends(0);
    bench.run("trust add -b ixon").ends(0);
    bench.run("status -b ixon").ends(0);
}

#[test]
fn a_corrupt_pin_is_not_done_without_until_somebody_forgets_it() {
    // Also where the server would be trusted without it, which is what a changed certificate would be too.
    for trusted in [false, true] {
        let bench = if trusted { Bench::new() } else { strangers() };
        bench.run("trust add -b ixon").ends(0);
        let file = bench.state().join("ixon.pin.json");
        for text in ["", "{\"url\":\"https:", "{}"] {
            std::fs::write(&file, text).unwrap();
            bench.requests();
            for line in
                ["status -b ixon", "status -b ixon", "connect -b ixon gw", "trust show -b ixon", "trust add -b ixon"]
            {
                let error = bench.run(&format!("{line} -o json")).ends(13).fails("config.invalid");
                assert!(error["message"].as_str().unwrap().contains("corrupt"), "{line}: {error}");
                assert!(error["hint"].as_str().unwrap().contains("vpnctl trust rm -b ixon"), "{line}: {error}");
            }
            assert_eq!(bench.requests(), 0);
            let run = bench.run("trust rm -b ixon --dry-run -o json").ends(0).tells("would forget the corrupt pin");
            assert_eq!(run.item()["pinned"], true);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
            assert_eq!(bench.run("trust rm -b ixon -o json").ends(0).item()["pinned"], false);
            assert_eq!(std::fs::read_to_string(file.with_extension("json.corrupt")).unwrap(), text);
            bench.run("status -b ixon").ends(if trusted { 0 } else { 5 });
            bench.run("trust add -b ixon").ends(0);
            bench.run("status -b ixon").ends(0);
        }
    }
}

#[test]
fn a_pin_that_can_not_be_used_is_not_done_without() {
    let bench = strangers();
    bench.run("trust add -b ixon").ends(0);
    let file = bench.state().join("ixon.pin.json");
    let newer = "{\"version\":2,\"pins\":[]}";
    std::fs::write(&file, newer).unwrap();
    bench.requests();
    for line in ["status -b ixon", "connect -b ixon gw", "trust show -b ixon", "trust add -b ixon", "trust rm -b ixon"]
    {
        let error = bench.run(&format!("{line} -o json")).ends(13).fails("config.invalid");
        assert!(error["message"].as_str().unwrap().contains("newer vpnctl"), "{line}: {error}");
    }
    std::fs::remove_file(&file).unwrap();
    bench.run("trust add -b ixon").ends(0);
    crate::bench::set_mode(&bench.state(), 0o777);
    let error = bench.run("status -b ixon -o json").ends(13).fails("config.invalid");
    assert!(error["message"].as_str().unwrap().contains("others can write"), "{error}");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn the_demonstration_pins_nothing_of_yours() {
    let bench = Bench::new();
    bench.run("--demo trust add -b ixon -o json").ends(0).item();
    assert!(!bench.state().exists());
}
