//! `doctor`: each layer that can fail is found, what is behind it is not called well, and nothing is changed.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::bench::{Bench, bare};
use crate::redact::redacted;
use crate::run::Run;

/// Where nothing listens.
pub(crate) const NOWHERE: &str = "https://127.0.0.1:1";

/// Gives the layers of a backend with whether each is well, in the order told.
fn layers(run: &Run, backend: &str) -> Vec<(String, Value)> {
    let own = |item: &Value| item["backend"].as_str().unwrap_or("") == backend;
    run.items()
        .iter()
        .filter(|item| own(item))
        .map(|item| (item["layer"].as_str().unwrap().to_owned(), item["ok"].clone()))
        .collect()
}

/// Gives the layers of a backend that fail.
pub(crate) fn failing(run: &Run, backend: &str) -> Vec<Value> {
    let own = |item: &Value| item["backend"].as_str().unwrap_or("") == backend;
    run.items().into_iter().filter(|item| own(item) && item["ok"] == false).collect()
}

/// Holds one layer of one backend to be the only one that fails, and the code to be its own; gives its item.
#[track_caller]
pub(crate) fn fails(bench: &Bench, backend: &str, layer: &str, code: &str) -> Value {
    let run = bench.run(&format!("doctor {backend} -o json --timeout 20s"));
    let failed = failing(&run, backend);
    assert_eq!(failed.len(), 1, "{run}");
    assert_eq!((&failed[0]["layer"], &failed[0]["error"]["code"]), (&json!(layer), &json!(code)), "{run}");
    run.fails(code);
    assert!(failed[0]["remedy"].is_string(), "nothing is said to be done: {run}");
    assert!(run.items().iter().all(|item| item["ok"] == false || item.get("error").is_none()), "{run}");
    failed[0].clone()
}

/// Holds that nothing behind a layer on the same way is called well.
#[track_caller]
fn nothing_behind(bench: &Bench, backend: &str, layer: &str) {
    let run = bench.run(&format!("doctor {backend} -o json --timeout 20s"));
    let all = layers(&run, backend);
    let at = all.iter().position(|(name, _)| name == layer).unwrap();
    assert!(at + 1 < all.len(), "nothing is behind: {run}");
    assert!(all[at + 1..].iter().all(|(_, ok)| ok.is_null()), "{run}");
}

#[test]
fn where_all_is_well_each_layer_is_told_and_nothing_is_changed() {
    let bench = Bench::new();
    let run = bench.run("doctor -o json").ends(0).quietly();
    let names = |backend: &str| layers(&run, backend).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ");
    assert!(run.items().iter().all(|item| item["ok"] == true), "{run}");
    assert_eq!(names(""), "config state");
    assert_eq!(names("freebox"), "config dns tcp tls version clock login rights vpn");
    assert_eq!(names("ixon"), "config dns tcp tls version clock dns tcp tls login rights vpn");
    assert_eq!(names("everyware"), "config dns tcp tls login version clock rights vpn");
    for vendor in ["freebox", "ixon", "everyware"] {
        let writes: Vec<String> = bench.asked(vendor).into_iter().filter(|line| !line.starts_with("GET ")).collect();
        let logins = |line: &String| line.contains("login/session") || line.contains("/authentication/user");
        assert!(writes.iter().all(logins) && writes.len() <= 1, "{vendor}: {writes:?}");
    }
    bench.requests();
    bench.run("doctor -q").ends(0).quietly();
    assert_eq!(bench.count("freebox", "POST") + bench.count("everyware", "POST"), 0, "there is a login already");
    assert_eq!(bench.count("everyware", "GET /v1/authentication/info"), 1, "it tells the login and its rights at once");
    // api_version, login, status, list; discovery, token, companies, status; info, sys-info, profiles, devices.
    assert_eq!(bench.requests(), 12);
}

