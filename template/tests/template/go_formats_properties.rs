//! What holds for every value: texts are read back, and each byte knows who wrote it.

use std::{collections::BTreeMap, ops::Range};

use cairn_spec::{Node, Origins, SourceKind, Sources, Value};
use cairn_template::{
    go_json::{self, JsonStyle},
    go_toml,
    go_yaml::{self, MAX_DEPTH, MAX_NODES, Numbers, ReadOptions},
    tree::Report,
};
use proptest::prelude::*;

use crate::go_formats::Sample;

/// Texts that come through JSON unchanged: libyaml reads no control characters there, and
/// U+0085 is a line break to it.
fn text() -> impl Strategy<Value = String> {
    let special = "[ \n\t:#\\-?,\\[\\]{}&*!|>'\"%@`~=<.0-9a-fxoyn_é\u{2028}\u{1f600}\u{1}]{0,12}";
    prop_oneof![
        special,
        "[a-z]{1,8}( [a-z]{1,12}){0,20}",
        "[ -~\\n]{0,40}",
        proptest::sample::select(vec![
            "",
            "~",
            "null",
            "yes",
            "0x1f",
            "1e3",
            "12:30",
            "2001-01-01",
            "<<"
        ])
        .prop_map(str::to_owned),
    ]
}

/// go-yaml writes a key `<<` without quotes, and reads it as a merge key.
fn key() -> impl Strategy<Value = String> {
    text().prop_filter("a merge key", |key| key != "<<")
}

