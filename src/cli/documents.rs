//! Which command prints which document, for completions and help.

use crate::model::Schema;

/// Commands, the longer before the shorter, and the schema of their items.
pub(super) const DOCUMENTS: &[(&str, Schema)] = &[
    ("status", Schema::Status),
    ("list", Schema::List),
    ("connect", Schema::Action),
    ("disconnect", Schema::Action),
    ("reconnect", Schema::Action),
    ("wait", Schema::Wait),
    ("watch", Schema::Event),
    ("check", Schema::Check),
    ("tunnel", Schema::Tunnel),
    ("log", Schema::Log),
    ("settings", Schema::Settings),
    ("auth", Schema::Auth),
    ("trust", Schema::Trust),
    ("backends --discover", Schema::Discovered),
    ("backends", Schema::Backends),
    ("config show", Schema::Config),
    ("doctor", Schema::Doctor),
    ("schema", Schema::Documents),
];

/// Finds the schema of a command, written as its words.
pub(super) fn of(command: &str) -> Option<Schema> {
    let is = |name: &str| command == name || command.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
    DOCUMENTS.iter().find(|(name, _)| is(name)).map(|(_, schema)| *schema)
}

/// Lists what `--fields` takes: the columns, what holds them, and the vendor's own document.
pub(super) fn fields(schema: Schema) -> Vec<&'static str> {
    let columns = schema.columns();
    let mut known: Vec<&str> = Vec::new();
    for column in columns {
        known.extend(column.match_indices('.').map(|(at, _)| &column[..at]));
        known.push(column);
    }
    // Of the vendor's own document only states and what is made of them have a place.
    if columns_hold_states(schema) {
        known.push("native");
    }
    known.extend(schema.sometimes());
    let mut seen = std::collections::BTreeSet::new();
    known.retain(|name| seen.insert(*name));
    known
}

fn columns_hold_states(schema: Schema) -> bool {
    schema.columns().contains(&"raw_state")
}