#[test]
fn what_people_read_has_a_line_for_each_layer() {
    let bench = Bench::with_faults(&["freebox:no-settings-right", "ixon:version=1.4.2", "everyware:refuse-login"]);
    let mut told = String::new();
    for backend in ["freebox", "ixon", "everyware"] {
        let run = bench.run(&format!("doctor {backend}"));
        told.push_str(&format!("===== vpnctl doctor {backend}\n{}---\n{}--- {}\n\n", run.stdout, run.stderr, run.code));
    }
    let told = redacted(&bench, &told);
    insta::assert_snapshot!("doctor", without_times(&told));
}

/// Replaces what was measured.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(" ms)") {
        match part.rsplit_once('(').filter(|(_, end)| end.ends_with(" ms)")) {
            Some((before, _)) => out.push_str(&format!("{before}(N ms)")),
            None => out.push_str(part),
        }
    }
    let days = |line: &str| match (line.find("Z ("), line.find(" days)")) {
        (Some(from), Some(to)) => format!("{}Z (N{}", &line[..from], &line[to..]),
        _ => line.to_owned(),
    };
    // Some systems have two addresses for it.
    let here = |line: &str| match line.split_once("localhost is ") {
        Some((before, _)) => format!("{before}localhost is HERE"),
        None => line.to_owned(),
    };
    out.lines().map(|line| here(&days(line)) + "\n").collect()
}

#[test]
fn a_name_that_nobody_knows_and_a_port_that_nobody_listens_at_are_told_apart() {
    // No name has so long a part, so the system refuses it without asking anybody.
    let nameless = format!("https://{}.invalid/v1", "x".repeat(64));
    for vendor in ["freebox", "ixon", "everyware"] {
        let mut bench = Bench::new();
        let variable = format!("VPNCTL_BACKEND_{}_URL", vendor.to_uppercase());
        bench.set(&variable, NOWHERE);
        let found = fails(&bench, vendor, "tcp", "net.refused");
        assert_eq!(found["error"]["layer"], "tcp");
        bench.set(&variable, nameless.clone());
        fails(&bench, vendor, "dns", "net.dns");
        if vendor != "ixon" {
            nothing_behind(&bench, vendor, "dns");
        }
    }
}

#[test]
fn a_cloud_is_looked_at_also_where_the_client_on_this_computer_is_not_there() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_IXON_URL", NOWHERE);
    let run = bench.run("doctor ixon -o json").ends(5);
    let all = layers(&run, "ixon");
    let ok = |layer: &str| all.iter().rev().find(|(name, _)| name == layer).unwrap().1.clone();
    assert_eq!(
        (ok("login"), ok("rights"), ok("version"), ok("vpn")),
        (json!(true), json!(true), Value::Null, Value::Null)
    );
}

#[test]
fn each_fault_of_a_certificate_is_told_with_the_certificate() {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    let made = |hosts: &[&str]| CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>());
    let mut expired = made(&["localhost", "127.0.0.1"]).unwrap();
    expired.not_after = date_time_ymd(2001, 1, 1);
    for (params, words) in [(made(&["vpn.example.org"]).unwrap(), "another name"), (expired, "expired")] {
        let mut bench = Bench::new();
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let shown = bench.write("shown.pem", &(certificate.pem() + &key.serialize_pem()));
        let named = bench.write("named.pem", &certificate.pem());
        bench.fault("ixon", &format!("certificate=user-provided:{}", shown.display()));
        bench.set("VPNCTL_BACKEND_IXON_TLS_CA_FILE", named.to_str().unwrap());
        let run = bench.run("doctor ixon -o json").ends(5);
        let failed = &failing(&run, "ixon")[0];
        assert_eq!((&failed["layer"], &failed["error"]["code"]), (&json!("tls"), &json!("net.tls_untrusted")), "{run}");
        let finding = failed["finding"].as_str().unwrap();
        assert!(finding.contains(words) && finding.contains("signed by itself"), "{finding}");
        assert_eq!(finding.contains("ended 2001-01-01"), words == "expired", "{finding}");
        assert_eq!(finding.contains("(vpn.example.org) than localhost"), words != "expired", "{finding}");
    }
}

