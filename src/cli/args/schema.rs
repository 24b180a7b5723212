//! The flags of `schema`.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::app::schema::DOCUMENTS;

/// What `schema --help` ends with.
pub(super) const AFTER: &str = "\
The schema is JSON (draft 2020-12), whatever -o says. At its root it describes the whole of
-o json, without --fields and --jq; at #/$defs/line a line of -o ndjson; at #/$defs/item an item.
`error` is the last line of standard error where a command fails. Later versions may add keys
and words.

Examples:
  vpnctl schema
  vpnctl schema status > status.schema.json
  echo '{\"$ref\":\"status.schema.json#/$defs/line\"}' > status-line.schema.json";

// Which document.
#[derive(Debug, Args)]
pub(in crate::cli) struct Documented {
    /// The document: the `type` of its lines of ndjson.
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(DOCUMENTS.iter().map(|known| known.name)))]
    pub(in crate::cli) name: Option<String>,
}
