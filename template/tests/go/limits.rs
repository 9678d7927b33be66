//! Hostile templates end in clear errors, well within a thread's stack and the limits.

use cairn_template::Limits;

use crate::chart::Chart;

fn message(template: &str) -> String {
    Chart::new(template).error().helm_message()
}

fn reason(template: &str, limits: Limits) -> String {
    let error = Chart::new(template).limits(limits).error();
    error.diagnostic().message.clone()
}

#[test]
fn a_template_that_includes_itself_ends_as_in_helm() {
    for template in [
        r#"{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}"#,
        r#"{{ define "x" }}{{ if true }}{{ with . }}{{ range 1 }}{{ include "x" $ }}{{ end }}{{ end }}{{ end }}{{ end }}{{ include "x" . }}"#,
        r#"{{ define "x" }}{{ include "y" . }}{{ end }}{{ define "y" }}{{ print (include "x" .) }}{{ end }}{{ include "x" . }}"#,
    ] {
        let reason = reason(template, Limits::GO);
        assert!(
            reason.starts_with("rendering template has a nested reference name: "),
            "{reason}"
        );
    }
    let template = r#"{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}"#;
    assert_eq!(
        reason(template, Limits::GO),
        "exceeded maximum template depth (100000)"
    );
}

#[test]
fn a_text_that_renders_itself_ends() {
    let template = r#"{{ $x := "{{ tpl . . }}" }}{{ tpl $x $x }}"#;
    let reason = reason(template, Limits::GO);
    assert!(
        reason.starts_with("rendering template has a nested reference name: "),
        "{reason}"
    );
}

#[test]
fn helm_counts_inclusions_by_name() {
    let reason = |partial_depth| {
        let template =
            r#"{{ define "x" }}{{ include "x" (index . 0) }}{{ end }}{{ include "x" .Values.l }}"#;
        let limits = Limits {
            partial_depth,
            ..Limits::GO
        };
        let mut chart = Chart::new(template).values("l: [[[a]]]").limits(limits);
        chart.error().diagnostic().message.clone()
    };
    let nested = "rendering template has a nested reference name: x: unable to execute template";
    assert_eq!(reason(3), nested);
    // The byte of the text at the end is a number, which has no items.
    assert_eq!(reason(4), "can't index item of type uint8");
}

#[test]
fn deep_syntax_is_refused() {
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(
        message(&parens),
        "parse error at (p/templates/a.txt:1): the template nests more than 200 levels deep"
    );
    let blocks = "{{ if 1 }}".repeat(100_000);
    assert_eq!(
        message(&blocks),
        "parse error at (p/templates/a.txt:1): the template nests more than 200 levels deep"
    );
}

#[test]
fn a_long_chain_of_else_is_no_nesting() {
    let chain = format!(
        "{{{{ if 0 }}}}{}{{{{ else }}}}end{{{{ end }}}}",
        "{{ else if 0 }}".repeat(20_000)
    );
    assert_eq!(Chart::new(&chain).text(), "end");
}

