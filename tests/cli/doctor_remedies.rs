//! `doctor`: what it counts, and what it says is to be done.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::doctor::{NOWHERE, failing, fails};
use crate::run::Run;

#[test]
fn what_was_not_reached_is_counted_neither_as_ok_nor_as_failed() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_FREEBOX_URL", NOWHERE);
    bench.set("VPNCTL_BACKEND_IXON_CLOUD_URL", NOWHERE);
    bench.set("VPNCTL_BACKEND_IXON_URL", NOWHERE);
    for backend in ["freebox", "ixon"] {
        let run = bench.run(&format!("doctor {backend} -o json")).ends(5);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let count = |ok: Value| run.items().iter().filter(|item| item["ok"] == ok).count();
        let (summary, failed) = (&document["summary"], count(json!(false)));
        assert_eq!((&summary["ok"], &summary["failed"]), (&json!(count(json!(true))), &json!(failed)), "{run}");
        assert!(
            count(Value::Null) > 0 && run.stderr.contains(&format!("{failed} of {} failed", summary["total"])),
            "{run}"
        );
    }
}

#[test]
fn a_remedy_names_the_configuration_that_the_command_line_named() {
    let bench = Bench::new();
    let path = bench.write("a name.toml", &bench.config_without(&["app_token"]));
    let mut command = bench.command("doctor freebox -o json --config");
    command.arg(&path);
    let run = Run::of(command, "").ends(4);
    let wanted = format!("vpnctl --config '{}' auth login -b freebox", path.display());
    assert!(failing(&run, "freebox")[0]["remedy"].as_str().unwrap().contains(&wanted), "{run}");
    assert!(run.fails("auth.required")["hint"].as_str().unwrap().contains(&wanted), "{run}");
}

#[test]
fn a_fault_of_the_proxy_is_told_of_the_proxy() {
    use std::io::{Read as _, Write as _};

    let bench = Bench::new();
    let told = |variable: &str, proxy: &str, url: &str| {
        let mut command = bench.command("doctor freebox -o json");
        command.env(variable, proxy).env("VPNCTL_BACKEND_FREEBOX_URL", url);
        let failed = failing(&Run::of(command, "").ends(5), "freebox").remove(0);
        let text = |key: &str| failed[key].as_str().unwrap().to_owned();
        assert!(text("finding").contains(&format!("the proxy that {variable} names")), "{failed}");
        (text("layer"), text("finding") + "; " + &text("remedy"))
    };
    let (layer, text) = told("https_proxy", "http://127.0.0.1:1", "https://box.invalid");
    assert!(layer == "tcp" && text.contains("127.0.0.1:1") && text.contains("correct https_proxy"), "{text}");
    let nameless = format!("http://{}.invalid:1", "x".repeat(64));
    let (layer, text) = told("HTTPS_PROXY", &nameless, "https://box.invalid");
    assert!(layer == "dns" && text.contains("correct HTTPS_PROXY") && !text.contains("`url`"), "{text}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let (layer, text) = told("ALL_PROXY", &place, "https://box.invalid");
    assert!(layer == "version" && text.contains("407") && text.contains("USER:PASSWORD"), "{text}");
}

#[test]
fn a_fault_of_the_cloud_names_the_key_of_the_cloud() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_IXON_CLOUD_URL", format!("https://{}.invalid/v1", "x".repeat(64)));
    let found = fails(&bench, "ixon", "dns", "net.dns");
    let remedy = found["remedy"].as_str().unwrap();
    assert!(remedy.contains("`cloud_url`") && !remedy.contains("`url`"), "{remedy}");
}

