//! Every output format of `status` and `list`, and what shapes them.

use crate::bench::Bench;
use crate::redact::redacted;

const FORMATS: [&str; 8] = ["table", "wide", "json", "ndjson", "yaml", "csv", "tsv", "value"];

/// Writes what each format makes of a report.
fn in_all_formats(bench: &Bench, line: &str) -> String {
    let mut out = String::new();
    for format in FORMATS {
        let run = bench.run(&format!("{line} -o {format}")).ends(0).quietly();
        out.push_str(&format!("===== {format}\n{}", redacted(bench, &run.stdout)));
    }
    out
}

#[test]
fn states_in_every_format() {
    insta::assert_snapshot!("status", in_all_formats(&Bench::new(), "status -A --sort"));
}

#[test]
fn lists_in_every_format() {
    insta::assert_snapshot!("list", in_all_formats(&Bench::new(), "list -A --sort"));
}

#[test]
fn json_is_the_flag_for_the_format() {
    let bench = Bench::new();
    let flag = bench.run("list -b freebox --json").ends(0).quietly();
    assert_eq!(flag.stdout, bench.run("list -b freebox -o json").ends(0).stdout);
    assert_eq!(flag.stdout, bench.run_where("VPNCTL_OUTPUT", "json", "list -b freebox").ends(0).stdout);
    assert_eq!(flag.json()["schema"], "vpnctl.list/v1");
    bench.run("list --json -o csv").ends(2).tells("--json").without_output();
    bench.run_where("VPNCTL_OUTPUT", "xml", "list -b freebox").ends(2).tells("VPNCTL_OUTPUT").without_output();
    let table = bench.run_where("VPNCTL_OUTPUT", "json", "list -b freebox -o table").ends(0);
    assert!(table.stdout.starts_with("BACKEND "), "{table}");
}

#[test]
fn fields_choose_and_order_in_every_format() {
    let bench = Bench::new();
    let fields = "status -b freebox --fields target.id,state,network.dns";
    for (format, expected) in [
        ("table", "TARGET.ID  STATE      NETWORK.DNS\nvpn1       connected  10.8.0.1\n"),
        ("csv", "target.id,state,network.dns\nvpn1,connected,10.8.0.1\n"),
        ("tsv", "target.id\tstate\tnetwork.dns\nvpn1\tconnected\t10.8.0.1\n"),
        ("value", "vpn1\nconnected\n10.8.0.1\n"),
    ] {
        assert_eq!(bench.run(&format!("{fields} -o {format}")).ends(0).quietly().stdout, expected, "{format}");
    }
    let item = bench.run(&format!("{fields} -o json")).ends(0).item();
    let expected = r#"{"target":{"id":"vpn1"},"state":"connected","network":{"dns":["10.8.0.1"]}}"#;
    assert_eq!(item.to_string(), expected);
}

#[test]
fn a_field_that_does_not_exist_is_a_usage_error_with_the_nearest() {
    let bench = Bench::new();
    for (line, near) in [
        ("status -b freebox --fields ip_adress", "ip_address"),
        ("status -b freebox --fields target.nam", "target.name"),
        ("list -b freebox --fields stat", "state"),
        ("connect -b freebox --id vpn0 --fields chnged", "changed"),
    ] {
        bench.run(line).ends(2).tells(&format!("hint: did you mean `{near}`?")).without_output();
        bench.run(&format!("{line} -o json")).ends(2).without_output().fails("usage");
    }
    assert_eq!(bench.requests(), 0, "a wrong field is told before any request");
}

#[test]
fn headers_can_be_left_out() {
    let bench = Bench::new();
    for format in ["table", "wide", "csv", "tsv"] {
        let with = bench.run(&format!("list -b freebox -o {format}")).ends(0).stdout;
        let without = bench.run(&format!("list -b freebox -o {format} --no-header")).ends(0).quietly().stdout;
        assert_eq!(without.lines().count() + 1, with.lines().count(), "{format}");
        assert!(!without.to_lowercase().contains("backend"), "{without}");
    }
}

