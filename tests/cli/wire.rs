//! What comes off the wire that no server should send: answers that break HTTP, lists without an end, links to nowhere.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::bare;
use crate::run::{Run, words};
use crate::stranger::{Answer, Stranger};

/// A server that says whatever bytes it likes to each request, by a connection of its own.
struct Raw {
    folder: TempDir,
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Raw {
    fn saying(say: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, say) = (Arc::new(AtomicUsize::new(0)), Arc::new(say));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (count, say) = (Arc::clone(&count), Arc::clone(&say));
                std::thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut some = [0; 1024];
                    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                        match stream.read(&mut some) {
                            Ok(0) | Err(_) => return,
                            Ok(read) => head.extend_from_slice(&some[..read]),
                        }
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    say(&mut stream);
                });
            }
        });
        Self { folder: TempDir::new().unwrap(), port, asked }
    }

    /// Reads the status of an IXON client that is there, without a login.
    fn status(&self, scheme: &str, flags: &str) -> Run {
        self.run(scheme, &format!("status {flags}"))
    }

    fn run(&self, scheme: &str, line: &str) -> Run {
        let mut command = bare(self.folder.path());
        command.env("VPNCTL_BACKEND_IXON_URL", format!("{scheme}://127.0.0.1:{}", self.port));
        command.args(words(&format!("{line} -b ixon -o json")));
        Run::of(command, "")
    }
}

/// A proxy that opens no way says why; what was not sent can't have been done.
#[test]
fn what_a_proxy_refuses_is_told_with_its_status() {
    let ask = |proxy: &Raw, line: &str| {
        let mut command = bare(proxy.folder.path());
        command.env("HTTPS_PROXY", format!("http://somebody:word@127.0.0.1:{}", proxy.port));
        command.envs([
            ("VPNCTL_BACKEND_EVERYWARE_URL", "https://cloud.invalid"),
            ("VPNCTL_BACKEND_EVERYWARE_API_KEY", "k"),
        ]);
        command.args(words(line));
        Run::of(command, "")
    };
    for (status, tries, code) in [(403, 1, "net.refused"), (405, 1, "net.refused"), (503, 4, "net.refused")] {
        let proxy = Raw::saying(move |stream| {
            let _ = stream.write_all(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n").as_bytes());
        });
        for line in ["status x -b everyware -o json", "connect x -b everyware -o json --yes"] {
            proxy.asked.store(0, Ordering::SeqCst);
            let run = ask(&proxy, line).ends(5);
            let error = run.fails(code);
            let text = format!("{} {}", error["message"], error["hint"]);
            assert!(text.contains(&format!("127.0.0.1:{} does not open the way", proxy.port)), "{text}");
            assert!(text.contains("HTTPS_PROXY names") && text.contains(&format!("({status})")), "{text}");
            assert!(error["http_status"] == status && !run.stderr.contains("word"), "{run}");
            // Each try, and one look at what it was answered.
            assert_eq!(proxy.asked.load(Ordering::SeqCst), 2 * tries, "{run}");
        }
    }
    let proxy = Raw::saying(|stream| drop(stream.read(&mut [0; 64])));
    let error = ask(&proxy, "status x -b everyware -o json --request-timeout 1s --timeout 30s").ends(5).error();
    let text = format!("{} {}", error["message"], error["hint"]);
    assert!(error["code"] == "timeout.request" && text.contains("proxy that HTTPS_PROXY names"), "{text}");
}

#[test]
fn answers_that_break_http_are_told_as_such_and_asked_for_once() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let trailers = format!("Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n{}", "X-More: more\r\n".repeat(10_000));
    for rest in [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}{}0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        &trailers,
    ] {
        let answer = format!("{head}{rest}");
        let raw = Raw::saying(move |stream| drop(stream.write_all(answer.as_bytes())));
        let error = raw.status("http", "").ends(14).error();
        assert_eq!((&error["code"], &error["layer"]), (&"vendor.protocol".into(), &"http".into()), "{rest:.80}");
        assert_eq!(raw.asked.load(Ordering::SeqCst), 1, "{rest:.80}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_a_lost_connection_and_asked_for_again() {
    let raw = Raw::saying(|stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"));
    });
    assert_eq!(raw.status("http", "").ends(5).error()["code"], "net.reset");
    assert_eq!(raw.asked.load(Ordering::SeqCst), 4);
}

