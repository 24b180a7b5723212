//! The flags of `settings` and `trust`.

use clap::Subcommand;

// What is done with the settings of a local VPN client.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SettingsVerb {
    /// Show the settings, secrets masked.
    Show,
    /// Change settings: reads the document, changes the keys, sends it back. The vendor documents no method for
    /// this, so it asks, or needs --yes.
    #[command(
        after_help = "A key is one that `settings show` shows, and its new value is of the same kind.\n\nExamples:\n  vpnctl settings set -b bench proxy.port=3128 --dry-run\n  vpnctl settings set -b bench 'name=\"42\"' --yes"
    )]
    Set {
        /// A key, dotted where it is nested, and its value: JSON, or else text.
        #[arg(value_name = "KEY=VALUE", required = true)]
        changes: Vec<String>,
    },
    /// Put the settings back to what they were at first; asks, or needs --yes.
    Reset,
}

// What is done with pinned certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(in crate::cli) enum TrustVerb {
    /// Show the certificate that the server shows now, without trusting it, and the pinned one where it differs.
    Show,
    /// Pin the certificate that the server shows now; from then on no other is accepted. A pin is kept on this
    /// computer and changes nothing at the vendor, so --read-only allows it.
    Add,
    /// Forget the pin; one in the configuration stays.
    Rm,
}
