//! YAML, JSON and TOML against what Go prints for the same input.
//!
//! `testdata/go_formats.jsonl` holds one case a line: an operation, its input, and what Helm 4.2.3's
//! libraries answered. Inputs of writers are JSON, in which `{"$b": hex}` stands for a string of
//! bytes, and `{"$i": digits}` and `{"$u": digits}` for integers.

use cairn_spec::{Node, Origins, Value};
use cairn_template::{
    go_json::{self, JsonStyle},
    go_toml,
    go_yaml::{self, ReadOptions},
    tree::{Shape, Tree},
};

const CASES: &str = include_str!("testdata/go_formats.jsonl");

#[derive(Debug, serde::Deserialize)]
struct Case {
    op: String,
    #[serde(rename = "in")]
    input: String,
    out: Option<String>,
    err: Option<String>,
}

#[test]
fn everything_is_as_go_has_it() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).expect("a case that is written well");
        count += 1;
        let expected = match (&case.out, &case.err) {
            (Some(out), _) => Ok(out.clone()),
            (None, error) => Err(error.clone().unwrap_or_default()),
        };
        let actual = run(&case.op, &input(&case.input));
        if actual != expected {
            failures.push(format!(
                "line {count}: {} {:?}\n  expected {expected:?}\n  actual   {actual:?}",
                case.op, case.input
            ));
        }
    }
    assert!(count >= 400, "{count} cases");
    assert!(
        failures.is_empty(),
        "{} of {count} differ\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn input(text: &str) -> Vec<u8> {
    match text.strip_prefix("\0hex:") {
        Some(digits) => bytes(digits),
        None => text.as_bytes().to_vec(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits =
        |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a case that is written well");
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn run(op: &str, input: &[u8]) -> Result<String, String> {
    let value = || {
        Sample::from(
            go_json::read(input)
                .expect("a case that is written well")
                .value,
        )
    };
    let shown = |node: &Node| {
        go_json::write(node, JsonStyle::Raw, &mut ()).expect("a case that is written well")
    };
    let options = ReadOptions::default();
    let origins = &mut Origins::new();
    let yaml = |node: Result<Node, go_yaml::ReadError>| {
        node.map(|node| shown(&node)).map_err(|e| e.to_string())
    };
    let json = |node: Result<Node, go_json::JsonReadError>| {
        node.map(|node| shown(&node)).map_err(|e| e.to_string())
    };
    let to_json = |style| go_json::write(&value(), style, &mut ()).map_err(|e| e.to_string());
    match op {
        "toYaml" => go_yaml::write(&value(), &mut ()).map_err(|e| e.to_string()),
        "toYamlPretty" => go_yaml::write_pretty(&value(), &mut ()).map_err(|e| e.to_string()),
        "toToml" => go_toml::write(&value(), &mut ())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .map_err(|e| e.to_string()),
        "fromToml" => go_toml::read(input)
            .map(|table| {
                let table = go_toml::TomlValue::Table(table);
                go_json::write(&Sample::from(table), JsonStyle::Raw, &mut ())
                    .unwrap_or_else(|error| format!("ERR {error}"))
            })
            .map_err(|e| e.to_string()),
        "toJson" => to_json(JsonStyle::Compact),
        "toPrettyJson" => to_json(JsonStyle::Pretty),
        "toRawJson" => to_json(JsonStyle::Raw),
        "fromYaml" => yaml(go_yaml::read_map(input, &options, origins)),
        "fromYamlArray" => yaml(go_yaml::read_list(input, &options, origins)),
        "fromYamlAny" => yaml(go_yaml::read(input, &options, origins)),
        "fromJson" => json(go_json::read_map(input)),
        "fromJsonArray" => json(go_json::read_list(input)),
        "fromJsonAny" => json(go_json::read(input)),
        _ => panic!("unknown operation {op}"),
    }
}

/// A value as the template engine has them: texts are bytes, integers have a sign or none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sample {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(Vec<u8>, Self)>),
}

impl From<Value> for Sample {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Float(value) => Self::Float(value),
            Value::String(text) => Self::Text(text.as_bytes().to_vec()),
            Value::List(items) => {
                Self::List(items.into_iter().map(|node| node.value.into()).collect())
            }
            Value::Map(map) => {
                let only = map.iter().next().filter(|_| map.len() == 1);
                match only.map(|(key, node)| (&**key, node.as_str().unwrap_or_default())) {
                    Some(("$b", hex)) => Self::Text(bytes(hex)),
                    Some(("$i", digits)) => {
                        Self::Int(digits.parse().expect("a case that is written well"))
                    }
                    Some(("$u", digits)) => {
                        Self::Uint(digits.parse().expect("a case that is written well"))
                    }
                    _ => Self::Map(
                        map.into_fields()
                            .map(|(key, field)| (key.as_bytes().to_vec(), field.node.value.into()))
                            .collect(),
                    ),
                }
            }
        }
    }
}

impl From<go_toml::TomlValue> for Sample {
    fn from(value: go_toml::TomlValue) -> Self {
        use go_toml::TomlValue as Toml;
        let table = |table: go_toml::TomlTable| {
            Self::Map(
                table
                    .into_iter()
                    .map(|(key, value)| (key.into_bytes(), value.into()))
                    .collect(),
            )
        };
        match value {
            Toml::Text(text) | Toml::DateTime(text) => Self::Text(text.into_bytes()),
            Toml::Int(value) => Self::Int(value),
            Toml::Float(value) => Self::Float(value),
            Toml::Bool(value) => Self::Bool(value),
            Toml::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Toml::Table(entries) => table(entries),
            Toml::Tables(tables) => Self::List(tables.into_iter().map(table).collect()),
        }
    }
}

impl Tree for Sample {
    fn with_shape<R>(&self, read: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        read(match self {
            Self::Null => Shape::Null,
            Self::Bool(value) => Shape::Bool(*value),
            Self::Int(value) => Shape::Int(*value),
            Self::Uint(value) => Shape::Uint(*value),
            Self::Float(value) => Shape::Float(*value),
            Self::Text(text) => Shape::Text(text),
            Self::List(items) => Shape::List(items),
            Self::Map(entries) => Shape::Map(
                entries
                    .iter()
                    .map(|(key, value)| (&key[..], value))
                    .collect(),
            ),
        })
    }
}
