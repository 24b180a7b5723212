//! Counts the logins that a cloud may have counted against a user: those refused, and those of which no answer came, or
//! one that tells nothing, as a proxy's.
//!
//! An attempt is written down before it is sent, so that one whose answer is lost counts too, be it by a time-out or by
//! Ctrl-C. It is kept by login and not by backend: several backends may have the same user, and the cloud counts the
//! logins of all of them. What is written down is not taken for nothing where it can't be read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Layer, Result};
use crate::secrets::digest;
use crate::state::{Guard, Record, Store};

/// How long a login without an answer counts, in seconds, where its secret is the one that logged in before: most likely
/// it did so again, and a run that was killed is no reason to stand still for longer.
const TRUSTED_DOUBT_HOLDS: i64 = 300;
/// After how many attempts none is made that nobody asked for.
const LIMIT: usize = 2;
/// How long a pause that the cloud asks for is heeded at most, in seconds.
const LONGEST_PAUSE: i64 = 3600;

/// What a cloud does with logins, and how that is told.
pub(super) struct Rules {
    /// What the cloud is called in messages.
    pub(super) peer: &'static str,
    /// How long a refusal counts, in seconds.
    pub(super) refusal_holds: i64,
    /// How long a login without an answer counts, in seconds, where nothing speaks for its secret.
    pub(super) doubt_holds: i64,
    /// How long no login is sent after the cloud limited them and did not say for how long, in seconds.
    pub(super) pause: Option<i64>,
    /// What so many refusals bring about, to be warned of; where it is nothing, only lost answers are counted.
    pub(super) lock: Option<&'static str>,
    /// What to correct after a refusal.
    pub(super) correct: &'static str,
    /// Tells what became of a login that failed.
    pub(super) judge: fn(&Error) -> Fate,
}

/// What became of a login that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was refused; sent again by whomever, it would be refused again.
    Wrong,
    /// Something is lacking that who asks for a login may have mended; `code` where that is a one-time password.
    Lacking { code: bool },
    /// It may have arrived, and been refused: its answer did not come, or tells nothing.
    Lost,
    /// Nothing that the cloud would count.
    Harmless,
}

impl Fate {
    /// Tells what became of a login whose answer does not say it. Behind a proxy the cloud may have refused it, whatever the
    /// proxy answers; who limits requests, or has no room for them, has not looked at it.
    pub(super) fn untold(error: &Error) -> Self {
        let is_lost = match error.report().http_status {
            // The status of a proxy that opens no way: nothing was sent.
            _ if error.code() == Code::NetRefused => false,
            Some(429 | 503) => false,
            Some(408 | 500..) => true,
            // A success that is no document of a login, or a redirect.
            Some(..400) => error.code() == Code::VendorProtocol,
            Some(_) => false,
            None => error.outcome_is_unknown(),
        };
        if is_lost { Self::Lost } else { Self::Harmless }
    }
}

/// A login that is about to be sent.
pub(super) struct Login {
    /// Its secret, as a digest.
    pub(super) secret: String,
    /// All that goes with it, as a digest: a refusal does not tell which part it is about.
    pub(super) all: String,
    /// Whether somebody asked for it.
    pub(super) by_hand: bool,
}

/// An attempt that may count against the user.
#[derive(Clone, Serialize, Deserialize)]
struct Attempt {
    /// When, in unix time.
    at: i64,
    /// The secret that it was made with, as a digest.
    secret: String,
    /// Whether it was refused; else it is in doubt.
    refused: bool,
    /// What is not sent again for that, as a digest: the secret, or all that went with it.
    #[serde(default)]
    barred: Option<String>,
    /// Whether it only lacked something, so that it is sent again for who asks for it.
    #[serde(default)]
    lacking: bool,
    /// Whether that is a one-time password.
    #[serde(default)]
    needs_code: bool,
}

