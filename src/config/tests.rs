//! What the configuration accepts, refuses and says.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Config, Key, Kind, Origin, Sources, Vendor, load};
use crate::error::{Code, Result};

const VENDORS: &[Vendor] = &[
    Vendor { name: "one", keys: &[Key::new("token", Kind::Secret), Key::new("version", Kind::Integer).or("4")] },
    Vendor { name: "two", keys: &[] },
];

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    read_at(file.path(), environment)
}

fn read_at(path: &Path, environment: &[(&str, &str)]) -> Result<Config> {
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { named: Some(path.to_owned()), usual: None, variables: environment, until: None }, VENDORS)
}

fn fault(text: &str) -> (Code, String) {
    let error = read(text, &[]).expect_err("refused");
    (error.code(), format!("{} {}", error.message(), error.hint_text().unwrap_or_default()))
}

#[test]
fn values_come_from_file_environment_and_defaults_in_that_order() {
    let text =
        "[backend.home]\nvendor = \"one\"\nurl = \"http://a\"\nlabels = { site = \"lyon\" }\ntls.ca_file = \"/ca\"\n";
    let config = read(text, &[("VPNCTL_BACKEND_HOME_URL", "http://b"), ("VPNCTL_BACKEND_HOME_TLS_INSECURE", "true")])
        .expect("read");
    let home = &config.backends["home"];
    assert_eq!(home.text("url"), Some("http://b"));
    assert_eq!(home.settings["url"].origin, Origin::Environment("VPNCTL_BACKEND_HOME_URL".to_owned()));
    assert!(home.is_on("tls.insecure"));
    assert_eq!(home.text("tls.ca_file"), Some("/ca"));
    assert_eq!(home.labels()["site"], "lyon");
    assert_eq!(home.integer("version"), Some(4));
    assert_eq!(home.settings["version"].origin, Origin::BuiltIn);
}

#[test]
fn without_a_backend_there_is_one_per_vendor() {
    let config = load(&Sources::default(), VENDORS).expect("read");
    assert_eq!(config.backends.keys().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn the_environment_alone_can_make_a_backend() {
    let sources = Sources {
        variables: BTreeMap::from([
            ("VPNCTL_BACKEND_NIGHT_SHIFT_VENDOR".to_owned(), "two".to_owned()),
            ("VPNCTL_BACKEND_NIGHT_SHIFT_URL".to_owned(), "http://c".to_owned()),
        ]),
        ..Sources::default()
    };
    let config = load(&sources, VENDORS).expect("read");
    assert_eq!(config.backends.keys().collect::<Vec<_>>(), ["night-shift"]);
    assert_eq!(config.backends["night-shift"].text("url"), Some("http://c"));
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_its_neighbour() {
    let (code, message) = fault("[backend.home]\nvendor = \"one\"\n  urll = \"http://a\"\n");
    assert_eq!(code, Code::ConfigUnknownKey);
    assert!(message.contains(":3:3: there is no key `urll`"), "{message}");
    assert!(message.contains("did you mean `url`?"), "{message}");
    let (code, message) = fault("[backend.home]\nvendor = \"one\"\n[backend.home.tls]\nca_fil = \"x\"\n");
    assert_eq!(code, Code::ConfigUnknownKey);
    assert!(message.contains(":4:1: there is no key `tls.ca_fil`"), "{message}");
    assert!(message.contains("`tls.ca_file`"), "{message}");
    let (code, _) = fault("default_backnd = \"x\"\n");
    assert_eq!(code, Code::ConfigUnknownKey);
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (text, part) in [
        ("[backend.home]\nvendor = \"three\"\n", ":2:10: there is no vendor `three`"),
        ("[backend.home]\nurl = \"x\"\n", "does not say its `vendor`"),
        ("[backend.home]\nvendor = \"one\"\nversion = \"4\"\n", ":3:11: `version` is no whole number"),
        ("[backend.home]\nvendor = \"one\"\ntimeout = \"5 minutes\"\n", "`timeout` is no duration"),
        ("[backend.Home]\nvendor = \"one\"\n", "is no name for a backend"),
        ("[backend.home\n", ":1:"),
        ("default_backend = \"x\"\n[backend.home]\nvendor = \"one\"\n", "no backend has that name"),
        ("[backend.home]\nvendor = \"one\"\ntoken = { enf = \"X\" }\n", "there is no key `enf`"),
    ] {
        let (_, message) = fault(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn a_written_out_secret_needs_a_private_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "[backend.home]\nvendor = \"one\"\ntoken = \"canary\"\n").expect("written");
    let set = |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("set");
    set(0o644);
    let error = read_at(file.path(), &[]).expect_err("refused");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("chmod 600")), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"));
    set(0o600);
    let config = read_at(file.path(), &[]).expect("read");
    assert!(config.backends["home"].secret("token").is_some());
}

#[test]
fn a_named_file_has_to_be_there() {
    let error = read_at(Path::new("/nowhere/vpnctl.toml"), &[]).expect_err("refused");
    assert_eq!(error.code(), Code::ConfigInvalid);
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = read("[backend.home]\nvendor = \"one\"\ntls.ca_file = \"ca.pem\"\n", &[]).expect("read");
    let path = config.backends["home"].path("tls.ca_file").expect("a path");
    assert!(path.is_absolute() && path.ends_with("ca.pem"), "{}", path.display());
}

#[test]
fn what_a_panic_may_print_of_the_environment_holds_no_value() {
    let variables = BTreeMap::from([("VPNCTL_BACKEND_HOME_APP_TOKEN".to_owned(), "canary-secret".to_owned())]);
    let sources = Sources { variables, ..Sources::default() };
    for shown in [format!("{sources:?}"), format!("{sources:#?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}
