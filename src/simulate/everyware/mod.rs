//! The simulated Everyware Cloud: its REST API under `/v1`, written from section 8 of vendor/everyware.md, which all
//! sections named in this folder are sections of.
//!
//! The account `acme-inc` (id `LgJHjS2jvdE`) holds these devices, and its child account `acme-north` (id `Ai9_3Q`)
//! the devices `gw-north-01` (VPN up) and `gw-north-02` (VPN down):
//!
//! | client id | id | display name | state |
//! | --- | --- | --- | --- |
//! | `00:60:0C:81:5F:2A` | `WyczTs_GuDM` | `Packaging line 1` | online, VPN up, address 10.200.12.49 |
//! | `gw-lyon-02` | `-Kf2x0nQbDE` | `Lyon pumping station` | online, VPN up |
//! | `gw-lyon-03` | `_Kf2x0nQbDE` | `Lyon pumping station` | online, VPN down |
//! | `gw-turin-04` | `Gd1BfeWwh3s` | `Turin warehouse` | connection DISCONNECTED |
//! | `gw-spare-05` | `LQNak9Yzkus` | `Spare gateway` | never connected: no connection object |
//! | `gw-oslo-06` | `dIVxI5QpFUI` | none | online, without the VPN bundle |
//! | `gw-bergen-07` | `AuY` | `Bergen boat` | connection MISSING |
//!
//! The first and `gw-lyon-02` have the tag `AQ`, `gw-lyon-02` and `gw-lyon-03` the tag `Ag` and the custom attribute
//! `lyon`; the first has the custom attribute `Hall 3` and the fifth one `spare`.
//!
//! With a number of devices in the context the account holds that many instead, `gw-000001` and so on, of which
//! 12 of 20 have their VPN up, 4 are online with the VPN down, and one each is offline, never connected, lost,
//! and without the VPN bundle. Every tenth has the tag `AQ`.
//!
//! Faults, beside those of any HTTP server (see [`super::server`]). CLIENTS is one client id, several with commas
//! between them, or `*`. *Device calls* are the three calls below `/vpn` of a device.
//!
//! | fault | what happens |
//! | --- | --- |
//! | `all-online` | every device is connected and has the VPN bundle |
//! | `offline=CLIENTS` | their connection is DISCONNECTED |
//! | `missing=CLIENTS` | their connection is MISSING |
//! | `never-connected=CLIENTS` | they have no connection |
//! | `offline-as-500` | DEVICE_NOT_CONNECTED has the status 500, as before Kapua 1.6.11 |
//! | `no-bundle=CLIENTS` | they have no VPN bundle |
//! | `no-bundle-as-500` | RESPONSE_NOT_FOUND has the status 500, as before December 2025 |
//! | `device-timeout[=CLIENTS]` | device calls answer TIMEOUT, at once, and do nothing |
//! | `timeout-but-done` | POSTs to a device do their work and answer TIMEOUT |
//! | `device-slow=MS` | device calls take that long |
//! | `device-fails=TEXT` | POSTs to a device answer RESPONSE_INTERNAL_ERROR with that `errorMessage` |
//! | `device-error=CODE[@PATH]` | device calls that reach the device answer that `kapuaErrorCode`, optionally only for paths that contain PATH: RESPONSE_BAD_REQUEST, RESPONSE_UNKNOWN_CODE, SEND_ERROR, APPLICATION_DISABLED, SERVICE_DISABLED, SERVICE_OPERATION_NOT_SUPPORTED |
//! | `broken=K` | device calls to every K-th device of an account answer RESPONSE_INTERNAL_ERROR |
//! | `connect-late=N` | `_connect` and the next N status calls answer `connected:false`, then the VPN is up |
//! | `connect-never` | `_connect` answers `connected:false` and the VPN stays down |
//! | `not-connected-answer` | `_connect` answers `connected:false` although the VPN is up at once |
//! | `no-address=empty\|absent` | how a device call writes that there is no address, instead of `0.0.0.0` |
//! | `wrapped-disconnect` | `_disconnect` answers `{"value":{…}}`, as the vendor's example does |
//! | `disconnect-path=right\|wrong\|both\|neither` | which of `_disconnect` and `_discconect` there is (`right`) |
//! | `proxy-page=502\|503\|504[@PATH]` | device calls do their work and answer a proxy's HTML page, optionally only for paths that contain PATH |
//! | `token-ttl=SECONDS` | new tokens live that long (a fraction is allowed) |
//! | `refresh-ttl=SECONDS` | they can be refreshed that long |
//! | `token-expired-at-issue` | new tokens say that they expired long ago, as a clock that is behind makes them, and work |
//! | `invalidate-tokens` | the next call with a bearer finds all tokens invalidated; once, or `*N` times |
//! | `token-uses=N` | a token is good for N calls, then invalidated |
//! | `empty-401` | a refused bearer and a refused refresh answer 401 with an empty body |
//! | `refuse-login` | every login is refused |
//! | `locked` | every password is locked (an API key is a credential of its own) |
//! | `mfa` | every login by password needs a second factor |
//! | `trust-expired` | trust keys are older than their 30 days |
//! | `not-forwardable[=DOMAIN:ACTION]` | that permission (or several, with commas between them), or all, are not valid in child accounts |
//! | `disabled=CLIENTS` | their administrative status is DISABLED, which says nothing about their connection |
//! | `stale=CLIENTS` | their connection says CONNECTED since long ago, and device calls answer TIMEOUT |
//! | `no-permission=DOMAIN:ACTION` | that permission (or several, with commas between them) is missing |
//! | `vpn-connections-status=403\|404` | the list of VPN connections is forbidden, or no such route |
//! | `page-size=N` | the server caps pages at N items |
//! | `no-total-count` | lists leave out `totalCount` whatever they are asked |
//! | `pages-meet=N` | pages of devices and connections behind the first are held until N of them have been held at once |
//! | `pages-at-most=N` | they take a while, and are refused while N others are in hand |
//! | `devices-leave=N` | after each page of devices the first N leave the registry |
//! | `devices-come=N` | the first 500 devices are not there yet, and N of them come after each page |
//! | `devices-change=N` | the last 500 devices are not there yet; after each page the first N leave and N of those come |
//! | `connections-leave=N` | after each page of VPN connections the first N of them end, as far as the list tells |
//! | `legacy-items` | lists nest their items, `{"item":[…]}` |
//! | `missing-items` | lists are empty and leave out `items` |
//! | `null-display-name` | a device without display name has `"displayName":null`, as in the vendor's example |
//! | `deep-accounts` | the child account has a child of its own, `acme-north-lab` |
//!
//! With `*N` behind them, `proxy-page`, `device-timeout`, `device-error`, `timeout-but-done`, `device-fails`, `refuse-login` and
//! `not-connected-answer` happen N times.