#[test]
fn colours_are_for_who_asks() {
    let mut bench = Bench::new();
    let plain = |text: &str| !text.contains('\u{1b}');
    assert!(plain(&bench.run("status -b freebox").ends(0).stdout));
    let always = bench.run("status -b freebox --color always").ends(0).prints("\u{1b}[32mconnected\u{1b}[0m");
    assert!(always.stderr.is_empty(), "{always}");
    assert!(plain(&bench.run("status -b freebox --color always -o json").ends(0).stdout));
    assert!(plain(&bench.run("status -b freebox --color always -o csv").ends(0).stdout));
    bench.set("CLICOLOR_FORCE", "1");
    assert!(!plain(&bench.run("status -b freebox").ends(0).stdout));
    bench.set("NO_COLOR", "1");
    assert!(plain(&bench.run("status -b freebox").ends(0).stdout));
    assert!(plain(&bench.run("status -b freebox --color never").ends(0).stdout));
    // A failure is no place for colours either.
    assert!(plain(&bench.run("status -b nobody").ends(6).stderr));
    assert!(plain(&bench.run("status --nonsense").ends(2).stderr));
}

#[test]
fn the_native_document_is_shown_on_request_alone() {
    let bench = Bench::new();
    assert!(bench.run("status -b freebox -o json").ends(0).item()["native"].is_null());
    let native = bench.run("status -b freebox -o json --native").ends(0).item()["native"].clone();
    assert_eq!(native["active_vpn"], "vpn1");
    let one = bench.run("status -b freebox --native -o value --fields native.active_vpn").ends(0);
    assert_eq!(one.stdout, "vpn1\n");
}

#[test]
fn an_empty_list_is_no_failure_and_has_the_shape_of_a_full_one() {
    let bench = Bench::with_faults(&["freebox:no-tunnels"]);
    let report = bench.run("list -b freebox -o json").ends(0).quietly().json();
    assert_eq!(report["items"], serde_json::json!([]));
    assert_eq!(report["summary"]["total"], 0);
    bench.run("list -b freebox").ends(0).tells("nothing to show").without_output();
    bench.run("list -b freebox -q").ends(0).quietly().without_output();
    let header = "backend,vendor,target.kind,target.id,target.name,target.type,state,labels\n";
    assert_eq!(bench.run("list -b freebox -o csv").ends(0).stdout, header);
    bench.run("list -b freebox --state connected -o json").ends(6).fails("selection.empty");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    use std::io::Read as _;
    // Enough rows that no pipe holds them all.
    let bench = Bench::with_devices(1500);
    for format in ["csv", "ndjson", "json", "table"] {
        let mut child = bench.start(&format!("status -b everyware -o {format}"));
        let mut reader = child.stdout.take().unwrap();
        let mut first = [0; 20];
        reader.read_exact(&mut first).unwrap();
        drop(reader);
        let run = crate::run::Run::end_of(child, format.to_owned());
        run.ends(0).quietly();
    }
}

#[test]
fn what_backends_can_do_is_shown_without_asking_them() {
    let bench = Bench::new();
    let mut out = String::new();
    for format in ["table", "json", "value"] {
        let run = bench.run(&format!("backends -o {format}")).ends(0).quietly();
        out.push_str(&format!("===== {format}\n{}", redacted(&bench, &run.stdout)));
    }
    insta::assert_snapshot!("backends", out);
    assert_eq!(bench.requests(), 0);
}

#[test]
fn loudness_is_for_standard_error() {
    let bench = Bench::new();
    for line in ["status -A", "list -A", "disconnect -b freebox", "auth status -A"] {
        let run = bench.run(&format!("{line} -o json -vvv")).ends(0);
        assert!(run.json()["items"].is_array() && run.stderr.contains("debug: GET "), "{run}");
        let objects = bench.run(&format!("{line} -o json -vv --log-format json")).ends(0);
        for line in objects.stderr.lines() {
            let told: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(told["level"].is_string() || told["type"].is_string(), "{line}");
        }
    }
    // The object of an error is the last line, however much was told before.
    for flags in ["-vvv", "-vvv --log-format json", "-q"] {
        let run = bench.run(&format!("status -b freebox nobody -o json {flags}")).ends(6);
        run.fails("target.not_found");
    }
}
