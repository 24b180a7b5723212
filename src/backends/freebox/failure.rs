//! What the box's error codes mean: contract section 5, <https://dev.freebox.fr/sdk/os/login/>.
//!
//! Decided by `error_code` alone: `msg` is French, may be empty, and its apostrophes vary with the firmware.

use super::api::PEER;
use super::wire::Envelope;
use crate::error::{Code, Error, Layer};
use crate::http::{Call, Reply, Safety, server_failure};

/// What is known beside an answer.
pub(super) struct Known<'a> {
    pub(super) backend: &'a str,
    pub(super) app_id: &'a str,
    /// Whether it is an Iliadbox, which has another host.
    pub(super) italian: bool,
    /// The box that was paired with.
    pub(super) uid: Option<String>,
}

/// Gives the box's own address.
pub(super) fn local_host(italian: bool) -> &'static str {
    if italian { "myiliadbox.iliad.it" } else { "mafreebox.freebox.fr" }
}

/// Says where the right that writes need is ticked; vpnctl cannot ask for it by the API. The Italian labels are not
/// documented, the place is the same.
pub(super) fn rights_path(italian: bool) -> String {
    format!(
        "in Freebox OS open Paramètres de la Freebox → Mode avancé → Gestion des accès → Applications, edit the app and \
         tick « Modification des réglages de la Freebox » (http://{}/#Fbx.os.app.settings.Accounts)",
        local_host(italian)
    )
}

fn accounts_path(italian: bool) -> String {
    format!(
        "in Freebox OS → Paramètres de la Freebox → Mode avancé → Gestion des accès \
         (http://{}/#Fbx.os.app.settings.Accounts)",
        local_host(italian)
    )
}

/// Makes the error that an answer without success means.
pub(super) fn of(known: &Known<'_>, answer: &Envelope, reply: &Reply) -> Error {
    let Known { backend, app_id, italian, uid } = known;
    let status = reply.status.as_u16();
    let Some(code) = answer.error_code.as_deref().filter(|code| !code.is_empty()) else {
        // Without a code the status of a proxy or an overloaded box says more than the text.
        let unwell = server_failure(PEER, reply).filter(|_| matches!(status, 408 | 429) || status >= 500);
        let text = answer.msg.as_deref().filter(|msg| !msg.is_empty()).unwrap_or("no reason given");
        return unwell.unwrap_or_else(|| {
            Error::new(Code::VendorError, Layer::Api, format!("{PEER} failed: {text}")).status(status)
        });
    };
    let login = format!("run: vpnctl auth login -b {backend}");
    let error = match code {
        "auth_required" | "invalid_session" => {
            Error::new(Code::AuthExpired, Layer::Auth, format!("{PEER} does not accept the session")).hint(login)
        }
        "invalid_token" => refused_token(backend, uid.as_deref(), answer),
        "pending_token" => Error::new(Code::AuthPending, Layer::Auth, "the pairing is not confirmed yet")
            .hint(format!("confirm it on the box's display, or start again: vpnctl auth login -b {backend}")),
        "insufficient_rights" => forbidden(app_id, *italian, answer),
        "access_denied" => {
            Error::new(Code::AuthForbidden, Layer::Auth, format!("{PEER} denies access")).hint(rights_path(*italian))
        }
        "denied_from_external_ip" => {
            Error::new(Code::AuthDenied, Layer::Auth, format!("{PEER} pairs only from its own network"))
                .hint(format!("pair once from the box's network, by https://{}", local_host(*italian)))
        }
        "new_apps_denied" => Error::new(
            Code::AuthDenied,
            Layer::Auth,
            format!("{PEER} does not let new applications pair"),
        )
        .hint(format!(
            "{}, allow « Permettre les nouvelles demandes d'associations », then: vpnctl auth login -b {backend}",
            accounts_path(*italian)
        )),
        "apps_denied" => Error::new(Code::AuthDenied, Layer::Auth, format!("{PEER} lets no application in"))
            .hint(format!("{}, allow access by applications", accounts_path(*italian))),
        // Threshold and duration are unknown; a repeat within seconds only prolongs it.
        "ratelimited" | "rate_limited" => {
            Error::new(Code::HttpRateLimited, Layer::Http, format!("{PEER} saw too many failed logins from here"))
                .later()
                .hint("wait some minutes before the next try")
        }
        _ => domain(code, answer),
    };
    error.status(status).vendor_code(code)
}

/// Makes the error of an answer whose status says that it failed and whose document that it did not: the vendor page has
/// success with 200 alone, so the status wins, and a write may have been done.
pub(super) fn contradictory(call: &Call, reply: &Reply) -> Error {
    let status = reply.status.as_u16();
    let unwell = server_failure(PEER, reply).filter(|_| matches!(status, 408 | 429) || status >= 500);
    let error = unwell.unwrap_or_else(|| {
        let what = format!("{PEER} answered {}, but says in it that all went well", reply.status);
        Error::new(Code::VendorProtocol, Layer::Api, what)
            .status(status)
            .hint("check that `url` is the box and that no proxy answers in its place")
    });
    if call.safety == Safety::Once { error.unknown_outcome() } else { error }
}

/// An app token belongs to one box, which tells in the refusal who it is: a box that was swapped is no revoked token.
fn refused_token(backend: &str, known: Option<&str>, answer: &Envelope) -> Error {
    let other = known.zip(answer.uid.as_deref()).is_some_and(|(known, told)| known != told);
    let what = if other {
        format!(
            "another box answers at this address than the one that vpnctl is paired with, and {PEER} refuses its token"
        )
    } else {
        format!("{PEER} refuses the app token: it is wrong, was revoked, or belongs to another box")
    };
    Error::new(Code::AuthRejected, Layer::Auth, what).hint(if other {
        format!("pair with this one: vpnctl auth login -b {backend}; or correct `url` of the backend")
    } else {
        format!("pair again: vpnctl auth login -b {backend}")
    })
}

fn forbidden(app_id: &str, italian: bool, answer: &Envelope) -> Error {
    let right = answer.missing_right.as_deref().unwrap_or("settings");
    Error::new(Code::AuthForbidden, Layer::Auth, format!("the app `{app_id}` lacks the right `{right}` on {PEER}"))
        .hint(rights_path(italian))
}

fn domain(code: &str, answer: &Envelope) -> Error {
    let said =
        answer.msg.as_deref().filter(|msg| !msg.is_empty()).map(|msg| format!(" (« {msg} »)")).unwrap_or_default();
    let api = |kind: Code, what: &str| Error::new(kind, Layer::Api, format!("{PEER} {what}{said}"));
    match code {
        "busy" => api(Code::ConflictBusy, "is busy with this tunnel").later().hint("try again in a moment"),
        "exist" => api(Code::ConflictExists, "has that already"),
        "noent" => api(Code::TargetNotFound, "has nothing with that id"),
        "inval" => Error::new(Code::Usage, Layer::Api, format!("{PEER} finds a parameter invalid{said}"))
            .hint("check the tunnel's settings in Freebox OS"),
        "service_down" => api(Code::HttpServerError, "says that the service is not available now").temporary(),
        "netdown" => api(Code::HttpServerError, "says that its network is down").temporary(),
        "notsupp" => api(Code::Unsupported, "does not support this"),
        "invalid_request" => api(Code::Unsupported, "does not know this call: not on this model or firmware")
            .hint("the VPN client needs API version 2 or later; see `vpnctl backends`"),
        _ => api(Code::VendorError, &format!("failed with `{code}`"))
            .hint("try again later; where it stays, look at the box in Freebox OS, and restart it"),
    }
}
