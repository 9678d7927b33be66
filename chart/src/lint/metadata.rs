//! `Chart.yaml` and what a chart is made of.

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Map, Node, Origins, SourceKind, Sources, Span, Value, nearest};
use cairn_template::{
    go_semver::{Constraint, Version},
    go_yaml::{self, Numbers, ReadOptions},
};

use super::addresses::{is_email, is_url};
use crate::{Chart, ChartFile, ChartType};

const CODE: &str = "chart-metadata";
const FIELDS: &[&str] = &[
    "annotations",
    "apiVersion",
    "appVersion",
    "condition",
    "dependencies",
    "deprecated",
    "description",
    "home",
    "icon",
    "keywords",
    "kubeVersion",
    "maintainers",
    "name",
    "sources",
    "tags",
    "type",
    "version",
];
const MAINTAINER_FIELDS: &[&str] = &["email", "name", "url"];
const DEPENDENCY_FIELDS: &[&str] = &[
    "alias",
    "condition",
    "enabled",
    "import-values",
    "name",
    "repository",
    "tags",
    "version",
];
/// The extensions of files in `templates/`.
const TEMPLATE_EXTENSIONS: &[&str] = &["yaml", "yml", "tpl", "txt"];

/// What is wrong with a chart that can be loaded, before anything is rendered.
pub(super) fn check(
    chart: &Chart,
    files: &[ChartFile],
    name: &str,
    sources: &mut Sources,
) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if let Some(file) = files.iter().find(|file| &*file.path == "Chart.yaml") {
        let mut origins = Origins::new();
        if let Some(root) = read(
            file.bytes_or_nothing(),
            &format!("{name}/Chart.yaml"),
            sources,
            &mut origins,
        ) {
            let mut checker = Checker {
                chart,
                origins: &origins,
                root: &root,
                findings: &mut findings,
            };
            checker.fields();
            checker.identity();
            checker.people();
            checker.dependencies();
        }
    }
    check_files(chart, files, sources, &mut findings);
    findings
}

fn read(bytes: &[u8], name: &str, sources: &mut Sources, origins: &mut Origins) -> Option<Node> {
    let text = str::from_utf8(bytes).ok()?;
    let source = sources
        .find(name)
        .unwrap_or_else(|| sources.add(name, text, SourceKind::Other));
    let options = ReadOptions {
        source: Some(source),
        numbers: Numbers::AsWritten,
    };
    go_yaml::read(bytes, &options, origins).ok()
}

