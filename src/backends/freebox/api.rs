//! The box's calls.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::auth::{Auth, Memory, Place};
use super::config::Config;
use super::wire::{Active, ApiVersion, Envelope, VpnConfig, VpnStatus};
use super::{convert, no_tunnel, reach};
use crate::backend::Opening;
use crate::backends::shared;
use crate::error::{Code, Error, Layer, Result};
use crate::http::{Call, Reply, Transport, unparsable, without_quotes};
use crate::model::{Target, TargetKind};

/// What the box is called in messages.
pub(super) const PEER: &str = "the Freebox";

/// Calls one box.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) auth: Auth,
    finding: tokio::sync::Mutex<()>,
}

impl Api {
    pub(super) fn new(opening: &Opening, config: Config) -> Result<Self> {
        let settings = shared::settings(
            opening,
            shared::Place {
                url: config.url.clone(),
                peer: PEER,
                extra_roots: Some(include_str!("roots.pem")),
                refused_hint: Some("check that `url` is the box; from outside its network use its own name and port"),
                untrusted_hint: Some(
                    "use the box's local name, https://mafreebox.freebox.fr, with `connect_address` where its address \
                     differs; or pin the certificate: vpnctl trust add -b {backend}",
                ),
            },
        )?;
        let auth = Auth::new(opening, config, Transport::new(settings));
        Ok(Self { auth, finding: tokio::sync::Mutex::default() })
    }

    fn backend(&self) -> &str {
        &self.auth.transport.settings().backend
    }

    /// Reads the status, decoded and as it came.
    pub(super) async fn status(&self) -> Result<(VpnStatus, Value)> {
        let result = self.get("status", "vpn_client/status").await?.unwrap_or(Value::Null);
        let status = decode(result.clone(), "status")?;
        Ok((status, result))
    }

    /// Reads the log: one string with line ends, empty where there is nothing.
    pub(super) async fn log(&self) -> Result<String> {
        match self.get("log", "vpn_client/log").await? {
            None | Some(Value::Null) => Ok(String::new()),
            Some(result) => decode(result, "log"),
        }
    }

    /// Lists the configurations as they came, each with the target that it is, and remembers their names.
    pub(super) async fn configs(&self) -> Result<Vec<(Target, Value)>> {
        // An empty list is answered without `result`, with null or with an empty array.
        let result = match self.get("list", "vpn_client/config/").await? {
            None | Some(Value::Null) => Value::Array(Vec::new()),
            Some(result) => result,
        };
        let documents: Vec<Value> = decode(result, "list")?;
        let mut found = Vec::new();
        let mut odd = None;
        for document in documents {
            match decode::<VpnConfig>(document.clone(), "list") {
                Ok(config) => found.push((convert::target(config), document)),
                Err(error) => {
                    // One that is not understood does not hide the others.
                    let id = document.get("id").map(ToString::to_string).unwrap_or_else(|| "without an id".to_owned());
                    tracing::warn!("a VPN tunnel of the box ({id}) is left out: {error}");
                    odd = odd.or(Some(error));
                }
            }
        }
        if let (true, Some(error)) = (found.is_empty(), odd) {
            return Err(error);
        }
        let targets = found.iter().map(|(target, _)| target);
        let ids: BTreeMap<String, (Option<String>, Option<String>)> =
            targets.map(|target| (target.id.clone(), (target.name.clone(), target.kind_word.clone()))).collect();
        if self.auth.memory().ids != ids {
            self.auth.remember(|memory| memory.ids = ids).await?;
        }
        Ok(found)
    }

    /// Lists the tunnels and remembers their names.
    pub(super) async fn tunnels(&self) -> Result<Vec<Target>> {
        Ok(self.configs().await?.into_iter().map(|(target, _)| target).collect())
    }

    /// Reads one configuration as it came, with the target that it is.
    pub(super) async fn config(&self, id: &str) -> Result<(Target, Value)> {
        match self.get("tunnel", &config_path(id)).await {
            Err(error) if error.code() == Code::TargetNotFound => {
                self.forget_ids().await?;
                Err(no_tunnel(self.backend(), id))
            }
            result => named(result?.unwrap_or(Value::Null)),
        }
    }

    /// Adds a configuration; the box answers with it, or with nothing.
    pub(super) async fn add(&self, body: &Value) -> Result<Option<(Target, Value)>> {
        let result = self.call(Call::write("tunnel add", Method::POST, "vpn_client/config/").json(body)?).await;
        // Whatever came of it, names that were remembered may not be all any more.
        self.forget_ids().await?;
        result?.filter(Value::is_object).map(named).transpose()
    }

    /// Changes what the body names; the box answers with the configuration, or with nothing.
    pub(super) async fn change(&self, id: &str, body: &Value) -> Result<Option<(Target, Value)>> {
        let result = self.call(Call::write("tunnel edit", Method::PUT, config_path(id)).json(body)?).await;
        self.forget_ids().await?;
        self.there(result, id)?.filter(Value::is_object).map(named).transpose()
    }

