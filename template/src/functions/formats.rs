//! YAML, JSON and TOML as Helm's templates read and write them. What is written keeps the origins
//! of each key and leaf; what is read came from all of the text.

use std::{ops::Range, rc::Rc};

use cairn_spec::{Span, Value as Tree};

use super::{Function, functions};
use crate::{
    call::Call,
    go_json::{self, JsonStyle, JsonWriteError},
    go_time::Time,
    go_toml::{self, TomlTable, TomlValue, TomlWriteError},
    go_yaml::{self, WriteError},
    spans::{CauseId, Mark},
    state::{Outcome, State},
    tree::Report,
    value::{Data, ElementType, Entries, Entry, IntKind, List, Source, Value},
    writer::Text,
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "fromJson" (String) => from_json;
    "fromJsonArray" (String) => from_json_array;
    "fromToml" (String) => from_toml;
    "fromYaml" (String) => from_yaml;
    "fromYamlArray" (String) => from_yaml_array;
    "mustFromJson" (String) => must_from_json;
    "mustToJson" (Any) => must_to_json;
    "mustToPrettyJson" (Any) => must_to_pretty_json;
    "mustToRawJson" (Any) => must_to_raw_json;
    "mustToToml" (Any) => must_to_toml;
    "mustToYaml" (Any) => must_to_yaml;
    "toJson" (Any) => to_json;
    "toPrettyJson" (Any) => to_pretty_json;
    "toRawJson" (Any) => must_to_raw_json;
    "toToml" (Any) => to_toml;
    "toYaml" (Any) => to_yaml;
    "toYamlPretty" (Any) => to_yaml_pretty;
];

/// What a function does with a value that cannot be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnError {
    Empty,
    Fail,
}

fn to_yaml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    yaml(call, OnError::Empty)
}

fn must_to_yaml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    yaml(call, OnError::Fail)
}

fn yaml(call: &mut Call<'_, '_>, on_error: OnError) -> Outcome<Value> {
    let value = call.value(0)?;
    call.state().check_unfolded(&value)?;
    let (written, marks) = marked(call, |marks| go_yaml::write(&value, marks));
    let written = written.map(without_last_break);
    match written {
        Err(error) if on_error == OnError::Fail || error == WriteError::TooDeep => {
            Err(call.failure(error.to_string()))
        }
        written => finished(call, written.ok(), marks),
    }
}

fn to_yaml_pretty(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    call.state().check_unfolded(&value)?;
    let (written, marks) = marked(call, |marks| go_yaml::write_pretty(&value, marks));
    match written.map(without_last_break) {
        Err(error @ WriteError::TooDeep) => Err(call.failure(error.to_string())),
        written => finished(call, written.ok(), marks),
    }
}

/// Helm takes one line break from the end.
fn without_last_break(mut text: String) -> Vec<u8> {
    if text.ends_with('\n') {
        text.pop();
    }
    text.into_bytes()
}

fn to_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    json(call, JsonStyle::Compact, OnError::Empty)
}

fn must_to_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    json(call, JsonStyle::Compact, OnError::Fail)
}

fn to_pretty_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    json(call, JsonStyle::Pretty, OnError::Empty)
}

fn must_to_pretty_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    json(call, JsonStyle::Pretty, OnError::Fail)
}

fn must_to_raw_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    json(call, JsonStyle::Raw, OnError::Fail)
}

fn json(call: &mut Call<'_, '_>, style: JsonStyle, on_error: OnError) -> Outcome<Value> {
    let value = call.value(0)?;
    call.state().check_unfolded(&value)?;
    let (written, marks) = marked(call, |marks| go_json::write(&value, style, marks));
    match written.map(String::into_bytes) {
        Err(error) if on_error == OnError::Fail || error == JsonWriteError::TooDeep => {
            Err(call.failure(error.to_string()))
        }
        written => finished(call, written.ok(), marks),
    }
}

fn to_toml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    call.state().check_unfolded(&value)?;
    let (written, marks) = marked(call, |marks| go_toml::write(&value, marks));
    match written {
        Err(error @ (TomlWriteError::TooDeep | TomlWriteError::Null)) => {
            Err(call.failure(error.to_string()))
        }
        Err(error) => {
            call.whole(0)?;
            call.computed_text(error.to_string())
        }
        Ok(text) => finished(call, Some(text), marks),
    }
}

