//! `fromYaml`, values and every other file: texts as `sigs.k8s.io/yaml` reads them.

use cairn_spec::{Map, Node, Origins, SourceId, Value};

use super::{
    MAX_INPUT_BYTES,
    compose::Document,
    decode,
    error::{Failure, ReadError},
    input::Input,
};
use crate::go_json::{format_general_32, go_kind};

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
    if text.len() > MAX_INPUT_BYTES {
        return Err(Failure::too_long(text.len()).yaml());
    }
    let mut input = Input::new(text);
    input.skipped = input.skipped.map(|skipped| skipped + start);
    let document = Document::read(&input).map_err(Failure::yaml)?;
    decode::decode(&document, &input, options, origins)
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
        _ => Err(mistyped(&node.value, "map[string]interface {}")),
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
        _ => Err(mistyped(&node.value, "[]interface {}")),
    }
}

fn mistyped(value: &Value, go_type: &str) -> ReadError {
    let kind = go_kind(value);
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