    /// Removes a configuration.
    pub(super) async fn remove(&self, id: &str) -> Result<()> {
        let result = self.call(Call::write("tunnel rm", Method::DELETE, config_path(id))).await;
        self.forget_ids().await?;
        self.there(result, id).map(|_| ())
    }

    /// Tells which id it is that the box does not have.
    fn there<T>(&self, result: Result<T>, id: &str) -> Result<T> {
        result.map_err(|error| match error.code() {
            Code::TargetNotFound => no_tunnel(self.backend(), id),
            _ => error,
        })
    }

    /// Gives the tunnels that an earlier list named; they hold as long as the session does.
    pub(super) fn remembered(&self) -> Vec<Target> {
        let memory = self.auth.memory();
        memory
            .ids
            .into_iter()
            .map(|(id, (name, kind_word))| Target { kind: TargetKind::Tunnel, id, name, kind_word, scope: None })
            .collect()
    }

    pub(super) async fn forget_ids(&self) -> Result<()> {
        self.auth.remember(|memory: &mut Memory| memory.ids.clear()).await.map(drop)
    }

    /// Switches a tunnel on or off; the box answers with its configuration, or with nothing.
    pub(super) async fn activate(&self, id: &str, active: bool) -> Result<Option<VpnConfig>> {
        let operation = if active { "connect" } else { "disconnect" };
        let call = Call::write(operation, Method::PUT, config_path(id)).json(&Active { active })?;
        let result = match self.call(call).await {
            Err(error) if error.code() == Code::TargetNotFound => {
                self.forget_ids().await?;
                return Err(no_tunnel(self.backend(), id));
            }
            result => result?,
        };
        Ok(result.and_then(|result| serde_json::from_value(result).ok()))
    }

    async fn get(&self, operation: &'static str, path: &str) -> Result<Option<Value>> {
        self.call(Call::get(operation, path)).await
    }

    /// Says what to do where the box can't be reached.
    fn explain(&self, error: Error) -> Error {
        let place = self.auth.memory().place;
        reach::explained(error, &self.auth.transport.settings().url, place.as_ref(), self.auth.is_italian())
    }

    /// Sends a call below the box's versioned base; where that has moved, finds it anew and sends it once more.
    pub(super) async fn call(&self, call: Call) -> Result<Option<Value>> {
        let (place, remembered) = self.place().await?;
        let first = self.call_at(&place, call.clone()).await;
        let Err(error) = &first else { return first };
        // An unknown path was not carried out, so even a write may be sent again.
        if error.code() != Code::Unsupported || !remembered {
            return first;
        }
        let now = self.find_place().await?;
        if now.path == place.path {
            return first;
        }
        // The session goes on, so no login writes this down.
        let kept = now.clone();
        self.auth.remember(|memory| memory.place = Some(kept)).await?;
        self.call_at(&now, call).await
    }

    async fn call_at(&self, place: &Place, call: Call) -> Result<Option<Value>> {
        let operation = call.operation;
        let result = envelope(&self.send_at(place, call).await?, operation)?.result;
        if let Some(result) = &result {
            self.auth.learn(result);
        }
        Ok(result)
    }

    async fn send_at(&self, place: &Place, mut call: Call) -> Result<Reply> {
        if let Some(body) = call.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()) {
            self.auth.learn(&body);
        }
        call.path = format!("{}{}", place.path, call.path);
        self.auth.transport.call(&self.auth, &call.at_root()).await.map_err(|error| self.explain(error))
    }

    /// Sends a raw call below the versioned base.
    pub(super) async fn raw(&self, call: Call) -> Result<Vec<u8>> {
        let (place, _) = self.place().await?;
        Ok(self.send_at(&place, call).await?.body)
    }

    /// Gives the versioned base, and whether it was remembered from an earlier run.
    async fn place(&self) -> Result<(Place, bool)> {
        if let Some(version) = self.auth.config.api_version {
            return Ok((Place { path: format!("api/v{version}/"), ..Place::default() }, false));
        }
        if let Some(place) = self.auth.memory().place {
            return Ok((place, true));
        }
        let _one = self.finding.lock().await;
        match self.auth.memory().place {
            Some(place) => Ok((place, false)),
            None => Ok((self.find_place().await?, false)),
        }
    }

    /// Asks the box where its API begins, and what it is called from outside.
    pub(super) async fn find_place(&self) -> Result<Place> {
        self.about().await.map(|(place, ..)| place)
    }

    /// Asks the box what it is, and what time it has.
    pub(super) async fn about(&self) -> Result<(Place, ApiVersion, Option<Timestamp>)> {
        let call = Call::get("api_version", "api_version").open().at_root();
        let reply = self.auth.transport.call(&self.auth, &call).await.map_err(|error| self.explain(error))?;
        let found: Result<ApiVersion> = reply.json(PEER, "api_version").or_else(|_| {
            // It needs no login, and may know this one's all the same.
            let body = self.auth.hide_own(&String::from_utf8_lossy(&reply.body)).into_bytes();
            let shown = Reply { body, ..reply.clone() };
            let read: Result<ApiVersion> = shown.json(PEER, "api_version");
            read.and_then(|_| Err(unparsable(PEER, "api_version", &shown, "it is no JSON in UTF-8")))
        });
        let found = found.map_err(|error| error.backend(self.backend()))?;
        let path = base_path(&found)?;
        let place = Place {
            path,
            uid: found.uid.clone(),
            api_domain: found.api_domain.clone().filter(|name| !name.is_empty()),
            https_port: found.https_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
        };
        let before = self.auth.memory().place.and_then(|place| place.uid);
        if before.zip(place.uid.as_ref()).is_some_and(|(before, now)| before != *now) {
            tracing::warn!("`{}`: another box answers at this address than the last time", self.backend());
        }
        self.auth.set_place(place.clone());
        Ok((place, found, crate::http::layers::date(&reply)))
    }
}