fn must_to_toml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    call.state().check_unfolded(&value)?;
    let (written, marks) = marked(call, |marks| go_toml::write(&value, marks));
    match written {
        Err(error) => Err(call.failure(error.to_string())),
        Ok(text) => finished(call, Some(text), marks),
    }
}

/// Ranges of a text's bytes, and where those came from.
type MarkedRanges = Vec<(Range<usize>, Mark)>;

/// Writes with a report of which bytes came from where.
fn marked<T, E>(
    call: &mut Call<'_, '_>,
    write: impl FnOnce(&mut Marks<'_, '_>) -> Result<T, E>,
) -> (Result<T, E>, MarkedRanges) {
    let place = call.argument_span(0);
    let state = call.state();
    let cause = state.cause;
    let mut marks = Marks {
        place,
        outer: Vec::new(),
        last: None,
        ranges: Vec::new(),
        state,
    };
    let written = write(&mut marks);
    let ranges = std::mem::take(&mut marks.ranges);
    marks.state.cause = cause;
    (written, ranges)
}

/// The text with its marks; indentation and punctuation belong to what follows them. Where
/// nothing could be written, the whole value is the reason.
fn finished(
    call: &mut Call<'_, '_>,
    written: Option<Vec<u8>>,
    ranges: MarkedRanges,
) -> Outcome<Value> {
    let Some(bytes) = written else {
        call.whole(0)?;
        return call.computed_text(String::new());
    };
    let place = call.argument_span(0);
    let source = Source::TEMPLATE;
    let mut mark = call.state().mark(place, source.class, source.origins);
    if ranges.is_empty() {
        return call.finished(Text::marked(bytes, mark));
    }
    let mut text = Text::new();
    let mut at = 0;
    for (range, of_range) in ranges {
        let end = range.end.min(bytes.len());
        text.push(&bytes[at..end], of_range);
        mark = of_range;
        at = end;
    }
    text.push(&bytes[at..], mark);
    call.finished(text)
}

/// Learns from a writer which bytes came from where.
struct Marks<'s, 'a> {
    place: Span,
    /// What to go back to after each list and map: what decided one holds for all that is in it.
    outer: Vec<CauseId>,
    /// The last value, of which more lines may come, and its mark.
    last: Option<(*const Value, Mark)>,
    ranges: Vec<(Range<usize>, Mark)>,
    state: &'s mut State<'a>,
}

impl Marks<'_, '_> {
    fn mark(&mut self, range: Range<usize>, mark: Mark) {
        if !self.state.tracker.is_off() {
            self.ranges.push((range, mark));
        }
    }
}

impl Report<Value> for Marks<'_, '_> {
    fn enter(&mut self, collection: &Value) {
        self.last = None;
        self.state.charge(1);
        self.state.read_shallow(collection);
        self.outer.push(self.state.cause);
        let reasons = collection.reasons(self.state);
        self.state.cause = self.state.cause_of(reasons, self.place);
    }

    fn leave(&mut self) {
        self.last = None;
        if let Some(outer) = self.outer.pop() {
            self.state.cause = outer;
        }
    }

    fn value(&mut self, value: &Value, range: Range<usize>) {
        let mark = match self.last {
            Some((last, mark)) if std::ptr::eq(last, value) => mark,
            _ => {
                self.state.charge(1);
                self.state.read_whole(value);
                let source = value.source(self.state);
                let reasons = value.reasons(self.state);
                Mark {
                    cause: self.state.cause_of(reasons, self.place),
                    ..self.state.mark(self.place, source.class, source.origins)
                }
            }
        };
        self.last = Some((value, mark));
        self.mark(range, mark);
    }

    fn key(&mut self, map: &Value, key: &[u8], range: Range<usize>) {
        self.last = None;
        if self.state.tracker.is_off() {
            return;
        }
        let entries = map.entries();
        let entry = std::str::from_utf8(key)
            .ok()
            .and_then(|key| entries.as_ref()?.get(key));
        let source = entry.map_or(Source::TEMPLATE, |entry| entry.key);
        let mark = self.state.mark(self.place, source.class, source.origins);
        self.mark(range, mark);
    }
}

