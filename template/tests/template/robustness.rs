//! Whatever is rendered: nothing panics, the spans cover the text, and what the spans do not
//! name does not matter to a piece of the output.

use std::collections::BTreeSet;

use cairn_spec::{Node, OriginId, Value, yaml::write_block};
use cairn_template::{Limits, Rendered, TemplateSet};
use proptest::prelude::*;
use serde_json::json;

use crate::case::Case;

fn small() -> Limits {
    Limits {
        output_bytes: 64 * 1024,
        steps: 20_000,
        partial_depth: 16,
        ..Limits::default()
    }
}

/// Bits of templates that make sense often enough.
const BITS: &[&str] = &[
    "{{",
    "}}",
    "{{{",
    "}}}",
    "{{{{",
    "}}}}",
    "{{#if ",
    "{{#each ",
    "{{#with ",
    "{{#unless ",
    "{{/if}}",
    "{{/each}}",
    "{{/with}}",
    "{{/unless}}",
    "{{else}}",
    "{{else if ",
    "{{^}}",
    "{{> p",
    "{{!",
    "{{!--",
    "--}}",
    "~",
    "&",
    "#",
    "/",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    " as |a b|",
    " as |a|",
    "=",
    "key=",
    "\"",
    "'",
    "\"text\"",
    "'t'",
    "\\",
    "\n",
    " ",
    "\t",
    "\r\n",
    ".",
    "..",
    "../",
    "@",
    "@root",
    "@index",
    "@key",
    "@../index",
    "this",
    "this.",
    "values",
    "values.a",
    "values.l",
    "values.m",
    "values.[odd key]",
    "values.l.0",
    "0",
    "1",
    "-2.5",
    "1E5",
    "1e",
    "null",
    "true",
    "[1, 2]",
    "{\"a\": 1}",
    "toYaml ",
    "nindent 2 ",
    "default ",
    "include \"p\"",
    "dict \"a\" 1",
    "list 1 2",
    "eq ",
    "add ",
    "get ",
    "quote ",
    "ä€😀",
    "\u{2028}",
    "\u{0}",
    "text",
];

fn values() -> serde_json::Value {
    json!({"a": "x", "l": [1, "two", {"three": null}], "m": {"k": "v", "n": {"deep": 1.5}}, "odd key": true})
}

fn survive(template: &str) -> Result<(), TestCaseError> {
    let case = Case::new(template)
        .partial("p", template)
        .partial("q", "{{#if this}}{{toJson this}}{{/if}}")
        .values(values())
        .limits(small());
    if let Ok(rendered) = case.run() {
        check_spans(&rendered)?;
    }
    let _ = case.run_unchecked();
    Ok(())
}

fn check_spans(rendered: &Rendered) -> Result<(), TestCaseError> {
    let mut end = 0;
    for (range, piece) in rendered.spans.within(0..rendered.text.len()) {
        prop_assert_eq!(range.start, end);
        prop_assert!(range.start < range.end);
        prop_assert!(rendered.text.is_char_boundary(range.end));
        prop_assert!(rendered.spans.at(range.start).is_some());
        let _ = piece.causes().count();
        end = range.end;
    }
    prop_assert_eq!(end, rendered.text.len());
    Ok(())
}

/// Helpers, by how many arguments they are given.
const UNARY: &[&str] = &[
    "toYaml",
    "toJson",
    "quote",
    "squote",
    "string",
    "lower",
    "upper",
    "trim",
    "len",
    "keys",
    "first",
    "last",
    "sortAlpha",
    "uniq",
    "b64enc",
    "sha256",
    "not",
    "int",
    "list",
    "coalesce",
    "merge",
    "and",
    "or",
    "max",
    "fromYaml",
];

