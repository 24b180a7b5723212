//! The calls of the VPN client on this computer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderMap, SERVER};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::config::Config;
use super::memory::Remembered;
use super::wire::{Connect, Discovery};
use super::{convert, document, failure, version};
use crate::backend::Opening;
use crate::backends::shared::{self, Place};
use crate::error::{Code, Error, Layer, Result};
use crate::http::tls::is_local;
use crate::http::ws::{Heartbeat, Socket};
use crate::http::{Call, LONGEST, Protocol, Reply, Safety, Transport, Verdict};
use crate::model::Status;
use crate::state::Store;

/// What the client is called in messages.
pub(super) const PEER: &str = "the IXON VPN Client";

/// The rel of the WebSocket that pushes statuses.
const SOCKET: &str = "StatusWebSocket";

/// How long the WebSocket may take to open; the client is on this computer.
const OPENING: Duration = Duration::from_secs(2);

/// Calls the client.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) transport: Transport,
    memory: Arc<Remembered>,
    store: Store,
    legacy_headers: bool,
    /// Whether any answer was seen, and with it the client's version, where it tells one.
    seen: AtomicBool,
    /// Filled once a version was seen, and warned about, that the cloud refuses.
    outdated: OnceLock<()>,
    discovering: tokio::sync::Mutex<()>,
}

impl Local {
    pub(super) fn new(opening: &Opening, config: &Config, memory: Arc<Remembered>) -> Result<Self> {
        let place = Place {
            url: config.url.clone(),
            peer: PEER,
            extra_roots: None,
            refused_hint: Some(
                "install the IXON VPN Client, or start it: its service is `ixon_vpn_client`; its port is 9250",
            ),
            untrusted_hint: Some(
                "on Linux the client's certificate is in no system store: pin it with `vpnctl trust add -b {backend}`, \
                 or name its CA with `tls.ca_file`",
            ),
        };
        let transport = shared::transport(opening, place)?.sharing(&memory.secrets);
        Ok(Self {
            transport,
            memory,
            store: opening.store.clone(),
            legacy_headers: config.legacy_headers,
            seen: AtomicBool::new(false),
            outdated: OnceLock::new(),
            discovering: tokio::sync::Mutex::default(),
        })
    }

    /// Reads the status.
    pub(super) async fn status(&self) -> Result<Status> {
        let reply = self.call("Status", Call::get("status", "").open()).await?;
        let document: Value = self.read(&reply, "status")?;
        let unread = |fault: String| {
            let secrets = &self.memory.secrets;
            self.own(crate::http::unparsable(PEER, "status", &secrets.quotable(&reply), &secrets.hide(&fault)))
        };
        convert::read(document).map(|status| self.memory.secrets.hide_of(status)).map_err(unread)
    }

    /// Decodes an answer; what is no such document is quoted without secrets.
    fn read<T: serde::de::DeserializeOwned>(&self, reply: &Reply, operation: &str) -> Result<T> {
        self.memory.secrets.decoded(reply, PEER, operation).map_err(|error| self.own(error))
    }

    /// Opens the WebSocket that pushes statuses; it carries no token. A remembered link that is gone is looked up
    /// once more.
    pub(super) async fn socket(&self) -> Result<Socket> {
        let remembered = self.memory.get().links;
        let known = remembered.contains_key(SOCKET);
        let links = if known { remembered } else { self.discover_once(SOCKET).await? };
        match self.socket_at(&links).await {
            Err(error) if known && error.report().http_status == Some(404) => {
                let now = self.discover().await?;
                if now == links { Err(error) } else { self.socket_at(&now).await }
            }
            opened => opened,
        }
    }

    async fn socket_at(&self, links: &BTreeMap<String, String>) -> Result<Socket> {
        // Until it is open nothing is seen, so a client that never answers is read in other ways soon.
        let limit = OPENING.min(self.transport.settings().attempt());
        let call = Call::get("events", self.link(links, SOCKET)?).open().at_root().within(limit);
        self.transport.open_socket(&call, Heartbeat::default()).await
    }