#[test]
fn each_fault_of_the_configuration_has_a_remedy() {
    let bench = Bench::new();
    let home = "[backend.home]\nvendor = \"freebox\"\n";
    let wrong = [
        ("[backend.home\n".to_owned(), "config init --stdout"),
        (format!("default_backend = \"office\"\n{home}"), "home"),
        (format!("{home}url = \"ftp://127.0.0.1\"\n"), "https://HOST"),
        (format!("{home}app_token = {{ file = \"absent\" }}\n"), "write the secret into that file"),
    ];
    for (config, words) in wrong {
        let run = bench.run_by(&config, "doctor -o json").ends(13);
        let failed = run.items().into_iter().find(|item| item["ok"] == false).unwrap();
        assert!(failed["remedy"].as_str().is_some_and(|remedy| remedy.contains(words)), "{run}");
    }
    let run = bench.run_where("VPNCTL_BACKEND_FREEBOX_URL", "ftp://127.0.0.1", "doctor -o json").ends(13);
    assert!(run.items()[0]["remedy"].as_str().is_some_and(|remedy| remedy.contains("https://HOST")), "{run}");
    let config = format!("{home}url = \"{}\"\napp_token = {{ command = [\"false\"] }}\n", bench.url("freebox", "api"));
    let run = bench.run_by(&config, "doctor -o json").ends(13);
    assert!(failing(&run, "home")[0]["remedy"].as_str().unwrap().contains("run the command by itself"), "{run}");
}

#[cfg(unix)]
#[test]
fn of_the_state_folder_only_what_is_vpnctls_own_is_to_be_changed() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = Bench::new();
    let folder = bench.path("my state");
    std::fs::create_dir(&folder).unwrap();
    let set = |name: &str, mode: u32| {
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let look = |place: &std::path::Path| {
        let run = bench.run_where("VPNCTL_STATE_DIR", place.to_str().unwrap(), "doctor ixon -o json");
        run.items().into_iter().find(|item| item["layer"] == "state").unwrap()
    };
    set("", 0o755);
    assert_eq!(look(&folder)["remedy"], format!("run: chmod 700 '{}'", folder.display()));
    // By a link, or beside something else, it is not vpnctl's to shut.
    let link = bench.path("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    let other = |told: Value| told["ok"] == false && told["remedy"].as_str().unwrap().contains("VPNCTL_STATE_DIR");
    assert!(other(look(&link)));
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    set("notes.txt", 0o644);
    assert!(other(look(&folder)));
    set("", 0o700);
    assert_eq!(look(&folder)["ok"], true, "what is somebody else's is no fault");
    for name in ["home.json", "bench.json"] {
        std::fs::write(folder.join(name), "{}").unwrap();
        set(name, 0o644);
    }
    let both = format!("run: chmod 600 '{0}/bench.json' '{0}/home.json'", folder.display());
    assert_eq!(look(&folder)["remedy"], both);
    std::fs::remove_file(folder.join("home.json")).unwrap();
    std::fs::create_dir(folder.join("home.json")).unwrap();
    let told = look(&folder);
    assert!(told["ok"] == false && told["finding"].as_str().unwrap().contains("home.json is no file"), "{told}");
}

#[test]
fn an_answer_that_nobody_knows_has_a_remedy() {
    let bench = Bench::new();
    let answers = [
        ("ixon", "404 Not Found", "{}", "the IXON VPN Client, which listens at"),
        ("freebox", "200 OK", "{\"success\":false,\"error_code\":\"never_heard\",\"msg\":\"\"}", "Freebox OS"),
    ];
    for (vendor, status, body, words) in answers {
        let url = answering_with(status, move |asked| {
            let known = "{\"api_version\":\"4.0\",\"api_base_url\":\"/api/\"}";
            if asked.contains("api_version") { known } else { body }.to_owned()
        });
        let variable = format!("VPNCTL_BACKEND_{}_URL", vendor.to_uppercase());
        let run = bench.run_where(&variable, &url, &format!("doctor {vendor} -o json"));
        let failed = failing(&run, vendor).remove(0);
        assert!(failed["remedy"].as_str().is_some_and(|remedy| remedy.contains(words)), "{run}");
    }
}

#[test]
fn who_logs_in_is_to_be_named_before_the_login() {
    let bench = Bench::new();
    let whose = |line: &str, keys: &[&str]| {
        bench.write("vpnctl.toml", &bench.config_without(keys));
        let run = bench.run(line).ends(4);
        run.items().into_iter().find(|item| item["error"].is_object()).unwrap()
    };
    for (vendor, key, variable) in
        [("everyware", "username", "VPNCTL_BACKEND_EVERYWARE_USERNAME"), ("ixon", "email", "VPNCTL_BACKEND_IXON_EMAIL")]
    {
        for line in [format!("doctor {vendor} -o json"), format!("auth status -b {vendor} -o json")] {
            let found = whose(&line, &["username", "password", "email", "token ="]);
            let hint = found["error"]["hint"].as_str().unwrap();
            let first =
                format!("set `{key}` in [backend.{vendor}] or {variable}, then run: vpnctl auth login -b {vendor}");
            assert!(hint.starts_with(&first), "{line}: {found}");
        }
    }
}

/// Starts a server that answers by the first line of what it is asked, and gives its URL.
pub(crate) fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    answering_with("200 OK", answer)
}

