//! Accounts: which one `scope` means, and those below it (vendor's page, sections 4.8 and 5).
//!
//! An account's name may be spelt like an id, and the other way round. What looks like an id is used as one, which costs
//! nothing; only where the cloud refuses it, or knows nothing there, it is looked up like a name.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::api::Api;
use super::ids;
use super::pages::{AT_ONCE, List};
use super::wire::nullable;
use crate::config::schema::nearest;
use crate::error::{Code, Error, Result};
use crate::http::{Call, Reply};

/// The scope of whoever is logged in.
pub(super) const OWN: &str = "_";
/// How long a look-up that failed is not made again.
const FAILURE_HOLDS: Duration = Duration::from_secs(60);
/// How many accounts a message names.
const NAMED: usize = 10;

/// An account, which is the scope of its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    /// Unique in the whole cloud, and never changed.
    #[serde(default, deserialize_with = "nullable")]
    pub(super) name: String,
}

/// An account whose devices are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// Its id; `None` is the one that the configuration means.
    pub(super) scope: Option<String>,
    /// What it is called, where that is known.
    pub(super) name: Option<String>,
}

impl Part {
    /// Says whose an error is, where there are several accounts that it could be of.
    pub(super) fn own(&self, error: Error) -> Error {
        let shown = self.scope.as_deref().map(ids::shown);
        match (&self.name, shown) {
            (Some(name), Some(id)) => error.context(&format!("account {name} ({id})")),
            (Some(name), None) => error.context(&format!("account {name}")),
            (None, Some(id)) => error.context(&format!("account {id}")),
            (None, None) => error,
        }
    }
}

impl Api {
    /// Gives the scope that is known without a request; `None` where a name has to be looked up.
    fn known_scope(&self) -> Option<String> {
        let text = self.auth.config.scope.as_str();
        if text == OWN {
            return Some(OWN.to_owned());
        }
        if let Some(account) = self.scope.get() {
            return Some(account.id.clone());
        }
        if let Some(account) = self.auth.get().account {
            return Some(account.id);
        }
        // Ids are random numbers, so nearly all have capitals; names of accounts seldom do.
        let is_id = ids::number(text).is_some() && text.contains(|c: char| c.is_ascii_uppercase());
        ids::of_decimal(text).or_else(|| is_id.then(|| text.to_owned()))
    }

    /// Gives the scope to write into paths.
    pub(super) async fn scope(&self) -> Result<String> {
        match self.known_scope() {
            Some(scope) => Ok(scope),
            None => self.look_up_scope().await.map(|account| account.id),
        }
    }

