//! The functions that Go itself brings, but for comparisons and escapes.

use std::{ops::Range, rc::Rc};

use super::{Evaluation, Function, functions};
use crate::{
    Parameter,
    call::Call,
    go::format::{Segment, print_into, printf as print_formatted},
    spans::{Class, Mark},
    state::{Failure, Outcome},
    value::{Data, IntKind, List, MapType, Source, Value},
    writer::Text,
};

pub(super) static FUNCTIONS: &[Function] = &{
    let [call, index, len, not, print, printf, println, slice] = functions![
        "call" (Any, .. Any) => call;
        "index" (Any, .. Any) => index;
        "len" (Any) => len;
        "not" (Any) => not;
        "print" (.. Any) => print;
        "printf" (String, .. Any) => printf;
        "println" (.. Any) => println;
        "slice" (Any, .. Any) => slice;
    ];
    [
        call,
        index,
        len,
        not,
        print,
        printf,
        println,
        slice,
        short_circuit("and", false),
        short_circuit("or", true),
    ]
};

/// The executor evaluates it, since it need not evaluate all arguments.
const fn short_circuit(name: &'static str, truth: bool) -> Function {
    Function {
        name,
        parameters: &[Parameter::Any],
        variadic: Some(Parameter::Any),
        evaluation: Evaluation::UntilTruth(truth),
        run: first,
    }
}

fn first(call: &mut Call<'_, '_>) -> Outcome<Value> {
    call.value(0)
}

/// There are no function values, so nothing can be called.
fn call(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let function = call.value(0)?;
    Err(match function.data {
        Data::Nil | Data::Missing => call.failure("call of nil"),
        _ => {
            let (name, type_name) = (call.caller.argument_text(0), function.type_name());
            call.failure(format!("non-function {name} of type {type_name}"))
        }
    })
}

fn not(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (_, truth) = call.truth(0)?;
    Ok(call.computed(!truth))
}

