//! Executes the templates of a chart and of all charts in it: what each of them sees, and in which
//! order Helm comes by them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
    thread,
};

use cairn_spec::{Node, OriginId, Origins, SourceId, Sources};
use cairn_template::{
    MapType, Value,
    go::{Options, Renderer, Templates, helm_order},
};

use crate::{
    Chart, ChartType, Dialect, Error, RenderOptions,
    chart_object::{Part, chart_object},
    files::Files,
    go_path::base,
    manifest::{Heads, Reader, RenderedFile},
    release_object::ReleaseObject,
};

/// Notes are rendered like all else, and so may fail, but they are no manifests.
const NOTES_SUFFIX: &str = "NOTES.txt";

const GLOBAL: &str = "global";

/// What all templates of a chart rendered, in the order of their paths. `seen` is what they find in
/// `.Values` and `.Release`.
pub(crate) fn execute(
    chart: &Chart,
    seen: (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&Sources, &Origins),
) -> Result<Vec<(RenderedFile, Heads)>, Error> {
    run(chart, seen, options, (sources, origins), None)
}

/// What comes of all templates when those that fail are passed over.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) files: Vec<RenderedFile>,
    pub(crate) failures: Vec<Error>,
    /// JSON Pointers to what of the values was read.
    pub(crate) read: BTreeSet<String>,
}

/// As [`execute`], but goes on after failures.
pub(crate) fn execute_all(
    chart: &Chart,
    seen: (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&Sources, &Origins),
) -> Tried {
    let mut tried = Tried::default();
    // What ends the render is among the failures.
    let files = run(chart, seen, options, (sources, origins), Some(&mut tried));
    let files = files.unwrap_or_default().into_iter();
    tried.files = files.map(|(file, _)| file).collect();
    tried
}

/// Where all templates are tried, a failure is only noted, unless it is of a limit: what one
/// template has spent, none after it has.
fn note(error: Error, tried: &mut Option<&mut Tried>) -> Result<(), Error> {
    let Some(tried) = tried else {
        return Err(error);
    };
    let is_over_limit = error.diagnostic().code == "template-limit";
    tried.failures.push(error.clone());
    if is_over_limit { Err(error) } else { Ok(()) }
}

fn run(
    chart: &Chart,
    (tree, release): (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&Sources, &Origins),
    mut tried: Option<&mut Tried>,
) -> Result<Vec<(RenderedFile, Heads)>, Error> {
    let mut files = TemplateFiles::default();
    files.add(chart, chart.name(), &[]);
    let mut names: Vec<&str> = files.by_path.keys().map(|path| &**path).collect();
    helm_order(&mut names);
    let of_template = |error| Error::of_template(error, options.dialect);
    let texts: Vec<_> = names
        .iter()
        .map(|name| (*name, files.by_path[*name].source))
        .collect();
    let mut templates = Templates::without(unknown_functions(options.dialect));
    if tried.is_none() {
        templates.add_all(&texts, sources).map_err(of_template)?;
    } else {
        for (name, source) in texts {
            if let Err(error) = templates.add(name, sources, source) {
                note(of_template(error), &mut tried)?;
            }
        }
    }
    let go_options = Options {
        limits: options.limits,
        provenance: options.provenance,
        host: options.host,
        ..Options::helm()
    };
    let mut renderer = templates.renderer(origins, &go_options);
    let values_type = values_type(options.dialect);
    let values = renderer.typed_value(tree, values_type);
    let contexts = Contexts::by_chart(chart, values.clone(), release, options, &mut renderer);

    let slots: Vec<_> = names.iter().map(|_| OnceLock::new()).collect();
    let mut outputs = Vec::new();
    let mut heads = thread::scope(|scope| {
        let mut reader = Reader::new(scope, &slots, options.dialect);
        for (slot, &name) in names.iter().enumerate() {
            if base(name).starts_with('_') || !templates.contains(name) {
                continue;
            }
            let file = &files.by_path[name];
            let context = &contexts[file.chart];
            let template = [
                ("Name", Value::from(name)),
                ("BasePath", Value::from(file.base_path.as_str())),
            ];
            context.insert("Template", Value::typed_map(template, values_type));
            match renderer.render_because(name, context, &file.because) {
                Ok(_) if name.ends_with(NOTES_SUFFIX) => {}
                Ok(mut output) => {
                    reader.add(slot, output.take_bytes());
                    outputs.push(output);
                }
                Err(error) => note(of_template(error), &mut tried)?,
            }
        }
        Ok::<_, Error>(reader.finish())
    })?;
    if let Some(tried) = tried {
        tried.read = renderer.read(tree, &values);
    }
    heads.sort_by_key(|(slot, _)| *slot);
    let outputs = renderer.finish(outputs).into_iter();
    let texts = slots.into_iter().filter_map(OnceLock::into_inner);
    let mut files: Vec<_> = outputs
        .zip(texts)
        .zip(heads)
        .map(|((output, bytes), (slot, heads))| {
            let file = RenderedFile {
                path: Arc::from(names[slot]),
                bytes,
                spans: output.spans,
            };
            (file, heads)
        })
        .collect();
    files.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    Ok(files)
}

