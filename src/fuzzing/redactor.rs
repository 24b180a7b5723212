//! Secrets in the midst of what a stranger wrote.

use crate::backends::fuzzing::VENDORS;

/// As odd as a password may be, and as one has to be that stands in a URL.
const SECRETS: [&str; 2] = ["Zq7/wL+p9R=xK4v", "Zq7-wL_p9R.xK4v"];

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in SECRETS.into_iter().filter(|secret| !text.contains(secret)) {
        for vendor in VENDORS {
            for shown in (vendor.shown)(&text, secret) {
                assert!(!shown.contains(secret), "{}: {shown:?}", vendor.name);
            }
        }
    }
}
