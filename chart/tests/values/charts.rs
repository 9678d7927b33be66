//! Charts of a few files, and what becomes of their values.

use std::collections::BTreeMap;

use cairn_chart::{
    Chart, ChartFile, Dialect, Error, dependencies, load,
    values::{self, Overrides, ValuesFile},
};
use cairn_spec::{Diagnostic, Node, Origins, SourceKind, Sources};

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
    /// The chart in a folder of `files`.
    pub(crate) fn chart(&mut self, files: &Files) -> Chart {
        let files = files
            .iter()
            .map(|(path, text)| ChartFile::new(path.as_str(), text.clone().into_bytes()));
        load(files.collect(), "p", &mut self.sources, &mut self.origins).unwrap()
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
        let mut chart = self.chart(files);
        dependencies::check(&chart, self.dialect).map_err(message)?;
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

pub(crate) fn files(files: &[(&str, &str)]) -> Files {
    files
        .iter()
        .map(|&(path, text)| (path.to_owned(), text.to_owned()))
        .collect()
}
