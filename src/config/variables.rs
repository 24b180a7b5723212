//! The environment variables that vpnctl knows: one table for the code and for `vpnctl help environment`.

/// Names the configuration file.
pub const CONFIG: &str = "VPNCTL_CONFIG";
/// Names the state folder.
pub const STATE_DIR: &str = "VPNCTL_STATE_DIR";
/// Names the backend where none is named by a flag.
pub const BACKEND: &str = "VPNCTL_BACKEND";
/// Names the output format.
pub const OUTPUT: &str = "VPNCTL_OUTPUT";
/// Bounds the whole command.
pub const TIMEOUT: &str = "VPNCTL_TIMEOUT";
/// Forbids prompts.
pub const NO_INPUT: &str = "VPNCTL_NO_INPUT";
/// Forbids changes.
pub const READ_ONLY: &str = "VPNCTL_READ_ONLY";
/// Chooses what is traced.
pub const LOG: &str = "VPNCTL_LOG";

/// Every variable with what it does.
pub const VARIABLES: &[(&str, &str)] = &[
    (CONFIG, "The configuration file, as --config."),
    (STATE_DIR, "Where sessions, tokens, ids and pins are kept; made for you alone."),
    (BACKEND, "The backend, where no -b or -A says another; over default_backend."),
    (OUTPUT, "The output format, as -o; --jq overrides it."),
    (TIMEOUT, "The bound of the whole command, as --timeout."),
    (NO_INPUT, "Never prompt, as --no-input: true or false."),
    (READ_ONLY, "Refuse every change, as --read-only: true or false."),
    (LOG, "What is traced, by part: vpnctl=debug,hyper=info. Over -v and -q; the parts of libraries may show secrets."),
    (
        "VPNCTL_BACKEND_<NAME>_<KEY>",
        "A key of a backend, over the file; - and . are written _: VPNCTL_BACKEND_HOME_URL, \
         VPNCTL_BACKEND_BENCH_TLS_CA_FILE. A secret's variable holds the secret itself. The keys: vpnctl help config.",
    ),
    (
        "VPNCTL_BACKEND_<NAME>_VENDOR",
        "Makes a backend of that name and vendor, which needs no configuration file then.",
    ),
    ("VPNCTL_IP_ADDRESS", "Not read: set by `vpnctl with` for its command, to the address inside the VPN."),
    ("VPNCTL_TARGET", "Not read: set by `vpnctl with` for its command, to the target, beside VPNCTL_BACKEND."),
    (
        "HTTPS_PROXY",
        "The HTTP proxy for https:// servers: http://HOST:PORT, with USER:PASSWORD@ before the host where it wants a login. \
         What is on this computer (loopback) goes past any proxy, and so does `trust`. This and the next three may be in \
         lower case; where both are set, the one in capitals counts.",
    ),
    ("HTTP_PROXY", "The same for http:// servers."),
    ("ALL_PROXY", "The proxy where neither of the two names one."),
    (
        "NO_PROXY",
        "What goes past the proxy, with commas between: names with all below them, addresses, networks; * is every name.",
    ),
    (
        "REQUEST_METHOD",
        "Where it is set, as for a CGI script, no variable of a proxy counts: a visitor could have set it.",
    ),
    ("SSL_CERT_FILE", "The certificates of the authorities that are trusted, instead of the system's (Linux)."),
    ("SSL_CERT_DIR", "Folders of such certificates, as SSL_CERT_FILE."),
    ("JOB_COMPLETION_INDEX", "The part of --shard /N that this is; Kubernetes sets it in the pods of an Indexed Job."),
    ("NO_COLOR", "No colours, whatever its value; --color overrides it."),
    ("CLICOLOR_FORCE", "Colours also where standard output is no terminal."),
    ("TERM", "Where it is `dumb`: no colours, nothing that moves."),
    ("GITHUB_STEP_SUMMARY", "The file to which `check -o github` adds its table."),
    ("XDG_CONFIG_HOME", "The folder of vpnctl/config.toml, instead of ~/.config (Linux)."),
    ("XDG_STATE_HOME", "The folder of vpnctl/ for the state, instead of ~/.local/state (Linux)."),
    ("HOME", "The folder of ~/ in paths."),
    ("PATH", "Where `with` and `{ command = [...] }` find programs."),
    ("HOSTNAME", "The name of this computer that a pairing shows; COMPUTERNAME on Windows."),
    ("COMPUTERNAME", "As HOSTNAME, on Windows."),
];
