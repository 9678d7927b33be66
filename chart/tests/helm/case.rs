//! One call of `helm template`, what Helm answered, and what Cairn answers.

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use cairn_chart::{
    Capabilities, Dialect, KubeVersion, ManifestOptions, PrintedHooks, RenderOptions, load_as,
    render,
    values::{Overrides, ValuesFile},
};
use cairn_spec::{Origins, SourceKind, Sources};

use crate::folder;

/// What Helm puts behind errors of templates.
const DEBUG_HINT: &str = "\n\nUse --debug flag to render out invalid YAML";

/// One call of `helm template RELEASE CHART ARGS`.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Case {
    chart: String,
    name: String,
    release: String,
    args: Vec<String>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.chart, self.name, self.args.join(" "))
    }
}

/// An answer, for people.
pub(crate) struct Shown<'a>(pub(crate) &'a Result<Vec<u8>, String>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(output) => write!(f, "{:?}", String::from_utf8_lossy(output)),
            Err(error) => write!(f, "error: {error:?}"),
        }
    }
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata")
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let text = fs::read(testdata().join("cases.json")).expect("there are cases");
        serde_json::from_slice(&text).expect("the cases are valid")
    }

    /// What Helm answered. For Helm 3 that is recorded where it is not what Helm 4 answered.
    pub(crate) fn recorded(&self, dialect: Dialect) -> Result<Vec<u8>, String> {
        let recorded = match dialect {
            Dialect::Helm4 => None,
            Dialect::Helm3 => self.recorded_in("answers-of-helm-3"),
        };
        let recorded = recorded.or_else(|| self.recorded_in("answers"));
        recorded.expect("the answer is recorded")
    }

    fn recorded_in(&self, folder: &str) -> Option<Result<Vec<u8>, String>> {
        let answers = testdata().join(folder).join(&self.chart);
        if let Ok(output) = fs::read(answers.join(format!("{}.yaml", self.name))) {
            return Some(Ok(output));
        }
        let error = fs::read_to_string(answers.join(format!("{}.error", self.name)));
        Some(Err(error.ok()?.trim_end().to_owned()))
    }

    /// What a Helm that is there answers.
    pub(crate) fn ask(&self, helm: impl AsRef<OsStr>) -> Result<Vec<u8>, String> {
        let output = Command::new(helm)
            .current_dir(testdata())
            .args(["template", &self.release, &self.chart])
            .args(&self.args)
            .output()
            .expect("helm runs");
        if output.status.success() {
            return Ok(output.stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let error = stderr.rsplit_once("Error: ").map_or("", |(_, error)| error);
        let error = error.trim_end();
        Err(error.strip_suffix(DEBUG_HINT).unwrap_or(error).to_owned())
    }

    /// What Cairn answers.
    pub(crate) fn render(&self, dialect: Dialect) -> Result<Vec<u8>, String> {
        let mut call = Call::new(&self.release, dialect);
        call.arguments(&self.args)?;
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let message = |error: cairn_chart::Error| error.helm_message().trim_end().to_owned();
        let mut read =
            |path: &str| fs::read(testdata().join(path)).map_err(|error| error.to_string());
        let values = call
            .overrides
            .merge(dialect, &mut sources, &mut origins, &mut read)
            .map_err(message)?;
        let files = folder::read(&testdata().join(&self.chart));
        let chart =
            load_as(dialect, files, &self.chart, &mut sources, &mut origins).map_err(message)?;
        let release = render(chart, &values, &call.render, &mut sources, &mut origins);
        let release = release.map_err(message)?;
        release.manifest(&call.manifest).map_err(message)
    }
}

/// The arguments of a call, as the command line reads them.
struct Call {
    render: RenderOptions<'static>,
    manifest: ManifestOptions,
    overrides: Overrides,
}

impl Call {
    fn new(release: &str, dialect: Dialect) -> Self {
        Self {
            render: RenderOptions {
                dialect,
                capabilities: Capabilities::default_of_helm(dialect),
                ..RenderOptions::new(release)
            },
            manifest: ManifestOptions::default(),
            overrides: Overrides::default(),
        }
    }

    fn arguments(&mut self, arguments: &[String]) -> Result<(), String> {
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().expect("the flag has a value").clone();
            match name.as_str() {
                "--is-upgrade" => self.render.is_upgrade = true,
                "--skip-schema-validation" => self.render.skips_schema = true,
                "--include-crds" => self.manifest.includes_crds = true,
                "--no-hooks" => self.manifest.hooks = PrintedHooks::None,
                "--skip-tests" if self.manifest.hooks == PrintedHooks::All => {
                    self.manifest.hooks = PrintedHooks::WithoutTests;
                }
                "--skip-tests" => {}
                "--namespace" => self.render.namespace = value(),
                "--show-only" | "-s" => self.manifest.show_only.push(value()),
                "--kube-version" => {
                    let version = KubeVersion::parse(&value());
                    self.render.capabilities.kube_version =
                        version.map_err(|error| error.to_string())?;
                }
                "--api-versions" | "-a" => {
                    let versions = value();
                    let versions = versions.split(',').map(str::to_owned);
                    self.render.capabilities.api_versions.extend(versions);
                }
                "--values" | "-f" => {
                    let path = value();
                    let bytes = fs::read(testdata().join(&path)).expect("the file is there");
                    self.overrides.files.push(ValuesFile {
                        name: path,
                        bytes,
                        kind: SourceKind::Profile,
                    });
                }
                "--set" => self.overrides.values.push(value()),
                "--set-string" => self.overrides.strings.push(value()),
                "--set-json" => self.overrides.json.push(value()),
                "--set-file" => self.overrides.file_values.push(value()),
                "--set-literal" => self.overrides.literals.push(value()),
                other => panic!("there is no flag {other}"),
            }
        }
        Ok(())
    }
}
