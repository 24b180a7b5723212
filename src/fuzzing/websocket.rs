//! What a server sends after the upgrade to a WebSocket.

use super::meaning;
use crate::backends::fuzzing::{Meaning, VENDORS, pushed};
use crate::error::Exit;
use crate::http::ws::fuzzing::messages;

pub(super) fn run(bytes: &[u8]) {
    let (texts, end) = super::block_on(messages(bytes));
    meaning::of_error(&end);
    assert!(matches!(end.exit(), Exit::Unreachable | Exit::Vendor), "{end:?}");
    // Whoever waits for the next message may connect again, or gives up for good.
    assert_eq!(end.is_temporary(), end.exit() == Exit::Unreachable, "{end:?}");
    let vendor = VENDORS[1].name;
    for met in texts.iter().filter_map(|text| pushed(text)) {
        meaning::check(vendor, &met);
    }
    // A message without any frame around it.
    if let Some(met) = std::str::from_utf8(bytes).ok().and_then(pushed) {
        assert!(matches!(met, Meaning::Status(_)));
        meaning::check(vendor, &met);
    }
}