fn sample() -> impl Strategy<Value = Sample> {
    let leaf = prop_oneof![
        Just(Sample::Null),
        any::<bool>().prop_map(Sample::Bool),
        proptest::num::f64::NORMAL.prop_map(Sample::Float),
        (-1_000_000_i32..1_000_000).prop_map(|value| Sample::Float(f64::from(value))),
        text().prop_map(|text| Sample::Text(text.into_bytes())),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Sample::List),
            proptest::collection::btree_map(key(), inner, 0..5).prop_map(|map| {
                Sample::Map(
                    map.into_iter()
                        .map(|(key, value)| (key.into_bytes(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Sorted as a tree that was read is.
fn sorted(sample: Sample) -> Sample {
    match sample {
        Sample::List(items) => Sample::List(items.into_iter().map(sorted).collect()),
        Sample::Map(entries) => {
            let map: BTreeMap<_, _> = entries.into_iter().collect();
            Sample::Map(
                map.into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        leaf => leaf,
    }
}

#[derive(Default)]
struct Ranges(Vec<Range<usize>>);

impl Report<Sample> for Ranges {
    fn value(&mut self, _: &Sample, range: Range<usize>) {
        self.0.push(range);
    }
    fn key(&mut self, _: &Sample, _: &[u8], range: Range<usize>) {
        self.0.push(range);
    }
}

/// Every byte between the ranges is one of those that no value decides.
fn covers(text: &[u8], ranges: &[Range<usize>], between: &[u8]) -> bool {
    let mut at = 0;
    for range in ranges {
        if range.start < at
            || !text[at..range.start]
                .iter()
                .all(|byte| between.contains(byte))
        {
            return false;
        }
        at = range.end;
    }
    text[at..].iter().all(|byte| between.contains(byte))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn yaml_is_read_back(sample in sample()) {
        let sample = sorted(sample);
        let text = go_yaml::write(&sample, &mut ()).unwrap();
        let node = go_yaml::read(text.as_bytes(), &ReadOptions::default(), &mut Origins::new());
        prop_assert_eq!(Sample::from(node.unwrap().value), sample, "{}", text);
    }

    #[test]
    fn json_is_read_back(sample in sample()) {
        let sample = sorted(sample);
        for style in [JsonStyle::Compact, JsonStyle::Pretty, JsonStyle::Raw] {
            let text = go_json::write(&sample, style, &mut ()).unwrap();
            let node = go_json::read(text.as_bytes()).unwrap();
            prop_assert_eq!(&Sample::from(node.value), &sample);
        }
    }

    #[test]
    fn every_byte_knows_who_wrote_it(sample in sample()) {
        let mut ranges = Ranges::default();
        let text = go_yaml::write(&sample, &mut ranges).unwrap();
        prop_assert!(covers(text.as_bytes(), &ranges.0, b" \n:-?"), "{}\n{:?}", text, ranges.0);

        let mut ranges = Ranges::default();
        let text = go_yaml::write_pretty(&sample, &mut ranges).unwrap();
        prop_assert!(covers(text.as_bytes(), &ranges.0, b" \n:-?"), "{}\n{:?}", text, ranges.0);

        let mut ranges = Ranges::default();
        let text = go_json::write(&sample, JsonStyle::Pretty, &mut ranges).unwrap();
        prop_assert!(covers(text.as_bytes(), &ranges.0, b" \n:,[]{}"), "{}", text);

        let mut ranges = Ranges::default();
        if let Ok(text) = go_toml::write(&sample, &mut ranges) {
            prop_assert!(ranges.0.windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert!(ranges.0.iter().all(|range| range.end <= text.len()));
        }
    }

    #[test]
    fn no_text_breaks_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ -~\\n\\t]{0,120}") {
        for input in [&bytes[..], text.as_bytes()] {
            let _ = go_yaml::read(input, &ReadOptions::default(), &mut Origins::new());
            let _ = go_yaml::read_values(input, &ReadOptions::default(), &mut Origins::new());
            let _ = go_json::read(input);
        }
    }
}

fn read(text: &str, origins: &mut Origins) -> (Sources, Node) {
    let mut sources = Sources::new();
    let source = sources.add("values.yaml", text, SourceKind::Other);
    let options = ReadOptions {
        source: Some(source),
        numbers: Numbers::Floats,
    };
    let node = go_yaml::read(text.as_bytes(), &options, origins).expect("valid YAML");
    (sources, node)
}

#[test]
fn keys_and_values_know_their_place() {
    let text = "\u{feff}base: &base {port: 0x50}\nweb:\n  <<: *base\n  name: ünï # said\n  list:\n  - |\n    two\n    lines\n";
    let origins = &mut Origins::new();
    let (sources, root) = read(text, origins);
    let shown = |origin| {
        let span = origins.span(origin).unwrap();
        let source = sources.get(span.source);
        let position = source.position(span.start);
        let text = &source.text[span.start as usize..span.end as usize];
        format!("{}:{} {text}", position.line, position.column)
    };
    let web = root.get("web").unwrap().as_map().unwrap();
    assert_eq!(shown(web.get("port").unwrap().origin), "1:21 0x50");
    assert_eq!(shown(web.field("port").unwrap().key_origin), "1:15 port");
    assert_eq!(shown(web.get("name").unwrap().origin), "4:9 ünï");
    let item = &web.get("list").unwrap().as_list().unwrap()[0];
    assert_eq!(shown(item.origin), "6:5 |\n    two\n    lines\n");
}

#[test]
fn values_files_have_several_documents() {
    let read = |text: &str| {
        go_yaml::read_values(
            text.as_bytes(),
            &ReadOptions::default(),
            &mut Origins::new(),
        )
        .map(|nodes| {
            nodes
                .iter()
                .map(|node| node.to_json().to_string())
                .collect::<Vec<_>>()
        })
        .map_err(|error| {
            (
                error.to_string(),
                error.place().map(|place| (place.line, place.column)),
            )
        })
    };
    assert_eq!(
        read("---\na: 1\n--- # two\nb: 2\n").unwrap(),
        [r#"{"a":1.0}"#, r#"{"b":2.0}"#]
    );
    assert_eq!(read("").unwrap(), Vec::<String>::new());
    assert_eq!(read("---\n---\n").unwrap(), ["{}"]);
    assert_eq!(
        read("a: 1\n---\nb: 2\n c: [\n").unwrap_err(),
        (
            "cannot unmarshal yaml document: error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context".to_owned(),
            Some((4, 3))
        )
    );
    assert_eq!(
        read("a: 1\n---b\n").unwrap_err().0,
        "error reading yaml document: invalid Yaml document separator: b"
    );
    assert_eq!(
        read("- a\n").unwrap_err().0,
        "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"
    );
}

#[test]
fn numbers_may_stay_as_written() {
    let options = ReadOptions {
        numbers: Numbers::AsWritten,
        ..ReadOptions::default()
    };
    let text = b"[1.10, 0777, 16777217.0, yes, 'x']";
    let node = go_yaml::read(text, &options, &mut Origins::new()).unwrap();
    let texts: Vec<_> = node
        .as_list()
        .unwrap()
        .iter()
        .map(|node| go_yaml::text_of(&node.value).unwrap())
        .collect();
    assert_eq!(texts, ["1.1", "511", "1.6777216e+07", "true", "x"]);
}

#[test]
fn hostile_texts_meet_limits() {
    let error = |text: &str| {
        go_yaml::read(
            text.as_bytes(),
            &ReadOptions::default(),
            &mut Origins::new(),
        )
        .unwrap_err()
        .to_string()
    };
    let depth = format!("error converting YAML to JSON: yaml: exceeded max depth of {MAX_DEPTH}");
    assert_eq!(error(&"[".repeat(MAX_DEPTH + 2)), depth);
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(","));
        laughs.push_str(&line);
    }
    assert_eq!(
        error(&laughs),
        "error converting YAML to JSON: yaml: document contains excessive aliasing"
    );
    assert!(
        error(&format!(
            "[{}]",
            ",a".repeat(MAX_NODES).trim_start_matches(',')
        ))
        .contains("more than 1000000 values")
    );
    let mut deep = Sample::Null;
    for _ in 0..=MAX_DEPTH {
        deep = Sample::List(vec![deep]);
    }
    assert!(go_yaml::write(&deep, &mut ()).is_err());
    assert!(go_json::write(&deep, JsonStyle::Raw, &mut ()).is_err());
    assert!(go_toml::write(&deep, &mut ()).is_err());
    let deepest = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    let node = go_yaml::read(
        deepest.as_bytes(),
        &ReadOptions::default(),
        &mut Origins::new(),
    );
    assert!(matches!(node.unwrap().value, Value::List(_)));
    assert!(go_json::read(deepest.as_bytes()).is_ok());
    assert!(
        go_json::read("[".repeat(MAX_DEPTH + 1).as_bytes())
            .unwrap_err()
            .to_string()
            .contains("max depth")
    );
}
