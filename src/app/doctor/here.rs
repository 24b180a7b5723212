//! What concerns every backend: the configuration file, the state folder, the proxy of the environment.

use super::{Asked, Teller};
use crate::backend::Finding;
use crate::config::{Origin, quoted};
use crate::error::Error;
use crate::http::proxy::VARIABLES;
use crate::model::document::DoctorLayer;
use crate::state::Look;

/// Looks at this computer; sends no request.
pub(super) fn look(asked: &Asked<'_>, teller: &mut Teller<'_>) {
    teller.tell(DoctorLayer::Config, configuration(asked));
    teller.tell(DoctorLayer::State, state(&asked.setup.folder.look()));
    if let Some(proxy) = proxy() {
        teller.tell(DoctorLayer::Proxy, proxy);
    }
}

fn configuration(asked: &Asked<'_>) -> Finding {
    if let Some(error) = &asked.broken {
        return Finding::wrong(error.clone());
    }
    let config = &asked.setup.config;
    let own = config.backends.values().filter(|backend| backend.origin != Origin::BuiltIn).count();
    let noun = if own == 1 { "backend" } else { "backends" };
    match &config.file {
        Some(file) if own > 0 => Finding::well(format!("{}: {own} {noun}", file.display())),
        Some(file) => Finding::well(format!("{}: no backend; the built-in ones are used", file.display()))
            .remedy("define one in it; see: vpnctl config init --stdout"),
        None if own > 0 => Finding::well(format!("no file; {own} {noun} of the environment")),
        None => Finding::well("no file; the built-in backends are used").remedy("write one with: vpnctl config init"),
    }
}

/// Says how the state folder is; what vpnctl mends by itself is no failure.
fn state(look: &Look) -> Finding {
    let Some(folder) = &look.path else {
        return Finding::unknown("this system has no place for it; logins are not kept")
            .remedy("name a folder with VPNCTL_STATE_DIR");
    };
    let path = folder.display();
    let wrong = |what: String, hint: String| Finding::wrong(Error::config(what).hint(hint));
    let at = |name: &String| quoted(&folder.join(name));
    let all = |names: &[String]| names.iter().map(at).collect::<Vec<_>>().join(" ");
    if let Some(why) = &look.unwritable {
        return wrong(
            format!("{path} can't be written ({why}); logins are not kept"),
            "make it writable, or name another with VPNCTL_STATE_DIR".to_owned(),
        );
    }
    if look.is_open {
        return wrong(
            format!("others can enter {path}, which holds logins"),
            if look.is_own {
                format!("run: chmod 700 {}", quoted(folder))
            } else {
                "choose a folder that is vpnctl's alone: set VPNCTL_STATE_DIR to one that is not there yet".to_owned()
            },
        );
    }
    if let Some(first) = look.misplaced.first() {
        let what = format!("{path}/{first} is no file, so nothing can be kept there");
        return wrong(what, format!("move it away: {}", at(first)));
    }
    if let Some(first) = look.readable.first() {
        let what = format!("others can read {path}/{first}, which may hold a login");
        return wrong(what, format!("run: chmod 600 {}", all(&look.readable)));
    }
    if let Some(first) = look.left.first() {
        let what =
            format!("{path}/{first} belongs to somebody else or to a newer vpnctl; it is left as it is and not used");
        return wrong(
            what,
            "update vpnctl, or remove what is not yours; or name another folder with VPNCTL_STATE_DIR".into(),
        );
    }
    // Nothing goes on without one, where another corrupt file is done without.
    if let Some((first, backend)) = look.corrupt.iter().find_map(|name| Some((name, name.strip_suffix(".pin.json")?))) {
        let what = format!("{path}/{first} is corrupt, so nobody knows which certificate was pinned");
        return wrong(what, format!("run: vpnctl trust rm -b {backend}, then vpnctl trust add -b {backend}"));
    }
    if let Some(first) = look.corrupt.first() {
        return Finding::unknown(format!("{path}/{first} is corrupt, or was; it is set aside and built anew"))
            .remedy(format!("where a login was lost with it, log in again; then remove {}", all(&look.corrupt)));
    }
    if let Some(first) = look.held.first() {
        return Finding::unknown(format!("another vpnctl holds {path}/{first} now"))
            .remedy("wait for it, or end it where it hangs");
    }
    match look.files.len() {
        _ if !look.is_there => Finding::well(format!("{path} is made when it is needed")),
        1 => Finding::well(format!("{path}: 1 file")),
        count => Finding::well(format!("{path}: {count} files")),
    }
}

/// Tells which proxies the environment names, by their variables alone: a value may hold a password.
fn proxy() -> Option<Finding> {
    let is_set = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let both = VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_lowercase()]);
    let set: Vec<String> = both.filter(is_set).collect();
    (!set.is_empty()).then(|| {
        Finding::well(format!(
            "{} set, and heeded; what is on this computer, WebSockets and `vpnctl trust` go past it",
            set.join(", ")
        ))
    })
}
