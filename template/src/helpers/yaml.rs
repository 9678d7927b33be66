//! YAML and JSON, written so that every key and leaf keeps its own origin, and read back.
//!
//! The bytes are those of [`cairn_spec::yaml::write_block`]; a test holds the two together.

use std::sync::Arc;

use cairn_spec::{
    Diagnostics, Map, Node, Origins, SourceKind, Sources, Span, Value as Tree,
    yaml::{read_one, write_document, write_scalar},
};

use crate::{
    call::Call,
    spans::{CauseId, Class, Mark},
    state::{Outcome, State},
    value::{Source, Value, View},
    writer::Text,
};

pub(super) fn to_yaml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let span = call.caller.argument_span(0);
    let text = write_yaml(&value, span, call.state())?;
    call.finished(text)
}

pub(super) fn to_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let span = call.caller.argument_span(0);
    let mut emitter = Emitter::new(span, call.state());
    emitter.json(&value, 0)?;
    let text = emitter.out;
    call.finished(text)
}

pub(super) fn from_yaml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    call.state().check_length(text.len())?;
    let mut sources = Sources::new();
    let source = sources.add("text", text.as_str(), SourceKind::Other);
    let mut diagnostics = Diagnostics::new();
    let node = read_one(&sources, source, &mut Origins::new(), &mut diagnostics);
    match (node, diagnostics.into_iter().next()) {
        (Some(node), None) => Ok(read_back(call, &node)),
        (_, Some(first)) => {
            let line = first.labels.first().map_or(1, |label| {
                sources.get(source).position(label.span.start).line
            });
            let reason = first.message.trim_start_matches("this is not valid YAML: ");
            let problem = format!("is not valid YAML: {reason} (line {line} of the text)");
            Err(call.error(0, problem))
        }
        (None, None) => Err(call.error(0, "is not valid YAML")),
    }
}

pub(super) fn from_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    call.state().check_length(text.len())?;
    match serde_json::from_str::<serde_json::Value>(text.as_str()) {
        Ok(json) => Ok(read_back(call, &Node::from(json))),
        Err(error) => Err(call.error(0, format!("is not valid JSON: {error}"))),
    }
}

fn read_back(call: &mut Call<'_, '_>, node: &Node) -> Value {
    Value::from_tree(&node.value, Source::derived(call.used))
}

/// Compact JSON; a whole float is written as the integer it equals.
pub(super) fn write_json(value: &Value, place: Span, state: &mut State<'_>) -> Outcome<String> {
    let mut emitter = Emitter::new(place, state);
    emitter.json(value, 0)?;
    Ok(emitter.out.as_str().to_owned())
}

/// Block YAML without a trailing newline.
fn write_yaml(value: &Value, place: Span, state: &mut State<'_>) -> Outcome<Text> {
    let mut emitter = Emitter::new(place, state);
    emitter.root(value)?;
    let mut text = emitter.out;
    let keeps_newline = matches!(value.view(), View::Str(text) if text.ends_with('\n'));
    if text.as_str().ends_with('\n') && !keeps_newline {
        text.truncate(text.len() - 1);
    }
    Ok(text)
}

struct Emitter<'s, 'a> {
    out: Text,
    place: Span,
    /// The mark of the key or leaf that is being written.
    mark: Mark,
    state: &'s mut State<'a>,
}

impl<'s, 'a> Emitter<'s, 'a> {
    fn new(place: Span, state: &'s mut State<'a>) -> Self {
        let mark = state.mark(place, Class::Template, Source::TEMPLATE.origins);
        Self {
            out: Text::new(),
            place,
            mark,
            state,
        }
    }

    fn root(&mut self, value: &Value) -> Outcome<()> {
        match value.view() {
            View::Map(length) if length > 0 => self.map(value, 0, true),
            View::List(length) if length > 0 => self.list(value, 0, true),
            _ => self.line(value, 0),
        }
    }

    /// Writes a scalar, or an empty list or map, and ends the line.
    fn line(&mut self, value: &Value, indent: usize) -> Outcome<()> {
        let outer = self.enter(value)?;
        self.scalar(value, indent);
        self.push("\n");
        self.state.cause = outer;
        Ok(())
    }

