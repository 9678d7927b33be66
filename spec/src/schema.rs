//! The JSON Schemas of types, and values as types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::{Diagnostic, Diagnostics, Node, OriginId, Origins};

/// The JSON Schema of a type, as `spec/schemas/` publishes it.
pub fn schema_of<T: JsonSchema>() -> Json {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    drop_null_variants(&mut schema);
    schema
}

/// An optional key may be left out; `null` is not a way to write that. So "X or null" becomes "X".
fn drop_null_variants(schema: &mut Json) {
    enumerate_constants(schema);
    let is_null = |variant: &Json| variant == &serde_json::json!({"type": "null"});
    if let Json::Object(fields) = schema {
        if let Some(Json::Array(types)) = fields.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                fields.insert("type".to_owned(), only);
            }
        }
        if let Some(Json::Array(variants)) = fields.get_mut("anyOf") {
            variants.retain(|variant| !is_null(variant));
            if let [Json::Object(only)] = variants.as_slice() {
                let only = only.clone();
                fields.remove("anyOf");
                fields.extend(only);
            }
        }
    }
    match schema {
        Json::Object(fields) => fields.values_mut().for_each(drop_null_variants),
        Json::Array(items) => items.iter_mut().for_each(drop_null_variants),
        _ => {}
    }
}

/// "One of these constants" reads better as an `enum`, to editors and in messages.
fn enumerate_constants(schema: &mut Json) {
    let Json::Object(fields) = schema else { return };
    let Some(Json::Array(variants)) = fields.get("oneOf") else {
        return;
    };
    let constants: Option<Vec<Json>> = variants
        .iter()
        .map(|variant| variant.get("const").cloned())
        .collect();
    if let Some(constants) = constants {
        fields.remove("oneOf");
        fields.insert("enum".to_owned(), Json::Array(constants));
    }
}

/// The node at a pointer, or the nearest one above it.
pub(crate) fn nearest_node<'a>(root: &'a Node, pointer: &str) -> (&'a Node, OriginId) {
    let mut end = pointer.len();
    loop {
        if let Some(node) = root.pointer(&pointer[..end]) {
            return (node, node.origin);
        }
        match pointer[..end].rfind('/') {
            Some(slash) => end = slash,
            None => return (root, root.origin),
        }
    }
}

/// Reads a value into a type, reporting where the first problem is.
pub fn decode_json<T: DeserializeOwned>(
    node: &Node,
    origins: &Origins,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    match serde_path_to_error::deserialize::<_, T>(node.to_json()) {
        Ok(value) => Some(value),
        Err(error) => {
            let pointer: String = error
                .path()
                .iter()
                .map(|segment| match segment {
                    serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
                    serde_path_to_error::Segment::Map { key } => {
                        format!("/{}", key.replace('~', "~0").replace('/', "~1"))
                    }
                    _ => String::new(),
                })
                .collect();
            let (_, origin) = nearest_node(node, &pointer);
            let mut message = error.inner().to_string();
            let mut hint = example_of(&message).map(str::to_owned);
            if let Some(key) = message.strip_prefix("missing field ") {
                hint = Some(format!("add {}: …`", key.trim_end_matches('`')));
                message = format!("the key {key} is missing");
            }
            diagnostics.push(
                Diagnostic::error("schema", message)
                    .at(origins.get(origin))
                    .maybe_hint(hint),
            );
            None
        }
    }
}

/// What a text that was refused could look like. Serde passes on nothing but the message.
fn example_of(message: &str) -> Option<&'static str> {
    if message.contains("is not a version range") {
        Some("ranges are such as `^1.2`, `~1.2`, `\">=1.2 <2\"`, `1.2.x` or `\"*\"`")
    } else if message.contains("is not a version") {
        Some("versions are such as `1.2.3` or `1.2.3-rc.1`")
    } else {
        None
    }
}
