//! The whole of `helm template`, from a chart and values to manifests.

use std::sync::OnceLock;

use cairn_spec::{Diagnostic, Node, Origins, SourceKind, Sources, Span};
use cairn_template::{
    Host, Limits, NoHost,
    go_semver::{Constraint, Version},
};

use crate::{
    Capabilities, Chart, ChartType, Dialect, Error, Release, dependencies,
    engine::{self, Check},
    manifest::{self, Sorted, Unsorted},
    release_name,
    release_object::ReleaseObject,
    schema, values,
};

/// How a chart is rendered.
#[derive(Debug, Clone)]
pub struct RenderOptions<'h> {
    /// `.Release.Name`
    pub release_name: String,
    /// `.Release.Namespace`
    pub namespace: String,
    /// `.Release.IsUpgrade`; the opposite is `.Release.IsInstall`.
    pub is_upgrade: bool,
    /// `.Capabilities`
    pub capabilities: Capabilities,
    /// Values are not checked against the charts' schemas.
    pub skips_schema: bool,
    /// Which Helm is followed.
    pub dialect: Dialect,
    /// Where each byte came from is tracked.
    pub provenance: bool,
    /// What the templates may cost.
    pub limits: Limits,
    /// Answers what templates ask for and the chart does not know.
    pub host: &'h dyn Host,
}

impl RenderOptions<'_> {
    /// As Helm 4 renders a release of this name in the namespace `default`, but without anything
    /// that is not deterministic.
    pub fn new(release_name: impl Into<String>) -> Self {
        let dialect = Dialect::default();
        Self {
            release_name: release_name.into(),
            namespace: "default".to_owned(),
            is_upgrade: false,
            capabilities: Capabilities::default_of_helm(dialect),
            skips_schema: false,
            dialect,
            provenance: true,
            limits: Limits::GO,
            host: &NoHost,
        }
    }
}

/// The code of what reached a limit, which it would reach again.
const LIMIT: &str = "template-limit";

/// Renders a chart with the user's values: merges them with the charts' own, switches dependencies
/// on and off, executes all templates, and sorts what they rendered.
///
/// # Errors
///
/// The first mistake, in Helm's words.
///
/// ```
/// use cairn_chart::{ChartFile, ManifestOptions, RenderOptions, load, render};
/// use cairn_spec::{Map, Node, Origins, Sources};
///
/// let files = vec![
///     ChartFile::new("Chart.yaml", "{apiVersion: v2, name: web, version: 1.2.3}"),
///     ChartFile::new("templates/service.yaml", "kind: Service\nname: {{ .Release.Name }}\n"),
/// ];
/// let (mut sources, mut origins) = (Sources::new(), Origins::new());
/// let chart = load(files, "web", &mut sources, &mut origins)?;
/// let values = Node::generated(Map::new());
/// let options = RenderOptions::new("demo");
/// let release = render(chart, &values, &options, &mut sources, &mut origins)?;
/// assert_eq!(release.documents[0].kind(), "Service");
/// let manifest = release.manifest(&ManifestOptions::default())?;
/// assert_eq!(
///     manifest,
///     b"---\n# Source: web/templates/service.yaml\nkind: Service\nname: demo\n"
/// );
/// # Ok::<(), cairn_chart::Error>(())
/// ```
pub fn render(
    mut chart: Chart,
    values: &Node,
    options: &RenderOptions<'_>,
    sources: &mut Sources,
    origins: &mut Origins,
) -> Result<Release, Error> {
    let dialect = options.dialect;
    let mut warnings = Vec::new();
    check_installable(&chart)?;
    dependencies::check(&chart, dialect)?;
    release_name::check(&options.release_name, dialect)?;
    dependencies::process(&mut chart, values, dialect, origins, &mut warnings)
        .map_err(|error| error.within_helm_4("chart dependencies processing failed", dialect))?;
    let values = values::coalesce(&chart, values, dialect, origins, &mut warnings)?;
    let object = ReleaseObject::new(options, sources, origins);
    let checked = OnceLock::new();
    let check = || {
        let checked = checked.get_or_init(|| {
            if !options.skips_schema {
                schema::validate(&chart, &values, origins)?;
            }
            check_kube_version(&chart, &options.capabilities, dialect)
        });
        checked.clone()
    };
    let seen = (&values, &object);
    let mut sorted = manifests(&chart, seen, options, (sources, origins), &check);
    if let Err(error) = &sorted
        && !options.provenance
        && error.diagnostic().code != LIMIT
    {
        // Who looks for a mistake wants to know which values led to it.
        let options = RenderOptions {
            provenance: true,
            ..options.clone()
        };
        sorted = manifests(&chart, seen, &options, (sources, origins), &check);
    }
    // What templates made of a file that could not be read is worth nothing.
    chart.check_files()?;
    Ok(Release::new(&chart, sorted?, dialect, warnings))
}

fn manifests(
    chart: &Chart,
    seen: (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&mut Sources, &Origins),
    check: Check<'_>,
) -> Result<Sorted, Error> {
    let files = engine::execute(chart, seen, options, (sources, origins), check)?;
    manifest::sort(files, options.dialect).map_err(|unsorted| invalid(unsorted, sources))
}

fn check_installable(chart: &Chart) -> Result<(), Error> {
    if chart.metadata.chart_type != ChartType::Library {
        return Ok(());
    }
    let message = "library charts are not installable";
    let diagnostic = Diagnostic::error(
        "chart-library",
        format!(
            "`{}` is a library, and renders nothing itself",
            chart.name()
        ),
    )
    .hint("render a chart that depends on it");
    Err(Error::new(message, diagnostic))
}

/// Only the root chart's constraint counts.
pub(crate) fn check_kube_version(
    chart: &Chart,
    capabilities: &Capabilities,
    dialect: Dialect,
) -> Result<(), Error> {
    let constraint = &chart.metadata.kube_version;
    let version = &capabilities.kube_version;
    let is_compatible = constraint.is_empty()
        || Version::parse(&version.normalized)
            .ok()
            .zip(Constraint::parse(constraint).ok())
            .is_some_and(|(version, constraint)| constraint.check(&version));
    if is_compatible {
        return Ok(());
    }
    let shown = match dialect {
        Dialect::Helm4 => &version.version,
        Dialect::Helm3 => &version.normalized,
    };
    let message = format!(
        "chart requires kubeVersion: {constraint} which is incompatible with Kubernetes {shown}"
    );
    let diagnostic = Diagnostic::error("chart-kube-version", message.clone())
        .hint("choose another version of Kubernetes, or of the chart");
    Err(Error::new(message, diagnostic))
}

/// What is wrong with a document, shown in it and in the template.
fn invalid(unsorted: Unsorted, sources: &mut Sources) -> Error {
    let Unsorted { file, range, error } = unsorted;
    let message = format!("YAML parse error on {}: {}", file.path, error.message);
    let mut diagnostic = Diagnostic::error("chart-manifest", message.clone());
    let offset = error.place.map_or(range.start, |place| {
        (range.start + place.offset).min(range.end)
    });
    if let Ok(text) = std::str::from_utf8(&file.bytes) {
        let name = format!("{} (rendered)", file.path);
        let source = sources.add(name, text, SourceKind::Rendered);
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        let span = Span {
            source,
            start: at,
            end: at,
        };
        diagnostic = diagnostic.label(span, "this is not valid");
    }
    let piece = file
        .spans
        .at(offset.min(file.bytes.len().saturating_sub(1)));
    if let Some(piece) = piece {
        diagnostic = diagnostic.label(piece.place, "it was written here");
    }
    Error::new(message, diagnostic)
}
