//! The generated pages under `docs/`; `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![allow(clippy::expect_used)]

use std::path::Path;

fn held(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the page is committed").replace("\r\n", "\n");
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
