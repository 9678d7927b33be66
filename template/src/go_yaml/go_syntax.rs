//! Values as go-yaml makes them, before their keys become texts: as `%#v` shows them in errors,
//! and what of them the steps after go-yaml refuse.

use std::fmt::Write as _;

use super::{
    compose::{Content, Document, NodeId},
    decode::{INVALID_MERGE, Resolved, is_merge, resolve},
    error::Failure,
};
use crate::{go::format::quote, go_json::format_general};

/// How much of a value an error shows, in values: enough for any mistake, and aliases cannot
/// blow it up.
const MAX_SHOWN: usize = 1000;

/// A value as go-yaml made it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum GoValue {
    /// As Go shows it.
    Scalar(String),
    Nil,
    /// An integer above `i64::MAX`, which no key may be.
    Uint(u64),
    /// A float that JSON does not have.
    NotFinite(String),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

impl GoValue {
    /// As much of a node as an error shows.
    pub(super) fn shown(document: &Document<'_>, id: NodeId) -> Result<Self, Failure> {
        Self::within(document, id, &mut { MAX_SHOWN })
    }

    /// A node with all that is in it.
    pub(super) fn of(document: &Document<'_>, id: NodeId) -> Result<Self, Failure> {
        Self::within(document, id, &mut { usize::MAX })
    }

    fn within(document: &Document<'_>, id: NodeId, left: &mut usize) -> Result<Self, Failure> {
        let Some(rest) = left.checked_sub(1) else {
            return Ok(Self::Scalar("...".to_owned()));
        };
        *left = rest;
        let node = document.node(id);
        Ok(match &node.content {
            Content::Alias { target, .. } => Self::within(document, *target, left)?,
            Content::Sequence => Self::List(
                document
                    .children(id)
                    .map(|item| Self::within(document, item, left))
                    .collect::<Result<_, _>>()?,
            ),
            Content::Mapping => {
                let mut map = Vec::new();
                for (key, value) in document.entries(id) {
                    let value = Self::within(document, value, left)?;
                    if is_merge(document.node(key)) {
                        merge(&mut map, value)?;
                    } else {
                        set(&mut map, Self::within(document, key, left)?, value);
                    }
                }
                map.sort_by_cached_key(|(key, _)| key.order());
                Self::Map(map)
            }
            Content::Scalar { text, .. } => match resolve(node)? {
                Resolved::Null => Self::Nil,
                Resolved::Bool(value) => Self::Scalar(value.to_string()),
                Resolved::Int(value) => Self::Scalar(value.to_string()),
                Resolved::Uint(value) => Self::Uint(value),
                Resolved::Float(value) if !value.is_finite() => {
                    Self::NotFinite(format_general(value))
                }
                Resolved::Float(value) => Self::Scalar(format_general(value)),
                Resolved::Text => Self::Scalar(quote(text.as_bytes())),
                Resolved::Owned(text) => Self::Scalar(quote(text.as_bytes())),
            },
        })
    }

    /// Nil comes first, then texts by their characters.
    fn order(&self) -> (bool, String) {
        let shown = show(self);
        let text = shown.strip_suffix('"').unwrap_or(&shown);
        (*self != Self::Nil, text.to_owned())
    }

    /// What is wrong with a key: JSON has none that is null, or that large.
    pub(super) fn unsupported_key(&self) -> Option<String> {
        match self {
            Self::List(items) => items.iter().find_map(Self::unsupported_key),
            Self::Map(entries) => entries.iter().find_map(|(key, value)| {
                let (kind, key) = match key {
                    Self::Nil => ("%!s(<nil>)", "<nil>".to_owned()),
                    Self::Uint(key) => ("uint64", format!("{key:#x}")),
                    _ => return value.unsupported_key(),
                };
                let value = show(value);
                Some(format!(
                    "unsupported map key of type: {kind}, key: {key}, value: {value}"
                ))
            }),
            _ => None,
        }
    }

    /// A number that JSON does not have.
    pub(super) fn unsupported_number(&self) -> Option<String> {
        match self {
            Self::NotFinite(value) => Some(format!("json: unsupported value: {value}")),
            Self::List(items) => items.iter().find_map(Self::unsupported_number),
            Self::Map(entries) => entries
                .iter()
                .find_map(|(_, value)| value.unsupported_number()),
            _ => None,
        }
    }

    fn write(&self, out: &mut String, top: bool) {
        match self {
            Self::Scalar(text) | Self::NotFinite(text) => out.push_str(text),
            Self::Uint(value) => drop(write!(out, "{value:#x}")),
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

type Entries = Vec<(GoValue, GoValue)>;

fn set(map: &mut Entries, key: GoValue, value: GoValue) {
    match map.iter_mut().find(|(other, _)| *other == key) {
        Some((_, other)) => *other = value,
        None => map.push((key, value)),
    }
}

fn merge(map: &mut Entries, merged: GoValue) -> Result<(), Failure> {
    match merged {
        GoValue::Map(entries) => {
            for (key, value) in entries {
                set(map, key, value);
            }
            Ok(())
        }
        // Earlier maps win over later ones.
        GoValue::List(items) => items
            .into_iter()
            .rev()
            .try_for_each(|item| merge(map, item)),
        _ => Err(Failure::new(INVALID_MERGE)),
    }
}

/// `%#v`
pub(super) fn show(value: &GoValue) -> String {
    let mut out = String::new();
    value.write(&mut out, true);
    out
}
