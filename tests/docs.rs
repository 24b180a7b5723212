//! The generated pages under `docs/`; `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![allow(clippy::expect_used)]

use std::path::Path;

/// What begins a part of a page that another test writes and holds.
const ELSEWHERE: &str = "\n# The matrix\n";

fn held(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let page = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let (committed, rest) = page.split_at(page.find(ELSEWHERE).unwrap_or(page.len()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        return std::fs::write(&path, format!("{text}{rest}")).expect("written");
    }
    assert_eq!(committed, text, "docs/{name} is not what the code says; run: UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn capabilities_are_those_of_the_code() {
    let page = vpnctl::app::backends::page().expect("every vendor opens");
    for vendor in vpnctl::backend::registry::VENDORS {
        assert!(page.contains(vendor.title), "{} is missing", vendor.title);
    }
    held("capabilities.md", &page);
}

/// Takes the tables of faults out of the documentation of a source file, each row and what heads it.
fn tables(source: &str) -> String {
    let mut text = String::new();
    for line in source.lines() {
        let Some(line) = line.strip_prefix("//! ").or_else(|| line.strip_prefix("/// ")) else { continue };
        if line.starts_with("| `") {
            text.push_str(line);
            text.push('\n');
        }
    }
    assert!(text.lines().count() > 5, "no table of faults was found");
    text
}

#[test]
fn faults_are_those_that_the_simulators_document() {
    let head = "| fault | what happens |\n| --- | --- |\n";
    let mut page = String::from(
        "# Faults of the simulators\n\nGenerated from `src/simulate` and held by a test.\n\n\
        `vpnctl simulate --fault NAME[=ARG]` switches one on from the start, `VENDOR:NAME[=ARG]` for one vendor. Each\n\
        simulated server has a control endpoint besides: `PUT /__simulate/faults/NAME=ARG` switches a fault on while it\n\
        runs, `DELETE /__simulate/faults/NAME` one and `DELETE /__simulate/faults` all of them off, `GET` lists them;\n\
        `GET /__simulate/requests` tells what was asked, `DELETE` forgets it. With `*N` behind it a fault that counts\n\
        happens N times: `--fault http-status=503*2`.\n",
    );
    for (title, source) in [
        ("Of every server", include_str!("../src/simulate/server.rs")),
        ("Freebox", include_str!("../src/simulate/freebox/mod.rs")),
        ("IXON", include_str!("../src/simulate/ixon/mod.rs")),
        ("Everyware Cloud", include_str!("../src/simulate/everyware/mod.rs")),
    ] {
        page.push_str(&format!("\n## {title}\n\n{head}{}", tables(source)));
    }
    for known in ["`http-status=503", "`tunnel-fails=WORD`", "`ws-refused[=STATUS]`", "`mfa`"] {
        assert!(page.contains(known), "{known} is missing");
    }
    held("faults.md", &page);
}
