//! What to do where a box can't be reached: it has a local name and a remote one, and each fails in its own way
//! (vendor page, sections 2.2, 2.3 and 2.5).

use std::net::IpAddr;

use url::Url;

use super::auth::Place;
use super::failure::local_host;
use crate::error::{Code, Error};

/// Names that a box has from outside its network; each box has its own below one of these, and users choose more.
const REMOTE: [&str; 3] = [".fbxos.fr", ".ibxos.it", ".freeboxos.fr"];

/// Gives an error another hint; the first one, which knew less, is left out.
pub(super) fn with_hint(error: &Error, hint: String) -> Error {
    let report = error.report();
    let mut other = Error::new(error.code(), report.layer, error.message()).hint(hint).retry_after(error.wait());
    if error.is_temporary() {
        other = if error.is_repeatable() { other.temporary() } else { other.later() };
    }
    if error.outcome_is_unknown() {
        other = other.unknown_outcome();
    }
    if let Some(status) = report.http_status {
        other = other.status(status);
    }
    if let Some(code) = report.vendor_code {
        other = other.vendor_code(code);
    }
    if let Some(backend) = report.backend {
        other = other.backend(backend);
    }
    if let Some(target) = report.target {
        other = other.target(target);
    }
    other.answered(error.answer())
}

/// Tells what to do about an error of the network, by what is remembered of the box.
pub(super) fn explained(error: Error, url: &Url, place: Option<&Place>, italian: bool) -> Error {
    let first = error.hint_text().map(|hint| format!("{hint}; ")).unwrap_or_default();
    let remote = is_remote(url, place);
    match error.code() {
        Code::NetRefused | Code::NetTimeout if remote => {
            let host = url.host_str().unwrap_or_default();
            with_hint(
                &error,
                format!(
                    "the port of remote access may have changed: the box publishes it as the SRV record of \
                     _https._tcp.{host} (`dig +short SRV _https._tcp.{host}`); or look at home: vpnctl backends --discover"
                ),
            )
        }
        Code::NetTlsUntrusted if remote => with_hint(
            &error,
            format!(
                "some boxes show an old certificate of nobody's (CN=foobar) at their remote port, which is never to be \
                 trusted; from the box's network use its local name, https://{}",
                local_host(italian)
            ),
        ),
        Code::NetDns | Code::NetRefused | Code::NetTimeout | Code::TimeoutRequest | Code::TimeoutDeadline
            if !remote =>
        {
            match place.and_then(|place| place.api_domain.as_deref().zip(place.https_port)) {
                Some((domain, port)) => with_hint(
                    &error,
                    format!(
                        "{first}from outside the box's network set url = \"https://{domain}:{port}\", where it was last"
                    ),
                ),
                None => error,
            }
        }
        _ => error,
    }
}

fn is_remote(url: &Url, place: Option<&Place>) -> bool {
    let host = url.host_str().unwrap_or_default();
    let known = place.and_then(|place| place.api_domain.as_deref()) == Some(host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    !address && (known || REMOTE.iter().any(|end| host.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{Place, explained};
    use crate::error::{Code, Error, Layer};

    fn hint(code: Code, url: &str) -> String {
        let place = Place { api_domain: Some("abc.fbxos.fr".to_owned()), https_port: Some(29491), ..Place::default() };
        let error = Error::new(code, Layer::Tcp, "x").temporary().backend("home").hint("first");
        let told = explained(error, &Url::parse(url).expect("a URL"), Some(&place), false);
        assert!(told.is_temporary() && told.is_repeatable() && told.backend_name() == Some("home"));
        told.hint_text().unwrap_or_default().to_owned()
    }

    #[test]
    fn each_name_of_a_box_fails_in_its_own_way() {
        let local = "https://mafreebox.freebox.fr";
        for code in [Code::NetDns, Code::NetRefused, Code::NetTimeout, Code::TimeoutRequest, Code::TimeoutDeadline] {
            assert!(hint(code, local).contains("https://abc.fbxos.fr:29491"), "{code:?}");
            assert!(hint(code, "https://192.168.1.254").starts_with("first; "), "{code:?}");
        }
        for url in ["https://abc.fbxos.fr:1", "https://xyz.ibxos.it:1"] {
            assert!(hint(Code::NetRefused, url).contains("SRV"), "{url}");
            assert!(hint(Code::NetTlsUntrusted, url).contains("CN=foobar"), "{url}");
        }
        assert_eq!(hint(Code::NetTlsUntrusted, local), "first");
        assert_eq!(hint(Code::HttpServerError, local), "first");
    }
}
