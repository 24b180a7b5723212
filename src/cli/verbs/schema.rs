//! `schema`.

use crate::app::schema::{DOCUMENTS, Known};
use crate::app::{Emit, emit};
use crate::cli::args::Documented;
use crate::cli::dispatch::Command;
use crate::error::Exit;
use crate::model::Schema;

impl Command<'_> {
    /// Prints the schema of a document, or what documents there are; needs no configuration.
    pub(in crate::cli) async fn schema(&self, documented: &Documented) -> anyhow::Result<Exit> {
        if let Some(known) = documented.name.as_deref().and_then(Known::find) {
            self.print_answer(format!("{:#}\n", known.schema()).as_bytes()).await?;
            return Ok(Exit::Ok);
        }
        let job = async |out: Emit| DOCUMENTS.iter().for_each(|known| emit(&out, known.item()));
        self.report(Schema::Documents, false, job).await.map(|(exit, _)| exit)
    }
}
