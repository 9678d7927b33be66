//! The readers of templates, YAML, JSON and TOML, as fuzz targets run them: `fuzz/` gives each
//! function any bytes, and plain tests give it those of `fuzz/corpus/` and `fuzz/regressions/`.
//!
//! A function panics where a parser does, and where what was read breaks a promise of its type.
//! None of this is there in a build for use.

use cairn_spec::{Diagnostics, Node, Origins, SourceKind, Sources, yaml::read_one};

use crate::{
    GeneratedCall, Generation, Host, Limits, LookupQuery, MapType, Value,
    go::{self, Options, Templates},
    go_json::{self, JsonStyle},
    go_toml, go_yaml,
};

/// The text of a Go template: lexer and parser.
pub fn go_template(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        go::check_parsed(text);
    }
}

/// What a render may cost, so that an input takes milliseconds.
const LIMITS: Limits = Limits {
    output_bytes: 64 * 1024,
    steps: 150_000,
    partial_depth: 50,
    stack_bytes: 512 * 1024,
    memory_bytes: 64 * 1024 * 1024,
};

/// What templates find in `.Values`: some of everything.
const VALUES: &str = r#"
text: "some text é"
number: 3
float: 1.5
truth: true
nothing: null
list: [1, two, null, {k: v}, [3]]
map: {a: {b: {c: deep}}, "key with space": 1, z: []}
lines: "one\ntwo\n"
template: "{{ .text | upper }}"
yaml: "a: [1, {b: c}]"
json: '{"a": [1, null]}'
version: 1.2.3-rc.1+b
date: "2024-02-29T12:34:56Z"
encoded: c29tZSB0ZXh0
"#;

/// Seeds for all calls, and one object.
#[derive(Debug)]
struct Everything;

impl Host for Everything {
    fn lookup(&self, query: &LookupQuery<'_>) -> Option<Node> {
        let object = serde_json::json!({"metadata": {"name": query.name}, "data": {"k": "dg=="}});
        (query.kind == "Secret").then(|| object.into())
    }

    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        let [a, b, c, d] = call.count.to_be_bytes();
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&[a, b, c, d]);
        Generation::Seeded {
            seed,
            now: 1_700_000_000,
        }
    }
}

/// A Go template, rendered with all functions: the same with provenance as without, and the same
/// each time.
pub fn go_render(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let first = rendered(text, true);
    let second = rendered(text, false);
    match (&first, &second) {
        (Ok(first), Ok(second)) => assert_eq!(first, second, "provenance changes no byte"),
        // Keeping provenance costs steps, so a limit may be hit with it alone.
        (Err(error), _) | (_, Err(error)) if is_limit(error) => {}
        (first, second) => assert_eq!(
            first.as_ref().map_err(go::Error::go_message),
            second.as_ref().map_err(go::Error::go_message),
        ),
    }
}

fn is_limit(error: &go::Error) -> bool {
    error.diagnostic().code == "template-limit"
}

fn rendered(text: &str, provenance: bool) -> Result<Vec<u8>, go::Error> {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let values = sources.add("values.yaml", VALUES, SourceKind::PackDefaults);
    let values = read_one(&sources, values, &mut origins, &mut Diagnostics::new())
        .expect("the values are valid");
    let mut templates = Templates::new();
    let name = "p/templates/t.yaml";
    let source = sources.add(name, text, SourceKind::Template);
    templates.add(name, &sources, source)?;
    let options = Options {
        provenance,
        limits: LIMITS,
        host: &Everything,
        ..Options::helm()
    };
    let mut renderer = templates.renderer(&origins, &options);
    let values = renderer.typed_value(&values, MapType::Named("common.Values"));
    let context = Value::typed_map([("Values", values)], MapType::Named("common.Values"));
    let output = renderer.render(name, &context)?;
    let finished = renderer.finish(vec![output]).remove(0);
    if provenance {
        for at in 0..finished.bytes.len() {
            assert!(finished.spans.at(at).is_some(), "byte {at} has an origin");
        }
    }
    Ok(finished.bytes)
}

/// YAML: what is read can be written, and reads as the same again, as far as it does in Go. There, a
/// block that begins with a tab is refused after `toYamlPretty`, and line breaks of Unicode come back
/// as blanks. What is composed from its lines is composed so in full, too.
pub fn go_yaml(data: &[u8]) {
    go_yaml::check_composed(data);
    let options = go_yaml::ReadOptions::default();
    let Ok(node) = go_yaml::read(data, &options, &mut Origins::new()) else {
        return;
    };
    let _ = go_yaml::write_pretty(&node, &mut ());
    let Ok(text) = go_yaml::write(&node, &mut ()) else {
        return;
    };
    let breaks = ['\u{85}', '\u{2028}', '\u{2029}'];
    let json = node.to_json().to_string();
    // Go writes the key `<<` bare, and reads it as one that merges.
    if json.contains(breaks) || json.contains(r#""<<":"#) {
        return;
    }
    let again = go_yaml::read(text.as_bytes(), &options, &mut Origins::new());
    let again = again.unwrap_or_else(|error| panic!("{error}:\n{text}"));
    assert!(
        again.value.same_data(&node.value),
        "{again:?}\n{node:?}\n{text}"
    );
}

/// JSON and TOML, told apart by the first byte: what is read can be written, and reads as the
/// same again.
pub fn go_json_toml(data: &[u8]) {
    match data.split_first() {
        Some((b'j', text)) => json(text),
        Some((_, text)) => toml(text),
        None => {}
    }
}

fn json(text: &[u8]) {
    let Ok(node) = go_json::read(text) else {
        return;
    };
    for style in [JsonStyle::Compact, JsonStyle::Pretty, JsonStyle::Raw] {
        let text = go_json::write(&node, style, &mut ()).expect("what was read can be written");
        let again = go_json::read(text.as_bytes());
        let again = again.unwrap_or_else(|error| panic!("{error}:\n{text}"));
        assert!(again.value.same_data(&node.value), "{text}");
    }
}

fn toml(text: &[u8]) {
    if let Ok(table) = go_toml::read(text) {
        assert!(table.len() <= text.len());
    }
}

#[cfg(test)]
mod tests {
    use crate::kept::run;

    #[test]
    fn kept_templates_are_parsed() {
        run("go_template", super::go_template);
    }

    #[test]
    fn kept_templates_are_rendered() {
        run("go_render", super::go_render);
    }

    #[test]
    fn kept_yaml_is_read() {
        run("go_yaml", super::go_yaml);
    }

    #[test]
    fn kept_json_and_toml_are_read() {
        run("go_json_toml", super::go_json_toml);
    }
}
