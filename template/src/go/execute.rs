//! Renders what stands in a template: text, actions and control structures.

use super::{
    ast::{Control, ControlId, Kind, List, NodeId, Program},
    format::{print, quote},
    frame::Frame,
    render::{NO_VALUE, Renderer},
};
use crate::{
    spans::{CauseId, CauseKind, Class, OriginSet},
    state::{Failure, Outcome},
    value::{Data, IntKind, Source, Value},
    writer::Text,
};

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Break,
    Continue,
}

impl Renderer<'_> {
    pub(super) fn list(
        &mut self,
        frame: &mut Frame<'_>,
        list: List,
        out: &mut Text,
    ) -> Outcome<Flow> {
        if !self.has_stack_for_blocks() {
            return Err(too_deep(frame));
        }
        for index in 0..list.length as usize {
            let id = frame.program.children(list)[index];
            let flow = self.statement(frame, id, out)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, frame: &mut Frame<'_>, id: NodeId, out: &mut Text) -> Outcome<Flow> {
        frame.at = id;
        self.count(frame, 1)?;
        match frame.program.node(id).kind {
            Kind::Text => self.literal(frame, id, out)?,
            Kind::Action(pipe) => {
                let value = self.pipeline(frame, pipe)?;
                if frame.program.pipe_of(pipe).variables.length == 0 {
                    frame.at = id;
                    self.print(frame, pipe, &value, out)?;
                }
            }
            Kind::If(control) => return self.choose(frame, control, false, out),
            Kind::With(control) => return self.choose(frame, control, true, out),
            Kind::Range(control) => return self.range(frame, control, out),
            Kind::Template { name, pipe } => {
                let name = frame.program.string(name);
                self.template(frame, name, pipe, out)?;
            }
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
            _ => {}
        }
        Ok(Flow::On)
    }

    /// Counts work, and says where there was too much of it.
    pub(super) fn count(&mut self, frame: &Frame<'_>, steps: usize) -> Outcome<()> {
        match self.state.step(steps) {
            Ok(()) => Ok(()),
            Err(failure) => Err(frame.wrap(failure, "")),
        }
    }

    fn literal(&mut self, frame: &Frame<'_>, id: NodeId, out: &mut Text) -> Outcome<()> {
        let node = frame.program.node(id);
        let range = node.start as usize..node.end as usize;
        match &frame.literal {
            None => {
                let place = frame.span(id);
                let mark = self.state.mark(place, Class::Template, OriginSet::EMPTY);
                out.push(&frame.program.text[range], mark);
            }
            Some(text) => {
                let part = Value::from(text.slice(range));
                if let Data::Text(text) = &part.data {
                    let text = part.explained(text, frame.called, &mut self.state);
                    out.append(&text);
                }
            }
        }
        self.check_output(frame, out)
    }

    fn check_output(&mut self, frame: &Frame<'_>, out: &Text) -> Outcome<()> {
        let checked = if out.len() <= self.state.limits.output_bytes {
            self.state.check_runs(out)
        } else {
            self.state.check_length(out.len())
        };
        match checked {
            Ok(()) => Ok(()),
            Err(failure) => Err(frame.wrap(failure, "")),
        }
    }

    fn print(
        &mut self,
        frame: &Frame<'_>,
        pipe: NodeId,
        value: &Value,
        out: &mut Text,
    ) -> Outcome<()> {
        let place = frame.span(pipe);
        match &value.data {
            Data::Text(text) => {
                let text = value.explained(text, place, &mut self.state);
                if text.is_empty() {
                    self.note_empty(value, place, out);
                }
                out.append(&text);
            }
            Data::Str(text) => {
                self.state.read_whole(value);
                if text.is_empty() {
                    self.note_empty(value, place, out);
                }
                let mark = value.mark(place, &mut self.state);
                out.push(text, mark);
            }
            Data::Missing | Data::Nil => {
                self.state.read_whole(value);
                self.note_empty(value, place, out);
                let mark = value.mark(place, &mut self.state);
                out.push(NO_VALUE, mark);
            }
            Data::Object(object) => {
                let mark = value.mark(place, &mut self.state);
                out.push(object.print_shown(), mark);
            }
            _ => {
                let text = value
                    .printed(place, &mut self.state)
                    .map_err(|failure| frame.wrap(failure, ""))?;
                out.append(&text);
            }
        }
        self.check_output(frame, out)
    }

    /// There is nothing to mark, but an `include` around it depends on it all the same.
    fn note_empty(&mut self, value: &Value, place: cairn_spec::Span, out: &mut Text) {
        let origins = value.shallow_origins(&mut self.state);
        if origins != OriginSet::EMPTY {
            out.add_gap(self.state.cause_of(origins, place), false);
        }
    }

    /// `if` and `with`, whole chains of them without recursion.
    fn choose(
        &mut self,
        frame: &mut Frame<'_>,
        mut id: ControlId,
        is_with: bool,
        out: &mut Text,
    ) -> Outcome<Flow> {
        let kind = if is_with {
            CauseKind::With
        } else {
            CauseKind::Condition
        };
        let outer = self.state.cause;
        let start = out.len();
        let mut conditions = OriginSet::EMPTY;
        let first = frame.program.control(id);
        let flow = loop {
            let control = frame.program.control(id);
            let value = self.pipeline(frame, control.pipe)?;
            let origins = self.decide(frame, control.pipe, kind, &value);
            conditions = self.state.tracker.union(conditions, origins);
            if value.is_true() {
                if !is_with {
                    break self.list(frame, control.body, out)?;
                }
                let dot = std::mem::replace(&mut frame.dot, value);
                let flow = self.list(frame, control.body, out)?;
                frame.dot = dot;
                break flow;
            }
            let Some(otherwise) = control.otherwise else {
                break Flow::On;
            };
            match next_in_chain(frame, otherwise, is_with) {
                Some(next) => id = next,
                None => break self.list(frame, otherwise, out)?,
            }
        };
        if out.len() == start && conditions != OriginSet::EMPTY {
            let is_of_lines = begins_line(frame.program, first.body, 0);
            out.add_gap(self.state.cause, is_of_lines);
        }
        self.leave(frame, &first, outer, conditions);
        Ok(flow)
    }

    /// Remembers that what follows is there because of a value.
    fn decide(
        &mut self,
        frame: &Frame<'_>,
        pipe: NodeId,
        kind: CauseKind,
        value: &Value,
    ) -> OriginSet {
        self.state.read_shallow(value);
        if self.state.tracker.is_off() {
            return OriginSet::EMPTY;
        }
        let origins = value.shallow_origins(&mut self.state);
        self.state.enter(kind, frame.span(pipe), origins);
        origins
    }

    /// Leaves a control structure. Whether the variables of outside were assigned to in it
    /// followed from its condition, and so does all that comes after a `break` in it.
    fn leave(
        &mut self,
        frame: &Frame<'_>,
        control: &Control,
        outer: CauseId,
        conditions: OriginSet,
    ) {
        if !control.jumps {
            self.state.cause = outer;
        }
        if conditions == OriginSet::EMPTY {
            return;
        }
        for slot in frame.program.slots(control.assigned) {
            let index = frame.variables + slot.0 as usize;
            let because = self.variables[index].because;
            self.variables[index].because = self.state.tracker.union(because, conditions);
        }
    }

    fn range(&mut self, frame: &mut Frame<'_>, id: ControlId, out: &mut Text) -> Outcome<Flow> {
        let control = frame.program.control(id);
        let outer = self.state.cause;
        let value = self.pipeline(frame, control.pipe)?;
        let at = frame.at;
        let origins = self.decide(frame, control.pipe, CauseKind::Loop, &value);
        let (decided, start) = (self.state.cause, out.len());
        let looping = Looping {
            control,
            source: Source::derived(origins),
            may_break: !self.state.tracker.is_off() && may_break(frame, &control),
        };
        let dot = frame.dot.clone();
        let rounds = self.rounds(frame, looping, &value, out)?;
        frame.dot = dot;
        frame.at = at;
        let flow = match rounds {
            Rounds::Some => Flow::On,
            Rounds::None => match control.otherwise {
                Some(otherwise) => self.list(frame, otherwise, out)?,
                None => Flow::On,
            },
        };
        if out.len() == start && origins != OriginSet::EMPTY {
            let is_of_lines = begins_line(frame.program, control.body, 0);
            out.add_gap(decided, is_of_lines);
        }
        // What jumps in the loop stays in it, but an `else` may jump further out.
        let left = Control {
            jumps: flow != Flow::On,
            ..control
        };
        self.leave(frame, &left, outer, origins);
        Ok(flow)
    }

    fn rounds(
        &mut self,
        frame: &mut Frame<'_>,
        looping: Looping,
        value: &Value,
        out: &mut Text,
    ) -> Outcome<Rounds> {
        let source = looping.source;
        match &value.data {
            Data::Missing | Data::Nil => return Ok(Rounds::None),
            Data::Int(count, kind) => {
                if frame.program.pipe_of(looping.control.pipe).variables.length > 1 {
                    let count = count.to_string();
                    return Err(frame.failure(format!(
                        "can't use {count} to iterate over more than one variable"
                    )));
                }
                for round in 0..*count {
                    let item = Value::new(Data::Int(round, *kind), source);
                    if self.round(frame, looping, (Value::missing(), item), out)? {
                        break;
                    }
                }
                return Ok(Rounds::of(*count > 0));
            }
            Data::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    let item = item.clone().boxed(list.of.holds_anything());
                    let index = position(index, source);
                    if self.round(frame, looping, (index, item), out)? {
                        break;
                    }
                }
                return Ok(Rounds::of(!list.items().is_empty()));
            }
            Data::Bytes(bytes) => {
                for (index, &byte) in bytes.iter().enumerate() {
                    let item = Value::new(Data::Int(i64::from(byte), IntKind::Uint8), source);
                    let index = position(index, source);
                    if self.round(frame, looping, (index, item), out)? {
                        break;
                    }
                }
                return Ok(Rounds::of(!bytes.is_empty()));
            }
            Data::Map(map) => {
                let entries = map.entries();
                for (key, entry) in entries.iter() {
                    let key = entry.key_value(key);
                    let item = entry.value.clone().boxed(map.of.holds_anything());
                    if self.round(frame, looping, (key, item), out)? {
                        break;
                    }
                }
                return Ok(Rounds::of(!entries.is_empty()));
            }
            Data::Object(object) => {
                if let Some(entries) = object.entries() {
                    let some = !entries.is_empty();
                    for (key, item) in entries {
                        if self.round(frame, looping, (key, item), out)? {
                            break;
                        }
                    }
                    return Ok(Rounds::of(some));
                }
            }
            _ => {}
        }
        let mut shown = String::from_utf8_lossy(&print(value)).into_owned();
        if matches!(value.data, Data::Object(_)) && shown.starts_with('&') {
            // Go goes through what the pointer points to.
            shown.remove(0);
        }
        Err(frame.failure(format!("range can't iterate over {shown}")))
    }

    /// Renders one round; gives whether the loop ends.
    fn round(
        &mut self,
        frame: &mut Frame<'_>,
        looping: Looping,
        (key, item): (Value, Value),
        out: &mut Text,
    ) -> Outcome<bool> {
        self.count(frame, 1)?;
        let outer = self.state.cause;
        let item = match item.data {
            // What an interface holds that is an item is nil, if it is nothing.
            Data::Missing => Value {
                data: Data::Nil,
                ..item
            },
            _ => item,
        };
        let pipe = frame.program.pipe_of(looping.control.pipe);
        match *frame.program.children(pipe.variables) {
            [] => {}
            [only] => self.set_variable(frame, only, item.clone())?,
            [first, second, ..] => {
                self.set_variable(frame, first, key)?;
                self.set_variable(frame, second, item.clone())?;
            }
        }
        frame.dot = item;
        let flow = self.list(frame, looping.control.body, out)?;
        // Where a round may end the loop, there being another follows from what it asked.
        if !looping.may_break {
            self.state.cause = outer;
        }
        Ok(flow == Flow::Break)
    }

    fn template(
        &mut self,
        frame: &mut Frame<'_>,
        name: &[u8],
        pipe: Option<NodeId>,
        out: &mut Text,
    ) -> Outcome<()> {
        let at = frame.at;
        let Some(defined) = self.find(&String::from_utf8_lossy(name)) else {
            return Err(frame.failure(format!("template {} not defined", quote(name))));
        };
        if !self.has_stack() {
            return Err(too_deep(frame));
        }
        let context = match pipe {
            Some(pipe) => self.pipeline(frame, pipe)?,
            None => Value::missing(),
        };
        let place = frame.span(at);
        let outer = self
            .state
            .enter(CauseKind::Partial, place, OriginSet::EMPTY);
        // Go's `template` is no call, so what fails inside says nothing of who included it; the
        // diagnostic does.
        let result = self.execute(&defined, context, out).map_err(|mut failure| {
            frame.at = at;
            frame.note(&mut failure);
            failure
        });
        self.state.cause = outer;
        result
    }
}

