//! A rendered document as a tree of fields, each with the bytes that say it.

use std::ops::Range;

use cairn_spec::{Node, OriginId, Origins, SourceKind, Sources, Value};
use cairn_template::go_yaml::{self, Numbers, ReadError, ReadOptions};

use crate::Document;

/// The fields of a document.
#[derive(Debug, Clone)]
pub struct Fields {
    root: Node,
    /// The places of keys and values in the document.
    places: Origins,
}

/// A key or an item, what stands under it, and the bytes that say so.
#[derive(Debug, Clone)]
pub struct Child<'f> {
    /// The key in a map, none for an item of a list.
    pub key: Option<&'f str>,
    /// The number of the item in a list; of a map's keys in the order of the text.
    pub index: usize,
    /// The value.
    pub node: &'f Node,
    /// The bytes that lead to the value: the indentation, the `-` and the key.
    pub lead: Range<usize>,
    /// The bytes of the value.
    pub value: Range<usize>,
}

impl Fields {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// It is not valid YAML.
    pub fn of(document: &Document) -> Result<Self, ReadError> {
        let mut places = Origins::new();
        let options = ReadOptions {
            source: Some(Sources::new().add("", "", SourceKind::Rendered)),
            numbers: Numbers::AsWritten,
        };
        let root = go_yaml::read(document.bytes(), &options, &mut places)?;
        Ok(Self { root, places })
    }

    /// The whole document.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The bytes of a value.
    pub fn bytes_of(&self, node: &Node) -> Range<usize> {
        self.range(node.origin)
    }

    fn range(&self, place: OriginId) -> Range<usize> {
        let span = self.places.span(place);
        span.map_or(0..0, |span| span.start as usize..span.end as usize)
    }

    /// What stands directly below a value, in the order of the text.
    pub fn children<'f>(&'f self, node: &'f Node, text: &[u8]) -> Vec<Child<'f>> {
        let mut children: Vec<Child<'f>> = match &node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| {
                    let value = self.bytes_of(node);
                    Child {
                        key: None,
                        index,
                        node,
                        lead: value.start..value.start,
                        value,
                    }
                })
                .collect(),
            Value::Map(map) => map
                .fields()
                .map(|(key, field)| Child {
                    key: Some(key),
                    index: 0,
                    node: &field.node,
                    lead: self.range(field.key_origin),
                    value: self.bytes_of(&field.node),
                })
                .collect(),
            _ => Vec::new(),
        };
        if matches!(node.value, Value::Map(_)) {
            children.sort_by_key(|child| child.lead.start);
            for (index, child) in children.iter_mut().enumerate() {
                child.index = index;
            }
        }
        // What stands before a key or an item on its line, and behind what came before.
        let mut end = self.bytes_of(node).start;
        for child in &mut children {
            let before = text.get(..child.lead.start).unwrap_or_default();
            let line = before.iter().rposition(|&byte| byte == b'\n');
            let start = line.map_or(0, |line| line + 1).max(end);
            child.lead.start = start.min(child.lead.start);
            end = child.value.end.max(child.lead.end);
        }
        children
    }
}
