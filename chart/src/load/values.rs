//! `values.yaml`, whose documents Helm 4 merges; Helm 3 reads the first.

use cairn_spec::{Map, Node, Value};
use cairn_template::go_yaml::{self, Numbers, ReadOptions};

use super::{Loader, Text, unreadable};
use crate::{Dialect, Error};

/// The values of a chart that has none.
pub(super) fn empty() -> Node {
    Node::generated(Map::new())
}

impl Loader<'_> {
    pub(super) fn values(&mut self, text: &Text<'_>) -> Result<Node, Error> {
        let options = ReadOptions {
            source: Some(text.source),
            numbers: Numbers::Floats,
        };
        let documents = match self.dialect {
            Dialect::Helm4 => go_yaml::read_values(text.bytes, &options, self.origins),
            Dialect::Helm3 => {
                go_yaml::read_map(text.bytes, &options, self.origins).map(|first| vec![first])
            }
        };
        let documents = documents.map_err(|error| {
            unreadable(&error, text.source, "chart-values").within("cannot load values.yaml")
        })?;
        let merged = documents.into_iter().reduce(|mut merged, document| {
            self.merge(&mut merged, document);
            merged
        });
        Ok(merged.unwrap_or_else(empty))
    }

    /// Helm's `MergeMaps`: maps merge, anything else replaces. Depth is that of the YAML reader
    /// at most.
    fn merge(&mut self, into: &mut Node, from: Node) {
        match (&mut into.value, from.value) {
            (Value::Map(old), Value::Map(new)) => {
                for (key, field) in new.into_fields() {
                    match old.get_mut(&key) {
                        Some(slot) => self.merge(slot, field.node),
                        None => drop(old.insert_field(key, field)),
                    }
                }
            }
            (_, value) => {
                let origin = self.origins.overriding(from.origin, into.origin);
                *into = Node { value, origin };
            }
        }
    }
}
