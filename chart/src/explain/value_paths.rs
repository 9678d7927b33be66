//! What the values are called that origins point at: `image.tag` instead of a place alone.

use std::collections::HashMap;

use cairn_spec::{Node, OriginId, Origins, Span, Value};

use super::{Child, path::below};
use crate::Chart;

/// The paths of values, by where they are written.
#[derive(Debug, Clone, Default)]
pub struct ValuePaths {
    by_place: HashMap<Span, String>,
}

impl ValuePaths {
    /// The values of a chart and of those in it, each by its path in its own file, and those of
    /// the user.
    pub fn of(chart: &Chart, values: &Node, origins: &Origins) -> Self {
        let mut paths = Self::default();
        paths.add(values, "", origins);
        paths.add_chart(chart, origins);
        paths
    }

    /// Adds values, each by its path.
    pub fn add_values(&mut self, values: &Node, origins: &Origins) {
        self.add(values, "", origins);
    }

    /// The path of the value that an origin is.
    pub fn get(&self, origin: OriginId, origins: &Origins) -> Option<&str> {
        let path = self.by_place.get(&origins.span(origin)?)?;
        (!path.is_empty()).then_some(path)
    }

    /// Adds the values of a chart and of those in it, each by its path in its own file.
    pub fn add_chart(&mut self, chart: &Chart, origins: &Origins) {
        self.add(&chart.values, "", origins);
        for dependency in &chart.dependencies {
            self.add_chart(dependency, origins);
        }
    }

    /// Values nest no deeper than their readers let them.
    fn add(&mut self, node: &Node, path: &str, origins: &Origins) {
        if let Some(place) = origins.span(node.origin) {
            self.by_place
                .entry(place)
                .or_insert_with(|| path.to_owned());
        }
        let mut child =
            |key: Option<&str>, index: usize, node: &Node, key_origin: Option<OriginId>| {
                let child = Child {
                    key,
                    index,
                    node,
                    lead: 0..0,
                    value: 0..0,
                };
                let path = below(path, &child);
                if let Some(place) = key_origin.and_then(|origin| origins.span(origin)) {
                    self.by_place.entry(place).or_insert_with(|| path.clone());
                }
                self.add(node, &path, origins);
            };
        match &node.value {
            Value::Map(map) => map.fields().for_each(|(key, field)| {
                child(Some(key), 0, &field.node, Some(field.key_origin));
            }),
            Value::List(items) => items.iter().enumerate().for_each(|(index, item)| {
                child(None, index, item, None);
            }),
            _ => {}
        }
    }
}
