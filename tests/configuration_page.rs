//! The tables of `docs/registry-configuration.md`, made from the schema of the configuration: each
//! key with its type, its default and what its type's documentation says.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// What stands around the tables in the page.
pub(crate) const BEGIN: &str = "<!-- keys: begin, written by `just schemas` -->\n";
pub(crate) const END: &str = "<!-- keys: end -->\n";

/// The page with its tables written anew.
pub(crate) fn page_with_tables(page: &str, schema: &Json) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", tables(schema)))
}

/// A section a map, the root first; the maps below follow in the order of their keys.
fn tables(schema: &Json) -> String {
    let mut text = String::new();
    let mut waiting = vec![(String::new(), schema)];
    while let Some((path, map)) = waiting.pop() {
        let title = if path.is_empty() {
            "All keys"
        } else {
            &format!("`{path}`")
        };
        let _ = write!(
            text,
            "\n## {title}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n"
        );
        let mut below = Vec::new();
        for (key, property) in properties(map) {
            let path = join(&path, key);
            let kind = kind_of(schema, property, &path, &mut below);
            let default = property.get("default").map_or("–".to_owned(), shown);
            // The one key of a variant is described by the variant.
            let meaning = Some(description(property)).filter(|text| !text.is_empty());
            let meaning = meaning.unwrap_or_else(|| description(map));
            let _ = writeln!(text, "| `{key}` | {kind} | {default} | {meaning} |");
        }
        waiting.extend(below.into_iter().rev());
    }
    text
}

fn properties(map: &Json) -> impl Iterator<Item = (&String, &Json)> {
    map["properties"].as_object().into_iter().flatten()
}

/// The words for a type; the maps it holds are added to `below`, to be described themselves.
fn kind_of<'a>(
    schema: &'a Json,
    property: &'a Json,
    path: &str,
    below: &mut Vec<(String, &'a Json)>,
) -> String {
    let property = resolved(schema, property);
    if let Some(variants) = property.get("oneOf").or(property.get("anyOf")) {
        let variants = variants.as_array().into_iter().flatten();
        let kinds = variants.map(|variant| kind_of(schema, variant, path, below));
        return kinds.collect::<Vec<_>>().join(", or ");
    }
    if let Some(values) = property.get("enum").and_then(Json::as_array) {
        return values.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    if let Some(constant) = property.get("const") {
        return shown(constant);
    }
    match property["type"].as_str().unwrap_or("any") {
        "array" => {
            let item = kind_of(schema, &property["items"], &format!("{path}[]"), below);
            format!("list of {item}")
        }
        "object" if property.get("properties").is_some() => {
            below.push((path.to_owned(), property));
            "map, below".to_owned()
        }
        "object" => match property.get("additionalProperties") {
            Some(values @ Json::Object(_)) => {
                let values = kind_of(schema, values, &format!("{path}.*"), below);
                format!("map of {values}")
            }
            _ => "map".to_owned(),
        },
        kind => kind.to_owned(),
    }
}

fn resolved<'a>(schema: &'a Json, property: &'a Json) -> &'a Json {
    let target = property["$ref"].as_str();
    let definition = target.and_then(|target| schema.pointer(target.trim_start_matches('#')));
    definition.unwrap_or(property)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        Json::Object(map) if map.len() > 2 => "see below".to_owned(),
        Json::String(text) => format!("`{text}`"),
        value => format!("`{value}`"),
    }
}

/// A description on one line.
fn description(property: &Json) -> String {
    let text = property["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}
