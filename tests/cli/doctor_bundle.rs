//! `doctor --bundle`: what helps others to help, and nothing that is anybody's own.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use base64::Engine as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::bench::Bench;
use crate::doctor_remedies::answering;
use crate::run::Run;

/// What is planted: in the configuration, the environment, a server's answers.
const CANARIES: &[&str] = &[
    "canary-attic",
    "canary-cellar",
    "canary.host.example",
    "203.0.113.77",
    "2001:db8::77",
    "de:ad:be:ef:00:77",
    "Canary Röder & Söhne",
    "canary-user",
    "canary-label",
    "canary-home",
    "canary-machine",
    "canary-company-7777",
    "canary-app-token",
    "canary-server-text",
    "canary@mail.example",
    "8d2f1c77aa",
    "CANARY_VARIABLE",
    "20011",
    "warehouse",
];

/// Each form in which a value could stand in a text.
fn forms(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap();
    let ascii: String =
        value.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect();
    vec![
        value.to_lowercase(),
        json.trim_matches('"').to_lowercase(),
        ascii,
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string().to_lowercase(),
        base64::engine::general_purpose::STANDARD.encode(value).trim_end_matches('=').to_lowercase(),
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value).to_lowercase(),
    ]
}

/// A server that answers everything with a page full of canaries.
fn babbler() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Numbers, and words of vpnctl's own, in what is not its own.
            let body = format!("canary-server-text of {} closed unit 20011 is warehouse", CANARIES.join(" and "));
            // Who only connects reads nothing.
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 418 Odd\r\nConnection: close\r\nServer: canary-server-text/1.0";
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}

fn configuration(bench: &Bench) -> String {
    let own = bench.config().replace("[backend.freebox", "[backend.canary-attic");
    format!(
        "{own}\n\
         [backend.canary-cellar]\nvendor = \"freebox\"\nurl = \"{}\"\nlabels = {{ site = \"canary-label\" }}\n\
         app_token = {{ command = [\"echo\", \"canary-app-token\"] }}\napp_id = \"Canary Röder & Söhne\"\n\
         [backend.hall]\nvendor = \"freebox\"\nurl = \"https://canary.host.example:8443/api\"\n\
         app_token = {{ env = \"CANARY_VARIABLE\" }}\nconnect_address = \"203.0.113.77\"\n\
         [backend.roof]\nvendor = \"ixon\"\nurl = \"https://127.0.0.1:1\"\ncloud_url = \"http://127.0.0.1:1\"\n\
         company_id = \"canary-company-7777\"\nemail = \"canary@mail.example\"\npassword = {{ env = \"CANARY_VARIABLE\" }}\n\
         [group.canary-label]\nselect = \"site=canary-label\"\n",
        babbler()
    )
}

/// Runs `doctor` in a place full of canaries, and gives the text of the bundle.
fn made(bench: &Bench) -> (Run, String) {
    let config = bench.write("vpnctl.toml", &configuration(bench));
    let state = bench.path("canary-home/state");
    let mut command = bench.command("doctor -A --bundle bundle.json");
    command.env("VPNCTL_CONFIG", config).env("VPNCTL_STATE_DIR", &state);
    command.env("HOME", bench.path("canary-home")).env("USER", "canary-user").env("HOSTNAME", "canary-machine");
    command.env("VPNCTL_BACKEND_CANARY_ATTIC_TIMEOUT", "9s");
    let run = Run::of(command, "");
    let text = std::fs::read_to_string(bench.path("bundle.json")).unwrap_or_else(|error| panic!("{error}: {run}"));
    (run, text)
}

#[test]
fn nothing_that_is_anybodys_own_is_in_a_bundle() {
    let bench = Bench::new();
    let (run, text) = made(&bench);
    let told = text.to_lowercase();
    let folder = bench.folder.path().to_str().unwrap().to_owned();
    let secrets: Vec<String> =
        ["freebox-app-token", "ixon-token", "everyware-password"].map(|name| bench.secret(name)).to_vec();
    // What the vendors know and show: names and ids of tunnels, users, the application, the account.
    let shown = ["Downloads", "operator", "demo@example.org", "org.vpnctl.simulated", "vpnctl simulator CA", "vpn0"];
    let all = CANARIES.iter().map(|canary| (*canary).to_owned()).chain(secrets).chain([folder]);
    for value in all.chain(shown.map(str::to_owned)) {
        for form in forms(&value) {
            assert!(!told.contains(&form), "{value} is in the bundle as {form}: {text}");
        }
    }
    // It was there to be left out.
    for part in ["canary-server-text", "canary-attic", "canary.host.example", "Downloads", "operator"] {
        assert!(format!("{run}{}", configuration(&bench)).contains(part), "{part} was not planted: {run}");
    }
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert!(bundle["doctor"].as_array().unwrap().len() > 30, "{text}");
    assert!(bundle["requests"].as_array().unwrap().iter().any(|one| one["status"] == 418), "{text}");
}

