//! The calls below `login/`, and the check of a session that all others go through.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Memory;
use super::answers::{Answer, Refusal};
use super::calls::Call;
use super::discovery;
use super::link::Moment;
use super::pairing::Grant;
use super::rights::Rights;
use super::session::{CHALLENGE_TTL, SESSION_TTL, Session};
use crate::simulate::faults::Faults;

/// The challenge of the web interface's own login, shortened as in the capture.
const WEB_UI_CHALLENGE: [&str; 3] = [
    "var _ynurc = { _ieafx: '_dcwE' }; _ynurc._ieafx.charAt(eval(unescape('%4D%61%74%68%2E%72%6F%75%6E%64%28%30%2E%35%32%29%20%2B%20%34%20%2D%20%31')))",
    "'s'",
    "'I'",
];

impl Memory {
    /// Answers `GET login/`: a challenge, with the two fields that real boxes add (vendor/freebox.md section 3.2).
    pub(super) fn greeting(&mut self, call: &Call, moment: &Moment<'_>) -> Answer {
        if moment.faults.is_on("web-ui-challenge") {
            return Answer::result(json!({"logged_in": true, "challenge": WEB_UI_CHALLENGE}));
        }
        let logged_in = self.live_session(call, moment).is_some();
        Answer::result(json!({
            "logged_in": logged_in,
            "challenge": self.sessions.challenge(moment.now),
            "password_salt": self.sessions.salt(),
            "password_set": true,
        }))
    }