/// The document in the state folder.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Attempts {
    /// Always written, so that what is another document is not taken for one without attempts.
    tries: Vec<Attempt>,
    /// The secret of the last login that went well, as a digest.
    #[serde(default)]
    good: Option<String>,
    /// When the document was written last that was found spoilt, in unix time: what stood there may have counted.
    #[serde(default)]
    lost: Option<i64>,
    /// Until when the cloud wants no login, in unix time.
    #[serde(default)]
    paused: Option<i64>,
}

impl Rules {
    /// Gives the time from which on an attempt counts no longer.
    fn end(&self, one: &Attempt, good: Option<&String>) -> i64 {
        one.at.saturating_add(match one.refused {
            true => self.refusal_holds,
            false if good == Some(&one.secret) => TRUSTED_DOUBT_HOLDS,
            false => self.doubt_holds,
        })
    }

    /// Forgets what counts no longer.
    fn prune(&self, attempts: &mut Attempts, now: i64) {
        let Attempts { tries, good, lost, paused } = attempts;
        // What was written by a clock that went ahead was just now.
        tries.iter_mut().for_each(|one| one.at = one.at.min(now));
        tries.retain(|one| now < self.end(one, good.as_ref()));
        *lost = lost.map(|at| at.min(now)).filter(|at| now < at.saturating_add(self.doubt_holds));
        *paused = paused.map(|until| until.min(now.saturating_add(LONGEST_PAUSE))).filter(|until| now < *until);
    }

    /// Gives the time after which so few count that one more is made by itself; `None` where that is now.
    fn free_at(&self, attempts: &Attempts) -> Option<i64> {
        let counts = |one: &&Attempt| self.lock.is_some() || !one.refused;
        let end = |one: &Attempt| self.end(one, attempts.good.as_ref());
        let mut ends: Vec<i64> = attempts.tries.iter().filter(counts).map(end).collect();
        ends.sort_unstable();
        let lost = attempts.lost.map(|at| at.saturating_add(self.doubt_holds));
        ends.len().checked_sub(LIMIT).map(|more| ends[more]).max(lost)
    }
}

/// Counts the logins of one user at one cloud; nobody else does while this lives.
pub(super) struct Counter<'a> {
    rules: &'static Rules,
    backend: &'a str,
    guard: Guard,
}