#[test]
fn one_value_has_one_placeholder_wherever_it_stands() {
    let bench = Bench::new();
    let (_, text) = made(&bench);
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let backends = bundle["configuration"]["backends"].as_object().unwrap();
    // The one whose setting comes from the environment is canary-attic.
    let attic = backends.iter().find(|(_, keys)| keys["timeout"]["origin"] == "environment").unwrap().0;
    assert!(attic.starts_with("backend-"), "{text}");
    let items = bundle["doctor"].as_array().unwrap();
    let own: Vec<&Value> = items.iter().filter(|item| item["backend"] == attic.as_str()).collect();
    assert!(own.iter().any(|item| item["layer"] == "vpn" && item["ok"] == true), "{text}");
    assert!(bundle["requests"].as_array().unwrap().iter().any(|one| one["backend"] == attic.as_str()), "{text}");
    let files = bundle["state"]["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["name"] == format!("{attic}.json")), "{text}");
    let names = bundle["environment"].as_array().unwrap();
    assert!(names.contains(&format!("timeout of {attic}").into()), "{text}");
    // Which port leads where on this computer is somebody's own; what the vendor's page has is not.
    let ports: Vec<&Value> = backends.values().filter_map(|keys| keys.get("url")).map(|url| &url["value"]).collect();
    assert!(ports.iter().any(|url| url.as_str().unwrap().starts_with("http://127.0.0.1:port-")), "{ports:?}");
    for (vendor, server) in [("freebox", "api"), ("ixon", "client"), ("ixon", "cloud"), ("everyware", "api")] {
        let url = bench.url(vendor, server);
        let port: String = url.rsplit(':').next().unwrap().chars().take_while(char::is_ascii_digit).collect();
        assert!(!text.contains(&format!(":{port}")), "{port} is in {text}");
    }
    // A host stands in the setting and in nothing else; an address that was planted twice is one.
    let hall = backends.values().find(|keys| keys["connect_address"].is_object()).unwrap();
    assert!(hall["url"]["value"].as_str().unwrap().starts_with("https://host-"), "{text}");
    let cellar = items.iter().find(|item| item["error"]["http_status"] == 418).unwrap();
    let address = hall["connect_address"]["value"].as_str().unwrap();
    assert!(cellar["finding"].as_str().unwrap().contains(address), "{address}: {cellar}");
    for secret in backends.values().filter_map(|keys| keys.get("app_token")) {
        assert!(["env", "file", "command"].contains(&secret["value"].as_str().unwrap()), "{secret}");
    }
}

#[test]
fn a_bundle_is_its_owners_and_replaces_nothing_unasked() {
    let bench = Bench::new();
    bench.run("doctor freebox --bundle bundle.json").ends(0).tells("bundle.json: the support bundle");
    let path = bench.path("bundle.json");
    #[cfg(unix)]
    assert_eq!(crate::bench::mode(&path), 0o600);
    let first = std::fs::read_to_string(&path).unwrap();
    bench.requests();
    bench.run("doctor freebox --bundle bundle.json -o json").ends(9).without_output().fails("conflict.exists");
    assert_eq!(bench.requests(), 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    bench.run("doctor ixon --bundle bundle.json --yes -q").ends(0).quietly();
    assert_ne!(std::fs::read_to_string(&path).unwrap(), first);
    bench.run("doctor freebox --bundle -").ends(2).without_output();
    bench.run("doctor freebox --bundle nowhere/bundle.json").ends(2);
    bench.run("doctor freebox --bundle other.json --dry-run").ends(0).tells("would write other.json");
    assert!(!bench.path("other.json").exists());
    // The bundle is there also where something fails, and the error stays the last line.
    bench.fault("freebox", "no-settings-right");
    std::fs::remove_dir_all(bench.state()).unwrap();
    bench.run("doctor freebox --bundle failed.json -o json").ends(11).fails("auth.forbidden");
    assert!(std::fs::read_to_string(bench.path("failed.json")).unwrap().contains("auth.forbidden"));
}

#[test]
fn what_vpnctl_says_itself_can_be_read() {
    let bench = Bench::with_faults(&[
        "freebox:no-settings-right",
        "freebox:no-tunnels",
        "ixon:version=1.4.2",
        "ixon:token-expired",
        "everyware:no-permission=device_management:execute",
        "everyware:no-bundle=*",
    ]);
    let run = bench.run("doctor -A --bundle bundle.json -o json");
    let text = std::fs::read_to_string(bench.path("bundle.json")).unwrap();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let told = bundle["doctor"].as_array().unwrap();
    let wrong = |item: &&Value| item["ok"] == false;
    let found: Vec<Value> = run.items().into_iter().filter(|item| wrong(&item)).collect();
    assert_eq!(found.len(), 6, "{run}");
    for item in &found {
        let same = |other: &&Value| ["backend", "layer"].iter().all(|key| other[key] == item[key]) && wrong(other);
        let kept = told.iter().find(same).unwrap_or_else(|| panic!("{item} is not in {text}"));
        // None of these says anything that is somebody's own.
        assert_eq!((&kept["finding"], &kept["remedy"]), (&item["finding"], &item["remedy"]));
    }
    for item in told.iter().filter(|item| item["ok"] == true && item["layer"] == "clock") {
        assert!(item["finding"].as_str().unwrap().ends_with("this computer's clock and the server's agree"), "{item}");
    }
}

#[test]
fn each_request_has_its_method_and_its_path() {
    let bench = Bench::new();
    bench.run("doctor -A --bundle bundle.json -q").ends(0);
    let text = std::fs::read_to_string(bench.path("bundle.json")).unwrap();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let line = |one: &Value| ["backend", "method", "path"].map(|key| one[key].as_str().unwrap().to_owned()).join(" ");
    let asked: Vec<String> = bundle["requests"].as_array().unwrap().iter().map(line).collect();
    for wanted in [
        "freebox POST api/v16/login/session/",
        "freebox GET api/v16/vpn_client/status",
        "ixon GET /status",
        "everyware POST authentication/user",
        "everyware GET _/devices?limit=100&offset=0",
    ] {
        assert!(asked.iter().any(|line| line == wanted), "{wanted}: {asked:#?}");
    }
}

#[test]
fn what_a_server_or_the_configuration_says_is_replaced_though_it_be_in_our_words() {
    let bench = Bench::new();
    let planted = ["20011", "20012", "jane", "warehouse", "canary_code"];
    let bundled = |run: &Run| {
        let text = std::fs::read_to_string(bench.path("bundle.json")).unwrap_or_else(|error| panic!("{error}: {run}"));
        for word in planted {
            assert!(!text.to_lowercase().contains(word), "{word} is in {text}");
        }
        text
    };
    let said = "20011 is not connected to the box of jane; the tunnel in warehouse failed, code 20012";
    let url = answering(move |line| match line.contains("api_version") {
        true => serde_json::json!({"api_version": "4.0", "api_base_url": "/api/"}).to_string(),
        false => serde_json::json!({"success": false, "error_code": "canary_code", "msg": said}).to_string(),
    });
    let run =
        bench.run_where("VPNCTL_BACKEND_FREEBOX_URL", &url, "doctor freebox --bundle bundle.json").prints("20011");
    assert!(bundled(&run).contains("the Freebox "), "{run}");
    let of_home = "[backend.home]\nvendor = \"freebox\"\n";
    for config in [
        format!("{of_home}jane_warehouse = 20011\n"),
        format!("{of_home}url = \"ftp://jane.warehouse/20011\"\n"),
        format!("{of_home}app_token = {{ file = \"/home/jane/warehouse/20011\" }}\n"),
        "[backend.home]\nvendor = \"warehouse 20011 of jane\"\n".to_owned(),
        "jane = [ warehouse 20011\n".to_owned(),
        format!("default_backend = \"jane\"\n{of_home}"),
        format!("[group.jane]\nselect = \"warehouse=20011\"\n[backend.20011]\n{of_home}"),
    ] {
        let run = bench.run_by(&config, "doctor --bundle bundle.json --yes").ends(13);
        bundled(&run);
    }
}
