//! The contract that every vendor keeps. The doc comments of [`VpnBackend`] and its facets are the sentences that
//! `tests/contract` checks against each vendor's simulator.

mod discovery;
mod events;
pub mod naming;
mod probe;
pub mod registry;
pub mod room;
mod settings;
mod tunnels;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use secrecy::SecretString;

pub use discovery::Discovery;
pub use events::{Events, Subscription};
pub use probe::{Finding, Probe, Server};
pub use settings::{Changed, Settings};
pub use tunnels::{Edited, ImportFile, Imported, SecretDocument, Tunnel, TunnelChange, Tunnels};

use crate::config;
use crate::error::{Code, Error, Layer, Result};
use crate::http::{Deadline, Observer, Transport};
use crate::model::{Capabilities, Failure, Status, Support, Target, TargetKind};
pub use crate::model::{Found, LoginState};
use crate::state::Store;

/// Holds what a vendor needs to open a backend.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its settings.
    pub config: config::Backend,
    /// Where it remembers sessions and ids.
    pub store: Store,
    /// When the command has to be done.
    pub deadline: Deadline,
    /// How long one attempt may take; `None` is the vendor's own choice.
    pub request_timeout: Option<Duration>,
    /// How many requests may start in a second; `None` is what the configuration says.
    pub rate: Option<f64>,
    /// Whether targets of child accounts are listed too, where a vendor has such.
    pub recursive: bool,
    /// Whether the vendor's own documents are wanted, where they are not needed otherwise.
    pub native: bool,
    /// Whether targets are asked for their states anyway, so that a list need not tell them.
    pub live: bool,
    /// Who is told of every request.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Opening {
    /// Opens what these settings are of, without a deadline and with nothing said on the command line.
    #[must_use]
    pub fn new(config: config::Backend, store: Store) -> Self {
        Self {
            config,
            store,
            deadline: Deadline::none(),
            request_timeout: None,
            rate: None,
            recursive: false,
            native: false,
            live: false,
            observer: None,
        }
    }
}

/// Describes an open backend.
#[derive(Debug, Clone)]
pub struct Info {
    /// Its name.
    pub backend: String,
    /// Its vendor.
    pub vendor: &'static str,
    /// Its URL, without credentials.
    pub url: String,
    /// What kind of thing it connects.
    pub kind: TargetKind,
    /// Whether it has one VPN, which one target at a time can have.
    pub one_vpn: bool,
    /// Its configured labels.
    pub labels: BTreeMap<String, String>,
    /// The target that is meant where none is named.
    pub default_target: Option<String>,
    /// After how long without a sign of an attempt a `connect` has failed; `None` where the vendor shows no attempts.
    pub silence_limit: Option<Duration>,
}

/// Says how a target is connected.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// Switch on what is asleep first, where the vendor can (IXON routers).
    pub wake: bool,
}

/// A VPN client that can be read and told what to do.
#[async_trait]
pub trait VpnBackend: Send + Sync {
    /// Describes the backend; sends no request.
    fn info(&self) -> &Info;

    /// Reads the state of a target, or without one that of the backend's one VPN; changes nothing.
    ///
    /// Of a target that does not have the one VPN it tells `disconnected`, with the target.
    ///
    /// # Errors
    /// Fails with `unsupported` without a target where there is no one VPN, else with what the vendor said.
    async fn status(&self, target: Option<&Target>) -> Result<Status>;

    /// Tells the vendor to connect a target: one write, sent once, not waited for.
    ///
    /// # Errors
    /// Fails with what the vendor said; [`Error::outcome_is_unknown`] tells whether it may have been done all the same.
    async fn connect(&self, target: &Target, how: How) -> Result<Status>;

    /// Does beforehand what a connection needs and what leaves a tunnel that is up alone, so that where it fails nothing
    /// was lost; doing so twice is no error.
    ///
    /// # Errors
    /// Fails where the target could not be connected either.
    async fn prepare(&self, target: &Target, how: How) -> Result<()> {
        let _ = (target, how);
        Ok(())
    }

