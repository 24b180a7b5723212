//! Completion scripts: the command tree, with what only a completion knows.

use clap::ValueEnum as _;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use super::documents::{fields, of};
use super::topics::Topic;
use crate::model::Word;
use crate::render::Format;

/// What bash needs besides: to go on after a comma, before which the part is set aside while the rest is completed, and
/// the backends.
const AFTER_A_COMMA: &str = r#"
_vpnctl_lists() {
    local cur="$2" before=""
    if [[ "$3" == --fields && "$cur" == *,* ]]; then
        before="${cur%,*},"
        cur="${cur##*,}"
        COMP_WORDS[COMP_CWORD]="$cur"
    fi
    _vpnctl "$1" "$cur" "$3"
    # Only the configuration tells which backends there are; asking for them sends no request.
    if [[ "$3" == -b || "$3" == --backend || " ${COMP_WORDS[*]} " == *" doctor "* && "$3" != -* && "$cur" != -* ]]; then
        COMPREPLY=( $(compgen -W "$("$1" backends -o value 2>/dev/null)" -- "$cur") )
    fi
    COMPREPLY=( "${COMPREPLY[@]/#/$before}" )
    if [[ "$3" == --fields && "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _vpnctl_lists -o nosort -o bashdefault -o default vpnctl
else
    complete -F _vpnctl_lists -o bashdefault -o default vpnctl
fi
"#;

/// What zsh needs for the backends; first, for the script ends with the call of what it defines.
const BACKENDS_FOR_ZSH: &str = r#"#compdef vpnctl

_vpnctl_backends() {
    local -a names
    names=(${(f)"$(vpnctl backends -o value 2>/dev/null)"})
    compadd -a names
}
"#;

/// What fish needs for them.
const BACKENDS_FOR_FISH: &str = r#"
complete -c vpnctl -s b -l backend -x -a "(vpnctl backends -o value 2>/dev/null)"
complete -c vpnctl -n "__fish_vpnctl_using_subcommand doctor" -f -a "(vpnctl backends -o value 2>/dev/null)"
"#;

/// Writes the script for a shell.
pub(super) fn script(shell: Shell) -> String {
    let mut tree = with_words(super::command_tree());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut tree, "vpnctl", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.push_str(AFTER_A_COMMA),
        Shell::Zsh => script = script.split('\n').map(with_backends).collect::<Vec<_>>().join("\n"),
        Shell::Fish => script.push_str(BACKENDS_FOR_FISH),
        _ => {}
    }
    script
}

/// Lets zsh offer the backends where a line of its script is of an argument that takes one.
fn with_backends(line: &str) -> String {
    let takes_one = ["'*-b+[", "'*--backend=[", "'*::backends -- "].iter().any(|begin| line.starts_with(begin));
    match line {
        "#compdef vpnctl" => BACKENDS_FOR_ZSH.to_owned(),
        line if takes_one => line.replace(":_default'", ":_vpnctl_backends'"),
        line => line.to_owned(),
    }
}

/// Gives each command the fields that its items have, and `help` what it explains. Parsing stays open: below some fields
/// anything may be named.
fn with_words(tree: clap::Command) -> clap::Command {
    let words = tree.get_subcommands().map(|verb| verb.get_name().to_owned());
    let mut explained: Vec<String> = words.chain(Topic::ALL.map(|topic| topic.name().to_owned())).collect();
    explained.sort();
    explained.dedup();
    let tree = tree.mut_subcommand("help", |help| {
        help.mut_arg("words", |words| words.value_parser(PossibleValuesParser::new(explained)))
    });
    with_choices(with_fields(tree, ""))
}

/// Gives arguments their words where parsing reads them in another way, and each verb the formats that it has.
fn with_choices(command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    let command = names.iter().fold(command, |command, name| command.mut_subcommand(name, with_choices));
    let is_check = command.get_name() == "check";
    command.mut_args(move |arg| match arg.get_id().as_str() {
        "state" | "states" | "expect" => arg.value_parser(PossibleValuesParser::new(Word::ALL.map(Word::as_str))),
        "output" if !is_check => {
            let formats = Format::value_variants().iter().filter(|format| !format.is_of_check());
            arg.value_parser(PossibleValuesParser::new(formats.filter_map(Format::to_possible_value)))
        }
        _ => arg,
    })
}

fn with_fields(command: clap::Command, path: &str) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    let command = names.iter().fold(command, |command, name| {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command.mut_subcommand(name, |below| with_fields(below, &path))
    });
    match of(path) {
        Some(schema) => {
            command.mut_arg("fields", |arg| arg.value_parser(PossibleValuesParser::new(fields(schema))).global(false))
        }
        None => command,
    }
}
