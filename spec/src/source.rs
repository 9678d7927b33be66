//! Source texts and positions in them: what diagnostics and provenance point at.

use std::sync::{Arc, OnceLock};

/// What a source text is, so that an origin can say who wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SourceKind {
    /// `pack.yaml`.
    PackManifest,
    /// A pack's `values.yaml`.
    PackDefaults,
    /// A pack's preset.
    Preset,
    /// A pack's values schema.
    Schema,
    /// A template or static manifest of a pack.
    Template,
    /// A test of a pack.
    PackTest,
    /// A profile, or a file of values or manifests that it names.
    Profile,
    /// A cluster.
    Cluster,
    /// A Helm chart's `values.yaml`.
    ChartDefaults,
    /// A lock file.
    Lock,
    /// What a template rendered.
    Rendered,
    /// The command line.
    CommandLine,
    /// Anything else, such as a trust policy.
    Other,
}

/// A source text in a [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

impl SourceId {
    /// The number of a text that comes so many later.
    pub(crate) const fn after(self, texts: u32) -> Self {
        Self(self.0 + texts)
    }
}

/// A byte range of one source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A human position: line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One source text.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name shown to people: a path as the user wrote it, or `pack cilium: values.yaml`.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
    /// What it is.
    pub kind: SourceKind,
    /// Counted when somebody asks for a position: most texts never have one.
    line_starts: OnceLock<Vec<u32>>,
}

impl Source {
    /// The position of a byte offset; past the end it is the end.
    pub fn position(&self, offset: u32) -> Position {
        let offset = (offset as usize).min(self.text.len());
        let line_starts = self.line_starts();
        let line = line_starts
            .partition_point(|&start| start as usize <= offset)
            .max(1);
        let line_start = line_starts[line - 1] as usize;
        let column = self
            .text
            .get(line_start..offset)
            .map_or(0, |text| text.chars().count());
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position {
            line: count(line),
            column: count(column + 1),
        }
    }

    /// The byte offset where a line starts; lines count from 1.
    pub fn line_start(&self, line: u32) -> u32 {
        let line_starts = self.line_starts();
        let index = (line.max(1) as usize - 1).min(line_starts.len() - 1);
        line_starts[index]
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate();
            let starts = breaks.filter(|&(_, byte)| byte == b'\n');
            std::iter::once(0)
                .chain(starts.map(|(index, _)| index + 1))
                .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
                .collect()
        })
    }
}

/// All source texts of one run.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    all: Vec<Source>,
}

impl Sources {
    /// No texts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides a part of a text from whoever reads messages about it: a secret that must not be shown.
    pub fn hide(&mut self, span: Span) {
        let source = &mut self.all[span.source.0 as usize];
        let (start, end) = (span.start as usize, span.end as usize);
        let Some(secret) = source.text.get(start..end) else {
            return;
        };
        let hidden: String = secret
            .chars()
            .map(|c| match c {
                '\n' | '\r' => c.to_string(),
                // The bytes stay as many as they are, since spans count them.
                _ => "*".repeat(c.len_utf8()),
            })
            .collect();
        source.text = [&source.text[..start], &hidden, &source.text[end..]]
            .concat()
            .into();
    }

    /// The text that was added last under a name.
    pub fn find(&self, name: &str) -> Option<SourceId> {
        let index = self.all.iter().rposition(|source| &*source.name == name)?;
        u32::try_from(index).ok().map(SourceId)
    }

    /// Adds a text. Texts are below 4 GiB, since every reader of outside input has a limit.
    pub fn add(
        &mut self,
        name: impl Into<Arc<str>>,
        text: impl Into<Arc<str>>,
        kind: SourceKind,
    ) -> SourceId {
        let id = SourceId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Source {
            name: name.into(),
            text: text.into(),
            kind,
            line_starts: OnceLock::new(),
        });
        id
    }

    /// Adds texts after those that are there. Gives how many these are.
    pub(crate) fn append(&mut self, texts: Self) -> u32 {
        let count = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.extend(texts.all);
        count
    }

    /// One text.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.all[id.0 as usize]
    }

    /// The texts in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.all
            .iter()
            .enumerate()
            .map(|(index, source)| (SourceId(u32::try_from(index).unwrap_or(u32::MAX)), source))
    }

    /// `name:line:column` of the start of a span.
    pub fn locate(&self, span: Span) -> String {
        let source = self.get(span.source);
        let Position { line, column } = source.position(span.start);
        format!("{}:{line}:{column}", source.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let mut sources = Sources::new();
        let id = sources.add("a.yaml", "ä: 1\nb: 2\n", SourceKind::Other);
        let at = |start| {
            sources.locate(Span {
                source: id,
                start,
                end: start,
            })
        };
        assert_eq!(
            [at(0), at(4), at(6), at(9), at(99)],
            [
                "a.yaml:1:1",
                "a.yaml:1:4",
                "a.yaml:2:1",
                "a.yaml:2:4",
                "a.yaml:3:1"
            ]
        );
    }
}
