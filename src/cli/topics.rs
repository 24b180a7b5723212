//! What `vpnctl help TOPIC` and the man page explain: the tables of the code, told to people.

use clap::ValueEnum as _;

use super::documents::DOCUMENTS;
use crate::backend::registry;
use crate::config::variables::VARIABLES;
use crate::config::{COMMON, Key, Kind};
use crate::error::{Code, EXITS, Exit};
use crate::model::Schema;
use crate::render::{Format, jq};

/// How wide the text may be, in characters.
const WIDTH: usize = 100;

/// Names a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    ExitCodes,
    Errors,
    Environment,
    Formats,
    Config,
}

/// A part of what is said of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    Heading(String),
    Text(String),
    /// Words and what they mean.
    Entries(Vec<(String, String)>),
}

impl Topic {
    pub(super) const ALL: [Self; 5] = [Self::ExitCodes, Self::Errors, Self::Environment, Self::Formats, Self::Config];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ExitCodes => "exit-codes",
            Self::Errors => "errors",
            Self::Environment => "environment",
            Self::Formats => "formats",
            Self::Config => "config",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::ExitCodes => "The exit codes, and when each is used",
            Self::Errors => "The codes of errors, what they mean and what to do",
            Self::Environment => "The variables that are read",
            Self::Formats => "The output formats, their fields, and --jq",
            Self::Config => "Every key of the configuration",
        }
    }

    /// Names its section of the man page.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::ExitCodes => "EXIT STATUS",
            Self::Errors => "ERRORS",
            Self::Environment => "ENVIRONMENT",
            Self::Formats => "FORMATS",
            Self::Config => "CONFIGURATION",
        }
    }

    /// Says everything there is to say.
    pub(super) fn blocks(self) -> Vec<Block> {
        match self {
            Self::ExitCodes => exit_codes(),
            Self::Errors => errors(),
            Self::Environment => environment(),
            Self::Formats => formats(),
            Self::Config => config(),
        }
    }

    /// Writes it as plain text.
    pub(super) fn text(self) -> String {
        let mut text = format!("{}.\n", self.about());
        for block in self.blocks() {
            text.push('\n');
            match block {
                Block::Heading(heading) => text.push_str(&format!("{heading}:\n")),
                Block::Text(paragraph) => text.push_str(&wrapped(&paragraph, 0)),
                Block::Entries(entries) => {
                    let widest = entries.iter().map(|(word, _)| word.chars().count()).max().unwrap_or(0);
                    let indent = (widest + 4).min(30);
                    entries.iter().for_each(|(word, meaning)| text.push_str(&entry(word, meaning, indent)));
                }
            }
        }
        text
    }
}

fn entry(word: &str, meaning: &str, indent: usize) -> String {
    let body = wrapped(meaning, indent);
    // A word that leaves no room stands on a line of its own.
    match word.chars().count() + 3 <= indent {
        true => format!("  {word}{}", body.get(word.chars().count() + 2..).unwrap_or_default()),
        false => format!("  {word}\n{body}"),
    }
}

/// Breaks text into lines that begin at a column.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &format!("{:indent$}{line}\n", "")
}

fn text(text: impl Into<String>) -> Block {
    Block::Text(text.into())
}

fn heading(text: impl Into<String>) -> Block {
    Block::Heading(text.into())
}

fn exit_codes() -> Vec<Block> {
    let row = |(_, number, name, when): &(_, u8, &str, &str)| (format!("{number:>3}  {name}"), sentence(when));
    vec![
        text("The numbers never change. Take one that you do not know for a failure."),
        Block::Entries(EXITS.iter().map(row).collect()),
        text(
            "A pipe whose reader has gone ends quietly with 0. `with` passes the code of its command through (128 and the \
             number of the signal where one ended it), and has three of its own:",
        ),
        Block::Entries(vec![
            (number(Exit::OWN), "vpnctl itself failed; the error says why.".to_owned()),
            (number(Exit::NO_PROGRAM), "The command can't be executed.".to_owned()),
            (number(Exit::NOTHING_TO_RUN), "The command is not found.".to_owned()),
        ]),
        text("`check -o nagios` ends with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN, as monitors have it."),
        text("Which error leads to which number: vpnctl help errors."),
    ]
}

fn number(exit: Exit) -> String {
    format!("{:>3}", exit.number())
}

/// Makes a sentence of a line of a table.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    let full_stop = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{full_stop}", characters.as_str())
}

fn errors() -> Vec<Block> {
    let row = |code: &Code| {
        let exit = code.exit();
        let word = format!("{} ({} {})", code.as_str(), exit.number(), exit.name());
        (word, format!("{} {}", code.meaning(), code.remedy()))
    };
    vec![
        text(
            "With -o json, -o ndjson and --jq an error is one JSON object on the last line of standard error, and is in \
             the item concerned; its `code` is one of these, `exit` the exit code that goes with it.",
        ),
        Block::Entries(Code::ALL.iter().map(row).collect()),
    ]
}

fn environment() -> Vec<Block> {
    let row = |(name, means): &(&str, &str)| ((*name).to_owned(), (*means).to_owned());
    vec![
        text(
            "A flag wins over a variable, a variable over the configuration file. An empty variable is as good as none.",
        ),
        Block::Entries(VARIABLES.iter().map(row).collect()),
    ]
}

