//! Whatever the text, there is an output or an error, and the same with provenance as without.

use cairn_template::Limits;
use proptest::prelude::*;

use crate::chart::Chart;

const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "text",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "include",
    "tpl",
    "printf",
    "print",
    "index",
    "len",
    "eq",
    "and",
    "or",
    "not",
    "dict",
    "list",
    "set",
    "get",
    "quote",
    "indent",
    "html",
    "call",
    "required",
    "\"x\"",
    "\"%d %s\"",
    "`{{ . }}`",
    "'a'",
    "1",
    "0",
    "-1",
    "1.5",
    "0x1F",
    "1e3",
    "true",
    "nil",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "|",
    "(",
    ")",
    ".Values",
    ".Values.l",
    ".Values.m.k",
    ".Values.t",
    "é",
    "\\",
    "/*",
    "*/",
];

/// Words that often make sense: an action, a control structure, an end.
fn sensible() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(vec![
        ".",
        "$",
        ".Values.l",
        ".Values.m",
        ".Values.t",
        ".Values.q.w",
        "1",
        "\"x\"",
        "nil",
        "(len .Values.l)",
        "(dict \"k\" 1)",
        "(list 1 nil \"a\")",
        "\"%v %5.2f|\"",
    ]);
    let function = prop::sample::select(vec![
        "print",
        "printf",
        "index",
        "len",
        "eq",
        "lt",
        "and",
        "or",
        "not",
        "include \"d\"",
        "tpl",
        "quote",
        "indent 2",
        "set .Values \"n\"",
        "get .Values.m",
        "html",
        "required \"m\"",
    ]);
    let call = (function, operand.clone(), operand.clone())
        .prop_map(|(function, first, second)| format!("{{{{ {function} {first} {second} }}}}"));
    let control = prop::sample::select(vec![
        "{{ if .Values.t }}",
        "{{ else }}",
        "{{ end }}",
        "{{ range .Values.l }}",
        "{{ break }}",
        "{{ with .Values.m }}",
        "{{ $x := . }}",
        "{{ $x }}",
        "{{ continue }}",
        "text",
    ]);
    prop_oneof![call, control.prop_map(str::to_owned)]
}

fn check(template: &str) -> Result<(), TestCaseError> {
    let render = |provenance| {
        let mut chart = Chart::new(template)
            .values("l: [1, a, {k: v}]\nm: {k: v}\nt: true\n")
            .file("templates/_d.tpl", r#"{{ define "d" }}[{{ . }}]{{ end }}"#)
            .limits(Limits {
                steps: 20_000,
                output_bytes: 100_000,
                ..Limits::GO
            });
        chart.provenance = provenance;
        chart.render()
    };
    match (render(true), render(false)) {
        (Ok(with), Ok(without)) => {
            prop_assert_eq!(&with.bytes, &without.bytes);
            let covered: usize = with
                .spans
                .within(0..with.bytes.len())
                .map(|(range, _)| range.len())
                .sum();
            prop_assert_eq!(covered, with.bytes.len());
        }
        (Err(with), Err(without)) => {
            prop_assert_eq!(with.go_message(), without.go_message());
            prop_assert!(!with.helm_message().is_empty());
        }
        (with, without) => prop_assert!(false, "{with:?} but {without:?}"),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_words_end_in_an_output_or_an_error(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..40)
    ) {
        check(&words.concat())?;
    }

    #[test]
    fn sensible_templates_give_the_same_with_and_without_provenance(
        parts in prop::collection::vec(sensible(), 0..12)
    ) {
        check(&parts.concat())?;
    }
}
