//! Where requests go: what users and servers write names a place below the configured one, and nothing else.

use std::sync::{Arc, OnceLock};

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::run::Run;
use crate::stranger::{Answer, Stranger};

/// Ids that lead elsewhere where they are put into a path as they are.
const CROOKED: &[&str] = &[
    ".",
    "..",
    "...",
    "%2e%2e",
    "..%2f..",
    "a/../../b",
    "/",
    "//evil.example/",
    "\\..\\..",
    "a?x=1",
    "a#b",
    "a;b",
    "a b",
    "a&b=c",
    "@evil.example",
    ":1",
    "é",
    "a\r\nhost: evil.example",
    "a\u{1b}b",
];

/// A server where every login goes well and nothing else is known.
fn plain(path: &str) -> Answer {
    match path {
        "/api_version" => json!({"api_version": "16.0", "api_base_url": "/api/"}).into(),
        "/api/v16/login/" => json!({"success": true, "result": {"challenge": "c"}}).into(),
        "/api/v16/login/session/" => {
            json!({"success": true, "result": {"session_token": "s", "permissions": {"settings": true}}}).into()
        }
        "/v1/authentication/user" => json!({"tokenId": "t", "expiresOn": "2999-01-01T00:00:00Z"}).into(),
        path if path.starts_with("/api/") => json!({"success": false, "error_code": "noent", "msg": "none"}).into(),
        _ => Answer::text(404, "{}"),
    }
}

fn server() -> Stranger {
    Stranger::answering(|_, path| plain(path))
}

fn run(stranger: &Stranger, line: &str, id: &str) -> Run {
    let mut command = stranger.command(&stranger.config(), line);
    command.args(["--", id]);
    Run::of(command, "")
}

/// Holds what a server read to be the id and no more; what a parser of URLs takes for a step is encoded twice.
#[track_caller]
fn is_one_segment(segment: &str, id: &str) {
    assert!(!segment.contains(['/', '?', '#', '\\', ';', ' ']), "{segment}");
    let once = percent_decode_str(segment).decode_utf8().unwrap().into_owned();
    let steps = matches!(id, "." | "..");
    let read = if steps { percent_decode_str(&once).decode_utf8().unwrap().into_owned() } else { once.clone() };
    assert_eq!(read, id, "{segment}");
    assert!(!matches!(once.to_lowercase().as_str(), "." | ".."), "{segment}");
}

#[test]
fn an_id_is_one_segment_of_a_path() {
    let stranger = server();
    for id in CROOKED {
        for (line, before, after) in [
            ("tunnel show -b freebox --id", "GET /api/v16/vpn_client/config/", ""),
            ("tunnel rm -b freebox --yes --id", "DELETE /api/v16/vpn_client/config/", ""),
            ("connect -b freebox --no-wait --id", "PUT /api/v16/vpn_client/config/", ""),
            ("status -b everyware --id", "GET /v1/_/devices/", "/vpn"),
            ("connect -b everyware --no-wait --id", "POST /v1/_/devices/", "/vpn/_connect"),
        ] {
            stranger.asked();
            run(&stranger, line, id);
            for asked in stranger.asked() {
                let known = ["/api_version", "/login/", "/session/", "/authentication/", "/vpn_client/status"];
                if known.iter().any(|place| asked.contains(place)) || asked.ends_with("vpn_client/config/") {
                    continue;
                }
                let place = if asked.starts_with("GET /v1") { ("GET /v1/_/devices/", "/vpn") } else { (before, after) };
                let place = if asked.starts_with("GET /api") { ("GET /api/v16/vpn_client/config/", "") } else { place };
                let segment = asked.strip_prefix(place.0).and_then(|rest| rest.strip_suffix(place.1));
                is_one_segment(segment.unwrap_or_else(|| panic!("{line} {id:?} asks {asked}")), id);
            }
        }
    }
    let seen = {
        run(&stranger, "status -b everyware --id", "a/b");
        stranger.asked()
    };
    assert!(seen.contains(&"GET /v1/_/devices/a%2Fb/vpn".to_owned()), "{seen:?}");
}

#[test]
fn a_target_without_a_name_asks_and_changes_nothing() {
    let stranger = server();
    for line in ["status", "connect", "disconnect", "check", "wait --for connected", "tunnel show", "tunnel rm --yes"] {
        for (flags, id) in [("-b freebox", ""), ("-b freebox --id", ""), ("--id", "freebox/"), ("", "freebox/")] {
            let run = run(&stranger, &format!("{line} {flags}"), id).ends(2);
            assert!(run.stderr.contains("without a name"), "{run}");
        }
    }
    assert_eq!(stranger.asked(), Vec::<String>::new());
}

