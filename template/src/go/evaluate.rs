//! Evaluates pipelines, commands and calls.

use std::{rc::Rc, sync::Arc};

use cairn_spec::Span;
use foldhash::HashMap;

use super::{
    arguments::Signature,
    ast::{Kind, List, NodeId},
    complex::Complex,
    execute::too_deep,
    frame::Frame,
    render::{NO_VALUE, Renderer, SET_NAME, no_template},
    set::add_definitions,
};
use crate::{
    call::{Call, CallSite, Caller},
    functions::{Evaluation, Function},
    spans::{CauseKind, OriginSet},
    state::{Failure, Outcome, State},
    value::{Data, IntKind, Value},
    writer::Text,
};

/// What a text that `tpl` parses takes, besides its bytes: it is kept for the next time.
const PARSE_STEPS: usize = 400;

/// What is called, and with what.
pub(super) struct Calling<'n> {
    /// The node that errors of the function name.
    pub(super) node: NodeId,
    pub(super) name: &'n str,
    /// The arguments, without the function itself.
    pub(super) arguments: List,
    /// What the pipeline gives as the last argument.
    pub(super) last: Option<Value>,
}

/// A call whose arguments are evaluated.
struct Prepared {
    node: NodeId,
    words: List,
    /// Where the arguments begin in the renderer's list.
    base: usize,
}

