//! A chart: what is in its files, and the charts it depends on.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use cairn_spec::{Node, OriginId, SourceId};

use crate::{
    Error, Metadata,
    content::{Content, ReadLate},
};

/// A file of a chart.
#[derive(Debug, Clone)]
pub struct ChartFile {
    /// Its path below the chart's folder, with `/` between its parts.
    pub path: Arc<str>,
    content: Content,
}

impl ChartFile {
    /// A file with this content, from which a byte order mark is taken off.
    pub fn new(path: impl Into<Arc<str>>, bytes: impl Into<Bytes>) -> Self {
        Self {
            path: path.into(),
            content: Content::new(bytes.into()),
        }
    }

    /// As [`Self::new`], with a text, which is kept as it is: it can be a source text without a
    /// copy.
    pub fn text(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self {
            path: path.into(),
            content: Content::text(text.into()),
        }
    }

    /// A file that is `length` bytes long, and read when its content is first needed, if ever:
    /// [`loads`](crate::loads) says of which that pays. `read` gets `path`.
    pub fn late(path: impl Into<Arc<str>>, length: u64, read: Arc<ReadLate>) -> Self {
        let path = path.into();
        Self {
            path: Arc::clone(&path),
            content: Content::late(path, length, read),
        }
    }

    /// The same file, under another path.
    pub(crate) fn at(&self, path: impl Into<Arc<str>>) -> Self {
        Self {
            path: path.into(),
            content: self.content.clone(),
        }
    }

    /// Its content, without a byte order mark; files of an archive share the archive's bytes.
    ///
    /// # Errors
    ///
    /// A file that is read late cannot be read.
    pub fn bytes(&self) -> Result<&[u8], Error> {
        self.content.get()
    }

    /// How long it is, in bytes.
    pub fn length(&self) -> u64 {
        self.content.length()
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// As [`Self::bytes`], nothing where it cannot be read: whoever hands on what was made of it
    /// asks [`Chart::check_files`] first.
    pub(crate) fn bytes_or_nothing(&self) -> &[u8] {
        self.content.get_or_nothing()
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

    /// Whether all files could be read that somebody wanted to read, also of the charts in it.
    pub(crate) fn check_files(&self) -> Result<(), Error> {
        let failure = self.files.iter().find_map(|file| file.content().failure());
        match failure {
            Some(error) => Err(error.clone()),
            None => self.dependencies.iter().try_for_each(Self::check_files),
        }
    }
}
