//! JSON Schema over value trees: every violation, each at its place, with a hint.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value as Json;

use crate::{
    Diagnostic, Diagnostics, Kind, Node, Origins, decode_json,
    schema::{nearest_node, schema_of},
    suggest,
};

/// A compiled JSON Schema. It never fetches: a remote `$ref` is an error.
#[derive(Debug, Clone)]
pub struct Schema {
    root: Arc<Json>,
    validator: Arc<Validator>,
}

/// Why a JSON Schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SchemaError {
    /// What is wrong with it.
    pub reason: String,
    /// Where in the schema: a JSON Pointer.
    pub pointer: String,
}

impl Schema {
    /// Compiles a schema of draft 2020-12 (or the draft its `$schema` names).
    pub fn compile(root: Json) -> Result<Self, SchemaError> {
        if let Some(pointer) = remote_reference(&root, "") {
            let reason =
                "a `$ref` must stay inside the file: copy the schema it names under `$defs`"
                    .to_owned();
            return Err(SchemaError { reason, pointer });
        }
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .build(&root)
            .map_err(|error| SchemaError {
                reason: compile_reason(&error),
                pointer: error.instance_path().to_string(),
            })?;
        Ok(Self {
            root: Arc::new(root),
            validator: Arc::new(validator),
        })
    }

    /// The schema itself.
    pub fn as_json(&self) -> &Json {
        &self.root
    }

    /// Reports every violation under one code.
    pub fn check(
        &self,
        node: &Node,
        origins: &Origins,
        code: &'static str,
        diagnostics: &mut Diagnostics,
    ) {
        let instance = node.to_json();
        if self.validator.is_valid(&instance) {
            return;
        }
        let mut report = Report {
            schema: &self.root,
            node,
            origins,
            code,
            diagnostics,
        };
        for error in self.validator.iter_errors(&instance) {
            report.add(&error);
        }
    }
}

/// Why a schema is none, without the words of the schema of schemas.
fn compile_reason(error: &ValidationError<'_>) -> String {
    let found = error.instance();
    match error.kind() {
        ValidationErrorKind::AnyOf { .. }
        | ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::Enum { .. } => format!("`{found}` is not allowed here"),
        ValidationErrorKind::Format { format } if format == "regex" => {
            format!("`{found}` is not a regular expression")
        }
        ValidationErrorKind::Type { .. } => format!("`{found}` has the wrong type here"),
        _ => error.to_string(),
    }
}

/// Turns violations into diagnostics.
struct Report<'a> {
    schema: &'a Json,
    node: &'a Node,
    origins: &'a Origins,
    code: &'static str,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Report<'a> {
    fn add(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let (found, origin) = nearest_node(self.node, pointer);
        let name = path_of(pointer);
        let rule = self.parent_schema(error.schema_path().as_str());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    self.unknown_key(key, &name, found, rule);
                }
            }
            ValidationErrorKind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                let described = rule
                    .and_then(|rule| rule.pointer(&format!("/properties/{property}/description")))
                    .and_then(Json::as_str)
                    .map(|text| {
                        format!(
                            "add `{property}: …`: {}",
                            lower_first(text.trim_end_matches('.'))
                        )
                    });
                self.diagnostics.push(
                    Diagnostic::error(
                        self.code,
                        format!("the key `{property}` is missing{}", in_path(&name)),
                    )
                    .at(self.origins.get(origin))
                    .hint(described.unwrap_or_else(|| format!("add `{property}: …`"))),
                );
            }
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context }
                if best_variant(context).is_some() =>
            {
                best_variant(context)
                    .into_iter()
                    .flatten()
                    .for_each(|error| self.add(error));
            }
            kind => {
                let hint = hint_of(kind, &name, found, rule);
                let diagnostic = plain(error, self.code, &name, found);
                self.diagnostics
                    .push(diagnostic.at(self.origins.get(origin)).maybe_hint(hint));
            }
        }
    }

    fn unknown_key(&mut self, key: &str, name: &str, found: &Node, rule: Option<&Json>) {
        let key_origin = found
            .as_map()
            .and_then(|map| map.field(key))
            .map_or(found.origin, |field| field.key_origin);
        let known = rule
            .and_then(|rule| rule.get("properties"))
            .and_then(Json::as_object);
        let known: Vec<&str> = known
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect();
        self.diagnostics.push(
            Diagnostic::error(self.code, format!("unknown key `{key}`{}", in_path(name)))
                .at(self.origins.get(key_origin))
                .maybe_hint(suggest(key, known.iter().copied())),
        );
    }

    /// The schema whose keyword failed.
    fn parent_schema(&self, schema_path: &str) -> Option<&'a Json> {
        let parent = &schema_path[..schema_path.rfind('/')?];
        self.schema.pointer(parent)
    }
}

