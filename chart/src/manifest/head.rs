//! Reads the head of a document as Helm does: all of it must be YAML, and the few fields that Helm
//! looks at must be of their types.

use std::collections::BTreeMap;

use cairn_spec::{Map, Node, Value};
use cairn_template::{
    go_json::go_kind,
    go_yaml::{self, ErrorPlace, Numbers, text_of},
};

use super::document::Head;
use crate::Dialect;

/// The head of a document and its annotations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FullHead {
    pub(super) head: Head,
    pub(super) annotations: BTreeMap<String, String>,
}

impl FullHead {
    /// That of a document whose annotations mean nothing to Helm.
    pub(super) fn plain(head: Head) -> Self {
        Self {
            head,
            annotations: BTreeMap::new(),
        }
    }
}

/// Why a document has no head, in the words of Go, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeadError {
    pub(crate) message: String,
    pub(crate) place: Option<ErrorPlace>,
}

const METADATA_TYPE: &str = r#"struct { Name string "json:\"name\""; Annotations map[string]string "json:\"annotations\"" }"#;

const FIELDS: [&str; 3] = ["apiversion", "kind", "metadata"];

/// Reads the head of a document.
pub(super) fn read(document: &[u8], dialect: Dialect) -> Result<FullHead, HeadError> {
    let is_field = |key: &str| FIELDS.contains(&folded(key).as_str());
    let node =
        go_yaml::read_some(document, Numbers::AsWritten, is_field).map_err(|error| HeadError {
            message: error.to_string(),
            place: error.place(),
        })?;
    let mut reader = Reader::default();
    match &node.value {
        Value::Map(map) => reader.document(map),
        Value::Null => {}
        other => reader.mistyped(other, "Go value", type_name(dialect)),
    }
    match reader.mistake {
        None => Ok(reader.head),
        Some(mistake) => Err(HeadError {
            message: format!("error unmarshaling JSON: while decoding JSON: json: {mistake}"),
            place: None,
        }),
    }
}

/// What Go calls the struct that holds the head.
fn type_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Helm4 => "util.SimpleHead",
        Dialect::Helm3 => "releaseutil.SimpleHead",
    }
}

#[derive(Default)]
struct Reader {
    head: FullHead,
    /// The first.
    mistake: Option<String>,
}

impl Reader {
    fn document(&mut self, map: &Map) {
        for (key, node) in map.iter() {
            let field = "Go struct field SimpleHead.";
            match folded(key).as_str() {
                "apiversion" => {
                    if let Some(text) = self.text(node, &format!("{field}apiVersion")) {
                        self.head.head.api_version = text;
                    }
                }
                "kind" => {
                    if let Some(text) = self.text(node, &format!("{field}kind")) {
                        self.head.head.kind = text;
                    }
                }
                "metadata" => match &node.value {
                    Value::Map(map) => self.metadata(map),
                    Value::Null => {
                        self.head.head.name.clear();
                        self.head.annotations.clear();
                    }
                    other => self.mistyped(other, &format!("{field}metadata"), METADATA_TYPE),
                },
                _ => {}
            }
        }
    }

    fn metadata(&mut self, map: &Map) {
        // Helm does not look at it.
        if let Some(namespace) = map.get("namespace").and_then(|node| text_of(&node.value)) {
            self.head.head.namespace = namespace;
        }
        for (key, node) in map.iter() {
            let field = "Go struct field .metadata.";
            match folded(key).as_str() {
                "name" => {
                    if let Some(text) = self.text(node, &format!("{field}name")) {
                        self.head.head.name = text;
                    }
                }
                "annotations" => match &node.value {
                    Value::Map(map) => {
                        for (key, node) in map.iter() {
                            let text = self.text(node, &format!("{field}annotations"));
                            let text = text.unwrap_or_default();
                            self.head.annotations.insert(key.to_string(), text);
                        }
                    }
                    Value::Null => self.head.annotations.clear(),
                    other => {
                        let field = format!("{field}annotations");
                        self.mistyped(other, &field, "map[string]string");
                    }
                },
                _ => {}
            }
        }
    }

    /// What a field that is a text gets; null leaves it as it is.
    fn text(&mut self, node: &Node, target: &str) -> Option<String> {
        let text = text_of(&node.value);
        if text.is_none() && !matches!(node.value, Value::Null) {
            self.mistyped(&node.value, target, "string");
        }
        text
    }

    fn mistyped(&mut self, value: &Value, target: &str, go_type: &str) {
        let kind = go_kind(value);
        self.mistake.get_or_insert_with(|| {
            format!("cannot unmarshal {kind} into {target} of type {go_type}")
        });
    }
}

/// The key as Go compares the names of fields.
fn folded(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{212a}' => 'k',
            '\u{17f}' => 's',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}