impl<'a> Counter<'a> {
    /// Takes the lock of the logins of a user; `held` is the lock of the backend, where that is held.
    pub(super) async fn of(
        rules: &'static Rules,
        (store, backend): (&Store, &'a str),
        (url, whose): (&str, &str),
        held: Option<&Guard>,
    ) -> Result<Self> {
        let name = format!("login-{}", digest(&[url, whose]));
        let guard = held.map_or_else(|| store.sibling(&name), |held| held.sibling(&name)).lock().await?;
        Ok(Self { rules, backend, guard })
    }

    /// Sends a login, once, and counts it. What was refused is not sent again, whoever asks for it; somebody who does also
    /// has another one sent after so many that none is sent by itself.
    pub(super) async fn send<T>(self, login: Login, sending: impl Future<Output = Result<T>>) -> Result<T> {
        let Self { rules, guard, .. } = &self;
        let now = Timestamp::now().as_second();
        let mut attempts = self.known(login.by_hand, now)?;
        rules.prune(&mut attempts, now);
        self.check(&attempts, &login, now)?;
        let Login { secret, all, .. } = login;
        attempts.tries.push(Attempt {
            at: now,
            secret: secret.clone(),
            refused: false,
            barred: None,
            lacking: false,
            needs_code: false,
        });
        guard.write(&attempts);
        let sent = sending.await;
        match sent.as_ref().map_err(|error| (error, (rules.judge)(error))) {
            Ok(_) => attempts = Attempts { good: Some(secret), ..Attempts::default() },
            Err((_, Fate::Lost)) => {}
            Err((error, Fate::Harmless)) => {
                attempts.tries.pop();
                attempts.paused = self.pause_of(error);
            }
            Err((_, fate)) => {
                if let Some(last) = attempts.tries.last_mut() {
                    (last.refused, last.barred) = (true, Some(all));
                    last.lacking = fate != Fate::Wrong;
                    last.needs_code = fate == Fate::Lacking { code: true };
                }
                // It may have been changed at the cloud: nothing speaks for it any more.
                attempts.good = None;
            }
        }
        guard.write(&attempts);
        sent
    }

    /// Reads what is known of earlier attempts. Where that is spoilt, as much may have counted as the user can bear, so
    /// that is written down in its place: of many processes one finds it out, and none sends a login for that. Where it
    /// can't be read nor replaced, it could not be counted either, so none is sent that nobody asked for.
    fn known(&self, by_hand: bool, now: i64) -> Result<Attempts> {
        match self.guard.record() {
            Record::Read(attempts) => Ok(attempts),
            Record::Lost(at) => {
                let lost = Attempts { lost: Some(at.unwrap_or(now)), ..Attempts::default() };
                self.guard.write(&lost);
                Ok(lost)
            }
            Record::Closed(_) if by_hand => Ok(Attempts::default()),
            Record::Closed(why) => {
                let peer = self.rules.peer;
                let what =
                    format!("whether earlier logins to {peer} were refused is not known, so none is sent: {why}");
                Err(Error::config(what).backend(self.backend).hint(format!(
                    "mend that; if user and secret are right, log in now: vpnctl auth login -b {}",
                    self.backend
                )))
            }
        }
    }

    /// Fails where a login is not to be sent now.
    fn check(&self, attempts: &Attempts, login: &Login, now: i64) -> Result<()> {
        let is_barred = |one: &&Attempt| {
            let is_it = one.barred.as_ref().is_some_and(|barred| *barred == login.secret || *barred == login.all);
            is_it && !(one.lacking && login.by_hand)
        };
        if let Some(until) = attempts.paused {
            return Err(self.paused(until, now));
        }
        if let Some(last) = attempts.tries.iter().rfind(is_barred) {
            return Err(self.still_refused(last, now));
        }
        match self.rules.free_at(attempts).filter(|_| !login.by_hand) {
            Some(end) => {
                let error = self.too_many(end, attempts.lost.is_some());
                // Nobody has refused anything, so time mends it.
                let is_refused = attempts.tries.iter().any(|one| one.refused);
                let wait = std::time::Duration::from_secs((end - now).unsigned_abs());
                Err(if is_refused { error } else { error.later().retry_after(Some(wait)) })
            }
            None => Ok(()),
        }
    }

    /// Gives until when the cloud wants no login, where it said so, in unix time.
    fn pause_of(&self, error: &Error) -> Option<i64> {
        let report = error.report();
        let wait = report.retry_after_s.map(|wait| Timestamp::now().as_second().saturating_add(wait.ceil() as i64));
        let usual = || self.rules.pause.map(|wait| Timestamp::now().as_second() + wait);
        (report.code == Code::HttpRateLimited).then(|| wait.or_else(usual))?
    }

    /// Lets a login be sent again that was refused, for somebody who has mended it at the cloud. Where the cloud locks a
    /// user, it counts all the same. Tells whether something was forgotten.
    pub(super) fn forget(self) -> bool {
        let now = Timestamp::now().as_second();
        // What can't be read can't be forgotten, and keeps nobody from logging in who asks for it.
        let Ok(mut attempts) = self.known(false, now) else { return false };
        self.rules.prune(&mut attempts, now);
        let is_any = attempts.paused.is_some() || attempts.tries.iter().any(|one| one.barred.is_some());
        let counts = attempts.lost.is_some() || !attempts.tries.is_empty();
        if self.rules.lock.is_some() {
            attempts.tries.iter_mut().for_each(|one| one.barred = None);
            attempts.paused = None;
        } else {
            attempts = Attempts { good: attempts.good, ..Attempts::default() };
        }
        if is_any || counts {
            self.guard.write(&attempts);
        }
        is_any
    }

    fn still_refused(&self, last: &Attempt, now: i64) -> Error {
        let (peer, ago) = (self.rules.peer, (now - last.at) / 60);
        let backend = self.backend;
        if last.needs_code {
            let what = format!(
                "{peer} asked for a one-time password with this login {ago} min ago, so it is not tried again within the hour"
            );
            return Error::new(Code::AuthMfaRequired, Layer::Auth, what)
                .backend(backend)
                .hint(format!("run: vpnctl auth login -b {backend}, with --otp-stdin where nobody can be asked"));
        }
        if last.lacking {
            let what =
                format!("{peer} forbade this login {ago} min ago, so it is not tried again by itself within the hour");
            return Error::new(Code::AuthForbidden, Layer::Auth, what)
                .backend(backend)
                .hint(format!("where that was mended, log in now: vpnctl auth login -b {backend}"));
        }
        let what = format!("{peer} refused this login {ago} min ago, so it is not tried again within the hour");
        self.unsent(
            what,
            &format!(
                "correct {}; where it was mended in the cloud, run: vpnctl auth logout -b {backend}, then ",
                self.rules.correct
            ),
        )
    }

    fn too_many(&self, end: i64, is_lost: bool) -> Error {
        let (peer, end) = (self.rules.peer, time(end));
        let refused = if self.rules.lock.is_some() { "were refused or " } else { "" };
        let what = if is_lost {
            format!(
                "what was known of earlier logins of this user to {peer} was spoilt, so none is tried by itself until {end}"
            )
        } else {
            format!(
                "the last {LIMIT} logins of this user to {peer} {refused}brought no answer that tells how they ended, so none \
                 is tried by itself until {end}"
            )
        };
        self.unsent(what, "if user and secret are right, log in now: ")
    }

    fn unsent(&self, what: String, remedy: &str) -> Error {
        let backend = self.backend;
        let lock = self.rules.lock.map(|lock| format!("{lock}; ")).unwrap_or_default();
        Error::new(Code::AuthRejected, Layer::Auth, what)
            .backend(backend)
            .hint(format!("{lock}{remedy}vpnctl auth login -b {backend}"))
    }

    fn paused(&self, until: i64, now: i64) -> Error {
        let (peer, end) = (self.rules.peer, time(until));
        let wait = std::time::Duration::from_secs((until - now).unsigned_abs());
        Error::new(Code::HttpRateLimited, Layer::Auth, format!("{peer} limits logins, so none is sent until {end}"))
            .later()
            .backend(self.backend)
            .retry_after(Some(wait))
            .hint("wait until then; each login before would only prolong it")
    }
}

fn time(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| "an hour from now".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Attempts, Fate, LONGEST_PAUSE, Rules};

