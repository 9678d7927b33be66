//! `schema.yaml` becomes JSON Schema: `{{ required | format "${number:[1-9]}" | hints "…" }}`.

use cairn_spec::{Node, Schema};
use serde_json::{Value as Json, json};

use super::{
    Importer, read_lenient,
    values::{macros, replacement},
};
use crate::Session;

/// One constraint of `schema.yaml`.
#[derive(Debug, Default, PartialEq)]
struct Constraint {
    required: bool,
    read_only: bool,
    format: Option<String>,
    hints: Vec<String>,
}

impl Importer<'_> {
    /// The schema of the pack's values.
    pub(super) fn schema(&mut self, session: &mut Session) -> Json {
        let mut root = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
        });
        for (key, description) in [
            (
                "charts",
                "The values of each chart, under the chart's name.",
            ),
            ("manifests", "The values of each manifest, under its name."),
        ] {
            if self.values.kept.get(key).is_some() {
                root["properties"][key] = json!({"type": "object", "description": description});
            }
        }
        self.constrained(&mut root, session);
        for found in macros(&self.values.kept) {
            let Some(path) = &found.path else { continue };
            let hint = replacement(&found.text)
                .map(|reference| format!(", such as `{reference}`"))
                .unwrap_or_default();
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            let place = property(&mut root, &keys);
            place["not"] = json!({"type": "string", "pattern": "\\{\\{[^}]*\\.spectro\\."});
            place["description"] = json!(format!(
                "Palette fills in `{}`; set the value in the profile{hint}.",
                found.text
            ));
        }
        root
    }

    fn constrained(&mut self, root: &mut Json, session: &mut Session) {
        let Some(file) = self.source.get("schema.yaml") else {
            return;
        };
        let name = format!("{}/schema.yaml", self.label);
        let Some(written) = read_lenient(&name, &file.bytes, session) else {
            return;
        };
        let fields = written.as_map();
        for (path, node) in fields.into_iter().flat_map(cairn_spec::Map::iter) {
            let what = format!("schema.yaml: {path}");
            let text = node
                .get("schema")
                .and_then(Node::as_str)
                .unwrap_or_default();
            if path.starts_with("pack.") {
                self.left(what, "`pack` is no part of the values");
                continue;
            }
            let Some(constraint) = parse(text) else {
                self.left(what, format!("`{text}` is not understood"));
                continue;
            };
            let keys: Vec<&str> = path.split('.').collect();
            let schema = self.schema_of(&constraint, &keys, &what);
            if schema == json!({}) && !constraint.required {
                continue;
            }
            let before = root.clone();
            merge_into(property(root, &keys), schema);
            if constraint.required {
                require(root, &keys);
            }
            if let Err(error) = Schema::compile(root.clone()) {
                self.left(
                    what,
                    format!("its format is no JSON Schema: {}", error.reason),
                );
                *root = before;
            }
        }
    }

    fn schema_of(&mut self, constraint: &Constraint, keys: &[&str], what: &str) -> Json {
        let mut schema = match constraint.format.as_deref().map(format) {
            None => json!({}),
            Some(Some(schema)) => schema,
            Some(None) => {
                let format = constraint.format.as_deref().unwrap_or_default();
                self.left(what, format!("the format `{format}` is not understood"));
                json!({})
            }
        };
        if constraint.required && schema["type"] == "string" && schema.get("pattern").is_none() {
            schema["minLength"] = json!(1);
        }
        if constraint.read_only
            && let Some(default) = self.values.kept.at(keys)
        {
            schema["const"] = default.to_json();
        }
        if !constraint.hints.is_empty() {
            schema["description"] = json!(constraint.hints.join(" "));
        }
        schema
    }
}

/// Reads `{{ required | format "…" | hints "…" "…" }}`.
fn parse(text: &str) -> Option<Constraint> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let mut constraint = Constraint::default();
    let mut words = words(inner)?.into_iter().peekable();
    while let Some(word) = words.next() {
        match word {
            Word::Bar => {}
            Word::Name("required") => constraint.required = true,
            Word::Name("readonly") => constraint.read_only = true,
            Word::Name("format") => match words.next()? {
                Word::Text(format) => constraint.format = Some(format),
                _ => return None,
            },
            Word::Name("hints") => {
                while let Some(Word::Text(hint)) =
                    words.next_if(|word| matches!(word, Word::Text(_)))
                {
                    constraint.hints.push(hint);
                }
            }
            Word::Name(_) | Word::Text(_) => return None,
        }
    }
    Some(constraint)
}

enum Word<'t> {
    Bar,
    Name(&'t str),
    Text(String),
}

fn words(text: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('|') {
            words.push(Word::Bar);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let (quoted, after) = quoted(after)?;
            words.push(Word::Text(quoted));
            rest = after;
        } else {
            let end = rest
                .find(|c: char| c.is_whitespace() || c == '|' || c == '"')
                .unwrap_or(rest.len());
            words.push(Word::Name(&rest[..end]));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Some(words)
}

/// A text up to its closing quotation mark, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((inner, &text[index + 1..])),
            '\\' => match characters.next()?.1 {
                escaped @ ('"' | '\\') => inner.push(escaped),
                // Regular expressions stand there without a second backslash.
                other => {
                    inner.push('\\');
                    inner.push(other);
                }
            },
            other => inner.push(other),
        }
    }
    None
}

const IPV4: &str = r"((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)";
const VERSION: &str = r"v?\d+(\.\d+){0,2}([-+.][0-9A-Za-z.+-]+)?";