    /// Starts a connection. Only this call carries the token.
    pub(super) async fn connect(
        &self,
        agent: &str,
        company: &str,
        token: &SecretString,
        sector: Option<&str>,
    ) -> Result<()> {
        let call =
            Call::write("connect", Method::POST, "").open().json(&Connect { agent_id: agent, company_id: company })?;
        let mut call = self.with_credentials(call, token).await?;
        if let Some(sector) = sector {
            call = call.header("api-sector", sector, false)?;
        }
        self.call("Connect", call).await.map(|_| ())
    }

    /// Reads the client's settings.
    pub(super) async fn configuration(&self) -> Result<Value> {
        let reply = self.call("Configuration", Call::get("settings", "").open()).await?;
        let document: Value = self.read(&reply, "settings")?;
        self.memory.secrets.add_all(&document);
        if document.is_object() {
            return Ok(document);
        }
        let reply = self.memory.secrets.quotable(&reply);
        Err(self.own(crate::http::unparsable(PEER, "settings", &reply, "it is no object")))
    }

    /// Puts settings in place of the client's; never by POST, which one secondary source calls a reset.
    pub(super) async fn configure(&self, document: &Value) -> Result<()> {
        self.memory.secrets.add_all(document);
        let call = Call::write("settings", Method::PUT, "").open().json(document)?;
        self.call("Configuration", call).await.map(|_| ())
    }

    /// Puts the client's settings back to what they were at first.
    pub(super) async fn reset_configuration(&self) -> Result<()> {
        self.meet().await?;
        let call = Call::write("settings", Method::POST, "").open().empty();
        self.call("ConfigurationReset", call).await.map(|_| ())
    }

    /// Refuses a raw call that would write into the client's settings what could do harm there.
    pub(super) async fn check_raw(&self, path: &str, body: &[u8]) -> Result<()> {
        let text = || String::from_utf8_lossy(body).into_owned().into();
        let document: Value = serde_json::from_slice(body).unwrap_or_else(|_| text());
        let Err(error) = document::check(&[("--data".to_owned(), document)]) else { return Ok(()) };
        let links = self.links().await?;
        let settings = links.get("Configuration").map_or("/configuration", String::as_str);
        if path == "Configuration" || self.seen_as(path) == self.seen_as(settings) {
            Err(self.own(error))
        } else {
            Ok(())
        }
    }

    /// Gives a path as a lenient server may see it: without query, escapes, case, empty parts, and steps such as `..`.
    fn seen_as(&self, path: &str) -> String {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // Some servers decode twice.
        let once = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
        let twice = percent_encoding::percent_decode_str(&once).decode_utf8_lossy().replace('\\', "/").to_lowercase();
        let mut base = self.transport.settings().url.clone();
        base.set_path("/");
        let path = twice.split(['?', '#', ';']).next().unwrap_or_default().trim_start_matches('/');
        let seen = base.join(&format!("/{path}")).map(|url| url.path().to_owned()).unwrap_or_default();
        seen.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// Adds what a connection is asked for with: the token and who asks.
    async fn with_credentials(&self, call: Call, token: &SecretString) -> Result<Call> {
        let controller = self.controller().await?;
        let token = token.expose_secret();
        self.memory.secrets.add(token);
        let call = call.header("api-version", "2", false)?.header("api-access-token", token, true)?.header(
            "vpn-client-controller-identifier",
            &controller,
            false,
        )?;
        if !self.legacy_headers {
            return Ok(call);
        }
        call.header("ixplatform-access-token", token, true)?
            .header("ixclient-controller-identifier", &controller, false)?
            .header("ixapi-version", "2", false)
    }

    /// Tells whether a raw call is the one that carries the token.
    pub(super) async fn is_connect(&self, method: &Method, path: &str) -> Result<bool> {
        if *method != Method::POST {
            return Ok(false);
        }
        let links = self.links().await?;
        let path = path.trim_start_matches('/');
        Ok(path == "Connect" || links.get("Connect").is_some_and(|link| link.trim_start_matches('/') == path))
    }

    /// Sends a raw call to a path below the client's root, or to what a rel names.
    pub(super) async fn raw(&self, path: &str, mut call: Call, token: Option<&SecretString>) -> Result<Vec<u8>> {
        if let Some(document) = call.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()) {
            self.memory.secrets.add_all(&document);
        }
        if let Some(token) = token {
            call = self.with_credentials(call, token).await?;
        }
        // A rel is one word that begins with a capital letter; no path of the client does.
        if path.starts_with(|c: char| c.is_ascii_uppercase())
            && let Some(link) = self.links().await?.get(path)
        {
            call.path.clone_from(link);
        }
        let call = call.open().at_root();
        if call.safety == Safety::Once {
            self.meet().await?;
        }
        let reply = self.transport.call(self, &call).await?;
        self.look_at_version(&reply);
        Ok(reply.body)
    }