#[test]
fn interim_answers_without_an_end_starve_no_deadline() {
    // In pieces that are larger than all buffers in between, so that there is always more to read. Long ones: a build
    // without optimization takes seconds for as many bytes of short ones as one turn reads.
    let flood = format!("HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\n\r\n", "x".repeat(4000)).repeat(2500);
    let raw = Raw::saying(move |stream| while stream.write_all(flood.as_bytes()).is_ok() {});
    // That it ends is what is held; the bench ends what does not.
    let error = raw.status("http", "--timeout 1s").ends(8).error();
    assert_eq!(error["code"], "timeout.deadline");
}

#[test]
fn the_layer_of_a_silence_is_where_it_began() {
    // Nobody reads what is sent, and nothing is said: of https the handshake, of http the answer.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let raw = Raw { folder: TempDir::new().unwrap(), port, asked: Arc::default() };
    for (scheme, layer) in [("https", "tls"), ("http", "http")] {
        let error = raw.status(scheme, "--request-timeout 200ms").ends(5).error();
        assert_eq!((&error["code"], &error["layer"]), (&"timeout.request".into(), &layer.into()), "{error}");
        let error = raw.status(scheme, "--timeout 300ms").ends(8).error();
        assert_eq!((&error["code"], &error["layer"]), (&"timeout.deadline".into(), &layer.into()), "{error}");
    }
}

/// Every command has the same word for it, and its own limit reaches down to the connection.
#[test]
fn a_silence_is_the_same_to_every_command() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let raw = Raw { folder: TempDir::new().unwrap(), port, asked: Arc::default() };
    for line in ["status", "trust show", "trust add", "doctor"] {
        let error = raw.run("https", &format!("{line} --request-timeout 200ms")).ends(5).error();
        assert_eq!((&error["code"], &error["layer"]), (&"timeout.request".into(), &"tls".into()), "{line}: {error}");
        assert!(error["message"].as_str().unwrap().contains("within 0.2 s"), "{line}: {error}");
    }
    let error = raw.run("https", "trust show --timeout 300ms").ends(8).error();
    assert_eq!((&error["code"], &error["layer"]), (&"timeout.deadline".into(), &"tls".into()), "{error}");
    // Nor is it blamed on a VPN of which nothing was ever heard.
    for (scheme, layer) in [("https", "tls"), ("http", "http")] {
        for line in ["wait --for connected", "watch"] {
            let error = raw.run(scheme, &format!("{line} --timeout 600ms")).ends(8).error();
            assert_eq!(
                (&error["code"], &error["layer"]),
                (&"timeout.deadline".into(), &layer.into()),
                "{line}: {error}"
            );
        }
    }
}

/// A server that refuses a handshake speaks TLS, and is not told to be asked elsewhere for it.
#[test]
fn a_handshake_that_is_refused_is_told_with_what_helps() {
    for (alert, says) in
        [(70, "TLS 1.2 or 1.3"), (40, "TLS 1.2 or 1.3"), (116, "certificate"), (112, "tls.server_name")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // A fatal alert, RFC 8446, section 6.
                drop(stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&[21, 3, 3, 0, 2, 2, alert])));
            }
        });
        let raw = Raw { folder: TempDir::new().unwrap(), port, asked: Arc::default() };
        for line in ["status", "doctor"] {
            let error = raw.run("https", line).error();
            assert_eq!((&error["code"], &error["layer"]), (&"net.tls".into(), &"tls".into()), "{line}: {error}");
            let hint = error["hint"].as_str().unwrap();
            assert!(hint.contains(says) && !hint.contains("speaks TLS"), "{line}: {hint}");
        }
    }
}

/// Starts a client and a cloud of IXON, of which the test says the links, and the page of agents behind a cursor.
fn ixon(links: Value, agents: impl Fn(&str) -> Value + Send + Sync + 'static) -> Stranger {
    Stranger::answering(move |_, path| match path.split_once('?').unwrap_or((path, "")) {
        ("/", _) => json!({ "links": links }).into(),
        ("/cloud/agents", query) => agents(query.rsplit_once("page-after=").map_or("", |(_, cursor)| cursor)).into(),
        ("/status", _) => json!({"status": "idle"}).into(),
        _ => Answer::text(404, ""),
    })
}

