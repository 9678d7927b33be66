//! What the functions of data do beyond what recorded answers of Helm can show: the order that
//! Go leaves open, the time that whoever renders gives, limits, and where results came from.

use cairn_spec::Node;
use cairn_template::{Class, GeneratedCall, Generation, Host, Limits};
use insta::assert_snapshot;

use crate::{chart::Chart, provenance::pieces};

#[derive(Debug)]
struct Clock;

impl Host for Clock {
    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        match call.function {
            "htmlDate" => Generation::Fixed(Node::generated("2001-02-03T04:05:06+07:00")),
            "durationRound" => Generation::Fixed(Node::generated("yesterday")),
            _ => Generation::Seeded {
                seed: [0; 32],
                now: 1_700_000_000,
            },
        }
    }
}

fn at_a_time(template: &str) -> Chart {
    let mut chart = Chart::new(template);
    chart.host = &Clock;
    chart
}

#[test]
fn keys_and_values_come_in_the_order_of_the_keys() {
    let template = r#"{{ $m := dict "b" 1 "a10" 2 "a2" 3 "A" 4 }}{{ keys $m }} {{ values $m }}"#;
    assert_eq!(Chart::new(template).text(), "[A a10 a2 b] [4 2 3 1]");
}

#[test]
fn the_time_is_what_whoever_renders_says() {
    let template = r#"{{ now }}|{{ date "15:04" "x" }}|{{ ago 1699999000 }}|{{ (now.AddDate 0 0 1).Weekday }}|{{ now.Sub (toDate "2006" "2023") }}|{{ htmlDate nil }}"#;
    assert_eq!(
        at_a_time(template).text(),
        "2023-11-14 22:13:20 +0000 UTC|22:13|16m40s|Wednesday|7630h13m20s|2001-02-02"
    );
    for (template, text) in [
        ("{{ now | unixEpoch }}", "1700000000"),
        ("{{ now.Month.String }}", "November"),
        ("{{ add now.Year 1 }}", "2024"),
    ] {
        let rendered = at_a_time(template).render().unwrap();
        assert_eq!(rendered.bytes, text.as_bytes());
        assert_eq!(rendered.spans.at(0).unwrap().class, Class::Opaque);
    }
}

#[test]
fn without_a_time_there_is_no_now() {
    for template in ["{{ now }}", "{{ htmlDate 1.5 }}", "{{ ago 0 }}"] {
        let error = Chart::new(template).error();
        assert_eq!(error.diagnostic().code, "template-nondeterministic");
    }
    assert_snapshot!(
        at_a_time("{{ durationRound (toDate \"2006\" \"2020\") }}").error().diagnostic().message,
        @"the value that is fixed for this call is no time"
    );
}

#[test]
fn counting_and_copying_have_limits() {
    let reason = |template: &str| Chart::new(template).error().diagnostic().message.clone();
    assert_snapshot!(reason("{{ until 99999999999 }}"), @"a list of 99999999999 numbers is longer than 1000000");
    assert_snapshot!(reason("{{ seq -9223372036854775808 9223372036854775806 }}"), @"a list of 18446744073709551615 numbers is longer than 1000000");
    assert_eq!(Chart::new("{{ len (until 1000000) }}").text(), "1000000");
    let holds_itself = r#"{{ $m := dict }}{{ $_ := set $m "m" $m }}"#;
    for call in [
        "deepCopy $m",
        "merge $m (dict \"m\" $m)",
        "deepEqual $m (dict \"m\" $m)",
    ] {
        let template = format!("{holds_itself}{{{{ {call} | len }}}}");
        assert_eq!(
            reason(&template),
            "values are nested more than 128 levels deep"
        );
    }
    let limits = Limits {
        steps: 100_000,
        ..Limits::GO
    };
    let error = Chart::new("{{ uniq (until 1000) | len }}")
        .limits(limits)
        .error();
    assert_snapshot!(error.diagnostic().message, @"rendering takes more than 100000 evaluation steps");
}

#[test]
fn a_choice_is_because_of_what_it_passed_over() {
    let template = r"{{ default .Values.d .Values.a }}{{ coalesce .Values.a .Values.b .Values.d }}{{ ternary .Values.b .Values.d .Values.t }}";
    assert_snapshot!(pieces(template, "a: \"\"\nb: one\nd: two\nt: true\n"), @r#"
    "two" Exact by p/templates/a.txt:1:4 from [values.yaml:3:4] because Choice of [values.yaml:1:4]
    "one" Exact by p/templates/a.txt:1:37 from [values.yaml:2:4] because Choice of [values.yaml:1:4]
    "one" Exact by p/templates/a.txt:1:81 from [values.yaml:2:4] because Choice of [values.yaml:4:4]
    "#);
}

#[test]
fn merged_values_are_exact_and_because_of_what_they_replace() {
    let template = r"{{ $m := merge .Values.a .Values.b }}{{ $m.k }}{{ $m.l }}{{ $m.m }}";
    assert_snapshot!(pieces(template, "a: {k: 1, l: \"\"}\nb: {k: 2, l: 3, m: 4}\n"), @r#"
    "1" Exact by p/templates/a.txt:1:41 from [values.yaml:1:8]
    "3" Exact by p/templates/a.txt:1:51 from [values.yaml:2:14] because Choice of [values.yaml:1:14]
    "4" Exact by p/templates/a.txt:1:61 from [values.yaml:2:20]
    "#);
}

#[test]
fn filtered_lists_are_because_of_all_that_was_looked_at() {
    let template = r"{{ first (compact .Values.l) }}{{ last .Values.l }}{{ add .Values.n 1 }}";
    assert_snapshot!(pieces(template, "l: [\"\", b]\nn: 1\n"), @r#"
    "b" Exact by p/templates/a.txt:1:4 from [values.yaml:1:9] because Choice of [values.yaml:1:5 values.yaml:1:9]
    "b" Exact by p/templates/a.txt:1:35 from [values.yaml:1:9]
    "2" Derived by p/templates/a.txt:1:55 from [values.yaml:2:4]
    "#);
}
