//! `schema`.

use crate::app::schema::{DOCUMENTS, Known};
use crate::cli::args::{Documented, Global};
use crate::cli::settings;
use crate::error::Exit;
use crate::model::Schema;
use crate::render::{Format, Report};
use crate::ui;

/// Prints the schema of a document, or what documents there are; needs no configuration.
pub(in crate::cli) fn schema(global: &Global, format: Format, documented: &Documented) -> anyhow::Result<Exit> {
    if let Some(known) = documented.name.as_deref().and_then(Known::find) {
        ui::print(&format!("{:#}\n", known.schema()))?;
        return Ok(Exit::Ok);
    }
    let shape = settings::shape(global, format, Schema::Documents)?;
    let mut report = Report::new(ui::stdout(), Schema::Documents, &shape, None);
    for known in DOCUMENTS {
        report.item(Some(known.item()), None)?;
    }
    report.finish()?;
    Ok(Exit::Ok)
}
