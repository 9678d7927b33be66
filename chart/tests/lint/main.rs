//! Findings about charts and about the values that are given to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod metadata;
mod objects;
mod values;

use cairn_chart::{ChartFile, KubeVersion, RenderOptions, lint::lint};
use cairn_spec::{Diagnostic, Map, Node, Origins, Severity, SourceKind, Sources};
use cairn_template::go_yaml::{self, ReadOptions};

const METADATA: &str =
    "{apiVersion: v2, name: web, version: 1.0.0, icon: https://example.com/web.svg}";

/// A chart with these files, and a `Chart.yaml` and `values.yaml` that nothing is to be said of.
fn findings(files: &[(&str, &str)]) -> Vec<String> {
    findings_with(files, "", None)
}

/// As [`findings`], with the user's values, for a version of Kubernetes.
fn findings_with(files: &[(&str, &str)], user: &str, kube_version: Option<&str>) -> Vec<String> {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let mut values = Node::generated(Map::new());
    if !user.is_empty() {
        let source = sources.add("my.yaml", user, SourceKind::Profile);
        let options = ReadOptions {
            source: Some(source),
            ..ReadOptions::default()
        };
        values = go_yaml::read_map(user.as_bytes(), &options, &mut origins).unwrap();
    }
    let mut files: Vec<ChartFile> = files
        .iter()
        .map(|&(path, text)| ChartFile::new(path, text.to_owned()))
        .collect();
    for (path, text) in [("Chart.yaml", METADATA), ("values.yaml", "")] {
        if files.iter().all(|file| &*file.path != path) {
            files.push(ChartFile::new(path, text));
        }
    }
    let mut options = RenderOptions::new("demo");
    if let Some(version) = kube_version {
        options.capabilities.kube_version = KubeVersion::parse(version).unwrap();
    }
    let all = lint(
        &files,
        "web",
        &values,
        &options,
        (&mut sources, &mut origins),
    );
    let all = all.iter().map(|finding| shown(finding, &sources));
    // Of what is rendered only tests of objects care.
    all.filter(|finding| !finding.contains("renders an object without"))
        .collect()
}

/// `SEVERITY[CODE] PLACE MESSAGE (HINT)`
fn shown(finding: &Diagnostic, sources: &Sources) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    };
    let place = finding
        .labels
        .first()
        .map_or_else(|| "-".to_owned(), |label| sources.locate(label.span));
    let hint = finding.hint.as_deref().unwrap_or("no hint");
    format!(
        "{severity}[{}] {place} {} ({hint})",
        finding.code, finding.message
    )
}
