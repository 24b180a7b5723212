//! What is told where the command line itself is wrong.

use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::config::variables;
use crate::error::{Error, Exit};
use crate::render::check::nagios;
use crate::render::{Format, fault, sanitize};
use crate::ui;

/// Finds the format that was asked for, before the arguments are known to be right.
pub(super) fn wanted_format(arguments: &[OsString]) -> Format {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let mut wanted: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let after = |prefix: &str| word.strip_prefix(prefix).map(|rest| rest.trim_start_matches('=').to_owned());
        match *word {
            "--json" | "--jq" => wanted.push("json".to_owned()),
            "--output" | "--format" => wanted.extend(words.get(index + 1).map(|next| (*next).to_owned())),
            _ if word.starts_with("--jq=") => wanted.push("json".to_owned()),
            _ if word.starts_with("--output=") => wanted.extend(after("--output=")),
            _ if word.starts_with("--format=") => wanted.extend(after("--format=")),
            // Flags that take no value may stand before it in the same word: -qojson.
            _ => {
                let flags = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
                let output = flags.and_then(|rest| rest.trim_start_matches(['A', 'q', 'v', 'y']).strip_prefix('o'));
                match output {
                    Some("") => wanted.extend(words.get(index + 1).map(|next| (*next).to_owned())),
                    Some(format) => wanted.push(format.trim_start_matches('=').to_owned()),
                    None => {}
                }
            }
        }
    }
    if wanted.is_empty() {
        wanted.extend(std::env::var(variables::OUTPUT));
    }
    // A monitor that is told nothing raises the alarm, so one wish for its format is enough. Another verb has no such
    // format, and says so as it says everything else.
    if wanted.iter().any(|format| format == "nagios") && asks_for("check", arguments) {
        return Format::Nagios;
    }
    match wanted.last().map(String::as_str) {
        Some("json") => Format::Json,
        Some("ndjson") => Format::Ndjson,
        Some("value") => Format::Value,
        _ => Format::Table,
    }
}

/// Tells whether a verb is asked for, before the arguments are known to be right.
pub(super) fn asks_for(verb: &str, arguments: &[OsString]) -> bool {
    let tree = super::command_tree();
    let takes_value = |found: &dyn Fn(&clap::Arg) -> bool| {
        tree.get_arguments().any(|flag| found(flag) && flag.get_action().takes_values())
    };
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy()).take_while(|word| word != "--");
    while let Some(word) = words.next() {
        let (long, short) = (word.strip_prefix("--"), word.strip_prefix('-'));
        let value_follows = match (long, short.and_then(|short| short.chars().next_back())) {
            (Some(long), _) => takes_value(&|flag| flag.get_long() == Some(long)),
            // Of several in one word only the last can take its value from the next word.
            (None, Some(last)) => takes_value(&|flag| flag.get_short() == Some(last)),
            _ => return word == verb,
        };
        if value_follows {
            words.next();
        }
    }
    false
}

/// Gives vpnctl's own failures the code that a command's can be told from; a signal's, and one that was chosen, stay.
pub(super) fn as_own(error: Error) -> Error {
    let chosen = matches!(error.exit(), Exit::Passed(_)) || error.code() == crate::error::Code::Interrupted;
    if chosen { error } else { error.with_exit(Exit::OWN) }
}

/// Prints what clap has to say; help and version are no failure.
pub(super) fn of_parsing(error: &clap::Error, format: Format, arguments: &[OsString]) -> Exit {
    let passes_codes = asks_for("with", arguments);
    let wrong = if passes_codes { Exit::OWN } else { Exit::Usage };
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Where nobody reads, there is nobody to tell.
        let _ = error.print();
        return Exit::Ok;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return wrong;
    }
    if !format.is_json() && format != Format::Nagios {
        match harmless(error, arguments) {
            Some(text) => ui::tell(&text),
            None => {
                let _ = error.print();
            }
        }
        if format == Format::Value {
            ui::tell("usage");
        }
        return wrong;
    }
    let text = harmless(error, arguments).unwrap_or_else(|| error.to_string());
    // The message may go over several lines, of which the later ones name what is missing; a tip stands by itself.
    let message: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let message = message.join(" ");
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: ")).unwrap_or("see: vpnctl --help");
    let error =
        Error::usage(sanitize::line(message.trim_start_matches("error: "))).hint(sanitize::line(tip)).with_exit(wrong);
    if format == Format::Nagios {
        return unknown(&error);
    }
    for line in fault::lines(&error, format) {
        ui::tell(&line);
    }
    wrong
}

/// Gives what clap says without doing what arguments hold, and without passwords of URLs; `None` where there is nothing of
/// either in them, so that it may be shown in colours.
///
/// A script may pass on what strangers wrote, such as the name of a file.
fn harmless(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let is_odd = |word: &str| word.contains(sanitize::is_harmful) || credentials(word).is_some();
    if !words.iter().any(|word| is_odd(word)) {
        return None;
    }
    // With colours, for clap takes what looks like one out of arguments too, and leaves the rest.
    let mut text = error.render().ansi().to_string();
    for held in words.iter().filter_map(|word| credentials(word)) {
        text = text.replace(held, "***");
    }
    let values = words.iter().filter_map(|word| word.split_once('=').map(|(_, value)| value));
    for word in words.iter().map(AsRef::as_ref).chain(values).filter(|word| word.trim().contains(sanitize::is_harmful))
    {
        // Each stays on its line, and makes none that looks like another message.
        text = text.replace(word, &sanitize::line(word));
    }
    let text = anstream::adapter::strip_str(&text).to_string();
    let lines: Vec<_> = text.trim_end().split('\n').map(sanitize::line).collect();
    Some(lines.join("\n"))
}

/// Finds what stands before the host of a URL in an argument.
fn credentials(word: &str) -> Option<&str> {
    let (_, rest) = word.split_once("://")?;
    rest.rsplit_once('@').map(|(held, _)| held).filter(|held| !held.is_empty())
}

/// Tells a monitor that there is no verdict, where it looks: on standard output, with its code for that, 3.
pub(super) fn unknown(error: &Error) -> Exit {
    // Where nobody reads, there is nobody to tell.
    let _ = ui::print(&format!("{}\n", nagios::unknown(error)));
    Exit::No
}
