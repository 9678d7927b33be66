//! What `fromYaml` read last, for templates that look into a long text and then read it once more.

use std::{rc::Rc, sync::Arc};

use crate::value::{Data, List, Source, Value};

/// Shorter texts are not worth a copy of what is in them, in bytes.
const LONG_BYTES: usize = 2 << 10;

/// What was read of a text, for the next who reads the same.
#[derive(Debug, Default)]
pub(crate) struct Rereading {
    /// The text, and what was read of it.
    last: Option<(Value, Value)>,
}

impl Rereading {
    /// Keeps a copy of what was read of a text.
    pub(crate) fn keep(&mut self, text: &Value, read: &Value) {
        if text.as_bytes().is_some_and(|it| it.len() >= LONG_BYTES) {
            self.last = Some((text.clone(), copy(read)));
        }
    }

    /// What was read of the same text, if it would come from the same source. It is given once,
    /// for whoever gets it may change it.
    pub(crate) fn take(&mut self, text: &Value, source: Source) -> Option<Value> {
        let is_same = |(last, read): &mut (Value, Value)| {
            is_same_text(&last.data, &text.data) && read.source == source
        };
        self.last.take_if(is_same).map(|(_, read)| read)
    }
}

/// Whether two texts are one, which is told without a look at the bytes.
fn is_same_text(left: &Data, right: &Data) -> bool {
    match (left, right) {
        (Data::Str(left), Data::Str(right)) => Arc::ptr_eq(left, right),
        (Data::Text(left), Data::Text(right)) => Rc::ptr_eq(left, right),
        _ => false,
    }
}

/// The same with maps and lists of its own. What is read of YAML nests no deeper than its reader
/// lets it.
fn copy(value: &Value) -> Value {
    let data = match &value.data {
        Data::List(list) if !list.items().is_empty() => {
            let items = list.items().iter().map(copy).collect();
            Data::List(Rc::new(List::new(items, list.of)))
        }
        Data::Map(map) => {
            let mut entries = Rc::unwrap_or_clone(map.entries());
            for entry in entries.values_mut() {
                entry.value = copy(&entry.value);
            }
            Data::Map(Rc::new(map.with_entries(entries)))
        }
        other => other.clone(),
    };
    Value { data, ..*value }
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Origins, SourceKind, Sources};

    use crate::{
        Value,
        go::{Options, Templates},
    };

    #[test]
    fn each_reader_of_a_text_has_maps_of_its_own() {
        let template = r#"{{ define "t" -}}
            {{- $a := fromYaml .text }}{{ $b := fromYaml .text }}{{ $c := fromYaml .text -}}
            {{- $_ := set $a.m "k" "a" }}{{ $_ := set $b.m "k" "b" -}}
            {{- $a.m.k }}{{ $b.m.k }}{{ $c.m.k }}{{ index $b.l 0 }}{{ len $b.long -}}
            {{- end }}{{ include "t" . -}}
            {{ include "t" (dict "text" (first (splitList "---" .text))) }}"#;
        let mut sources = Sources::new();
        let source = sources.add("file", template, SourceKind::Template);
        let mut templates = Templates::new();
        templates.add("file", &sources, source).unwrap();
        let origins = Origins::new();
        let mut renderer = templates.renderer(&origins, &Options::helm());
        let long = "x".repeat(super::LONG_BYTES);
        let text = format!("m: {{k: c}}\nl: [d]\nlong: {long}\n");
        let context = Value::map([("text", Value::from(text.as_str()))]);
        let output = renderer.render("file", &context).unwrap();
        assert_eq!(output.as_bytes(), b"abcd2048abcd2048");
    }
}