struct Checker<'a> {
    chart: &'a Chart,
    origins: &'a Origins,
    root: &'a Node,
    findings: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn place(&self, node: Option<&Node>) -> Option<Span> {
        let place = self.origins.span(node.unwrap_or(self.root).origin)?;
        // The whole file is no place.
        let is_root = node.is_none();
        Some(Span {
            end: if is_root { place.start } else { place.end },
            ..place
        })
    }

    fn of(&self, field: &str) -> Option<Span> {
        self.place(self.root.get(field))
    }

    fn add(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Keys that Helm passes over.
    fn fields(&mut self) {
        self.unknown(self.root, FIELDS, "Chart.yaml");
        for (field, known) in [
            ("maintainers", MAINTAINER_FIELDS),
            ("dependencies", DEPENDENCY_FIELDS),
        ] {
            let items = self.root.get(field).and_then(Node::as_list);
            for item in items.unwrap_or_default() {
                self.unknown(item, known, &format!("an item of `{field}`"));
            }
        }
    }

    fn unknown(&mut self, node: &Node, known: &[&str], of: &str) {
        let fields = node.value.as_map().map(Map::fields);
        for (key, field) in fields.into_iter().flatten() {
            // Go's decoder does not mind capitals.
            if known.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                continue;
            }
            let near = nearest(key, known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "put what Helm does not know under `annotations`".to_owned(),
            };
            let finding =
                Diagnostic::warning(CODE, format!("Helm does not know the key `{key}` of {of}"));
            self.add(finding.at(self.origins.span(field.key_origin)).hint(hint));
        }
    }

    /// What is written without quotes may be read as a number, which loses zeros at its end.
    fn texts(&mut self, fields: &[&str]) {
        for &field in fields {
            let kind = match self.root.get(field).map(|node| &node.value) {
                None | Some(Value::String(_)) => continue,
                Some(Value::Int(_) | Value::Float(_)) => "a number",
                Some(Value::Bool(_)) => "a boolean",
                Some(Value::Null) => "null",
                Some(Value::List(_) | Value::Map(_)) => "no scalar",
            };
            self.add(
                Diagnostic::error(CODE, format!("`{field}` is {kind}, not a text"))
                    .at(self.of(field))
                    .hint(format!("put it in quotes: `{field}: \"…\"`")),
            );
        }
    }

    fn identity(&mut self) {
        let metadata = &self.chart.metadata;
        if !matches!(metadata.api_version.as_str(), "v1" | "v2")
            || self.root.get("apiVersion").is_none()
        {
            self.add(
                Diagnostic::error(CODE, "`apiVersion` is missing")
                    .at(self.of("apiVersion"))
                    .hint("write `apiVersion: v2`"),
            );
        }
        self.texts(&["version", "appVersion"]);
        let version = &metadata.version;
        if Version::parse_strict(version).is_err() {
            self.add(
                Diagnostic::warning(
                    CODE,
                    format!("the version `{version}` is no complete semantic version"),
                )
                .at(self.of("version"))
                .hint("write it as in `1.2.3`, without a `v`"),
            );
        } else if matches!(version.split('+').next(), Some("0.0.0")) {
            self.add(
                Diagnostic::warning(
                    CODE,
                    "the version `0.0.0` is below all that constraints choose",
                )
                .at(self.of("version"))
                .hint("begin with `0.1.0`"),
            );
        }
        let constraint = &metadata.kube_version;
        if !constraint.is_empty() && Constraint::parse(constraint).is_err() {
            self.add(
                Diagnostic::error(
                    CODE,
                    format!("`{constraint}` is no constraint on versions of Kubernetes"),
                )
                .at(self.of("kubeVersion"))
                .hint("write it as in `>=1.25.0-0`"),
            );
        }
        if metadata.api_version == "v1" && metadata.chart_type != ChartType::Unspecified {
            self.add(
                Diagnostic::error(CODE, "charts of `apiVersion: v1` have no `type`")
                    .at(self.of("type"))
                    .hint("write `apiVersion: v2`"),
            );
        }
        if metadata.api_version == "v1" && self.root.get("dependencies").is_some() {
            self.add(
                Diagnostic::error(
                    CODE,
                    "charts of `apiVersion: v1` have their dependencies in `requirements.yaml`",
                )
                .at(self.of("dependencies"))
                .hint("write `apiVersion: v2`"),
            );
        }
    }

    fn people(&mut self) {
        let items = self.root.get("maintainers").and_then(Node::as_list);
        let maintainers = items
            .unwrap_or_default()
            .iter()
            .zip(&self.chart.metadata.maintainers);
        let mut found = Vec::new();
        for (node, maintainer) in maintainers {
            if maintainer.name.is_empty() {
                let finding =
                    Diagnostic::error(CODE, "a maintainer has no name").at(self.place(Some(node)));
                found.push(finding.hint("write `name`"));
            }
            if !maintainer.email.is_empty() && !is_email(&maintainer.email) {
                let finding =
                    Diagnostic::warning(CODE, format!("`{}` is no mail address", maintainer.email));
                found.push(
                    finding
                        .at(self.place(node.get("email")))
                        .hint("write one as in `ann@example.com`, or `url`"),
                );
            }
            if !maintainer.url.is_empty() && !is_url(&maintainer.url) {
                let finding = Diagnostic::warning(CODE, format!("`{}` is no URL", maintainer.url));
                found.push(
                    finding
                        .at(self.place(node.get("url")))
                        .hint("begin with `https://`"),
                );
            }
        }
        let urls = self
            .root
            .get("sources")
            .and_then(Node::as_list)
            .unwrap_or_default()
            .iter();
        let urls = urls
            .chain(self.root.get("icon"))
            .chain(self.root.get("home"));
        for node in urls {
            let Some(url) = node.as_str().filter(|url| !url.is_empty() && !is_url(url)) else {
                continue;
            };
            let finding = Diagnostic::warning(CODE, format!("`{url}` is no URL"));
            found.push(
                finding
                    .at(self.place(Some(node)))
                    .hint("begin with `https://`"),
            );
        }
        if self.chart.metadata.icon.is_empty() {
            let finding = Diagnostic::advice(CODE, "the chart has no icon, which catalogues show");
            found.push(
                finding
                    .at(self.place(None))
                    .hint("write `icon: URL` in `Chart.yaml`"),
            );
        }
        self.findings.extend(found);
    }

    fn dependencies(&mut self) {
        let Some(declared) = &self.chart.metadata.dependencies else {
            return;
        };
        let is_there = |name: &str| {
            self.chart
                .dependencies
                .iter()
                .any(|below| below.name() == name)
        };
        let items = self
            .root
            .get("dependencies")
            .and_then(Node::as_list)
            .unwrap_or_default();
        let mut found = Vec::new();
        for (index, dependency) in declared.iter().enumerate() {
            let node = items.get(index);
            if !is_there(&dependency.name) {
                let message = format!("the chart `{}` is not in `charts/`", dependency.name);
                let finding = Diagnostic::warning("chart-dependencies", message);
                found.push(
                    finding
                        .at(self.place(node))
                        .hint("run `helm dependency build` to fetch it"),
                );
            }
            let place = self.place(node.and_then(|node| node.get("version")).or(node));
            if dependency.version.is_empty() || Constraint::parse(&dependency.version).is_err() {
                let message = format!(
                    "`{}` has no range of versions that can be read",
                    dependency.name
                );
                let finding = Diagnostic::error("chart-dependencies", message);
                found.push(finding.at(place).hint("write `version` as in `^1.2.0`"));
            }
        }
        let names: BTreeSet<&str> = declared
            .iter()
            .map(|dependency| dependency.name.as_str())
            .collect();
        for below in &self.chart.dependencies {
            if !names.contains(below.name()) {
                let message = format!(
                    "`Chart.yaml` does not name the chart `{}` in `charts/`",
                    below.name()
                );
                let finding =
                    Diagnostic::warning("chart-dependencies", message).at(self.of("dependencies"));
                found.push(
                    finding
                        .hint("name it under `dependencies`, or remove it: it is always rendered"),
                );
            }
        }
        self.findings.extend(found);
    }
}