#[test]
fn an_id_of_the_server_s_own_is_one_segment_too() {
    for id in CROOKED {
        let (own, named) = ((*id).to_owned(), (*id).to_owned());
        let stranger = Stranger::answering(move |method, path| match (method, path.split('?').next().unwrap()) {
            ("GET", "/api/v16/vpn_client/config/") => {
                json!({"success": true, "result": [{"id": own, "description": "x", "type": "pptp"}]}).into()
            }
            ("GET", "/api/v16/vpn_client/status") => json!({"success": true, "result": {"enabled": false}}).into(),
            ("GET", "/v1/_/devices") => json!({"size": 1, "items": [{"id": named, "clientId": "x"}]}).into(),
            ("GET", path) if path.ends_with("/vpn") => json!({"connected": false}).into(),
            _ => plain(path),
        });
        for (backend, before, after) in
            [("freebox", "PUT /api/v16/vpn_client/config/", ""), ("everyware", "POST /v1/_/devices/", "/vpn/_connect")]
        {
            run(&stranger, &format!("connect -b {backend} --no-wait"), "x");
            let asked = stranger.asked();
            let writes: Vec<&String> = asked.iter().filter(|asked| asked.starts_with(before)).collect();
            assert!(!writes.is_empty(), "{id:?}: {asked:?}");
            for write in writes {
                is_one_segment(&write[before.len()..write.len() - after.len()], id);
            }
        }
    }
}

#[test]
fn an_account_is_one_segment_too() {
    let stranger = server();
    for scope in CROOKED.iter().filter(|scope| !scope.contains(['\r', '\u{1b}', '\\'])) {
        let config = format!("{}scope = \"{scope}\"\n", stranger.config());
        stranger.run_by(&config, "status -b everyware");
        let asked = stranger.asked();
        assert!(asked.iter().all(|asked| asked.contains(" /v1/")), "{scope}: {asked:?}");
        assert!(!asked.iter().any(|asked| asked.contains("/..") || asked.contains("evil")), "{scope}: {asked:?}");
    }
}

#[test]
fn a_url_of_the_configuration_is_http_and_holds_no_secret() {
    let stranger = server();
    for url in [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "127.0.0.1",
        "//127.0.0.1/",
        "https://me:canary@127.0.0.1/",
        "https://canary@127.0.0.1/",
        "https://me:canary@127.0.0.1:99999/",
        "ftp://me:canary@127.0.0.1/",
        "https://127.0.0.1/?token=canary",
        "https://127.0.0.1/#canary",
    ] {
        for (vendor, key) in [("freebox", "url"), ("ixon", "url"), ("everyware", "url"), ("ixon", "cloud_url")] {
            let config = format!("[backend.x]\nvendor = \"{vendor}\"\n{key} = \"{url}\"\n");
            for line in ["status", "config validate", "config show -o json", "-vvv auth status"] {
                let run = stranger.run_by(&config, line).ends(13).without_output();
                assert!(run.stderr.contains(":3:") && run.stderr.contains(key), "the place is told: {run}");
                assert!(!run.stderr.contains("canary"), "{run}");
            }
            let mut command = stranger.command(&stranger.config(), "config show");
            command.env(format!("VPNCTL_BACKEND_{}_{}", vendor.to_uppercase(), key.to_uppercase()), url);
            let run = Run::of(command, "").ends(13).without_output();
            assert!(!run.stderr.contains("canary"), "{run}");
        }
    }
}

#[test]
fn a_probe_holds_no_secret() {
    let stranger = server();
    for probe in ["http://me:canary@127.0.0.1/", "https://canary@h/", "ftp://me:canary@h/"] {
        for line in [format!("--probe {probe}"), format!("--probe={probe}"), format!("--probe {probe} -o json")] {
            let run = stranger.run(&format!("wait -b freebox --for connected {line}")).ends(2);
            assert!(!run.stderr.contains("canary"), "{run}");
        }
    }
    assert_eq!(stranger.asked(), Vec::<String>::new());
}

/// Counts the lines that say that a login can be read on its way.
fn warnings(run: &Run) -> usize {
    run.stderr.lines().filter(|line| line.starts_with("warning: ") && line.contains("unencrypted")).count()
}