    /// Writes a map's entries, each on a line of its own; the first continues the current line
    /// when `inline_first` is set.
    fn map(&mut self, map: &Value, indent: usize, inline_first: bool) -> Outcome<()> {
        // At least every second level indents by two, so this bounds the recursion.
        self.state.check_depth(indent / 2)?;
        let outer = self.enter(map)?;
        let entries = map.entries().unwrap_or_default();
        for (index, (key, entry)) in entries.iter().enumerate() {
            self.mark_source(entry.key);
            if index > 0 || !inline_first {
                self.pad(indent);
            }
            self.push(&write_scalar(&Tree::String(Arc::clone(key))));
            self.push(":");
            match entry.value.view() {
                View::Map(length) if length > 0 => {
                    self.push("\n");
                    self.map(&entry.value, indent + 2, false)?;
                }
                View::List(length) if length > 0 => {
                    self.push("\n");
                    self.list(&entry.value, indent, false)?;
                }
                _ => {
                    self.push(" ");
                    self.line(&entry.value, indent + 2)?;
                }
            }
        }
        self.state.cause = outer;
        Ok(())
    }

    fn list(&mut self, list: &Value, indent: usize, inline_first: bool) -> Outcome<()> {
        self.state.check_depth(indent / 2)?;
        let outer = self.enter(list)?;
        let items = list.items().unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            self.mark_value(item);
            if index > 0 || !inline_first {
                self.pad(indent);
            }
            self.push("- ");
            match item.view() {
                View::Map(length) if length > 0 => self.map(item, indent + 2, true)?,
                View::List(length) if length > 0 => self.list(item, indent + 2, true)?,
                _ => self.line(item, indent + 2)?,
            }
        }
        self.state.cause = outer;
        Ok(())
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value.view() {
            View::Str(text) if text.contains('\n') => self.lines(text, indent.max(2)),
            view => {
                let text = write_scalar(&scalar_value(view));
                self.push(&text);
            }
        }
    }

    /// A text of several lines, as it stands under a key, moved to `indent`.
    fn lines(&mut self, text: &str, indent: usize) {
        let mut map = Map::new();
        map.insert("k", Node::generated(text));
        let document = write_document(&Tree::Map(map));
        let block = document.strip_prefix("k: ").unwrap_or(&document);
        let block = block.strip_suffix('\n').unwrap_or(block);
        // The writer indents by two; only the rest is missing.
        let padding = " ".repeat(indent - 2);
        for (index, line) in block.split('\n').enumerate() {
            if index > 0 {
                self.push("\n");
                if !line.is_empty() {
                    self.push(&padding);
                }
            }
            self.push(line);
        }
    }

    fn json(&mut self, value: &Value, depth: usize) -> Outcome<()> {
        self.state.check_depth(depth)?;
        let outer = self.enter(value)?;
        match value.view() {
            View::List(_) => {
                self.push("[");
                for (index, item) in value.items().unwrap_or_default().iter().enumerate() {
                    if index > 0 {
                        self.push(",");
                    }
                    self.json(item, depth + 1)?;
                }
                self.push("]");
            }
            View::Map(_) => {
                self.push("{");
                let entries = value.entries().unwrap_or_default();
                for (index, (key, entry)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.push(",");
                    }
                    self.mark_source(entry.key);
                    self.push(&serde_json::Value::from(&**key).to_string());
                    self.push(":");
                    self.json(&entry.value, depth + 1)?;
                }
                self.push("}");
            }
            View::Str(text) => self.push(&serde_json::Value::from(text).to_string()),
            view => self.push(&write_scalar(&scalar_value(view))),
        }
        self.state.cause = outer;
        Ok(())
    }

    /// Begins a value: counts, and marks what is written next. Gives the cause to go back to
    /// after the value, since what decided a value holds for all that is in it.
    fn enter(&mut self, value: &Value) -> Outcome<CauseId> {
        self.state.read_shallow(value);
        self.state.step(1)?;
        if self.out.len() > self.state.limits.output_bytes {
            self.state.check_length(self.out.len())?;
        }
        let outer = self.state.cause;
        let reasons = value.reasons(self.state);
        self.state.cause = self.state.cause_of(reasons, self.place);
        self.mark_value(value);
        Ok(outer)
    }

    fn mark_value(&mut self, value: &Value) {
        let source = value.source(self.state);
        self.mark_source(source);
    }

    fn mark_source(&mut self, source: Source) {
        self.mark = self.state.mark(self.place, source.class, source.origins);
    }

    fn push(&mut self, text: &str) {
        self.out.push(text, self.mark);
    }

    fn pad(&mut self, indent: usize) {
        self.push(&" ".repeat(indent));
    }
}

fn scalar_value(view: View<'_>) -> Tree {
    match view {
        View::Null | View::Object => Tree::Null,
        View::Bool(value) => Tree::Bool(value),
        View::Int(value) => Tree::Int(value),
        View::Float(value) => Tree::Float(value),
        View::Str(text) => Tree::from(text),
        View::List(_) => Tree::List(Vec::new()),
        View::Map(_) => Tree::Map(Map::new()),
    }
}
