//! The simulated Freebox: pairing, sessions and the VPN client of vendor/freebox.md, written from that page alone.
//!
//! Its world: one application that is paired ([`APP_ID`], [`APP_TOKEN`]) and may change settings; the tunnels `vpn0`
//! (PPTP, "Office PPTP"), `vpn1` (OpenVPN, "Downloads", up for two hours) and `vpn2` (WireGuard, "Lyon WireGuard").
//! A tunnel takes one step to go up and one to go down; after a failure the box tries again ten steps later.
//!
//! Faults, beside those of any HTTP server (`server::inject`). A count as in `activation=busy*1` uses a fault up where
//! the table says *counts*.
//!
//! | fault | what happens |
//! | --- | --- |
//! | `api-version=6.0` | the version that `/api_version` reports; higher majors in a path are unknown paths, and so is the VPN client below 2.0 |
//! | `partial-api-version` | `/api_version` without `uid` and `api_domain` |
//! | `uid=HEX` | another box answers at the same address |
//! | `web-ui-challenge` | `login/` gives the web interface's array for a challenge |
//! | `challenge-ttl=SECONDS` | how long a challenge may be signed (60) |
//! | `challenge-consumed` | a correct login is refused as if its challenge had been used; *counts* |
//! | `session-ttl=SECONDS` | how long a session lives (1800); fractions are taken |
//! | `expire-sessions` | all sessions die once, or at each of the next N calls; *counts* |
//! | `invalid-token` | all app tokens are revoked and all sessions dead |
//! | `pending-token` | a login is answered `pending_token` |
//! | `ratelimited` | a login is answered `ratelimited`; *counts* |
//! | `apps-denied` | logins and pairing are answered `apps_denied` |
//! | `no-settings-right` | sessions opened from now on lack `settings` |
//! | `grant-settings` | sessions opened from now on have `settings`, whoever opens them |
//! | `masked-secrets=TEXT` | that text in the place of secrets which a session without `settings` does not see |
//! | `pairing=WORD[:N]` | the answer to a pairing after N polls that say `pending`: `granted`, `denied`, `timeout`, `unknown`; `pending:N` is granted afterwards, `pending` is never answered. Without the fault: granted after 2 |
//! | `new-apps-denied` | pairing is answered `new_apps_denied` |
//! | `denied-from-external-ip` | pairing is answered `denied_from_external_ip` |
//! | `vpn-client=CODE` | each call of the VPN client is answered that error of the domain, or 404 with `invalid_request`; *counts* |
//! | `activation=CODE` | activating is answered `busy`, `exist`, `inval` or any other code; *counts* |
//! | `adding=CODE` | adding a configuration is answered that code; *counts* |
//! | `tunnel-fails=WORD` | attempts end down with that `last_error` (`auth_failed`); *counts* |
//! | `stays-going-up` | attempts do not end |
//! | `waiting-wan` | there is no WAN |
//! | `drop-after=MS` | the peer ends a tunnel that has been up that long; the box tries again; *counts* |
//! | `keeps-others-active` | activating leaves the other configurations active |
//! | `put-without-result` | an update is answered without `result` |
//! | `merge-conf[=deep]` | an update merges `conf_…` key by key instead of replacing it; with `deep` what is inside of it too |
//! | `no-tunnels` | the configurations that exist are removed, once |
//! | `empty-list=array\|null\|absent` | how an empty list is written (absent) |
//! | `ipv4-attribute=IPv4` | the name of the addresses in the status |
//! | `unknown-state=WORD` | the state in the status of an active tunnel |
//! | `unknown-last-error=WORD` | the last error in that status |
//! | `status-description=TEXT` | the status names the active tunnel differently than the list, as in the vendor's examples |
//! | `old-last-error=WORD` | that last error wherever it would be `none`, from before any attempt |
//! | `clear-log` | the log is emptied at each call while this is on |
//! | `no-error-code[=all]` | errors of the domain lack `error_code`; with `all` those of authentication too |
//! | `typographic` | typographic apostrophes in messages |
//! | `domain-status=CODE` | errors of the domain have that HTTP status instead of 200, which is inferred for the VPN client |
//! | `changing=CODE` | adding, updating and deleting are answered that code; *counts* |
//! | `log-limit=N` | the log keeps N lines (500) and drops the oldest |
//! | `tls=expired-foobar\|wrong-name\|self-signed\|with-intermediate` | another certificate: that of section 2.5, one for the box's domain only, one that nobody signed, one with its intermediate |
//! | `italy` | an Iliadbox: `example.ibxos.it`, `myiliadbox.iliad.it` |
//! | `mdns` | the box is announced on the loopback interface (only at the start) |
//! | `plain-400[=PATH]` | HTTP 400 with a bare text, optionally only for paths that contain PATH; *counts* |

mod answers;
pub(super) mod beacon;
mod calls;
mod certificates;
mod clock;
mod configuration;
mod discovery;
mod journal;
mod link;
mod login;
mod mint;
mod pairing;
mod rights;
mod session;
mod status;
mod tunnels;
mod vpn_client;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

use super::{ConfigPart, Context, tls};
use answers::Answer;
use calls::Call;
use certificates::Certificates;
use clock::Clock;
use link::Moment;
use pairing::Pairings;
use session::Sessions;
use tunnels::Tunnels;

