//! Accounts, which are the scopes of everything else, and the rights in them (sections 3.5, 4.8 and 4.11).

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::answers::{self, Answer, Refusal};
use super::fleet::Fleet;
use super::ids::{Id, Written};
use super::listing::{self, Order, Page, Params};
use super::tokens::Session;
use super::{ACCOUNT, CHILD_ACCOUNT, Everyware};

/// The rights of every user, valid down the account tree.
pub(super) const PERMISSIONS: [(&str, &str); 6] = [
    ("account", "read"),
    ("device", "read"),
    ("device_management", "execute"),
    ("device_management", "read"),
    ("vpn", "connect"),
    ("vpn", "read"),
];

/// The place of the account that `deep-accounts` shows.
const DEEP: usize = 2;

/// One account.
#[derive(Debug)]
struct Account {
    id: Id,
    parent: Id,
    name: &'static str,
    organization: &'static str,
    /// Decimal ids, as the vendor writes them here.
    path: String,
}

/// The accounts that the users can see.
#[derive(Debug)]
pub(super) struct Accounts(Vec<Account>);

/// The account that a path names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    pub(super) id: Id,
    /// Its place among the accounts, and that of its fleet.
    pub(super) place: usize,
}

impl Accounts {
    /// Makes the account of the users, its child, and the child of that.
    pub(super) fn new() -> Self {
        let main = Account::below("/1", Id(1), Id::known(ACCOUNT), "acme-inc", "ACME Inc.");
        let north = Account::below(&main.path, main.id, Id::known(CHILD_ACCOUNT), "acme-north", "ACME North");
        let lab = Account::below(&north.path, north.id, north.id.derived(1), "acme-north-lab", "ACME North Lab");
        Self(vec![main, north, lab])
    }
}

impl Account {
    fn below(path: &str, parent: Id, id: Id, name: &'static str, organization: &'static str) -> Self {
        Self { id, parent, name, organization, path: format!("{path}/{}", id.0) }
    }

    fn is_under(&self, other: &Self) -> bool {
        self.path.strip_prefix(&other.path).is_some_and(|rest| rest.starts_with('/'))
    }

    fn email(&self) -> String {
        format!("contact@{}.example", self.name)
    }

    fn document(&self) -> Value {
        json!({
            "type": "account",
            "id": self.id,
            "scopeId": self.parent,
            "createdOn": "2024-03-04T10:21:03.775Z",
            "createdBy": "AQ",
            "modifiedOn": "2024-03-04T10:21:03.789Z",
            "modifiedBy": "AQ",
            "optlock": 2,
            "name": self.name,
            "organization": {
                "city": "Somewhere City",
                "country": "United States",
                "email": self.email(),
                "name": self.organization,
                "personName": "Wile Ethelbert Coyote",
            },
            "parentAccountPath": self.path,
        })
    }
}

impl Everyware {
    /// Tells whether the users have a right.
    pub(super) fn grants(&self, domain: &str, action: &str) -> bool {
        let missing = self.context.faults.arg("no-permission").unwrap_or_default();
        PERMISSIONS.contains(&(domain, action))
            && !missing.split(',').any(|one| one.split_once(':') == Some((domain, action)))
    }

    /// Tells whether a right of the users is valid down the account tree too.
    pub(super) fn forwards(&self, domain: &str, action: &str) -> bool {
        let Some(kept) = self.context.faults.arg("not-forwardable") else { return true };
        !kept.is_empty() && !kept.split(',').any(|one| one.split_once(':') == Some((domain, action)))
    }

    /// Finds the account that a path names, and asks for a right in it.
    ///
    /// # Errors
    /// Refuses what is no id, and an account that is not the user's or below: a right in it can't be shown.
    pub(super) fn scope(&self, session: &Session, written: &str, domain: &str, action: &str) -> Result<Scope, Refusal> {
        let id = if written == "_" {
            session.scope
        } else {
            match Id::read(written) {
                Written::Id(id) => id,
                Written::TooLong => return Err(answers::entity_not_found_by("account", written)),
                Written::Malformed => return Err(answers::illegal_argument("scopeId", written)),
            }
        };
        let found = self.visible().find(|(_, account)| account.id == id);
        let (place, _) = found.ok_or_else(|| answers::subject_unauthorized(domain, action, id))?;
        let is_forwarded = id == session.scope || self.forwards(domain, action);
        if !self.grants(domain, action) || !is_forwarded {
            return Err(answers::subject_unauthorized(domain, action, id));
        }
        Ok(Scope { id, place })
    }

    /// Gives the devices of an account.
    pub(super) fn fleet(&self, scope: Scope) -> &Mutex<Fleet> {
        // There is one for each account; the first stands in for one that is not there.
        self.fleets.get(scope.place).unwrap_or(&self.fleets[0])
    }

    fn visible(&self) -> impl Iterator<Item = (usize, &Account)> {
        let has_deep = self.context.faults.is_on("deep-accounts");
        self.accounts.0.iter().enumerate().filter(move |(place, _)| has_deep || *place != DEEP)
    }
}

/// Gives the routes of accounts.
pub(super) fn routes() -> Router<Arc<Everyware>> {
    Router::new()
        .route("/v1/account", get(current))
        .route("/v1/{scope}/accounts", get(list))
        .route("/v1/sys-info", get(system))
}

async fn current(State(everyware): State<Arc<Everyware>>, Extension(session): Extension<Session>) -> Answer {
    let scope = everyware.scope(&session, "_", "account", "read")?;
    let account = everyware.accounts.0.get(scope.place);
    answers::document(&account.map(Account::document).ok_or_else(|| answers::entity_not_found("account", scope.id))?)
}

async fn list(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "account", "read")?;
    let faults = &everyware.context.faults;
    let params = Params::read(&uri);
    let page = Page::read(&params, faults)?;
    let order = Order::read(&params, &["name"])?;
    let is_recursive = params.is_true("recursive");
    let above = everyware.accounts.0.get(scope.place);
    let term = params.get("matchTerm").unwrap_or_default();
    let mut found: Vec<&Account> = everyware
        .visible()
        .map(|(_, account)| account)
        .filter(|account| match is_recursive {
            true => above.is_some_and(|above| account.is_under(above)),
            // The name counts only where descendants are not asked for.
            false => account.parent == scope.id && params.get("name").is_none_or(|name| account.name == name),
        })
        .filter(|account| {
            let texts = [account.name, account.organization, "Wile Ethelbert Coyote", &account.email()];
            texts.iter().any(|text| text.starts_with(term))
        })
        .collect();
    order.apply(&mut found, |account, _| Some(account.name.to_owned()));
    let total = found.len();
    let items = found.get(page.of(total)).unwrap_or_default().iter().map(|account| account.document()).collect();
    listing::page("accountListResult", &page, total, items, faults)
}

/// Says which build this is; that there is a bearer is enough.
async fn system() -> Answer {
    answers::document(&json!({
        "buildBranch": "release/6.0.8",
        // A number, as in the vendor's example, although its schema says string (section 7, row 16).
        "buildNumber": 10540,
        "buildDate": "2025-09-02T08:50:59Z UTC",
        "revision": "0000000000000000000000000000000000000000",
        "version": "6.0.8",
    }))
}