/// The variant that came closest: the one whose errors lie deepest; none when all fail at the top.
fn best_variant<'a>(
    context: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a Vec<ValidationError<'static>>> {
    let depth = |errors: &Vec<ValidationError<'static>>| {
        errors
            .iter()
            .map(|error| error.instance_path().as_str().matches('/').count())
            .max()
            .unwrap_or(0)
    };
    let deepest = context.iter().max_by_key(|errors| depth(errors))?;
    let top = context.iter().map(depth).min().unwrap_or(0);
    (depth(deepest) > top || context.len() == 1).then_some(deepest)
}

fn plain(error: &ValidationError<'_>, code: &'static str, name: &str, found: &Node) -> Diagnostic {
    let shown = match &found.value {
        crate::Value::Map(_) => "a map".to_owned(),
        crate::Value::List(_) => "a list".to_owned(),
        scalar => format!("`{}`", crate::yaml::write_scalar(scalar)),
    };
    let subject = if name.is_empty() {
        "this".to_owned()
    } else {
        format!("`{name}`")
    };
    let message = match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                jsonschema::error::TypeKind::Single(kind) => {
                    type_name(&kind.to_string()).to_owned()
                }
                jsonschema::error::TypeKind::Multiple(kinds) => kinds
                    .iter()
                    .map(|kind| type_name(&kind.to_string()))
                    .collect::<Vec<_>>()
                    .join(" or "),
            };
            format!("{subject} must be {expected}, not {shown}")
        }
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
            format!("{subject} cannot be {shown}")
        }
        ValidationErrorKind::Pattern { .. } => {
            format!("{subject} does not have the right form: {shown}")
        }
        ValidationErrorKind::Format { format } => {
            format!("{subject} is not a valid {format}: {shown}")
        }
        ValidationErrorKind::Minimum { limit } => {
            format!("{subject} must be at least {limit}, not {shown}")
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("{subject} must be at most {limit}, not {shown}")
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            format!("{subject} must be more than {limit}, not {shown}")
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            format!("{subject} must be less than {limit}, not {shown}")
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("{subject} must have at least {limit} characters")
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("{subject} must have at most {limit} characters")
        }
        ValidationErrorKind::MinItems { limit } => {
            format!("{subject} must have at least {limit} items")
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("{subject} must have at most {limit} items")
        }
        ValidationErrorKind::MinProperties { limit } => {
            format!("{subject} must have at least {limit} keys")
        }
        ValidationErrorKind::MaxProperties { limit } => {
            format!("{subject} must have at most {limit} keys")
        }
        ValidationErrorKind::UniqueItems => format!("{subject} holds the same item twice"),
        ValidationErrorKind::FalseSchema => format!("{subject} is not allowed here"),
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!("{subject} fits none of the forms that are allowed: {shown}")
        }
        _ => format!("{subject} does not fit its schema: {error}"),
    };
    Diagnostic::error(code, message)
}

fn hint_of(
    kind: &ValidationErrorKind,
    name: &str,
    found: &Node,
    rule: Option<&Json>,
) -> Option<String> {
    let is_empty_file = name.is_empty() && found.value == crate::Value::Null;
    let text = |key: &str| rule.and_then(|rule| rule.get(key)).and_then(Json::as_str);
    match kind {
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(scalar_text)
                .collect();
            suggest(
                found.as_str().unwrap_or_default(),
                options.iter().map(String::as_str),
            )
        }
        ValidationErrorKind::Constant { expected_value } => {
            Some(format!("expected `{}`", scalar_text(expected_value)))
        }
        ValidationErrorKind::Type { .. } if is_empty_file => Some("the file is empty".to_owned()),
        ValidationErrorKind::Type { .. }
            if matches!(
                found.value,
                crate::Value::Int(_) | crate::Value::Float(_) | crate::Value::Bool(_)
            ) =>
        {
            let wants_text = rule
                .and_then(|rule| rule.get("type"))
                .is_some_and(|kind| kind == "string");
            if wants_text {
                Some("quote it".to_owned())
            } else {
                text("description").map(sentence)
            }
        }
        _ => text("description").map(sentence),
    }
}

fn scalar_text(json: &Json) -> String {
    json.as_str()
        .map_or_else(|| json.to_string(), str::to_owned)
}

fn sentence(text: &str) -> String {
    let first = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    lower_first(first)
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.as_str()) {
        // Keep abbreviations such as `JSON` and `CIDR` as they are.
        (Some(first), rest) if !rest.starts_with(|c: char| c.is_ascii_uppercase()) => {
            first.to_lowercase().collect::<String>() + rest
        }
        _ => text.to_owned(),
    }
}

fn type_name(json_type: &str) -> &'static str {
    match json_type.trim_matches('"') {
        "object" => "a map",
        "array" => "a list",
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "a boolean",
        "null" => "null",
        _ => "something else",
    }
}

fn in_path(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(" in `{name}`")
    }
}

/// `/spec/layers/0/name` is `spec.layers[0].name`.
fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push('[');
            path.push_str(&token);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&token);
        }
    }
    path
}

