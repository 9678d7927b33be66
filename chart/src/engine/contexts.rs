//! What `.` is in the templates of each chart.

use cairn_template::{MapType, Value, go::Renderer};

use crate::{
    Chart, Dialect, RenderOptions,
    chart_object::{Part, chart_object},
    files::Files,
    release_object::ReleaseObject,
};

const GLOBAL: &str = "global";

/// The name of the type of `.Values`, and of all that a template sees.
pub(super) fn values_type(dialect: Dialect) -> MapType {
    MapType::Named(match dialect {
        Dialect::Helm4 => "common.Values",
        Dialect::Helm3 => "chartutil.Values",
    })
}

/// What `.` is in the templates of each chart, by the numbers of the charts.
pub(super) struct Contexts<'r, 'a> {
    by_chart: Vec<Value>,
    release: Value,
    capabilities: Value,
    dialect: Dialect,
    renderer: &'r mut Renderer<'a>,
}

impl<'r, 'a> Contexts<'r, 'a> {
    pub(super) fn by_chart(
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
