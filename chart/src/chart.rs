//! A chart: what is in its files, and the charts it depends on.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use cairn_spec::{Node, OriginId, SourceId};

use crate::Metadata;

const UTF8_BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// A file of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartFile {
    /// Its path below the chart's folder, with `/` between its parts.
    pub path: Arc<str>,
    /// Its content, without a byte order mark; files of an archive share the archive's bytes.
    pub bytes: Bytes,
}

impl ChartFile {
    /// A file with this content, from which a byte order mark is taken off.
    pub fn new(path: impl Into<Arc<str>>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let start = if bytes.starts_with(UTF8_BYTE_ORDER_MARK) {
            UTF8_BYTE_ORDER_MARK.len()
        } else {
            0
        };
        Self {
            path: path.into(),
            bytes: bytes.slice(start..),
        }
    }
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
    /// The text of `values.yaml`.
    pub values_source: Option<SourceId>,
    /// `values.schema.json`, as it is.
    pub schema: Option<Bytes>,
    /// The files below `templates/`, in the order in which they were handed in.
    pub templates: Vec<ChartTemplate>,
    /// All other files, `crds/` included, in the order in which they were handed in; what
    /// `.Files` offers.
    pub files: Vec<ChartFile>,
    /// The charts in `charts/`, in the order of the names of their folders and archives. Helm's
    /// own order is one of chance.
    pub dependencies: Vec<Chart>,
    /// The values that decided whether this chart is switched on in the one above it.
    pub switched_on_by: Vec<OriginId>,
    /// Where `Chart.yaml` says its fields that are texts.
    pub metadata_places: BTreeMap<Arc<str>, OriginId>,
}

impl Chart {
    /// Its name; that of the alias once [`crate::Dependency::alias`] gave it one.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }
}
