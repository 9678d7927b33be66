//! What a user gives beside a chart: files of values and the `--set` options, in Helm's order.

use cairn_spec::{
    Diagnostic, Field, Map, Node, Origins, SourceId, SourceKind, Sources, Span, Value,
};
use cairn_template::{
    go_json::{self, Places},
    go_yaml::{self, ReadError, ReadOptions},
};

use crate::{
    Dialect, Error,
    strvals::{self, Kind, MAX_SET_ITEMS, ReadFile},
};

/// A file of values.
#[derive(Debug, Clone)]
pub struct ValuesFile {
    /// Its name, as the user wrote it.
    pub name: String,
    /// What is in it: YAML, in one document or several.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: SourceKind,
}

/// What a user gives beside a chart. Whatever the order on the command line was, each option
/// overrides those above it here; of one option, a later argument overrides an earlier one.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--values`
    pub files: Vec<ValuesFile>,
    /// `--set-json`
    pub json: Vec<String>,
    /// `--set`
    pub values: Vec<String>,
    /// `--set-string`
    pub strings: Vec<String>,
    /// `--set-file`
    pub file_values: Vec<String>,
    /// `--set-literal`
    pub literals: Vec<String>,
}

impl Overrides {
    /// Merges all of it; nulls are kept, so that they can delete what is below. `read_file` gives
    /// the files that `--set-file` names, or says in Go's words why it cannot.
    ///
    /// Each text becomes a source, so that origins point into it.
    ///
    /// # Errors
    ///
    /// A text cannot be read.
    pub fn merge(
        &self,
        dialect: Dialect,
        sources: &mut Sources,
        origins: &mut Origins,
        read_file: &mut ReadFile<'_>,
    ) -> Result<Node, Error> {
        let mut reading = Reading {
            dialect,
            sources,
            origins,
            read_file,
            items_left: MAX_SET_ITEMS,
        };
        let mut all = Map::new();
        for file in &self.files {
            let values = reading.file(file)?;
            all = maps(all, values, reading.origins);
        }
        for argument in &self.json {
            all = reading.json(all, argument)?;
        }
        for (kind, arguments) in [
            (Kind::Typed, &self.values),
            (Kind::Text, &self.strings),
            (Kind::File, &self.file_values),
            (Kind::Literal, &self.literals),
        ] {
            for argument in arguments {
                reading.set(&mut all, argument, kind)?;
            }
        }
        Ok(Node::generated(all))
    }
}

/// What reading texts needs beside them.
struct Reading<'a, 'f> {
    dialect: Dialect,
    sources: &'a mut Sources,
    origins: &'a mut Origins,
    read_file: &'a mut ReadFile<'f>,
    items_left: usize,
}

impl Reading<'_, '_> {
    fn file(&mut self, file: &ValuesFile) -> Result<Map, Error> {
        let text = String::from_utf8_lossy(&file.bytes);
        let source = self.sources.add(file.name.as_str(), text, file.kind);
        let options = ReadOptions {
            source: Some(source),
            ..ReadOptions::default()
        };
        let documents = match self.dialect {
            Dialect::Helm4 => go_yaml::read_values(&file.bytes, &options, self.origins),
            Dialect::Helm3 => {
                go_yaml::read_map(&file.bytes, &options, self.origins).map(|first| vec![first])
            }
        };
        let documents = documents.map_err(|error| unreadable(&file.name, source, &error))?;
        let documents = documents.into_iter().filter_map(into_map);
        Ok(documents.fold(Map::new(), |low, high| maps(low, high, self.origins)))
    }

    /// A map, or in Helm 4 also a map as a whole.
    fn json(&mut self, mut all: Map, argument: &str) -> Result<Map, Error> {
        let trimmed = argument.trim();
        if self.dialect == Dialect::Helm3 || !trimmed.starts_with('{') {
            self.set(&mut all, argument, Kind::Json)?;
            return Ok(all);
        }
        let option = Kind::Json.option();
        let source = self.sources.add(option, argument, SourceKind::CommandLine);
        let start = argument.len() - argument.trim_start().len();
        let mut places = Places {
            source,
            start,
            origins: self.origins,
        };
        let values = go_json::read_placed(trimmed.as_bytes(), &mut places).map_err(|error| {
            let at = start + error.offset().unwrap_or_default();
            let diagnostic = Diagnostic::error(
                "chart-set",
                format!("`{option}` is no JSON object: {error}"),
            )
            .at(place(source, at));
            Error::new(
                format!("failed parsing {option} data JSON: {argument}"),
                diagnostic,
            )
        })?;
        let values = into_map(values).unwrap_or_default();
        Ok(maps(all, values, self.origins))
    }

    fn set(&mut self, all: &mut Map, argument: &str, kind: Kind) -> Result<(), Error> {
        let option = kind.option();
        let source = self.sources.add(option, argument, SourceKind::CommandLine);
        let mut setting = strvals::Setting {
            kind,
            dialect: self.dialect,
            source,
            sources: self.sources,
            origins: self.origins,
            read_file: self.read_file,
            items_left: &mut self.items_left,
        };
        setting.apply(argument, all).map_err(|mistake| {
            let diagnostic = Diagnostic::error(
                "chart-set",
                format!("`{option}` cannot be read: {}", mistake.message),
            )
            .at(place(source, mistake.offset));
            let message = match kind {
                Kind::Json => format!("failed parsing {option} data {argument}"),
                _ => format!("failed parsing {option} data: {}", mistake.message),
            };
            Error::new(message, diagnostic)
        })
    }
}

/// Merges a map over another, as Helm's `MergeMaps` does: a null is a value like any other.
fn maps(mut low: Map, high: Map, origins: &mut Origins) -> Map {
    for (key, mut field) in high.into_fields() {
        let Some(below) = low.remove(&key) else {
            low.insert_field(key, field);
            continue;
        };
        let origin = origins.overriding(field.node.origin, below.node.origin);
        field.node.value = match (below.node.value, field.node.value) {
            (Value::Map(low), Value::Map(high)) => maps(low, high, origins).into(),
            (_, high) => high,
        };
        field.node.origin = origin;
        let key_origin = below.key_origin;
        low.insert_field(
            key,
            Field {
                key_origin,
                ..field
            },
        );
    }
    low
}

fn into_map(node: Node) -> Option<Map> {
    match node.value {
        Value::Map(map) => Some(map),
        _ => None,
    }
}

fn unreadable(name: &str, source: SourceId, error: &ReadError) -> Error {
    let at = error.place().map(|place| place.offset);
    let diagnostic = Diagnostic::error("chart-values", format!("`{name}` cannot be read: {error}"))
        .at(at.map(|at| place(source, at)));
    Error::new(format!("failed to parse {name}: {error}"), diagnostic)
}

fn place(source: SourceId, offset: usize) -> Span {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    Span {
        source,
        start: offset,
        end: offset,
    }
}
