//! Charts of a few files, and what becomes of their values.

use std::collections::BTreeMap;

use cairn_chart::{
    Chart, ChartType, Dependency, Dialect, Error, ImportValues, Metadata, dependencies,
    values::{self, Overrides, ValuesFile},
};
use cairn_spec::{Diagnostic, Node, Origins, SourceKind, Sources, Value};
use cairn_template::go_yaml::{self, ReadOptions};

/// Files by path.
pub(crate) type Files = BTreeMap<String, String>;

/// What one run reads and says.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) sources: Sources,
    pub(crate) origins: Origins,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) dialect: Dialect,
}

/// A chart whose dependencies are processed, and its values.
pub(crate) struct Outcome {
    pub(crate) chart: Chart,
    pub(crate) values: Node,
}

impl Run {
    pub(crate) fn read(&mut self, name: &str, text: &str) -> Node {
        let source = self.sources.add(name, text, SourceKind::PackDefaults);
        let options = ReadOptions {
            source: Some(source),
            ..ReadOptions::default()
        };
        go_yaml::read_map(text.as_bytes(), &options, &mut self.origins).unwrap()
    }

    /// The chart in a folder of `files`.
    pub(crate) fn chart(&mut self, files: &Files, folder: &str) -> Chart {
        let text = |name: &str| {
            files
                .get(&format!("{folder}{name}"))
                .map_or("", String::as_str)
        };
        let mut metadata = metadata(&self.read("Chart.yaml", text("Chart.yaml")));
        if metadata.dependencies.is_none() {
            metadata.dependencies =
                declared(&self.read("requirements.yaml", text("requirements.yaml")));
        }
        let values = self.read(&format!("{folder}values.yaml"), text("values.yaml"));
        let charts = format!("{folder}charts/");
        let mut below: Vec<&str> = files
            .keys()
            .filter_map(|path| path.strip_prefix(&charts)?.strip_suffix("/Chart.yaml"))
            .filter(|name| !name.contains('/'))
            .collect();
        below.sort_unstable();
        Chart {
            metadata,
            values,
            dependencies: below
                .into_iter()
                .map(|name| self.chart(files, &format!("{charts}{name}/")))
                .collect(),
            ..Chart::default()
        }
    }

    /// All that `helm template` does before it renders.
    pub(crate) fn outcome(
        &mut self,
        files: &Files,
        arguments: &[String],
        user_files: &Files,
    ) -> Result<Outcome, String> {
        let message = |error: Error| error.helm_message().to_owned();
        let values = self.overrides(arguments, user_files).map_err(message)?;
        let mut chart = self.chart(files, "");
        dependencies::check(&chart).map_err(message)?;
        let (origins, warnings) = (&mut self.origins, &mut self.warnings);
        dependencies::process(&mut chart, &values, self.dialect, origins, warnings)
            .map_err(|error| format!("chart dependencies processing failed: {error}"))?;
        let values =
            values::coalesce(&chart, &values, self.dialect, origins, warnings).map_err(message)?;
        Ok(Outcome { chart, values })
    }

    pub(crate) fn overrides(
        &mut self,
        arguments: &[String],
        user_files: &Files,
    ) -> Result<Node, Error> {
        let mut overrides = Overrides::default();
        for pair in arguments.chunks(2) {
            let argument = pair[1].clone();
            match pair[0].as_str() {
                "-f" => overrides.files.push(ValuesFile {
                    bytes: user_files[&argument].clone().into_bytes(),
                    name: argument,
                    kind: SourceKind::Profile,
                }),
                "--set-json" => overrides.json.push(argument),
                "--set" => overrides.values.push(argument),
                "--set-string" => overrides.strings.push(argument),
                "--set-file" => overrides.file_values.push(argument),
                "--set-literal" => overrides.literals.push(argument),
                other => panic!("{other} is no option"),
            }
        }
        let mut read_file = |path: &str| match user_files.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => Err(format!("open {path}: no such file or directory")),
        };
        let Self {
            dialect,
            sources,
            origins,
            ..
        } = self;
        overrides.merge(*dialect, sources, origins, &mut read_file)
    }
}

fn metadata(node: &Node) -> Metadata {
    Metadata {
        name: text(node, "name"),
        version: text(node, "version"),
        chart_type: match text(node, "type").as_str() {
            "library" => ChartType::Library,
            _ => ChartType::Application,
        },
        dependencies: declared(node),
        ..Metadata::default()
    }
}

fn declared(node: &Node) -> Option<Vec<Dependency>> {
    let declared = node.get("dependencies")?.as_list().unwrap();
    Some(declared.iter().map(dependency).collect())
}

fn dependency(node: &Node) -> Dependency {
    let list = |key| node.get(key).and_then(Node::as_list).unwrap_or_default();
    Dependency {
        name: text(node, "name"),
        version: text(node, "version"),
        condition: text(node, "condition"),
        alias: text(node, "alias"),
        tags: list("tags")
            .iter()
            .map(|tag| tag.as_str().unwrap().to_owned())
            .collect(),
        import_values: list("import-values").iter().map(import).collect(),
        ..Dependency::default()
    }
}

fn import(node: &Node) -> ImportValues {
    let go = |key| {
        node.get(key).map_or("<nil>".to_owned(), |node| {
            cairn_template::go::show(&node.value, 'v')
        })
    };
    match &node.value {
        Value::String(name) => ImportValues::Export(name.to_string()),
        Value::Map(_) => ImportValues::Path {
            child: go("child"),
            parent: go("parent"),
        },
        _ => ImportValues::Other(node.clone()),
    }
}

fn text(node: &Node, key: &str) -> String {
    node.get(key)
        .and_then(Node::as_str)
        .unwrap_or_default()
        .to_owned()
}
