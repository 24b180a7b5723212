//! The man page: the command tree with every verb, and the topics of `help`.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::topics::{Block, Topic};

/// Writes the page.
pub(super) fn page() -> std::io::Result<String> {
    let tree = super::command_tree();
    let man = clap_mangen::Man::new(tree.clone()).manual("vpnctl");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::default();
    roff.control("SH", ["COMMANDS"]);
    roff.text([roman("Each takes the options above as well.")]);
    commands(&mut roff, &tree, "vpnctl");
    for topic in Topic::ALL {
        roff.control("SH", [topic.section()]);
        blocks(&mut roff, &topic.blocks());
    }
    files(&mut roff);
    roff.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(in_ascii(&String::from_utf8_lossy(&page)))
}

/// Writes what is no ASCII as roff does: not every formatter is told how a page is encoded.
fn in_ascii(page: &str) -> String {
    let mut ascii = String::with_capacity(page.len());
    for c in page.chars() {
        match c {
            c if c.is_ascii() => ascii.push(c),
            // A formatter that writes ASCII has no glyph for it.
            '…' => ascii.push_str("..."),
            c => ascii.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    ascii
}

/// Writes every command that does something, each under its own heading.
fn commands(roff: &mut Roff, command: &clap::Command, path: &str) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let path = format!("{path} {}", below.get_name());
        if below.has_subcommands() {
            commands(roff, below, &path);
        } else {
            one(roff, below, &path);
        }
    }
}

fn one(roff: &mut Roff, command: &clap::Command, path: &str) {
    roff.control("SS", [path]);
    let own: Vec<&clap::Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
        .collect();
    let mut line = vec![bold(path)];
    if own.iter().any(|arg| !arg.is_positional()) {
        line.push(roman(" [options]"));
    }
    for arg in own.iter().filter(|arg| arg.is_positional()) {
        line.push(roman(" "));
        line.push(italic(arg.to_string()));
    }
    roff.text(line);
    roff.control("PP", []);
    roff.text([roman(said(command.get_long_about().or_else(|| command.get_about())))]);
    for arg in own {
        option(roff, arg);
    }
    if let Some(examples) = command.get_after_help() {
        for line in examples.to_string().lines().filter(|line| !line.is_empty()) {
            // Examples are lines of their own; what stands above them are words.
            roff.control(if line.starts_with("  ") { "br" } else { "PP" }, []);
            roff.text([roman(line.trim_start())]);
        }
    }
}

fn option(roff: &mut Roff, arg: &clap::Arg) {
    roff.control("TP", []);
    let mut head: Vec<Inline> = Vec::new();
    if arg.is_positional() {
        head.push(italic(arg.to_string()));
    } else {
        if let Some(short) = arg.get_short() {
            head.extend([bold(format!("-{short}")), roman(", ")]);
        }
        if let Some(long) = arg.get_long() {
            head.push(bold(format!("--{long}")));
        }
        if arg.get_action().takes_values() {
            let names = arg.get_value_names().unwrap_or_default().iter().map(|name| name.to_string());
            head.extend([roman(" "), italic(names.collect::<Vec<_>>().join(" "))]);
        }
    }
    roff.text(head);
    let mut help = said(arg.get_long_help().or_else(|| arg.get_help()));
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        help.push_str(&format!(" [default: {}]", defaults.join(", ")));
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        help.push_str(&format!(" [{}]", values.join(", ")));
    }
    roff.text([roman(help)]);
}

fn said(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

fn blocks(roff: &mut Roff, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Heading(heading) => {
                roff.control("SS", [heading.as_str()]);
            }
            Block::Text(text) => {
                roff.control("PP", []);
                roff.text([roman(text.as_str())]);
            }
            Block::Entries(entries) => {
                for (word, meaning) in entries {
                    roff.control("TP", []);
                    roff.text([bold(word.trim())]);
                    roff.text([roman(meaning.as_str())]);
                }
            }
        }
    }
}

fn files(roff: &mut Roff) {
    roff.control("SH", ["FILES"]);
    let entries = [
        ("$XDG_CONFIG_HOME/vpnctl/config.toml", "The configuration; `vpnctl config path` says where it is here."),
        ("$XDG_STATE_HOME/vpnctl", "Sessions, tokens, ids and pins, for you alone."),
    ];
    blocks(roff, &[Block::Entries(entries.map(|(path, what)| (path.to_owned(), what.to_owned())).to_vec())]);
}