fn config_path(id: &str) -> String {
    format!("vpn_client/config/{}", crate::http::call::segment(id))
}

/// Names the target that a configuration is.
pub(super) fn named(document: Value) -> Result<(Target, Value)> {
    let config: VpnConfig = decode(document.clone(), "tunnel")?;
    Ok((convert::target(config), document))
}

/// Builds `api/v16/` from `/api/` and `16.0`: the major is the whole number before the dot.
pub(super) fn base_path(found: &ApiVersion) -> Result<String> {
    let major: u32 =
        found.api_version.split('.').next().and_then(|major| major.trim().parse().ok()).ok_or_else(|| {
            Error::new(
                Code::VendorProtocol,
                Layer::Api,
                format!("{PEER} calls its API version `{}`", found.api_version),
            )
            .hint("set `api_version` of the backend to the number that the box supports")
        })?;
    let base = found.api_base_url.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '/');
    let steps_up = base.split('/').any(|step| matches!(step, "." | ".."));
    if base.len() > 1024 || base.starts_with("//") || !base.chars().all(plain) || steps_up {
        // It would be another server's, or no place at all; the session's token is sent there.
        return Err(Error::new(
            Code::VendorProtocol,
            Layer::Api,
            format!("{PEER} says that its API is at `{base}`, which is no path of its own"),
        )
        .hint("check that `url` is the box; nothing was sent to that place"));
    }
    let base = base.trim_matches('/');
    Ok(if base.is_empty() { format!("v{major}/") } else { format!("{base}/v{major}/") })
}

/// Decodes a result, saying where in the document it is wrong.
pub(super) fn decode<T: DeserializeOwned>(result: Value, operation: &str) -> Result<T> {
    serde_path_to_error::deserialize(result).map_err(|error| {
        Error::new(
            Code::VendorProtocol,
            Layer::Api,
            format!(
                "{PEER} did not answer {operation} as documented: {}: {}",
                error.path(),
                // What stands where something else was expected may be a key.
                without_quotes(&error.inner().to_string())
            ),
        )
        .hint("please report this with the box's model and firmware")
    })
}

/// Reads the envelope of an answer that the verdict has accepted.
pub(super) fn envelope(reply: &Reply, operation: &str) -> Result<Envelope> {
    reply.json(PEER, operation)
}

#[cfg(test)]
mod tests {
    use super::base_path;
    use crate::backends::freebox::wire::ApiVersion;

    fn found(version: &str, base: &str) -> ApiVersion {
        ApiVersion {
            api_version: version.to_owned(),
            api_base_url: base.to_owned(),
            uid: None,
            box_model: None,
            box_model_name: None,
            api_domain: None,
            https_port: None,
        }
    }

    #[test]
    fn the_base_is_built_from_the_whole_major() {
        for (base, version, expected) in
            [("/api/", "16.0", "api/v16/"), ("/api/", "4.0", "api/v4/"), ("api", "8", "api/v8/"), ("/", "9.1", "v9/")]
        {
            assert_eq!(base_path(&found(version, base)).expect("a base"), expected);
        }
        assert!(base_path(&found("latest", "/api/")).is_err());
        for base in [
            "https://evil.example/api/",
            "//evil.example/api/",
            "\\\\evil.example\\api",
            "/\\evil.example/",
            "/api/../../login/",
            "/api/%2e%2e/",
            "/api/?x=",
            "/api/#",
            "/api\r\nhost: evil.example",
            "me@evil.example/",
            ":1/",
        ] {
            let error = base_path(&found("16.0", base)).expect_err(base);
            assert_eq!(error.code(), crate::error::Code::VendorProtocol, "{base}");
        }
    }
}