mod accounts;
mod answers;
mod device;
mod fleet;
mod ids;
mod listing;
mod lockout;
mod login;
mod paging;
mod registry;
mod remote_access;
mod roster;
mod tokens;
mod vpn;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::Uri;
use axum::middleware;
use axum::response::Response;
use jiff::Timestamp;

use super::{ConfigPart, Context};
use accounts::Accounts;
use fleet::Fleet;
use login::Logins;
use paging::{Crowd, Drift};
use tokens::Tokens;

/// The faults of the table above.
pub(super) const FAULTS: &[&str] = &[
    "all-online",
    "offline",
    "missing",
    "never-connected",
    "offline-as-500",
    "no-bundle",
    "no-bundle-as-500",
    "device-timeout",
    "timeout-but-done",
    "device-slow",
    "device-fails",
    "device-error",
    "broken",
    "connect-late",
    "connect-never",
    "not-connected-answer",
    "no-address",
    "wrapped-disconnect",
    "disconnect-path",
    "proxy-page",
    "token-ttl",
    "refresh-ttl",
    "token-expired-at-issue",
    "invalidate-tokens",
    "token-uses",
    "empty-401",
    "refuse-login",
    "locked",
    "mfa",
    "trust-expired",
    "not-forwardable",
    "disabled",
    "stale",
    "no-permission",
    "vpn-connections-status",
    "page-size",
    "no-total-count",
    "pages-meet",
    "pages-at-most",
    "devices-leave",
    "devices-come",
    "devices-change",
    "connections-leave",
    "legacy-items",
    "missing-items",
    "null-display-name",
    "deep-accounts",
];

