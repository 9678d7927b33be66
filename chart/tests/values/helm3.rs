//! Where Helm 3.21.4 differs.

use cairn_chart::Dialect;
use cairn_spec::Node;

use crate::charts::{Files, Run, files};

const CHART: (&str, &str) = ("Chart.yaml", "{apiVersion: v2, name: p, version: 0.1.0}");

fn values(dialect: Dialect, own: &str, arguments: &[&str], user: &Files) -> String {
    let mut run = Run {
        dialect,
        ..Run::default()
    };
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    match run.outcome(&files(&[CHART, ("values.yaml", own)]), &arguments, user) {
        Ok(outcome) => Node::to_json(&outcome.values).to_string(),
        Err(error) => error,
    }
}

fn both(own: &str, arguments: &[&str], user: &[(&str, &str)]) -> [String; 2] {
    [Dialect::Helm4, Dialect::Helm3].map(|dialect| values(dialect, own, arguments, &files(user)))
}

#[test]
fn a_charts_own_nulls_are_kept() {
    assert_eq!(
        both(
            "{a: null, b: {c: null}, d: {e: null}}",
            &["--set", "d.f=x"],
            &[]
        ),
        [
            r#"{"b":{},"d":{"f":"x"}}"#,
            r#"{"a":null,"b":{"c":null},"d":{"e":null,"f":"x"}}"#
        ]
    );
}

#[test]
fn only_the_first_document_is_read() {
    assert_eq!(
        both("{}", &["-f", "v.yaml"], &[("v.yaml", "a: x\n---\nb: x\n")]),
        [r#"{"a":"x","b":"x"}"#, r#"{"a":"x"}"#]
    );
}

#[test]
fn json_is_only_below_keys() {
    assert_eq!(
        both("{}", &["--set-json", r#"{"a":"x"}"#], &[]),
        [
            r#"{"a":"x"}"#,
            r#"failed parsing --set-json data {"a":"x"}"#
        ]
    );
}

#[test]
fn an_index_must_end() {
    assert_eq!(
        both("{}", &["--set", "a[0"], &[]),
        ["{}", "failed parsing --set data: error parsing index: EOF"]
    );
}
