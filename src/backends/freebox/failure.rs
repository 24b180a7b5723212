//! What the box's error codes mean: contract section 5, <https://dev.freebox.fr/sdk/os/login/>.
//!
//! Decided by `error_code` alone: `msg` is French, may be empty, and its apostrophes vary with the firmware.

use super::api::PEER;
use super::wire::Envelope;
use crate::error::{Code, Error, Layer};
use crate::http::{Reply, server_failure};

/// Where the right that writes need is ticked; vpnctl cannot ask for it by the API.
pub(super) const RIGHTS_PATH: &str = "in Freebox OS open Paramètres de la Freebox → Mode avancé → Gestion des accès → \
    Applications, edit the app and tick « Modification des réglages de la Freebox » \
    (http://mafreebox.freebox.fr/#Fbx.os.app.settings.Accounts)";

/// Makes the error that an answer without success means.
pub(super) fn of(backend: &str, app_id: &str, answer: &Envelope, reply: &Reply) -> Error {
    let status = reply.status.as_u16();
    let Some(code) = answer.error_code.as_deref().filter(|code| !code.is_empty()) else {
        // Without a code the status of a proxy or an overloaded box says more than the text.
        let unwell = server_failure(PEER, reply).filter(|_| status == 429 || status >= 500);
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
        "invalid_token" => Error::new(
            Code::AuthRejected,
            Layer::Auth,
            format!("{PEER} refuses the app token: it is wrong, was revoked, or belongs to another box"),
        )
        .hint(format!("pair again: vpnctl auth login -b {backend}")),
        "pending_token" => Error::new(Code::AuthPending, Layer::Auth, "the pairing is not confirmed yet")
            .hint(format!("confirm it on the box's display, or start again: vpnctl auth login -b {backend}")),
        "insufficient_rights" => forbidden(app_id, answer),
        "access_denied" => {
            Error::new(Code::AuthForbidden, Layer::Auth, format!("{PEER} denies access")).hint(RIGHTS_PATH)
        }
        "denied_from_external_ip" => {
            Error::new(Code::AuthDenied, Layer::Auth, format!("{PEER} pairs only from its own network"))
                .hint("pair once from the box's network, by https://mafreebox.freebox.fr")
        }
        "new_apps_denied" => {
            Error::new(Code::AuthDenied, Layer::Auth, format!("{PEER} does not let new applications pair"))
                .hint("in Freebox OS → Gestion des accès, allow « Permettre les nouvelles demandes d'associations »")
        }
        "apps_denied" => Error::new(Code::AuthDenied, Layer::Auth, format!("{PEER} lets no application in"))
            .hint("in Freebox OS → Gestion des accès, allow access by applications"),
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

fn forbidden(app_id: &str, answer: &Envelope) -> Error {
    let right = answer.missing_right.as_deref().unwrap_or("settings");
    Error::new(Code::AuthForbidden, Layer::Auth, format!("the app `{app_id}` lacks the right `{right}` on {PEER}"))
        .hint(RIGHTS_PATH)
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
            .hint("the VPN client needs API version 4 or later; see `vpnctl backends`"),
        _ => api(Code::VendorError, &format!("failed with `{code}`")),
    }
}