/// The first `$ref` that leaves the schema.
fn remote_reference(schema: &Json, pointer: &str) -> Option<String> {
    match schema {
        Json::Object(fields) => fields.iter().find_map(|(key, value)| match value {
            Json::String(target) if key == "$ref" && !target.starts_with('#') => {
                Some(format!("{pointer}/$ref"))
            }
            below => remote_reference(below, &format!("{pointer}/{key}")),
        }),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| remote_reference(item, &format!("{pointer}/{index}"))),
        _ => None,
    }
}

/// Reads a file of a kind: checks `kind` and the schema, then the newtypes. All problems are
/// reported, each at its place, under the code `schema`.
pub fn decode<T: Kind>(node: &Node, origins: &Origins, diagnostics: &mut Diagnostics) -> Option<T> {
    if let Some(found) = node
        .get("kind")
        .filter(|kind| kind.as_str().is_some_and(|kind| kind != T::KIND))
    {
        diagnostics.push(
            Diagnostic::error(
                "schema",
                format!(
                    "expected kind `{}`, found `{}`",
                    T::KIND,
                    found.as_str().unwrap_or_default()
                ),
            )
            .at(origins.get(found.origin))
            .hint(format!("name a file of kind `{}`", T::KIND)),
        );
        return None;
    }
    let schema = compiled::<T>();
    let errors_before = diagnostics.error_count();
    schema.check(node, origins, "schema", diagnostics);
    if diagnostics.error_count() > errors_before {
        return None;
    }
    decode_json(node, origins, diagnostics)
}

/// The schema of a kind, compiled once: that takes a millisecond, and a profile has a hundred files.
fn compiled<T: Kind>() -> Schema {
    static COMPILED: Mutex<BTreeMap<&'static str, Schema>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let compile =
        || Schema::compile(schema_of::<T>()).expect("the schemas of our own types compile");
    compiled.entry(T::KIND).or_insert_with(compile).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PackManifest, ProfileManifest, SourceKind, Sources, yaml::read_one};

    fn problems<T: Kind>(text: &str) -> String {
        let mut sources = Sources::new();
        let id = sources.add("f.yaml", text, SourceKind::Other);
        let mut origins = Origins::new();
        let mut diagnostics = Diagnostics::new();
        if let Some(node) = read_one(&sources, id, &mut origins, &mut diagnostics) {
            let _ = decode::<T>(&node, &origins, &mut diagnostics);
        }
        let line = |d: &Diagnostic| {
            let hint = d
                .hint
                .as_deref()
                .map(|hint| format!(" | {hint}"))
                .unwrap_or_default();
            format!("{} {}{hint}", sources.locate(d.labels[0].span), d.message)
        };
        diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn all_problems_of_a_file_are_reported_at_their_places() {
        insta::assert_snapshot!(problems::<PackManifest>("\
apiVersion: cairn.dev/v2
kind: Pack
metadata: {nmae: x, version: 1.0}
spec:
  layer: addons
  constraints: {kubernetes: '>>1', requires: [{pack: Big}]}
  namespace: 7
"), @"
        f.yaml:1:13 `apiVersion` cannot be `cairn.dev/v2` | expected `cairn.dev/v1`
        f.yaml:3:11 the key `name` is missing in `metadata` | add `name: …`: the pack's name
        f.yaml:3:30 `metadata.version` must be a string, not `1` | quote it
        f.yaml:3:12 unknown key `nmae` in `metadata` | did you mean `name`?
        f.yaml:6:54 `spec.constraints.requires[0].pack` does not have the right form: `Big` | use 1 to 63 lower-case letters, digits and `-`, starting and ending with a letter or digit
        f.yaml:5:10 `spec.layer` cannot be `addons` | did you mean `addon`?
        f.yaml:7:14 `spec.namespace` must be a string, not `7` | quote it
        ");
        insta::assert_snapshot!(problems::<ProfileManifest>("\
apiVersion: cairn.dev/v1
kind: Profile
metadata: {name: a, version: 1.0.0}
spec: {type: cluster, layers: [{name: web, pack: x, version: '^^1'}]}
"), @r#"f.yaml:4:62 `^^1` is not a version range: `^1` is not a number | ranges are such as `^1.2`, `~1.2`, `">=1.2 <2"`, `1.2.x` or `"*"`"#);
        insta::assert_snapshot!(problems::<ProfileManifest>("kind: Cluster"), @"f.yaml:1:7 expected kind `Profile`, found `Cluster` | name a file of kind `Profile`");
        insta::assert_snapshot!(problems::<ProfileManifest>("[]"), @"f.yaml:1:1 this must be a map, not a list | a profile: a stack of layers");
    }

    #[test]
    fn every_kind_has_a_schema_that_compiles() {
        for (name, schema) in crate::all_schemas() {
            assert!(Schema::compile(schema).is_ok(), "{name}");
        }
    }

    #[test]
    fn remote_references_are_refused() {
        let error =
            Schema::compile(serde_json::json!({"properties": {"a": {"$ref": "https://x/y.json"}}}))
                .unwrap_err();
        assert_eq!(error.pointer, "/properties/a/$ref");
    }
}
