//! `--jq`: a filter inside vpnctl, that can neither look at the process nor hold it.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::run::Run;
#[cfg(unix)]
use crate::signals::send;

/// Runs `status` of the one VPN with a filter.
fn filtered(bench: &Bench, expression: &str) -> Run {
    let mut command = bench.command("status -b freebox");
    command.args(["--jq", expression]);
    Run::of(command, "")
}

#[test]
fn strings_are_printed_raw_and_everything_else_as_json_on_a_line() {
    let bench = Bench::new();
    let run = filtered(&bench, ".items[0] | .state, .target, .traffic.rx_rate > 0, [.ip_address], .native, 3 / 2 * 2");
    let run = run.ends(0).quietly();
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [state, target, rate, address, native, number] = lines.as_slice() else { panic!("{run}") };
    assert_eq!((*state, *rate, *native, *number), ("connected", "true", "null", "3"));
    let item = bench.run("status -b freebox -o json").ends(0).item();
    assert_eq!(serde_json::from_str::<Value>(target).unwrap(), item["target"]);
    assert_eq!(serde_json::from_str::<Value>(address).unwrap(), json!([item["ip_address"]]));
    assert!(!target.contains(' '), "it is compact: {target}");
}

#[test]
fn it_runs_once_on_the_document_or_on_each_line() {
    let bench = Bench::new();
    let all = "status -b everyware -b freebox";
    let run = bench.run(&format!("{all} --jq '.schema, (.items|length), .summary.total'")).ends(0);
    assert_eq!(run.stdout, "vpnctl.status/v1\n8\n8\n");
    let run = bench.run(&format!("{all} -o ndjson --jq .type")).ends(0);
    assert_eq!(run.stdout, format!("{}summary\n", "status\n".repeat(8)));
    let run = bench.run("status -b freebox --fields target.name,state --jq '.items[0]|keys[]'").ends(0);
    assert_eq!(run.stdout, "state\ntarget\n", "fields are applied first");
    // What the environment says of a format is overridden; what the command line says is not.
    let run = bench.run_where("VPNCTL_OUTPUT", "csv", "status -b freebox --jq .items[0].state").ends(0);
    assert_eq!(run.stdout, "connected\n");
    for format in ["table", "wide", "yaml", "csv", "tsv", "value"] {
        bench.run(&format!("status -b freebox -o {format} --jq .")).ends(2).without_output().fails("usage");
    }
    bench.run("config path --jq .").ends(2).without_output().fails("usage");
}

#[test]
fn a_wrong_expression_is_told_with_its_place_before_any_request() {
    let bench = Bench::new();
    bench.requests();
    for (expression, part) in [
        (".items[", "character 8: closing bracket expected"),
        (".items | foo(1)", "character 10: there is no filter `foo`"),
        ("é | $x", "character 1"),
        (".a | $x", "character 6: there is no variable `$x`"),
        ("1 +", "character 4: term expected"),
        ("input", "there is no filter `input`"),
        ("1 | halt", "there is no filter `halt`"),
        ("debug", "there is no filter `debug`"),
        ("import \"a\" as a; 1", "modules can't be loaded"),
    ] {
        let run = filtered(&bench, expression).ends(2).without_output();
        let message = run.fails("usage")["message"].clone();
        assert!(message.as_str().unwrap().contains(part), "{expression}: {message}");
    }
    let deep = "(".repeat(60_000);
    filtered(&bench, &deep).ends(2).without_output().fails("usage");
    assert_eq!(bench.requests(), 0);
    assert_eq!(filtered(&bench, "").ends(0).json()["schema"], "vpnctl.status/v1", "nothing changes nothing");
}

#[test]
fn what_fails_while_it_runs_is_told_after_what_was_printed() {
    let bench = Bench::new();
    for (expression, part) in [
        ("1, error(\"no address\"), 2", "failed: no address"),
        ("1, (.items + 1)", "cannot calculate"),
        ("1, {(0): 1}", "a key that is no string"),
        ("1, (def f: 1 + f; f)", "too deep"),
        ("1, reduce range(20000) as $i (0; [.])", "nested deeper"),
    ] {
        let run = filtered(&bench, expression).ends(2);
        assert_eq!(run.stdout, "1\n", "{expression}");
        let error = run.fails("usage");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(part) && message.chars().count() < 300, "{expression}: {message}");
    }
    assert_eq!(filtered(&bench, "try error(\"x\") catch .").ends(0).stdout, "x\n");
}

#[test]
fn the_exit_code_is_that_of_the_verb() {
    let bench = Bench::new();
    let run = bench.run("status -b freebox -b ixon --exit-code --jq .summary.total").ends(3);
    assert_eq!(run.stdout, "2\n");
    bench.fault("freebox", "http-status=500");
    let run = bench.run("status -b freebox --jq .items[0].error.code").ends(5);
    assert_eq!(run.stdout, "http.server_error\n");
    run.fails("http.server_error");
}

#[test]
fn nothing_of_the_process_is_seen() {
    let mut bench = Bench::new();
    bench.set("SECRET", "topsecret");
    assert_eq!(filtered(&bench, "env, $ENV, $ENV.SECRET").ends(0).stdout, "{}\n{}\nnull\n");
}

