//! The flags of `tunnel`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

// What is done with the VPN configurations that a vendor keeps.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TunnelVerb {
    /// List the configurations.
    List,
    /// Show configurations; without a TARGET all of them.
    Show {
        /// Names or ids, perhaps as BACKEND/NAME.
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// The targets are ids; nothing is looked up.
        #[arg(long)]
        id: bool,
    },
    /// Add a configuration.
    #[command(
        after_help = "A name that the box has already is refused; --activate is refused while another VPN is up.\nNothing is waited for: see vpnctl wait.\n\nExamples:\n  vpnctl tunnel add -b home --type pptp --name Office --host vpn.example.org --username me --password-stdin\n  vpnctl tunnel add -b home --type wireguard --name Lyon --from-json lyon.json"
    )]
    Add(TunnelFlags),
    /// Change a configuration; only what differs is sent.
    #[command(
        after_help = "The type of a tunnel can't be changed. What `tunnel show` prints as `config` may be edited and given to\n--from-json; *** in it means: as it is.\n\nExamples:\n  vpnctl tunnel edit -b home Office --host vpn2.example.org\n  vpnctl tunnel edit -b home Office --password-file secret.txt --dry-run"
    )]
    Edit {
        /// A name or id, perhaps as BACKEND/NAME.
        #[arg(value_name = "TARGET")]
        target: String,
        /// The target is an id; nothing is looked up.
        #[arg(long)]
        id: bool,
        #[command(flatten)]
        flags: TunnelFlags,
    },
    /// Remove configurations, after asking; one that is active goes down with its removal.
    #[command(after_help = "Examples:\n  vpnctl tunnel rm -b home Office\n  vpnctl tunnel rm home/Office --yes")]
    Rm {
        /// Names or ids, perhaps as BACKEND/NAME.
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// The targets are ids; nothing is looked up.
        #[arg(long)]
        id: bool,
    },
    /// Add a configuration from a WireGuard .conf or an OpenVPN .ovpn file.
    #[command(
        after_help = "What the box has no field for is told and left out. Files that an .ovpn names are put into it.\n\nExamples:\n  vpnctl tunnel import -b home lyon.conf\n  vpnctl tunnel import -b home office.ovpn --username me --password-file secret.txt"
    )]
    Import {
        /// The file; its ending says what it is.
        #[arg(value_name = "FILE.conf|FILE.ovpn")]
        file: PathBuf,
        /// What to call it [default: the file's stem].
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The user at the VPN server.
        #[arg(long, value_name = "USER")]
        username: Option<String>,
        #[command(flatten)]
        password: PasswordFlags,
        /// Bring it up right away.
        #[arg(long)]
        activate: bool,
    },
}

/// What a configuration is to hold.
#[derive(Debug, Args)]
pub(in crate::cli) struct TunnelFlags {
    /// The protocol: pptp, openvpn or wireguard.
    #[arg(long = "type", value_name = "TYPE")]
    pub(in crate::cli) kind: Option<String>,
    /// What to call it.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// The VPN server's name or address.
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) host: Option<String>,
    /// The VPN server's port.
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) port: Option<u16>,
    /// The user at the VPN server.
    #[arg(long, value_name = "USER")]
    pub(in crate::cli) username: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) password: PasswordFlags,
    /// PPTP's encryption: disable, require or require_128.
    #[arg(long, value_name = "WORD")]
    pub(in crate::cli) mppe: Option<String>,
    /// PPTP's allowed ways to authenticate, of eap, pap, chap, mschap, mschapv2.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) auth: Option<Vec<String>>,
    /// Name servers, as addresses.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) dns: Option<Vec<String>>,
    /// The largest packet, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(in crate::cli) mtu: Option<u32>,
    /// The vendor's own fields, in JSON; - is standard input. Keys and addresses of WireGuard come this way.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from_json: Option<PathBuf>,
    /// Bring it up right away.
    #[arg(long)]
    pub(in crate::cli) activate: bool,
}

/// Where the password comes from; never from the command line itself, which others can read.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(in crate::cli) struct PasswordFlags {
    /// Read the password from standard input.
    #[arg(long)]
    pub(in crate::cli) password_stdin: bool,
    /// Read the password from a file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
}
