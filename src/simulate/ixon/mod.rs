//! The simulated IXON VPN client and cloud.
//!
//! Written from vendors/ixon.md, whose section 8 is the specification. What the page marks *unknown* is answered in
//! the plainest way and can often be changed by a fault.
//!
//! The user is `demo@example.org` with the password `demo:pässword>>?~`; the Application ID is `VpnctlDemo01`, the
//! sector `SSSSSSSSSSSS`, and a token of 60 days stands in the written configuration. Company `1111-2222-3333-4444-5555` has the agents
//!
//! | publicId | name | state |
//! | --- | --- | --- |
//! | `AAAAAAAAAAAA` | Press 7 | online |
//! | `AAAAAAAAAAAB` | null | online |
//! | `AAAAAAAAAAAC` | Press 8 | linked to the cloud, its VPN is off until the router is told to connect |
//! | `AAAAAAAAAAAD`, `AAAAAAAAAAAE` | Pump | online, one name for two |
//! | `AAAAAAAAAAAF` | Boiler 3 | offline and inactive |
//! | `AAAAAAAAAAAG` | CUTTERLINE04 | online, stealth mode, a name that looks like a publicId |
//!
//! and, where more are asked for, `G00000000008` "Machine 8" and so on. Company `5555-4444-3333-2222-1111` has
//! `BBBBBBBBBBBA`, another Press 7, and `BBBBBBBBBBBB` "Mixer".
//!
//! # Faults of the local client
//!
//! | fault | what happens |
//! | --- | --- |
//! | `version=V` | `Server: VPN Client/V`; `missing` sends no such header, `garbage` one without a version. Below 1.4.7 the cloud refuses: `ixapi.openvpn_configuration` fails with 010 |
//! | `old-accepted` | the cloud takes clients below 1.4.7, as it did before 2026-08-05 |
//! | `start-connected[=AGENT]` | connected from the start, by another controller (only at the start) |
//! | `other-controller[=AGENT]` | now another controller has connected the client; the fault is used up by that |
//! | `step-fails=STEP:CODE[:MESSAGE]` | an attempt ends at that step, a name or a number from 1 |
//! | `failed-goes-idle` | after a failed step the client is idle, else it stays connecting |
//! | `failed-keeps-request` | after a failed step the client is idle and still shows the request |
//! | `never-connects` | the step `openvpn.connection` stays pending |
//! | `slow-connect=MS` | from request to connected takes that long (the request itself: `slow=MS@/connect`) |
//! | `drops-after=MS` | the tunnel goes down after it has been up for so long |
//! | `connect-refused=STATUS[:TEXT]` | `POST /connect` is answered so |
//! | `error-form=FORM` | refusals are `text` (as without), `message`, `data`, `error`, `html` or `empty` |
//! | `strict-sector` | `POST /connect` needs the right `Api-Sector` |
//! | `unpadded-codes`, `numeric-codes` | step codes are `"3"` or `3` |
//! | `stringified-request` | `activeRequest` is a string that holds JSON |
//! | `null-request`, `missing-request` | `activeRequest` of an idle client is null or absent |
//! | `idle-with-request` | for one pace after a disconnect the client is idle and still shows the request |
//! | `unknown-status=WORD[@WHEN]` | the status is WORD, always or only instead of the word WHEN |
//! | `unknown-steps` | two steps more, of unknown names |
//! | `escaped-slashes` | JSON has `\/` for `/` |
//! | `foreign-hrefs[=HOST[:PORT]]` | the discovery's links lead to that host |
//! | `ws-refused[=STATUS]` | the WebSocket is refused |
//! | `ws-silent` | the WebSocket pushes nothing |
//! | `ws-dropped[=MS]` | the WebSocket breaks without a close frame, after that time |
//! | `ws-junk` | the WebSocket begins with what is no status |
//! | `ws-huge` | the WebSocket begins with a message of 2 MiB |
//! | `ws-half-open` | the WebSocket says nothing and answers no ping |
//! | `certificate=KIND` | `private-ca` (as without), `self-signed`, `user-provided:FILE` (PEM, chain and key), or any other word such as `renewed`: one more certificate of the same CA |
//! | `configuration-refused=STATUS[:TEXT]` | writes of the configuration are answered so |
//! | `first-push` | the WebSocket begins with the present status |
//!
//! # Faults of the cloud
//!
//! | fault | what happens |
//! | --- | --- |
//! | `token-expired` | no token holds, neither for callers nor for the client |
//! | `token-life=SECONDS` | tokens expire that long after they were made, the one in the configuration after the start |
//! | `otp-needed[=v1]` | a login needs the code 123456; with `v1` it is asked for in the words of APIv1 |
//! | `otp-enforced` | a login is refused as the role enforces a second factor that the account has not set up |
//! | `wake-delay=MS` | a router's VPN is up that long after it was told to connect |
//! | `no-mqtt[=AGENT]` | that router, or all, can't be told to connect: 503, although they are online |
//! | `login-rate-limited` | a login is answered 429 |
//! | `cloud-status=CODE[@PATH]` | that status with an error envelope; the client's `ixapi.discovery` fails with 101 |
//! | `cloud-not-json` | 502 with an HTML page; the client's `ixapi.discovery` fails with 101 |
//! | `rate-limit=N` | more than N requests in 5 s are answered 429 (the real block of 10 minutes is shortened to 5 s) |
//! | `agent-offline[=AGENT]` | that agent, or all, are offline; the client's `ixapi.openvpn_configuration` fails with 201 |
//! | `single-object` | a list of one value is an object |
//! | `page-size=N` | pages hold N entries at most, whatever is asked for |
//! | `cursor-repeats` | each page of agents is the first one and names the same next one |
//! | `no-moreafter` | the last page has no `moreAfter` |

