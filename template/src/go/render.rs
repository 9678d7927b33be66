//! One render of a set of templates: values, the state that all templates share, the output.

use std::{borrow::Cow, collections::BTreeSet, rc::Rc, sync::Arc};

use cairn_spec::{Diagnostic, Node, OriginId, Origins, SourceKind, Sources, Span};
use foldhash::HashMap;

use super::{
    ast::{NodeId, Program},
    error::Error,
    format::quote,
    frame::Frame,
    parse::Tables,
    set::{Defined, MissingKey, Options, Templates},
};
use crate::{
    MapType, Spans,
    changes::{Rendering, changes},
    spans::{CauseId, CauseKind, OriginSet, Tracker},
    state::{Failure, Outcome, State},
    value::Value,
    writer::Text,
};

/// Renders templates one after the other. They share their values: a map that one changes is
/// changed for those that follow.
pub struct Renderer<'a> {
    pub(super) templates: &'a Templates,
    pub(super) state: State<'a>,
    pub(super) missing_key: MissingKey,
    pub(super) removes_no_value: bool,
    /// What `tpl` has defined, the innermost last.
    pub(super) layers: Vec<Rc<HashMap<Arc<str>, Defined>>>,
    /// Texts that `tpl` has parsed.
    pub(super) parsed: HashMap<Arc<str>, Arc<Program>>,
    /// What they are parsed in.
    pub(super) tables: Tables,
    pub(super) variables: Vec<Value>,
    /// The arguments of the calls that are being evaluated.
    pub(super) arguments: Vec<Value>,
    /// How often each template is being included.
    pub(super) including: HashMap<Arc<str>, usize>,
    stack_start: usize,
    /// How many changes of values were noticed before it.
    changes_before: u64,
}

impl std::fmt::Debug for Renderer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer")
            .field("templates", &self.templates.names())
            .finish_non_exhaustive()
    }
}

/// What one template rendered, until [`Renderer::finish`].
#[derive(Debug)]
pub struct Output {
    text: Text,
}

impl Output {
    /// What was rendered.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Takes out what was rendered, for other threads to read; [`Renderer::finish`] then gives
    /// only where it came from.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.text.take_bytes()
    }
}