fn check_files(
    chart: &Chart,
    files: &[ChartFile],
    sources: &Sources,
    findings: &mut Vec<Diagnostic>,
) {
    let is_there = |path: &str| files.iter().any(|file| &*file.path == path);
    if !is_there("values.yaml") {
        let finding = Diagnostic::advice("chart-files", "the chart has no `values.yaml`");
        findings.push(finding.hint("write one, so that others see what can be set"));
    }
    let renders_others = !chart.dependencies.is_empty() || chart.metadata.dependencies.is_some();
    if chart.templates.is_empty()
        && !renders_others
        && !files.iter().any(|file| file.path.starts_with("crds/"))
    {
        let finding = Diagnostic::warning(
            "chart-files",
            "the chart has no `templates/`, and so renders nothing",
        );
        findings.push(finding.hint("write templates, or `dependencies`"));
    }
    for template in &chart.templates {
        let name = template.path.rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        // What only holds definitions may be called anything.
        let is_known = TEMPLATE_EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension));
        if name.starts_with('_') || is_known || sources.get(template.source).text.trim().is_empty()
        {
            continue;
        }
        let start = Span {
            source: template.source,
            start: 0,
            end: 0,
        };
        let message = format!(
            "Helm renders `{}` as a manifest, whatever it is",
            template.path
        );
        let finding = Diagnostic::warning("chart-files", message).at(start);
        findings.push(
            finding
                .hint("call it `.yaml`, `.yml`, `.tpl` or `.txt`, or move it out of `templates/`"),
        );
    }
}

/// What is in a file of `crds/`.
pub(super) fn check_crds(chart: &Chart, name: &str, sources: &mut Sources) -> Vec<Diagnostic> {
    let mut crds = Vec::new();
    let own = Chart {
        dependencies: Vec::new(),
        ..chart.clone()
    };
    crate::release::add_crds(&own, name, &mut crds);
    let mut findings = Vec::new();
    for crd in crds {
        let bytes = crd.bytes_or_nothing();
        let Ok(text) = str::from_utf8(bytes) else {
            continue;
        };
        let source = sources.add(crd.path.to_string(), text, SourceKind::Other);
        for document in crate::manifest::split(bytes, crate::Dialect::Helm4) {
            let at = |offset: usize| {
                let at = u32::try_from(document.start + offset).unwrap_or(u32::MAX);
                Span {
                    source,
                    start: at,
                    end: at,
                }
            };
            let options = ReadOptions {
                source: None,
                numbers: Numbers::AsWritten,
            };
            let bytes = bytes.get(document.clone()).unwrap_or_default();
            let node = match go_yaml::read(bytes, &options, &mut Origins::new()) {
                Ok(node) => node,
                Err(error) => {
                    let offset = error.place().map_or(0, |place| place.offset);
                    let finding =
                        Diagnostic::error("chart-manifest", error.to_string()).at(at(offset));
                    findings
                        .push(finding.hint("files in `crds/` are no templates: write plain YAML"));
                    continue;
                }
            };
            let text = |key: &str| node.get(key).and_then(Node::as_str).unwrap_or_default();
            let is_crd = text("kind") == "CustomResourceDefinition"
                && text("apiVersion").starts_with("apiextensions.k8s.io/");
            if node.value != Value::Null && !is_crd {
                let finding = Diagnostic::error(
                    "chart-object",
                    "only CustomResourceDefinitions belong in `crds/`",
                )
                .at(at(0));
                findings.push(finding.hint("move it to `templates/`"));
            }
        }
    }
    findings
}