#[test]
fn work_output_and_texts_are_limited() {
    let limits = Limits {
        steps: 10_000,
        output_bytes: 100_000,
        ..Limits::GO
    };
    let steps = "rendering takes more than 10000 evaluation steps";
    assert_eq!(reason("{{ range 1000000000 }}{{ end }}", limits), steps);
    let length = "the text is longer than 100000 bytes";
    let growing = "{{ range 5000 }}0123456789012345678901234567890123456789{{ end }}";
    let limits = Limits {
        steps: 1_000_000,
        ..limits
    };
    assert_eq!(reason(growing, limits), length);
    assert_eq!(reason(r#"{{ printf "%999999d" 1 }}"#, limits), length);
    let doubling = r#"{{ $x := "0123456789" }}{{ range 30 }}{{ $x = print $x $x }}{{ end }}"#;
    assert_eq!(reason(doubling, limits), length);
}

#[test]
fn texts_and_patterns_cannot_cost_more_than_the_limits() {
    let limits = Limits {
        steps: 1_000_000,
        output_bytes: 100_000,
        ..Limits::GO
    };
    let length = "the text is longer than 100000 bytes";
    for template in [
        r#"{{ repeat 1000000000 "a" }}"#,
        r#"{{ replace "" (repeat 1000 "b") (repeat 1000 "a") }}"#,
        r#"{{ regexReplaceAll "" (repeat 1000 "a") (repeat 1000 "b") }}"#,
        r#"{{ join (repeat 1000 "-") (splitList "" (repeat 1000 "a")) }}"#,
        r#"{{ wrapWith 1 (repeat 1000 "-") (repeat 1000 "a") }}"#,
        r#"{{ indent 50000 "a\na\na" }}"#,
    ] {
        assert_eq!(reason(template, limits), length, "{template}");
    }
    let limits = Limits {
        steps: 100_000,
        ..limits
    };
    let steps = "rendering takes more than 100000 evaluation steps";
    for template in [
        r#"{{ range 9 }}{{ regexFindAll ".*?x|." (repeat 9000 "a") -1 | len }}{{ end }}"#,
        r#"{{ range $i, $_ := splitList "" (repeat 100 "a") }}{{ regexMatch (print $i) "" }}{{ end }}"#,
    ] {
        assert_eq!(reason(template, limits), steps, "{template}");
    }
    let large = message(r#"{{ mustRegexMatch (repeat 65537 "a") "" }}"#);
    assert!(large.contains("expression too large: `"), "{large}");
    let deep = message(r#"{{ mustRegexMatch (repeat 101 "(") "" }}"#);
    assert!(deep.contains("expression nests too deeply: `"), "{deep}");
}

#[test]
fn what_is_held_at_a_time_is_limited() {
    let limits = Limits {
        memory_bytes: 1024 * 1024,
        ..Limits::GO
    };
    let expected = "rendering holds more than 1048576 bytes of values and texts";
    for hoard in [
        // Lists, maps, long texts that functions wrote, texts that were included.
        r"{{ $d := dict }}{{ range $i := until 200 }}{{ $_ := set $d (toString $i) (until 1000) }}{{ end }}",
        r#"{{ $d := dict }}{{ range $i := until 100000 }}{{ $_ := set $d (printf "key %d" $i) $i }}{{ end }}"#,
        r#"{{ $d := dict }}{{ range $i := until 2000 }}{{ $_ := set $d (toString $i) (repeat 1000 "x" | b64enc) }}{{ end }}"#,
        r#"{{ define "x" }}{{ repeat 1000 "x" }}{{ end }}{{ $d := dict }}{{ range $i := until 2000 }}{{ $_ := set $d (toString $i) (include "x" $i) }}{{ end }}"#,
        r#"{{ $l := list }}{{ range until 2000 }}{{ $l = append $l (repeat 1000 "x") }}{{ end }}"#,
    ] {
        assert_eq!(reason(hoard, limits), expected, "{hoard}");
    }
    // What is let go may be made again and again.
    let frugal = r#"{{ range until 5000 }}{{ $x := repeat 1000 "x" | b64enc }}{{ $y := until 1000 }}{{ end }}done"#;
    let rendered = Chart::new(frugal)
        .limits(limits)
        .render()
        .expect("it holds little");
    assert_eq!(rendered.bytes, b"done");
}

#[test]
fn what_is_shared_is_not_written_out_without_end() {
    // Of 60 maps, each holds the one before twice: 2^60 once they are written.
    let maps = r#"{{ $x := dict "a" 1 }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}"#;
    let lists = "{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}";
    let limits = Limits {
        output_bytes: 100_000,
        ..Limits::GO
    };
    let length = "the text is longer than 100000 bytes";
    for action in [
        "{{ toJson $x }}",
        "{{ toPrettyJson $x }}",
        "{{ toRawJson $x }}",
        "{{ toYaml $x }}",
        "{{ toYamlPretty $x }}",
        r#"{{ toToml (dict "x" $x) }}"#,
        "{{ $x }}",
        "{{ print $x }}",
        "{{ printf \"%v\" $x }}",
        "{{ toString $x }}",
        "{{ quote $x }}",
        "{{ cat $x }}",
        "{{ join \",\" $x }}",
        "{{ toStrings (list $x) }}",
        "{{ toDecimal $x }}",
        "{{ dict $x 1 }}",
        "{{ index (dict) $x }}",
        "{{ html $x }}",
    ] {
        for value in [maps, lists] {
            let reason = reason(&format!("{value}{action}"), limits);
            // A map is no key.
            let is_key = reason.starts_with("value has type ");
            assert!(reason == length || is_key, "{action}: {reason}");
        }
    }
    let long = r#"{{ $x := repeat 30000 "a" }}{{ toJson (list $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x) }}"#;
    assert_eq!(reason(long, limits), length);
}

#[test]
fn what_is_kept_in_memory_is_work() {
    let limits = Limits {
        steps: 1_000_000,
        ..Limits::GO
    };
    let steps = "rendering takes more than 1000000 evaluation steps";
    for template in [
        "{{ $x := list 1 }}{{ range 60 }}{{ $x = concat $x $x }}{{ end }}",
        r#"{{ $x := dict "a" 1 }}{{ range 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ deepCopy $x }}"#,
        r#"{{ $x := repeat 10000 "a" }}{{ range 9 }}{{ splitList "" $x | len }}{{ end }}"#,
        r#"{{ $x := repeat 10000 "a: b\n" }}{{ range 50 }}{{ fromYaml $x | len }}{{ end }}"#,
        "{{ range 50 }}{{ sortAlpha (until 10000) | len }}{{ end }}",
        "{{ range 1000000 }}{{ $_ := dict }}{{ end }}",
    ] {
        assert_eq!(reason(template, limits), steps, "{template}");
    }
}

#[test]
fn a_text_of_too_many_sources_is_refused() {
    let text = r#"{{ $x := "a" }}{{ range 23 }}{{ $x = cat $x $x }}{{ end }}"#;
    assert_eq!(
        reason(text, Limits::GO),
        "the text came from more than 2000000 places"
    );
}
