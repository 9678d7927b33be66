//! What functions do beyond printing: maps that change, generated values, lookups.

use cairn_spec::Node;
use cairn_template::{Class, GeneratedCall, Generation, Host, LookupQuery};
use serde_json::json;

use crate::chart::Chart;

#[derive(Debug)]
struct Cluster;

impl Host for Cluster {
    fn lookup(&self, query: &LookupQuery<'_>) -> Option<Node> {
        (query.kind == "Secret" && query.name == "s").then(|| json!({"data": {"k": "dg=="}}).into())
    }

    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        match call.function {
            "uuidv4" => Generation::Fixed(Node::generated("fixed")),
            _ => Generation::Seeded {
                seed: [u8::try_from(call.count).unwrap_or(0); 32],
                now: 0,
            },
        }
    }
}

#[test]
fn maps_are_references() {
    let template = r#"{{ $m := dict "a" 1 }}{{ $same := $m }}{{ $_ := set $m "b" (list 1 "x") }}{{ $_ := unset $same "a" }}{{ $m }} {{ hasKey $m "a" }} {{ get $m "b" }}|{{ get $m "q" }}|"#;
    assert_eq!(Chart::new(template).text(), "map[b:[1 x]] false [1 x]||");
    let template = r#"{{ $_ := set .Values "k" "v" }}{{ .Values.k }} {{ .Values.AsMap.k }} {{ $_ := set .Values.AsMap "l" 2 }}{{ .Values.l }}"#;
    assert_eq!(Chart::new(template).text(), "v v 2");
}

#[test]
fn a_map_may_change_while_it_is_looped_over_and_hold_itself() {
    let template = r#"{{ $m := dict "a" 1 "b" 2 }}{{ range $k, $v := $m }}{{ $_ := set $m (printf "%s%s" $k $k) $v }}{{ $k }}{{ end }}{{ $m }}"#;
    assert_eq!(Chart::new(template).text(), "abmap[a:1 aa:1 b:2 bb:2]");
    let template = r#"{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ $m }}"#;
    let reason = Chart::new(template).error().diagnostic().message.clone();
    assert_eq!(reason, "values are nested more than 128 levels deep");
}

#[test]
fn layout_is_sprigs() {
    let template = r#"{{ "a\n\nb" | indent 2 }}|{{ "a" | nindent 2 }}|{{ indent 2 "" }}|{{ quote "a\"b" nil 1 "é" }}"#;
    assert_eq!(
        Chart::new(template).text(),
        "  a\n  \n  b|\n  a|  |\"a\\\"b\" \"1\" \"é\""
    );
}

#[test]
fn what_is_not_deterministic_is_refused_with_its_place() {
    let mut chart = Chart::new("a: {{ randAlphaNum 5 }}");
    let error = chart.error();
    let diagnostic = error.diagnostic();
    assert_eq!(diagnostic.code, "template-nondeterministic");
    assert_eq!(
        diagnostic.message,
        "`randAlphaNum` gives another value at each render"
    );
    let place = diagnostic.labels[0].span;
    assert_eq!(chart.sources.locate(place), "p/templates/a.txt:1:7");
}

#[test]
fn a_seed_or_a_fixed_value_is_chosen_per_call() {
    let template = "{{ range 2 }}{{ randNumeric 6 }} {{ end }}{{ randInt 3 4 }} {{ uuidv4 }}";
    let render = || {
        let mut chart = Chart::new(template);
        chart.host = &Cluster;
        chart.render().expect("the template is valid")
    };
    let (first, second) = (render(), render());
    assert_eq!(first.bytes, second.bytes);
    let text = String::from_utf8(first.bytes).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    assert_ne!(words[0], words[1], "each call has its own seed");
    assert_eq!(words[2..], ["3", "fixed"]);
    assert_eq!(first.spans.at(0).unwrap().class, Class::Opaque);
}

#[test]
fn lookup_finds_what_it_is_given() {
    let template =
        r#"{{ (lookup "v1" "Secret" "n" "s").data.k }}|{{ lookup "v1" "Secret" "n" "t" }}"#;
    let mut chart = Chart::new(template);
    chart.host = &Cluster;
    assert_eq!(chart.text(), "dg==|map[]");
}

#[test]
fn formats_are_written_and_read_as_helm_does() {
    let template = r#"{{ $m := dict "b" (list 1.0 "yes" "a: b") "a10" nil "a2" "x\ny\n" }}{{ toYaml $m }}|{{ toJson $m }}|{{ toToml (dict "t" (dict "k" "v")) }}|{{ fromYaml "a: 0x10\nb: [on]" }}|{{ fromYamlArray "a: 1" }}|{{ (fromJson "{").Error }}|{{ fromToml "a = 1" }}"#;
    assert_eq!(
        Chart::new(template).text(),
        "a2: |\n  x\n  y\na10: null\nb:\n- 1\n- \"yes\"\n- 'a: b'|{\"a10\":null,\"a2\":\"x\\ny\\n\",\"b\":[1,\"yes\",\"a: b\"]}|[t]\n  k = \"v\"\n|map[a:16 b:[true]]|[error unmarshaling JSON: while decoding JSON: json: cannot unmarshal object into Go value of type []interface {}]|unexpected end of JSON input|map[a:1]"
    );
}
