//! `cairn pack test`: runs the tests of packs.

use std::path::{Path, PathBuf};

use cairn_compiler::{PackTestReport, test_pack};
use cairn_spec::ArchiveLimits;
use clap::Args;

use crate::{
    chart_source::ChartArgs,
    client::ClientArgs,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::{read_tree, write_file},
    output::{Output, count},
};

/// Run packs' tests
///
/// A test is a file `tests/NAME.yaml`: values and presets that go in, objects, host files or
/// findings that must come out (spec/pack.md §6).
#[derive(Debug, Args)]
pub(crate) struct PackTest {
    /// The folders of the packs
    #[arg(default_value = ".", value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Write the snapshots that differ
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    charts: ChartArgs,
    #[command(flatten)]
    client: ClientArgs,
}

impl PackTest {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let charts = self.charts.fetcher(&self.client, environment)?;
        let read = |folder: &Path| charts.complete(read_tree(folder, &ArchiveLimits::PACK)?);
        let (mut passed, mut failed) = (0, 0);
        for folder in &self.folders {
            let label = folder.display().to_string();
            let mut report = test_pack(&label, &read(folder)?);
            if self.update && update(folder, &report, output)? {
                report = test_pack(&label, &read(folder)?);
            }
            print(&label, &report, output);
            let good = report
                .tests
                .iter()
                .filter(|test| test.failures.is_empty())
                .count();
            passed += good;
            failed +=
                report.tests.len() - good + usize::from(report.session.diagnostics.has_errors());
        }
        output.message(&format!(
            "{} of {}: {passed} passed, {failed} failed",
            count(passed + failed, "test"),
            count(self.folders.len(), "pack")
        ));
        if failed > 0 {
            Err(Failure::reported(ExitCode::InvalidInput))
        } else {
            Ok(())
        }
    }
}

fn update(folder: &Path, report: &PackTestReport, output: &Output) -> anyhow::Result<bool> {
    let mut written = false;
    for snapshot in report
        .tests
        .iter()
        .filter_map(|test| test.snapshot.as_ref())
        .filter(|snapshot| snapshot.differs)
    {
        let path = folder.join(snapshot.path.as_str());
        write_file(&path, snapshot.text.as_bytes())?;
        output.message(&format!("wrote {}", path.display()));
        written = true;
    }
    Ok(written)
}

fn print(label: &str, report: &PackTestReport, output: &Output) {
    output.diagnostics(&report.session);
    for test in &report.tests {
        let verdict = if test.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        output.message(&format!("test {label}: {} ... {verdict}", test.name));
        output.findings(&report.session, test.failures.iter());
    }
}
