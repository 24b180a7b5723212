//! `help`: a command's own help, or a topic.

use crate::cli::args::command_tree;
use crate::cli::topics::Topic;
use crate::config::schema::nearest;
use crate::error::{Error, Exit};
use crate::ui::{self, Color};

/// Prints the help of a command, or a topic; without words that of all.
pub(in crate::cli) fn help(words: &[String], color: Color) -> anyhow::Result<Exit> {
    let mut command = command_tree();
    for (index, word) in words.iter().enumerate() {
        let topics = if index == 0 { &Topic::ALL[..] } else { &[] };
        // What is both, as `config`, is explained; its verbs are listed by its own --help, as the topic says.
        if let (Some(topic), 1) = (topics.iter().find(|topic| topic.name() == word), words.len()) {
            ui::print(&topic.text())?;
            return Ok(Exit::Ok);
        }
        command = match command.find_subcommand(word) {
            Some(below) => below.clone(),
            None => return Err(unknown(&command, word, topics).into()),
        };
    }
    let help = command.render_long_help();
    ui::print(&if color.on_stdout() { help.ansi().to_string() } else { help.to_string() })?;
    Ok(Exit::Ok)
}

fn unknown(command: &clap::Command, word: &str, topics: &[Topic]) -> Error {
    let verbs = command.get_subcommands().map(clap::Command::get_name);
    let known: Vec<&str> = verbs.chain(topics.iter().map(|topic| topic.name())).collect();
    let error = Error::usage(format!("there is no command or topic `{word}`"));
    if known.is_empty() {
        return error.hint(format!("see: {} --help", command.get_bin_name().unwrap_or("vpnctl")));
    }
    match nearest(word, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("there are {}", known.join(", "))),
    }
}