#[test]
fn a_stranger_a_pin_and_a_changed_pin_are_told() {
    let bench = Bench::new();
    bench.write("vpnctl.toml", &bench.config_without(&["ca_file"]));
    for vendor in ["ixon", "everyware"] {
        let run = bench.run(&format!("doctor {vendor} -o json")).ends(5);
        let failed = &failing(&run, vendor)[0];
        assert_eq!((&failed["layer"], &failed["error"]["code"]), (&json!("tls"), &json!("net.tls_untrusted")), "{run}");
        assert!(failed["finding"].as_str().unwrap().contains("signed by CN=vpnctl simulator CA"), "{run}");
    }
    bench.run("trust add -b ixon").ends(0);
    let run = bench.run("doctor ixon -o json");
    assert!(run.stdout.contains("TLS 1.3, pinned, CN=localhost"), "{run}");
    bench.fault("ixon", "certificate=renewed");
    let run = bench.run("doctor ixon -o json").ends(5);
    assert_eq!(failing(&run, "ixon")[0]["error"]["code"], "net.tls_pin_changed", "{run}");
    assert!(failing(&run, "ixon")[0]["remedy"].as_str().unwrap().contains("vpnctl trust rm -b ixon"), "{run}");
}

#[test]
fn a_version_that_will_not_do_is_told_and_the_rest_is_looked_at() {
    let bench = Bench::with_faults(&["ixon:version=1.4.6", "freebox:api-version=1.0"]);
    let found = fails(&bench, "ixon", "version", "unsupported");
    assert!(found["finding"].as_str().unwrap().contains("CVE-2026-75925"), "{found}");
    let run = bench.run("doctor freebox -o json").ends(12);
    assert_eq!(failing(&run, "freebox")[0]["layer"], "version", "{run}");
    for odd in ["missing", "garbage"] {
        bench.fault("ixon", &format!("version={odd}"));
        let run = bench.run("doctor ixon -o json").ends(0);
        let version = layers(&run, "ixon").into_iter().find(|(layer, _)| layer == "version").unwrap();
        assert_eq!(version.1, Value::Null, "what is not told is not known: {run}");
    }
}

#[test]
fn a_login_that_is_refused_is_sent_once_and_no_more() {
    let bench = Bench::with_faults(&["freebox:invalid-token", "ixon:token-expired", "everyware:refuse-login"]);
    fails(&bench, "freebox", "login", "auth.rejected");
    assert_eq!(bench.count("freebox", "POST"), 1);
    nothing_behind(&bench, "freebox", "login");
    fails(&bench, "ixon", "login", "auth.expired");
    fails(&bench, "everyware", "login", "auth.rejected");
    nothing_behind(&bench, "everyware", "login");
    // The second and the third run know of the refusal.
    bench.run("doctor everyware").ends(4);
    assert_eq!(bench.count("everyware", "POST"), 1);
    // None is made where none is configured.
    let bare = Bench::new();
    bare.write("vpnctl.toml", &bare.config_without(&["app_token", "password"]));
    for vendor in ["freebox", "everyware"] {
        fails(&bare, vendor, "login", "auth.required");
        assert_eq!(bare.count(vendor, "POST"), 0);
    }
}

#[test]
fn a_right_that_is_missing_is_told_unless_nothing_needs_it() {
    let mut bench =
        Bench::with_faults(&["freebox:no-settings-right", "everyware:no-permission=device_management:execute"]);
    let found = fails(&bench, "freebox", "rights", "auth.forbidden");
    assert!(found["remedy"].as_str().unwrap().contains("Modification des réglages"), "{found}");
    fails(&bench, "everyware", "rights", "auth.forbidden");
    bench.set("VPNCTL_BACKEND_FREEBOX_READ_ONLY", "true");
    bench.run("doctor freebox").ends(0).prints("read-only, so that will do");
    bench.set("VPNCTL_BACKEND_IXON_COMPANY_ID", "0000-0000-0000-0000-0000");
    fails(&bench, "ixon", "rights", "config.invalid");
    // Who may not look tells nobody that nothing is there.
    bench.fault("everyware", "no-permission=vpn:read");
    let run = bench.run("doctor everyware -o json").ends(0);
    assert!(run.stdout.contains("whether a VPN server is assigned is not told"), "{run}");
}

