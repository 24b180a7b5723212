//! The calls below `vpn_client/`.

use serde_json::Value;

use super::Memory;
use super::answers::Answer;
use super::calls::Call;
use super::configuration::View;
use super::link::Moment;
use super::session::Session;
use crate::simulate::faults::Faults;

impl Memory {
    /// Answers a call of the VPN client (vendor/freebox.md section 4).
    pub(super) fn vpn_client(
        &mut self,
        method: &str,
        path: &[&str],
        call: &Call,
        moment: &Moment<'_>,
    ) -> Result<Answer, Box<Answer>> {
        if !is_known(method, path) {
            return Ok(Answer::unknown_path());
        }
        // Reading needs a session, changing needs the right to change settings.
        let session = if method == "GET" { self.session(call, moment) } else { self.settings_session(call, moment) }?;
        if let Some(code) = moment.faults.take("vpn-client") {
            return Ok(if code == "invalid_request" { Answer::unknown_path() } else { Answer::domain(&code) });
        }
        self.tunnels.settle(moment);
        let answer = if method == "GET" {
            self.look(path, &view(&session, moment), moment)
        } else {
            self.change(method, path, call, &view(&session, moment), moment)?
        };
        self.tunnels.settle(moment);
        Ok(answer.unwrap_or_else(|code| Answer::domain(&code)))
    }

    fn look(&self, path: &[&str], view: &View, moment: &Moment<'_>) -> Result<Answer, String> {
        Ok(match path {
            ["config"] => listed(self.tunnels.list(view), moment.faults),
            ["config", id] => Answer::result(self.tunnels.get(id, view)?),
            ["log"] => Answer::result(Value::String(self.tunnels.log())),
            ["apps"] => Answer::result(self.tunnels.apps()),
            _ => Answer::result(self.tunnels.status(moment)),
        })
    }

    fn change(
        &mut self,
        method: &str,
        path: &[&str],
        call: &Call,
        view: &View,
        moment: &Moment<'_>,
    ) -> Result<Result<Answer, String>, Box<Answer>> {
        if let Some(code) = moment.faults.take("changing") {
            return Ok(Err(code));
        }
        if let ("DELETE", ["config", id]) = (method, path) {
            return Ok(self.tunnels.remove(id, moment).map(|()| Answer::done()));
        }
        let body = self.body(call, moment)?;
        Ok(match path {
            ["config", id] => self.tunnels.update(id, &body, view, moment).map(|configuration| {
                if moment.faults.is_on("put-without-result") { Answer::done() } else { Answer::result(configuration) }
            }),
            ["config"] => self.tunnels.add(&body, view, moment).map(Answer::result),
            _ => self.tunnels.set_apps(&body).map(Answer::result),
        })
    }
}

fn is_known(method: &str, path: &[&str]) -> bool {
    matches!(
        (method, path),
        ("GET" | "POST", ["config"])
            | ("GET" | "PUT" | "DELETE", ["config", _])
            | ("GET", ["status" | "log"])
            | ("GET" | "PUT", ["apps"])
    )
}

fn view(session: &Session, moment: &Moment<'_>) -> View {
    View { settings: session.rights.settings, mask: moment.faults.arg("masked-secrets"), added: false }
}

/// Answers a list; an empty one has no `result` at all (vendor/freebox.md section 1, fact 5).
fn listed(list: Vec<Value>, faults: &Faults) -> Answer {
    match faults.arg("empty-list").as_deref() {
        _ if !list.is_empty() => Answer::result(Value::Array(list)),
        Some("array") => Answer::result(Value::Array(list)),
        Some("null") => Answer::result(Value::Null),
        _ => Answer::done(),
    }
}
