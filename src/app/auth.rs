//! `auth login`, `auth logout`, `auth status`.

use super::selection::Plan;
use super::{Emit, Open, emit, emit_failed, with_error};
use crate::backend::{Login, LoginState, Person, unsupported};
use crate::error::Error;
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
    for (backend, vendor, error) in plan.unopened {
        emit_failed(out, Some(unread(&backend, vendor, &error)), error);
    }
    for job in &plan.jobs {
        one(&job.open, verb, person, out).await;
    }
}

async fn one(open: &Open, verb: Verb, person: &dyn Person, out: &Emit) {
    let (name, vendor) = (&open.info().backend, open.info().vendor);
    let failed = |error: Error| {
        let error = error.backend(name);
        emit_failed(out, Some(unread(name, vendor, &error)), error);
    };
    let Some(session) = open.backend.session() else {
        return failed(unsupported(&*open.backend, "auth"));
    };
    let login = match verb {
        Verb::Login => session.login(person).await,
        Verb::Logout => session.logout().await.map(|()| Login::new(LoginState::Missing)),
        Verb::Status => session.show().await,
    };
    match login {
        Err(error) => failed(error),
        Ok(login) if verb == Verb::Status && login.state != LoginState::Ok => {
            let error = login.wanting(name);
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

/// Makes the item of a login of which nothing could be told.
fn unread(backend: &str, vendor: &str, error: &Error) -> Item {
    item::of(&AuthItem {
        backend,
        vendor,
        login: None,
        account: None,
        expires_at: None,
        rights: None,
        error: Some(error.report()),
    })
}