/// The schema of a format such as `${string:/[a-z]+/}`, or of a text with several of them.
fn format(format: &str) -> Option<Json> {
    if let Some(inner) = format
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        && !inner.contains("${")
    {
        return single(inner);
    }
    // A text around and between formats: `${ipv4} - ${ipv4}`.
    let mut pattern = String::from("^");
    let mut rest = format;
    while let Some(start) = rest.find("${") {
        let end = rest[start..].find('}')? + start;
        pattern.push_str(&escape(&rest[..start]));
        pattern.push_str(&part(&rest[start + 2..end])?);
        rest = &rest[end + 1..];
    }
    pattern.push_str(&escape(rest));
    pattern.push('$');
    Some(json!({"type": "string", "pattern": pattern}))
}

fn single(inner: &str) -> Option<Json> {
    let (kind, detail) = match inner.split_once(':') {
        Some((kind, detail)) => (kind.trim(), Some(detail.trim())),
        None => (inner.trim(), None),
    };
    let expression = detail
        .and_then(|detail| detail.strip_prefix('/'))
        .and_then(|detail| detail.strip_suffix('/'));
    let list = detail
        .and_then(|detail| detail.strip_prefix('['))
        .and_then(|detail| detail.strip_suffix(']'));
    let mut schema = match kind {
        "string" => json!({"type": "string"}),
        "password" => json!({"type": "string", "writeOnly": true}),
        "boolean" | "bool" => json!({"type": "boolean"}),
        "number" => json!({"type": ["number", "string"]}),
        "ipv4" => json!({"type": "string", "pattern": format!("^{IPV4}$")}),
        "version" => json!({"type": "string", "pattern": format!("^{VERSION}$")}),
        "list" => {
            let options: Vec<&str> = list?.split(',').map(str::trim).collect();
            return Some(json!({"enum": options}));
        }
        _ => return None,
    };
    match (kind, expression, list, detail) {
        (_, _, _, None) => {}
        (_, Some(expression), ..) => schema["pattern"] = json!(expression),
        ("number", None, Some(range), _) => {
            let (low, high) = range.split_once('-')?;
            let (low, high): (i64, i64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            schema = json!({"type": "number", "minimum": low, "maximum": high});
        }
        _ => return None,
    }
    Some(schema)
}

/// The regular expression of a format inside a longer text.
fn part(inner: &str) -> Option<String> {
    let schema = single(inner)?;
    if let Some(pattern) = schema["pattern"].as_str() {
        let bare = pattern.strip_prefix('^').unwrap_or(pattern);
        return Some(format!("({})", bare.strip_suffix('$').unwrap_or(bare)));
    }
    match schema["type"].as_str() {
        Some("string") => Some("(.*)".to_owned()),
        Some("boolean") => Some("(true|false)".to_owned()),
        _ => Some(r"(-?\d+(\.\d+)?)".to_owned()),
    }
}

/// A text as a regular expression of itself.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if "\\.+*?()|[]{}^$/".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The place of a property in a schema; `$[]` are the items of a list.
fn property<'s>(root: &'s mut Json, keys: &[&str]) -> &'s mut Json {
    keys.iter().fold(root, |here, key| {
        if *key == "$[]" {
            &mut here["items"]
        } else {
            &mut here["properties"][*key]
        }
    })
}

/// Makes the last key required where the map above it is there.
fn require(root: &mut Json, keys: &[&str]) {
    let Some((last, above)) = keys.split_last() else {
        return;
    };
    if *last == "$[]" {
        return;
    }
    let place = property(root, above);
    match place["required"].as_array_mut() {
        Some(names) => names.push(json!(last)),
        None => place["required"] = json!([last]),
    }
}

fn merge_into(place: &mut Json, schema: Json) {
    match (place.as_object_mut(), schema) {
        (Some(place), Json::Object(schema)) => place.extend(schema),
        (_, schema) => *place = schema,
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::Value;

    use super::*;

    fn schema_of(text: &str) -> String {
        let constraint = parse(text).unwrap();
        let schema = constraint.format.as_deref().map(format);
        serde_json::to_string(&(constraint.required, schema, constraint.hints)).unwrap()
    }

    #[test]
    fn constraints_become_json_schema() {
        insta::assert_snapshot!(
            [
                r#"{{ required | format "${string}" | hints "a" "b" }}"#,
                r#"{{ format "${number:[5000-5005]}" }}"#,
                r#"{{ format "${list:[A,B]}" }}"#,
                r#"{{format "${string:/^[a-z]+\d$/}"}}"#,
                r#"{{ format "${ipv4} - ${ipv4}" }}"#,
                r#"{{ format "${matrix}" }}"#,
            ]
            .map(schema_of)
            .join("\n"),
            @r#"
            [true,{"type":"string"},["a","b"]]
            [false,{"maximum":5005,"minimum":5000,"type":"number"},[]]
            [false,{"enum":["A","B"]},[]]
            [false,{"pattern":"^[a-z]+\\d$","type":"string"},[]]
            [false,{"pattern":"^(((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d)) - (((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d))$","type":"string"},[]]
            [false,null,[]]
            "#
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "required",
            "{{ needed }}",
            r#"{{ format "x }}"#,
            "{{ format }}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_is_not_taken_for_a_macro() {
        assert!(macros(&Node::generated(Value::from("{{ .Values.x }}"))).is_empty());
    }
}