    /// Tells the vendor to disconnect a target: one write, sent once, not waited for.
    ///
    /// # Errors
    /// Fails with what the vendor said; [`Error::outcome_is_unknown`] tells whether it may have been done all the same.
    async fn disconnect(&self, target: &Target) -> Result<Status>;

    /// Gives the way to its server, for what looks at the connection itself; sends no request.
    fn transport(&self) -> Option<&Transport> {
        None
    }

    /// Adds to the error of an attempt to connect that failed or timed out what the vendor knows of its cause; asks at
    /// most once, within the deadline. The code stays; where nothing is found out, so does the rest.
    async fn explain(&self, target: &Target, error: Error) -> Error {
        let _ = target;
        error
    }

    /// Gives the facet for listing and finding targets.
    fn targets(&self) -> Option<&dyn Targets> {
        None
    }

    /// Gives the facet for logins.
    fn session(&self) -> Option<&dyn Session> {
        None
    }

    /// Gives the facet for the vendor's log.
    fn logs(&self) -> Option<&dyn Logs> {
        None
    }

    /// Gives the facet for states that are pushed.
    fn events(&self) -> Option<&dyn Events> {
        None
    }

    /// Gives the facet for VPN configurations that the vendor keeps.
    fn tunnels(&self) -> Option<&dyn Tunnels> {
        None
    }

    /// Gives the facet for the settings of a local VPN client.
    fn settings(&self) -> Option<&dyn Settings> {
        None
    }

    /// Gives the facet for raw calls.
    fn raw(&self) -> Option<&dyn Raw> {
        None
    }

    /// Gives the facet for looking at the vendor's layers.
    fn probe(&self) -> Option<&dyn Probe> {
        None
    }

    /// Writes an id in the one way in which it is compared with others, where a vendor writes ids in several.
    fn id<'a>(&self, written: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(written)
    }

    /// Says why something that no facet gives is not there.
    fn why_not(&self, capability: &str) -> &'static str;
}

/// Tells what a backend can do; a claim is a facet that is there, so it can't drift from the code.
#[must_use]
pub fn capabilities(backend: &dyn VpnBackend) -> Capabilities {
    let facet = |there: bool, name: &'static str| {
        let support = if there { Support::Native } else { Support::No(backend.why_not(name).into()) };
        (name, support)
    };
    let follow = match backend.events() {
        Some(_) => Support::Native,
        None => Support::Emulated("the state is polled".into()),
    };
    vec![
        ("status", Support::Native),
        facet(backend.targets().is_some(), "list"),
        ("connect", Support::Native),
        ("disconnect", Support::Native),
        ("reconnect", Support::Emulated("disconnect, then connect".into())),
        ("wait", follow.clone()),
        ("watch", follow),
        facet(backend.session().is_some(), "auth"),
        facet(backend.logs().is_some(), "log"),
        facet(backend.tunnels().is_some(), "tunnel"),
        facet(backend.settings().is_some(), "settings"),
        facet(backend.raw().is_some(), "api"),
    ]
}

/// Makes the error for something that a backend can't do; no request is sent for it.
#[must_use]
pub fn unsupported(backend: &dyn VpnBackend, capability: &str) -> Error {
    let info = backend.info();
    Error::new(
        Code::Unsupported,
        Layer::Api,
        format!(
            "`{capability}` is not to be had on {} ({}): {}",
            info.backend,
            info.vendor,
            backend.why_not(capability)
        ),
    )
    .backend(&info.backend)
    .hint("what each backend can do: vpnctl backends")
}

/// Tells one target of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The target.
    pub target: Target,
    /// Its state, where knowing it costs no request per target.
    pub status: Option<Status>,
    /// Its labels besides those of the backend.
    pub labels: BTreeMap<String, String>,
}

