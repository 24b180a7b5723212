//! Whatever is printed as JSON is what `vpnctl schema` says of it, in success and in failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::bench::{Bench, bare};
use crate::documents::VERBS;
use crate::run::{Run, words};

/// Where nothing listens.
const NOWHERE: &str = "https://127.0.0.1:1";

/// The verbs that print no document of their own: text, pages, a vendor's answer.
const WITHOUT: [&str; 7] = ["api", "help", "with", "serve", "simulate", "completion", "man"];

fn plain(line: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare(folder.path());
    // Neither is needed, so neither may be read.
    command.env("VPNCTL_CONFIG", folder.path().join("there-is-none")).env("VPNCTL_BACKEND_X_VENDOR", "nonsense");
    command.args(words(line));
    Run::of(command, "")
}

fn names() -> Vec<String> {
    plain("schema").ends(0).quietly().stdout.lines().map(str::to_owned).collect()
}

/// What the binary says of a document.
struct Kind {
    document: SchemaIndex,
    line: Option<SchemaIndex>,
    /// The same with nothing allowed that is not named.
    strict: SchemaIndex,
    strict_item: Option<SchemaIndex>,
    strict_summary: Option<SchemaIndex>,
}

/// Every schema that the binary prints, compiled.
struct Printed {
    kinds: BTreeMap<String, Kind>,
    schemas: Schemas,
}

impl Printed {
    /// Gives the one that all tests of this process share.
    fn of_the_binary() -> &'static Self {
        static PRINTED: OnceLock<Printed> = OnceLock::new();
        PRINTED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let mut kinds = BTreeMap::new();
        for name in names() {
            let schema = plain(&format!("schema {name}")).ends(0).quietly().json();
            let mut closed = schema.clone();
            close(&mut closed);
            // Each has its name for an id, so the two have to be two places.
            let (open_at, closed_at) = (format!("http://open/{name}"), format!("http://closed/{name}"));
            compiler.add_resource(&open_at, schema.clone()).unwrap();
            compiler.add_resource(&closed_at, closed).unwrap();
            // Compiling validates it against the meta-schema that it names, too.
            let mut compiled = |place: &str| {
                let of = compiler.compile(place, &mut schemas);
                of.unwrap_or_else(|error| panic!("{name} is no schema: {error:#}"))
            };
            let wrapped = schema["$defs"]["line"].is_object();
            let mut part = |at: &str| wrapped.then(|| compiled(at));
            let kind = Kind {
                line: part(&format!("{open_at}#/$defs/line")),
                strict_item: part(&format!("{closed_at}#/$defs/item")),
                strict_summary: part(&format!("{closed_at}#/$defs/summary")),
                document: compiled(&open_at),
                strict: compiled(&closed_at),
            };
            kinds.insert(name, kind);
        }
        Self { kinds, schemas }
    }

    #[track_caller]
    fn kind(&self, name: &str) -> &Kind {
        self.kinds.get(name).unwrap_or_else(|| panic!("`{name}` has no schema"))
    }

    #[track_caller]
    fn holds(&self, value: &Value, schema: SchemaIndex, run: &Run) {
        if let Err(error) = self.schemas.validate(value, schema) {
            panic!("{error:#}\n{value:#}\nin {run}");
        }
    }

    /// Holds all that a run printed to its schemas; gives the names of documents with an item, and of errors.
    #[track_caller]
    fn hold(&self, run: &Run, format: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        if format == "json" && !run.stdout.is_empty() {
            let document = run.json();
            let name = document["schema"].as_str().and_then(|name| name.strip_prefix("vpnctl.")?.strip_suffix("/v1"));
            let name = name.unwrap_or_else(|| panic!("no name: {run}")).to_owned();
            self.holds(&document, self.kind(&name).document, run);
            self.holds(&document, self.kind(&name).strict, run);
            names.extend((!document["items"].as_array().unwrap().is_empty()).then_some(name));
        }
        if format == "ndjson" && !run.stdout.is_empty() {
            names.extend(self.hold_lines(run));
        }
        for line in run.stderr.lines().filter(|line| line.starts_with("{\"type\":\"error\"")) {
            let error: Value = serde_json::from_str(line).unwrap();
            self.holds(&error, self.kind("error").document, run);
            self.holds(&error, self.kind("error").strict, run);
            names.insert("error".to_owned());
        }
        // 3 is an answer and no failure; all else has its object on the last line.
        if !matches!(run.code, 0 | 3) {
            run.error();
        }
        names
    }

    /// Holds lines of ndjson; gives the name of the items.
    #[track_caller]
    fn hold_lines(&self, run: &Run) -> Option<String> {
        let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (summary, items) = lines.split_last().unwrap();
        // What a signal ended that can't be caught had no time for one.
        assert!(run.code < 0 || summary["type"] == "summary", "{run}");
        // Every document has the same summary; without an item nobody can tell which it is.
        let name = items.first().map_or("status", |item| item["type"].as_str().unwrap());
        let kind = self.kind(name);
        for line in &lines {
            self.holds(line, kind.line.unwrap(), run);
            let mut bare = line.clone();
            bare.as_object_mut().unwrap().remove("type");
            let of = if line["type"] == "summary" { kind.strict_summary } else { kind.strict_item };
            self.holds(&bare, of.unwrap(), run);
        }
        items.first().map(|_| name.to_owned())
    }
}

