//! The arguments of `--set` and its kin, `a.b=1,c[0]={x,y}`, as Helm's `strvals` reads them.

mod index;
mod read;
mod scanner;

use cairn_spec::{Map, OriginId, Origins, SourceId, Sources, Span};

use crate::Dialect;

/// How many names may stand in each other, as `a.b.c`; Helm's limit.
const MAX_NAME_LEVELS: usize = 30;
/// The highest index; Helm's limit.
const MAX_INDEX: i64 = 65_536;
/// How deep an argument may nest maps and lists: Helm has no limit on lists.
const MAX_DEPTH: usize = 128;
/// How many items all arguments together may put into lists: a high index makes many.
pub(crate) const MAX_SET_ITEMS: usize = 1_000_000;

/// Gives the bytes of a file, or says in Go's words why it cannot.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// What an argument's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Booleans, nulls, integers and texts.
    Typed,
    /// Texts.
    Text,
    /// JSON.
    Json,
    /// The content of files.
    File,
    /// One text, up to the end of the argument, in which nothing has a meaning.
    Literal,
}

impl Kind {
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Typed => "--set",
            Self::Text => "--set-string",
            Self::Json => "--set-json",
            Self::File => "--set-file",
            Self::Literal => "--set-literal",
        }
    }
}

/// What is wrong with an argument, in Helm's words, and where, in bytes.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) offset: usize,
}

/// An argument on its way into the values.
pub(crate) struct Setting<'a, 'f> {
    pub(crate) kind: Kind,
    pub(crate) dialect: Dialect,
    pub(crate) source: SourceId,
    pub(crate) sources: &'a mut Sources,
    pub(crate) origins: &'a mut Origins,
    pub(crate) read_file: &'a mut ReadFile<'f>,
    pub(crate) items_left: &'a mut usize,
}

impl Setting<'_, '_> {
    /// Sets what an argument says in `values`.
    pub(crate) fn apply(&mut self, argument: &str, values: &mut Map) -> Result<(), Mistake> {
        read::apply(self, argument, values)
    }

    fn origin(&mut self, range: &std::ops::Range<usize>) -> OriginId {
        let offset = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        self.origins.add_span(Span {
            source: self.source,
            start: offset(range.start),
            end: offset(range.end),
        })
    }
}