    /// Makes sure that an answer was seen before a write that no read comes before, for the warning about an old version
    /// comes first. Who connects or disconnects has read the state.
    async fn meet(&self) -> Result<()> {
        if self.seen.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.discover().await.map(|_| ())
    }

    async fn links(&self) -> Result<BTreeMap<String, String>> {
        let remembered = self.memory.get().links;
        if remembered.is_empty() { self.discover().await } else { Ok(remembered) }
    }

    /// Ends the connection, whoever started it; needs no credentials.
    pub(super) async fn disconnect(&self) -> Result<()> {
        self.call("Disconnect", Call::write("disconnect", Method::POST, "").open().empty()).await.map(|_| ())
    }

    /// Gives the one stable id of this controller, by which the client tells who started a connection.
    async fn controller(&self) -> Result<String> {
        if let Some(controller) = self.memory.get().controller {
            return Ok(controller);
        }
        let mut bytes = [0; 16];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
            .map_err(|_| Error::new(Code::Internal, Layer::Config, "the system gives no randomness"))?;
        let made = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
        let mut kept = made.clone();
        self.memory.change(|memory| kept = memory.controller.get_or_insert(made).clone()).await?;
        Ok(kept)
    }

    /// Sends a call to what a rel names; a remembered link that is gone is looked up once more.
    async fn call(&self, rel: &str, call: Call) -> Result<Reply> {
        let remembered = self.memory.get().links;
        let known = remembered.contains_key(rel);
        let links = if known { remembered } else { self.discover_once(rel).await? };
        let first = self.call_at(&links, rel, call.clone()).await;
        match &first {
            Err(error) if known && error.code() == Code::ApiNotFound => match self.discover().await {
                Ok(now) if now != links => self.call_at(&now, rel, call).await,
                Ok(_) => first,
                Err(error) => Err(error),
            },
            _ => first,
        }
        .map_err(|error| self.unknown_path(error))
    }

    /// Says of a path that the client does not know that it is none which the user gave, so not the user's mistake.
    fn unknown_path(&self, error: Error) -> Error {
        if error.code() != Code::ApiNotFound {
            return error;
        }
        self.own(
            Error::new(Code::VendorProtocol, Layer::Api, error.message().to_owned())
                .status(404)
                .hint("check that `url` is the IXON VPN Client, which listens at https://localhost:9250"),
        )
    }

    async fn call_at(&self, links: &BTreeMap<String, String>, rel: &str, mut call: Call) -> Result<Reply> {
        call.path = self.link(links, rel)?;
        let reply = self.transport.call(self, &call.at_root()).await?;
        self.look_at_version(&reply);
        Ok(reply)
    }

    /// Gives the path of a rel.
    fn link(&self, links: &BTreeMap<String, String>, rel: &str) -> Result<String> {
        links.get(rel).cloned().ok_or_else(|| {
            self.own(
                Error::new(Code::Unsupported, Layer::Api, format!("{PEER} does not offer `{rel}`"))
                    .hint("update the IXON VPN Client"),
            )
        })
    }

    /// Reads the links, where no other call has done so meanwhile.
    async fn discover_once(&self, rel: &str) -> Result<BTreeMap<String, String>> {
        let _one = self.discovering.lock().await;
        let links = self.memory.get().links;
        if links.contains_key(rel) { Ok(links) } else { self.discover().await }
    }