#[test]
fn a_login_that_is_told_nothing_at_all_is_not_called_well() {
    let bench = Bench::new();
    // Who is told what the login may do knows that much.
    for path in ["/vpnServers", "/_/devices"] {
        bench.fault("everyware", &format!("http-status=403@{path}"));
        let run = bench.run("doctor everyware -o json").ends(0);
        assert!(layers(&run, "everyware").iter().all(|(_, ok)| *ok != json!(false)), "{run}");
    }
    for (status, code) in [(403, "auth.forbidden"), (404, "vendor.protocol")] {
        bench.fault("everyware", &format!("http-status={status}"));
        fails(&bench, "everyware", "vpn", code);
    }
}

#[test]
fn a_vpn_that_is_not_there_is_told() {
    let bench = Bench::with_faults(&["freebox:no-tunnels", "everyware:no-bundle=*"]);
    let found = fails(&bench, "freebox", "vpn", "target.not_found");
    assert!(found["remedy"].as_str().unwrap().contains("tunnel import -b freebox"), "{found}");
    fails(&bench, "everyware", "vpn", "device.no_vpn");
    let broken = Bench::with_faults(&["freebox:tunnel-fails=auth_failed"]);
    broken.run("disconnect -b freebox").ends(0);
    broken.run("connect -b freebox vpn0").ends(7);
    fails(&broken, "freebox", "vpn", "tunnel.auth_failed");
}

#[test]
fn an_answer_that_is_none_is_found_at_the_layer_that_asked() {
    for (vendor, layer) in [("freebox", "version"), ("ixon", "version"), ("everyware", "login")] {
        let bench = Bench::with_faults(&[&format!("{vendor}:not-json")]);
        let run = bench.run(&format!("doctor {vendor} -o json")).ends(14);
        assert_eq!(failing(&run, vendor)[0]["layer"], layer, "{run}");
    }
}

#[test]
fn one_server_that_never_answers_does_not_keep_the_others_from_being_told() {
    let bench = Bench::with_faults(&["freebox:silent"]);
    let mut child = bench.start("doctor -o ndjson --timeout 0 --request-timeout 1h");
    let mut told: Vec<Value> = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        told.push(serde_json::from_str(&line.unwrap()).unwrap());
        if told.iter().filter(|item| item["layer"] == "vpn").count() == 2 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let vpn = |backend: &str| told.iter().find(|item| item["backend"] == backend && item["layer"] == "vpn").unwrap();
    assert_eq!((&vpn("ixon")["ok"], &vpn("everyware")["ok"]), (&json!(true), &json!(true)));
    assert!(told.iter().all(|item| item["backend"] != "freebox"), "what is not done is in no block: {told:?}");
    // Within its time it is told too.
    let run = bench.run("doctor freebox -o json --request-timeout 300ms");
    assert_eq!(failing(&run, "freebox")[0]["error"]["code"], "timeout.request", "{run}");
    run.ends(5);
}