impl Renderer<'_> {
    pub(super) fn pipeline(&mut self, frame: &mut Frame<'_>, id: NodeId) -> Outcome<Value> {
        frame.at = id;
        let pipe = frame.program.pipe_of(id);
        let mut value = None;
        for index in 0..pipe.commands.length as usize {
            let command = frame.program.children(pipe.commands)[index];
            let result = self.command(frame, command, value)?;
            value = Some(unboxed(result));
        }
        let value = value.unwrap_or_else(Value::missing);
        for index in 0..pipe.variables.length as usize {
            let variable = frame.program.children(pipe.variables)[index];
            self.set_variable(frame, variable, value.clone())?;
        }
        Ok(value)
    }

    pub(super) fn set_variable(
        &mut self,
        frame: &mut Frame<'_>,
        id: NodeId,
        value: Value,
    ) -> Outcome<()> {
        match frame.program.node(id).kind {
            Kind::Variable(Some(slot), _) => {
                self.variables[frame.variables + slot.0 as usize] = value;
                Ok(())
            }
            _ => Err(undefined_variable(frame, id)),
        }
    }

    fn command(
        &mut self,
        frame: &mut Frame<'_>,
        id: NodeId,
        last: Option<Value>,
    ) -> Outcome<Value> {
        let Kind::Command(words) = frame.program.node(id).kind else {
            return Ok(Value::missing());
        };
        let first = frame.program.children(words)[0];
        let arguments = List {
            start: words.start + 1,
            length: words.length - 1,
        };
        match frame.program.node(first).kind {
            Kind::Function(function) => {
                frame.at = first;
                let function = function.function();
                let calling = Calling {
                    node: id,
                    name: function.name,
                    arguments,
                    last,
                };
                self.call(frame, function, calling)
            }
            Kind::Field(_) | Kind::Chain(..) => self.path(frame, first, Some((arguments, last))),
            Kind::Variable(_, names) if names.length > 1 => {
                self.path(frame, first, Some((arguments, last)))
            }
            Kind::Pipe(_) => {
                not_a_function(frame, first, arguments, last.as_ref())?;
                self.nested_pipeline(frame, first)
            }
            _ => {
                frame.at = first;
                not_a_function(frame, first, arguments, last.as_ref())?;
                self.constant(frame, first)
            }
        }
    }

    /// A pipeline in parentheses.
    pub(super) fn nested_pipeline(&mut self, frame: &mut Frame<'_>, id: NodeId) -> Outcome<Value> {
        if !self.has_stack_for_blocks() {
            return Err(too_deep(frame));
        }
        self.pipeline(frame, id)
    }

    /// A word that is neither a function nor a path.
    pub(super) fn constant(&mut self, frame: &mut Frame<'_>, id: NodeId) -> Outcome<Value> {
        Ok(match frame.program.node(id).kind {
            Kind::Dot => frame.dot.clone(),
            Kind::Nil => return Err(frame.failure("nil is not a command")),
            Kind::Bool(value) => value.into(),
            Kind::String(string) => Data::Str(Arc::clone(frame.program.string(string))).into(),
            Kind::Number(number) => {
                let number = frame.program.number(number);
                if let Some(imaginary) = number.imaginary {
                    return Ok(Value::object(Complex {
                        real: number.float,
                        imaginary,
                    }));
                }
                match number.int {
                    _ if number.is_float => number.float.into(),
                    Some(int) => Data::Int(int, IntKind::Int).into(),
                    None => {
                        let shown = frame.program.shown(id);
                        return Err(frame.failure(format!("{shown} overflows int")));
                    }
                }
            }
            Kind::Variable(Some(slot), _) => {
                self.variables[frame.variables + slot.0 as usize].clone()
            }
            Kind::Variable(None, _) => return Err(undefined_variable(frame, id)),
            _ => {
                let shown = frame.program.shown(id);
                return Err(frame.failure(format!("can't evaluate command \"{shown}\"")));
            }
        })
    }

    /// Calls a function.
    pub(super) fn call(
        &mut self,
        frame: &mut Frame<'_>,
        function: &'static Function,
        calling: Calling<'_>,
    ) -> Outcome<Value> {
        let signature = Signature::from(function);
        signature.check_count(frame, &calling)?;
        let base = self.arguments.len();
        let prepared = Prepared {
            node: calling.node,
            words: calling.arguments,
            base,
        };
        let result = match function.evaluation {
            Evaluation::Eager => {
                let evaluated = self.evaluate_arguments(frame, &signature, calling);
                match evaluated {
                    Ok(()) => self.run(frame, function, &prepared),
                    Err(failure) => Err(failure),
                }
            }
            Evaluation::UntilTruth(truth) => self.until(frame, truth, calling),
        };
        self.arguments.truncate(base);
        result
    }

    fn run(
        &mut self,
        frame: &mut Frame<'_>,
        function: &'static Function,
        prepared: &Prepared,
    ) -> Outcome<Value> {
        let &Prepared { node, words, base } = prepared;
        let span = frame.span(node);
        self.state.place = span;
        let result = match self.state.step(1) {
            Ok(()) => {
                let mut caller = GoCaller {
                    renderer: self,
                    frame,
                    node,
                    words,
                    base,
                    span,
                };
                let mut call = Call::new(&mut caller, function.name, span);
                (function.run)(&mut call)
            }
            Err(failure) => Err(failure),
        };
        result.map_err(|failure| {
            frame.at = node;
            frame.wrap(failure, &format!("error calling {}: ", function.name))
        })
    }

    /// `and` and `or`: the first argument of that truth, else the last.
    fn until(
        &mut self,
        frame: &mut Frame<'_>,
        truth: bool,
        calling: Calling<'_>,
    ) -> Outcome<Value> {
        let mut because = OriginSet::EMPTY;
        let mut value = Value::missing();
        let count = calling.arguments.length as usize;
        for index in 0..count {
            let word = frame.program.children(calling.arguments)[index];
            value = self.argument(frame, word, crate::Parameter::Any)?;
            let is_last = index + 1 == count && calling.last.is_none();
            if is_last {
                break;
            }
            let found = value.is_true() == truth;
            self.state.read_shallow(&value);
            if found {
                return Ok(self.chosen(value, because));
            }
            let origins = value.shallow_origins(&mut self.state);
            because = self.state.tracker.union(because, origins);
        }
        let value = calling.last.unwrap_or(value);
        Ok(self.chosen(value, because))
    }

    fn chosen(&mut self, value: Value, because: OriginSet) -> Value {
        let because = self.state.tracker.union(value.because, because);
        Value { because, ..value }
    }

    /// Renders a template by name into a text of its own.
    fn include(&mut self, place: Span, name: &str, context: Value) -> Outcome<Text> {
        match self.including.get_mut(name) {
            Some(count) if *count > self.state.limits.partial_depth => {
                return Err(nested_reference(name, place));
            }
            Some(count) => *count += 1,
            None => drop(self.including.insert(name.into(), 1)),
        }
        let result = self.include_once(place, name, context);
        if let Some(count) = self.including.get_mut(name) {
            *count -= 1;
        }
        result
    }

    fn include_once(&mut self, place: Span, name: &str, context: Value) -> Outcome<Text> {
        let Some(defined) = self.find(name) else {
            return Err(no_template(name));
        };
        if !self.has_stack() {
            return Err(nested_reference(name, place));
        }
        let outer = self
            .state
            .enter(CauseKind::Partial, place, OriginSet::EMPTY);
        let count = self.state.tracker.cause_count();
        let mut text = Text::new();
        let result = self.execute(&defined, unboxed(context), &mut text);
        self.state.cause = outer;
        // Whoever looks at the text looks at what was left out of it, too.
        text.add_causes(count..self.state.tracker.cause_count());
        result.map(|()| text)
    }

    /// Renders a text as a template.
    fn render_text(&mut self, place: Span, text: &Value, context: Value) -> Outcome<Text> {
        let origins = text.shallow_origins(&mut self.state);
        let literal = text.printed(place, &mut self.state)?;
        if crate::writer::find(literal.as_bytes(), b"{{").is_none() {
            // No action: the text is what it renders.
            return Ok(Text::clone(&literal).without(NO_VALUE));
        }
        // Nearly all are UTF-8, which is seen sooner than what is to be replaced.
        let source: Arc<str> = match str::from_utf8(literal.as_bytes()) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(literal.as_bytes()).into(),
        };
        self.state.check_length(source.len())?;
        let known = self.parsed.get(&source).map(Arc::clone);
        let program = if let Some(program) = known {
            program
        } else {
            self.state.step(source.len().saturating_add(PARSE_STEPS))?;
            let program = super::parse::parse(
                SET_NAME,
                &source,
                None,
                self.templates.unknown(),
                &mut self.tables,
            )
            .map_err(|problem| unparsable(&source, place, problem))?;
            let program = Arc::new(program);
            self.parsed
                .insert(Arc::clone(&source), Arc::clone(&program));
            program
        };
        if !self.has_stack() {
            return Err(nested_reference(SET_NAME, place));
        }
        let layered = program.templates.len() > 1;
        if layered {
            let mut layer = HashMap::default();
            add_definitions(&mut layer, &program, |name| self.find(name).is_some());
            self.layers.push(Rc::new(layer));
        }
        let outer = self.state.enter(CauseKind::Text, place, origins);
        let count = self.state.tracker.cause_count();
        let mut frame = Frame {
            name: SET_NAME,
            variables: self.variables.len(),
            dot: Value::missing(),
            at: NodeId(0),
            called: place,
            literal: (source.len() == literal.len()).then_some(literal),
            program: &program,
        };
        let main = frame.program.templates.len() - 1;
        let main = frame
            .program
            .templates
            .iter()
            .position(|template| &*template.name == SET_NAME)
            .unwrap_or(main);
        let mut out = Text::new();
        let result = self.execute_frame(&mut frame, main, unboxed(context), &mut out);
        self.state.cause = outer;
        if layered {
            self.layers.pop();
        }
        out.add_causes(count..self.state.tracker.cause_count());
        match result {
            Ok(()) if self.removes_no_value => Ok(out.without(NO_VALUE)),
            Ok(()) => Ok(out),
            Err(failure) => Err(failure.within(format!(
                "error during tpl function execution for {}: ",
                super::format::quote(source.as_bytes())
            ))),
        }
    }
}

