//! Renders of a chart to see what comes of it: all templates are tried, also after one failed.

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Map, Node, Origins, Severity, Sources, Value};
use cairn_template::go_yaml::{self, ReadOptions};

use crate::{
    Chart, ChartFile, Error, RenderOptions, dependencies, engine, manifest::RenderedFile,
    release_object::ReleaseObject, render, schema, values,
};

/// The most examples of values that are rendered.
const MAX_EXAMPLES: usize = 20;
/// Where charts keep values to be tested with.
const EXAMPLE_FOLDER: &str = "ci/";

/// What came of a render.
#[derive(Debug, Default)]
pub(super) struct Trial {
    pub(super) files: Vec<RenderedFile>,
    /// The values that the templates saw, unless these could not be made.
    pub(super) values: Option<Node>,
    /// JSON Pointers to what of them was read.
    pub(super) read: BTreeSet<String>,
    pub(super) findings: Vec<Diagnostic>,
    /// Every template was rendered to its end.
    pub(super) is_whole: bool,
}

impl Trial {
    pub(super) fn of(
        chart: &Chart,
        user: &Node,
        options: &RenderOptions<'_>,
        sources: &mut Sources,
        origins: &mut Origins,
    ) -> Self {
        let mut trial = Self::default();
        if let Err(error) = trial.render(chart.clone(), user, options, (sources, origins)) {
            trial.findings.push(error.into_explained());
            trial.is_whole = false;
        }
        trial
    }

    fn render(
        &mut self,
        mut chart: Chart,
        user: &Node,
        options: &RenderOptions<'_>,
        (sources, origins): (&mut Sources, &mut Origins),
    ) -> Result<(), Error> {
        let dialect = options.dialect;
        dependencies::process(&mut chart, user, dialect, origins, &mut self.findings)?;
        let values = values::coalesce(&chart, user, dialect, origins, &mut self.findings)?;
        if !options.skips_schema
            && let Err(error) = schema::validate(&chart, &values, origins)
        {
            self.findings.push(error.into_explained());
        }
        if let Err(error) = render::check_kube_version(&chart, &options.capabilities, dialect) {
            let finding = error.into_explained();
            self.findings.push(Diagnostic {
                severity: Severity::Warning,
                ..finding
            });
        }
        let options = RenderOptions {
            provenance: true,
            ..options.clone()
        };
        let release = ReleaseObject::new(&options, sources, origins);
        let all = engine::execute_all(&chart, (&values, &release), &options, (sources, origins));
        self.is_whole = all.failures.is_empty();
        let is_without_values = user.as_map().is_none_or(Map::is_empty);
        let failures = all.failures.into_iter().map(Error::into_explained);
        self.findings.extend(failures.map(|finding| {
            if is_without_values && is_refusal(&finding) {
                asks_for_values(finding)
            } else {
                finding
            }
        }));
        self.files = all.files;
        self.read = all.read;
        self.values = Some(values);
        Ok(())
    }
}

/// The template says itself that it does not want the values.
fn is_refusal(finding: &Diagnostic) -> bool {
    matches!(finding.code, "template-required" | "template-fail")
}

/// Charts may ask for values that they have no default for.
fn asks_for_values(finding: Diagnostic) -> Diagnostic {
    Diagnostic {
        message: format!("the chart asks for values: {}", finding.message),
        notes: Vec::new(),
        hint: Some("give them with `-f` or `--set` to look at all that it renders".to_owned()),
        severity: Severity::Advice,
        ..finding
    }
}

/// Values that the chart's authors test it with.
pub(super) fn examples(files: &[ChartFile], origins: &mut Origins) -> Vec<Node> {
    read_values(files, origins, |path| path.starts_with(EXAMPLE_FOLDER))
}

/// Values that the chart's authors show beside its own.
pub(super) fn shown(files: &[ChartFile], origins: &mut Origins) -> Vec<Node> {
    read_values(files, origins, |path| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_elsewhere = ["templates/", "charts/", EXAMPLE_FOLDER]
            .iter()
            .any(|folder| path.starts_with(folder));
        name.contains("values") && path != "values.yaml" && !is_elsewhere
    })
}

fn read_values(
    files: &[ChartFile],
    origins: &mut Origins,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<Node> {
    let is_yaml = |path: &str| matches!(path.rsplit_once('.'), Some((_, "yaml" | "yml")));
    let files = files
        .iter()
        .filter(|file| is_yaml(&file.path) && is_wanted(&file.path));
    files
        .take(MAX_EXAMPLES)
        .filter_map(|file| {
            let bytes = file.bytes_or_nothing();
            go_yaml::read_map(bytes, &ReadOptions::default(), origins).ok()
        })
        .filter(|node| matches!(node.value, Value::Map(_)))
        .collect()
}
