//! How two lists become one: declared by the pack's schema (`x-merge`) or by a tag, never guessed.

use cairn_spec::{Diagnostic, Map, Node, Origins, Schema, Value};
use serde_json::Value as Json;

/// How a list of a higher layer meets one of a lower layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListStrategy {
    /// The higher list takes the place of the lower one.
    Replace,
    /// The higher list's items follow the lower one's.
    Append,
    /// The higher list's items come before the lower one's.
    Prepend,
    /// Append, without items that are there already.
    Union,
    /// Items that agree in these keys are merged.
    ByKey(Vec<String>),
}

/// What the writer of a value asks for by a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing special.
    None,
    /// `!replace`: take the place of whatever is there, whatever its kind.
    Replace,
    /// `!null`: a null that stays, instead of deleting.
    KeepNull,
    /// A strategy for this list.
    List(ListStrategy),
}

/// Reads the tag on a node.
pub(super) fn wish_of(node: &Node, origins: &Origins) -> Result<Wish, Diagnostic> {
    let origin = origins.get(node.origin);
    let Some(tag) = origin.tag.as_deref() else {
        return Ok(Wish::None);
    };
    let is_list = matches!(node.value, Value::List(_));
    let wish = match tag {
        "replace" => Wish::Replace,
        "null" if node.value == Value::Null || node.as_str() == Some("") => Wish::KeepNull,
        "append" if is_list => Wish::List(ListStrategy::Append),
        "prepend" if is_list => Wish::List(ListStrategy::Prepend),
        "union" if is_list => Wish::List(ListStrategy::Union),
        _ => match tag
            .strip_prefix("merge(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            Some(keys) if is_list && !keys.is_empty() => Wish::List(ListStrategy::ByKey(
                keys.split(',').map(|key| key.trim().to_owned()).collect(),
            )),
            _ => {
                return Err(Diagnostic::error("values-tag", format!("the tag `!{tag}` has no meaning on a {}", node.value.kind()))
                    .at(origin)
                    .hint("known tags: `!replace`, and on lists `!append`, `!prepend`, `!union`, `!merge(KEY)`; `!null` keeps a null"));
            }
        },
    };
    Ok(wish)
}

/// The part of a schema that describes one place in the values.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaAt<'a> {
    root: &'a Json,
    here: &'a Json,
}

impl<'a> SchemaAt<'a> {
    pub(super) fn root(schema: &'a Schema) -> Self {
        Self {
            root: schema.as_json(),
            here: schema.as_json(),
        }
        .follow()
    }

    pub(super) fn property(self, key: &str) -> Option<Self> {
        let here = self
            .here
            .get("properties")
            .and_then(|properties| properties.get(key))
            .or_else(|| {
                self.here
                    .get("additionalProperties")
                    .filter(|rest| rest.is_object())
            })?;
        Some(Self { here, ..self }.follow())
    }

    pub(super) fn items(self) -> Option<Self> {
        Some(
            Self {
                here: self.here.get("items")?,
                ..self
            }
            .follow(),
        )
    }

    /// Follows local `$ref`s; a loop of them ends the search.
    fn follow(mut self) -> Self {
        const MAX_REFERENCES: usize = 32;
        for _ in 0..MAX_REFERENCES {
            let target = self
                .here
                .get("$ref")
                .and_then(Json::as_str)
                .and_then(|target| target.strip_prefix('#'));
            match target.and_then(|pointer| self.root.pointer(pointer)) {
                Some(here) => self.here = here,
                None => break,
            }
        }
        self
    }

    /// The list strategy that the pack's author declared.
    pub(super) fn list_strategy(self) -> Option<ListStrategy> {
        let declared = self.here.get("x-merge")?;
        match declared.get("strategy")?.as_str()? {
            "replace" => Some(ListStrategy::Replace),
            "append" => Some(ListStrategy::Append),
            "prepend" => Some(ListStrategy::Prepend),
            "union" => Some(ListStrategy::Union),
            "byKey" => {
                let keys: Vec<String> = declared
                    .get("keys")?
                    .as_array()?
                    .iter()
                    .filter_map(Json::as_str)
                    .map(str::to_owned)
                    .collect();
                (!keys.is_empty()).then_some(ListStrategy::ByKey(keys))
            }
            _ => None,
        }
    }
}

/// The value of the keys that identify an item; none when the item lacks one.
pub(super) fn key_of(item: &Map, keys: &[String]) -> Option<String> {
    keys.iter()
        .map(|key| {
            item.get(key)
                .map(|node| cairn_spec::yaml::write_scalar(&node.value))
        })
        .collect::<Option<Vec<_>>>()
        .map(|parts| parts.join("\u{0}"))
}