const BINARY: &[&str] = &[
    "default",
    "eq",
    "ne",
    "lt",
    "gt",
    "le",
    "ge",
    "add",
    "sub",
    "mul",
    "div",
    "mod",
    "min",
    "max",
    "append",
    "concat",
    "contains",
    "join",
    "split",
    "trimPrefix",
    "trimSuffix",
    "hasPrefix",
    "hasSuffix",
    "coalesce",
    "and",
    "or",
    "list",
    "merge",
    "required",
    "nindent 1",
    "trunc",
    "get",
    "has",
];

const TERNARY: &[&str] = &["ternary", "replace", "concat", "list", "get"];

const LEAVES: &[&str] = &[
    "values.a",
    "values.b",
    "values.n",
    "values.f",
    "values.on",
    "values.off",
    "values.empty",
    "values.l",
    "values.m",
    "values.m.k",
    "values.l.0",
    "1",
    "2.5",
    "\"lit\"",
    "true",
    "null",
    "(list)",
    "(dict)",
];

/// An expression that is often valid.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(3, 24, 3, |inner| {
        let one = prop::sample::select(UNARY);
        let two = prop::sample::select(BINARY);
        let three = prop::sample::select(TERNARY);
        prop_oneof![
            (one, inner.clone()).prop_map(|(name, a)| format!("({name} {a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(dict \"k\" {a} \"j\" {b})")),
            (two, inner.clone(), inner.clone())
                .prop_map(|(name, a, b)| format!("({name} {a} {b})")),
            (three, inner.clone(), inner.clone(), inner)
                .prop_map(|(name, a, b, c)| format!("({name} {a} {b} {c})")),
        ]
    })
}

/// A template that is often valid.
fn template() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec!["x", "\n", "  y\n", " ", "- z\n", "\\{{", ""])
        .prop_map(str::to_owned);
    let print = expression().prop_map(|e| match e.strip_prefix('(') {
        Some(inner) => format!("{{{{{}}}}}", inner.strip_suffix(')').unwrap_or(inner)),
        None => format!("{{{{default 0 {e}}}}}"),
    });
    let leaf = prop_oneof![text, print];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let body = prop::collection::vec(inner, 0..3).prop_map(|parts| parts.concat());
        prop_oneof![
            (expression(), body.clone(), body.clone())
                .prop_map(|(e, a, b)| format!("{{{{#if {e}}}}}\n{a}{{{{else}}}}{b}{{{{/if}}}}")),
            (expression(), body.clone(), body.clone())
                .prop_map(|(e, a, b)| format!("{{{{#unless {e}}}}}{a}{{{{~else~}}}} {b}\n{{{{/unless}}}}\n")),
            (expression(), body.clone()).prop_map(|(e, a)| format!(
                "{{{{#each {e} as |v k|}}}}{a}{{{{toJson v}}}}{{{{k}}}}{{{{#if @last}}}}.{{{{/if}}}}{{{{/each}}}}"
            ).replace("values.", "@root.values.")),
            (expression(), body.clone()).prop_map(|(e, a)| format!(
                "{{{{#with {e} as |w|}}}}{a}{{{{toJson w}}}}{{{{/with}}}}"
            ).replace("values.", "@root.values.").replace("@root.@root.", "@root.")),
            expression().prop_map(|e| format!("\n  {{{{> q {e}}}}}\n")),
            expression().prop_map(|e| format!("{{{{upper (include \"q\" {e})}}}}")),
            body,
        ]
    })
    .prop_map(|template| template.replace("@root.@root.", "@root.").replace("@root.@root.", "@root."))
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        "[ -~\n\t]{0,12}",
        "\\PC{0,6}",
        "[ a:\n]{0,6}",
        Just("yes".to_owned())
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (0..1000).prop_map(|value| (f64::from(value) + 0.5).into()),
        text.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

const YAML: &str = "a: alpha\nb: beta\nn: 3\nf: 1.5\n\"on\": true\n\"off\": false\nempty: \"\"\nl: [one, two]\nm: {k: 7, z: last}\n";