/// What one template rendered.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// What was rendered: in most cases, but not necessarily, UTF-8.
    pub bytes: Vec<u8>,
    /// Where each byte came from.
    pub spans: Spans,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(
        templates: &'a Templates,
        origins: &'a Origins,
        options: &Options<'a>,
    ) -> Self {
        let mut state = State::new(origins, &options.limits, nowhere());
        state.host = options.host;
        if !options.provenance {
            state.tracker = Tracker::off();
        }
        Self {
            templates,
            state,
            missing_key: options.missing_key,
            removes_no_value: options.removes_no_value,
            layers: Vec::new(),
            parsed: HashMap::default(),
            tables: Tables::default(),
            variables: Vec::new(),
            arguments: Vec::new(),
            including: HashMap::default(),
            stack_start: 0,
            changes_before: changes(),
        }
    }

    /// A tree as a value. Each of its nodes is known by its origin, and
    /// [`Self::read`] can tell what was read of it.
    pub fn value(&mut self, node: &Node) -> Value {
        self.state.thaw(node)
    }

    /// As [`Self::value`], where the outermost map is of a named type.
    pub fn typed_value(&mut self, node: &Node, of: MapType) -> Value {
        self.state.thaw_map_as(node, of)
    }

    /// A value that was written as it is at an origin.
    pub fn at_origin(&mut self, value: Value, origin: OriginId) -> Value {
        let source = crate::value::Source::exact(origin, &mut self.state);
        Value { source, ..value }
    }

    /// A value that is there because of some others.
    pub fn because_of(&mut self, value: Value, others: &[OriginId]) -> Value {
        let others = self.state.tracker.set(others.to_vec());
        let because = self.state.tracker.union(value.because, others);
        Value { because, ..value }
    }

    /// JSON Pointers to all that was read of `node`, which [`Self::value`] made `value` of.
    pub fn read(&self, node: &Node, value: &Value) -> BTreeSet<String> {
        self.state.read_paths(node, value)
    }

    /// Renders a template.
    ///
    /// # Errors
    ///
    /// The first mistake, in Go's words.
    pub fn render(&mut self, name: &str, context: &Value) -> Result<Output, Error> {
        self.render_because(name, context, &[])
    }

    /// As [`Self::render`], where the template is only rendered because of some values.
    ///
    /// # Errors
    ///
    /// The first mistake, in Go's words.
    pub fn render_because(
        &mut self,
        name: &str,
        context: &Value,
        because: &[OriginId],
    ) -> Result<Output, Error> {
        let _rendering = Rendering::begin();
        let here = 0_u8;
        self.stack_start = std::ptr::from_ref(&here).addr();
        self.variables.clear();
        self.arguments.clear();
        self.including.clear();
        self.layers.clear();
        self.state.rendering = name.into();
        let found = self.find(name);
        let mut out = Text::with_room(found.as_deref().map_or(0, room_for));
        let result = match found {
            Some(defined) => {
                if let Some(start) = defined.program.start() {
                    self.state.place = start;
                }
                self.state.cause = CauseId::default();
                let because = self.state.tracker.set(because.to_vec());
                if because != OriginSet::EMPTY {
                    let place = self.state.place;
                    self.state.enter(CauseKind::Chart, place, because);
                }
                self.execute(&defined, context.clone(), &mut out)
            }
            None => Err(no_template(name)),
        };
        if let Err(failure) = result {
            return Err(Error::execute(failure));
        }
        if self.removes_no_value {
            out = out.without(NO_VALUE);
        }
        Ok(Output { text: out })
    }

    /// How often templates changed a value that was there before them, such as a map of their
    /// context: the templates that follow see that. What one changes of its own does not count.
    pub fn changes(&self) -> u64 {
        changes().wrapping_sub(self.changes_before)
    }

    /// How many steps were taken so far, of as many as [`Limits::steps`](crate::Limits::steps)
    /// allows.
    pub fn steps(&self) -> u64 {
        self.state.steps()
    }

    /// Ends the render: gives each output with where its bytes came from.
    pub fn finish(self, outputs: Vec<Output>) -> Vec<Rendered> {
        let tracker = Arc::new(self.state.tracker);
        outputs
            .into_iter()
            .map(|output| {
                let (bytes, runs, gaps) = output.text.into_parts();
                Rendered {
                    bytes,
                    spans: Spans::new(runs, gaps, Arc::clone(&tracker)),
                }
            })
            .collect()
    }

    /// The template of a name: what `tpl` defined last, else what the files define.
    pub(super) fn find(&self, name: &str) -> Option<Cow<'a, Defined>> {
        let mut layers = self.layers.iter().rev();
        match layers.find_map(|layer| layer.get(name)) {
            Some(defined) => Some(Cow::Owned(defined.clone())),
            None => self.templates.get(name).map(Cow::Borrowed),
        }
    }

    /// Renders a template into `out`.
    pub(super) fn execute(
        &mut self,
        defined: &Defined,
        context: Value,
        out: &mut Text,
    ) -> Outcome<()> {
        let mut frame = Frame {
            program: &defined.program,
            name: &defined.template().name,
            variables: self.variables.len(),
            dot: Value::missing(),
            at: NodeId(0),
            called: self.state.place,
            literal: None,
        };
        self.execute_frame(&mut frame, defined.index, context, out)
    }

    pub(super) fn execute_frame(
        &mut self,
        frame: &mut Frame<'_>,
        index: usize,
        context: Value,
        out: &mut Text,
    ) -> Outcome<()> {
        let template = &frame.program.templates[index];
        let body = template.body;
        let slots = frame.variables + template.frame as usize;
        self.variables.resize(slots, Value::missing());
        self.variables[frame.variables] = context.clone();
        frame.dot = context;
        let result = self.list(frame, body, out);
        self.variables.truncate(frame.variables);
        result.map(|_| ())
    }

    /// Whether inclusion may go deeper on this stack.
    pub(super) fn has_stack(&self) -> bool {
        self.stack_used() < self.state.limits.stack_bytes
    }

    /// Whether control structures may go deeper, which is allowed for longer than inclusion, so
    /// that whoever includes itself is told that.
    pub(super) fn has_stack_for_blocks(&self) -> bool {
        let limit = self.state.limits.stack_bytes;
        self.stack_used() < limit.saturating_add(limit / 4)
    }

    fn stack_used(&self) -> usize {
        let here = 0_u8;
        self.stack_start.abs_diff(std::ptr::from_ref(&here).addr())
    }
}

/// A place to say before anything is rendered.
fn nowhere() -> Span {
    let source = Sources::new().add("", "", SourceKind::Other);
    Span {
        source,
        start: 0,
        end: 0,
    }
}

/// Long templates render most of their text. The others are seldom more than conditions, and have
/// no room kept for them.
const LONG_TEMPLATE_BYTES: usize = 16 << 10;
const MOST_ROOM_BYTES: usize = 1 << 20;

/// For how many bytes a template's output has room from the start.
fn room_for(defined: &Defined) -> usize {
    match defined.program.text.len() {
        long if long >= LONG_TEMPLATE_BYTES => long.min(MOST_ROOM_BYTES),
        _ => 0,
    }
}

/// What a missing value prints as, and what Helm removes again.
pub(super) const NO_VALUE: &[u8] = b"<no value>";

/// The name that Helm gives to its set of templates and to what `tpl` renders.
pub(super) const SET_NAME: &str = "gotpl";

pub(super) fn no_template(name: &str) -> Failure {
    Diagnostic::error(
        "template-undefined",
        format!(
            "template: no template {} associated with template {}",
            quote(name.as_bytes()),
            quote(SET_NAME.as_bytes())
        ),
    )
    .into()
}