mod agents;
mod answers;
mod attempt;
mod caller;
mod certificates;
mod cloud;
mod configuration;
mod daemon;
mod fields;
mod filters;
mod local;
mod query;
mod request;
mod socket;
mod status;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;

use self::agents::{Agents, Company, Reach};
use self::attempt::{CONFIGURATION, DISCOVERY, Failure, Plan};
use self::certificates::Certificates;
use self::configuration::Configuration;
use self::daemon::Daemon;
use self::request::ConnectRequest;
use self::tokens::Tokens;
use super::tls::{self, Identity};
use super::{ConfigPart, Context};

/// The faults of the tables above.
pub(super) const FAULTS: &[&str] = &[
    "version",
    "old-accepted",
    "start-connected",
    "other-controller",
    "step-fails",
    "failed-goes-idle",
    "failed-keeps-request",
    "never-connects",
    "slow-connect",
    "drops-after",
    "connect-refused",
    "error-form",
    "strict-sector",
    "unpadded-codes",
    "numeric-codes",
    "stringified-request",
    "null-request",
    "missing-request",
    "idle-with-request",
    "unknown-status",
    "unknown-steps",
    "escaped-slashes",
    "foreign-hrefs",
    "ws-refused",
    "ws-silent",
    "ws-dropped",
    "ws-junk",
    "ws-huge",
    "ws-half-open",
    "certificate",
    "configuration-refused",
    "first-push",
    "token-expired",
    "token-life",
    "otp-needed",
    "otp-enforced",
    "wake-delay",
    "no-mqtt",
    "login-rate-limited",
    "cloud-status",
    "cloud-not-json",
    "rate-limit",
    "agent-offline",
    "single-object",
    "page-size",
    "cursor-repeats",
    "no-moreafter",
];

/// The version that the simulated client has.
const VERSION: &str = "1.4.7";
/// The Application ID that the simulated cloud knows.
const APPLICATION: &str = "VpnctlDemo01";
/// A controller that is nobody's in particular.
const OTHER_CONTROLLER: &str = "0b6cbb0e-6c0e-4e1c-8f0a-2b4f3e7a9d10";

/// The simulated IXON VPN client and the part of the cloud's API around it.
#[derive(Debug)]
pub struct Ixon {
    context: Context,
    daemon: Daemon,
    configuration: Configuration,
    agents: Agents,
    tokens: Tokens,
}

impl Ixon {
    /// Makes a small world: one client, idle, and two companies' agents.
    #[must_use]
    pub fn new(context: Context) -> Self {
        let faults = &context.faults;
        let ixon = Self {
            daemon: Daemon::new(faults.clone(), context.pace),
            configuration: Configuration::new(),
            agents: Agents::new(context.devices, faults.clone()),
            tokens: Tokens::new(faults.clone()),
            context,
        };
        if let Some(agent) = ixon.context.faults.arg("start-connected") {
            ixon.connect_for_another(&agent);
        }
        ixon
    }

    /// Gives the routes of the local client; `base` is its own URL, for the links of its discovery.
    pub fn local_router(self: &Arc<Self>, base: &str) -> Router {
        local::router(Arc::clone(self), base)
    }

