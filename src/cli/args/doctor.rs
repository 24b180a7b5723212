//! The flags of `doctor`.

use std::path::PathBuf;

use clap::Args;

/// What `doctor --help` ends with.
pub(super) const AFTER: &str = "\
Layers: config, state, proxy of this computer; then of each backend config, dns, tcp, tls,
version, clock, login, rights, vpn. What is behind a layer that failed is not reached. It ends
with 0 only if nothing failed, else with the code of the first layer that did; of several
backends that of the lowest one: usage, config, dns, tcp, tls, http, auth, api, device, tunnel,
as `layer` of the error says. What is wrong with this computer, its clock too, is config, 13.
Nothing is changed; a login is made where any command would make it, and one that was refused is
not repeated.

The bundle holds no secret, and placeholders for addresses, names and ids: host-1, name-2.

Examples:
  vpnctl doctor
  vpnctl doctor home --bundle vpnctl-bundle.json
  vpnctl doctor -A -o json --jq '.items[] | select(.ok == false)'";

// Which backends.
#[derive(Debug, Args)]
pub(in crate::cli) struct Doctoring {
    /// The backends, as with -b; without any the default one, or all where there is none.
    #[arg(value_name = "BACKEND", conflicts_with_all = ["backend", "all"])]
    pub(in crate::cli) backends: Vec<String>,
    /// Write a support bundle that is safe to publish, too.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) bundle: Option<PathBuf>,
}
