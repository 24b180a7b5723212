//! Files of the state folder.

use url::Url;

use crate::backends::fuzzing::VENDORS;
use crate::http::tls::Fingerprint;
use crate::state::failures::Failures;
use crate::state::{Folder, Pin};

pub(super) fn run(bytes: &[u8]) {
    VENDORS.iter().for_each(|vendor| (vendor.kept)(bytes));
    let place = super::folder().join("state");
    std::fs::create_dir_all(place.join("failed")).expect("a folder");
    let (file, aside) = (place.join("home.json"), place.join("home.json.corrupt"));
    let _ = std::fs::remove_file(&aside);
    std::fs::write(&file, bytes).expect("written");
    let store = Folder::new(Some(place.clone())).backend("home");
    let _: serde_json::Map<String, serde_json::Value> = store.read();
    // What can't be read is set aside, and nothing of it is lost.
    let kept = if file.exists() { &file } else { &aside };
    assert_eq!(std::fs::read(kept).expect("kept"), bytes);
    let guard = super::block_on(store.lock()).expect("the lock");
    let mut document: serde_json::Map<String, serde_json::Value> = guard.read();
    document.insert("new".to_owned(), true.into());
    // A disk would take longer than all the rest.
    if guard.write_soon(&document) {
        let now: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("there")).expect("JSON");
        assert_eq!(now["new"], true, "what was corrupt is built anew");
    } else {
        assert_eq!(std::fs::read(&file).expect("left"), bytes, "what is of another version stays");
    }
    pin(&place, bytes);
    std::fs::write(place.join("failed/status.ndjson"), bytes).expect("written");
    let failed: Vec<_> = Failures::of(&Folder::new(Some(place)), "status", None).collect();
    assert!(failed.len() <= bytes.split(|byte| *byte == b'\n').count());
}

fn pin(place: &std::path::Path, bytes: &[u8]) {
    std::fs::write(place.join("home.pin.json"), bytes).expect("written");
    let Ok(Some(pin)) = Pin::read(&Folder::new(Some(place.to_owned())).backend("home")) else { return };
    if let Ok(fingerprint) = Fingerprint::parse(&pin.fingerprint) {
        assert_eq!(Fingerprint::parse(&fingerprint.to_string()).ok(), Some(fingerprint));
    }
    let _ = pin.is_for(&Url::parse("https://localhost:9250/").expect("a URL"));
}