#[test]
fn a_link_that_is_none_is_not_followed() {
    for href in
        ["/sta\r\ntus".to_owned(), "/status\r\nX-More: 1".to_owned(), "\t/status".to_owned(), "/".repeat(100_000)]
    {
        let links = json!([{"rel": "Status", "href": href}]);
        let server = ixon(links, |_| Value::Null);
        let error = server.run("status -b ixon -o json").ends(14).error();
        assert_eq!(error["code"], "vendor.protocol");
        assert!(error["message"].as_str().unwrap().len() < 400, "{error:.500}");
        assert_eq!(server.asked(), ["GET /"]);
    }
}

fn agent(number: usize) -> Value {
    json!({"publicId": format!("agent{number}"), "name": format!("router {number}")})
}

#[test]
fn a_list_of_agents_without_an_end_ends_and_says_so() {
    // Ever new cursors behind the same agent, and one that no address takes.
    let count = AtomicUsize::new(0);
    let same =
        move |_: &str| json!({"data": [agent(1)], "moreAfter": format!("c{}", count.fetch_add(1, Ordering::SeqCst))});
    let server = ixon(Value::Null, same);
    let error = server.run("list -b ixon -o json").ends(14).error();
    assert_eq!(error["code"], "vendor.protocol");
    assert!(error["message"].as_str().unwrap().contains("does not end"), "{error}");
    assert_eq!(server.asked().len(), 2);
    let long = |_: &str| json!({"data": [agent(1)], "moreAfter": "x".repeat(100_000)});
    let server = ixon(Value::Null, long);
    let error = server.run("list -b ixon -o json").ends(14).error();
    assert_eq!(error["code"], "vendor.protocol");
    assert!(error["message"].as_str().unwrap().contains("100000 characters"), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn pages_of_agents_are_read_to_their_end_and_each_agent_told_once() {
    let pages = |cursor: &str| {
        let page: usize = cursor.parse().unwrap_or(0);
        let next = if page < 2 { json!((page + 1).to_string()) } else { Value::Null };
        json!({"data": [agent(page), agent(page), agent(page + 1)], "moreAfter": next})
    };
    let items = ixon(Value::Null, pages).run("list -b ixon -o json").ends(0).items();
    let names: Vec<&str> = items.iter().map(|item| item["target"]["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["agent0", "agent1", "agent2", "agent3"]);
}

/// Starts a cloud of Everyware, of which the test says each page of devices from an offset on, with what stands about it.
fn everyware(devices: impl Fn(usize) -> Value + Send + Sync + 'static) -> Stranger {
    Stranger::answering(move |_, path| match path.split_once('?').unwrap_or((path, "")) {
        ("/v1/authentication/user", _) => json!({"tokenId": "t", "expiresOn": "2999-01-01T00:00:00Z"}).into(),
        ("/v1/_/devices", query) => {
            let offset = query.split("offset=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok());
            devices(offset.unwrap_or(0)).into()
        }
        ("/v1/_/vpnConnections", _) => json!({"limitExceeded": false, "totalCount": 0, "items": []}).into(),
        _ => Answer::text(404, ""),
    })
}

fn devices(numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers.map(|number| json!({"id": format!("id{number}"), "clientId": format!("gw-{number}")})).collect()
}

#[test]
fn a_list_of_devices_without_an_end_ends_and_says_so() {
    // More than is counted, by far; and a count that runs ahead of what is read.
    for (line, runs_ahead, exit) in [("list", false, 10), ("status gw-x*", false, 14), ("status", true, 10)] {
        let server = everyware(move |offset: usize| {
            let total = if runs_ahead { offset + 2000 } else { 3 };
            json!({"limitExceeded": true, "totalCount": total, "items": devices(offset..offset + 1000)})
        });
        let items = server.run(&format!("{line} -b everyware -o json")).ends(exit).items();
        // What was told before holds.
        assert!(exit == 14 || items.len() > 10_000, "{line}: {}", items.len());
        let error = &items.last().unwrap()["error"];
        assert_eq!(error["code"], "vendor.protocol", "{line}");
        assert!(error["message"].as_str().unwrap().contains("does not end"), "{error}");
        let pages = server.asked().iter().filter(|asked| asked.contains("/devices?")).count();
        assert!(pages <= 15 + 4, "{line}: {pages}");
    }
}

#[test]
fn a_list_of_which_every_other_page_is_lost_is_left_soon_whatever_its_count() {
    let server = everyware(|offset: usize| match (offset / 9).is_multiple_of(2) {
        true => {
            json!({"limitExceeded": true, "totalCount": 1_000_000_000_000_u64, "items": devices(offset..offset + 10)})
        }
        false => json!({"limitExceeded": true, "items": "none"}),
    });
    for line in ["list", "status"] {
        let items = server.run(&format!("{line} -b everyware -o json")).ends(10).items();
        assert_eq!(items.len(), 100 + 1, "{line}");
        let error = &items.last().unwrap()["error"];
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["code"], "vendor.protocol", "{line}");
        assert!(message.contains("not read: 11 to 18, 29 to 36, ") && message.contains(" on: "), "{message}");
        let pages = server.asked().iter().filter(|asked| asked.contains("/devices?")).count();
        assert!((20..=20 + 3).contains(&pages), "{line}: {pages}");
    }
}

#[test]
fn a_device_that_stands_many_times_on_a_page_is_told_once() {
    let page = |_| {
        let mut items = devices(0..2);
        items.extend(std::iter::repeat_n(json!({"id": "id1", "clientId": "another"}), 50));
        json!({"limitExceeded": false, "totalCount": 52, "items": items})
    };
    for line in ["list", "status"] {
        let items = everyware(page).run(&format!("{line} -b everyware -o json")).ends(0).items();
        let names: Vec<&str> = items.iter().map(|item| item["target"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["gw-0", "gw-1"], "{line}");
    }
}

#[test]
fn a_list_that_is_refused_says_nothing_of_the_ids_of_devices() {
    let server = Stranger::answering(|_, path| match path.split('?').next().unwrap() {
        "/v1/authentication/user" => json!({"tokenId": "t", "expiresOn": "2999-01-01T00:00:00Z"}).into(),
        _ => Answer::text(400, r#"{"kapuaErrorCode": "ILLEGAL_ARGUMENT", "argumentName": "offset", "message": "no"}"#),
    });
    let error = server.run("list -b everyware -o json").ends(2).error();
    assert!(!error["hint"].as_str().unwrap().contains("11 characters"), "{error}");
    let error = server.run("status --id -b everyware AQ -o json").ends(2).error();
    assert!(error["hint"].as_str().unwrap().contains("11 characters"), "{error}");
}

#[test]
fn a_token_that_no_header_carries_is_the_servers_fault_and_is_not_kept() {
    let opened = |token: &str| json!({"success": true, "result": {"session_token": token, "permissions": {}}});
    let server = Stranger::answering(move |_, path| match path {
        "/api_version" => json!({"api_version": "16.0", "api_base_url": "/api/"}).into(),
        "/api/v16/login/" => json!({"success": true, "result": {"challenge": "c"}}).into(),
        "/api/v16/login/session/" => opened("a\nb").into(),
        "/v1/authentication/user" => json!({"tokenId": "a\nb", "expiresOn": "2999-01-01T00:00:00Z"}).into(),
        "/cloud/access-tokens?fields=secretId,expiresOn" => json!({"data": [{"secretId": "a\nb"}]}).into(),
        _ => Answer::text(404, ""),
    });
    let config = server
        .config()
        .replace("token = \"t\"\n[backend.everyware]", "email = \"e\"\npassword = \"p\"\n[backend.everyware]");
    for line in ["status -b freebox", "status -b everyware gw", "list -b ixon"] {
        let error = server.run_by(&config, &format!("{line} -o json")).ends(14).error();
        assert_eq!(error["code"], "vendor.protocol", "{line}");
        assert!(error["message"].as_str().unwrap().contains("no header can carry"), "{error}");
        let kept = std::fs::read_dir(server.folder.path().join("state")).unwrap().flatten();
        let kept = kept.filter(|entry| entry.path().extension().is_some_and(|end| end == "json"));
        assert!(kept.into_iter().all(|entry| !std::fs::read_to_string(entry.path()).unwrap().contains("a\\nb")));
    }
}

#[test]
fn a_pause_that_is_far_too_long_is_told_up_to_a_day_and_not_waited_for() {
    for (asked, told) in [("99999999999", 86_400.0), (&"9".repeat(40), 86_400.0), ("3600", 3600.0)] {
        let headers = format!("retry-after: {asked}\r\n");
        let server = Stranger::answering(move |_, _| Answer { headers: headers.clone(), ..Answer::text(429, "") });
        let error = server.run("status -b ixon -o json").ends(5).error();
        assert_eq!((&error["code"], &error["retry_after_s"]), (&"http.rate_limited".into(), &told.into()), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
}

/// A name that leads nowhere near, and that nobody is asked about: what is wrong is seen before.
fn with_proxy(variables: &[(&str, &str)], line: &str) -> Run {
    let folder = TempDir::new().unwrap();
    let mut command = bare(folder.path());
    command.env("VPNCTL_BACKEND_EVERYWARE_URL", "https://203.0.113.7").env("VPNCTL_BACKEND_EVERYWARE_API_KEY", "k");
    command.envs(variables.iter().copied()).args(words(line));
    Run::of(command, "")
}

#[test]
fn a_proxy_that_is_none_is_an_error_of_its_variable() {
    let line = "status -b everyware gw -o json --timeout 5s";
    for (variables, named) in [
        (&[("HTTPS_PROXY", "not a proxy")][..], "HTTPS_PROXY"),
        (&[("https_proxy", "htp://proxy:3128")], "https_proxy"),
        (&[("HTTPS_PROXY", "socks5://127.0.0.1:1")], "HTTPS_PROXY"),
        (&[("ALL_PROXY", "http://canary:secret@proxy:99999")], "ALL_PROXY"),
        (&[("HTTPS_PROXY", "http://"), ("ALL_PROXY", "http://127.0.0.1:1")], "HTTPS_PROXY"),
    ] {
        let run = with_proxy(variables, line).ends(13);
        let error = run.error();
        assert_eq!((&error["code"], &error["layer"]), (&"config.invalid".into(), &"config".into()), "{variables:?}");
        assert!(error["message"].as_str().unwrap().contains(named), "{error}");
        assert!(!run.stderr.contains("secret"), "{run}");
    }
    // What would not go through it does not care, nor do those that it is not for.
    let stranger = Stranger::answering(|_, _| Answer::text(404, ""));
    let mut command = stranger.command(&stranger.config(), "status -b ixon -o json");
    command.env("HTTP_PROXY", "not a proxy");
    assert_eq!(Run::of(command, "").ends(14).error()["code"], "vendor.protocol");
    for variables in [
        &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "not a proxy"), ("HTTP_PROXY", "no proxy")][..],
        &[("https_proxy", "127.0.0.1:1")],
    ] {
        assert_eq!(with_proxy(variables, line).ends(5).error()["code"], "net.refused", "{variables:?}");
    }
    // The doctor finds it too.
    let run = with_proxy(&[("HTTPS_PROXY", "not a proxy")], "doctor everyware -o json").ends(13);
    run.tells("HTTPS_PROXY");
}

#[test]
fn an_address_to_connect_to_is_refused_where_the_url_has_one() {
    let stranger = Stranger::answering(|_, _| Answer::text(404, ""));
    let of = |rest: &str| {
        format!("[backend.freebox]\nvendor = \"freebox\"\napp_token = \"t\"\nconnect_address = \"127.0.0.1\"\n{rest}")
    };
    for url in ["https://192.168.1.254", "http://[fd00::1]"] {
        let run = stranger.run_by(&of(&format!("url = \"{url}\"\n")), "status -o json").ends(13);
        assert!(run.error()["message"].as_str().unwrap().contains("connect_address"), "{run}");
    }
    let named = of("url = \"https://192.168.1.254:1\"\ntls.server_name = \"box.example.org\"\n");
    assert_eq!(stranger.run_by(&named, "status -o json").ends(5).error()["code"], "net.refused");
}
