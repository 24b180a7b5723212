//! What can happen to lists while somebody reads them page by page: pages that are asked for side by side, and devices
//! that come and go meanwhile.

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
        let number = |name: &str| faults.number(name).and_then(|number| usize::try_from(number).ok());
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

/// How many devices at the beginning of the registry are not there, as pages go by.
#[derive(Debug, Default)]
pub(super) struct Drift(AtomicUsize);

impl Drift {
    /// Gives how many of `count` devices the next page does not know of.
    pub(super) fn hidden(&self, count: usize, faults: &Faults) -> usize {
        let number = |name: &str| faults.number(name).and_then(|number| usize::try_from(number).ok());
        let moved = |step: usize| self.0.fetch_add(step, Ordering::SeqCst);
        let hidden = match (number("devices-leave"), number("devices-come")) {
            (Some(leaving), _) => moved(leaving),
            (None, Some(coming)) => STILL_TO_COME.saturating_sub(moved(coming)),
            (None, None) => 0,
        };
        hidden.min(count)
    }
}
