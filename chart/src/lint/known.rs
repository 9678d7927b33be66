//! Which values a chart knows: its defaults, its schema, and what its templates name.

use std::{collections::BTreeMap, sync::Arc};

use cairn_spec::{Node, Value};
use cairn_template::{go::Usage, go_json};

use super::reads::{ChartReads, MAX_KEYS, Read};
use crate::{Chart, ImportValues};

/// How deep schemas are looked into.
const MAX_SCHEMA_DEPTH: usize = 64;

/// How much of what is shared is looked at for each of the charts below.
const MAX_SHARED: usize = 2_000;

/// What is known of a value.
#[derive(Debug, Default)]
pub(super) struct Known<'c> {
    /// What it is by default.
    pub(super) default: Option<&'c Node>,
    /// What is known below it.
    pub(super) below: BTreeMap<Arc<str>, Self>,
    /// It may hold anything.
    pub(super) is_open: bool,
    /// A template names it.
    pub(super) is_named: bool,
    /// Templates may read all that is below it.
    pub(super) is_whole: bool,
}

/// What templates of any chart name for others: globals, and what stands in definitions.
#[derive(Debug, Default)]
pub(super) struct Shared<'r> {
    globals: Vec<&'r Read>,
    definitions: Vec<&'r Read>,
}

impl<'r> Shared<'r> {
    pub(super) fn of(all: &'r ChartReads<'_>) -> Self {
        let mut shared = Self::default();
        all.all(&mut |chart| {
            for read in &chart.reads {
                if read.keys.first().is_some_and(|key| key == "global") {
                    shared.globals.push(read);
                }
                if read.is_in_definition || chart.is_library() {
                    shared.definitions.push(read);
                }
            }
        });
        shared
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'r Read> {
        self.globals.iter().chain(&self.definitions).copied()
    }
}

impl<'c> Known<'c> {
    /// What a chart and the charts in it know.
    pub(super) fn by(reads: &ChartReads<'c>, shared: &Shared<'_>) -> Self {
        let mut known = Self::default();
        known.add_chart(reads, shared, usize::MAX);
        let mut globals = Vec::new();
        reads.all(&mut |chart| globals.extend(chart.chart.values.get("global")));
        for node in globals {
            known.at("global").add_defaults(node);
        }
        known
    }

    fn add_chart(&mut self, reads: &ChartReads<'c>, shared: &Shared<'_>, most: usize) {
        let chart = reads.chart;
        self.add_defaults(&chart.values);
        if let Some(schema) = &chart.schema
            && let Ok(schema) = go_json::read(schema)
        {
            self.add_schema(&schema, 0);
        }
        for read in reads.reads.iter().chain(shared.iter().take(most)) {
            self.add_read(read);
        }
        self.add_dependencies(chart);
        let declared = chart.metadata.dependencies.iter().flatten();
        for below in &reads.below {
            let name = below.chart.name();
            let aliases: Vec<&str> = declared
                .clone()
                .filter(|dependency| dependency.name == name && !dependency.alias.is_empty())
                .map(|dependency| dependency.alias.as_str())
                .collect();
            for name in if aliases.is_empty() {
                vec![name]
            } else {
                aliases
            } {
                self.at(name).add_chart(below, shared, MAX_SHARED);
            }
        }
    }

    /// Switches, tags, imported values, and charts that are not there.
    fn add_dependencies(&mut self, chart: &Chart) {
        let tags = self.at("tags");
        (tags.is_open, tags.is_whole) = (true, true);
        for dependency in chart.metadata.dependencies.iter().flatten() {
            for path in dependency.condition.split(',') {
                let keys = path.trim().split('.');
                self.along(keys).is_named = true;
            }
            let name = if dependency.alias.is_empty() {
                &dependency.name
            } else {
                &dependency.alias
            };
            let is_there = |below: &Chart| below.name() == dependency.name;
            if !chart.dependencies.iter().any(is_there) {
                let below = self.at(name);
                (below.is_open, below.is_named, below.is_whole) = (true, true, true);
            }
            for import in &dependency.import_values {
                let path = match import {
                    ImportValues::Export(export) => format!("{name}.exports.{export}"),
                    ImportValues::Path { child, .. } => format!("{name}.{child}"),
                    ImportValues::Other(_) => continue,
                };
                let imported = self.along(path.split('.'));
                (imported.is_named, imported.is_whole) = (true, true);
            }
        }
    }

    fn at(&mut self, key: &str) -> &mut Self {
        self.below.entry(key.into()).or_default()
    }

    fn along<'k>(&mut self, keys: impl Iterator<Item = &'k str>) -> &mut Self {
        keys.take(MAX_KEYS).fold(self, |known, key| known.at(key))
    }

    fn add_read(&mut self, read: &Read) {
        let Usage { is_whole, .. } = read.usage;
        let known = self.along(read.keys.iter().map(String::as_str));
        known.is_named = true;
        known.is_whole |= is_whole;
        known.is_open |= is_whole;
    }

    fn add_defaults(&mut self, node: &'c Node) {
        // What stands above wins.
        self.default.get_or_insert(node);
        match &node.value {
            Value::Map(map) if map.is_empty() => self.is_open = true,
            Value::Map(map) => map
                .iter()
                .for_each(|(key, below)| self.at(key).add_defaults(below)),
            Value::Null => self.is_open = true,
            _ => {}
        }
    }

    fn add_schema(&mut self, schema: &Node, depth: usize) {
        let takes_others = ["patternProperties", "additionalProperties"]
            .iter()
            .filter_map(|key| schema.get(key))
            .any(|others| others.value != Value::Bool(false));
        let combines = ["$ref", "allOf", "anyOf", "oneOf", "if"];
        let is_combined = combines.iter().any(|key| schema.get(key).is_some());
        if takes_others || is_combined || depth > MAX_SCHEMA_DEPTH {
            self.is_open = true;
        }
        if depth > MAX_SCHEMA_DEPTH {
            return;
        }
        let properties = schema
            .get("properties")
            .and_then(|node| node.value.as_map());
        for (key, below) in properties.iter().flat_map(|properties| properties.iter()) {
            let is_object = below.get("properties").is_some();
            let below_here = self.at(key);
            below_here.is_open |= !is_object;
            below_here.add_schema(below, depth + 1);
        }
    }

    /// A template names something below it.
    pub(super) fn is_named_below(&self) -> bool {
        let mut below = self.below.values();
        below.any(|below| below.is_named || below.is_named_below())
    }
}
