//! `auth login`, `auth logout`, `auth status`.

use super::selection::Plan;
use super::{Emit, Open, emit, emit_failed, with_error};
use crate::backend::{Login, LoginState, Person, unsupported};
use crate::error::{Code, Error, Layer};
use crate::model::document::{AuthItem, Time};
use crate::model::item;
use crate::render::Item;

/// Names what is done to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Make it.
    Login,
    /// End it.
    Logout,
    /// Show it.
    Status,
}

/// Does it for every backend of the plan, one after the other, for a person may be asked.
pub async fn run(plan: Plan, verb: Verb, person: &dyn Person, out: &Emit) {
    for (_, _, error) in plan.unopened {
        emit_failed(out, None, error);
    }
    for job in &plan.jobs {
        one(&job.open, verb, person, out).await;
    }
}

async fn one(open: &Open, verb: Verb, person: &dyn Person, out: &Emit) {
    let name = &open.info().backend;
    let Some(session) = open.backend.session() else {
        emit_failed(out, None, unsupported(&*open.backend, "auth"));
        return;
    };
    let login = match verb {
        Verb::Login => session.login(person).await,
        Verb::Logout => session.logout().await.map(|()| Login::new(LoginState::Missing)),
        Verb::Status => session.show().await,
    };
    match login {
        Err(error) => emit_failed(out, None, error.backend(name)),
        Ok(login) if verb == Verb::Status && login.state != LoginState::Ok => {
            let error = login.reason.clone().map_or_else(|| wanting(name, login.state), |reason| reason.backend(name));
            emit_failed(out, Some(with_error(told(open, &login), &error)), error);
        }
        Ok(login) => emit(out, told(open, &login)),
    }
}

fn told(open: &Open, login: &Login) -> Item {
    let info = open.info();
    item::of(&AuthItem::<()> {
        backend: &info.backend,
        vendor: info.vendor,
        login: Some(login.state),
        account: login.account.as_deref(),
        expires_at: login.expires_at.map(Time::from),
        rights: login.rights.as_deref(),
        error: None,
    })
}

fn wanting(backend: &str, state: LoginState) -> Error {
    let (code, what) = match state {
        LoginState::Pending => (Code::AuthPending, "is not granted yet"),
        LoginState::Expired => (Code::AuthExpired, "no longer works"),
        LoginState::Missing | LoginState::Ok => (Code::AuthRequired, "is missing"),
    };
    Error::new(code, Layer::Auth, format!("the login {what}"))
        .backend(backend)
        .hint(format!("run: vpnctl auth login -b {backend}"))
}
