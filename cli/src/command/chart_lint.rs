//! `cairn chart lint`: what keeps a Helm chart from being installed, and what looks like a
//! mistake.

use std::path::PathBuf;

use cairn_chart::{ChartHost, RenderOptions, UnnamedCalls, lint::lint};
use cairn_spec::{Diagnostic, Severity, Sources};
use clap::Args;
use serde::Serialize;

use super::chart_template::ReleaseArgs;
use crate::{
    args::Format,
    charts::{Failed, Texts, ValueArgs, read_chart_files},
    exit::{ExitCode, Failure, Outcome},
    output::{Output, count},
};

/// The name and the time that charts are rendered with.
const RELEASE_NAME: &str = "test-release";
const NOW_UNIX_S: i64 = 1_767_225_600;

/// Find what keeps Helm charts from being installed, and what looks like a mistake
///
/// The chart is rendered with its defaults or with the values that are given, and with each file in
/// its folder `ci/`. Values are looked at in the branches, too, that no render took.
#[derive(Debug, Args)]
pub(crate) struct ChartLint {
    /// Charts: folders or `.tgz`
    #[arg(required = true, value_name = "CHART")]
    charts: Vec<PathBuf>,
    #[command(flatten)]
    values: ValueArgs,
    #[command(flatten)]
    release: ReleaseArgs,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

/// What was found, for scripts.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    charts: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    chart: String,
    severity: &'static str,
    code: &'static str,
    message: String,
    #[serde(flatten)]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    file: String,
    line: u32,
    column: u32,
}

impl Finding {
    fn new(chart: &str, finding: Diagnostic, sources: &Sources) -> Self {
        let place = finding.labels.first().map(|label| {
            let source = sources.get(label.span.source);
            let position = source.position(label.span.start);
            Place {
                file: source.name.to_string(),
                line: position.line,
                column: position.column,
            }
        });
        Self {
            chart: chart.to_owned(),
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Advice => "advice",
            },
            code: finding.code,
            message: finding.message,
            place,
            hint: finding.hint,
            notes: finding.notes,
        }
    }

    /// `FILE:LINE:COLUMN`, or the chart.
    fn shown_place(&self) -> String {
        match &self.place {
            Some(Place { file, line, column }) => format!("{file}:{line}:{column}"),
            None => self.chart.clone(),
        }
    }
}

impl ChartLint {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let mut texts = Texts::default();
        let report = self
            .lint_all(&mut texts, output)
            .map_err(|failed| failed.report(&texts, output))?;
        output.result(&report, String::new, || {
            let findings = report.findings.iter();
            let places = findings.map(|finding| finding.shown_place() + "\n");
            places.collect()
        });
        output.message(&format!(
            "{} checked: {}, {}",
            count(report.charts, "chart"),
            count(report.errors, "error"),
            count(report.warnings, "warning")
        ));
        if report.errors > 0 || (self.strict && report.warnings > 0) {
            Err(Failure::reported(ExitCode::InvalidInput))
        } else {
            Ok(())
        }
    }

    fn lint_all(&self, texts: &mut Texts, output: &Output) -> Result<Report, Failed> {
        // What is generated only has to be there.
        let host = ChartHost {
            release: RELEASE_NAME.to_owned(),
            namespace: self.release.namespace.clone(),
            unnamed_calls: UnnamedCalls::Seeded,
            now: Some(NOW_UNIX_S),
            ..ChartHost::default()
        };
        let options = RenderOptions {
            host: &host,
            ..self.release.options(RELEASE_NAME)?
        };
        let values = self.values.clone().merge(options.dialect, texts)?;
        let mut report = Report::default();
        for chart in &self.charts {
            let name = chart.display().to_string();
            let texts_of_chart = (&mut texts.sources, &mut texts.origins);
            let findings = match read_chart_files(chart) {
                Ok(files) => lint(&files, &name, &values, &options, texts_of_chart),
                Err(Failed::Chart(error)) => vec![error.into_explained()],
                Err(failed) => return Err(failed),
            };
            report.add(&name, findings, texts, output);
        }
        Ok(report)
    }
}

impl Report {
    fn add(&mut self, chart: &str, findings: Vec<Diagnostic>, texts: &Texts, output: &Output) {
        self.charts += 1;
        let is = |severity| move |finding: &&Diagnostic| finding.severity == severity;
        let errors = findings.iter().filter(is(Severity::Error)).count();
        self.errors += errors;
        self.warnings += findings.iter().filter(is(Severity::Warning)).count();
        if output.format == Format::Table {
            output.listed(&findings.iter().collect::<Vec<_>>(), errors, &texts.sources);
        }
        let findings = findings.into_iter();
        let findings = findings.map(|finding| Finding::new(chart, finding, &texts.sources));
        self.findings.extend(findings);
    }
}
