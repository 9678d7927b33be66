//! The schema of a chart as part of the schema of a pack.

use cairn_spec::{ChartName, Schema};
use serde_json::{Value as Json, json};

use crate::{ImportNote, ImportOutcome};

/// What asks for values to be there. The pack's values lie over the chart's defaults, which the
/// pack's schema does not see; the chart's own schema is checked whole when the chart is rendered.
const ABOUT_ABSENCE: &[&str] = &[
    "required",
    "minProperties",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];
/// What only the outermost schema says.
const ABOUT_THE_DOCUMENT: &[&str] = &["$schema", "$id", "id"];
/// How deep a schema is looked into; deeper ones are left out as a whole.
const MAX_DEPTH: usize = 64;

/// The schema of the pack's values: the chart's, under `charts.NAME`.
pub(super) fn wrapped(
    name: &ChartName,
    schema: Option<&[u8]>,
    notes: &mut Vec<ImportNote>,
) -> Json {
    let Some(bytes) = schema else {
        return around(name, None);
    };
    let adapted = serde_json::from_slice::<Json>(bytes)
        .map_err(|error| error.to_string())
        .and_then(|schema| adapted(schema, name, 0).ok_or_else(|| "it nests too deep".to_owned()))
        .map(|schema| around(name, Some(schema)))
        .and_then(|root| match Schema::compile(root.clone()) {
            Ok(_) => Ok(root),
            Err(error) => Err(format!("{} ({})", error.reason, error.pointer)),
        });
    adapted.unwrap_or_else(|reason| {
        notes.push(ImportNote {
            outcome: ImportOutcome::LeftOut,
            what: "values.schema.json".to_owned(),
            note: format!(
                "the chart's schema cannot be part of the pack's: {reason}; it is checked when the chart is rendered"
            ),
        });
        around(name, None)
    })
}

fn around(name: &ChartName, schema: Option<Json>) -> Json {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "charts": {
                "type": "object",
                "description": "The values of the chart, under its name, over its own defaults.",
                "additionalProperties": false,
                "properties": {name.as_str(): {"type": "object"}},
            },
        },
    });
    if let Some(schema) = schema {
        root["properties"]["charts"]["properties"][name.as_str()] =
            json!({"$ref": format!("#/$defs/{name}")});
        root["$defs"][name.as_str()] = schema;
    }
    root
}

/// A schema of 2019 or older as one of 2020-12 that stands below `$defs/NAME`.
fn adapted(schema: Json, name: &ChartName, depth: usize) -> Option<Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    match schema {
        Json::Object(fields) => {
            let mut kept = serde_json::Map::new();
            for (key, value) in fields {
                if ABOUT_ABSENCE.contains(&key.as_str())
                    || ABOUT_THE_DOCUMENT.contains(&key.as_str())
                {
                    continue;
                }
                match (key.as_str(), &value) {
                    ("$ref", Json::String(target)) => {
                        let target = match target.strip_prefix('#') {
                            Some(rest) => format!("#/$defs/{name}{rest}"),
                            None => target.clone(),
                        };
                        kept.insert(key, Json::String(target));
                    }
                    ("items", Json::Array(_)) => {
                        kept.insert("prefixItems".to_owned(), adapted(value, name, depth + 1)?);
                    }
                    // Names of properties are no keywords.
                    (
                        "properties" | "definitions" | "$defs" | "patternProperties",
                        Json::Object(_),
                    ) => {
                        kept.insert(key, properties(value, name, depth + 1)?);
                    }
                    ("default" | "const" | "enum" | "examples", _) => {
                        kept.insert(key, value);
                    }
                    _ => {
                        kept.insert(key, adapted(value, name, depth + 1)?);
                    }
                }
            }
            Some(Json::Object(kept))
        }
        Json::Array(items) => items
            .into_iter()
            .map(|item| adapted(item, name, depth + 1))
            .collect::<Option<Vec<_>>>()
            .map(Json::Array),
        other => Some(other),
    }
}

fn properties(schemas: Json, name: &ChartName, depth: usize) -> Option<Json> {
    let Json::Object(fields) = schemas else {
        return Some(schemas);
    };
    let fields = fields
        .into_iter()
        .map(|(key, schema)| Some((key, adapted(schema, name, depth + 1)?)))
        .collect::<Option<serde_json::Map<_, _>>>()?;
    Some(Json::Object(fields))
}
