//! What can happen to lists while somebody reads them page by page: pages that are asked for side by side, and devices
//! that come and go meanwhile.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::super::faults::Faults;
use super::answers::{self, Refusal};

/// How long a page takes where somebody counts how many are in hand.
const A_WHILE: Duration = Duration::from_millis(20);
/// How many devices are still to come where some come.
const STILL_TO_COME: usize = 500;

/// The pages that are in hand.
#[derive(Debug)]
pub(super) struct Crowd {
    in_hand: AtomicUsize,
    /// The greatest number of pages behind the first that were held at once.
    held: watch::Sender<(usize, usize)>,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { in_hand: AtomicUsize::new(0), held: watch::Sender::new((0, 0)) }
    }
}

/// A page in hand, until it is dropped.
#[derive(Debug)]
pub(super) struct InHand<'a>(&'a Crowd);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Crowd {
    /// Takes a page in hand, as the faults `pages-at-most` and `pages-meet` have it.
    pub(super) async fn enter(&self, is_first: bool, faults: &Faults) -> Result<InHand<'_>, Refusal> {
        let now = self.in_hand.fetch_add(1, Ordering::SeqCst) + 1;
        let in_hand = InHand(self);
        let number = |name: &str| number(faults, name);
        if let Some(most) = number("pages-at-most") {
            tokio::time::sleep(A_WHILE).await;
            if now > most {
                return Err(answers::illegal_argument("offset", "too many pages at once"));
            }
        }
        if let Some(wanted) = number("pages-meet").filter(|_| !is_first) {
            self.held.send_modify(|(now, most)| (*now, *most) = (*now + 1, (*most).max(*now + 1)));
            // Once so many have met nobody is held any more.
            let met = self.held.subscribe().wait_for(|(_, most)| *most >= wanted).await.is_ok();
            self.held.send_modify(|(now, _)| *now -= usize::from(met));
        }
        Ok(in_hand)
    }
}

/// Which part of the registry, and of the connections, is there, as pages go by.
#[derive(Debug, Default)]
pub(super) struct Drift {
    devices: AtomicUsize,
    connections: AtomicUsize,
}

impl Drift {
    /// Gives the places of `count` devices that the next page knows of.
    pub(super) fn devices(&self, count: usize, faults: &Faults) -> Range<usize> {
        let moved = |step: usize| self.devices.fetch_add(step, Ordering::SeqCst);
        let number = |name: &str| number(faults, name);
        if let Some(leaving) = number("devices-leave") {
            moved(leaving).min(count)..count
        } else if let Some(coming) = number("devices-come") {
            STILL_TO_COME.saturating_sub(moved(coming)).min(count)..count
        } else if let Some(changing) = number("devices-change") {
            let gone = moved(changing).min(STILL_TO_COME).min(count);
            gone..count.saturating_sub(STILL_TO_COME - gone).max(gone)
        } else {
            0..count
        }
    }

    /// Gives the places of `count` connections that the next page knows of.
    pub(super) fn connections(&self, count: usize, faults: &Faults) -> Range<usize> {
        let leaving = number(faults, "connections-leave");
        leaving.map_or(0, |leaving| self.connections.fetch_add(leaving, Ordering::SeqCst)).min(count)..count
    }
}

fn number(faults: &Faults, name: &str) -> Option<usize> {
    faults.number(name).and_then(|number| usize::try_from(number).ok())
}
