//! A chart: what is in its files, and the charts it depends on.

use std::sync::Arc;

use cairn_spec::{Node, SourceId};

use crate::Metadata;

/// A file of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartFile {
    /// Its path below the chart's folder, with `/` between its parts.
    pub path: Arc<str>,
    /// Its content, without a byte order mark.
    pub bytes: Arc<[u8]>,
}

/// A file of templates, which is a source text too, so that errors and origins can point at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartTemplate {
    /// Its path below the chart's folder, such as `templates/service.yaml`.
    pub path: Arc<str>,
    /// Its text.
    pub source: SourceId,
}

/// A chart as Helm loads it. Charts share the content of their files, so copies are cheap.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// What `Chart.yaml` says.
    pub metadata: Metadata,
    /// What `values.yaml` holds: a map, in which nulls are kept.
    pub values: Node,
    /// `values.schema.json`, as it is.
    pub schema: Option<Arc<[u8]>>,
    /// The files below `templates/`, in the order of their paths.
    pub templates: Vec<ChartTemplate>,
    /// All other files, `crds/` included, in the order of their paths; what `.Files` offers.
    pub files: Vec<ChartFile>,
    /// The charts in `charts/`, in the order in which Helm loads them.
    pub dependencies: Vec<Chart>,
}

impl Chart {
    /// Its name; that of the alias once [`crate::Dependency::alias`] gave it one.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }
}