/// The user of the configuration, with [`PASSWORD`].
pub const USERNAME: &str = "operator";
/// The password of [`USERNAME`].
pub const PASSWORD: &str = "Simulated-Passw0rd";
/// A user whose login needs a second factor, with [`MFA_PASSWORD`] and [`MFA_CODE`].
pub const MFA_USERNAME: &str = "operator-mfa";
/// The password of [`MFA_USERNAME`].
pub const MFA_PASSWORD: &str = "Simulated-Passw0rd-2";
/// The code that is right for every second factor; it does not change with time.
pub const MFA_CODE: &str = "123456";
/// An API key of [`USERNAME`].
pub const API_KEY: &str = "simulate/00+loopback+only/not+a+secret+0";
/// The id of the account that the users belong to.
pub const ACCOUNT: &str = "LgJHjS2jvdE";
/// The id of its child account.
pub const CHILD_ACCOUNT: &str = "Ai9_3Q";

/// Where the API begins; a path without it belongs to no API (section 2).
const BASE: &str = "/v1/";

/// The simulated Everyware Cloud.
#[derive(Debug)]
pub struct Everyware {
    context: Context,
    /// When the simulation began: what happened before stays as long ago as it was.
    started: Timestamp,
    accounts: Accounts,
    logins: Mutex<Logins>,
    tokens: Mutex<Tokens>,
    /// One fleet per account, in the order of [`Accounts`].
    fleets: Vec<Mutex<Fleet>>,
    crowd: Crowd,
    drift: Drift,
}

impl Everyware {
    /// Makes the vendor's small world, or one with as many devices as the context asks for.
    #[must_use]
    pub fn new(context: Context) -> Self {
        let accounts = Accounts::new();
        let fleets = roster::fleets(context.devices).into_iter().map(Mutex::new).collect();
        Self {
            context,
            started: Timestamp::now(),
            accounts,
            logins: Mutex::default(),
            tokens: Mutex::default(),
            fleets,
            crowd: Crowd::default(),
            drift: Drift::default(),
        }
    }

    /// Gives the routes of its API.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .merge(login::routes())
            .merge(accounts::routes())
            .merge(registry::routes())
            .merge(vpn::routes())
            .merge(remote_access::routes())
            .fallback(no_such_route)
            .layer(middleware::from_fn_with_state(Arc::clone(self), tokens::require_bearer))
            .with_state(Arc::clone(self))
    }

    /// Says what a configuration needs to drive it at `url`.
    #[must_use]
    pub fn config(&self, url: &str) -> ConfigPart {
        let toml = format!(
            "url = \"{url}\"\nscope = \"_\"\nusername = \"{USERNAME}\"\n\
             password = {{ file = \"{{file:everyware-password}}\" }}\ntls.ca_file = \"{{ca}}\"\n"
        );
        ConfigPart { toml, secrets: vec![("everyware-password", PASSWORD.to_owned())] }
    }
}

/// Answers a path that the API does not have: a page of the servlet container, no exceptionInfo (section 6).
async fn no_such_route(uri: Uri, headers: axum::http::HeaderMap) -> Response {
    answers::no_such_route(&uri, &headers)
}

/// Locks, and goes on with what a handler that panicked left behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
