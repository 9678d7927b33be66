//! Makes a chart of its files, as Helm does.

mod ahead;
mod chart_yaml;
mod subcharts;
mod validate;
mod values;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use cairn_spec::{
    Diagnostic, Map, Node, OriginId, Origins, SourceId, SourceKind, Sources, Span, Value,
};
use cairn_template::go_yaml::{self, Numbers, ReadError, ReadOptions};

use self::chart_yaml::Decoded;
use crate::{
    Chart, ChartFile, ChartTemplate, Dialect, Error, MAX_LOADED_BYTES, MAX_LOADED_FILES,
    archive::{self, not_an_archive},
    go_decode::Mistyped,
    limits::ChartLimits,
};

/// Loads the chart that is made of `files`, with all charts in its `charts/`.
///
/// `name` stands in messages for the chart's folder or archive. The texts that errors and origins
/// point at are added to `sources`, the origins of values to `origins`.
///
/// ```
/// use cairn_chart::{ChartFile, load};
/// use cairn_spec::{Origins, Sources};
///
/// let files = vec![
///     ChartFile::new("Chart.yaml", "{apiVersion: v2, name: web, version: 1.2.3}"),
///     ChartFile::new("values.yaml", "replicas: 2"),
///     ChartFile::new("templates/service.yaml", "kind: Service"),
/// ];
/// let chart = load(files, "web", &mut Sources::new(), &mut Origins::new()).unwrap();
/// assert_eq!(chart.metadata.version, "1.2.3");
/// assert_eq!(&*chart.templates[0].path, "templates/service.yaml");
/// ```
pub fn load(
    files: Vec<ChartFile>,
    name: &str,
    sources: &mut Sources,
    origins: &mut Origins,
) -> Result<Chart, Error> {
    load_as(Dialect::Helm4, files, name, sources, origins)
}

/// As [`load`], as a generation of Helm does.
pub fn load_as(
    dialect: Dialect,
    files: Vec<ChartFile>,
    name: &str,
    sources: &mut Sources,
    origins: &mut Origins,
) -> Result<Chart, Error> {
    let mut loader = Loader::new(dialect, sources, origins);
    loader.take(&files)?;
    loader.chart(files, name)
}

/// Loads a chart that is packed as `.tgz`. `name` is its path, which Helm's messages show.
pub fn load_archive(
    bytes: &[u8],
    name: &str,
    sources: &mut Sources,
    origins: &mut Origins,
) -> Result<Chart, Error> {
    load_archive_as(Dialect::Helm4, bytes, name, sources, origins)
}

/// As [`load_archive`], as a generation of Helm does.
pub fn load_archive_as(
    dialect: Dialect,
    bytes: &[u8],
    name: &str,
    sources: &mut Sources,
    origins: &mut Origins,
) -> Result<Chart, Error> {
    if let Some(problem) = not_an_archive(bytes, name) {
        return Err(problem);
    }
    let files = archive::read(bytes, &ChartLimits::HELM).map_err(|failure| {
        let message = if failure.is_no_gzip() {
            format!("file '{name}' does not appear to be a valid chart file (details: {failure})")
        } else {
            match dialect {
                Dialect::Helm4 => "unable to load chart archive".to_owned(),
                Dialect::Helm3 => failure.helm_3_message(),
            }
        };
        Error::new(message, failure.diagnostic(name))
    })?;
    if dialect == Dialect::Helm4 && !files.iter().any(|file| &*file.path == "Chart.yaml") {
        let message = "unable to detect chart version, no Chart.yaml found";
        let diagnostic = Diagnostic::error("chart-files", format!("`{name}` has no `Chart.yaml`"))
            .hint("pack the chart's folder with `helm package`, with `Chart.yaml` at its top");
        return Err(Error::new(message, diagnostic));
    }
    load_as(dialect, files, name, sources, origins)
}

/// Whether loading a chart looks into its file at `path`; of all others it wants to know that they
/// are there and how long they are.
///
/// ```
/// use cairn_chart::loads;
///
/// assert!(loads("charts/cache/values.yaml") && loads("charts/queue-1.2.3.tgz"));
/// assert!(!loads("crds/web.yaml") && !loads("charts/cache/README.md"));
/// ```
pub fn loads(path: &str) -> bool {
    match path.strip_prefix("charts/") {
        Some(below) => loads_below_charts(below),
        None => loads_own(path),
    }
}

/// As [`loads`], of a path below `charts/`.
fn loads_below_charts(mut path: &str) -> bool {
    loop {
        let Some((_, below)) = path.split_once('/') else {
            return extension(path) == Some("tgz");
        };
        match below.strip_prefix("charts/") {
            Some(deeper) => path = deeper,
            None => return loads_own(below),
        }
    }
}

/// As [`loads`], of a path that is not below `charts/`.
fn loads_own(path: &str) -> bool {
    path.starts_with("templates/")
        || matches!(
            path,
            "Chart.yaml"
                | "Chart.lock"
                | "requirements.yaml"
                | "requirements.lock"
                | "values.yaml"
                | "values.schema.json"
        )
}