    /// Reads the links and remembers their paths; one that leaves the configured place is refused, for a token is
    /// sent to one of them.
    async fn discover(&self) -> Result<BTreeMap<String, String>> {
        let reply = self.discovery().await?;
        self.learn_links(&reply).await
    }

    async fn discovery(&self) -> Result<Reply> {
        let call = Call::get("discovery", "/").open().at_root();
        let reply = self.transport.call(self, &call).await.map_err(|error| self.unknown_path(error))?;
        self.look_at_version(&reply);
        Ok(reply)
    }

    /// Asks the client what it is, and what time it has.
    pub(super) async fn about(&self) -> Result<(Option<String>, Option<Timestamp>)> {
        let reply = self.discovery().await?;
        self.learn_links(&reply).await?;
        let server = reply.headers.get(SERVER).and_then(|server| server.to_str().ok()).map(str::to_owned);
        Ok((server, crate::http::layers::date(&reply)))
    }

    async fn learn_links(&self, reply: &Reply) -> Result<BTreeMap<String, String>> {
        let found: Discovery = self.read(reply, "discovery")?;
        let mut links = BTreeMap::new();
        for entry in found.links {
            links.insert(entry.rel, self.path_of(&entry.href)?);
        }
        let kept = links.clone();
        self.memory.change(|memory| memory.links = kept).await?;
        Ok(links)
    }

    pub(super) fn path_of(&self, href: &str) -> Result<String> {
        let base = &self.transport.settings().url;
        let foreign = || {
            self.own(
                Error::new(
                    Code::VendorProtocol,
                    Layer::Api,
                    format!("{PEER} names a link that leaves {}: {href}", base.origin().ascii_serialization()),
                )
                .hint("check that `url` is the IXON VPN Client on this computer; nothing was sent to that link"),
            )
        };
        // A URL's reader leaves line ends out, so what is checked would not be what was said.
        if href.len() > LONGEST || href.contains(char::is_control) {
            let begin: String = href.chars().take(80).collect();
            let what = format!("{PEER} names a link that is none, of {} characters: {begin}", href.len());
            return Err(self.own(
                Error::new(Code::VendorProtocol, Layer::Api, what)
                    .hint("check that `url` is the IXON VPN Client on this computer; nothing was sent to that link"),
            ));
        }
        let url = base.join(href).map_err(|_| foreign())?;
        let same_host = url.host() == base.host() || (is_local(&url) && is_local(base));
        let same_port = url.port_or_known_default() == base.port_or_known_default();
        let same_scheme = url.scheme().replace("ws", "http") == base.scheme();
        let named = !url.username().is_empty() || url.password().is_some();
        if named || !(same_host && same_port && same_scheme) {
            return Err(foreign());
        }
        Ok(match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        })
    }

    /// Warns once about a version that the cloud refuses; see [`Local::meet`] for writes that no read comes before.
    fn look_at_version(&self, reply: &Reply) {
        let server = reply.headers.get(SERVER).and_then(|server| server.to_str().ok());
        let outdated = server.and_then(version::parse).and_then(version::advisory);
        if let Some(text) = &outdated
            && self.outdated.get().is_none()
            && self.store.says("outdated")
        {
            tracing::warn!("{text}");
        }
        if outdated.is_some() {
            self.outdated.get_or_init(|| ());
        }
        self.seen.store(true, Ordering::SeqCst);
    }

    /// Tells whether the client was seen to be of a version that the cloud refuses.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.get().is_some()
    }

    fn own(&self, error: Error) -> Error {
        error.backend(&self.transport.settings().backend)
    }
}

#[async_trait]
impl Protocol for Local {
    async fn authorize(&self, _headers: &mut HeaderMap) -> Result<u64> {
        Ok(0)
    }

    async fn renew(&self, _stale: u64) -> Result<bool> {
        Ok(false)
    }

    fn verdict(&self, call: &Call, reply: &Reply) -> Verdict {
        if reply.status.is_success() {
            return Verdict::Done;
        }
        Verdict::Failed(failure::of_client(call, &self.memory.secrets.quotable(reply)))
    }
}