#[test]
fn no_control_character_gets_past_it() {
    let bench = Bench::new();
    let run =
        filtered(&bench, r#""a\u001b[2J\u202eb\r\u009b", "two\nlines\tand a tab", ["\u202e\u001b\u007f"]"#).ends(0);
    assert_eq!(run.stdout, "a\\u{1b}[2J\\u{202e}b\\r\\u{9b}\ntwo\nlines\tand a tab\n[\"\\u202e\\u001b\\u007f\"]\n");
}

#[test]
fn an_endless_filter_holds_nothing() {
    let bench = Bench::new();
    for expression in ["last(repeat(1))", "def f: f; f", "until(false; . + 1)"] {
        let mut command = bench.command("status -b freebox --fields state --timeout 300ms");
        command.args(["--jq", &format!("0 | {expression}")]);
        Run::of(command, "").ends(8).without_output().fails("timeout.deadline");
    }
    // Who has read enough goes.
    let mut child = bench.start("status -b freebox --timeout 0 --jq 'repeat(1)'");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    drop(out);
    Run::end_of(child, "a reader that goes".to_owned()).ends(0).quietly();
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_whether_it_works_or_waits_for_its_reader() {
    let bench = Bench::new();
    // Nobody reads what this one prints, so after a while it waits for ever to write more.
    for expression in ["1, last(repeat(1))", "repeat(\"a long line, so that the pipe is full soon\")"] {
        let mut child = bench.start(&format!("status -b freebox -o ndjson --timeout 0 --jq '{expression}'"));
        let mut begun = [0];
        let mut out = child.stdout.take().unwrap();
        if expression.starts_with('1') {
            while bench.count("freebox", "GET /api/v") < 2 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        } else {
            out.read_exact(&mut begun).unwrap();
        }
        send("INT", &child);
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(130), "{expression}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_followed_is_filtered_line_by_line() {
    let bench = Bench::new();
    let mut child = bench.start("watch -b freebox --interval 10ms --jq '[.type, .from, .state] | @csv'");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), r#""event",,"connected""#);
    bench.run("disconnect -b freebox").ends(0);
    let mut seen = lines.by_ref().map(Result::unwrap);
    assert!(seen.any(|line| line.ends_with(r#","disconnected""#)), "the change was never told");
    send("INT", &child);
    assert_eq!(Run::end_of(child, "watch".to_owned()).ends(130).error()["code"], "interrupted");
    // A filter that fails ends what would else go on.
    let run = Run::end_of(bench.start("watch -b freebox --jq 'error(\"x\")'"), "failing".to_owned()).ends(2);
    run.fails("usage");
    // A document that was asked for is whole at its end.
    let run = bench.run("watch -b freebox --count 1 -o json --jq '.items|length'").ends(0);
    assert_eq!(run.stdout, "1\n");
}

#[test]
fn the_answer_of_a_raw_call_is_filtered_if_it_is_json() {
    let bench = Bench::new();
    let run = bench.run("api -b freebox GET vpn_client/status --jq .result.state").ends(0);
    assert_eq!(run.stdout, "up\n");
    // What went wrong is printed as the vendor said it.
    let run = bench.run("api -b freebox GET vpn_client/nothing --jq .result").ends(6);
    assert!(run.stdout.contains("\"success\""), "{run}");
}

#[test]
fn filters_that_scripts_use_are_there() {
    let bench = Bench::new();
    for (expression, printed) in [
        (r#"[1, "a\"b", null, true] | @csv"#, "1,\"a\"\"b\",,true"),
        (r#"["a\tb", 2] | @tsv"#, "a\\tb\t2"),
        (r#""2026-11-21T19:00:00Z" | fromdate | todate"#, "2026-11-21T19:00:00Z"),
        (r#""a b&c" | @uri"#, "a%20b%26c"),
        (r#""a b" | @base64, (@base64 | @base64d)"#, "YSBi\na b"),
        (r#""it's" | @sh"#, r"'it'\''s'"),
        (r#""<a>" | @html"#, "&lt;a&gt;"),
        (r#"{"b": 1, "a": [2]} | to_entries[0].key, (tojson | fromjson | .a[0])"#, "b\n2"),
        ("pow(2; 10), (16 | sqrt), ([3, 1, 2] | sort | join(\"-\"))", "1024\n4\n1-2-3"),
        ("[range(5)] | .[2:4], map(select(. > 3)), (limit(2; .[]) | tostring)", "[2,3]\n[4]\n0\n1"),
        ("now > 1700000000, ([1] | toarray), nan, 9007199254740993", "true\n[1]\nnull\n9007199254740993"),
    ] {
        let run = filtered(&bench, expression).ends(0);
        assert_eq!(run.stdout, format!("{printed}\n"), "{expression}");
    }
}

#[test]
fn a_row_of_csv_takes_no_array_and_what_is_often_used_is_there() {
    let bench = Bench::new();
    let run = bench
        .run("backends --jq '[.items[].vendor]|[IN(\"ixon\"),IN(.[];\"ixon\")],(map({v:.})|INDEX(.v)|keys)'")
        .ends(0);
    assert_eq!(run.stdout, "[false,true]\n[\"everyware\",\"freebox\",\"ixon\"]\n");
    bench.run("backends --jq '[[.items]]|@csv'").ends(2).tells("has no place in a row of CSV").without_output();
    assert_eq!(bench.run("backends --jq '[\"a\\\"b\",1,null]|@csv'").ends(0).stdout, "\"a\"\"b\",1,\n");
}