/// Allows in every object that names its keys no other key.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(close),
        Value::Object(map) => {
            map.values_mut().for_each(close);
            // What refers to another schema adds to that one's keys.
            if map.get("properties").is_some_and(Value::is_object) && !map.contains_key("$ref") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
        }
        _ => {}
    }
}

/// Holds what any test makes the binary print to its schema: whatever calls itself a document of vpnctl, and every error.
#[track_caller]
pub(crate) fn audit(run: &Run, arguments: &str) {
    // What is only part of a document, or a vendor's or another command's own, has no schema.
    let partial = ["--fields", "--jq", "\"api\"", "\"with\""].iter().any(|word| arguments.contains(word));
    let format = match arguments {
        _ if partial => return,
        _ if arguments.contains("\"ndjson\"") && run.stdout.starts_with("{\"type\":") => "ndjson",
        _ if arguments.contains("\"json\"") && run.stdout.starts_with("{\"schema\":") => "json",
        _ => return,
    };
    Printed::of_the_binary().hold(run, format);
}

/// What is run in one world, and how each line ends.
type Scene<'a> = &'a [(&'a str, i32)];

const WELL: Scene = &[
    ("status -A", 0),
    ("status -A --native", 0),
    ("status -b everyware --live", 10),
    ("status -b everyware gw-lyon-02 --native", 0),
    ("status -A --exit-code", 3),
    ("check -b freebox", 0),
    ("check -A", 3),
    ("check -b everyware gw-lyon-02 gw-turin-04", 5),
    ("status freebox/vpn0 ixon/nobody", 10),
    ("status -b everyware nobody", 6),
    ("status -b nowhere", 6),
    ("status -b freebox --fault", 2),
    ("list -A", 0),
    ("list -b everyware --live", 10),
    ("list -A --state failed", 6),
    ("connect -b freebox vpn0", 9),
    ("connect -b freebox vpn0 --switch --dry-run", 0),
    ("connect -b freebox vpn0 --switch", 0),
    ("connect -b freebox vpn0", 0),
    ("connect -b everyware gw-lyon-02 nobody --yes", 10),
    ("connect -b everyware 'gw-*'", 2),
    ("reconnect -b freebox", 0),
    ("reconnect -b freebox nobody", 6),
    ("disconnect -b freebox --no-wait", 0),
    ("disconnect -A --yes", 0),
    ("disconnect -b freebox --read-only", 9),
    ("wait -b ixon --for disconnected,failed", 0),
    ("wait -b ixon --for connected --timeout 300ms", 8),
    ("wait -b freebox nobody --for connected", 6),
    ("watch -A --count 3", 0),
    ("watch -b freebox nobody", 6),
    ("tunnel list -b freebox", 0),
    ("tunnel list -A", 10),
    ("tunnel show vpn2 -b freebox", 0),
    ("tunnel show nothing -b freebox", 6),
    ("tunnel edit vpn0 -b freebox --name other", 0),
    ("tunnel edit nothing -b freebox --name other", 6),
    ("tunnel rm vpn2 -b freebox --yes --dry-run", 0),
    ("tunnel rm vpn2 -b freebox --yes", 0),
    ("tunnel rm nothing -b freebox --yes", 6),
    ("log -b freebox", 0),
    ("log -b ixon", 12),
    ("log -A", 10),
    ("settings show -b ixon", 0),
    ("settings set -b ixon simulatedConnectionType=tun --yes", 0),
    ("settings reset -b ixon --yes", 0),
    ("settings show -A", 10),
    ("settings show -b freebox", 12),
    ("trust show -b ixon", 0),
    ("trust add -b ixon", 0),
    ("trust rm -b ixon", 0),
    ("trust show -A", 10),
    ("trust show -b freebox", 2),
    ("auth status -A", 0),
    ("doctor -A", 0),
    ("auth login -b everyware", 0),
    ("auth logout -b everyware", 0),
    ("auth status -b nowhere", 6),
    ("backends", 0),
    ("backends --matrix", 0),
    ("backends --discover --demo", 0),
    ("config show", 0),
    ("config show --config missing.toml", 13),
    ("config validate --config missing.toml", 13),
    ("schema", 0),
    ("schema statu", 2),
];

/// Nothing listens where the configuration says.
const DOWN: Scene = &[
    ("status -A", 5),
    ("list -b freebox -b everyware", 5),
    ("connect -b freebox --id vpn0", 5),
    ("disconnect -b everyware --id x", 5),
    ("reconnect -b freebox --id vpn0", 5),
    ("wait -A --for connected --timeout 300ms", 8),
    ("watch -b ixon --count 1", 0),
    ("check -A", 5),
    ("tunnel list -b freebox", 5),
    ("log -b freebox", 5),
    ("settings show -b ixon", 5),
    ("trust show -b ixon", 5),
    ("auth status -b freebox", 5),
    ("auth login -b everyware", 5),
    ("backends", 0),
];

/// Every secret is a wrong one.
const REFUSED: Scene = &[
    ("status -b freebox", 4),
    ("status -A", 10),
    ("list -A", 4),
    ("list -b everyware --live", 4),
    ("connect -b freebox --id vpn0", 4),
    ("disconnect -b everyware --id x", 4),
    ("reconnect -b everyware --id x", 4),
    ("wait -b freebox --for connected", 4),
    ("watch -b freebox -b everyware", 4),
    ("check -A", 4),
    ("tunnel list -b freebox", 4),
    ("log -b freebox", 4),
    ("auth status -A", 4),
    ("doctor -A", 4),
    ("auth login -b everyware", 4),
];

/// Attempts fail, and the clouds answer nonsense.
const FAILING: Scene = &[
    ("disconnect -b freebox", 0),
    ("connect -b freebox vpn0", 7),
    ("status -A --native", 10),
    ("wait -b freebox vpn0 --for failed", 0),
    ("watch -b everyware", 14),
    ("check -A", 14),
    ("list -A", 10),
    ("auth status -A", 14),
    ("connect -A --yes", 10),
];

/// The configuration itself is wrong, as far as one backend goes.
const UNFINISHED: Scene = &[
    ("status -A", 10),
    ("list -A", 10),
    ("disconnect -A --yes", 10),
    ("wait -A --for disconnected,connected", 10),
    ("watch -A --count 3", 13),
    ("check -A", 13),
    ("log -A", 10),
    ("tunnel list -A", 10),
    ("settings show -A", 10),
    ("trust show -A", 10),
    ("auth status -A", 13),
    ("backends", 10),
    ("config show", 0),
    ("config validate", 13),
];

/// Runs a scene in both formats side by side, each in a world of its own, and gives the names of what was printed.
fn play(scene: Scene, set_up: impl Fn(&mut Bench) + Sync) -> BTreeSet<String> {
    let run = |format: &str| {
        let (printed, mut bench, mut seen) = (Printed::of_the_binary(), Bench::new(), BTreeSet::new());
        set_up(&mut bench);
        for (line, code) in scene {
            seen.extend(printed.hold(&bench.run(&format!("{line} -o {format}")).ends(*code), format));
        }
        seen
    };
    std::thread::scope(|scope| {
        let lines = scope.spawn(|| run("ndjson"));
        let seen = run("json");
        seen.into_iter().chain(lines.join().unwrap()).collect()
    })
}

#[test]
fn in_success_every_verb_prints_what_its_schema_says() {
    let seen = play(WELL, |_| {});
    for known in plain("schema -o json").ends(0).quietly().items() {
        let verbs: Vec<&str> = known["verbs"].as_array().unwrap().iter().map(|verb| verb.as_str().unwrap()).collect();
        let built = verbs.is_empty() || verbs.iter().any(|verb| VERBS.contains(verb));
        assert!(!built || seen.contains(known["name"].as_str().unwrap()), "nothing printed {known}");
    }
}

#[test]
fn where_servers_are_down_what_is_printed_is_what_its_schema_says() {
    play(DOWN, |bench| {
        for vendor in ["FREEBOX", "IXON", "EVERYWARE"] {
            bench.set(&format!("VPNCTL_BACKEND_{vendor}_URL"), NOWHERE);
        }
    });
}

#[test]
fn where_secrets_are_wrong_what_is_printed_is_what_its_schema_says() {
    play(REFUSED, |bench| {
        for secret in ["FREEBOX_APP_TOKEN", "IXON_TOKEN", "EVERYWARE_PASSWORD"] {
            bench.set(&format!("VPNCTL_BACKEND_{secret}"), "wrong-canary");
        }
    });
}

#[test]
fn where_vendors_fail_what_is_printed_is_what_its_schema_says() {
    play(FAILING, |bench| {
        bench.run("list -b everyware").ends(0);
        bench.fault("freebox", "tunnel-fails=auth_failed");
        bench.fault("everyware", "not-json");
        bench.set("VPNCTL_TIMEOUT", "3s");
    });
}

#[test]
fn where_a_backend_is_not_set_up_what_is_printed_is_what_its_schema_says() {
    play(UNFINISHED, |bench| {
        let text = bench.config_without(&["/v1\""]);
        bench.write("vpnctl.toml", &text);
    });
}

#[test]
fn every_verb_that_prints_items_has_a_success_and_a_failure() {
    let all: Vec<(&str, i32)> = [WELL, DOWN, REFUSED, FAILING, UNFINISHED].concat();
    let of = |verb: &str, fits: fn(i32) -> bool| {
        all.iter().any(|(line, code)| line.split(' ').next() == Some(verb) && fits(*code))
    };
    for verb in VERBS.iter().filter(|verb| !WITHOUT.contains(verb)) {
        assert!(of(verb, |code| code == 0), "{verb} has no case that goes well");
        assert!(of(verb, |code| !matches!(code, 0 | 3)), "{verb} has no case that fails");
    }
    assert!(WITHOUT.iter().all(|verb| VERBS.contains(verb)), "a verb of {WITHOUT:?} is none");
}

#[test]
fn the_schemas_are_schemas_and_say_whose_they_are() {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let draft = "https://json-schema.org/draft/2020-12/schema";
    let meta = compiler.compile(draft, &mut schemas).unwrap();
    for name in names() {
        let schema = plain(&format!("schema {name}")).ends(0).quietly().json();
        schemas.validate(&schema, meta).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!((&schema["$schema"], &schema["$id"]), (&json!(draft), &json!(format!("vpnctl.{name}/v1"))));
        if name != "error" {
            assert_eq!(schema["properties"]["schema"]["const"], schema["$id"], "{name}");
        }
    }
    let error = plain("schema error").ends(0).json();
    assert_eq!(error["properties"]["type"]["const"], "error");
}

#[test]
fn a_schema_refuses_what_is_wrong_and_takes_what_is_new() {
    let printed = Printed::of_the_binary();
    let run = Bench::new().run("status -b freebox -o json").ends(0);
    let kind = printed.kind("status");
    let judged = |place: &str, value: Option<Value>| {
        let mut document = run.json();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let map = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => map.insert(key.to_owned(), value),
            None => map.remove(key),
        };
        let fits = |schema| printed.schemas.validate(&document, schema).is_ok();
        (fits(kind.document), fits(kind.strict))
    };
    for gone in ["/schema", "/summary", "/items/0/state", "/items/0/native", "/items/0/target/name", "/summary/by_code"]
    {
        assert_eq!(judged(gone, None), (false, false), "{gone} may be left out");
    }
    for (place, value) in [
        ("/schema", json!("vpnctl.list/v1")),
        ("/items/0/state", Value::Null),
        ("/items/0/observed_at", json!("yesterday")),
        ("/items/0/next_retry_s", json!("5")),
        ("/items/0/error", json!({"type": "error"})),
        ("/summary/total", json!(-1)),
    ] {
        assert_eq!(judged(place, Some(value.clone())), (false, false), "{place} may be {value}");
    }
    for (place, value) in [("/items/0/state", json!("paused")), ("/items/0/source", json!("satellite"))] {
        assert_eq!(judged(place, Some(value.clone())), (true, true), "{place} may not be {value}");
    }
    for place in ["/new", "/items/0/new", "/items/0/target/new", "/items/0/network/new", "/summary/new"] {
        assert_eq!(judged(place, Some(json!(1))), (true, false), "{place}");
    }
}

#[test]
fn a_line_of_ndjson_is_validated_as_the_help_says() {
    let folder = tempfile::tempdir().unwrap();
    let help = plain("schema --help").ends(0).stdout;
    let line = help.lines().find_map(|line| line.trim().strip_prefix("echo '")).unwrap();
    let (wrapper, file) = line.split_once("' > ").unwrap();
    std::fs::write(folder.path().join(file), wrapper).unwrap();
    std::fs::write(folder.path().join("status.schema.json"), plain("schema status").ends(0).stdout).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let schema = compiler.compile(folder.path().join(file).to_str().unwrap(), &mut schemas).unwrap();
    let run = Bench::new().run("status -A -o ndjson").ends(0);
    assert!(run.stdout.lines().count() > 3, "{run}");
    for line in run.stdout.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        schemas.validate(&line, schema).unwrap_or_else(|error| panic!("{error:#}: {line}"));
    }
    assert!(schemas.validate(&json!({"type": "list"}), schema).is_err());
}

