//! A parsed Go template: nodes in one table, texts as slices of the source, everything that can
//! be known before a render resolved: functions, the slots of variables, the values of literals.

use std::{ops::Range, sync::Arc};

use cairn_spec::{SourceId, Span};

use super::literal::Number;
use crate::functions::FunctionId;

/// A parsed text with all templates that it defines.
#[derive(Debug)]
pub(crate) struct Program {
    /// The name that errors call it by.
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
    /// The source of the text; none for a text that a template rendered with `tpl`.
    pub(crate) source: Option<SourceId>,
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<NodeId>,
    pub(super) controls: Vec<Control>,
    pub(super) pipes: Vec<Pipe>,
    pub(super) names: Vec<(u32, u32)>,
    pub(super) numbers: Vec<Number>,
    pub(super) strings: Vec<Arc<[u8]>>,
    pub(super) slots: Vec<Slot>,
    /// What the text defines, the text itself last.
    pub(super) templates: Vec<Template>,
}

/// A template: a whole text, or what stands between `define` and `end`.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) name: Arc<str>,
    pub(super) body: List,
    /// How many variables it has at most.
    pub(super) frame: u32,
    /// There is nothing but white space and comments in it.
    pub(super) is_empty: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

/// The place of a variable in the frame of its template; `$` is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u32);

/// A part of one of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct List {
    pub(super) start: u32,
    pub(super) length: u32,
}

impl List {
    fn range(self) -> Range<usize> {
        self.start as usize..(self.start + self.length) as usize
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The offset that Go gives to the node in messages.
    pub(super) position: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    // What stands in a template.
    Text,
    Action(NodeId),
    If(ControlId),
    With(ControlId),
    Range(ControlId),
    Template {
        name: StringId,
        pipe: Option<NodeId>,
    },
    Break,
    Continue,
    // What stands in an action.
    Pipe(PipeId),
    Command(List),
    Function(FunctionId),
    Dot,
    Nil,
    Bool(bool),
    Number(NumberId),
    String(StringId),
    Field(List),
    /// The first name is the variable's; the slot is none where Go would find no variable.
    Variable(Option<Slot>, List),
    Chain(NodeId, List),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ControlId(pub(super) u32);
#[derive(Debug, Clone, Copy)]
pub(super) struct PipeId(pub(super) u32);
#[derive(Debug, Clone, Copy)]
pub(super) struct NumberId(pub(super) u32);
#[derive(Debug, Clone, Copy)]
pub(super) struct StringId(pub(super) u32);

/// `if`, `with` or `range`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Control {
    pub(super) pipe: NodeId,
    pub(super) body: List,
    pub(super) otherwise: Option<List>,
    /// Variables of outside that are assigned to somewhere inside: whether they were follows
    /// from the condition.
    pub(super) assigned: List,
    /// There is a `break` or `continue` inside that leaves it.
    pub(super) jumps: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Pipe {
    /// The variables it declares or assigns, as nodes.
    pub(super) variables: List,
    pub(super) is_assignment: bool,
    pub(super) commands: List,
}

impl Program {
    pub(super) fn node(&self, id: NodeId) -> Node {
        self.nodes[id.0 as usize]
    }

    pub(super) fn set_kind(&mut self, id: NodeId, kind: Kind) {
        self.nodes[id.0 as usize].kind = kind;
    }

    pub(super) fn children(&self, list: List) -> &[NodeId] {
        &self.children[list.range()]
    }

    pub(super) fn control(&self, id: ControlId) -> Control {
        self.controls[id.0 as usize]
    }

    pub(super) fn pipe(&self, id: PipeId) -> Pipe {
        self.pipes[id.0 as usize]
    }

    pub(super) fn number(&self, id: NumberId) -> Number {
        self.numbers[id.0 as usize]
    }

    pub(super) fn string(&self, id: StringId) -> &Arc<[u8]> {
        &self.strings[id.0 as usize]
    }

    pub(super) fn slots(&self, list: List) -> &[Slot] {
        &self.slots[list.range()]
    }

    /// The names of a path.
    pub(super) fn names(&self, list: List) -> impl ExactSizeIterator<Item = &str> {
        self.names[list.range()]
            .iter()
            .map(|&(start, end)| &self.text[start as usize..end as usize])
    }

    /// The only pipe that an action, control or argument has.
    pub(super) fn pipe_of(&self, id: NodeId) -> Pipe {
        match self.node(id).kind {
            Kind::Pipe(pipe) => self.pipe(pipe),
            // The parser makes nothing else; an empty pipe evaluates to no value.
            _ => Pipe {
                variables: List::default(),
                is_assignment: false,
                commands: List::default(),
            },
        }
    }

    /// Where a node stands; for a text that `tpl` renders, where that is called.
    pub(super) fn span(&self, id: NodeId, called: Span) -> Span {
        let Some(source) = self.source else {
            return called;
        };
        let node = self.node(id);
        Span {
            source,
            start: node.start,
            end: node.end,
        }
    }

    /// The start of the text.
    pub(super) fn start(&self) -> Option<Span> {
        self.source.map(|source| Span {
            source,
            start: 0,
            end: 0,
        })
    }

    /// Which call of the function in the text it is that begins with the node, from 1.
    pub(super) fn occurrence(&self, function: &str, call: NodeId) -> u32 {
        let start = self.node(call).start;
        let before = self.nodes.iter().filter(|node| {
            matches!(node.kind, Kind::Function(other) if other.function().name == function)
                && node.start <= start
        });
        u32::try_from(before.count()).unwrap_or(u32::MAX)
    }

    /// `NAME:LINE:COLUMN` as Go counts: columns from 0, in bytes.
    pub(super) fn location(&self, id: NodeId) -> String {
        let position = self.node(id).position as usize;
        let before = &self.text.as_bytes()[..position.min(self.text.len())];
        let line = before.split(|&byte| byte == b'\n').count();
        let column = match before.iter().rposition(|&byte| byte == b'\n') {
            Some(newline) => position - newline - 1,
            None => position,
        };
        format!("{}:{line}:{column}", self.name)
    }
}