#[test]
fn the_code_is_that_of_the_first_layer_that_fails_of_whatever_backend() {
    let mut bench = Bench::with_faults(&["everyware:refuse-login"]);
    bench.run("doctor").ends(4);
    bench.set("VPNCTL_BACKEND_FREEBOX_URL", NOWHERE);
    bench.run("doctor freebox ixon").ends(5);
    bench.run("doctor -b freebox -b ixon").ends(5);
    // A login that fails behind a connection that fails elsewhere comes after it, whichever is named first.
    for names in ["-A", "everyware freebox", "freebox everyware"] {
        let run = bench.run(&format!("doctor {names} -o json")).ends(5);
        let error = run.fails("net.refused");
        assert_eq!((&error["backend"], &error["layer"]), (&json!("freebox"), &json!("tcp")), "{run}");
        assert!(error["message"].as_str().unwrap().starts_with("2 of "), "{run}");
    }
    bench.run("doctor nobody").ends(6);
    bench.run("doctor freebox -A").ends(2);
    bench.set("VPNCTL_BACKEND", "ixon");
    let run = bench.run("doctor -o json").ends(0);
    assert!(layers(&run, "freebox").is_empty() && !layers(&run, "ixon").is_empty(), "the default one is meant: {run}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_finding() {
    let bench = Bench::new();
    let run = bench.run_by("[backend.home]\nvendor = \"freebox\"\ncolour = 1\n", "doctor -o json").ends(13);
    assert_eq!(run.fails("config.unknown_key")["layer"], "config");
    let first = run.items().remove(0);
    assert_eq!((&first["layer"], &first["ok"]), (&json!("config"), &json!(false)), "{run}");
    assert!(first["finding"].as_str().unwrap().contains("other.toml:3:1"), "{run}");
    bench.run("doctor --config missing.toml").ends(13).prints("missing.toml");
    bench.run_where("VPNCTL_TIMEOUT", "soon", "doctor").ends(2).without_output();
}

#[test]
fn secrets_are_looked_for_where_they_should_be() {
    let bench = Bench::new();
    let config =
        |secret: &str| format!("[backend.home]\nvendor = \"freebox\"\nurl = \"{NOWHERE}\"\napp_token = {secret}\n");
    let run = bench.run_by(&config("{ env = \"THERE_IS_NONE\" }"), "doctor -o json").ends(13);
    assert_eq!(failing(&run, "home")[0]["layer"], "config", "{run}");
    // Asking a command may ask its user, so it is not asked before it is needed.
    let touched = bench.path("touched");
    let command = format!("{{ command = [\"touch\", \"{}\"] }}", touched.display());
    bench.run_by(&config(&command), "doctor").ends(5).prints("`app_token` is asked for when it is needed");
    assert!(!touched.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = bench.write("lax", "token");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = config(&format!("{{ file = \"{}\" }}", path.display()));
        bench.run_by(&text, "doctor").ends(13).prints("run: chmod 600");
    }
}

#[cfg(unix)]
#[test]
fn the_state_folder_is_looked_at_and_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let state = |run: &Run| run.items().into_iter().find(|item| item["layer"] == "state").unwrap();
    let set = |name: &str, mode: u32| {
        let path = bench.state().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let files = || std::fs::read_dir(bench.state()).unwrap().count();
    let before = files();
    assert_eq!(state(&bench.run("doctor freebox -o json").ends(0))["ok"], true);
    assert_eq!(files(), before);
    set("", 0o755);
    let told = state(&bench.run("doctor freebox -o json").ends(13));
    assert!(told["remedy"].as_str().unwrap().starts_with("run: chmod 700"), "{told}");
    set("", 0o700);
    set("freebox.json", 0o644);
    let told = state(&bench.run("doctor freebox -o json").ends(13));
    assert!(told["remedy"].as_str().unwrap().starts_with("run: chmod 600"), "{told}");
    std::fs::write(bench.state().join("freebox.json"), "{\"half").unwrap();
    set("freebox.json", 0o600);
    let told = state(&bench.run("doctor freebox -o json").ends(0));
    assert_eq!(told["ok"], Value::Null);
    assert!(told["finding"].as_str().unwrap().contains("freebox.json is corrupt"), "{told}");
    std::fs::remove_file(bench.state().join("freebox.json.corrupt")).unwrap();
    std::fs::write(bench.state().join("freebox.pin.json"), "{\"half").unwrap();
    set("freebox.pin.json", 0o600);
    let told = state(&bench.run("doctor ixon -o json").ends(13));
    assert!(told["remedy"].as_str().unwrap().starts_with("run: vpnctl trust rm -b freebox"), "{told}");
    std::fs::remove_file(bench.state().join("freebox.pin.json")).unwrap();
    let lock = std::fs::File::open(bench.state().join("freebox.lock")).unwrap();
    lock.lock().unwrap();
    let told = state(&bench.run("doctor ixon -o json").ends(0));
    assert!(told["finding"].as_str().unwrap().contains("holds"), "{told}");
    drop(lock);
    // A file stands where the folder should be made.
    let file = bench.write("file", "").join("state");
    let told = state(&bench.run_where("VPNCTL_STATE_DIR", file.to_str().unwrap(), "doctor ixon -o json").ends(13));
    assert!(told["finding"].as_str().unwrap().contains("can't be written"), "{told}");
}

#[test]
fn a_clock_that_is_off_is_told() {
    use std::io::{Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let body = "{\"api_version\":\"4.0\",\"api_base_url\":\"/api/\"}";
            let head = "HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\nConnection: close";
            // Who only connects reads nothing.
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    let bench = Bench::new();
    let run = bench.run_by(&format!("[backend.home]\nvendor = \"freebox\"\nurl = \"{url}\"\n"), "doctor -o json");
    let clock = failing(&run, "home").remove(0);
    assert_eq!(clock["layer"], "clock", "{run}");
    assert!(clock["finding"].as_str().unwrap().contains("ahead of"), "{run}");
    run.ends(13);
}

#[test]
fn on_a_fresh_machine_what_is_built_in_need_not_be_set_up() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = bare(folder.path());
        for vendor in ["FREEBOX", "IXON"] {
            command.env(format!("VPNCTL_BACKEND_{vendor}_URL"), NOWHERE);
        }
        command.env("VPNCTL_BACKEND_IXON_CLOUD_URL", NOWHERE).args(line.split(' '));
        Run::of(command, "")
    };
    let told = run("doctor -o json").ends(5);
    let everyware = told.items().into_iter().filter(|item| item["backend"] == "everyware").collect::<Vec<_>>();
    assert_eq!(everyware.len(), 1, "{told}");
    assert_eq!((&everyware[0]["layer"], &everyware[0]["ok"]), (&json!("config"), &Value::Null), "{told}");
    assert!(everyware[0]["remedy"].as_str().unwrap().contains("VPNCTL_BACKEND_EVERYWARE_URL"), "{told}");
    run("doctor everyware -o json").ends(13).fails("config.invalid");
}