#[test]
fn what_could_not_be_read_is_an_item_of_documents_and_no_blank_row() {
    let bench = Bench::new();
    bench.run("list -b everyware").ends(0); // Its login is kept, for after two without a document none is made.
    bench.fault("everyware", "not-json");
    for (line, value, code) in [
        ("list -b freebox -b everyware", "/target/id", 10),
        ("list -b everyware", "/target/id", 14),
        ("auth status -b freebox -b everyware", "/login", 14),
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(code);
        let items = run.items();
        let lost = items.iter().find(|item| item["backend"] == "everyware").unwrap();
        assert_eq!(lost["error"]["code"], "vendor.protocol", "{run}");
        assert!(items.iter().all(|item| item["error"].is_null() != item.pointer(value).is_none_or(Value::is_null)));
        assert!(run.stderr.lines().count() == 1, "it is told once: {run}");
        for format in ["csv --no-header", "tsv --no-header", "value", "table --no-header"] {
            let run = bench.run(&format!("{line} -o {format}")).ends(code).tells("everyware: ");
            assert!(run.stdout.lines().count() == items.len() - 1 && !run.stdout.contains("everyware"), "{run}");
        }
        bench.run(&format!("{line} -o csv --fields backend,error.code")).ends(code).prints("everyware,vendor.protocol");
    }
    let lost = bench.run("list -b everyware -o json").ends(14).item();
    assert_eq!((&lost["target"], &lost["state"], &lost["labels"]), (&Value::Null, &json!("unknown"), &json!({})));
}

#[test]
fn a_document_that_does_not_exist_is_a_usage_error_with_the_nearest() {
    plain("schema statu").ends(2).without_output().tells("'status'");
    let error = plain("schema statu -o json").ends(2).without_output().fails("usage");
    assert!(error["hint"].as_str().unwrap().contains("'status'"), "{error}");
    assert_eq!(names().first().map(String::as_str), Some("status"));
    assert_eq!(plain("schema -o csv --fields name,id").ends(0).stdout.lines().nth(1), Some("status,vpnctl.status/v1"));
}
