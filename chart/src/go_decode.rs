//! How Go decodes JSON into its structs, after `sigs.k8s.io/yaml` has read YAML: names of fields
//! match in any letter case, numbers become texts where a text is asked for, unknown fields are
//! passed over, and the first value of a wrong kind is an error.

use std::collections::BTreeMap;

use cairn_spec::{Node, OriginId, Value};
use cairn_template::{go_json::go_kind, go_yaml::text_of};

/// A value of a wrong kind, in Go's words.
#[derive(Debug, Clone)]
pub(crate) struct Mistyped {
    pub(crate) message: String,
    pub(crate) origin: OriginId,
}

/// A decoding under way.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The Go package of the structs.
    package: &'static str,
    first_mistake: Option<Mistyped>,
    /// The fields that lead to the value, and the type of the struct that has the last of them.
    path: Vec<&'static str>,
    struct_name: &'static str,
}

impl Decoder {
    /// One of structs of a Go package.
    pub(crate) fn new(package: &'static str) -> Self {
        Self {
            package,
            first_mistake: None,
            path: Vec::new(),
            struct_name: "",
        }
    }

    /// The first mistake, if there was one.
    pub(crate) fn finish(self) -> Result<(), Mistyped> {
        self.first_mistake.map_or(Ok(()), Err)
    }

    fn mistyped(&mut self, node: &Node, go_type: &str) {
        if self.first_mistake.is_some() {
            return;
        }
        let kind = go_kind(&node.value);
        let target = if self.path.is_empty() {
            "Go value".to_owned()
        } else {
            let path = self.path.join(".");
            format!("Go struct field {}.{path}", self.struct_name)
        };
        self.first_mistake = Some(Mistyped {
            message: format!("json: cannot unmarshal {kind} into {target} of type {go_type}"),
            origin: node.origin,
        });
    }

    /// A struct of the package: calls `decode` for each of its `fields` that is there.
    pub(crate) fn structure(
        &mut self,
        node: &Node,
        name: &'static str,
        fields: &[&'static str],
        mut decode: impl FnMut(&mut Self, &'static str, &Node),
    ) {
        let map = match &node.value {
            Value::Map(map) => map,
            Value::Null => return,
            _ => return self.mistyped(node, &format!("{}.{name}", self.package)),
        };
        let outer = self.struct_name;
        for (key, value) in map.iter() {
            let Some(field) = field_of(key, fields) else {
                continue;
            };
            self.struct_name = name;
            self.path.push(field);
            decode(self, field, value);
            self.path.pop();
            self.struct_name = outer;
        }
    }

    pub(crate) fn text(&mut self, node: &Node, into: &mut String) {
        match text_of(&node.value) {
            Some(text) => *into = text,
            None if matches!(node.value, Value::Null) => {}
            None => self.mistyped(node, "string"),
        }
    }

    pub(crate) fn flag(&mut self, node: &Node, into: &mut bool) {
        match &node.value {
            Value::Bool(value) => *into = *value,
            Value::Null => {}
            _ => self.mistyped(node, "bool"),
        }
    }

    /// A list. As in Go, items are decoded into the items that are there already.
    pub(crate) fn list<T: Default>(
        &mut self,
        node: &Node,
        go_type: &str,
        into: &mut Vec<T>,
        mut item: impl FnMut(&mut Self, &Node, &mut T),
    ) {
        match &node.value {
            Value::List(items) => {
                into.resize_with(items.len(), T::default);
                for (node, slot) in items.iter().zip(into) {
                    item(self, node, slot);
                }
            }
            Value::Null => into.clear(),
            _ => self.mistyped(node, go_type),
        }
    }

    /// A list of pointers to structs of the package, in which null is nil.
    pub(crate) fn pointers<T: Default>(
        &mut self,
        node: &Node,
        name: &'static str,
        into: &mut Vec<Option<T>>,
        mut item: impl FnMut(&mut Self, &Node, &mut T),
    ) {
        let go_type = format!("[]*{}.{name}", self.package);
        self.list(node, &go_type, into, |decoder, node, slot| {
            if matches!(node.value, Value::Null) {
                *slot = None;
            } else {
                item(decoder, node, slot.get_or_insert_default());
            }
        });
    }

    pub(crate) fn texts(&mut self, node: &Node, into: &mut Vec<String>) {
        self.list(node, "[]string", into, Self::text);
    }

    pub(crate) fn text_map(&mut self, node: &Node, into: &mut BTreeMap<String, String>) {
        match &node.value {
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    let mut text = String::new();
                    self.text(value, &mut text);
                    into.insert(key.to_string(), text);
                }
            }
            Value::Null => into.clear(),
            _ => self.mistyped(node, "map[string]string"),
        }
    }
}

/// The field that a key is for: the one of its name, else one that differs in letter case only.
fn field_of(key: &str, fields: &[&'static str]) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    exact
        .or_else(|| fields.iter().find(|field| same_letters(key, field)))
        .copied()
}

/// Go also takes the long s and the Kelvin sign for the letters they are forms of.
fn same_letters(key: &str, field: &str) -> bool {
    let folded = key.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    });
    folded.eq(field.chars().map(|c| c.to_ascii_lowercase()))
}
