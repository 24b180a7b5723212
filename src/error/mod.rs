//! What can go wrong, said so that a person knows what to do and a script can branch.

pub mod code;
mod remedy;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

pub use code::{Code, EXITS, Exit};

/// The result of everything below the command line.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the first layer that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "layer")]
pub enum Layer {
    /// The command line.
    Usage,
    /// The configuration, or the state folder.
    Config,
    /// Name resolution.
    Dns,
    /// The TCP connection.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// HTTP: status, time-out, body.
    Http,
    /// Login and rights.
    Auth,
    /// The vendor's API.
    Api,
    /// A remote device behind the API.
    Device,
    /// The VPN tunnel itself.
    Tunnel,
}

/// Says what happened, to whom, and what to do next.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    code: Code,
    layer: Layer,
    temporary: bool,
    patient: bool,
    exit: Option<Exit>,
    message: String,
    hint: Option<String>,
    backend: Option<String>,
    target: Option<String>,
    http_status: Option<u16>,
    vendor_code: Option<String>,
    retry_after: Option<Duration>,
    unknown_outcome: bool,
    answer: Answer,
}

/// The body of the answer that failed; it may hold secrets, so nothing prints it by accident.
#[derive(Clone, Default)]
struct Answer(Vec<u8>);

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Tells scripts what happened, to whom, and what to do next.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "error")]
pub struct Report {
    /// Always `error`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "error"))]
    pub kind: &'static str,
    /// The dotted code: what went wrong.
    pub code: Code,
    /// The exit code that goes with it: that of the process, where this is all that failed.
    pub exit: u8,
    /// The first layer that failed.
    pub layer: Layer,
    /// The backend concerned; null where it is none's.
    pub backend: Option<String>,
    /// The target concerned, as it was named; null where it is none's.
    pub target: Option<String>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// How long the vendor asks to wait, in seconds; null where it does not say.
    pub retry_after_s: Option<f64>,
    /// The status of the HTTP answer; null where there was none.
    pub http_status: Option<u16>,
    /// The vendor's own code; null where it gave none.
    pub vendor_code: Option<String>,
    /// What happened, in one sentence.
    pub message: String,
    /// What to do next; null where nothing is known to help.
    pub hint: Option<String>,
}

impl Error {
    /// Makes an error that is final: the same call would fail again.
    pub fn new(code: Code, layer: Layer, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            layer,
            temporary: false,
            patient: false,
            exit: None,
            message: message.into(),
            hint: None,
            backend: None,
            target: None,
            http_status: None,
            vendor_code: None,
            retry_after: None,
            unknown_outcome: false,
            answer: Answer::default(),
        }))
    }

    /// Makes an error of the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, Layer::Usage, message)
    }

    /// Makes an error of the configuration.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Code::ConfigInvalid, Layer::Config, message)
    }

    /// Marks it as temporary: a retry may help.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.0.temporary = true;
        self
    }

    /// Marks it as temporary, but of a kind that a repeat within seconds only makes worse.
    #[must_use]
    pub fn later(mut self) -> Self {
        self.0.temporary = true;
        self.0.patient = true;
        self
    }

    /// Marks it as final, whatever it was: there is nothing left that a retry could do.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        (self.0.temporary, self.0.patient, self.0.retry_after) = (false, false, None);
        self
    }

    /// Marks that a write may have been done all the same.
    #[must_use]
    pub fn unknown_outcome(mut self) -> Self {
        self.0.unknown_outcome = true;
        self
    }

    /// Takes that mark away: what failed came before the write, a login for one.
    #[must_use]
    pub fn known_outcome(mut self) -> Self {
        self.0.unknown_outcome = false;
        self
    }

    /// Adds what to do next; an earlier hint, which knows more, stays.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds the backend concerned; an earlier one stays.
    #[must_use]
    pub fn backend(mut self, backend: impl Into<String>) -> Self {
        self.0.backend.get_or_insert_with(|| backend.into());
        self
    }

    /// Adds the target concerned; an earlier one stays.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.0.target.get_or_insert_with(|| target.into());
        self
    }

    /// Adds the status of the HTTP answer.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.0.http_status = Some(status);
        self
    }

    /// Adds the vendor's own code.
    #[must_use]
    pub fn vendor_code(mut self, code: impl Into<String>) -> Self {
        self.0.vendor_code = Some(code.into());
        self
    }

    /// Adds how long the vendor asks to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Keeps the body of the answer that failed, for who asked for it untouched.
    #[must_use]
    pub fn answered(mut self, body: &[u8]) -> Self {
        self.0.answer = Answer(body.to_vec());
        self
    }

    /// Gives the body of the answer that failed.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        &self.0.answer.0
    }

    /// Ends the process with another code than the table's, for a signal's number.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit = Some(exit);
        self
    }

    /// Puts the name of what failed in front of the message.
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Puts a hint in place of an earlier one.
    #[must_use]
    pub fn instead(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds why it happened, as somebody found out who was asked afterwards, and the hint that goes with that.
    #[must_use]
    pub fn explained(self, why: &str, hint: impl Into<String>) -> Self {
        self.found(why).instead(hint)
    }

    /// Adds what is so now, as was read after the failure.
    #[must_use]
    pub fn found(mut self, now: &str) -> Self {
        let message = self.0.message.trim_end_matches('.');
        self.0.message = format!("{message}; {now}");
        self
    }

    /// Makes it that of a write of which nobody knows whether it was carried out, where that is so: `what` names the
    /// write, `look` is where to look, for it is not sent again, and `retry` whether the same command may be tried later.
    #[must_use]
    pub fn in_doubt(mut self, what: &str, look: &str, retry: bool) -> Self {
        if self.0.unknown_outcome {
            self.0.code = Code::TimeoutUnknownOutcome;
            self.0.message = format!("{what} is not known: {}", self.0.message);
            (self.0.temporary, self.0.patient) = (retry, false);
            self.0.hint = Some(format!("the request was not repeated; {look}"));
        }
        self
    }

    /// Gives the dotted code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Gives the first layer that failed.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.0.layer
    }

    /// Gives the exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.exit.unwrap_or_else(|| self.0.code.exit())
    }

    /// Tells whether a retry may help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.temporary
    }

    /// Tells whether the same request may be repeated at once.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.0.temporary && !self.0.patient
    }

    /// Tells whether the write that failed may have been done all the same.
    #[must_use]
    pub fn outcome_is_unknown(&self) -> bool {
        self.0.unknown_outcome
    }

    /// Gives how long the vendor asks to wait.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Gives the message without the hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Gives the hint.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Gives the backend concerned.
    #[must_use]
    pub fn backend_name(&self) -> Option<&str> {
        self.0.backend.as_deref()
    }

    /// Gives the target concerned.
    #[must_use]
    pub fn target_name(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// Gives the vendor's own code.
    #[must_use]
    pub fn vendor_code_text(&self) -> Option<&str> {
        self.0.vendor_code.as_deref()
    }

    /// Gives the error object of contract section 5.
    #[must_use]
    pub fn report(&self) -> Report {
        let details = &self.0;
        Report {
            kind: "error",
            code: details.code,
            exit: self.exit().number(),
            layer: details.layer,
            backend: details.backend.clone(),
            target: details.target.clone(),
            retryable: details.temporary,
            retry_after_s: details.retry_after.map(|wait| wait.as_secs_f64()),
            http_status: details.http_status,
            vendor_code: details.vendor_code.clone(),
            message: details.message.clone(),
            hint: details.hint.clone(),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