fn len(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    call.read(&value);
    let length = match &value.data {
        Data::Nil => return Err(call.failure("len of nil pointer")),
        Data::Missing => {
            let problem = "reflect: call of reflect.Value.Type on zero Value";
            return Err(call.failure(problem));
        }
        Data::Str(text) | Data::Bytes(text) => text.len(),
        Data::Text(text) => text.len(),
        Data::List(list) => list.items().len(),
        Data::Map(map) => map.len(),
        Data::Object(object) if object.entries().is_some() => {
            object.entries().unwrap_or_default().len()
        }
        _ => return Err(call.failure(format!("len of type {}", pointed_to(&value)))),
    };
    Ok(call.computed(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut item = call.value(0)?;
    if is_nil(&item) {
        return Err(call.failure("index of untyped nil"));
    }
    for position in 1..call.count() {
        let index = call.value(position)?;
        call.uses(&index);
        if is_nil(&item) {
            call.state().read_whole(&item);
            return Err(call.failure("index of nil pointer"));
        }
        let mut found = index_one(call, &item, &index)?;
        found.because = call.state().tracker.union(found.because, item.because);
        item = found;
    }
    Ok(call.chosen(item))
}

fn is_nil(value: &Value) -> bool {
    matches!(value.data, Data::Nil | Data::Missing)
}

fn index_one(call: &mut Call<'_, '_>, item: &Value, index: &Value) -> Outcome<Value> {
    match &item.data {
        Data::List(list) => {
            let items = list.items();
            let position = sequence_index(call, index, items.len())?;
            match items.get(position) {
                Some(found) => Ok(found.clone()),
                None => Err(out_of_range(call, "slice")),
            }
        }
        Data::Str(bytes) | Data::Bytes(bytes) => byte_at(call, bytes, index),
        Data::Text(text) => {
            call.uses(item);
            byte_at(call, text.as_bytes(), index)
        }
        Data::Map(map) => match (index.as_str(), &index.data) {
            (Some(key), _) => {
                if let Some(found) = map.get(&key) {
                    return Ok(found);
                }
                call.uses_deletion(item, &key);
                Ok(match map.of {
                    MapType::String => Value::from(""),
                    _ => Value::nil(),
                })
            }
            (None, Data::Nil | Data::Missing) => {
                Err(call.failure("value is nil; should be of type string"))
            }
            (None, _) => Err(call.failure(format!(
                "value has type {}; should be string",
                index.type_name()
            ))),
        },
        Data::Object(object) => match object.entries() {
            Some(entries) => {
                call.state().check_unfolded(index)?;
                let wanted = crate::go::format::print(index);
                Ok(entries
                    .into_iter()
                    .find(|(key, _)| crate::go::format::print(key) == wanted)
                    .map_or_else(Value::nil, |(_, value)| value))
            }
            None => Err(cannot_index(call, item)),
        },
        _ => Err(cannot_index(call, item)),
    }
}

fn cannot_index(call: &Call<'_, '_>, item: &Value) -> Failure {
    call.failure(format!("can't index item of type {}", pointed_to(item)))
}

/// The type of the value, or of what it points to.
fn pointed_to(value: &Value) -> String {
    value.type_name().trim_start_matches('*').to_owned()
}

fn byte_at(call: &mut Call<'_, '_>, bytes: &[u8], index: &Value) -> Outcome<Value> {
    let position = sequence_index(call, index, bytes.len())?;
    match bytes.get(position) {
        Some(&byte) => {
            let used = call.used;
            Ok(Value::new(
                Data::Int(i64::from(byte), IntKind::Uint8),
                Source::derived(used),
            ))
        }
        None => Err(out_of_range(call, "string")),
    }
}

/// Go checks the index against the length once more, and panics.
fn out_of_range(call: &Call<'_, '_>, what: &str) -> Failure {
    call.failure(format!("reflect: {what} index out of range"))
}

fn sequence_index(call: &mut Call<'_, '_>, index: &Value, capacity: usize) -> Outcome<usize> {
    match &index.data {
        Data::Int(number, _) => match usize::try_from(*number) {
            Ok(position) if position <= capacity => Ok(position),
            _ => Err(call.failure(format!("index out of range: {number}"))),
        },
        Data::Nil | Data::Missing => Err(call.failure("cannot index slice/array with nil")),
        _ => Err(call.failure(format!(
            "cannot index slice/array with type {}",
            index.type_name()
        ))),
    }
}

/// Go's `slice`; Sprig has another under the same name.
fn slice(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let item = call.value(0)?;
    let count = call.count() - 1;
    let length = match &item.data {
        Data::Nil | Data::Missing => return Err(call.failure("slice of untyped nil")),
        Data::Str(text) | Data::Bytes(text) => text.len(),
        Data::Text(text) => text.len(),
        Data::List(list) => list.items().len(),
        _ => {
            let type_name = item.type_name();
            return Err(call.failure(format!("can't slice item of type {type_name}")));
        }
    };
    if count > 3 {
        return Err(call.failure(format!("too many slice indexes: {count}")));
    }
    if count == 3 && item.as_bytes().is_some() {
        return Err(call.failure("cannot 3-index slice a string"));
    }
    let mut bounds = [0, length, length];
    for (place, bound) in bounds.iter_mut().enumerate().take(count) {
        let index = call.value(place + 1)?;
        call.uses(&index);
        *bound = sequence_index(call, &index, length)?;
    }
    let [start, end, most] = bounds;
    if start > end || end > most {
        let (left, right) = if start > end {
            (start, end)
        } else {
            (end, most)
        };
        return Err(call.failure(format!("invalid slice index: {left} > {right}")));
    }
    let part = part(&item, start..end);
    Ok(call.chosen(part))
}

fn part(item: &Value, range: Range<usize>) -> Value {
    let data = match &item.data {
        Data::Str(text) => Data::Str(text[range].into()),
        Data::Bytes(bytes) => Data::Bytes(bytes[range].into()),
        Data::Text(text) => Data::Text(Rc::new(text.slice(range))),
        Data::List(list) => Data::List(Rc::new(List::new(list.items()[range].to_vec(), list.of))),
        other => other.clone(),
    };
    Value {
        data,
        ..item.clone()
    }
}

fn print(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut text = Text::new();
    let mut after_text = true;
    for index in 0..call.count() {
        let value = call.value(index)?;
        let is_text = value.as_bytes().is_some();
        // Spaces only between two of which neither is a text.
        if index > 0 && !is_text && !after_text {
            let mark = template_mark(call);
            text.push(" ", mark);
        }
        after_text = is_text;
        let printed = printed_argument(call, index, &value)?;
        text.absorb(&printed);
        call.state().check_text(&text)?;
    }
    call.finished(text)
}

fn println(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut text = Text::new();
    let mark = template_mark(call);
    for index in 0..call.count() {
        if index > 0 {
            text.push(" ", mark);
        }
        let value = call.value(index)?;
        let printed = printed_argument(call, index, &value)?;
        text.absorb(&printed);
        call.state().check_text(&text)?;
    }
    text.push("\n", mark);
    call.finished(text)
}

fn template_mark(call: &mut Call<'_, '_>) -> Mark {
    let span = call.span;
    let source = Source::TEMPLATE;
    call.state().mark(span, source.class, source.origins)
}

/// As `%v` prints it: nil is `<nil>`.
fn printed_argument(call: &mut Call<'_, '_>, index: usize, value: &Value) -> Outcome<Rc<Text>> {
    let span = call.argument_span(index);
    value.printed(span, call.state())
}

fn printf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let format = call.text(0)?;
    let arguments = call.rest(1)?;
    for argument in &arguments {
        call.state().check_unfolded(argument)?;
    }
    let limit = call.state().limits.output_bytes;
    let Some(segments) = print_formatted(format.as_bytes(), &arguments, limit) else {
        return Err(match call.state().check_length(limit.saturating_add(1)) {
            Err(failure) => failure,
            Ok(()) => call.failure("the text is too long"),
        });
    };
    let mut text = Text::new();
    for segment in segments {
        match segment {
            Segment::Format(range) => text.append(&format.slice(range)),
            Segment::Verbatim(index) => {
                let printed = printed_argument(call, index + 1, &arguments[index])?;
                text.absorb(&printed);
            }
            Segment::Argument(index, bytes) => {
                let mark = argument_mark(call, index + 1, &arguments[index], &bytes)?;
                text.push(bytes, mark);
            }
            Segment::Complaint(bytes) => {
                let mark = template_mark(call);
                text.push(bytes, mark);
            }
        }
    }
    call.finished(text)
}

/// The mark of what a verb made of an argument: the value itself, if it is what `%v` prints.
fn argument_mark(
    call: &mut Call<'_, '_>,
    index: usize,
    value: &Value,
    bytes: &[u8],
) -> Outcome<Mark> {
    let span = call.argument_span(index);
    let state = call.state();
    let is_scalar = !matches!(value.data, Data::List(_) | Data::Map(_));
    if !is_scalar {
        let origins = value.deep_origins(state)?;
        let source = Source::derived(origins);
        return Ok(state.mark(span, source.class, source.origins));
    }
    state.read_whole(value);
    let source = value.source(state);
    let reasons = value.reasons(state);
    let mut plain = Vec::new();
    print_into(value, &mut plain);
    let class = if plain == bytes {
        source.class
    } else {
        source.class.max(Class::Derived)
    };
    let class = if source.class == Class::Template {
        Class::Template
    } else {
        class
    };
    Ok(Mark {
        cause: state.cause_of(reasons, span),
        ..state.mark(span, class, source.origins)
    })
}
