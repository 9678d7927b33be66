//! `cairn pack lint`: what would be refused, and what a careful author would mend.

use std::path::PathBuf;

use cairn_compiler::{LINTS, lint_pack};
use cairn_spec::{ArchiveLimits, Severity};
use clap::Args;

use crate::{
    chart_source::ChartArgs,
    client::ClientArgs,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::read_tree,
    output::{Output, count, table},
};

/// Find what would be refused, and what a careful author would mend
///
/// The pack is rendered with its defaults and with each preset. A finding that is meant can be
/// allowed in `pack.yaml`: `lint: {allow: [{code: …, reason: …}]}`.
#[derive(Debug, Args)]
pub(crate) struct PackLint {
    /// The folders of the packs
    #[arg(default_value = ".", value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// List the codes that can be allowed, and exit
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    charts: ChartArgs,
    #[command(flatten)]
    client: ClientArgs,
}

impl PackLint {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        if self.list {
            let rows: Vec<Vec<String>> = LINTS
                .iter()
                .map(|lint| vec![lint.code.to_owned(), lint.summary.to_owned()])
                .collect();
            output.data(&table(&["CODE", "FINDS"], &rows));
            return Ok(());
        }
        let charts = self.charts.fetcher(&self.client, environment)?;
        let (mut errors, mut warnings) = (0, 0);
        for folder in &self.folders {
            let tree = charts.complete(read_tree(folder, &ArchiveLimits::PACK)?)?;
            let session = lint_pack(&folder.display().to_string(), &tree);
            output.diagnostics(&session);
            errors += session.diagnostics.error_count();
            warnings += session
                .diagnostics
                .iter()
                .filter(|finding| finding.severity == Severity::Warning)
                .count();
        }
        let summary = format!(
            "{} checked: {}, {}",
            count(self.folders.len(), "pack"),
            count(errors, "error"),
            count(warnings, "warning")
        );
        output.message(&summary);
        if errors > 0 || (self.strict && warnings > 0) {
            Err(Failure::reported(ExitCode::InvalidInput))
        } else {
            Ok(())
        }
    }
}