/// What is shared while a chart and the charts in it are loaded.
struct Loader<'l> {
    dialect: Dialect,
    sources: &'l mut Sources,
    origins: &'l mut Origins,
    bytes_left: u64,
    files_left: usize,
    depth: usize,
}

impl<'l> Loader<'l> {
    fn new(dialect: Dialect, sources: &'l mut Sources, origins: &'l mut Origins) -> Self {
        Self {
            dialect,
            sources,
            origins,
            bytes_left: MAX_LOADED_BYTES,
            files_left: MAX_LOADED_FILES,
            depth: 0,
        }
    }

    /// Counts files against the limits of the whole chart.
    fn take(&mut self, files: &[ChartFile]) -> Result<(), Error> {
        let bytes: u64 = files.iter().map(ChartFile::length).sum();
        let (Some(bytes_left), Some(files_left)) = (
            self.bytes_left.checked_sub(bytes),
            self.files_left.checked_sub(files.len()),
        ) else {
            let mib = MAX_LOADED_BYTES >> 20;
            return Err(over_limit(format!(
                "the chart and the charts in it hold more than {MAX_LOADED_FILES} files or {mib} MiB"
            )));
        };
        (self.bytes_left, self.files_left) = (bytes_left, files_left);
        Ok(())
    }

    /// Of the outermost chart, Helm 4 looks at the version of the format first of all.
    fn check_api_version(&self, node: &Node) -> Result<(), Error> {
        let version = chart_yaml::api_version(node)
            .map_err(|mistyped| self.mistyped("Chart.yaml", mistyped))?;
        if matches!(version.as_str(), "" | "v1" | "v2") {
            return Ok(());
        }
        let place = node.get("apiVersion").map(|node| node.origin);
        let diagnostic = Diagnostic::error(
            "chart-metadata",
            format!("charts of `apiVersion: {version}` are not supported"),
        )
        .at(self.place(place))
        .hint("`v2` is what Helm 3 and 4 read, `v1` what Helm 2 read");
        let message = match version.as_str() {
            // Helm 4 has a loader for these, and then nothing that takes what it gives.
            "v3" => "invalid chart apiVersion",
            _ => "unsupported chart version",
        };
        Err(Error::new(message, diagnostic))
    }

    /// Helm's `LoadFiles`.
    fn chart(&mut self, files: Vec<ChartFile>, name: &str) -> Result<Chart, Error> {
        let mut metadata = None;
        let mut root = None;
        for file in files.iter().filter(|file| &*file.path == "Chart.yaml") {
            let text = self.text(file, name)?;
            let node = self.read(&file.path, &text)?;
            if self.dialect == Dialect::Helm4 && self.depth == 0 && metadata.is_none() {
                self.check_api_version(&node)?;
            }
            let decoded: &mut Decoded = metadata.get_or_insert_default();
            self.decode(&file.path, &node, decoded)?;
            root = Some(node);
            if decoded.metadata.api_version.is_empty() {
                decoded.metadata.api_version.push_str("v1");
            }
        }
        let mut parts = Parts::default();
        for file in files {
            self.sort_in(file, name, &mut metadata, &mut parts)?;
        }
        let Some(metadata) = metadata else {
            let diagnostic =
                Diagnostic::error("chart-files", format!("`{name}` has no `Chart.yaml`"))
                    .hint("a chart needs one at its top, with apiVersion, name and version");
            return Err(Error::new("Chart.yaml file is missing", diagnostic));
        };
        let metadata = validate::validate(metadata).map_err(|invalid| {
            let field = root
                .as_ref()
                .and_then(|root: &Node| root.get(invalid.field));
            let place = field.or(root.as_ref()).map(|node| node.origin);
            let message = invalid.message.trim_start_matches("validation: ");
            let diagnostic = Diagnostic::error("chart-metadata", message).at(self.place(place));
            Error::new(
                invalid.message.clone(),
                diagnostic.hint(format!("correct `{}` in `Chart.yaml`", invalid.field)),
            )
        })?;
        let dependencies = self.subcharts(parts.subcharts, &metadata.name, name)?;
        Ok(Chart {
            metadata,
            values: parts.values.unwrap_or_else(values::empty),
            values_source: parts.values_source,
            schema: parts.schema,
            templates: parts.templates,
            files: parts.files,
            dependencies,
            switched_on_by: Vec::new(),
            metadata_places: root.as_ref().map(places).unwrap_or_default(),
        })
    }