/// Lists and finds targets.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Gives each target once, as pages come in; an empty list is no error.
    ///
    /// # Errors
    /// Fails with what the vendor said; what was given before holds.
    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<()>;

    /// Lists as [`Targets::list`] does, and tells by itself each part that could not be read, such as a child account:
    /// it does not hide the others.
    ///
    /// # Errors
    /// Fails where nothing more can be read.
    async fn list_parts(
        &self,
        each: &mut (dyn FnMut(Listed) + Send),
        _failed: &mut (dyn FnMut(Error) + Send),
    ) -> Result<()> {
        self.list(each).await
    }

    /// Counts the targets that [`Targets::list`] gives, with as few requests as that takes.
    ///
    /// # Errors
    /// Fails with what the vendor said.
    async fn count(&self) -> Result<usize> {
        let mut count = 0;
        self.list(&mut |_| count += 1).await?;
        Ok(count)
    }

    /// Finds the targets whose name or id a text is to the letter, with as few requests as that takes: for a text that
    /// could be a glob, over which an exact name wins. Nothing found is an empty list, and so is what could not be
    /// looked at in a part of the backend.
    ///
    /// # Errors
    /// Fails with what the vendor said.
    async fn exact(&self, name: &str) -> Result<Vec<Target>> {
        let mut found = Vec::new();
        let mut each = |listed: Listed| {
            if naming::is_exact(name, &listed.target) {
                found.push(listed.target);
            }
        };
        self.list_parts(&mut each, &mut |error| tracing::debug!("not looked at for `{name}`: {error}")).await?;
        Ok(found)
    }

    /// Says that a name means none of the targets, or several of them.
    fn not_one(&self, backend: &str, name: &str, found: &[Target]) -> Error {
        if found.is_empty() { naming::not_found(backend, name) } else { naming::ambiguous(backend, name, found) }
    }

    /// Finds the targets that a name or id fits best: exact ones, else those that differ by case, else by other
    /// properties that the vendor's users search by. More than one is for the caller to refuse.
    ///
    /// # Errors
    /// Fails with what the vendor said; nothing found is an empty list.
    async fn find(&self, name: &str) -> Result<Vec<Target>>;
}

/// Describes a login.
#[derive(Debug, Clone)]
pub struct Login {
    /// How it stands.
    pub state: LoginState,
    /// Whose it is.
    pub account: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What it may do, in the vendor's words; `None` where that is not told.
    pub rights: Option<Vec<String>>,
    /// Why it does not work, where the vendor refused it.
    pub reason: Option<Error>,
}

impl Login {
    /// Makes a login of which only the state is known.
    #[must_use]
    pub fn new(state: LoginState) -> Self {
        Self { state, account: None, expires_at: None, rights: None, reason: None }
    }

    /// Makes the error of a login that does not work.
    #[must_use]
    pub fn wanting(&self, backend: &str) -> Error {
        if let Some(reason) = &self.reason {
            return reason.clone().backend(backend);
        }
        let (code, what) = match self.state {
            LoginState::Pending => (Code::AuthPending, "is not granted yet"),
            LoginState::Expired => (Code::AuthExpired, "no longer works"),
            LoginState::Missing | LoginState::Ok => (Code::AuthRequired, "is missing"),
        };
        Error::new(code, Layer::Auth, format!("the login {what}"))
            .backend(backend)
            .hint(format!("run: vpnctl auth login -b {backend}"))
    }
}

/// Names a secret that a login asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A password.
    Password,
    /// A one-time password.
    Otp,
    /// An API key.
    ApiKey,
}

/// Talks with the person who logs in; the only way that a vendor asks or tells something meanwhile.
#[async_trait]
pub trait Person: Send + Sync {
    /// Tells something that has to be done now.
    fn tell(&self, text: &str);

    /// Asks for a secret, by terminal or standard input as the flags say. May be dropped: a terminal is left as it was.
    ///
    /// # Errors
    /// Fails with `usage` where nobody can be asked.
    async fn ask(&self, what: Asked, prompt: &str) -> Result<SecretString>;

    /// Shows that something is waited for, with what to do meanwhile, until what it gives is dropped.
    fn show_wait(&self, text: &str) -> Box<dyn Send>;

    /// Tells whether this secret was announced to come by standard input.
    fn brings(&self, what: Asked) -> bool;
}