#[test]
fn every_format_has_it() {
    let bench = Bench::new();
    bench.run("doctor freebox -o csv").ends(0).prints("backend,layer,ok,finding,remedy");
    bench.run("doctor freebox -o value --fields layer,ok").ends(0).prints("login");
    bench.run("doctor freebox -o yaml").ends(0).prints("layer: vpn");
    bench.run("doctor freebox -o wide").ends(0).prints("FINDING");
    let run = bench.run("doctor freebox --jq '[.items[].layer] | length'").ends(0);
    assert_eq!(run.stdout.trim(), "11");
    bench.run("--demo doctor").ends(0).prints("✓ ok  vpn");
}

#[test]
fn a_proxy_of_the_environment_is_told_without_its_password() {
    let bench = Bench::new();
    let run = bench.run_where("https_proxy", "http://me:canary@127.0.0.1:1", "doctor freebox -o json").ends(0);
    assert!(run.stdout.contains("https_proxy set") && !run.stdout.contains("canary"), "{run}");
    // What is elsewhere goes through it: the proxy is what is looked for.
    let mut command = bench.command("doctor -o json");
    command.env("https_proxy", "http://127.0.0.1:1").env("VPNCTL_BACKEND_FREEBOX_URL", "https://box.invalid");
    command.env("VPNCTL_BACKEND", "freebox");
    let run = Run::of(command, "").ends(5);
    assert!(run.stdout.contains("the proxy 127.0.0.1 is an address"), "{run}");
    assert_eq!(failing(&run, "freebox")[0]["layer"], "tcp", "{run}");
}