/// A value as a pipeline passes it on: nil is no value, and what held it is forgotten.
pub(super) fn unboxed(mut value: Value) -> Value {
    value.standing.set_boxed(false);
    if matches!(value.data, Data::Nil) {
        value.data = Data::Missing;
    }
    value
}

fn undefined_variable(frame: &Frame<'_>, id: NodeId) -> Failure {
    let shown = frame.program.shown(id);
    let name = shown.split('.').next().unwrap_or_default();
    frame.failure(format!("undefined variable: {name}"))
}

fn not_a_function(
    frame: &Frame<'_>,
    word: NodeId,
    arguments: List,
    last: Option<&Value>,
) -> Outcome<()> {
    if arguments.length == 0 && last.is_none() {
        return Ok(());
    }
    let shown = frame.program.shown_argument(word);
    Err(frame.failure(format!("can't give argument to non-function {shown}")))
}

fn nested_reference(name: &str, place: Span) -> Failure {
    let message = format!(
        "rendering template has a nested reference name: {name}: unable to execute template"
    );
    let diagnostic = cairn_spec::Diagnostic::error("template-limit", message)
        .at(place)
        .hint(format!("`{name}` may be including itself"));
    Failure::limit(diagnostic)
}

fn unparsable(source: &str, place: Span, problem: super::parse::ParseError) -> Failure {
    let diagnostic = cairn_spec::Diagnostic::error("template-syntax", problem.message).at(place);
    Failure::from(diagnostic).within(format!(
        "cannot parse template {}: ",
        super::format::quote(source.as_bytes())
    ))
}

/// The arguments of one call, which are evaluated already.
struct GoCaller<'r, 'a, 'p> {
    renderer: &'r mut Renderer<'a>,
    frame: &'r mut Frame<'p>,
    node: NodeId,
    words: List,
    /// Where the arguments begin in the renderer's list.
    base: usize,
    span: Span,
}

impl<'a> Caller<'a> for GoCaller<'_, 'a, '_> {
    fn argument(&mut self, index: usize) -> Outcome<Value> {
        Ok(self.renderer.arguments[self.base + index].clone())
    }

    fn argument_span(&self, index: usize) -> Span {
        match self.frame.program.children(self.words).get(index) {
            Some(&word) => self.frame.span(word),
            None => self.span,
        }
    }

    fn argument_text(&self, index: usize) -> String {
        match self.frame.program.children(self.words).get(index) {
            Some(&word) => self.frame.program.shown_argument(word),
            None => String::new(),
        }
    }

    fn argument_count(&self) -> usize {
        self.renderer.arguments.len() - self.base
    }

    fn include(&mut self, name: &str, context: Option<Value>) -> Outcome<Text> {
        let context = context.unwrap_or_else(Value::missing);
        self.renderer.include(self.span, name, context)
    }

    fn render_text(&mut self, text: &Value, context: Value) -> Outcome<Text> {
        self.renderer.render_text(self.span, text, context)
    }

    fn state(&mut self) -> &mut State<'a> {
        &mut self.renderer.state
    }

    fn site(&self, function: &'static str) -> CallSite {
        let program = &self.frame.program;
        let is_text = program.source.is_none();
        CallSite {
            function,
            template: Arc::clone(&program.name),
            text: is_text.then(|| Arc::clone(&program.text)),
            occurrence: program.occurrence(function, self.node),
            rendering: Arc::clone(&self.renderer.state.rendering),
        }
    }
}