/// There were rounds, or none, so that `else` is rendered.
enum Rounds {
    Some,
    None,
}

impl Rounds {
    fn of(some: bool) -> Self {
        if some { Self::Some } else { Self::None }
    }
}

#[derive(Clone, Copy)]
struct Looping {
    control: Control,
    /// Where the number of rounds came from.
    source: Source,
    /// Something in the body that is not a loop itself may end the round or the loop.
    may_break: bool,
}

/// The only thing in an `else` is another of its kind.
fn next_in_chain(frame: &Frame<'_>, otherwise: List, is_with: bool) -> Option<ControlId> {
    let [only] = frame.program.children(otherwise) else {
        return None;
    };
    match frame.program.node(*only).kind {
        Kind::If(next) if !is_with => Some(next),
        Kind::With(next) if is_with => Some(next),
        _ => None,
    }
}

/// What a list writes begins with a line break, as far as its text tells.
fn begins_line(program: &Program, list: List, depth: usize) -> bool {
    /// Deeper blocks have written something else before, as a rule.
    const MAX_DEPTH: usize = 4;
    if depth > MAX_DEPTH {
        return false;
    }
    for &child in program.children(list) {
        let node = program.node(child);
        match node.kind {
            Kind::Text => {
                let text = program.text.as_bytes().get(node.start as usize..);
                return matches!(text, Some([b'\n', ..] | [b'\r', b'\n', ..]));
            }
            Kind::Action(pipe) => {
                let pipe = program.pipe_of(pipe);
                if pipe.variables.length == 0 {
                    let command = program.children(pipe.commands).last();
                    return command.is_some_and(|&command| calls(program, command, "nindent"));
                }
            }
            Kind::If(control) | Kind::With(control) | Kind::Range(control) => {
                return begins_line(program, program.control(control).body, depth + 1);
            }
            _ => return false,
        }
    }
    false
}

fn calls(program: &Program, command: NodeId, name: &str) -> bool {
    let Kind::Command(words) = program.node(command).kind else {
        return false;
    };
    let first = program.children(words).first();
    first.is_some_and(|&word| {
        matches!(program.node(word).kind, Kind::Function(function) if function.function().name == name)
    })
}

fn may_break(frame: &Frame<'_>, control: &Control) -> bool {
    let program = &frame.program;
    program
        .children(control.body)
        .iter()
        .any(|&child| match program.node(child).kind {
            Kind::If(inner) | Kind::With(inner) => program.control(inner).jumps,
            _ => false,
        })
}

fn position(index: usize, source: Source) -> Value {
    Value::scalar(i64::try_from(index).unwrap_or(i64::MAX), source)
}

pub(super) fn too_deep(frame: &Frame<'_>) -> Failure {
    let mut failure = frame.failure("exceeded maximum template depth (100000)");
    failure.fatal = true;
    failure.hint("a template may be including itself")
}