/// Logs in and out.
#[async_trait]
pub trait Session: Send + Sync {
    /// Makes a login and keeps it; what was refused is not tried again.
    ///
    /// # Errors
    /// Fails with a code of `auth.…`.
    async fn login(&self, person: &dyn Person) -> Result<Login>;

    /// Ends the login at the vendor and forgets it here; doing so twice is no error.
    ///
    /// # Errors
    /// Fails with what the vendor said, or with `timeout.unknown_outcome` where that does not tell whether it was ended; it
    /// is forgotten here all the same.
    async fn logout(&self) -> Result<()>;

    /// Tells how the login stands, as the vendor sees it; a missing one is told, not an error.
    ///
    /// # Errors
    /// Fails where the vendor can't be asked.
    async fn show(&self) -> Result<Login>;
}

/// One line of a vendor's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written; `None` where the vendor's clock tells no zone.
    pub at: Option<Timestamp>,
    /// The vendor's word for its weight.
    pub level: Option<String>,
    /// The line as the vendor wrote it.
    pub text: String,
    /// Whether it may go on: it is the last one, and no line end stands behind it yet.
    pub is_open: bool,
}

/// Reads the vendor's VPN log.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Gives the lines that the vendor keeps, oldest first; an empty log is no error.
    ///
    /// # Errors
    /// Fails with what the vendor said.
    async fn lines(&self) -> Result<Vec<LogLine>>;
}

/// Sends raw calls.
#[async_trait]
pub trait Raw: Send + Sync {
    /// Sends a call with the backend's credentials and gives the answer untouched; of one that failed the error keeps
    /// it ([`Error::answer`]). A path never leaves the backend's origin; what is no read is sent once.
    ///
    /// # Errors
    /// Fails with what the vendor said, with `api.not_found` where the path does not exist.
    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>>;
}

/// Makes the error for a raw call's path that does not exist, out of what a vendor says of it.
#[must_use]
pub fn no_such_path(error: Error, path: &str) -> Error {
    let plain = matches!(error.code(), Code::Unsupported | Code::VendorProtocol | Code::ApiNotFound);
    let report = error.report();
    if !plain || report.http_status != Some(404) {
        return error;
    }
    let missing = Error::new(Code::ApiNotFound, Layer::Api, format!("the vendor's API has nothing at `{path}`"))
        .status(404)
        .answered(error.answer())
        .hint("the path is relative to the API's base; `vpnctl api --help` says to which");
    match &report.backend {
        Some(backend) => missing.backend(backend),
        None => missing,
    }
}

/// Makes the error of an attempt that failed, from what the vendor told.
#[must_use]
pub fn failed_attempt(info: &Info, target: &Target, status: &Status) -> Error {
    let (code, what) = match status.failure {
        Some(Failure::Auth) => (Code::TunnelAuthFailed, "the VPN server refused the credentials"),
        Some(Failure::Resolv) => (Code::TunnelResolvFailed, "the VPN server's name could not be resolved"),
        Some(Failure::ConnectTimeout) => (Code::TunnelConnectTimeout, "the VPN server did not answer"),
        Some(Failure::Protocol) => (Code::TunnelProtocol, "the VPN protocol failed"),
        Some(Failure::RemoteClosed) => (Code::TunnelRemoteClosed, "the VPN server closed the tunnel"),
        Some(Failure::Internal) => (Code::TunnelInternal, "the VPN client failed"),
        Some(Failure::Step) => (Code::TunnelStepFailed, "a step failed"),
        Some(Failure::ConnectFailed) | None => (Code::TunnelConnectFailed, "the connection failed"),
    };
    let detail = status.last_error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
    let error = Error::new(code, Layer::Tunnel, format!("`{}` did not connect: {what}{detail}", target.label()))
        .backend(&info.backend)
        .target(target.label());
    match &status.last_error {
        Some(last) => error.vendor_code(&last.code),
        None => error,
    }
    .hint(look_closer(info))
}

/// Says how to read all that a vendor tells of its VPN.
fn look_closer(info: &Info) -> String {
    format!("look closer with: vpnctl status -b {} --native -o json", info.backend)
}
