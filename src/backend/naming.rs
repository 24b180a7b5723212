//! How names find targets: contract section 1.

use crate::error::{Code, Error, Layer};
use crate::model::Target;

/// Keeps the targets that a name fits best: exactly by name or id, else without case.
#[must_use]
pub fn best<'a>(name: &str, targets: impl IntoIterator<Item = &'a Target>) -> Vec<Target> {
    let lower = name.to_lowercase();
    let mut exact = Vec::new();
    let mut alike = Vec::new();
    for target in targets {
        let own = target.name.as_deref();
        if is_exact(name, target) {
            exact.push(target.clone());
        } else if target.id.to_lowercase() == lower || own.is_some_and(|own| own.to_lowercase() == lower) {
            alike.push(target.clone());
        }
    }
    if exact.is_empty() { alike } else { exact }
}

/// Tells whether a name is a target's name or id to the letter; of what was remembered nothing less counts, for
/// something that fits better may have come since.
#[must_use]
pub fn is_exact(name: &str, target: &Target) -> bool {
    target.id == name || target.name.as_deref() == Some(name)
}

/// Tells whether a text is a glob: it holds `*` or `?`.
#[must_use]
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// A glob that was read once, for many targets.
#[derive(Debug)]
pub struct Glob(wildmatch::WildMatch);

impl Glob {
    /// Reads it: `*` stands for anything, `?` for one character.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(wildmatch::WildMatch::new(text))
    }

    /// Tells whether it fits a target's name or id.
    #[must_use]
    pub fn fits(&self, target: &Target) -> bool {
        self.0.matches(&target.id) || target.name.as_deref().is_some_and(|name| self.0.matches(name))
    }
}

/// Writes a target so that it can be pasted behind a verb: with its backend, in quotes where a shell would split it.
#[must_use]
pub fn argument(backend: &str, target: &Target) -> String {
    let text = format!("{backend}/{}", target.label());
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c)) {
        return text;
    }
    // Strangers give names: what a shell would run between double quotes goes between single ones.
    let runs = text.contains(['"', '$', '`', '\\', '!']);
    if runs { format!("'{}'", text.replace('\'', r"'\''")) } else { format!("\"{text}\"") }
}

/// Makes the error for a name that nothing has.
#[must_use]
pub fn not_found(backend: &str, name: &str) -> Error {
    Error::new(Code::TargetNotFound, Layer::Api, format!("`{backend}` has no target `{name}`"))
        .backend(backend)
        .target(name)
        .hint(format!("list what there is: vpnctl list -b {backend}"))
}

/// Adds to that error the names that come near.
#[must_use]
pub fn near(error: Error, names: &[String]) -> Error {
    if names.is_empty() {
        return error;
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let hint = error.hint_text().unwrap_or_default().to_owned();
    error.instead(format!("did you mean {}? {hint}", names.join(" or ")))
}

/// Makes the error for a name that several targets have; it lists them and is never a guess.
#[must_use]
pub fn ambiguous(backend: &str, name: &str, candidates: &[Target]) -> Error {
    let shown: Vec<String> = candidates
        .iter()
        .take(10)
        .map(|target| match &target.name {
            Some(own) => format!("{} ({own})", target.id),
            None => target.id.clone(),
        })
        .collect();
    let more = if candidates.len() > 10 { format!(" and {} more", candidates.len() - 10) } else { String::new() };
    Error::new(
        Code::UsageAmbiguous,
        Layer::Usage,
        format!("`{name}` fits {} targets of `{backend}`: {}{more}", candidates.len(), shown.join(", ")),
    )
    .backend(backend)
    .target(name)
    .hint("name one by its id: --id ID")
}

#[cfg(test)]
mod tests {
    use super::{Glob, argument, best};
    use crate::model::{Target, TargetKind};

    fn target(id: &str, name: &str) -> Target {
        Target { name: Some(name.to_owned()), ..Target::by_id(TargetKind::Tunnel, id) }
    }

    fn ids(name: &str) -> Vec<String> {
        let targets = [target("vpn0", "Office"), target("vpn1", "office"), target("vpn2", "vpn0"), target("VPN3", "x")];
        best(name, &targets).into_iter().map(|target| target.id).collect()
    }

    #[test]
    fn an_exact_name_wins_over_one_that_differs_by_case() {
        assert_eq!(ids("Office"), ["vpn0"]);
        assert_eq!(ids("OFFICE"), ["vpn0", "vpn1"]);
        assert_eq!(ids("vpn3"), ["VPN3"]);
        assert_eq!(ids("nothing"), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_is_another_ones_id_is_ambiguous() {
        assert_eq!(ids("vpn0"), ["vpn0", "vpn2"]);
    }

    #[test]
    fn a_name_that_is_pasted_runs_nothing() {
        for (name, shown) in [
            ("gw-1", "home/gw-1"),
            ("Office PPTP", "\"home/Office PPTP\""),
            ("it's", "\"home/it's\""),
            ("$(reboot)", "'home/$(reboot)'"),
            ("`reboot`; it's", r"'home/`reboot`; it'\''s'"),
            ("\"; reboot", "'home/\"; reboot'"),
        ] {
            assert_eq!(argument("home", &target("vpn0", name)), shown);
        }
    }

    #[test]
    fn globs_fit_names_and_ids() {
        assert!(Glob::new("vpn?").fits(&target("vpn0", "Office")));
        assert!(Glob::new("Off*").fits(&target("vpn0", "Office")));
        assert!(!Glob::new("off*").fits(&target("vpn0", "Office")));
    }
}
