//! Writes value trees as YAML whose bytes depend on the data alone.
//!
//! Maps are written in block style, sorted by key; any text that YAML 1.1 or 1.2 would read as
//! something else is quoted; texts of several lines become literal blocks where that is exact.

use std::fmt::{self, Write as _};

use super::scalar::needs_quotes;
use crate::{Map, Node, Value, value::write_float};

/// Writes a value as one document, ending in a newline.
pub fn write_document(value: &Value) -> String {
    let mut out = String::new();
    Writer {
        out: &mut out,
        manifest: false,
    }
    .root(value);
    out
}

/// Writes a Kubernetes object: `apiVersion`, `kind`, `metadata` first, the rest sorted.
pub fn write_manifest(value: &Value) -> String {
    let mut out = String::new();
    Writer {
        out: &mut out,
        manifest: true,
    }
    .root(value);
    out
}

/// Writes a value as block YAML without a trailing newline, for use inside a template.
pub fn write_block(value: &Value) -> String {
    let mut text = write_document(value);
    if text.ends_with('\n') && !matches!(value, Value::String(text) if text.ends_with('\n')) {
        text.pop();
    }
    text
}

/// Writes a scalar on one line; lists and maps in flow style.
pub fn write_scalar(value: &Value) -> String {
    let mut out = String::new();
    flow(&mut out, value);
    out
}

/// A double-quoted scalar.
pub fn quote_double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other if is_printable(other) => out.push(other),
            other if u32::from(other) <= 0xff => {
                push_escape(&mut out, format_args!("\\x{:02X}", u32::from(other)));
            }
            other if u32::from(other) <= 0xffff => {
                push_escape(&mut out, format_args!("\\u{:04X}", u32::from(other)));
            }
            other => push_escape(&mut out, format_args!("\\U{:08X}", u32::from(other))),
        }
    }
    out.push('"');
    out
}

/// A single-quoted scalar; the text must not hold line breaks or control characters.
pub fn quote_single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn push_escape(out: &mut String, escape: fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    let _ = out.write_fmt(escape);
}

fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !matches!(character, '\u{2028}' | '\u{2029}')
}

struct Writer<'a> {
    out: &'a mut String,
    manifest: bool,
}

impl Writer<'_> {
    fn root(&mut self, value: &Value) {
        match value {
            Value::Map(map) if !map.is_empty() => self.map(map, 0, true),
            Value::List(items) if !items.is_empty() => self.list(items, 0, true),
            scalar => {
                self.scalar(scalar, 0);
                self.out.push('\n');
            }
        }
    }

    /// Writes a map's entries, each on a line of its own; the first continues the current line
    /// when `inline_first` is set.
    fn map(&mut self, map: &Map, indent: usize, inline_first: bool) {
        let top = self.manifest && indent == 0;
        let first = ["apiVersion", "kind", "metadata"];
        let leading = first
            .iter()
            .filter(|_| top)
            .filter_map(|key| map.get(key).map(|node| (*key, node)));
        let rest = map
            .iter()
            .map(|(key, node)| (&**key, node))
            .filter(|(key, _)| !(top && first.contains(key)));
        for (index, (key, node)) in leading.chain(rest).enumerate() {
            if index > 0 || !inline_first {
                self.pad(indent);
            }
            self.out.push_str(&inline_text(key));
            self.out.push(':');
            self.value(node, indent);
        }
    }

    fn value(&mut self, node: &Node, indent: usize) {
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                self.out.push('\n');
                self.map(map, indent + 2, false);
            }
            Value::List(items) if !items.is_empty() => {
                self.out.push('\n');
                self.list(items, indent, false);
            }
            scalar => {
                self.out.push(' ');
                self.scalar(scalar, indent + 2);
                self.newline();
            }
        }
    }

    fn list(&mut self, items: &[Node], indent: usize, inline_first: bool) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || !inline_first {
                self.pad(indent);
            }
            self.out.push_str("- ");
            match &item.value {
                Value::Map(map) if !map.is_empty() => self.map(map, indent + 2, true),
                Value::List(items) if !items.is_empty() => self.list(items, indent + 2, true),
                scalar => {
                    self.scalar(scalar, indent + 2);
                    self.newline();
                }
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::String(text) if fits_literal(text) => self.literal(text, indent),
            other => flow(self.out, other),
        }
    }

    /// A literal block: `|`, with `-` or `+` as the text's end demands.
    fn literal(&mut self, text: &str, indent: usize) {
        let indent = indent.max(2);
        let chomping = if !text.ends_with('\n') {
            "-"
        } else if text.ends_with("\n\n") || text == "\n" {
            "+"
        } else {
            ""
        };
        self.out.push('|');
        // A first line that starts with a blank hides the indentation from readers.
        if text.trim_start_matches('\n').starts_with(' ') {
            self.out.push('2');
        }
        self.out.push_str(chomping);
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.pad(indent);
                self.out.push_str(line);
            }
        }
    }

    fn newline(&mut self) {
        self.out.push('\n');
    }

    fn pad(&mut self, indent: usize) {
        for _ in 0..indent {
            self.out.push(' ');
        }
    }
}