    /// Answers `POST login/authorize/`: a token that is good for nothing yet (vendor/freebox.md section 3.1).
    pub(super) fn authorize(&mut self, call: &Call, moment: &Moment<'_>) -> Result<Answer, Box<Answer>> {
        for (fault, code) in [
            ("denied-from-external-ip", "denied_from_external_ip"),
            ("apps-denied", "apps_denied"),
            ("new-apps-denied", "new_apps_denied"),
        ] {
            if moment.faults.is_on(fault) {
                return Err(self.refused(code, moment));
            }
        }
        let body = self.body(call, moment)?;
        let field = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(id), Some(_), Some(_)) = (field("app_id"), field("app_name"), field("device_name")) else {
            return Err(self.refused("invalid_request", moment));
        };
        let token = self.sessions.mint().token();
        let track_id = self.pairings.ask(id, token.clone(), moment.now);
        Ok(Answer::result(json!({"app_token": token, "track_id": track_id})))
    }

    /// Answers `GET login/authorize/{track_id}`.
    pub(super) fn track(&mut self, track: &str, moment: &Moment<'_>) -> Answer {
        let known = track.parse().ok().filter(|_| !moment.faults.is_on("invalid-token"));
        let (grant, granted) =
            known.map_or((Grant::Unknown, None), |track_id| self.pairings.poll(track_id, moment.now, moment.faults));
        if let Some(app_id) = granted {
            self.sessions.close_app(&app_id);
        }
        Answer::result(json!({"status": grant.word(), "challenge": self.sessions.challenge(moment.now)}))
    }

    /// Answers `POST login/session/`.
    pub(super) fn open_session(&mut self, call: &Call, moment: &Moment<'_>) -> Result<Answer, Box<Answer>> {
        let faults = moment.faults;
        if faults.take("ratelimited").is_some() {
            return Err(self.refused("ratelimited", moment));
        }
        for (fault, code) in [("apps-denied", "apps_denied"), ("pending-token", "pending_token")] {
            if faults.is_on(fault) {
                return Err(self.refused(code, moment));
            }
        }
        let body = self.body(call, moment)?;
        let field = |name: &str| body.get(name).and_then(Value::as_str);
        let (Some(id), Some(password)) = (field("app_id"), field("password")) else {
            return Err(self.refused("invalid_request", moment));
        };
        let ttl = seconds(faults, "challenge-ttl").unwrap_or(CHALLENGE_TTL);
        let apps = self.pairings.named(id, moment.now);
        let signer = apps.iter().find(|(app, _)| self.sessions.accept(&app.token, password, moment.now, ttl));
        let settings = match signer {
            Some((_, Grant::Pending)) => return Err(self.refused("pending_token", moment)),
            Some((app, Grant::Granted)) if !faults.is_on("invalid-token") => app.settings,
            _ => return Err(self.refused("invalid_token", moment)),
        };
        if faults.take("challenge-consumed").is_some() {
            return Err(self.refused("invalid_token", moment));
        }
        let settings = (settings || faults.is_on("grant-settings")) && !faults.is_on("no-settings-right");
        let rights = Rights { settings };
        Ok(Answer::result(json!({
            "session_token": self.sessions.open(id, rights, moment.now),
            "challenge": self.sessions.challenge(moment.now),
            "password_salt": self.sessions.salt(),
            "permissions": rights.permissions(),
            "password_set": true,
        })))
    }

    /// Answers `POST login/logout/`, whose body is empty.
    pub(super) fn logout(&mut self, call: &Call, moment: &Moment<'_>) -> Result<Answer, Box<Answer>> {
        self.session(call, moment)?;
        if let Some(token) = &call.token {
            self.sessions.close(token);
        }
        Ok(Answer::done())
    }

    /// Gives the session of a call, or the refusal that it is answered with.
    pub(super) fn session(&mut self, call: &Call, moment: &Moment<'_>) -> Result<Session, Box<Answer>> {
        if moment.faults.take("expire-sessions").is_some() {
            self.sessions.close_all();
            // Without a count it would go on for ever; nobody wants a box that no session survives.
            if moment.faults.list().iter().any(|written| written == "expire-sessions") {
                moment.faults.clear("expire-sessions");
            }
        }
        match self.live_session(call, moment) {
            Some(session) => Ok(session),
            None => Err(self.refused("auth_required", moment)),
        }
    }

    /// Gives the session of a call that changes something; that takes the `settings` right.
    pub(super) fn settings_session(&mut self, call: &Call, moment: &Moment<'_>) -> Result<Session, Box<Answer>> {
        let session = self.session(call, moment)?;
        if session.rights.settings { Ok(session) } else { Err(self.refused("insufficient_rights", moment)) }
    }

    /// Reads the body of a call.
    pub(super) fn body(&mut self, call: &Call, moment: &Moment<'_>) -> Result<Value, Box<Answer>> {
        call.json().ok_or_else(|| self.refused("invalid_request", moment))
    }

    fn live_session(&mut self, call: &Call, moment: &Moment<'_>) -> Option<Session> {
        if moment.faults.is_on("invalid-token") {
            self.sessions.close_all();
        }
        let ttl = seconds(moment.faults, "session-ttl").unwrap_or(SESSION_TTL);
        self.sessions.find(call.token.as_deref()?, moment.now, ttl)
    }

    /// Writes a refusal: a fresh challenge with the codes that ask for a login, the salt alone with
    /// `insufficient_rights`, and neither with codes that were never seen (vendor/freebox.md sections 1 and 6).
    fn refused(&mut self, code: &str, moment: &Moment<'_>) -> Box<Answer> {
        let mut result = Map::new();
        let asks_for_login = ["auth_required", "invalid_token", "pending_token", "new_apps_denied"].contains(&code);
        if asks_for_login || code == "insufficient_rights" {
            result.insert("password_salt".to_owned(), json!(self.sessions.salt()));
        }
        if asks_for_login {
            result.insert("challenge".to_owned(), json!(self.sessions.challenge(moment.now)));
        }
        let missing_right = (code == "insufficient_rights").then_some("settings");
        Box::new(Answer::refused(code, Refusal { uid: discovery::uid(moment.faults), result, missing_right }))
    }
}

/// Reads the argument of a fault as seconds, fractions included.
fn seconds(faults: &Faults, name: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(faults.arg(name)?.parse().ok()?).ok()
}
