//! Applications and how they are paired.

use std::time::Duration;

use crate::simulate::faults::Faults;

/// How long the question stays on the front panel (vendor/freebox.md section 3.1).
const PROMPT: Duration = Duration::from_secs(90);
/// How many polls answer `pending` before the user is taken to have pressed the button.
const POLLS_BEFORE_GRANTED: u64 = 2;

/// The states of a request for a token, by the vendor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    /// The token is not known, or was revoked.
    Unknown,
    /// The user has not answered yet.
    Pending,
    /// The user did not answer in time.
    Timeout,
    /// The token is valid.
    Granted,
    /// The user refused.
    Denied,
}

impl Grant {
    /// Gives the vendor's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Timeout => "timeout",
            Self::Granted => "granted",
            Self::Denied => "denied",
        }
    }
}

/// One application, paired or not.
#[derive(Debug, Clone)]
pub(super) struct App {
    /// The id that it chose.
    pub(super) id: String,
    /// Its long-lived secret.
    pub(super) token: String,
    /// Whether the administrator gave it the right to change settings.
    pub(super) settings: bool,
    track_id: u64,
    asked: Duration,
    polls: u64,
    grant: Grant,
}

impl App {
    fn at(&self, now: Duration) -> Grant {
        match self.grant {
            Grant::Pending if now.saturating_sub(self.asked) >= PROMPT => Grant::Timeout,
            grant => grant,
        }
    }
}

/// Keeps the applications that asked for a token.
#[derive(Debug)]
pub(super) struct Pairings {
    apps: Vec<App>,
    tracked: u64,
}

impl Pairings {
    /// Makes a box that knows one application, which may change settings.
    pub(super) fn with(id: &str, token: &str) -> Self {
        let app = App {
            id: id.to_owned(),
            token: token.to_owned(),
            settings: true,
            track_id: 1,
            asked: Duration::ZERO,
            polls: 1,
            grant: Grant::Granted,
        };
        Self { apps: vec![app], tracked: 1 }
    }

    /// Notes a request for a token and gives the id to track it by.
    pub(super) fn ask(&mut self, id: &str, token: String, now: Duration) -> u64 {
        self.tracked += 1;
        let track_id = self.tracked;
        self.apps.push(App {
            id: id.to_owned(),
            token,
            settings: false,
            track_id,
            asked: now,
            polls: 0,
            grant: Grant::Pending,
        });
        track_id
    }

    /// Answers one poll; the user's answer counts only once it was polled for (vendor/freebox.md section 3.1).
    ///
    /// Gives the application's id too where this poll granted it: its former token is dead from now on.
    pub(super) fn poll(&mut self, track_id: u64, now: Duration, faults: &Faults) -> (Grant, Option<String>) {
        let Some(app) = self.apps.iter_mut().find(|app| app.track_id == track_id) else {
            return (Grant::Unknown, None);
        };
        app.grant = app.at(now);
        if app.grant != Grant::Pending {
            return (app.grant, None);
        }
        app.polls += 1;
        app.grant = answer(app.polls, faults.arg("pairing").as_deref());
        let grant = app.grant;
        if grant != Grant::Granted {
            return (grant, None);
        }
        let id = app.id.clone();
        self.apps.retain(|app| app.id != id || app.track_id >= track_id);
        (grant, Some(id))
    }

    /// Gives the applications that go by an id, with what they were granted.
    pub(super) fn named(&self, id: &str, now: Duration) -> Vec<(App, Grant)> {
        self.apps.iter().filter(|app| app.id == id).map(|app| (app.clone(), app.at(now))).collect()
    }
}

/// Says what the poll of that number is answered: `WORD[:N]` answers `pending` N times before the word.
fn answer(poll: u64, fault: Option<&str>) -> Grant {
    let (word, count) = fault.map_or(("pending", None), |fault| match fault.split_once(':') {
        Some((word, count)) => (word, count.parse().ok()),
        None => (fault, Some(if fault == "pending" { u64::MAX } else { 0 })),
    });
    if poll <= count.unwrap_or(POLLS_BEFORE_GRANTED) {
        return Grant::Pending;
    }
    match word {
        "denied" => Grant::Denied,
        "timeout" => Grant::Timeout,
        "unknown" => Grant::Unknown,
        _ => Grant::Granted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(fault: &str, polls: usize) -> Vec<&'static str> {
        let faults = Faults::default();
        if !fault.is_empty() {
            faults.set(fault);
        }
        let mut pairings = Pairings::with("first", "token");
        let track = pairings.ask("second", "other".to_owned(), Duration::ZERO);
        (0..polls).map(|_| pairings.poll(track, Duration::ZERO, &faults).0.word()).collect()
    }

    #[test]
    fn a_request_is_answered_after_some_polls() {
        assert_eq!(polled("", 4), ["pending", "pending", "granted", "granted"]);
        assert_eq!(polled("pairing=granted", 1), ["granted"]);
        assert_eq!(polled("pairing=pending:1", 2), ["pending", "granted"]);
        assert_eq!(polled("pairing=denied", 2), ["denied", "denied"]);
        assert_eq!(polled("pairing=timeout:1", 3), ["pending", "timeout", "timeout"]);
        assert_eq!(polled("pairing=pending", 9), ["pending"; 9]);
    }

    #[test]
    fn a_request_that_is_never_polled_ends_in_a_timeout() {
        let mut pairings = Pairings::with("first", "token");
        let track = pairings.ask("second", "other".to_owned(), Duration::ZERO);
        assert_eq!(pairings.named("second", PROMPT / 2)[0].1, Grant::Pending);
        assert_eq!(pairings.named("second", PROMPT)[0].1, Grant::Timeout);
        assert_eq!(pairings.poll(track, PROMPT, &Faults::default()).0, Grant::Timeout);
    }

    #[test]
    fn pairing_again_kills_the_old_token() {
        let faults = Faults::default();
        faults.set("pairing=granted");
        let mut pairings = Pairings::with("same", "old");
        let track = pairings.ask("same", "new".to_owned(), Duration::ZERO);
        assert_eq!(pairings.named("same", Duration::ZERO).len(), 2);
        assert_eq!(pairings.poll(track, Duration::ZERO, &faults), (Grant::Granted, Some("same".to_owned())));
        let left = pairings.named("same", Duration::ZERO);
        assert_eq!(left.iter().map(|(app, _)| app.token.as_str()).collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn an_unknown_track_is_unknown() {
        assert_eq!(Pairings::with("a", "b").poll(99, Duration::ZERO, &Faults::default()).0, Grant::Unknown);
    }
}