    /// Makes the TLS configuration of the local client, whose certificate the fault `certificate` changes.
    ///
    /// # Errors
    /// Fails where the provider knows no version of TLS, which does not happen with ring.
    pub fn tls(&self, identity: &Identity) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
        let wardrobe = Certificates { faults: self.context.faults.clone(), identity: identity.clone() };
        // The real client speaks HTTP/1.1: its WebSocket shares the port.
        tls::switching(wardrobe, &["http/1.1"])
    }

    /// Gives the routes of the cloud; `base` is its own URL, which ends in `/api`.
    pub fn cloud_router(self: &Arc<Self>, base: &str) -> Router {
        cloud::router(Arc::clone(self), base)
    }

    /// Says what a configuration needs to drive both.
    #[must_use]
    pub fn config(&self, url: &str, cloud_url: &str) -> ConfigPart {
        let company = agents::COMPANY.public_id;
        let toml = format!(
            "url = \"{url}\"\ncloud_url = \"{cloud_url}\"\napplication_id = \"{APPLICATION}\"\n\
             company_id = \"{company}\"\ntoken = {{ file = \"{{file:ixon-token}}\" }}\ntls.ca_file = \"{{ca}}\"\n"
        );
        ConfigPart { toml, secrets: vec![("ixon-token", tokens::TOKEN.to_owned())] }
    }

    /// Gives the `Server` header of the local client; the product word is the likely one (vendors/ixon.md section 1).
    fn server_header(&self) -> Option<HeaderValue> {
        let version = self.context.faults.arg("version").unwrap_or_else(|| VERSION.to_owned());
        match version.as_str() {
            "missing" => None,
            "garbage" => Some(HeaderValue::from_static("garbage")),
            _ => HeaderValue::from_str(&format!("VPN Client/{version}")).ok(),
        }
    }

    /// Starts what a connect request asks for.
    fn connect(&self, request: ConnectRequest) {
        let faults = &self.context.faults;
        let stealth = self.agents.find(&request.agent_id).is_some_and(|agent| agent.stealth);
        let steps = if stealth { 4 } else { 3 };
        let slow = faults.number("slow-connect").map(|millis| Duration::from_millis(millis) / steps);
        self.daemon.connect(Plan {
            failure: self.failure_of(&request),
            stealth,
            step_time: slow.unwrap_or(self.context.pace),
            stuck: faults.take("never-connects").is_some(),
            agent_id: request.agent_id,
            company_id: request.company_id,
            controller_id: request.controller_id,
        });
    }

    /// Asks the cloud, as the client does with the user's token, whether a request can succeed.
    ///
    /// 1XY are errors of the discovery, 2XY of the agent's information; the single codes are unknown, so each
    /// class is represented by its first, and what has no documented class by 010 (vendors/ixon.md section 5).
    fn failure_of(&self, request: &ConnectRequest) -> Option<Failure> {
        let faults = &self.context.faults;
        if let Some(written) = faults.take("step-fails") {
            return Some(Failure::parse(&written));
        }
        if faults.is_on("cloud-status") || faults.is_on("cloud-not-json") {
            return Some(Failure::new(DISCOVERY, "101"));
        }
        if self.is_refused_as_old() || self.tokens.find(&request.token).is_err() {
            return Some(Failure::new(CONFIGURATION, "010"));
        }
        let company = Company::find(&request.company_id);
        let agent = self.agents.find(&request.agent_id).filter(|agent| Some(agent.company) == company);
        match agent.map(|agent| self.agents.reach(agent)) {
            Some(Reach::Vpn) => None,
            Some(Reach::Cloud) => Some(Failure::new(CONFIGURATION, "201")),
            Some(Reach::Nothing) => {
                let message = "This agent is not online".to_owned();
                Some(Failure { message, ..Failure::new(CONFIGURATION, "201") })
            }
            None => Some(Failure::new(CONFIGURATION, "202")),
        }
    }

    /// Tells whether the cloud turns this client away: below 1.4.7 since 2026-08-05 (vendors/ixon.md section 1).
    fn is_refused_as_old(&self) -> bool {
        let Some(version) = self.context.faults.arg("version") else { return false };
        let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        !self.context.faults.is_on("old-accepted") && numbers.is_some_and(|numbers| numbers < vec![1, 4, 7])
    }

    /// Lets another controller take the client where the fault `other-controller` asks for it.
    fn usurp(&self) {
        if let Some(agent) = self.context.faults.arg("other-controller") {
            self.context.faults.clear("other-controller");
            self.connect_for_another(&agent);
        }
    }

    fn connect_for_another(&self, agent_id: &str) {
        let agent_id = if agent_id.is_empty() { agents::FIRST_AGENT } else { agent_id };
        let agent = self.agents.find(agent_id);
        self.daemon.connect(Plan {
            agent_id: agent_id.to_owned(),
            company_id: agent.map_or(agents::COMPANY, |agent| agent.company).public_id.to_owned(),
            controller_id: OTHER_CONTROLLER.to_owned(),
            stealth: agent.is_some_and(|agent| agent.stealth),
            step_time: Duration::ZERO,
            failure: None,
            stuck: false,
        });
    }
}