/// The same, with another status.
fn answering_with(status: &'static str, answer: impl Fn(&str) -> String + Send + 'static) -> String {
    use std::io::{Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), [0; 4096]);
            let length = stream.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let body = answer(asked.lines().next().unwrap_or_default());
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}", body.len());
            let _ = write!(stream, "{head}\r\n\r\n{body}");
        }
    });
    url
}

#[test]
fn a_state_that_nobody_knows_is_told_with_the_last_error() {
    let bench = Bench::new();
    let url = answering(|line| {
        let result = if line.contains("api_version") {
            return json!({"api_version": "4.0", "api_base_url": "/api/"}).to_string();
        } else if line.contains("vpn_client/status") {
            json!({"enabled": true, "active_vpn": "vpn7", "state": "pondering", "last_error": "resolv_failed"})
        } else if line.contains("vpn_client/config") {
            json!([{"id": "vpn7", "description": "Holidays", "type": "pptp"}])
        } else {
            json!({"logged_in": true, "session_token": "x", "challenge": "y", "permissions": {"settings": true}})
        };
        json!({"success": true, "result": result}).to_string()
    });
    let run = bench.run_where("VPNCTL_BACKEND_FREEBOX_URL", &url, "doctor freebox -o json").ends(0);
    let found = run.items().into_iter().find(|item| item["layer"] == "vpn").unwrap();
    let text = found["finding"].as_str().unwrap();
    assert!(found["ok"].is_null() && text.contains("`pondering`") && text.contains("`resolv_failed`"), "{run}");
    assert!(found["remedy"].as_str().unwrap().contains("vpnctl status -b freebox"), "{run}");
}

#[test]
fn an_account_without_a_vpn_server_is_told() {
    let bench = Bench::new();
    let url = answering(|line| {
        let answer = if line.contains("authentication/user") {
            json!({"tokenId": "x"})
        } else if line.contains("authentication/info") {
            json!({"rolePermission": [{"permission": {"domain": "device_management", "action": "execute"}}]})
        } else if line.contains("sys-info") {
            json!({"version": "6.0.8"})
        } else {
            // No profile of a server, and no device.
            json!({"limitExceeded": false, "items": []})
        };
        answer.to_string()
    });
    let run = bench.run_where("VPNCTL_BACKEND_EVERYWARE_URL", &url, "doctor everyware -o json").ends(12);
    let failed = failing(&run, "everyware");
    assert_eq!((failed.len(), &failed[0]["layer"]), (1, &json!("vpn")), "{run}");
    assert_eq!(failed[0]["finding"], "no VPN server is assigned to the account", "{run}");
    assert!(failed[0]["remedy"].as_str().unwrap().contains("whoever runs this Everyware Cloud"), "{run}");
}

#[test]
fn each_advisory_for_an_old_client_is_told() {
    for (version, named, unnamed) in [
        ("1.4.2", &["CVE-2026-75925", "CVE-2025-26168", "CVE-2025-26169"][..], &[][..]),
        ("1.4.6", &["CVE-2026-75925"][..], &["CVE-2025-26168"][..]),
    ] {
        let found = fails(&Bench::with_faults(&[&format!("ixon:version={version}")]), "ixon", "version", "unsupported");
        let text = found["finding"].as_str().unwrap();
        assert!(named.iter().all(|name| text.contains(name)), "{text}");
        assert!(!unnamed.iter().any(|name| text.contains(name)), "{text}");
        assert_eq!(found["remedy"], "install the newest IXON VPN Client");
    }
    let bench = Bench::with_faults(&["ixon:version=1.4.7"]);
    bench.run("doctor ixon").ends(0).prints("version 1.4.7, no advisory known");
}
