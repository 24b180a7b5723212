//! `tunnel`: VPN configurations that the box keeps, as a user and a script meet them.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::run::Run;

/// A private key of nobody, which may be in no output.
const KEY: &str = "TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=";
const PRESHARED: &str = "a3ItvEXDcIZFAblcjLoGUQSLh1dzVStMhbuxvyA4D1c=";

/// What `wg-quick` reads, with all that people write into it.
const CONF: &str = "\u{feff}# Lyon\r\n[interface]\r\nprivatekey = TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=  # mine\r\n\
    Address = 198.51.100.10/24\r\nADDRESS = 2001:db8::10\r\nDNS = 198.51.100.53, example.lan\r\nMTU = 1420\r\n\
    PostUp = echo up\r\n\r\n[Peer]\r\nPublicKey = QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=\r\n\
    PresharedKey = a3ItvEXDcIZFAblcjLoGUQSLh1dzVStMhbuxvyA4D1c=\r\nEndpoint = [2001:db8::1]:51820\r\n\
    AllowedIPs = 0.0.0.0/0\r\n";

/// The bodies of the writes to the box so far.
fn written(bench: &Bench) -> Vec<Value> {
    let entries = bench.context("freebox").log.entries();
    let writes = entries.iter().filter(|entry| entry.method != "GET" && entry.path.contains("vpn_client"));
    writes.map(|entry| serde_json::from_str(&entry.body).unwrap_or(Value::Null)).collect()
}

/// Holds that no secret was written anywhere.
#[track_caller]
fn no_secret(run: &Run) {
    for secret in [KEY, PRESHARED, "hunter2-canary", &KEY[..20]] {
        assert!(!run.to_string().contains(secret), "{run}");
    }
}

