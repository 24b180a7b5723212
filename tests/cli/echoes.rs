//! Servers that repeat a secret where nobody looks for one: what somebody has just typed, a token of a moment ago, in the
//! path of a redirect, in the place of a document.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::run::Run;
use crate::stranger::{Answer, Heard, Stranger};

const TYPED: &str = "canary+typed/7721";
const CODE: &str = "735194";
const GIVEN: &str = "canary.given.7722";

/// Runs a line by a configuration, with something on standard input, and gives all that was written.
fn told(server: &Stranger, config: &str, line: &str, stdin: &str) -> String {
    server.forget();
    let run = Run::of(server.command(config, line), stdin);
    format!("{}\n{}", run.stdout, run.stderr)
}

#[track_caller]
fn is_hidden(text: &str, secret: &str, place: &str) {
    assert!(!text.contains(secret), "{place}: {text}");
    assert!(text.contains("***"), "{place} says nothing of it: {text}");
}

/// Says that something went wrong, with all that was said before.
fn refused(status: u16, heard: &Heard) -> Answer {
    let said = format!("bad {}", heard.body);
    Answer::text(status, &json!({"type": "x", "kapuaErrorCode": said, "message": said}).to_string())
}

#[test]
fn what_somebody_has_just_brought_is_not_repeated() {
    for status in [400, 403, 404, 423, 500] {
        let server = Stranger::hearing(move |heard| refused(status, heard));
        let config = server.config().replace("password = \"p\"\n", "");
        for (line, secret) in [("--password-stdin", TYPED), ("--api-key-stdin", TYPED)] {
            let text = told(&server, &config, &format!("auth login -b everyware {line} -vv"), secret);
            is_hidden(&text, secret, &format!("{status}: {line}"));
        }
        let text = told(&server, &server.config(), "auth login -b everyware --otp-stdin -o json -vv", CODE);
        is_hidden(&text, CODE, &format!("{status}: --otp-stdin"));
    }
}

#[test]
fn where_a_redirect_leads_is_told_without_what_was_sent() {
    let to = |text: &str| Answer {
        status: 302,
        headers: format!("Location: https://x.example/u/{text}\r\n"),
        body: Vec::new(),
    };
    let secret_of = |heard: &Heard| {
        let body: Value = serde_json::from_str(&heard.body).unwrap_or_default();
        let field = body["password"].as_str().map(str::to_owned);
        let bearer = heard.headers.lines().find_map(|line| line.split_once("Bearer ").map(|(_, token)| token.trim()));
        field.or(bearer.map(str::to_owned)).unwrap_or_default()
    };
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for spelled in [false, true] {
        let server = Stranger::hearing(move |heard| {
            let secret = secret_of(heard);
            match heard.path.as_str() {
                "/api_version" => json!({"api_version": "8.0", "api_base_url": "/api/", "uid": "u"}).into(),
                "/api/v8/login/" => json!({"success": true, "result": {"challenge": "c"}}).into(),
                path if path.starts_with("/v1/authentication") && !secret.contains("typed") => {
                    json!({"tokenId": GIVEN, "expiresOn": "2099-01-01T00:00:00Z"}).into()
                }
                _ if spelled => to(&hex(&secret)),
                _ => to(&secret),
            }
        });
        let typed = server.config().replace("password = \"p\"", &format!("password = \"{TYPED}\""));
        let ixon = server.config().replace("token = \"t\"\n[", &format!("token = \"{TYPED}\"\n["));
        for (config, line, secret) in [
            (&typed, "status gw -b everyware", TYPED),
            (&server.config(), "status gw -b everyware --id", GIVEN),
            (&ixon, "list -b ixon", TYPED),
            // What it makes of the app's token and the challenge opens a session.
            (&server.config(), "status -b freebox", "a1363e375ca093b2ac34c5b0b813ab0875372702"),
        ] {
            let text = told(&server, config, &format!("{line} -vv"), "");
            is_hidden(&text, secret, line);
            is_hidden(&text, &hex(secret), line);
            assert!(text.contains("redirect to https://x.example/u/***,"), "{line}: {text}");
        }
    }
}

#[test]
fn a_redirect_tells_nothing_of_what_an_earlier_command_sent() {
    let moved = Arc::new(AtomicBool::new(false));
    let is_moved = Arc::clone(&moved);
    let server = Stranger::hearing(move |heard| match heard.path.as_str() {
        path if path.starts_with("/v1/authentication") => {
            json!({"tokenId": GIVEN, "refreshToken": "canary.refresh", "expiresOn": "2099-01-01T00:00:00Z"}).into()
        }
        _ if is_moved.load(Ordering::SeqCst) => {
            let place = format!("Location: https://x.example/{TYPED}/{GIVEN}/canary.refresh\r\n");
            Answer { status: 302, headers: place, body: Vec::new() }
        }
        _ => Answer::text(404, ""),
    });
    let config = server.config().replace("password = \"p\"", &format!("password = \"{TYPED}\""));
    let config = config.replace("app_token = \"t\"", &format!("app_token = \"{TYPED}\""));
    server.run_by(&config, "status gw -b everyware --id -o json");
    assert!(server.asked().iter().any(|line| line.starts_with("POST ")));
    moved.store(true, Ordering::SeqCst);
    for line in ["status gw -b everyware --id -vv", "doctor -b everyware", "status -b freebox -vv"] {
        let run = server.run_by(&config, line);
        let text = format!("{}\n{}", run.stdout, run.stderr);
        assert!(text.contains("https://x.example/***/"), "{line}: {text}");
        assert!(!text.contains("canary+") && (line.contains("freebox") || !text.contains("canary.")), "{line}: {text}");
    }
    assert!(!server.asked().iter().any(|line| line.starts_with("POST ")), "it has logged in again");
}

#[test]
fn a_token_in_the_place_of_a_document_is_not_quoted() {
    for data in [json!(GIVEN), json!([GIVEN]), json!({"secretId": [GIVEN]}), json!({"secretId": {"v": GIVEN}})] {
        let answer = json!({"status": "success", "data": data});
        let server = Stranger::answering(move |method, path| match (method, path) {
            ("GET", "/") => json!({"links": []}).into(),
            _ => Answer::text(201, &answer.to_string()),
        });
        let by_mail =
            server.config().replace("company_id = \"c\"\ntoken = \"t\"", "email = \"a@example.org\"\npassword = \"p\"");
        let text = told(&server, &by_mail, "auth login -b ixon -vv", "");
        assert!(!text.contains(GIVEN) && text.contains("login"), "{text}");
        let known = server.config().replace("token = \"t\"\n[", &format!("token = \"{GIVEN}\"\n["));
        is_hidden(&told(&server, &known, "list -b ixon -vv", ""), GIVEN, "list");
    }
}