    const RULES: Rules = Rules {
        peer: "the cloud",
        refusal_holds: 3700,
        doubt_holds: 600,
        pause: None,
        lock: Some("three lock"),
        correct: "it",
        judge: |_| Fate::Harmless,
    };

    #[test]
    fn a_clock_that_was_set_back_forgets_nothing_and_keeps_nothing_for_longer() {
        const NOW: i64 = 1_000_000;
        for ahead in [1, 7200, 40_000_000] {
            let one = Attempt {
                at: NOW + ahead,
                secret: "x".to_owned(),
                refused: true,
                barred: None,
                lacking: false,
                needs_code: false,
            };
            let mut attempts = Attempts { tries: vec![one.clone(), one], ..Attempts::default() };
            RULES.prune(&mut attempts, NOW);
            assert_eq!(RULES.free_at(&attempts), Some(NOW + RULES.refusal_holds), "{ahead}");
            RULES.prune(&mut attempts, NOW + RULES.refusal_holds);
            assert_eq!(RULES.free_at(&attempts), None);
            let mut attempts = Attempts { lost: Some(NOW + ahead), ..Attempts::default() };
            RULES.prune(&mut attempts, NOW);
            assert_eq!(RULES.free_at(&attempts), Some(NOW + RULES.doubt_holds), "{ahead}");
            RULES.prune(&mut attempts, NOW + RULES.doubt_holds);
            assert_eq!(RULES.free_at(&attempts), None);
            let mut attempts = Attempts { paused: Some(NOW + ahead), ..Attempts::default() };
            RULES.prune(&mut attempts, NOW);
            assert_eq!(attempts.paused, Some(NOW + ahead.min(LONGEST_PAUSE)), "{ahead}");
        }
    }
}