    /// Looks the configured account up, once in a process, and remembers it. One that failed is not looked up again by
    /// each device of a fleet; a process that runs for days may see it mended.
    async fn look_up_scope(&self) -> Result<Account> {
        if let Some(account) = self.scope.get() {
            return Ok(account.clone());
        }
        let mut failed = self.looking.lock().await;
        if let Some(account) = self.scope.get() {
            return Ok(account.clone());
        }
        if let Some((at, error)) = &*failed
            && at.elapsed() < FAILURE_HOLDS
        {
            return Err(error.clone());
        }
        match self.account_called(&self.auth.config.scope).await {
            Ok(found) => {
                self.remember_account(&found).await?;
                // Nobody else sets it while this lock is held.
                let _ = self.scope.set(found.clone());
                Ok(found)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn remember_account(&self, account: &Account) -> Result<()> {
        if self.auth.get().account.as_ref() == Some(account) {
            return Ok(());
        }
        let account = account.clone();
        self.auth.change(|memory| memory.account = Some(account)).await
    }

    /// Tells whether the configured scope means another account than was thought, after nothing was found there.
    pub(super) async fn is_elsewhere(&self) -> Result<bool> {
        if self.auth.config.scope == OWN || self.scope.get().is_some() || self.auth.get().account.is_some() {
            return Ok(false);
        }
        let thought = self.known_scope();
        // An id that the login's own accounts do not have may be one all the same: it was not refused.
        Ok(self.look_up_scope().await.is_ok_and(|account| Some(account.id) != thought))
    }

    /// Sends a call in an account; `None` is the configured one. Where that was only thought to be right, or was
    /// remembered, and the cloud refuses it, it is looked up and the call sent there: what was refused was not done.
    pub(super) async fn in_scope(&self, scope: Option<&str>, call: impl Fn(&str) -> Call) -> Result<Reply> {
        let thought = match scope {
            Some(scope) => scope.to_owned(),
            None => Box::pin(self.scope()).await?,
        };
        let error = match self.auth.transport.call(&self.auth, &call(&thought)).await {
            Err(error) if scope.is_none() && thought != OWN && may_be_the_scope(&error) => error,
            other => return other,
        };
        // In a box, for a look-up makes calls too, though of accounts that it names.
        match Box::pin(self.look_up_scope()).await {
            Ok(account) if account.id != thought => self.auth.transport.call(&self.auth, &call(&account.id)).await,
            // A device that is not there says nothing of the account; that nobody may look there says much.
            Err(wrong) if wrong.code() == Code::ConfigInvalid && error.code() != Code::TargetNotFound => Err(wrong),
            _ => Err(error),
        }
    }

    /// Finds an account by name or by id, among the login's own and those below it.
    async fn account_called(&self, text: &str) -> Result<Account> {
        let id = ids::for_path(text);
        let is_it = |account: &Account| account.name == text || account.id == id;
        let mut known: Vec<Account> = Vec::new();
        let below = self.accounts_below(OWN, &mut |account| known.push(account)).await;
        if !known.iter().any(is_it) {
            match self.logged_in_account().await {
                Ok(own) => known.insert(0, own),
                // Then it is told what is known; that the list failed is told below.
                Err(error) if matches!(error.code(), Code::AuthForbidden | Code::TargetNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        // A name is what people write, so it goes before an id of the same letters.
        let by_name = known.iter().find(|account| account.name == text);
        if let Some(found) = by_name.or_else(|| known.iter().find(|account| is_it(account))) {
            return Ok(found.clone());
        }
        match below {
            Ok(()) => Err(self.no_such_account(text, &known)),
            Err(error) if ids::number(&id).is_some() && error.code() == Code::AuthForbidden => {
                Ok(Account { id, name: String::new() })
            }
            Err(error) => Err(error
                .context(&format!("the account `{text}` can't be looked up"))
                .hint("write its id into `scope` instead of its name, or ask for the permission account:read")),
        }
    }

    fn no_such_account(&self, text: &str, known: &[Account]) -> Error {
        let shown: Vec<String> = known.iter().take(NAMED).map(|account| account.name.clone()).collect();
        let more = if known.len() > NAMED { format!(" and {} more", known.len() - NAMED) } else { String::new() };
        let there = if shown.is_empty() { "none".to_owned() } else { format!("{}{more}", shown.join(", ")) };
        let wrong = self
            .auth
            .config
            .source
            .wrong("scope", &format!("names no account that this login sees: there is no `{text}`; there are {there}"));
        match nearest(text, known.iter().map(|account| account.name.as_str())) {
            Some(near) => wrong.hint(format!("did you mean `{near}`?")),
            None => wrong.hint("write an account's name or id, or `_` for the login's own account"),
        }
    }

    /// Gives the account of whoever is logged in.
    async fn logged_in_account(&self) -> Result<Account> {
        let reply = self.auth.transport.call(&self.auth, &Call::get("account", "account")).await?;
        self.auth.read(&reply, "account")
    }

    /// Gives each account below another one, all the way down.
    async fn accounts_below(&self, scope: &str, each: &mut (dyn FnMut(Account) + Send)) -> Result<()> {
        // Where a server ignores `recursive`, these are its children; the account itself is never below itself.
        let query = "recursive=true&";
        let list = List {
            scope: Some(scope),
            what: "accounts",
            query,
            operation: "accounts",
            at_once: AT_ONCE,
            is_whole: true,
        };
        let mut below = |account: Account| {
            if account.id != scope {
                each(account);
            }
        };
        // Whose devices would be missing nobody could tell.
        let ended = self.pages(list, None, &mut below).await?;
        self.held(ended.to_the_last(list.what))
    }

    /// Gives the configured account and its name; remembered, so that it costs one request in all.
    async fn configured_account(&self) -> Result<Account> {
        if self.auth.config.scope != OWN {
            return match self.auth.get().account {
                Some(account) => Ok(account),
                None => self.look_up_scope().await,
            };
        }
        if let Some(account) = self.auth.get().account {
            return Ok(account);
        }
        let own = self.logged_in_account().await?;
        self.remember_account(&own).await?;
        Ok(own)
    }

    /// Gives the account that was configured by its name, where it was.
    pub(super) fn named_part(&self) -> Part {
        let account = self.scope.get().cloned().or_else(|| self.auth.get().account);
        let name = account.map(|account| account.name).filter(|name| *name == self.auth.config.scope);
        Part { scope: None, name }
    }

    /// Gives the configured account and every one below it; `failed` is told where those can't be read.
    ///
    /// # Errors
    /// Fails where the login or the network is the reason: then nothing else can be read either.
    pub(super) async fn parts(&self, failed: &mut (dyn FnMut(Error) + Send)) -> Result<Vec<Part>> {
        let (scope, name) = match self.configured_account().await {
            Ok(account) => (account.id, Some(account.name).filter(|name| !name.is_empty())),
            Err(error) if is_of_one_account(&error) => {
                tracing::warn!("the name of the account can't be read, so it is no label: {error}");
                (self.scope().await?, None)
            }
            Err(error) => return Err(error),
        };
        let mut parts = vec![Part { scope: None, name }];
        let below = self
            .accounts_below(&scope, &mut |account| {
                parts.push(Part { scope: Some(account.id), name: Some(account.name).filter(|name| !name.is_empty()) });
            })
            .await;
        match below {
            Ok(()) => {}
            Err(error) if is_of_one_account(&error) => failed(error.context("the child accounts can't be listed")),
            Err(error) => return Err(error),
        }
        let mut seen = HashSet::from([scope]);
        parts.retain(|part| part.scope.as_ref().is_none_or(|id| seen.insert(id.clone())));
        Ok(parts)
    }
}

/// Tells whether an answer may be due to a scope that is none, or another one than was meant.
fn may_be_the_scope(error: &Error) -> bool {
    matches!(error.code(), Code::AuthForbidden | Code::TargetNotFound)
        || error.vendor_code_text() == Some("ILLEGAL_ARGUMENT")
}

/// Tells whether a failure says nothing of other accounts: neither the login nor the network nor the time is the reason.
pub(super) fn is_of_one_account(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::AuthForbidden
            | Code::TargetNotFound
            | Code::Unsupported
            | Code::Usage
            | Code::HttpServerError
            | Code::VendorProtocol
            | Code::VendorError
    )
}
