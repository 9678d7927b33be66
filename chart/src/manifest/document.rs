//! One rendered document: its bytes, where they came from, and what they say of themselves.

use std::{ops::Range, sync::Arc};

use cairn_template::{Absence, Piece, Spans};

/// What one template rendered: documents, or nothing.
#[derive(Debug)]
pub struct RenderedFile {
    /// The template's path from the root chart: `demo/charts/db/templates/service.yaml`.
    pub(crate) path: Arc<str>,
    /// All that it rendered.
    pub(crate) bytes: Vec<u8>,
    /// Where each byte came from.
    pub(crate) spans: Spans,
}

impl RenderedFile {
    /// What a template rendered, and where each byte of it came from.
    pub fn new(path: impl Into<Arc<str>>, bytes: Vec<u8>, spans: Spans) -> Self {
        Self {
            path: path.into(),
            bytes,
            spans,
        }
    }

    /// The template's path from the root chart: `demo/charts/db/templates/service.yaml`.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// All that it rendered.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each byte came from, and where something is missing.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }
}

/// A document of a rendered file.
#[derive(Debug, Clone)]
pub struct Document {
    file: Arc<RenderedFile>,
    range: Range<usize>,
    head: Head,
}

/// What a document says of the object in it; a text that is missing is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

impl Document {
    pub(super) fn new(file: Arc<RenderedFile>, range: Range<usize>, head: Head) -> Self {
        Self { file, range, head }
    }

    /// All of a file, whatever it says: nothing is known of the objects in it.
    pub fn whole(file: RenderedFile) -> Self {
        let range = 0..file.bytes.len();
        Self::new(Arc::new(file), range, Head::default())
    }

    /// The path of the template that rendered it, from the root chart.
    pub fn path(&self) -> &Arc<str> {
        &self.file.path
    }

    /// Its text: in most cases, but not necessarily, UTF-8.
    pub fn bytes(&self) -> &[u8] {
        &self.file.bytes[self.range.clone()]
    }

    /// Where it begins in what its template rendered.
    pub fn offset(&self) -> usize {
        self.range.start
    }

    /// Such as `apps/v1`.
    pub fn api_version(&self) -> &str {
        &self.head.api_version
    }

    /// Such as `Deployment`.
    pub fn kind(&self) -> &str {
        &self.head.kind
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// The namespace that it names itself; empty where it names none.
    pub fn namespace(&self) -> &str {
        &self.head.namespace
    }

    /// `KIND/NAME`, or `KIND/NAMESPACE/NAME` where the object names its namespace.
    pub fn name_for_people(&self) -> String {
        let Head {
            kind,
            name,
            namespace,
            ..
        } = &self.head;
        if namespace.is_empty() {
            format!("{kind}/{name}")
        } else {
            format!("{kind}/{namespace}/{name}")
        }
    }

    /// Where a byte of the document came from; none past its end.
    pub fn origin_at(&self, offset: usize) -> Option<Piece<'_>> {
        let offset = self.range.start.checked_add(offset)?;
        if offset >= self.range.end {
            return None;
        }
        self.file.spans.at(offset)
    }

    /// The places from the start of a range of the document to its end where something is missing.
    pub fn absences(&self, range: Range<usize>) -> impl Iterator<Item = Absence<'_>> {
        let start = self.range.start;
        let end = range.end.min(self.range.len());
        self.file
            .spans
            .absences(start + range.start.min(end)..start + end)
            .map(move |mut absence| {
                absence.offset -= start;
                absence
            })
    }

    /// Where the bytes of a range of the document came from, in order.
    pub fn origins_within(
        &self,
        range: Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, Piece<'_>)> {
        let start = self.range.start;
        let end = range.end.min(self.range.len());
        let inner = range.start.min(end)..end;
        self.file
            .spans
            .within(start + inner.start..start + inner.end)
            .map(move |(found, piece)| (found.start - start..found.end - start, piece))
    }
}

/// A document that Helm runs beside the others.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The document.
    pub document: Document,
    /// When it runs.
    pub events: Vec<HookEvent>,
    /// Hooks of one event run in the order of their weights.
    pub weight: i64,
    /// When it is deleted: `hook-succeeded`, `hook-failed`, `before-hook-creation`, or whatever
    /// the chart says.
    pub delete_policies: Vec<String>,
    /// When its log is shown: `hook-succeeded`, `hook-failed`, or whatever the chart says.
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// It tests a release.
    pub fn is_test(&self) -> bool {
        self.events.contains(&HookEvent::Test)
    }
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// Before the first object is created.
    PreInstall,
    /// After all objects were created.
    PostInstall,
    /// Before anything is deleted.
    PreDelete,
    /// After all objects were deleted.
    PostDelete,
    /// Before an upgrade.
    PreUpgrade,
    /// After an upgrade.
    PostUpgrade,
    /// Before a rollback.
    PreRollback,
    /// After a rollback.
    PostRollback,
    /// When somebody asks for the release's tests.
    Test,
}

impl HookEvent {
    /// The event of a name, in lower case.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            "test" | "test-success" => Self::Test,
            _ => return None,
        })
    }
}
