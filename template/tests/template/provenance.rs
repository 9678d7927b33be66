//! Where rendered bytes are said to come from, and which values are said to be read.

use std::fmt::Write as _;

use cairn_spec::OriginId;
use cairn_template::Rendered;
use insta::assert_snapshot;

use crate::case::Case;

/// Each piece of the output: what, how, from where, and why.
fn pieces(case: &Case) -> String {
    let rendered = case.run().expect("the template is valid");
    let mut out = String::new();
    for (range, piece) in rendered.spans.within(0..rendered.text.len()) {
        let place = case.sources.locate(piece.place);
        let origins = places(case, piece.origins);
        let _ = write!(
            out,
            "{:?} {:?} by {place} from [{origins}]",
            &rendered.text[range], piece.class
        );
        for cause in piece.causes() {
            let place = case.sources.locate(cause.place);
            let origins = places(case, cause.origins);
            let _ = write!(out, " because {:?} at {place} of [{origins}]", cause.kind);
        }
        out.push('\n');
    }
    out
}

fn places(case: &Case, origins: &[OriginId]) -> String {
    let places: Vec<String> = origins
        .iter()
        .map(|&origin| {
            case.origins
                .span(origin)
                .map_or("generated".to_owned(), |span| case.sources.locate(span))
        })
        .collect();
    places.join(" ")
}

