//! Which values a chart knows: its defaults, its schema, and what its templates name.

use std::{collections::BTreeMap, sync::Arc};

use cairn_spec::{Node, Sources, Value};
use cairn_template::go_json;

use super::reads::reads;
use crate::{Chart, ChartType};

/// How deep schemas are looked into.
const MAX_SCHEMA_DEPTH: usize = 64;

/// What is known of a value.
#[derive(Debug, Default)]
pub(super) struct Known<'c> {
    /// What it is by default.
    pub(super) default: Option<&'c Node>,
    /// What is known below it.
    pub(super) below: BTreeMap<Arc<str>, Self>,
    /// It may hold anything.
    pub(super) is_open: bool,
}

impl<'c> Known<'c> {
    /// What a chart and the charts in it know.
    pub(super) fn by(chart: &'c Chart, sources: &Sources) -> Self {
        let mut known = Self::default();
        known.add_chart(chart, sources);
        known
    }

    fn add_chart(&mut self, chart: &'c Chart, sources: &Sources) {
        self.add_defaults(&chart.values);
        if let Some(schema) = &chart.schema
            && let Ok(schema) = go_json::read(schema)
        {
            self.add_schema(&schema, 0);
        }
        self.add_templates(chart, sources);
        self.at("tags").is_open = true;
        let declared = chart.metadata.dependencies.iter().flatten();
        for dependency in declared.clone() {
            for path in dependency.condition.split(',') {
                let keys = path.trim().split('.');
                keys.fold(&mut *self, |known, key| known.at(key));
            }
        }
        for below in &chart.dependencies {
            let aliases: Vec<&str> = declared
                .clone()
                .filter(|dependency| dependency.name == below.name())
                .filter(|dependency| !dependency.alias.is_empty())
                .map(|dependency| dependency.alias.as_str())
                .collect();
            let names = if aliases.is_empty() {
                vec![below.name()]
            } else {
                aliases
            };
            for name in names {
                self.at(name).add_chart(below, sources);
            }
            // What a chart knows of the globals may be given above it, and what a library names
            // is a value of whoever includes it.
            let mut globals = Self::default();
            globals.add_chart(below, sources);
            if let Some(globals) = globals.below.remove("global") {
                self.at("global").merge(globals);
            }
            if below.metadata.chart_type == ChartType::Library {
                self.add_templates(below, sources);
            }
        }
    }

    fn at(&mut self, key: &str) -> &mut Self {
        self.below.entry(key.into()).or_default()
    }

    fn merge(&mut self, other: Self) {
        self.default = self.default.or(other.default);
        self.is_open |= other.is_open;
        for (key, below) in other.below {
            self.at(&key).merge(below);
        }
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
        if takes_others || depth > MAX_SCHEMA_DEPTH || schema.get("$ref").is_some() {
            self.is_open = true;
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

    fn add_templates(&mut self, chart: &Chart, sources: &Sources) {
        for template in &chart.templates {
            for read in reads(&sources.get(template.source).text) {
                let keys = read.keys.iter();
                let known = keys.fold(&mut *self, |known, key| known.at(key));
                known.is_open |= read.is_whole;
            }
        }
    }
}