/// Functions of Helm 4 that Helm 3 does not have.
fn unknown_functions(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Helm4 => &[],
        Dialect::Helm3 => &["mustToToml", "mustToYaml"],
    }
}

/// The name of the type of `.Values`, and of all that a template sees.
fn values_type(dialect: Dialect) -> MapType {
    MapType::Named(match dialect {
        Dialect::Helm4 => "common.Values",
        Dialect::Helm3 => "chartutil.Values",
    })
}

/// The files of templates of all charts, by their paths from the root chart.
#[derive(Default)]
struct TemplateFiles {
    by_path: HashMap<Arc<str>, TemplateFile>,
    charts: usize,
}

struct TemplateFile {
    source: SourceId,
    base_path: String,
    /// The number of its chart: a chart is counted before those in it.
    chart: usize,
    /// The values that switched its chart on, and those around it.
    because: Arc<[OriginId]>,
}

impl TemplateFiles {
    /// Adds the templates of a chart and of those in it; of two with the same path the last
    /// counts. Of a library only what others may include is a template.
    fn add(&mut self, chart: &Chart, chart_path: &str, outer: &[OriginId]) {
        let number = self.charts;
        self.charts += 1;
        let because: Arc<[OriginId]> = [outer, &chart.switched_on_by].concat().into();
        for child in &chart.dependencies {
            let child_path = format!("{chart_path}/charts/{}", child.name());
            self.add(child, &child_path, &because);
        }
        let is_library = chart.metadata.chart_type == ChartType::Library;
        for template in &chart.templates {
            if is_library && !base(&template.path).starts_with('_') {
                continue;
            }
            let file = TemplateFile {
                source: template.source,
                base_path: format!("{chart_path}/templates"),
                chart: number,
                because: Arc::clone(&because),
            };
            let path = format!("{chart_path}/{}", template.path);
            self.by_path.insert(path.into(), file);
        }
    }
}

/// What `.` is in the templates of each chart, by the numbers of the charts.
struct Contexts<'r, 'a> {
    by_chart: Vec<Value>,
    release: Value,
    capabilities: Value,
    dialect: Dialect,
    renderer: &'r mut Renderer<'a>,
}

impl<'r, 'a> Contexts<'r, 'a> {
    fn by_chart(
        chart: &Chart,
        values: Value,
        release: &ReleaseObject,
        options: &RenderOptions<'_>,
        renderer: &'r mut Renderer<'a>,
    ) -> Vec<Value> {
        let mut contexts = Self {
            by_chart: Vec::new(),
            release: release.value(renderer),
            capabilities: options.capabilities.to_value(options.dialect),
            dialect: options.dialect,
            renderer,
        };
        contexts.add(chart, values, true);
        contexts.by_chart
    }

    /// Adds a chart and those in it. Gives what the chart is in `.Subcharts` of the one above: the
    /// same map, so that what templates change in one they see in the other.
    fn add(&mut self, chart: &Chart, values: Value, is_root: bool) -> Value {
        let number = self.by_chart.len();
        self.by_chart.push(Value::missing());
        let subcharts = Value::map::<&str>([]);
        for child in &chart.dependencies {
            let child_values = table(&values, child.name(), self.dialect);
            share_globals(&values, &child_values);
            // Helm puts it there, whoever wrote none.
            if let Some(global) = child_values.get(GLOBAL) {
                let global = self.renderer.because_of(global, &child.switched_on_by);
                child_values.insert(GLOBAL, global);
            }
            let context = self.add(child, child_values, false);
            let context = self.renderer.because_of(context, &child.switched_on_by);
            subcharts.insert(child.name(), context);
        }
        let renderer = &mut *self.renderer;
        let mut known = |part: Part<'_>, value: Value| match part {
            Part::Field(field) => match chart.metadata_places.get(field) {
                Some(&origin) => renderer.at_origin(value, origin),
                None => value,
            },
            Part::Dependency(name) => {
                let mut charts = chart.dependencies.iter();
                match charts.find(|chart| chart.name() == name) {
                    Some(chart) => renderer.because_of(value, &chart.switched_on_by),
                    None => value,
                }
            }
        };
        let context = Value::map([
            (
                "Chart",
                chart_object(&chart.metadata, is_root, self.dialect, &mut known),
            ),
            (
                "Files",
                Value::object(Files::new(&chart.files, self.dialect)),
            ),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", values),
            ("Subcharts", subcharts),
        ]);
        self.by_chart[number] = context
            .converted(values_type(self.dialect))
            .unwrap_or_else(Value::missing);
        context
    }
}

/// The values of a chart in those of the one above: the same map, so that what templates change in
/// one they see in the other. Helm takes the name for a path, and finds nothing for one with dots.
fn table(values: &Value, name: &str, dialect: Dialect) -> Value {
    let of = values_type(dialect);
    name.split('.')
        .try_fold(values.clone(), |table, key| table.get(key)?.converted(of))
        .unwrap_or_else(|| Value::typed_map::<&str>([], of))
}

/// A chart has a copy of the globals above it and of the maps in them, but maps in those are the
/// same: what templates change in one they see in the other.
fn share_globals(above: &Value, below: &Value) {
    if let (Some(above), Some(below)) = (above.get(GLOBAL), below.get(GLOBAL)) {
        below.share_maps(&above, 1);
    }
}
