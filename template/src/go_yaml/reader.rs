//! `fromYaml`, values and every other file: texts as `sigs.k8s.io/yaml` reads them.

use cairn_spec::{Map, Node, Origins, SourceId, Value};

use super::{
    MAX_INPUT_BYTES,
    build::{Build, Nodes, Values},
    compose::Document,
    decode,
    error::{Failure, ReadError},
    input::Input,
};
use crate::{
    go_json::{format_general_32, go_kind},
    value::{Data, Entries, Source, Value as TemplateValue},
};

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// The text's place among the sources, for origins; keys and values have none without it.
    pub source: Option<SourceId>,
    /// What becomes of numbers.
    pub numbers: Numbers,
}

/// What becomes of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// All are floats, whole ones too, as where Go decodes JSON without knowing a type.
    #[default]
    Floats,
    /// Integers that fit an `i64` stay integers, which fields that are texts show
    /// (see [`text_of`]).
    AsWritten,
}

/// Reads the first document of a text, whatever it holds.
pub fn read(text: &[u8], options: &ReadOptions, origins: &mut Origins) -> Result<Node, ReadError> {
    read_at(text, 0, options, origins)
}

/// Reads a text that stands at `start` of its source.
fn read_at(
    text: &[u8],
    start: usize,
    options: &ReadOptions,
    origins: &mut Origins,
) -> Result<Node, ReadError> {
    read_with(text, options.numbers, |input| Nodes {
        origins,
        source: options
            .source
            .zip(input.skipped.map(|skipped| skipped + start)),
    })
}

fn read_with<B: Build>(
    text: &[u8],
    numbers: Numbers,
    build: impl FnOnce(&Input<'_>) -> B,
) -> Result<B::Node, ReadError> {
    let input = input(text)?;
    let document = Document::read(&input).map_err(Failure::yaml)?;
    decode::decode(&document, &input, numbers, &mut build(&input))
}

/// As [`read`], but of a map without the entries that `keeps` refuses the keys of, and without
/// origins. What is wrong with those entries is an error all the same.
pub fn read_some(
    text: &[u8],
    numbers: Numbers,
    keeps: impl Fn(&str) -> bool,
) -> Result<Node, ReadError> {
    let input = input(text)?;
    let document = Document::read(&input).map_err(Failure::yaml)?;
    let mut build = Nodes {
        origins: &mut Origins::new(),
        source: None,
    };
    decode::decode_some(&document, &input, numbers, &mut build, keeps)
}

fn input(text: &[u8]) -> Result<Input<'_>, ReadError> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(Failure::too_long(text.len()).yaml());
    }
    Ok(Input::new(text))
}

/// As [`read_map`], for templates: all that is read came from `source`.
pub(crate) fn map_value(text: &[u8], source: Source) -> Result<TemplateValue, ReadError> {
    let value = read_with(text, Numbers::Floats, |_| Values { source })?;
    match &value.data {
        Data::Map(_) => Ok(value),
        Data::Nil => Ok(TemplateValue::map_of(Entries::new(), source)),
        data => Err(mistyped(kind_of(data), "map[string]interface {}")),
    }
}

/// As [`read_list`], for templates: all that is read came from `source`.
pub(crate) fn list_value(text: &[u8], source: Source) -> Result<TemplateValue, ReadError> {
    let value = read_with(text, Numbers::Floats, |_| Values { source })?;
    match &value.data {
        Data::List(_) => Ok(value),
        Data::Nil => Ok(TemplateValue::list_of(Vec::new(), source)),
        data => Err(mistyped(kind_of(data), "[]interface {}")),
    }
}

/// What Go calls a value that was read where it has the wrong type.
fn kind_of(data: &Data) -> &'static str {
    match data {
        Data::Bool(_) => "bool",
        Data::Int(..) | Data::Float(_) => "number",
        Data::List(_) => "array",
        Data::Map(_) => "object",
        _ => "string",
    }
}

/// Reads a text that must be a map; null, and so an empty text, is an empty one.
pub fn read_map(
    text: &[u8],
    options: &ReadOptions,
    origins: &mut Origins,
) -> Result<Node, ReadError> {
    read_map_at(text, 0, options, origins)
}

pub(super) fn read_map_at(
    text: &[u8],
    start: usize,
    options: &ReadOptions,
    origins: &mut Origins,
) -> Result<Node, ReadError> {
    let mut node = read_at(text, start, options, origins)?;
    match node.value {
        Value::Map(_) => Ok(node),
        Value::Null => {
            node.value = Value::Map(Map::new());
            Ok(node)
        }
        _ => Err(mistyped(go_kind(&node.value), "map[string]interface {}")),
    }
}

/// Reads a text that must be a list; null, and so an empty text, is an empty one.
pub fn read_list(
    text: &[u8],
    options: &ReadOptions,
    origins: &mut Origins,
) -> Result<Node, ReadError> {
    let mut node = read(text, options, origins)?;
    match node.value {
        Value::List(_) => Ok(node),
        Value::Null => {
            node.value = Value::List(Vec::new());
            Ok(node)
        }
        _ => Err(mistyped(go_kind(&node.value), "[]interface {}")),
    }
}

fn mistyped(kind: &str, go_type: &str) -> ReadError {
    ReadError::new(
        format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type {go_type}"
        ),
        None,
    )
}

/// What a field that is a text in Go gets from a number or a boolean: `version: 1.10` is `1.1`.
/// Read the text with [`Numbers::AsWritten`] for it.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(format_general_32(*value)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}