fn read(rendered: &Rendered) -> String {
    rendered
        .read
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_printed_value_is_the_value() {
    let case = Case::new("spec:\n  replicas: {{values.web.replicas}}\n")
        .values_yaml("web:\n  replicas: 3\n");
    assert_snapshot!(pieces(&case), @r#"
    "spec:\n  replicas: " Template by t.hbs:1:1 from []
    "3" Exact by t.hbs:2:15 from [values.yaml:2:13]
    "\n" Template by t.hbs:2:36 from []
    "#);
    let rendered = case.run().unwrap();
    let offset = rendered.text.find('3').unwrap();
    let piece = rendered.spans.at(offset).unwrap();
    assert_eq!(places(&case, piece.origins), "values.yaml:2:13");
    assert!(rendered.spans.at(rendered.text.len()).is_none());
}

#[test]
fn written_yaml_knows_each_key_and_leaf() {
    let case = Case::new("resources:{{nindent 2 (toYaml values.r)}}\n").values_yaml(
        "r:\n  limits: {cpu: 1, memory: 1Gi}\n  list:\n    - a\n    - b: []\n      c: |-\n        x\n        y\n",
    );
    assert_snapshot!(case.text(), @"
    resources:
      limits:
        cpu: 1
        memory: 1Gi
      list:
      - a
      - b: []
        c: |-
          x
          y
    ");
    assert_snapshot!(pieces(&case), @r#"
    "resources:" Template by t.hbs:1:1 from []
    "\n  limits:\n" Exact by t.hbs:1:31 from [values.yaml:2:3]
    "    cpu: " Exact by t.hbs:1:31 from [values.yaml:2:12]
    "1\n" Exact by t.hbs:1:31 from [values.yaml:2:17]
    "    memory: " Exact by t.hbs:1:31 from [values.yaml:2:20]
    "1Gi\n" Exact by t.hbs:1:31 from [values.yaml:2:28]
    "  list:\n" Exact by t.hbs:1:31 from [values.yaml:3:3]
    "  - a\n" Exact by t.hbs:1:31 from [values.yaml:4:7]
    "  - " Exact by t.hbs:1:31 from [values.yaml:5:7]
    "b: " Exact by t.hbs:1:31 from [values.yaml:5:7]
    "[]\n" Exact by t.hbs:1:31 from [values.yaml:5:10]
    "    c: " Exact by t.hbs:1:31 from [values.yaml:6:7]
    "|-\n      x\n      y" Exact by t.hbs:1:31 from [values.yaml:7:9]
    "\n" Template by t.hbs:1:42 from []
    "#);
}

#[test]
fn written_json_knows_each_key_and_leaf() {
    let case = Case::new("{{toJson values.r}}").values_yaml("r:\n  a: [1, x]\n");
    assert_snapshot!(pieces(&case), @r#"
    "{" Exact by t.hbs:1:10 from [values.yaml:2:3]
    "\"a\":" Exact by t.hbs:1:10 from [values.yaml:2:3]
    "[" Exact by t.hbs:1:10 from [values.yaml:2:6]
    "1," Exact by t.hbs:1:10 from [values.yaml:2:7]
    "\"x\"]}" Exact by t.hbs:1:10 from [values.yaml:2:10]
    "#);
}

#[test]
fn quoting_keeps_a_value_exact_and_changing_it_does_not() {
    let case = Case::new("{{quote values.a}} {{squote values.a}} {{upper values.a}} {{trunc 1 values.a}} {{trunc 9 values.a}} {{b64enc values.a}} {{add values.n 1}}")
        .values_yaml("a: ab\nn: 1\n");
    assert_snapshot!(pieces(&case), @r#"
    "\"ab\"" Exact by t.hbs:1:9 from [values.yaml:1:4]
    " " Template by t.hbs:1:19 from []
    "'ab'" Exact by t.hbs:1:29 from [values.yaml:1:4]
    " " Template by t.hbs:1:39 from []
    "AB" Derived by t.hbs:1:48 from [values.yaml:1:4]
    " " Template by t.hbs:1:58 from []
    "a" Derived by t.hbs:1:69 from [values.yaml:1:4]
    " " Template by t.hbs:1:79 from []
    "ab" Exact by t.hbs:1:90 from [values.yaml:1:4]
    " " Template by t.hbs:1:100 from []
    "YWI=" Derived by t.hbs:1:103 from [values.yaml:1:4]
    " " Template by t.hbs:1:120 from []
    "2" Derived by t.hbs:1:123 from [values.yaml:2:4]
    "#);
}

#[test]
fn joined_texts_keep_their_parts() {
    let case = Case::new("{{concat values.a \":\" values.b}} {{join \",\" values.l}} {{quote (concat values.a values.b)}} {{replace \"x\" values.b \"axb\"}}")
        .values_yaml("a: A\nb: B\nl: [c, d]\n");
    assert_snapshot!(pieces(&case), @r#"
    "A" Exact by t.hbs:1:10 from [values.yaml:1:4]
    ":" Template by t.hbs:1:19 from []
    "B" Exact by t.hbs:1:23 from [values.yaml:2:4]
    " " Template by t.hbs:1:33 from []
    "c" Exact by t.hbs:1:45 from [values.yaml:3:5]
    "," Template by t.hbs:1:41 from []
    "d" Exact by t.hbs:1:45 from [values.yaml:3:8]
    " " Template by t.hbs:1:55 from []
    "\"A" Exact by t.hbs:1:72 from [values.yaml:1:4]
    "B\"" Exact by t.hbs:1:81 from [values.yaml:2:4]
    " " Template by t.hbs:1:92 from []
    "a" Template by t.hbs:1:116 from []
    "B" Derived by t.hbs:1:107 from [values.yaml:2:4]
    "b" Template by t.hbs:1:116 from []
    "#);
}

#[test]
fn choices_name_what_decided() {
    let case = Case::new("{{default \"d\" values.empty}} {{default values.b values.empty}} {{default 1 values.b}} {{ternary values.b \"n\" (eq values.empty \"\")}} {{get values \"b\"}} {{get values \"c\" \"none\"}}")
        .values_yaml("empty: \"\"\nb: B\n");
    assert_snapshot!(pieces(&case), @r#"
    "d" Template by t.hbs:1:3 from [] because Choice at t.hbs:1:3 of [values.yaml:1:8]
    " " Template by t.hbs:1:29 from []
    "B" Exact by t.hbs:1:32 from [values.yaml:2:4] because Choice at t.hbs:1:32 of [values.yaml:1:8]
    " " Template by t.hbs:1:63 from []
    "B" Exact by t.hbs:1:66 from [values.yaml:2:4]
    " " Template by t.hbs:1:86 from []
    "B" Exact by t.hbs:1:89 from [values.yaml:2:4] because Choice at t.hbs:1:89 of [values.yaml:1:8]
    " " Template by t.hbs:1:132 from []
    "B" Exact by t.hbs:1:135 from [values.yaml:2:4]
    " " Template by t.hbs:1:151 from []
    "none" Template by t.hbs:1:154 from [] because Choice at t.hbs:1:154 of [values.yaml:1:1]
    "#);
}

#[test]
fn blocks_name_their_conditions() {
    let case = Case::new("{{#if values.on}}\na\n{{#unless values.off}}\nb\n{{/unless}}\n{{/if}}\n{{#if values.off}}\nc\n{{else if values.on}}\nd\n{{else}}\ne\n{{/if}}\n")
        .values_yaml("on: true\noff: false\n");
    assert_snapshot!(pieces(&case), @r#"
    "a\n" Template by t.hbs:2:1 from [] because Condition at t.hbs:1:7 of [values.yaml:1:5]
    "b\n" Template by t.hbs:4:1 from [] because Condition at t.hbs:3:11 of [values.yaml:2:6] because Condition at t.hbs:1:7 of [values.yaml:1:5]
    "d\n" Template by t.hbs:10:1 from [] because Condition at t.hbs:9:11 of [values.yaml:1:5] because Condition at t.hbs:7:7 of [values.yaml:2:6]
    "#);
}

#[test]
fn loops_name_items_keys_and_the_collection() {
    let case = Case::new("{{#each values.m}}{{@key}}={{this}};{{@index}}{{/each}}{{#each values.l as |x|}}{{x}}{{/each}}{{#with values.m}}{{b}}{{/with}}")
        .values_yaml("m:\n  b: 1\n  c: 2\nl: [3]\n");
    assert_snapshot!(pieces(&case), @r#"
    "b" Exact by t.hbs:1:21 from [values.yaml:2:3] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "=" Template by t.hbs:1:27 from [] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "1" Exact by t.hbs:1:30 from [values.yaml:2:6] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    ";" Template by t.hbs:1:36 from [] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "0" Derived by t.hbs:1:39 from [values.yaml:2:3] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "c" Exact by t.hbs:1:21 from [values.yaml:3:3] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "=" Template by t.hbs:1:27 from [] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "2" Exact by t.hbs:1:30 from [values.yaml:3:6] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    ";" Template by t.hbs:1:36 from [] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "1" Derived by t.hbs:1:39 from [values.yaml:2:3] because Loop at t.hbs:1:9 of [values.yaml:2:3]
    "3" Exact by t.hbs:1:83 from [values.yaml:4:5] because Loop at t.hbs:1:64 of [values.yaml:4:4]
    "1" Exact by t.hbs:1:115 from [values.yaml:2:6] because With at t.hbs:1:103 of [values.yaml:2:3]
    "#);
}

#[test]
fn partials_are_named_on_the_way() {
    let case = Case::new("x:\n  {{> p values.a extra=values.b}}\n{{include \"p\" (dict \"n\" values.b \"extra\" 1)}}")
        .partial("p", "n: {{n}}\ne: {{extra}}\n")
        .values_yaml("a:\n  n: 1\nb: 2\n");
    assert_snapshot!(pieces(&case), @r#"
    "x:\n" Template by t.hbs:1:1 from []
    "  n: " Template by _p.hbs:1:1 from [] because Partial at t.hbs:2:7 of []
    "1" Exact by _p.hbs:1:6 from [values.yaml:2:6] because Partial at t.hbs:2:7 of []
    "\n  e: " Template by _p.hbs:1:9 from [] because Partial at t.hbs:2:7 of []
    "2" Exact by _p.hbs:2:6 from [values.yaml:3:4] because Partial at t.hbs:2:7 of []
    "\n" Template by _p.hbs:2:13 from [] because Partial at t.hbs:2:7 of []
    "n: " Template by _p.hbs:1:1 from [] because Partial at t.hbs:3:11 of []
    "2" Exact by _p.hbs:1:6 from [values.yaml:3:4] because Partial at t.hbs:3:11 of []
    "\ne: " Template by _p.hbs:1:9 from [] because Partial at t.hbs:3:11 of []
    "1" Template by _p.hbs:2:6 from [] because Partial at t.hbs:3:11 of []
    "\n" Template by _p.hbs:2:13 from [] because Partial at t.hbs:3:11 of []
    "#);
}

#[test]
fn values_read_back_from_text_come_from_the_text() {
    let case = Case::new("{{#with (fromYaml values.text)}}{{a}}{{/with}}{{#each (split \",\" values.csv)}}{{this}};{{/each}}")
        .values_yaml("text: \"a: 1\"\ncsv: a,b\n");
    assert_snapshot!(pieces(&case), @r#"
    "1" Derived by t.hbs:1:35 from [values.yaml:1:7] because With at t.hbs:1:9 of [values.yaml:1:7]
    "a" Derived by t.hbs:1:66 from [values.yaml:2:6] because Loop at t.hbs:1:55 of [values.yaml:2:6]
    ";" Template by t.hbs:1:87 from [] because Loop at t.hbs:1:55 of [values.yaml:2:6]
    "b" Derived by t.hbs:1:66 from [values.yaml:2:6] because Loop at t.hbs:1:55 of [values.yaml:2:6]
    ";" Template by t.hbs:1:87 from [] because Loop at t.hbs:1:55 of [values.yaml:2:6]
    "#);
}

#[test]
fn lists_and_maps_of_helpers_keep_their_parts() {
    let case = Case::new("{{toYaml (merge values.a (dict \"k\" values.s \"l\" (list 1 values.s)))}}\n{{first values.l}} {{last (sortAlpha values.l)}} {{toJson (uniq values.l)}} {{keys values.a | }}".replace("{{keys values.a | }}", "{{join \"\" (keys values.a)}}").as_str())
        .values_yaml("a: {x: 1, k: 2}\ns: S\nl: [b, a]\n");
    assert_snapshot!(pieces(&case), @r#"
    "k: " Template by t.hbs:1:10 from []
    "S\n" Exact by t.hbs:1:10 from [values.yaml:2:4]
    "l:\n- 1\n" Template by t.hbs:1:10 from []
    "- S\n" Exact by t.hbs:1:10 from [values.yaml:2:4]
    "x: " Exact by t.hbs:1:10 from [values.yaml:1:5]
    "1" Exact by t.hbs:1:10 from [values.yaml:1:8]
    "\n" Template by t.hbs:1:70 from []
    "b" Exact by t.hbs:2:3 from [values.yaml:3:5] because Choice at t.hbs:2:3 of [values.yaml:3:4]
    " " Template by t.hbs:2:19 from []
    "b" Exact by t.hbs:2:22 from [values.yaml:3:5] because Choice at t.hbs:2:22 of [values.yaml:3:5 values.yaml:3:8 values.yaml:3:4]
    " " Template by t.hbs:2:49 from []
    "[" Template by t.hbs:2:59 from [] because Choice at t.hbs:2:59 of [values.yaml:3:5 values.yaml:3:8 values.yaml:3:4]
    "\"b\"," Exact by t.hbs:2:59 from [values.yaml:3:5] because Choice at t.hbs:2:59 of [values.yaml:3:5 values.yaml:3:8 values.yaml:3:4]
    "\"a\"]" Exact by t.hbs:2:59 from [values.yaml:3:8] because Choice at t.hbs:2:59 of [values.yaml:3:5 values.yaml:3:8 values.yaml:3:4]
    " " Template by t.hbs:2:76 from []
    "k" Exact by t.hbs:2:87 from [values.yaml:1:11]
    "x" Exact by t.hbs:2:87 from [values.yaml:1:5]
    "#);
}

#[test]
fn ranges_can_start_and_end_anywhere() {
    let case = Case::new("ab{{values.a}}cd").values_yaml("a: xyz\n");
    let rendered = case.run().unwrap();
    let within = |range| -> Vec<_> {
        let pieces = rendered.spans.within(range);
        pieces.map(|(range, _)| (range.start, range.end)).collect()
    };
    assert_eq!(within(1..6), [(1, 2), (2, 5), (5, 6)]);
    assert_eq!(within(3..4), [(3, 4)]);
    assert_eq!(within(6..99), [(6, 7)]);
    assert_eq!(within(7..9), []);
    assert_eq!(within(2..2), []);
}

#[test]
fn what_was_read_is_known() {
    let yaml = "used: 1\nunused: 2\nmap: {a: 1, b/c: {d: 2}}\nlist: [1, {x: 1, y: 2}]\nempty: {}\nswitch: false\nfull: {z: 1}\nn: ~\n";
    let of = |template: &str| read(&Case::new(template).values_yaml(yaml).run().unwrap());
    assert_snapshot!(of("{{values.used}}{{#if values.switch}}{{values.unused}}{{/if}}"), @"/values/switch /values/used");
    assert_snapshot!(of("{{toYaml values.map}}"), @"/values/map/a /values/map/b~1c/d");
    assert_snapshot!(of("{{#each values.list}}{{#if @last}}{{x}}{{/if}}{{/each}}"), @"/values/list/1/x");
    assert_snapshot!(of("{{#if values.full}}{{/if}}{{#if values.empty}}{{/if}}"), @"/values/empty");
    assert_snapshot!(of("{{eq values.list 1}}{{default 1 values.n}}"), @"/values/list /values/n");
    assert_snapshot!(of("{{get values \"map.a\"}}{{#if (has values \"used\")}}{{/if}}{{len values.map}}"), @"/values/map/a /values/used");
    assert_snapshot!(of("{{#with (merge values.map (dict \"z\" values.used))}}{{a}}{{/with}}"), @"/values/map/a");
    assert_snapshot!(of("plain"), @"");
}
