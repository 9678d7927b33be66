//! Values as Go's `%#v` shows them, for the errors that do so.

use super::{
    compose::{Content, Document, NodeId},
    decode::{Resolved, resolve},
    error::Failure,
};
use crate::{go::format::quote, go_json::format_general};

/// How much of a value an error shows, in values: enough for any mistake, and aliases cannot
/// blow it up.
const MAX_SHOWN: usize = 1000;

/// A value as go-yaml made it, before its keys became texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum GoValue {
    Scalar(String),
    Nil,
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

impl GoValue {
    pub(super) fn of(document: &Document<'_>, id: NodeId) -> Result<Self, Failure> {
        Self::within(document, id, &mut 0)
    }

    fn within(document: &Document<'_>, id: NodeId, shown: &mut usize) -> Result<Self, Failure> {
        *shown += 1;
        if *shown > MAX_SHOWN {
            return Ok(Self::Scalar("...".to_owned()));
        }
        let node = document.node(id);
        Ok(match &node.content {
            Content::Alias { target, .. } => Self::within(document, *target, shown)?,
            Content::Sequence(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::within(document, *item, shown))
                    .collect::<Result<_, _>>()?,
            ),
            Content::Mapping(entries) => {
                let mut map = Vec::new();
                for entry in entries.chunks_exact(2) {
                    let key = Self::within(document, entry[0], shown)?;
                    let value = Self::within(document, entry[1], shown)?;
                    map.retain(|(other, _)| *other != key);
                    map.push((key, value));
                }
                map.sort_by_cached_key(|(key, _)| (*key != Self::Nil, show(key)));
                Self::Map(map)
            }
            Content::Scalar { text, .. } => match resolve(node)? {
                Resolved::Null => Self::Nil,
                Resolved::Bool(value) => Self::Scalar(value.to_string()),
                Resolved::Int(value) => Self::Scalar(value.to_string()),
                Resolved::Uint(value) => Self::Scalar(format!("{value:#x}")),
                Resolved::Float(value) => Self::Scalar(format_general(value)),
                Resolved::Text => Self::Scalar(quote(text.as_bytes())),
                Resolved::Owned(text) => Self::Scalar(quote(text.as_bytes())),
            },
        })
    }

    fn write(&self, out: &mut String, top: bool) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Nil => out.push_str(if top { "<nil>" } else { "interface {}(nil)" }),
            Self::List(items) => {
                out.push_str("[]interface {}{");
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    item.write(out, false);
                }
                out.push('}');
            }
            Self::Map(entries) => {
                out.push_str("map[interface {}]interface {}{");
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    key.write(out, false);
                    out.push(':');
                    value.write(out, false);
                }
                out.push('}');
            }
        }
    }
}

/// `%#v`
pub(super) fn show(value: &GoValue) -> String {
    let mut out = String::new();
    value.write(&mut out, true);
    out
}