/// The faults of the table above.
pub(super) const FAULTS: &[&str] = &[
    "api-version",
    "partial-api-version",
    "uid",
    "web-ui-challenge",
    "challenge-ttl",
    "challenge-consumed",
    "session-ttl",
    "expire-sessions",
    "invalid-token",
    "pending-token",
    "ratelimited",
    "apps-denied",
    "no-settings-right",
    "grant-settings",
    "masked-secrets",
    "pairing",
    "new-apps-denied",
    "denied-from-external-ip",
    "vpn-client",
    "activation",
    "adding",
    "tunnel-fails",
    "stays-going-up",
    "waiting-wan",
    "drop-after",
    "keeps-others-active",
    "put-without-result",
    "merge-conf",
    "no-tunnels",
    "empty-list",
    "ipv4-attribute",
    "unknown-state",
    "unknown-last-error",
    "status-description",
    "old-last-error",
    "clear-log",
    "no-error-code",
    "typographic",
    "domain-status",
    "changing",
    "log-limit",
    "tls",
    "italy",
    "mdns",
    "plain-400",
];

/// The id of the application that is paired from the start.
pub const APP_ID: &str = "org.vpnctl.simulated";
/// Its token; it is the documentation's, so that it is known to be nobody's.
pub const APP_TOKEN: &str = "dyNYgfK0Ya6FWGqq83sBHa7TwzWo+pg4fDFUJHShcjVYzTfaRrZzm93p7OTAfH/0";

/// The simulated Freebox.
#[derive(Debug)]
pub struct Freebox {
    context: Context,
    clock: Clock,
    memory: Mutex<Memory>,
    https_port: OnceLock<u16>,
}

/// What the box remembers.
#[derive(Debug)]
struct Memory {
    pairings: Pairings,
    sessions: Sessions,
    tunnels: Tunnels,
}

impl Freebox {
    /// Makes the vendor's small world.
    #[must_use]
    pub fn new(context: Context) -> Self {
        let clock = Clock::start();
        let moment = Moment { now: clock.now(), clock: &clock, pace: context.pace, faults: &context.faults };
        let memory = Memory {
            pairings: Pairings::with(APP_ID, APP_TOKEN),
            sessions: Sessions::new(),
            tunnels: Tunnels::small_world(&moment),
        };
        Self { context, clock, memory: Mutex::new(memory), https_port: OnceLock::new() }
    }

    /// Gives the routes of its API.
    pub fn router(self: &Arc<Self>) -> Router {
        // Any version, any trailing slash: the paths are taken apart by hand.
        Router::new().fallback(handle).with_state(Arc::clone(self))
    }

    /// Makes its HTTPS, which answers on `port`: the TLS configuration, and the test root in PEM.
    ///
    /// # Errors
    /// Fails where the system gives no randomness.
    pub fn https(&self, port: u16) -> std::io::Result<(Arc<rustls::ServerConfig>, String)> {
        // A box has one HTTPS port; a second call would change nothing.
        let _ = self.https_port.set(port);
        let certificates = Certificates::new(self.context.faults.clone()).map_err(std::io::Error::other)?;
        let root = certificates.root_pem();
        let config = tls::switching(certificates, &["http/1.1"]).map_err(std::io::Error::other)?;
        Ok((config, root))
    }

    /// Says what a configuration needs to drive it at `url`, or at `https_url` once its comments are lifted.
    #[must_use]
    pub fn config(&self, url: &str, https_url: &str) -> ConfigPart {
        let toml = format!(
            "url = \"{url}\"\napp_id = \"{APP_ID}\"\napp_token = {{ file = \"{{file:freebox-app-token}}\" }}\n\
             # The same box by HTTPS:\n# url = \"{https_url}\"\n# tls.ca_file = \"{{ca}}\"\n"
        );
        ConfigPart { toml, secrets: vec![("freebox-app-token", APP_TOKEN.to_owned())] }
    }

    fn answer(&self, method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Answer {
        let faults = &self.context.faults;
        let path = uri.path();
        if faults.arg("plain-400").is_some_and(|pattern| path.contains(&pattern)) && faults.take("plain-400").is_some()
        {
            return Answer::plain_bad_request();
        }
        if path.trim_end_matches('/') == "/api_version" && method == Method::GET {
            return Answer::bare(discovery::api_version(faults, self.https_port()));
        }
        let Some(call) = Call::read(method, path, headers, body, discovery::major(faults)) else {
            return Answer::unknown_path();
        };
        let now = self.clock.now();
        let moment = Moment { now, clock: &self.clock, pace: self.context.pace, faults };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.answer(&call, &moment, self.https_port()).unwrap_or_else(|refused| *refused)
    }

    fn https_port(&self) -> u16 {
        self.https_port.get().copied().unwrap_or(discovery::CAPTURED_HTTPS_PORT)
    }
}

impl Memory {
    /// Answers a call; an `Err` is an answer too, that of a call which did not get through.
    fn answer(&mut self, call: &Call, moment: &Moment<'_>, https_port: u16) -> Result<Answer, Box<Answer>> {
        match (call.method.as_str(), call.segments().as_slice()) {
            ("GET", ["login"]) => Ok(self.greeting(call, moment)),
            ("POST", ["login", "authorize"]) => self.authorize(call, moment),
            ("GET", ["login", "authorize", track]) => Ok(self.track(track, moment)),
            ("POST", ["login", "session"]) => self.open_session(call, moment),
            ("POST", ["login", "logout"]) => self.logout(call, moment),
            ("GET", ["login", "perms"]) => {
                self.session(call, moment).map(|session| Answer::result(session.rights.described()))
            }
            ("GET", ["connection", "config"]) => self
                .session(call, moment)
                .map(|_| Answer::result(discovery::connection_config(moment.faults, https_port))),
            (method, ["vpn_client", rest @ ..]) if discovery::major(moment.faults) >= 2 => {
                self.vpn_client(method, rest, call, moment)
            }
            _ => Ok(Answer::unknown_path()),
        }
    }
}

async fn handle(
    State(freebox): State<Arc<Freebox>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    freebox.answer(method, &uri, &headers, body).into_response(&freebox.context.faults)
}