/// The text that the first argument is; all that is read depends on it.
fn text(call: &mut Call<'_, '_>) -> Outcome<Rc<Text>> {
    let text = call.read_text(0)?;
    call.state().check_length(text.len())?;
    // What is read takes more time and memory than its text.
    call.state().step(text.len() / 2)?;
    Ok(text)
}

fn from_yaml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let given = call.value(0)?;
    let text = text(call)?;
    let source = Source::derived(call.used);
    if let Some(again) = call.state().rereading.take(&given, source) {
        return Ok(again);
    }
    Ok(match go_yaml::map_value(text.as_bytes(), source) {
        Ok(value) => {
            call.state().rereading.keep(&given, &value);
            value
        }
        Err(error) => error_map(call, error.to_string()),
    })
}

fn from_yaml_array(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = text(call)?;
    Ok(
        match go_yaml::list_value(text.as_bytes(), Source::derived(call.used)) {
            Ok(value) => value,
            Err(error) => error_list(call, error.to_string()),
        },
    )
}

fn from_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = text(call)?;
    Ok(match go_json::read_map(text.as_bytes()) {
        Ok(node) => Value::from_tree(&node.value, Source::derived(call.used)),
        Err(error) => error_map(call, error.to_string()),
    })
}

fn from_json_array(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = text(call)?;
    Ok(match go_json::read_list(text.as_bytes()) {
        // A list that is nil, not nothing.
        Ok(node) if matches!(node.value, Tree::Null) => Value {
            source: Source::derived(call.used),
            ..Data::List(Rc::new(List::nil(ElementType::Any))).into()
        },
        Ok(node) => Value::from_tree(&node.value, Source::derived(call.used)),
        Err(error) => error_list(call, error.to_string()),
    })
}

fn must_from_json(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = text(call)?;
    match go_json::read(text.as_bytes()) {
        Ok(node) => Ok(Value::from_tree(&node.value, Source::derived(call.used))),
        Err(error) => Err(call.failure(error.to_string())),
    }
}

fn from_toml(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = text(call)?;
    Ok(match go_toml::read(text.as_bytes()) {
        Ok(table) => toml_table(table, Source::derived(call.used)),
        Err(error) => error_map(call, error.to_string()),
    })
}

fn toml_table(table: TomlTable, source: Source) -> Value {
    let entries = table.into_iter().map(|(key, value)| {
        let value = toml_value(value, source);
        (key.into(), Entry { key: source, value })
    });
    Value::map_of(entries.collect(), source)
}

fn toml_value(value: TomlValue, source: Source) -> Value {
    match value {
        TomlValue::Text(text) => Value::scalar(text, source),
        TomlValue::DateTime(text) => match Time::of_toml(&text) {
            Some(time) => Value {
                source,
                ..Value::object(time)
            },
            None => Value::scalar(text, source),
        },
        TomlValue::Int(value) => Value::new(Data::Int(value, IntKind::Int64), source),
        TomlValue::Float(value) => Value::scalar(value, source),
        TomlValue::Bool(value) => Value::scalar(value, source),
        TomlValue::List(items) => {
            let items = items.into_iter().map(|item| toml_value(item, source));
            Value::list_of(items.collect(), source)
        }
        TomlValue::Table(table) => toml_table(table, source),
        TomlValue::Tables(tables) => {
            let tables = tables.into_iter().map(|table| toml_table(table, source));
            Value {
                source,
                ..Value::typed_list(tables, ElementType::Map)
            }
        }
    }
}

/// What Helm gives for a map that could not be read.
fn error_map(call: &mut Call<'_, '_>, error: String) -> Value {
    let source = Source::derived(call.used);
    let value = call.computed(error);
    let mut entries = Entries::new();
    entries.insert("Error".into(), Entry { key: source, value });
    Value::map_of(entries, source)
}

/// What Helm gives for a list that could not be read.
fn error_list(call: &mut Call<'_, '_>, error: String) -> Value {
    let error = call.computed(error);
    call.listed(vec![error])
}
