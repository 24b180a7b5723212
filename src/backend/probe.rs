//! What a vendor knows of its own layers, for `doctor`.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Info, Login, LoginState, failed_attempt, look_closer};
use crate::error::{Error, Result};
use crate::http::Transport;
use crate::model::document::DoctorLayer;
use crate::model::{State, Status};

/// A server, and the layers that are looked at by asking it.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// The way to it.
    pub transport: &'a Transport,
    /// The layers above TLS, in the order in which one stands on the other.
    pub layers: &'static [DoctorLayer],
}

/// What was found of a layer.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// Whether all is well; `None` where that can't be told.
    pub ok: Option<bool>,
    /// What was found, in a few words.
    pub text: String,
    /// What to do about it, or what would be better.
    pub remedy: Option<String>,
    /// What is wrong; only where all is not well.
    pub error: Option<Error>,
    /// What in the text is somebody's own name or id: none of it is for strangers.
    pub names: Vec<String>,
    /// The time that the server's clock showed.
    pub date: Option<Timestamp>,
}

impl Finding {
    /// Makes one of a layer that is well.
    #[must_use]
    pub fn well(text: impl Into<String>) -> Self {
        Self { ok: Some(true), text: text.into(), ..Self::default() }
    }

    /// Makes one of a layer of which nobody can tell.
    #[must_use]
    pub fn unknown(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Makes one of a layer that is not well; what is wrong may be something that the layers behind do not need.
    #[must_use]
    pub fn wrong(error: Error) -> Self {
        let (text, remedy) = (error.message().to_owned(), error.hint_text().map(str::to_owned));
        Self { ok: Some(false), text, remedy, error: Some(error), ..Self::default() }
    }

    /// Makes one of a login.
    ///
    /// # Errors
    /// Fails where there is none that works, for nothing behind it can be looked at then.
    pub fn of_login(login: &Login, backend: &str) -> Result<Self> {
        if login.state != LoginState::Ok {
            return Err(login.wanting(backend));
        }
        let mut parts: Vec<String> = login.account.iter().map(|account| format!("as `{account}`")).collect();
        parts.extend(
            login.expires_at.map(|at| format!("until {}", Timestamp::from_second(at.as_second()).unwrap_or(at))),
        );
        let text = if parts.is_empty() { "it works".to_owned() } else { parts.join(", ") };
        Ok(Self::well(text).naming(login.account.clone()))
    }

    /// Makes one of what a VPN is doing.
    #[must_use]
    pub fn of_status(info: &Info, status: &Status) -> Self {
        let names = status.target.iter().flat_map(|target| [target.name.clone(), Some(target.id.clone())]).flatten();
        if let (State::Failed { .. }, Some(target)) = (&status.state, &status.target) {
            return Self::wrong(failed_attempt(info, target, status)).naming(names);
        }
        if let (State::Unknown, Some(last)) = (&status.state, &status.last_error) {
            let word = status.raw_state.as_deref().unwrap_or("no word");
            let said = if last.message == last.code { String::new() } else { format!(" ({})", last.message) };
            let text = format!("unknown: the vendor says `{word}`; its last error is `{}`{said}", last.code);
            let names = names.chain([word.to_owned(), last.code.clone()]);
            return Self::unknown(text).naming(names).remedy(look_closer(info));
        }
        let word = status.word();
        let text = match &status.target {
            Some(target) => format!("{}: `{}`", word.as_str(), target.label()),
            None => word.as_str().to_owned(),
        };
        Self::well(text).naming(names)
    }

    /// Adds what would be better.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Notes somebody's own names in the text.
    #[must_use]
    pub fn naming<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// Notes the time that the server's clock showed.
    #[must_use]
    pub fn at(mut self, date: Option<Timestamp>) -> Self {
        self.date = date;
        self
    }
}

/// Looks at a vendor's layers, from the outermost to the VPN.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Gives the servers that the backend asks, in the order in which they are looked at; one may stand there again with
    /// further layers. Sends no request.
    fn servers(&self) -> Vec<Server<'_>>;

    /// Looks at one of those layers; changes nothing at the vendor, and logs in only as any command would.
    ///
    /// # Errors
    /// Fails where the layer can't be looked at, so that those behind it can't either; what is wrong and leaves them
    /// alone is a [`Finding`].
    async fn look(&self, layer: DoctorLayer) -> Result<Finding>;
}
