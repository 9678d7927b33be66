//! What a Handlebars template is once parsed: each part knows its place in the source.

use std::{ops::Range, sync::Arc};

use cairn_spec::{SourceId, Span, Value};

use crate::helpers::Helper;

/// One parsed template or partial.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: Arc<str>,
    pub(crate) source: SourceId,
    pub(crate) text: Arc<str>,
    pub(crate) elements: Vec<Element>,
    /// The partials it names in so many words, and where.
    pub(crate) partials: Vec<(Arc<str>, Span)>,
}

impl Program {
    pub(crate) fn span(&self, range: &Range<usize>) -> Span {
        span(self.source, range)
    }
}

/// Sources are below 4 GiB, since every reader of outside input has a limit.
pub(crate) fn span(source: SourceId, range: &Range<usize>) -> Span {
    let offset = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Span {
        source,
        start: offset(range.start),
        end: offset(range.end),
    }
}

#[derive(Debug)]
pub(crate) enum Element {
    /// Text of the template, after white space control.
    Text(Range<usize>),
    Print(Expression),
    Block(Block),
    Partial(PartialCall),
}

/// `{{#if a}}…{{else if b}}…{{else}}…{{/if}}`: the first branch that applies is rendered.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) branches: Vec<Branch>,
    pub(crate) otherwise: Vec<Element>,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) kind: BlockKind,
    pub(crate) argument: Expression,
    pub(crate) parameters: Vec<Arc<str>>,
    pub(crate) body: Vec<Element>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    If,
    Unless,
    Each,
    With,
}

impl BlockKind {
    pub(crate) const NAMES: [&'static str; 4] = ["if", "unless", "each", "with"];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "if" => Some(Self::If),
            "unless" => Some(Self::Unless),
            "each" => Some(Self::Each),
            "with" => Some(Self::With),
            _ => None,
        }
    }

    /// How many block parameters it can bind.
    pub(crate) fn parameter_limit(self) -> usize {
        match self {
            Self::If | Self::Unless => 0,
            Self::With => 1,
            Self::Each => 2,
        }
    }
}

/// `{{> name context key=value}}`.
#[derive(Debug)]
pub(crate) struct PartialCall {
    pub(crate) tag: Span,
    pub(crate) name: Arc<str>,
    pub(crate) name_span: Span,
    pub(crate) context: Option<Expression>,
    pub(crate) named: Vec<(Arc<str>, Expression)>,
    /// Blanks before, and the line break after a tag that is alone on its line.
    pub(crate) line: Option<(Range<usize>, Range<usize>)>,
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) span: Span,
    pub(crate) kind: ExpressionKind,
}

#[derive(Debug)]
pub(crate) enum ExpressionKind {
    Path(Path),
    Literal(Value),
    Call {
        helper: &'static Helper,
        arguments: Vec<Expression>,
    },
}

/// `../values.list.[0]`.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) start: PathStart,
    pub(crate) segments: Vec<Segment>,
}

#[derive(Debug)]
pub(crate) enum PathStart {
    /// A bare name: a block parameter, or a key of the current context.
    Name,
    /// `this`, or so many `../`.
    Context(usize),
    /// `@root`.
    Root,
    /// `@index` and its like, so many loops further out.
    Loop(usize, LoopVariable),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopVariable {
    Index,
    Key,
    First,
    Last,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) key: Arc<str>,
    /// Where it stands, with its brackets.
    pub(crate) span: Span,
}

impl std::fmt::Debug for Helper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
