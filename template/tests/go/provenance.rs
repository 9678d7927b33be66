//! Where rendered bytes are said to come from.

use std::fmt::Write as _;

use cairn_spec::OriginId;
use insta::assert_snapshot;

use crate::chart::Chart;

/// Each piece of the output: what, how, from where, and why.
pub(crate) fn pieces(template: &str, values: &str) -> String {
    let mut chart = Chart::new(template)
        .values(values)
        .file("templates/_h.tpl", HELPERS);
    let rendered = chart.render().expect("the template is valid");
    let mut out = String::new();
    for (range, piece) in rendered.spans.within(0..rendered.bytes.len()) {
        let text = String::from_utf8_lossy(&rendered.bytes[range]);
        let place = chart.sources.locate(piece.place);
        let origins = places(&chart, piece.origins);
        let _ = write!(
            out,
            "{text:?} {:?} by {place} from [{origins}]",
            piece.class
        );
        for cause in piece.causes() {
            let origins = places(&chart, cause.origins);
            let _ = write!(out, " because {:?} of [{origins}]", cause.kind);
        }
        out.push('\n');
    }
    out
}

const HELPERS: &str =
    r#"{{ define "name" }}{{ if .Values.on }}{{ .Values.title }}{{ end }}{{ end }}"#;

fn places(chart: &Chart, origins: &[OriginId]) -> String {
    let places: Vec<String> = origins
        .iter()
        .filter_map(|&origin| chart.origins.span(origin))
        .map(|span| chart.sources.locate(span))
        .collect();
    places.join(" ")
}

#[test]
fn printed_values_are_exact_and_made_ones_are_derived() {
    let template = r#"a: {{ .Values.a }} {{ printf "%s/%s:%d" .Values.a "x" (len .Values.a) }}"#;
    assert_snapshot!(pieces(template, "a: text\n"), @r#"
    "a: " Template by p/templates/a.txt:1:1 from []
    "text" Exact by p/templates/a.txt:1:7 from [values.yaml:1:4]
    " " Template by p/templates/a.txt:1:19 from []
    "text" Exact by p/templates/a.txt:1:41 from [values.yaml:1:4]
    "/" Template by p/templates/a.txt:1:30 from []
    "x" Template by p/templates/a.txt:1:51 from []
    ":" Template by p/templates/a.txt:1:30 from []
    "4" Derived by p/templates/a.txt:1:56 from [values.yaml:1:4]
    "#);
}

#[test]
fn conditions_and_loops_are_causes() {
    let template = "{{ if .Values.on }}yes{{ else }}no{{ end }}{{ range $i, $x := .Values.l }}{{ $i }}{{ $x }}{{ end }}";
    assert_snapshot!(pieces(template, "on: false\nl: [a, b]\n"), @r#"
    "no" Template by p/templates/a.txt:1:33 from [] because Condition of [values.yaml:1:5]
    "0" Derived by p/templates/a.txt:1:78 from [values.yaml:2:4] because Loop of [values.yaml:2:4]
    "a" Exact by p/templates/a.txt:1:86 from [values.yaml:2:5] because Loop of [values.yaml:2:4]
    "1" Derived by p/templates/a.txt:1:78 from [values.yaml:2:4] because Loop of [values.yaml:2:4]
    "b" Exact by p/templates/a.txt:1:86 from [values.yaml:2:8] because Loop of [values.yaml:2:4]
    "#);
}

#[test]
fn what_an_include_leaves_out_counts_where_it_is_looked_at() {
    let template = r#"{{ include "name" . }}{{ if eq (include "name" .) "" }}empty{{ end }}"#;
    assert_snapshot!(pieces(template, "on: false\ntitle: t\n"), @r#""empty" Template by p/templates/a.txt:1:56 from [] because Condition of [values.yaml:1:5]"#);
}

#[test]
fn an_assignment_that_does_not_happen_is_one_that_might_have() {
    let template = "{{ $x := 1 }}{{ if .Values.on }}{{ $x = 2 }}{{ end }}{{ $x }}";
    assert_snapshot!(pieces(template, "on: false\n"), @r#""1" Template by p/templates/a.txt:1:57 from [] because Choice of [values.yaml:1:5]"#);
}

#[test]
fn what_follows_a_break_is_there_because_there_was_none() {
    let template = "{{ range .Values.l }}{{ if eq . \"b\" }}{{ break }}{{ end }}{{ . }}{{ end }}.";
    assert_snapshot!(pieces(template, "l: [a, b]\n"), @r#"
    "a" Exact by p/templates/a.txt:1:62 from [values.yaml:1:5] because Condition of [values.yaml:1:5] because Loop of [values.yaml:1:4]
    "." Template by p/templates/a.txt:1:75 from []
    "#);
}

#[test]
fn a_rendered_text_is_exact_where_it_is_no_action() {
    let template = "{{ tpl .Values.t . }}";
    assert_snapshot!(pieces(template, "t: \"x-{{ .Values.a }}\"\na: v\n"), @r#"
    "x-" Exact by p/templates/a.txt:1:4 from [values.yaml:1:4] because Text of [values.yaml:1:4]
    "v" Exact by p/templates/a.txt:1:4 from [values.yaml:2:4] because Text of [values.yaml:1:4]
    "#);
}

#[test]
fn what_is_cut_and_joined_is_exact_and_what_is_changed_is_derived() {
    let template = r#"{{ .Values.a | trunc 4 | trimSuffix "-" }} {{ .Values.a | replace "-" "_" }} {{ upper .Values.b }} {{ lower .Values.b }} {{ join "," .Values.l }} {{ .Values.n | int }}"#;
    assert_snapshot!(pieces(template, "a: abc-d\nb: x\nl: [p, q]\nn: 3\n"), @r#"
    "abc" Exact by p/templates/a.txt:1:16 from [values.yaml:1:4]
    " " Template by p/templates/a.txt:1:43 from []
    "abc" Exact by p/templates/a.txt:1:59 from [values.yaml:1:4]
    "_" Template by p/templates/a.txt:1:71 from [] because Choice of [values.yaml:1:4]
    "d" Exact by p/templates/a.txt:1:59 from [values.yaml:1:4]
    " " Template by p/templates/a.txt:1:77 from []
    "X" Derived by p/templates/a.txt:1:87 from [values.yaml:2:4]
    " " Template by p/templates/a.txt:1:99 from []
    "x" Exact by p/templates/a.txt:1:103 from [values.yaml:2:4]
    " " Template by p/templates/a.txt:1:121 from []
    "p" Exact by p/templates/a.txt:1:134 from [values.yaml:3:5]
    "," Template by p/templates/a.txt:1:130 from []
    "q" Exact by p/templates/a.txt:1:134 from [values.yaml:3:8]
    " " Template by p/templates/a.txt:1:146 from []
    "3" Exact by p/templates/a.txt:1:150 from [values.yaml:4:4]
    "#);
}

#[test]
fn without_provenance_the_text_is_the_same() {
    let template = r#"{{ range .Values.l }}{{ include "name" $ }}{{ . }}{{ end }}"#;
    let chart = |provenance| {
        let mut chart = Chart::new(template)
            .values("on: true\ntitle: t\nl: [a, b]\n")
            .file("templates/_h.tpl", HELPERS);
        chart.provenance = provenance;
        chart.render().expect("the template is valid")
    };
    let (with, without) = (chart(true), chart(false));
    assert_eq!(with.bytes, without.bytes);
    assert!(with.spans.len() > 1);
    assert_eq!(without.spans.len(), 1);
}
