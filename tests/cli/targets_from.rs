//! `--targets-from`: targets of a file or a pipe, read as they are needed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::bench::Bench;
use crate::fleets::{distinct, file, fleet, ids, rows};

/// Starts a command whose standard input stays open.
fn open(bench: &Bench, line: &str) -> Child {
    let mut command = bench.command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn two_thousand_ids_of_a_file_are_told() {
    let bench = fleet(2000);
    let all = ids(&bench);
    assert_eq!(all.len(), 2000);
    let run = bench.run(&format!("status -b everyware --id --targets-from {} --jobs 50 -o ndjson", file(&bench, &all)));
    let run = run.ends(0);
    let (items, summary) = rows(&run);
    assert_eq!((distinct(&items), &summary["total"]), (all.into_iter().collect(), &Value::from(2000)));
}

#[test]
fn rows_are_out_before_the_last_line_is_written() {
    let bench = fleet(2000);
    let all = ids(&bench);
    let mut child = open(&bench, "status -b everyware --id --targets-from - --jobs 50 -o ndjson");
    let mut pipe = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = |count: usize| -> Vec<Value> {
        let lines = lines.by_ref().take(count).map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        lines.collect()
    };
    // Each is told while the pipe is open, however few have come.
    writeln!(pipe, "{}", all[0]).unwrap();
    let mut items = told(1);
    assert_eq!(items[0]["target"]["id"], all[0].as_str());
    for ids in all[1..].chunks(500) {
        pipe.write_all((ids.join("\n") + "\n").as_bytes()).unwrap();
        items.extend(told(ids.len()));
    }
    drop(pipe);
    assert_eq!(distinct(&items), all.into_iter().collect());
    let end = told(10);
    assert_eq!((end.len(), &end[0]["type"], &end[0]["total"]), (1, &"summary".into(), &2000.into()));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_long_table_is_written_as_its_rows_come_and_stays_aligned() {
    let bench = fleet(1200);
    let all = ids(&bench);
    let mut child = open(&bench, "status -b everyware --id --targets-from - --jobs 50");
    let mut pipe = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    pipe.write_all((all[..1100].join("\n") + "\n").as_bytes()).unwrap();
    let mut lines: Vec<String> = out.by_ref().lines().take(1001).map(Result::unwrap).collect();
    // What comes later is wider than anything so far, and no reason to move.
    pipe.write_all((all[1100..].join("\n") + "\n").as_bytes()).unwrap();
    drop(pipe);
    lines.extend(out.lines().map(Result::unwrap));
    assert!(child.wait().unwrap().success());
    assert_eq!(lines.len(), 1201);
    let columns: Vec<usize> = ["TARGET", "STATE", "ADDRESS"].iter().map(|name| lines[0].find(name).unwrap()).collect();
    for line in &lines[1..] {
        let cells: Vec<usize> = columns.iter().copied().filter(|at| begins(line, *at)).collect();
        assert_eq!(cells, columns, "{line}");
    }
    // A short one waits for its end, and is as wide as it has to be.
    let run = bench.run("status -b everyware gw-000001 gw-000002").ends(0);
    assert_eq!(run.stdout.lines().count(), 3, "{run}");
}

/// Tells whether a cell begins there.
fn begins(line: &str, at: usize) -> bool {
    let bytes = line.as_bytes();
    bytes.get(at).is_some_and(|byte| *byte != b' ') && bytes[at - 2..at] == *b"  "
}

#[test]
fn comments_and_blank_lines_say_nothing() {
    let bench = fleet(20);
    let text = "# the first\n\ngw-000001\n   \n\tgw-000002  \n  # gw-000003\r\ngw-000004\r\n\n#";
    let from_file = bench.write("targets.txt", text).display().to_string();
    for run in [
        bench.run(&format!("status -b everyware --targets-from {from_file} --sort -o value --fields target.name")),
        bench.run_with("status -b everyware --targets-from - --sort -o value --fields target.name", text),
    ] {
        assert_eq!(run.ends(0).quietly().stdout, "gw-000001\ngw-000002\ngw-000004\n");
    }
}

#[test]
fn lines_of_several_vendors_choose_their_backends() {
    let bench = fleet(20);
    let lines = ["everyware/gw-000001", "freebox/vpn1", "ixon/Press 7", "everyware/gw-000002", "freebox/Office PPTP"];
    let file = file(&bench, &lines.map(str::to_owned));
    let line = format!("status --targets-from {file} --sort -o csv --no-header --fields backend,target.name");
    let expected = "everyware,gw-000001\neveryware,gw-000002\nfreebox,Downloads\nfreebox,Office PPTP\nixon,Press 7\n";
    assert_eq!(bench.run(&line).ends(0).quietly().stdout, expected);
    // With TARGETs beside it, and globs in it.
    let more = bench.write("more", "everyware/gw-00001*\n").display().to_string();
    let run = bench.run(&format!("status freebox/vpn0 everyware/gw-000010 --targets-from {more} -o json")).ends(0);
    assert_eq!(distinct(&run.items()).len(), 11, "{run}");
}

#[test]
fn a_file_that_names_nobody_selects_nothing() {
    let bench = fleet(3);
    for text in ["", "\n\n", "# nobody\n   \n"] {
        let file = bench.write("targets.txt", text).display().to_string();
        for verb in ["status", "check", "connect --yes", "wait --for connected"] {
            let run = bench.run(&format!("{verb} -b everyware --targets-from {file} -o json")).ends(6);
            run.without_output().fails("selection.empty");
        }
        bench.run_with("status -b everyware --targets-from - -o json", text).ends(6).fails("selection.empty");
    }
    for verb in ["status", "check", "connect --yes", "wait --for connected"] {
        let run = bench.run(&format!("{verb} -b everyware --targets-from nowhere.txt -o json")).ends(2);
        assert!(run.without_output().fails("usage")["message"].as_str().unwrap().contains("nowhere.txt"));
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_line_that_means_nothing_is_told_and_holds_up_no_other() {
    let bench = fleet(20);
    let lines = ["gw-000001", "nobody", "nowhere/gw-000002", "gw-000003"];
    let all = file(&bench, &lines.map(str::to_owned));
    let run = bench.run(&format!("status -b everyware --targets-from {all} -o json")).ends(10);
    let items = run.items();
    let codes: Vec<&str> = items.iter().filter_map(|item| item["error"]["code"].as_str()).collect();
    assert_eq!((items.len(), codes), (4, vec!["target.not_found", "target.not_found"]), "{run}");
    // Where no backend is chosen, a name alone says too little, and nothing after it is guessed.
    let lines = ["everyware/gw-000001", "bare", "everyware/gw-000002"];
    let bare = file(&bench, &lines.map(str::to_owned));
    let run = bench.run(&format!("status --targets-from {bare} -o csv --no-header --fields target.name")).ends(10);
    assert_eq!(run.stdout, "gw-000001\n");
    run.tells("which backend? There are everyware, freebox, ixon");
    // Changes are planned before they are made: there nothing is begun.
    bench.requests();
    bench.run(&format!("connect --yes --targets-from {bare}")).ends(2).without_output();
    assert_eq!(bench.requests(), 0);
}

#[test]
fn enough_failures_end_a_run_while_its_pipe_stays_open() {
    let bench = fleet(20);
    let mut child = open(&bench, "status -b everyware --targets-from - --fail-fast -o ndjson");
    let mut pipe = child.stdin.take().unwrap();
    writeln!(pipe, "nobody").unwrap();
    // The pipe is closed only after the end, which a run that reads on would never come to.
    let ended = child.wait().unwrap();
    drop(pipe);
    assert_eq!(ended.code(), Some(6));
}
