//! Which templates a chart and all charts in it have.

use std::sync::Arc;

use cairn_spec::{OriginId, SourceId};
use foldhash::HashMap;

use crate::{Chart, ChartType, go_path::base};

/// The files of templates of all charts, by their paths from the root chart.
#[derive(Default)]
pub(super) struct TemplateFiles {
    pub(super) by_path: HashMap<Arc<str>, TemplateFile>,
    charts: usize,
}

pub(super) struct TemplateFile {
    pub(super) source: SourceId,
    pub(super) base_path: String,
    /// The number of its chart: a chart is counted before those in it.
    pub(super) chart: usize,
    /// The values that switched its chart on, and those around it.
    pub(super) because: Arc<[OriginId]>,
}

impl TemplateFiles {
    /// Adds the templates of a chart and of those in it; of two with the same path the last
    /// counts. Of a library only what others may include is a template.
    pub(super) fn add(&mut self, chart: &Chart, chart_path: &str, outer: &[OriginId]) {
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