/// A text of several lines that a literal block reproduces exactly.
fn fits_literal(text: &str) -> bool {
    text.contains('\n')
        && text
            .chars()
            .any(|character| character != '\n' && character != ' ')
        && text
            .chars()
            .all(|character| character == '\n' || character == '\t' || is_printable(character))
        && !text
            .lines()
            .any(|line| line.ends_with([' ', '\t']) || line.starts_with('\t'))
}

fn flow(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => write_float(out, *value),
        Value::String(text) => out.push_str(&inline_text(text)),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                flow(out, &item.value);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, node)) in map.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&inline_text(key));
                out.push_str(": ");
                flow(out, &node.value);
            }
            out.push('}');
        }
    }
}

/// A text as a plain scalar where that is safe in block and flow context, else quoted.
fn inline_text(text: &str) -> String {
    if is_plain_safe(text) && !needs_quotes(text) {
        text.to_owned()
    } else {
        quote_double(text)
    }
}

fn is_plain_safe(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let indicators = [
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@',
        '`', ' ',
    ];
    let first_fits = !indicators.contains(&first)
        || (first == '-' && text.len() > 1 && !text.starts_with("- ") && !text.starts_with("---"));
    first_fits
        && !text.starts_with("...")
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(|character| {
            is_printable(character) && !matches!(character, '[' | ']' | '{' | '}' | ',')
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Diagnostics, Origins, SourceKind, Sources, yaml::read_one};

    fn read_back(text: &str) -> serde_json::Value {
        let mut sources = Sources::new();
        let id = sources.add("t.yaml", text, SourceKind::Other);
        let mut diagnostics = Diagnostics::new();
        let node = read_one(&sources, id, &mut Origins::new(), &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?} in:\n{text}");
        node.unwrap().to_json()
    }

    fn written(json: serde_json::Value) -> String {
        write_manifest(&Node::from(json).value)
    }

    #[test]
    fn manifests_read_as_people_write_them() {
        insta::assert_snapshot!(written(serde_json::json!({
            "spec": {"ports": [{"port": 80, "name": "http"}], "empty": {}, "none": [], "cmd": ["a", "b: c", "- d", "yes", "1"], "text": "a\nb\n", "odd": " a\nb"},
            "kind": "Service", "metadata": {"name": "x", "labels": {"v": "1.0"}}, "apiVersion": "v1",
        })), @r#"
        apiVersion: v1
        kind: Service
        metadata:
          labels:
            v: "1.0"
          name: x
        spec:
          cmd:
          - a
          - "b: c"
          - "- d"
          - "yes"
          - "1"
          empty: {}
          none: []
          odd: |2-
             a
            b
          ports:
          - name: http
            port: 80
          text: |
            a
            b
        "#);
    }

    #[test]
    fn block_text_has_no_trailing_newline() {
        assert_eq!(
            write_block(&Node::from(serde_json::json!({"a": [1, {"b": null}]})).value),
            "a:\n- 1\n- b: null"
        );
        assert_eq!(write_block(&Value::from("x")), "x");
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let text = prop_oneof![
            "[ -~\n\t]{0,12}",
            "\\PC{0,6}",
            Just("yes".to_owned()),
            Just("0x1".to_owned()),
            Just("1e3".to_owned()),
            Just("\n".to_owned()),
            Just("a\n\n".to_owned()),
            Just(" a\n".to_owned()),
            Just("\u{85}".to_owned()),
            Just("\u{feff}x".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e9..1e9f64).prop_map(|value| if value.fract() == 0.0 {
                0.5.into()
            } else {
                value.into()
            }),
            text.clone().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map(text.clone(), inner, 0..5).prop_map(|map| {
                    serde_json::Value::Object(
                        map.into_iter().filter(|(key, _)| key != "<<").collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back(json in any_json()) {
            let node = Node::from(json.clone());
            prop_assert_eq!(&read_back(&write_document(&node.value)), &json);
            let inline = write_scalar(&node.value);
            prop_assert_eq!(&read_back(&inline), &json, "{}", inline);
        }
    }
}