fn formats() -> Vec<Block> {
    let values = Format::value_variants().iter().filter_map(|format| format.to_possible_value());
    let rows = values.map(|value| {
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        (format!("-o {}", value.get_name()), sentence(&help))
    });
    let mut blocks = vec![
        Block::Entries(rows.collect()),
        text(
            "With -o json the document is {\"schema\": \"vpnctl.NAME/v1\", \"items\": […], \"summary\": {…}}, of the same \
             shape in every state; -o ndjson prints the items, each with `type`, and the summary on the last line. What \
             is unknown is null. Times are RFC 3339 in UTC; durations are seconds, their keys end in _s.",
        ),
        text(
            "--fields a,b.c keeps these fields, nested ones dotted; -o value prints them one a line. Of labels, \
             capabilities, settings, config and native any key may follow: labels.site.",
        ),
        heading("Fields of the items, as csv and tsv print them"),
    ];
    let mut documents: Vec<(Schema, Vec<&str>)> = Vec::new();
    for (command, schema) in DOCUMENTS {
        match documents.last_mut() {
            Some((known, commands)) if known == schema => commands.push(command),
            _ => documents.push((*schema, vec![command])),
        }
    }
    let documents = documents.into_iter().map(|(schema, commands)| {
        let word = format!("{} ({})", commands.join(", "), schema.versioned());
        (word, format!("{}. -o value prints {}.", columns(schema), schema.value_field()))
    });
    blocks.push(Block::Entries(documents.collect()));
    blocks.extend([
        heading("--jq EXPR"),
        text(
            "Prints what an expression of the jq language makes of the JSON document: strings as they are, everything \
             else as JSON on a line (indented on a terminal). It runs once on the document; with -o ndjson, and with \
             watch and log -f where no -o is given, once on each line as it becomes known, the summary included. \
             --fields comes first. With api it runs on the vendor's answer.",
        ),
        text(
            "A wrong expression is a usage error (2) before anything is asked; one that fails while it runs is one after \
             what was printed. Nothing of the process is seen by it. Control characters other than line breaks and tabs \
             are escaped.",
        ),
        text(format!("Not there: {}.", jq::MISSING)),
        Block::Entries(
            [
                ("vpnctl status -A --jq '.items[] | select(.state != \"connected\") | .target.name'", "Who is down."),
                ("vpnctl list -A --jq '.items[] | [.backend, .target.id] | @tsv'", "A table for cut and awk."),
                ("vpnctl watch -A --jq 'select(.state == \"failed\") | .last_error.code'", "Reasons, as they happen."),
            ]
            .map(|(line, what)| (line.to_owned(), what.to_owned()))
            .to_vec(),
        ),
    ]);
    blocks
}

/// Lists the columns of a schema; those of a status only once.
fn columns(schema: Schema) -> String {
    let columns = schema.columns();
    match columns.strip_prefix(&*Schema::Status.columns()) {
        Some(more) if !more.is_empty() => format!("those of status, and {}", more.join(", ")),
        _ => columns.join(", "),
    }
}

fn config() -> Vec<Block> {
    let top = [
        ("default_backend", "The backend where none is named by -b, -A or $VPNCTL_BACKEND."),
        ("[backend.NAME] vendor", "The vendor: what the backend speaks. Names are a-z, 0-9 and -."),
        ("[group.NAME] select", "What -l group=NAME stands for: k=v,k!=v."),
    ];
    let mut blocks = vec![
        text(
            "The file is the one that `vpnctl config path` names, or --config, or $VPNCTL_CONFIG. `vpnctl config init` \
             writes an example, `vpnctl config validate` checks it, `vpnctl config show` tells every value and where it \
             comes from, `vpnctl config --help` lists these. Each key of a backend is also a variable: vpnctl help environment.",
        ),
        Block::Entries(top.map(|(key, means)| (key.to_owned(), means.to_owned())).to_vec()),
        heading("Keys of every backend"),
        keys(COMMON),
    ];
    for vendor in registry::VENDORS {
        blocks.extend([heading(format!("Keys of {} (vendor = \"{}\")", vendor.title, vendor.name)), keys(vendor.keys)]);
    }
    blocks.push(text(
        "A secret is named: { env = \"NAME\" }, { file = \"PATH\" }, { command = [\"pass\", \"show\", \"NAME\"] }, or \
         { keyring = true } in a build with that feature. Written out it is accepted only in a file that nobody else can \
         read (0600); so is the file of { file = \"PATH\" }. A duration is 500ms, 30s, 5m or 2h. A dotted key stands in a table: [backend.NAME.tls].",
    ));
    blocks
}

fn keys(keys: &[Key]) -> Block {
    let row = |key: &Key| {
        let default = key.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        (format!("{} ({})", key.name, kind(key.kind)), sentence(key.means) + &default)
    };
    Block::Entries(keys.iter().map(row).collect())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Url => "URL",
        Kind::Path => "path",
        Kind::Integer => "number",
        Kind::Bool => "true or false",
        Kind::Duration => "duration",
        Kind::Secret => "secret",
        Kind::Labels => "table",
    }
}