#[test]
fn plain_http_through_networks_of_others_is_warned_of() {
    let stranger = server();
    for (host, times) in [
        ("203.0.113.5", 1),
        ("100.64.0.1", 1),
        ("[2001:db8::1]", 1),
        ("box.example.org", 1),
        ("0.0.0.0", 1),
        ("127.0.0.1.example.org", 1),
        ("127.0.0.1", 0),
        ("localhost", 0),
        ("[::1]", 0),
        ("192.168.1.254", 0),
        ("10.1.2.3", 0),
        ("[fd00::1]", 0),
        ("169.254.1.1", 0),
        ("box.local", 0),
        ("box", 0),
    ] {
        for vendor in ["freebox", "ixon", "everyware"] {
            for (scheme, times) in [("http", times), ("https", 0)] {
                let config = format!("[backend.x]\nvendor = \"{vendor}\"\nurl = \"{scheme}://{host}\"\n");
                let run = stranger.run_by(&config, "config validate").ends(0);
                assert_eq!(warnings(&run), times, "{scheme}://{host}: {run}");
            }
        }
    }
    let of = |more: &str| format!("[backend.x]\nvendor = \"freebox\"\nurl = \"http://box.example.org\"\n{more}\n");
    let near = stranger.run_by(&of("connect_address = \"192.168.1.254\""), "config validate").ends(0);
    assert_eq!(warnings(&near), 0, "{near}");
    let far = of("connect_address = \"203.0.113.5\"").replace("box.example.org", "localhost");
    assert_eq!(warnings(&stranger.run_by(&far, "config validate").ends(0)), 1);
    let cloud = "[backend.x]\nvendor = \"ixon\"\ncloud_url = \"http://cloud.example.org\"\n";
    assert_eq!(warnings(&stranger.run_by(cloud, "config validate").ends(0)), 1);
    assert_eq!(warnings(&stranger.run_by(cloud, "config validate -q").ends(0)), 0);
}

#[test]
fn it_is_warned_of_once_and_before_the_login() {
    let stranger = Stranger::answering(|_, path| plain(path.trim_start_matches("http://box.example.org")));
    let config = "[backend.x]\nvendor = \"freebox\"\nurl = \"http://box.example.org\"\napp_token = \"t\"\n";
    for line in ["status", "connect vpn0 --no-wait", "tunnel list"] {
        let mut command = stranger.command(config, line);
        // No name is looked up: it goes by way of a proxy, which is the server here.
        command.env("http_proxy", format!("http://127.0.0.1:{}", stranger.port));
        let run = Run::of(command, "");
        assert_eq!(warnings(&run), 1, "{run}");
        assert!(run.stderr.starts_with("warning: "), "{run}");
        assert!(!stranger.asked().is_empty(), "{run}");
    }
}

#[test]
fn only_this_computer_is_trusted_without_a_look() {
    let stranger = server();
    for (url, more, fine) in [
        ("https://localhost", "", true),
        ("https://127.0.0.1", "", true),
        ("https://127.1", "", true),
        ("https://[::1]", "", true),
        ("https://[::ffff:127.0.0.1]", "", true),
        ("https://localhost.", "", false),
        ("https://0.0.0.0", "", false),
        ("https://localhost.evil.example", "", false),
        ("https://192.168.1.254", "", false),
        ("https://[::ffff:192.168.1.254]", "", false),
        ("https://localhost", "connect_address = \"192.168.1.254\"", false),
        ("https://localhost", "connect_address = \"evil.example\"", false),
        ("https://localhost", "connect_address = \"[fe80::1]\"", false),
        ("https://localhost", "connect_address = \"::1\"", true),
        ("https://localhost", "connect_address = \"127.0.0.1\"", true),
    ] {
        let config = format!("[backend.x]\nvendor = \"freebox\"\nurl = \"{url}\"\ntls.insecure = true\n{more}\n");
        let run = stranger.run_by(&config, "config validate");
        assert_eq!(run.code, if fine { 0 } else { 13 }, "{url} {more}: {run}");
        assert!(fine || run.stderr.contains("tls.insecure"), "{run}");
    }
}

#[test]
fn links_that_lead_elsewhere_get_no_request() {
    let victim = server();
    let elsewhere = victim.port;
    for href in [
        "http://127.0.0.1:{}/status",
        "http://me:canary@127.0.0.1:{here}/status",
        "http://127.0.0.1:{here}@127.0.0.1:{}/status",
        "//127.0.0.1:{}/status",
        "\\\\127.0.0.1:{}\\status",
        "/\\127.0.0.1:{}/status",
        "https://127.0.0.1:{here}/status",
        "ftp://127.0.0.1:{here}/status",
        "javascript:alert(1)",
        "file:///status",
        "http://",
    ] {
        let href = href.replace("{}", &elsewhere.to_string());
        let here = Arc::new(OnceLock::new());
        let port = Arc::clone(&here);
        let stranger = Stranger::answering(move |_, path| match path {
            "/" => {
                let href = href.replace("{here}", &port.get().copied().unwrap_or(0u16).to_string());
                json!({"links": [{"rel": "Status", "href": "/status"}, {"rel": "Connect", "href": href}]}).into()
            }
            "/status" => json!({"status": "idle"}).into(),
            path => plain(path),
        });
        here.set(stranger.port).unwrap();
        for line in ["status -b ixon", "connect -b ixon --id AAAAAAAAAAAA", "api POST Connect -b ixon"] {
            let run = stranger.run(&format!("{line} -o json")).ends(14);
            run.fails("vendor.protocol");
            assert!(run.stderr.contains("leaves"), "{run}");
            let asked = stranger.asked();
            assert!(!asked.iter().any(|asked| asked.contains("/status") || asked.starts_with("POST")), "{asked:?}");
        }
    }
    for base in
        ["http://127.0.0.1:{}/api/", "//127.0.0.1:{}/api/", "\\\\127.0.0.1:{}\\api", "/api/../../x/", "/api/?", "@x/"]
    {
        let base = base.replace("{}", &elsewhere.to_string());
        let stranger = Stranger::answering(move |_, path| match path {
            "/api_version" => json!({"api_version": "16.0", "api_base_url": base}).into(),
            path => plain(path),
        });
        let run = stranger.run("status -b freebox -o json").ends(14);
        run.fails("vendor.protocol");
        assert_eq!(stranger.asked(), ["GET /api_version"], "{run}");
    }
    assert_eq!(victim.asked(), Vec::<String>::new());
}