    /// Puts a file where it belongs in a chart.
    fn sort_in(
        &mut self,
        file: ChartFile,
        name: &str,
        metadata: &mut Option<Decoded>,
        parts: &mut Parts,
    ) -> Result<(), Error> {
        match &*file.path {
            "Chart.yaml" => {}
            "Chart.lock" => self.check_lock(&file, name)?,
            "values.yaml" => {
                let text = self.text_of_kind(&file, name, SourceKind::ChartDefaults)?;
                parts.values_source = Some(text.source);
                parts.values = Some(self.values(&text)?);
            }
            "values.schema.json" => parts.schema = Some(file.content().to_bytes()?),
            "requirements.yaml" => {
                let decoded = metadata.get_or_insert_default();
                let text = self.text(&file, name)?;
                let node = self.read(&file.path, &text)?;
                self.decode(&file.path, &node, decoded)?;
                if decoded.metadata.api_version == "v1" {
                    parts.files.push(file);
                }
            }
            "requirements.lock" => {
                self.check_lock(&file, name)?;
                if metadata.get_or_insert_default().metadata.api_version == "v1" {
                    parts.files.push(file);
                }
            }
            path if path.starts_with("templates/") => {
                let source = self.text_of_kind(&file, name, SourceKind::Template)?.source;
                parts.templates.push(ChartTemplate {
                    path: file.path,
                    source,
                });
            }
            path => match path.strip_prefix("charts/") {
                Some(below) if extension(path) != Some("prov") => {
                    let folder = below.split('/').next().unwrap_or_default();
                    let files = parts.subcharts.entry(folder.into()).or_default();
                    files.push(file.at(below));
                }
                _ => parts.files.push(file),
            },
        }
        Ok(())
    }

    /// Decodes `Chart.yaml` or `requirements.yaml` over what is decoded already.
    fn decode(&self, path: &str, node: &Node, decoded: &mut Decoded) -> Result<(), Error> {
        let result = decoded.decode(node, self.dialect);
        result.map_err(|mistyped| self.mistyped(path, mistyped))
    }

    fn check_lock(&mut self, file: &ChartFile, name: &str) -> Result<(), Error> {
        let text = self.text(file, name)?;
        let node = self.read(&file.path, &text)?;
        let checked = chart_yaml::check_lock(&node, self.dialect);
        checked.map_err(|mistyped| self.mistyped(&file.path, mistyped))
    }

    fn text<'f>(&mut self, file: &'f ChartFile, name: &str) -> Result<Text<'f>, Error> {
        self.text_of_kind(file, name, SourceKind::Other)
    }

    fn text_of_kind<'f>(
        &mut self,
        file: &'f ChartFile,
        name: &str,
        kind: SourceKind,
    ) -> Result<Text<'f>, Error> {
        let title = format!("{name}/{}", file.path);
        let shown = file.content().to_text()?;
        Ok(Text {
            source: self.sources.add(title, shown, kind),
            bytes: file.bytes()?,
        })
    }

    fn read(&mut self, path: &str, text: &Text<'_>) -> Result<Node, Error> {
        let options = ReadOptions {
            source: Some(text.source),
            numbers: Numbers::AsWritten,
        };
        go_yaml::read(text.bytes, &options, self.origins).map_err(|error| {
            unreadable(&error, text.source, "chart-metadata").within(format!("cannot load {path}"))
        })
    }

    fn mistyped(&self, path: &str, mistyped: Mistyped) -> Error {
        let diagnostic = Diagnostic::error(
            "chart-metadata",
            format!(
                "`{path}` holds what does not belong there: {}",
                mistyped.message
            ),
        )
        .at(self.place(Some(mistyped.origin)))
        .hint("https://helm.sh/docs/topics/charts/ says what each field holds");
        let json = "error unmarshaling JSON: while decoding JSON";
        Error::new(mistyped.message, diagnostic).within(format!("cannot load {path}: {json}"))
    }

    fn place(&self, origin: Option<OriginId>) -> Option<Span> {
        self.origins.span(origin?)
    }
}

/// Where the fields of `Chart.yaml` are written that are texts.
fn places(root: &Node) -> BTreeMap<Arc<str>, OriginId> {
    let fields = root.as_map().map(Map::iter).into_iter().flatten();
    fields
        .filter(|(_, node)| !matches!(node.value, Value::List(_) | Value::Map(_)))
        .map(|(key, node)| (Arc::clone(key), node.origin))
        .collect()
}

/// A text that is being read, and where messages find it.
struct Text<'f> {
    source: SourceId,
    bytes: &'f [u8],
}

/// What the files of a chart are.
#[derive(Default)]
struct Parts {
    values: Option<Node>,
    values_source: Option<SourceId>,
    schema: Option<Bytes>,
    templates: Vec<ChartTemplate>,
    files: Vec<ChartFile>,
    subcharts: subcharts::Folders,
}

/// A text that is no YAML.
fn unreadable(error: &ReadError, source: SourceId, code: &'static str) -> Error {
    let place = error.place().map(|place| {
        let at = u32::try_from(place.offset).unwrap_or(u32::MAX);
        Span {
            source,
            start: at,
            end: at,
        }
    });
    let diagnostic = Diagnostic::error(code, error.to_string())
        .at(place)
        .hint("correct the YAML");
    Error::new(error.to_string(), diagnostic)
}

fn over_limit(message: String) -> Error {
    let diagnostic = Diagnostic::error("chart-limit", message.clone())
        .hint("remove what does not belong in the chart");
    Error::new(message, diagnostic)
}

/// What stands behind the last dot of a file's name.
fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}
