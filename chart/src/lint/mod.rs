//! What looks like a mistake in a chart and in the values that are given to it: findings for
//! people, of which only errors keep it from being installed.
//!
//! Values are looked at in two ways: what renders read of them, and what the templates name in
//! the branches that were not taken. A value is called unused, unknown or undefined only where
//! both agree.

mod addresses;
mod api_versions;
mod known;
mod manifests;
mod metadata;
mod object_names;
mod reads;
mod trial;
mod undefined;
mod unused;
mod user_values;

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Node, Origins, Sources, nearest};

use self::{
    known::{Known, Shared},
    reads::ChartReads,
    trial::Trial,
};
use crate::{Chart, ChartFile, ChartType, Dialect, RenderOptions, load_as};

/// The most findings of one chart that are collected.
const MAX_FINDINGS: usize = 1_000;

/// Longer keys are not compared with others.
const MAX_COMPARED_BYTES: usize = 64;

/// The key that is meant, where one is near.
fn near<'k>(key: &str, candidates: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if key.len() > MAX_COMPARED_BYTES {
        return None;
    }
    nearest(
        key,
        candidates.filter(|candidate| candidate.len() <= MAX_COMPARED_BYTES),
    )
}

/// What was found, each once.
#[derive(Debug, Default)]
struct Findings {
    all: Vec<Diagnostic>,
}

impl Findings {
    fn push(&mut self, finding: Diagnostic) {
        if !self.is_full() && !self.all.contains(&finding) {
            self.all.push(finding);
        }
    }

    fn extend(&mut self, findings: impl IntoIterator<Item = Diagnostic>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    fn is_full(&self) -> bool {
        self.all.len() >= MAX_FINDINGS
    }
}

/// Looks at a chart with the user's `values`, which are rendered as `options` say.
///
/// `files` are those of the chart, and `name` stands for its folder or archive. Charts in
/// `charts/` are loaded and rendered with it, but findings are about the chart itself, about the
/// user's values, and about what keeps the whole from rendering.
///
/// ```
/// use cairn_chart::{ChartFile, RenderOptions, lint::lint};
/// use cairn_spec::{Map, Node, Origins, Sources};
///
/// let files = vec![
///     ChartFile::new("Chart.yaml", "{apiVersion: v2, name: web, version: 1.2.3, icon: https://example.com/web.svg}"),
///     ChartFile::new("values.yaml", "replicaCont: 1"),
///     ChartFile::new("templates/web.yaml", "{{ if .Values.web }}replicas: {{ .Values.replicaCount }}{{ end }}"),
/// ];
/// let (mut sources, mut origins) = (Sources::new(), Origins::new());
/// let values = Node::generated(Map::new());
/// let options = RenderOptions::new("web");
/// let texts = (&mut sources, &mut origins);
/// let findings = lint(&files, "web", &values, &options, texts);
/// let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
/// assert_eq!(
///     messages,
///     [
///         "`.Values.replicaCount` is read, but nothing sets `replicaCount`",
///         "no template reads the value `replicaCont`",
///     ]
/// );
/// ```
pub fn lint(
    files: &[ChartFile],
    name: &str,
    values: &Node,
    options: &RenderOptions<'_>,
    (sources, origins): (&mut Sources, &mut Origins),
) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    let chart = match load_as(options.dialect, files.to_vec(), name, sources, origins) {
        Ok(chart) => chart,
        Err(error) => {
            findings.push(error.into_explained());
            return findings.all;
        }
    };
    findings.extend(metadata::check(&chart, files, name, sources));
    findings.extend(metadata::check_crds(&chart, name, sources));
    let mut reads = ChartReads::of(&chart, sources);
    reads.add_values(values);
    let shared = Shared::of(&reads);
    let known = Known::by(&reads, &shared);
    user_values::check(values, &known, &reads, (sources, origins), &mut findings);
    if chart.metadata.chart_type != ChartType::Library && is_complete(&chart, options.dialect) {
        let mut linter = Linter {
            chart: &chart,
            reads: &reads,
            known: &known,
            options,
            findings: &mut findings,
        };
        linter.renders(values, files, (sources, origins));
    }
    let unread = files.iter().find_map(|file| file.content().failure());
    findings.extend(unread.map(|error| error.clone().into_explained()));
    findings.all
}

/// Whether all charts are there that it needs.
fn is_complete(chart: &Chart, dialect: Dialect) -> bool {
    crate::dependencies::check(chart, dialect).is_ok()
}

struct Linter<'l> {
    chart: &'l Chart,
    reads: &'l ChartReads<'l>,
    known: &'l Known<'l>,
    options: &'l RenderOptions<'l>,
    findings: &'l mut Findings,
}

impl Linter<'_> {
    /// What renders show: one with the user's values, and one with each of the chart's examples.
    fn renders(
        &mut self,
        values: &Node,
        files: &[ChartFile],
        (sources, origins): (&mut Sources, &mut Origins),
    ) {
        let trial = Trial::of(self.chart, values, self.options, sources, origins);
        let is_whole = trial.is_whole;
        self.findings.extend(trial.findings);
        let own = format!("{}/templates/", self.chart.name());
        let version = &self.options.capabilities.kube_version;
        let minor = version
            .minor
            .trim_end_matches('+')
            .parse()
            .unwrap_or(u64::MAX);
        let target = (minor, self.options.dialect);
        manifests::check(&trial.files, &own, target, sources, self.findings);
        let examples = trial::examples(files, origins);
        let Some(rendered) = trial.values.filter(|_| is_whole) else {
            return;
        };
        let shown = [trial::shown(files, origins), examples.clone()].concat();
        undefined::check(self.reads, &rendered, &shown, sources, self.findings);
        let mut read: BTreeSet<String> = trial.read;
        for example in &examples {
            let trial = Trial::of(self.chart, example, self.options, sources, origins);
            read.extend(trial.read);
        }
        unused::check(
            self.reads,
            self.known,
            &read,
            (sources, origins),
            self.findings,
        );
    }
}