#[test]
fn a_redirect_is_not_followed_with_a_login() {
    let victim = server();
    let target = format!("location: http://127.0.0.1:{}/x\r\n", victim.port);
    for status in [301, 302, 303, 307, 308] {
        let headers = target.clone();
        let stranger = Stranger::answering(move |_, path| match path {
            "/api_version" | "/v1/authentication/user" => plain(path),
            _ => Answer { status, headers: headers.clone(), body: Vec::new() },
        });
        for vendor in ["freebox", "ixon", "everyware"] {
            let run = stranger.run(&format!("status -b {vendor} -o json"));
            assert_ne!(run.code, 0, "{run}");
            run.error();
        }
    }
    assert_eq!(victim.asked(), Vec::<String>::new());
}

#[test]
fn a_raw_call_stays_below_its_base() {
    let victim = server();
    let stranger = server();
    let url = format!("http://127.0.0.1:{}/x", victim.port);
    for path in [
        url.as_str(),
        &format!("/{url}"),
        &url.replacen("http:", "", 1),
        &url.replacen("http://", "\\\\", 1),
        "..",
        "../x",
        "a/../../x",
        "a/./../x",
        "%2e%2e/x",
        "a/%2E%2e/x",
        "%252e%252e/x",
        "a%2f..%2fx",
        "..%5cx",
        "..%255cx",
        "a\r\nhost: evil.example",
        "a%0d%0ahost: evil.example",
        "a%250d%250ax",
        "\\..\\x",
    ] {
        for (vendor, base) in [("freebox", "/api/v16/"), ("everyware", "/v1/"), ("ixon", "/")] {
            let mut command = stranger.command(&stranger.config(), &format!("api GET -b {vendor}"));
            command.arg(path);
            let run = Run::of(command, "");
            let asked = stranger.asked();
            let known = ["/api_version", "/authentication/user"];
            for asked in asked.iter().filter(|asked| !known.iter().any(|place| asked.contains(place))) {
                assert!(asked.contains(&format!(" {base}")), "{path}: {asked}");
                assert!(!asked.contains("..") && !asked.to_lowercase().contains("%2e"), "{path}: {asked}");
            }
            let leads_out = path.contains("..") || path.to_lowercase().contains("%2") || path.contains(['\r', '\\']);
            assert!(!leads_out || (run.code == 2 && asked.is_empty()), "{path}: {asked:?} {run}");
        }
    }
    assert_eq!(victim.asked(), Vec::<String>::new());
}

#[test]
fn a_secret_adds_no_header() {
    let stranger = Stranger::answering(|_, path| match path {
        "/status" => json!({"status": "idle"}).into(),
        "/" => json!({"links": [{"rel": "Status", "href": "/status"}, {"rel": "Connect", "href": "/connect"}]}).into(),
        path => plain(path),
    });
    for secret in ["canary\r\nx-evil: 1", "canary\nx-evil: 1", "canary\u{0}", "canary\u{7f}"] {
        std::fs::write(stranger.folder.path().join("token"), secret).unwrap();
        crate::bench::private(&stranger.folder.path().join("token"));
        let config = stranger.config().replace("token = \"t\"\n[backend.e", "token = { file = \"token\" }\n[backend.e");
        assert!(config.contains("file = "));
        for line in ["list -b ixon", "-vvv connect -b ixon --id AAAAAAAAAAAA"] {
            let run = stranger.run_by(&config, line);
            assert!(!run.stderr.contains("canary") && !run.stdout.contains("canary"), "{run}");
            assert_eq!(run.code, 13, "{run}");
            let asked = stranger.asked();
            assert!(!asked.iter().any(|asked| asked.contains("agents") || asked.starts_with("POST")), "{asked:?}");
        }
    }
}