fn case(template: &str) -> Case {
    Case::new(template)
        .partial("q", "q:{{#if this}}{{toJson this}}{{/if}}")
        .values_yaml(YAML)
        .limits(small())
}

/// The leaves that are changed, and what to.
fn changes() -> Vec<(&'static [&'static str], Value)> {
    vec![
        (&["a"], Value::from("omega")),
        (&["b"], Value::from("alpha")),
        (&["n"], Value::from(0)),
        (&["n"], Value::from(1)),
        (&["f"], Value::Float(-2.5)),
        (&["on"], Value::from(false)),
        (&["off"], Value::from(true)),
        (&["m", "k"], Value::from(0)),
        (&["m", "z"], Value::from("lost")),
    ]
}

/// The output without the pieces that name an origin as source or as cause.
fn without(rendered: &Rendered, origin: OriginId) -> String {
    rendered
        .spans
        .within(0..rendered.text.len())
        .filter(|(_, piece)| {
            !piece.origins.contains(&origin)
                && !piece.causes().any(|cause| cause.origins.contains(&origin))
        })
        .map(|(range, _)| &rendered.text[range])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bits_of_templates_do_no_harm(bits in prop::collection::vec(prop::sample::select(BITS), 0..24)) {
        survive(&bits.concat())?;
    }

    #[test]
    fn any_text_does_no_harm(text in "\\PC{0,40}|[{}#/~!&^>@.()\\[\\]|=\"'\\\\ \n\ta-c0-2-]{0,60}") {
        survive(&text)?;
    }

    #[test]
    fn one_tag_of_anything_does_no_harm(inside in "[#/~!&^>@.()\\[\\]|=\"'\\\\ \n\ta-c0-2{}-]{0,16}") {
        survive(&format!("{{{{{inside}}}}}"))?;
        survive(&format!("{{{{#if {inside}}}}}{{{{/if}}}}"))?;
        survive(&format!("{{{{> {inside}}}}}"))?;
        survive(&format!("{{{{concat {inside}}}}}"))?;
    }

    /// `toYaml` writes what the YAML writer writes.
    #[test]
    fn yaml_is_written_as_everywhere(value in any_json()) {
        let node = Node::from(value.clone());
        let case = Case::new("{{toYaml values}}").values(value.clone());
        prop_assert_eq!(case.text(), write_block(&node.value));
        let case = Case::new("{{toJson values}}").values(value.clone());
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&case.text()).unwrap(), value);
    }

    #[test]
    fn sensible_templates_have_spans(template in template()) {
        if let Ok(rendered) = case(&template).run() {
            check_spans(&rendered)?;
        }
    }

    /// Change one leaf: only what names it may change.
    #[test]
    fn what_moves_was_tracked(template in template()) {
        let case = case(&template);
        let Ok(before) = case.run() else { return Ok(()); };
        let values = case.values_node();
        for (path, value) in changes() {
            let mut changed = values.clone();
            let Some(origin) = set(&mut changed, path, value) else { continue; };
            let changed_case = self::case(&template).context("values", changed);
            let Ok(after) = changed_case.run() else { continue; };
            prop_assert_eq!(
                without(&before, origin),
                without(&after, origin),
                "{:?} moved {:?} to {:?}", path, before.text, after.text
            );
            if before.text != after.text {
                let pointer = format!("/values/{}", path.join("/"));
                let known: BTreeSet<_> = before.read.union(&after.read).collect();
                prop_assert!(
                    known.iter().any(|read| pointer.starts_with(read.as_str())),
                    "{} was not read: {:?}", pointer, known
                );
            }
        }
    }
}

/// Packs are rendered on several threads.
#[test]
fn sets_are_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<TemplateSet>();
    is_shared::<Rendered>();
}

/// Sets a value; gives its origin.
fn set(node: &mut Node, path: &[&str], value: Value) -> Option<OriginId> {
    let mut node = node;
    for key in path {
        node = node.as_map_mut()?.get_mut(key)?;
    }
    node.value = value;
    Some(node.origin)
}