fn list(bench: &Bench) -> Vec<String> {
    let run = bench.run("tunnel list -b freebox -o json").ends(0).quietly();
    no_secret(&run);
    run.items().iter().map(|item| item["target"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn list_and_show_have_the_documents_of_the_contract_and_no_secret() {
    let bench = Bench::new();
    for line in ["tunnel list", "tunnel show"] {
        let run = bench.run(&format!("{line} -b freebox -o json")).ends(0).quietly();
        assert_eq!(run.json()["schema"], "vpnctl.tunnel/v1");
        assert_eq!(run.items().len(), 3);
        for item in run.items() {
            let keys: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, ["backend", "vendor", "target", "active", "config"]);
        }
        no_secret(&run);
    }
    let item = bench.run("tunnel show 'freebox/LYON wireguard' -o json").ends(0).item();
    assert_eq!(
        (&item["target"]["id"], &item["config"]["conf_wireguard"]["local_priv_key"]),
        (&json!("vpn2"), &json!("***"))
    );
    for format in ["table", "wide", "ndjson", "yaml", "csv", "tsv", "value"] {
        no_secret(&bench.run(&format!("tunnel show vpn2 -b freebox -vvv -o {format}")).ends(0));
    }
    bench.run("tunnel show vpn2 -b freebox").ends(0).prints("remote_port=51820");
    bench.run("tunnel show --id vpn0 -b freebox -o value").ends(0).prints("vpn0");
    bench.run("tunnel show nothing -b freebox -o json").ends(6).fails("target.not_found");
    bench.run("tunnel show --id vpn77 -b freebox -o json").ends(6).fails("target.not_found");
    assert_eq!(bench.run("tunnel list -b freebox --state connected -o value").ends(0).stdout, "vpn1\n");
}

#[test]
fn backends_that_keep_none_are_unsupported_before_any_request() {
    let bench = Bench::new();
    for line in [
        "tunnel list -b ixon",
        "tunnel show x -b everyware",
        "tunnel show ixon/x",
        "tunnel add -b ixon --type pptp --name x",
        "tunnel edit ixon/x --name y",
        "tunnel edit --id x -b everyware --name y",
        "tunnel rm everyware/x --yes",
        "tunnel rm x -b ixon",
        "tunnel import missing.conf -b ixon",
        "tunnel list -b ixon -b everyware",
    ] {
        bench.run(&format!("{line} -o json")).ends(12).without_output().fails("unsupported");
    }
    assert_eq!(bench.requests(), 0);
    let run = bench.run("tunnel list -A -o json").ends(10);
    assert_eq!(run.items().len(), 3, "{run}");
    run.fails("partial");
    assert_eq!(bench.asked("ixon").len() + bench.asked("everyware").len(), 0);
    // A name is looked up where it can be.
    bench.run("tunnel show Downloads -A").ends(0).quietly();
}

#[test]
fn guards_refuse_before_any_request() {
    let bench = Bench::new();
    let conf = bench.write("lyon.conf", CONF);
    let import = format!("tunnel import {} -b freebox", conf.display());
    for line in [
        "tunnel add -b freebox --type pptp --name x --host h --username u --password-stdin",
        "tunnel edit freebox/vpn0 --name y",
        "tunnel edit vpn0 -b freebox --name y",
        "tunnel rm vpn0 -b freebox --yes",
        "tunnel rm freebox/vpn0 --yes",
        &import,
    ] {
        bench.run(&format!("{line} --read-only -o json")).ends(9).without_output().fails("conflict.guard");
        let run = bench.run_where("VPNCTL_BACKEND_FREEBOX_READ_ONLY", "true", &format!("{line} -o json"));
        run.ends(9).without_output().fails("conflict.guard");
    }
    assert_eq!(bench.requests(), 0);
    bench.run("tunnel list -b freebox --read-only").ends(0);
}

#[test]
fn what_is_wrong_by_itself_is_told_before_any_request() {
    let bench = Bench::new();
    bench.write("broken.json", "{\"type\": \"pptp\",\n \"conf_pptp\": {\"password\": \"hunter2-canary\" oops}}");
    bench.write("typo.json", "{\"conf_wireguard\": {\"remote_adr\": \"192.0.2.1\"}}");
    let add = "tunnel add -b freebox --type pptp --name x --host h --username u";
    for (line, parts) in [
        ("tunnel add -b freebox", &["which type", "wireguard"][..]),
        ("tunnel add -b freebox --type pptpd --name x", &["no type `pptpd`", "did you mean `pptp`?"]),
        ("tunnel add -b freebox --type pptp", &["--name", "--host", "--username"]),
        (&format!("{add} --mppe requir_128"), &["did you mean `require_128`?"]),
        (&format!("{add} --auth pap,mschap2"), &["`mschap2`", "did you mean"]),
        (&format!("{add} --port 1723"), &["--port is nothing that a PPTP tunnel has"]),
        (&format!("{add} --port 0"), &["--port"]),
        (add, &["needs a password", "--password-stdin"]),
        (&format!("{add} --no-input"), &["needs a password"]),
        (&format!("{add} --password-stdin --from-json -"), &["both want standard input"]),
        (&format!("{add} --password-file nowhere"), &["nowhere can't be read"]),
        ("tunnel add -b freebox --type openvpn --name x", &["config_file", "tunnel import"]),
        ("tunnel add -b freebox --type openvpn --name x --mtu 1400", &["--mtu", ".ovpn"]),
        ("tunnel add -b freebox --type wireguard --name x --host vpn.example.org", &["no address", "getent hosts"]),
        ("tunnel add -b freebox --type wireguard --name x --dns 192.0.2.1,lan", &["`lan`"]),
        ("tunnel add -b freebox --type wireguard --name x --host 192.0.2.1", &["local_priv_key", "tunnel import"]),
        ("tunnel add -b freebox --from-json broken.json", &["line 2 column"]),
        ("tunnel add -b freebox --type wireguard --from-json typo.json", &["did you mean `remote_addr`?"]),
        ("tunnel add -b freebox --from-json missing.json", &["missing.json can't be read"]),
        ("tunnel edit vpn0 -b freebox", &["nothing is to be changed"]),
        ("tunnel edit vpn0 -b freebox --mppe never", &["`never`"]),
        ("tunnel edit vpn0 -b freebox --mppe require --mtu 1400", &["different types"]),
        ("tunnel rm vpn0 -b freebox", &["--yes"]),
        ("tunnel rm vpn0 -b freebox --no-input", &["--yes"]),
        ("tunnel add -b freebox --type pptp --password hunter2-canary", &["unexpected argument"]),
    ] {
        let run = bench.run(line).ends(2).without_output();
        parts.iter().for_each(|part| assert!(run.stderr.contains(part), "`{part}` is not told: {run}"));
        assert!(!run.stderr.contains("hunter2-canary") || line.contains("canary"), "{run}");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_tunnel_is_added_changed_and_removed() {
    let bench = Bench::new();
    let add = "tunnel add -b freebox --type pptp --name Work --host vpn.example.org --username me --mppe require_128 \
        --auth mschapv2,eap";
    let run = bench.run_with(&format!("{add} --password-stdin -o json"), "hunter2-canary\n").ends(0).quietly();
    no_secret(&run);
    let item = run.item();
    assert_eq!(
        (&item["target"]["id"], &item["changed"], &item["active"]),
        (&json!("vpn3"), &json!(true), &json!(false))
    );
    assert_eq!(run.json()["summary"]["changed"], 1);
    let sent = &written(&bench)[0];
    assert_eq!((&sent["conf_pptp"]["password"], &sent["active"]), (&json!("hunter2-canary"), &json!(false)));
    assert_eq!(
        (&sent["conf_pptp"]["allowed_auth"]["eap"], &sent["conf_pptp"]["allowed_auth"]["pap"]),
        (&json!(true), &json!(false))
    );

    let again = bench.run_with(&format!("{add} --password-stdin -o json"), "hunter2-canary\n").ends(9);
    assert!(again.fails("conflict.exists")["message"].as_str().unwrap().contains("vpn3"), "{again}");

    bench.requests();
    let file = bench.write("password", "hunter2-canary\n");
    let line =
        format!("tunnel edit work -b freebox --host vpn2.example.org --password-file {} -o json", file.display());
    no_secret(&bench.run(&line).ends(0).quietly());
    let sent = written(&bench);
    assert_eq!((sent.len(), sent[0].as_object().unwrap().len()), (1, 1), "only the section: {sent:?}");
    assert_eq!(sent[0]["conf_pptp"]["password"], "hunter2-canary");
    assert_eq!(sent[0]["conf_pptp"]["username"], "me");
    bench.requests();
    let same = bench.run("tunnel edit Work -b freebox --host vpn2.example.org -o json").ends(0).tells("so already");
    assert_eq!((same.item()["changed"].clone(), same.json()["summary"]["changed"].clone()), (json!(false), json!(0)));
    let dry = bench.run("tunnel edit Work -b freebox --name Labour --dry-run -o json").ends(0);
    assert_eq!(dry.tells("would change description").item()["changed"], false);
    bench.run("tunnel rm Work -b freebox --dry-run").ends(0).tells("would remove `Work`");
    assert_eq!(written(&bench), Vec::<Value>::new());
    bench.run("tunnel edit Work -b freebox --name Labour").ends(0).quietly();
    assert_eq!(written(&bench), [json!({"description": "Labour"})]);
    bench.run("tunnel edit Labour -b freebox --type openvpn").ends(2).tells("can't be changed");

    bench.run("tunnel rm Labour -b freebox --yes -o json").ends(0).quietly();
    assert_eq!(bench.count("freebox", "DELETE /api/v16/vpn_client/config/vpn3"), 1);
    assert_eq!(list(&bench), ["Office PPTP", "Downloads", "Lyon WireGuard"]);
    bench.run("tunnel rm Labour -b freebox --yes -o json").ends(6).fails("target.not_found");
}

#[test]
fn an_active_tunnel_goes_down_with_its_removal() {
    let bench = Bench::new();
    bench.run("tunnel rm Downloads -b freebox --dry-run").ends(0).tells("is active and would go down");
    bench.run("tunnel rm 'freebox/Down*' Lyon* -b freebox --yes").ends(0).tells("`Downloads` was active");
    bench.until("disconnected", "status -b freebox");
    assert_eq!(list(&bench), ["Office PPTP"]);
}

#[test]
fn what_is_shown_can_be_edited_and_given_back() {
    let bench = Bench::new();
    let item = bench.run("tunnel show vpn2 -b freebox -o json").ends(0).item();
    let mut config = item["config"].clone();
    bench.write("lyon.json", &config.to_string());
    bench.run("tunnel edit vpn2 -b freebox --from-json lyon.json").ends(0).tells("so already");
    assert_eq!(written(&bench), Vec::<Value>::new());
    config["conf_wireguard"]["remote_port"] = json!(51821);
    config["active"] = json!(true);
    bench.write("lyon.json", &config.to_string());
    bench.run("tunnel edit vpn2 -b freebox --from-json lyon.json").ends(2).tells("--activate");
    config["active"] = json!(false);
    bench.write("lyon.json", &config.to_string());
    bench.run("tunnel edit vpn2 -b freebox --from-json lyon.json --mtu 1300").ends(0).quietly();
    let sent = written(&bench);
    assert_eq!(sent.len(), 1);
    let conf = &sent[0]["conf_wireguard"];
    assert_eq!(
        (&conf["remote_port"], &conf["mtu"], &conf["local_priv_key"]),
        (&json!(51821), &json!(1300), &json!(KEY))
    );
    assert!(sent[0].get("active").is_none() && !sent[0].to_string().contains("***"), "{sent:?}");
    bench.write("typo.json", "{\"conf_wireguard\": {\"remote_adr\": \"192.0.2.9\"}}");
    bench.run("tunnel edit vpn2 -b freebox --from-json typo.json").ends(2).tells("did you mean `remote_addr`?");
    config["conf_wireguard"]["local_priv_key"] = json!("***");
    bench.write("new.json", &config.to_string());
    bench.run("tunnel add -b freebox --name Copy --from-json new.json").ends(2).tells("instead of a secret");
    let json = json!({"type": "wireguard", "conf_wireguard": conf}).to_string();
    no_secret(&bench.run_with("tunnel add -b freebox --name Copy --from-json - -o json", &json).ends(0).quietly());
    assert_eq!(list(&bench).last().unwrap(), "Copy");
}

#[test]
fn activation_never_takes_the_one_vpn_from_another() {
    let bench = Bench::new();
    let conf = bench.write("lyon.conf", CONF);
    for line in [
        format!("tunnel import {} -b freebox --activate", conf.display()),
        "tunnel edit vpn0 -b freebox --activate".to_owned(),
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(9);
        let error = run.fails("conflict.active");
        assert!(error["message"].as_str().unwrap().contains("Downloads"), "{run}");
        assert!(error["hint"].as_str().unwrap().contains("connect --switch"), "{run}");
    }
    assert_eq!(written(&bench), Vec::<Value>::new());
    bench.run("disconnect -b freebox").ends(0);
    bench.requests();
    let item = bench.run(&format!("tunnel import {} -b freebox --activate -o json", conf.display())).ends(0).item();
    assert_eq!((&item["active"], &written(&bench)[0]["active"]), (&json!(true), &json!(true)));
    bench.until("connected", "status -b freebox");
    bench.run("tunnel edit lyon -b freebox --activate").ends(0).tells("so already");
    bench.run("tunnel edit lyon -b freebox --mtu 1300").ends(0).tells("vpnctl reconnect freebox/lyon");
}

#[test]
fn a_wireguard_file_is_imported_and_what_has_no_place_is_told() {
    let bench = Bench::new();
    let file = bench.write("lyon.conf", CONF);
    let dry = bench.run(&format!("tunnel import {} -b freebox --dry-run -o json", file.display())).ends(0);
    no_secret(&dry);
    assert_eq!((dry.item()["target"]["id"].clone(), dry.item()["changed"].clone()), (Value::Null, json!(false)));
    assert_eq!(written(&bench), Vec::<Value>::new());
    let run = bench.run(&format!("tunnel import {} -b freebox -vvv -o json", file.display())).ends(0);
    no_secret(&run);
    for part in ["PostUp (line 8)", "AllowedIPs (line 14)", "`example.lan` (line 6)"] {
        assert!(run.stderr.contains(part), "{run}");
    }
    assert_eq!(
        written(&bench),
        [json!({"type": "wireguard", "description": "lyon", "active": false, "conf_wireguard": {
            "local_priv_key": KEY, "mtu": 1420, "remote_public_key": "QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=",
            "remote_preshared_key": PRESHARED, "remote_addr": "2001:db8::1", "remote_port": 51820,
            "local_addr": [{"ip": "198.51.100.10", "len": 24}, {"ip": "2001:db8::10", "len": 128}],
            "dns": ["198.51.100.53"]}})]
    );
    bench.run(&format!("tunnel import {} -b freebox", file.display())).ends(9).tells("--name");
    bench.run(&format!("tunnel import {} -b freebox --name Other -q", file.display())).ends(0).quietly();
    bench
        .run(&format!("tunnel import {} -b freebox --name X --username u", file.display()))
        .ends(2)
        .tells("--username");
}

#[test]
fn an_openvpn_file_is_imported_with_what_it_names() {
    let bench = Bench::new();
    bench.write("ca.crt", "-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n");
    bench.write("ta key.pem", "hunter2-canary\n");
    bench.write("login.txt", "me\nhunter2-canary\n");
    let file = bench.write(
        "office.ovpn",
        "client\nremote vpn.example.org 1194\nca ca.crt\ntls-auth 'ta key.pem' 1\nauth-user-pass\n# end\n",
    );
    let import = format!("tunnel import {} -b freebox -o json", file.display());
    bench.run(&import).ends(2).without_output().tells("--username");
    bench
        .run_with(&format!("{import} --password-stdin"), "x\n")
        .ends(2)
        .without_output()
        .tells("no user that it is of");
    bench.run(&format!("{import} --username me")).ends(2).without_output().tells("--password-stdin");
    assert_eq!(bench.requests(), 0);
    let run = bench.run_with(&format!("{import} --username me --password-stdin"), "hunter2-canary\n").ends(0).quietly();
    no_secret(&run);
    assert_eq!(
        written(&bench)[0]["conf_openvpn"],
        json!({"config_file": "client\nremote vpn.example.org 1194\n<ca>\n-----BEGIN CERTIFICATE-----\nAAAA\n\
            -----END CERTIFICATE-----\n</ca>\n<tls-auth>\nhunter2-canary\n</tls-auth>\nkey-direction 1\nauth-user-pass\n\
            # end\n", "username": "me", "password": "hunter2-canary"})
    );
    for (name, text) in [
        ("inline", "remote h 1\n<auth-user-pass>\nme\nhunter2-canary\n</auth-user-pass>\n"),
        ("named", "remote h 1\nauth-user-pass login.txt\n"),
    ] {
        bench.requests();
        let file = bench.write(&format!("{name}.ovpn"), text);
        no_secret(&bench.run(&format!("tunnel import {} -b freebox -o json", file.display())).ends(0).quietly());
        let sent = &written(&bench)[0]["conf_openvpn"];
        assert_eq!(
            sent,
            &json!({"config_file": "remote h 1\nauth-user-pass\n", "username": "me", "password": "hunter2-canary"})
        );
    }
}

#[test]
fn a_password_in_a_file_is_that_of_the_user_in_the_file() {
    let bench = Bench::new();
    let file = bench.write("a.ovpn", "remote h 1\n<auth-user-pass>\nme\nhunter2-canary\n</auth-user-pass>\n");
    let import = format!("tunnel import {} -b freebox", file.display());
    bench.run(&format!("{import} --username you")).ends(2).tells("--password-stdin");
    bench.run_with(&format!("{import} --username you --password-stdin"), "other\n").ends(0);
    let conf = written(&bench)[0]["conf_openvpn"].clone();
    assert_eq!((&conf["username"], &conf["password"]), (&json!("you"), &json!("other")));
}

#[test]
fn a_bare_name_is_looked_up_in_the_chosen_backend_only() {
    let bench = Bench::new();
    let text = bench.config();
    let home = text.split("[backend.ixon]").next().unwrap();
    let second = home.replace("[backend.freebox]", "[backend.second]").replace("127.0.0.1", "localhost");
    let second = &second[second.find("[backend.second]").unwrap()..];
    let config = format!("default_backend = \"freebox\"\n{home}{second}");
    // A prefix chooses for its own name only; in both it would be ambiguous.
    let run = bench.run_by(&config, "tunnel show second/vpn0 Downloads -o csv --fields backend,target.id --no-header");
    assert_eq!(run.ends(0).quietly().stdout, "second,vpn0\nfreebox,vpn1\n");
    bench.run_by(&config, "tunnel show Downloads -A").ends(2).tells("second/Downloads");
}

#[test]
fn files_that_cannot_be_imported_are_told_with_their_line_and_without_a_key() {
    let bench = Bench::new();
    let head = format!("[Interface]\nPrivateKey = {KEY}\nAddress = 192.0.2.2/32\n");
    let peer = "[Peer]\nPublicKey = QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=\nEndpoint = 192.0.2.1:51820\n";
    for (name, text, part) in [
        ("two.conf", format!("{head}{peer}{peer}"), "two.conf:7: is a second [Peer]"),
        ("name.conf", format!("{head}[Peer]\nEndpoint = vpn.example.org:51820\n"), "name.conf:5: Endpoint is the name"),
        ("port.conf", format!("{head}[Peer]\nEndpoint = 192.0.2.1\n"), "port.conf:5: Endpoint is no address"),
        ("short.conf", format!("[Interface]\nPrivateKey = {}\n", &KEY[..30]), "short.conf:2: PrivateKey is no key"),
        ("slip.conf", format!("[Interface]\n{KEY}\n"), "slip.conf:2: "),
        ("bare.conf", format!("[Interface]\nPrivateKey {}\n", &KEY[..43]), "bare.conf:2: is neither"),
        ("typo.conf", format!("{head}[Peer]\nPresharedKy = {KEY}\n"), "did you mean `presharedkey`?"),
        ("lacks.conf", head.clone(), "lacks.conf: lacks PublicKey in [Peer], Endpoint in [Peer]"),
        ("wrong.conf", "client\nremote h 1\n".to_owned(), "wrong.conf:1: is neither"),
        ("empty.conf", String::new(), "empty.conf: lacks PrivateKey"),
        ("addr.conf", "[Interface]\nAddress = 192.0.2.2/33\n".to_owned(), "addr.conf:2: `192.0.2.2/33`"),
        ("gone.ovpn", "remote h 1\nca gone.crt\n".to_owned(), "gone.ovpn:2: `ca` names the file gone.crt"),
        ("p12.ovpn", "remote h 1\npkcs12 me.p12\n".to_owned(), "p12.ovpn:2: `pkcs12`"),
        ("open.ovpn", format!("remote h 1\n<key>\n{KEY}\n"), "open.ovpn:2: <key> is never closed"),
        ("server.ovpn", "client\n".to_owned(), "names no server"),
        ("what.txt", head.clone(), "what.txt: the ending"),
    ] {
        let file = bench.write(name, &text);
        let run = bench.run(&format!("tunnel import {} -b freebox", file.display())).ends(2).without_output();
        no_secret(&run);
        assert!(run.stderr.contains(part), "`{part}` is not told: {run}");
    }
    std::fs::write(bench.path("latin.conf"), b"[Interface]\n# caf\xe9\n").unwrap();
    bench.run("tunnel import latin.conf -b freebox").ends(2).tells("UTF-8");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn the_right_that_writes_need_is_told() {
    let bench = Bench::with_faults(&["freebox:no-settings-right"]);
    for line in ["tunnel edit vpn0 -b freebox --name x", "tunnel rm vpn0 -b freebox --yes"] {
        let run = bench.run(&format!("{line} -o json")).ends(11);
        assert!(run.fails("auth.forbidden")["hint"].as_str().unwrap().contains("Gestion des accès"), "{run}");
    }
}

#[test]
fn what_is_printed_can_be_given_back() {
    let bench = Bench::new();
    for line in [
        "tunnel show vpn2 -b freebox -o json",
        "tunnel show vpn2 -b freebox -o json --fields config",
        "api -b freebox GET vpn_client/config/vpn2",
    ] {
        let printed = bench.run(line).ends(0).stdout;
        assert!(printed.contains("1420"), "{printed}");
        let writes = || bench.count("freebox", "PUT") + bench.count("freebox", "POST /api/v16/vpn_client");
        let before = writes();
        let run = bench.run_with("tunnel edit vpn2 -b freebox --from-json -", &printed).ends(0);
        run.tells("so already");
        assert_eq!(writes(), before, "{line}");
        let other = printed.replace("1420", "1380");
        bench.run_with("tunnel edit vpn2 -b freebox --from-json -", &other).ends(0);
        let now = bench.run("tunnel show vpn2 -b freebox -o json").ends(0).item();
        assert_eq!(now["config"]["conf_wireguard"]["mtu"], 1380, "{line}");
        assert!(now["config"]["conf_wireguard"].get("items").is_none(), "{now}");
        bench.run("tunnel edit vpn2 -b freebox --mtu 1420").ends(0);
    }
    let all = bench.run("tunnel list -b freebox -o json").ends(0).stdout;
    bench.run_with("tunnel edit vpn2 -b freebox --from-json -", &all).ends(2).tells("3 tunnels");
}

#[test]
fn a_password_file_holds_the_password_alone() {
    let bench = Bench::new();
    bench.write("password", "user\ncanary\n");
    let run = bench.run("tunnel edit vpn0 -b freebox --password-file password").ends(2);
    run.clone().tells("several lines").tells("--username");
    no_secret(&run);
    bench.write("password", "canary\r\n\n");
    bench.run("tunnel edit vpn0 -b freebox --password-file password").ends(0);
    assert_eq!(written(&bench)[0]["conf_pptp"]["password"], "canary");
}

#[test]
fn what_a_write_of_unknown_outcome_left_is_read_and_told() {
    let bench = Bench::new();
    let conf = bench.write("lyon.conf", CONF);
    let password = bench.write("password", "hunter2-canary\n");
    let import = format!("tunnel import {} -b freebox", conf.display());
    let secret = format!("tunnel edit vpn0 -b freebox --password-file {}", password.display());
    let edit = "tunnel edit vpn0 -b freebox --name New --host 192.0.2.7";
    bench.run("status -b freebox").ends(0);
    for (line, write, target, told) in [
        ("tunnel rm vpn2 -b freebox --yes", "DELETE", "Lyon WireGuard", "it is still there"),
        (edit, "PUT", "Office PPTP", "it does not have the new `description`, `conf_pptp.remote_host`"),
        (&secret, "PUT", "Office PPTP", "that it has the new `conf_pptp.password` can't be seen"),
        (&import, "POST", "lyon", "the box does not list it"),
    ] {
        for fault in ["http-status=504", "http-status=408", "redirect=http://192.0.2.1/"] {
            bench.requests();
            bench.fault("freebox", &format!("{fault}@{write} /api/v16/vpn_client"));
            let run = bench.run(&format!("{line} -o json")).ends(8);
            bench.context("freebox").faults.clear_all();
            assert_eq!(written(&bench).len(), 1, "{run}");
            let error = run.fails("timeout.unknown_outcome");
            assert!(error["message"].as_str().unwrap().ends_with(&format!("; {told}")), "{run}");
            assert_eq!((&error["target"], &error["backend"]), (&json!(target), &json!("freebox")), "{run}");
            assert!(error["hint"].as_str().unwrap().starts_with("the request was not repeated; look again"), "{run}");
        }
    }
    // Where reading proves that it was carried out, it was.
    for (line, write) in [(edit, "PUT"), (&*import, "POST"), ("tunnel rm vpn2 -b freebox --yes", "DELETE")] {
        bench.requests();
        bench.fault("freebox", &format!("mangle=nothing@{write} /api/v16/vpn_client"));
        assert_eq!(bench.run(&format!("{line} -o json")).ends(0).item()["changed"], true, "{line}");
        bench.context("freebox").faults.clear_all();
        assert_eq!(written(&bench).len(), 1, "{line}");
    }
    // What was never sent leaves no doubt.
    bench.fault("freebox", "http-status=504@vpn_client/config/vpn0");
    let run = bench.run("tunnel rm --id vpn0 -b freebox --yes").ends(5);
    assert!(!run.stderr.contains("is not known"), "{run}");
}
