//! What templates of charts get for calls that are not deterministic, and from `lookup`.

use cairn_chart::{ChartHost, ClusterObjects, UnnamedCalls};
use cairn_spec::{
    Diagnostics, GeneratedValuesManifest, Origins, SourceKind, Sources, decode, yaml::read_one,
};
use cairn_template::{
    Value,
    go::{Error, Options, Templates},
};

const NAME: &str = "p/templates/a.yaml";

/// Renders files of a chart, and gives what the one called [`NAME`] became.
fn render_files(host: &ChartHost, files: &[(&str, &str)]) -> Result<String, Error> {
    let (mut sources, origins) = (Sources::new(), Origins::new());
    let mut templates = Templates::new();
    for (name, text) in files {
        let source = sources.add(*name, *text, SourceKind::Template);
        templates.add(name, &sources, source)?;
    }
    let options = Options {
        host,
        ..Options::helm()
    };
    let mut renderer = templates.renderer(&origins, &options);
    let context = Value::map::<&str>([]);
    let mut last = Vec::new();
    for (name, _) in files {
        let output = renderer.render(name, &context)?;
        if *name == NAME {
            last = output.as_bytes().to_vec();
        }
    }
    Ok(String::from_utf8(last).expect("the output is text"))
}

fn render(host: &ChartHost, template: &str) -> String {
    match render_files(host, &[(NAME, template)]) {
        Ok(text) => text,
        Err(error) => panic!("{error}"),
    }
}

fn error(host: &ChartHost, template: &str) -> cairn_spec::Diagnostic {
    match render_files(host, &[(NAME, template)]) {
        Ok(text) => panic!("no error, but: {text}"),
        Err(error) => error.into_diagnostic(),
    }
}

fn seeded() -> ChartHost {
    ChartHost {
        release: "web".to_owned(),
        namespace: "shop".to_owned(),
        seed: [7; 32],
        unnamed_calls: UnnamedCalls::Seeded,
        now: Some(1_800_000_000),
        ..ChartHost::default()
    }
}

/// A host with the values that a file's `calls` choose.
fn choosing(calls: &str) -> ChartHost {
    let text = format!("apiVersion: cairn.dev/v1\nkind: GeneratedValues\nspec:\n{calls}\n");
    let (values, diagnostics) = read_values(&text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    ChartHost {
        values: values.expect("the values are valid").spec,
        ..ChartHost::default()
    }
}

fn read_values(text: &str) -> (Option<GeneratedValuesManifest>, Diagnostics) {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let mut diagnostics = Diagnostics::new();
    let source = sources.add("values.yaml", text, SourceKind::Other);
    let node = read_one(&sources, source, &mut origins, &mut diagnostics);
    let values = node.and_then(|node| decode(&node, &origins, &mut diagnostics));
    (values, diagnostics)
}

fn objects(text: &str) -> ClusterObjects {
    let (objects, diagnostics) = read_objects(text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    objects
}

fn read_objects(text: &str) -> (ClusterObjects, Diagnostics) {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let mut diagnostics = Diagnostics::new();
    let source = sources.add("objects.yaml", text, SourceKind::Other);
    let mut objects = ClusterObjects::new();
    objects.read(&sources, source, &mut origins, &mut diagnostics);
    (objects, diagnostics)
}

#[test]
fn a_call_that_nobody_chose_a_value_for_is_refused_by_name() {
    let template = "a: {{ uuidv4 }}";
    let diagnostic = error(&ChartHost::default(), template);
    assert_eq!(diagnostic.code, "template-nondeterministic");
    assert_eq!(
        diagnostic.message,
        "`uuidv4` gives another value at each render"
    );
    let hint = "choose a seed, a fixed value or an existing one for call 1 of `uuidv4` in `p/templates/a.yaml`";
    assert_eq!(diagnostic.hint.as_deref(), Some(hint));
    assert_eq!(diagnostic.labels[0].span.start, 6);
}

#[test]
fn a_seeded_value_stays_when_lines_and_other_templates_come_and_go() {
    let host = seeded();
    let value = render(&host, "{{ randAlphaNum 20 }}");
    assert_eq!(value.len(), 20);
    let moved = "# a line more\n{{ uuidv4 | len }}\n{{ randAlphaNum 20 }}";
    assert_eq!(render(&host, moved).lines().last(), Some(&*value));
    let others = [
        ("p/templates/z.yaml", "{{ randAlphaNum 20 }}"),
        (NAME, "{{ randAlphaNum 20 }}"),
    ];
    assert_eq!(render_files(&host, &others).unwrap(), value);
}

#[test]
fn a_seeded_value_is_one_of_its_call_release_and_seed() {
    let host = seeded();
    let template = r#"{{ range 3 }}{{ randNumeric 15 }} {{ end }}{{ randNumeric 15 }} {{ randNumeric 15 }} {{ tpl "{{ randNumeric 15 }}" . }} {{ tpl "{{ randNumeric 15 }}{{/**/}}" . }} {{ include "d" . }} {{ include "d" . }}{{ define "d" }}{{ randNumeric 15 }}{{ end }}"#;
    let text = render(&host, template);
    let mut values: Vec<&str> = text.split(' ').collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 9, "{text}");
    assert_eq!(render(&host, template), text);
    let others = [
        ChartHost {
            seed: [8; 32],
            ..host.clone()
        },
        ChartHost {
            release: "web2".to_owned(),
            ..host.clone()
        },
        ChartHost {
            namespace: "shop2".to_owned(),
            ..host.clone()
        },
        // What the parts say together does not make them the same.
        ChartHost {
            release: "webs".to_owned(),
            namespace: "hop".to_owned(),
            ..host.clone()
        },
    ];
    let mut texts: Vec<String> = others
        .iter()
        .map(|host| render(host, "{{ uuidv4 }}"))
        .collect();
    texts.push(render(&host, "{{ uuidv4 }}"));
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 5);
}

#[test]
fn the_first_choice_that_fits_decides() {
    let host = choosing(
        "  calls:
    - {function: randAlphaNum, occurrence: 2, value: second}
    - {function: randAlphaNum, template: other/templates/a.yaml, value: elsewhere}
    - {function: randAlphaNum, value: all}
    - {function: randAlphaNum, value: never}
    - {function: randInt, value: 5}",
    );
    let template = "{{ randAlphaNum 9 }} {{ randAlphaNum 9 }} {{ randAlphaNum 9 }} {{ randInt 1 3 | printf \"%d\" }}";
    assert_eq!(render(&host, template), "all second all 5");
    assert_eq!(
        error(&host, "{{ uuidv4 }}").code,
        "template-nondeterministic"
    );
}

#[test]
fn a_value_that_the_function_cannot_give_is_refused() {
    let host = choosing(
        "  calls:
    - {function: randAlphaNum, value: 12}
    - {function: randInt, value: many}
    - {function: genCA, value: {Cert: c}}
    - {function: uuidv4}",
    );
    let message = |template: &str| error(&host, template).message;
    assert_eq!(
        message("{{ randAlphaNum 2 }}"),
        "the value that is chosen for it must be a text"
    );
    assert_eq!(
        message("{{ randInt 1 2 }}"),
        "the value that is chosen for it must be an integer"
    );
    assert_eq!(
        message("{{ (genCA \"c\" 1).Cert }}"),
        "the value that is chosen for it must be a map with the texts `Cert` and `Key`"
    );
    assert_eq!(
        message("{{ uuidv4 }}"),
        "`uuidv4` has no value: it is named without `secret`, `value` or `seeded: true`"
    );
}

const SECRETS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: redis, namespace: data}
data: {password: cGFzcyB3b3Jk, broken: '%', binary: /w==}
stringData: {port: '6379'}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {name: tls, namespace: data}
    data: {tls.crt: Y2VydA==, tls.key: a2V5}
";

#[test]
fn an_existing_secret_comes_before_all_else() {
    let mut host = choosing(
        "  calls:
    - {function: randAlphaNum, secret: {namespace: data, name: redis, key: password}, value: new}
    - {function: randInt, secret: {namespace: data, name: redis, key: port}}
    - {function: randAlpha, secret: {namespace: other, name: redis, key: password}, value: new}
    - {function: randAscii, secret: {namespace: data, name: redis, key: other}, seeded: true}
    - {function: genCA, secret: {namespace: data, name: tls, key: tls.key}, certificateKey: tls.crt}",
    );
    host.objects = objects(SECRETS);
    let template = "{{ randAlphaNum 9 }}|{{ randInt 1 3 }}|{{ randAlpha 3 }}|{{ randAscii 4 | len }}|{{ $c := genCA \"c\" 1 }}{{ $c.Cert }} {{ $c.Key }}";
    assert_eq!(render(&host, template), "pass word|6379|new|4|cert key");
}

#[test]
fn a_secret_without_the_value_says_so() {
    let mut host = choosing(
        "  calls:
    - {function: uuidv4, secret: {namespace: data, name: redis, key: other}}
    - {function: randAlpha, secret: {namespace: data, name: redis, key: broken}, value: new}
    - {function: randAscii, secret: {namespace: data, name: redis, key: binary}, value: new}",
    );
    host.objects = objects(SECRETS);
    let message = |template: &str| error(&host, template).message;
    assert_eq!(
        message("{{ uuidv4 }}"),
        "`uuidv4` has no value: there is no key `other` of a Secret `data/redis` among the objects that are given"
    );
    assert_eq!(
        message("{{ randAlpha 1 }}"),
        "`randAlpha` has no value: the key `broken` of the Secret is not base64: Invalid symbol 37, offset 0."
    );
    assert_eq!(
        message("{{ randAscii 1 }}"),
        "`randAscii` has no value: the key `binary` of the Secret is not UTF-8"
    );
}

#[test]
fn what_needs_the_time_is_refused_without_one() {
    let template = r#"{{ (genCAWithKey "c" 1 (genPrivateKey "ed25519")).Cert }}"#;
    let timeless = ChartHost {
        now: None,
        ..seeded()
    };
    assert_eq!(
        error(&timeless, template).message,
        "`genCAWithKey` has no value: it needs the time, and none is given beside the seed"
    );
    assert_eq!(render(&timeless, "{{ uuidv4 | len }}"), "36");
    let mut timed = timeless.clone();
    timed.values.now = Some("2026-01-31T12:00:00Z".parse().unwrap());
    let certificate = render(&timed, template);
    assert_eq!(render(&timed, template), certificate);
    let later = ChartHost {
        now: Some(0),
        ..timed.clone()
    };
    assert_eq!(
        render(&later, template),
        certificate,
        "the file's time counts"
    );
}

#[test]
fn values_are_read_strictly() {
    let header = "apiVersion: cairn.dev/v1\nkind: GeneratedValues\nspec:\n";
    for (text, problem) in [
        ("  calls: [{function: f, seed: true}]", "seed"),
        ("  calls: [{seeded: true}]", "function"),
        ("  calls: [{function: f, occurrence: 0}]", "0"),
        ("  now: yesterday", "yesterday"),
    ] {
        let (values, diagnostics) = read_values(&format!("{header}{text}\n"));
        assert!(values.is_none(), "{text}");
        let said = format!("{diagnostics:?}");
        assert!(said.contains(problem), "{text}: {said}");
    }
}

const OBJECTS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: data}
data: {k: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: data}
data: {k: two}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: m}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: data}
data: {k: later}
---
apiVersion: v1
kind: Node
metadata: {name: host}
spec: {count: 3}
";

#[test]
fn lookup_answers_as_a_cluster_with_the_objects() {
    let host = ChartHost {
        objects: objects(OBJECTS),
        ..ChartHost::default()
    };
    for (template, expected) in [
        (
            r#"{{ (lookup "v1" "ConfigMap" "data" "a").data.k }}"#,
            "two",
        ),
        (
            r#"{{ (lookup "v1" "ConfigMap" "data" "b").data.k }}"#,
            "later",
        ),
        (r#"{{ lookup "v1" "ConfigMap" "data" "c" }}"#, "map[]"),
        (r#"{{ lookup "v1" "ConfigMap" "" "a" }}"#, "map[]"),
        (r#"{{ lookup "v2" "ConfigMap" "data" "a" }}"#, "map[]"),
        (r#"{{ lookup "v1" "Pod" "" "" }}"#, "map[]"),
        (
            r#"{{ range (lookup "v1" "ConfigMap" "" "").items }}{{ .metadata.namespace }}/{{ .metadata.name }} {{ end }}"#,
            "data/a data/b m/a ",
        ),
        (
            r#"{{ $l := lookup "v1" "ConfigMap" "m" "" }}{{ $l.kind }} {{ $l.apiVersion }} {{ len $l.items }} {{ $l.metadata.resourceVersion | quote }}"#,
            "ConfigMapList v1 1 \"\"",
        ),
        (
            r#"{{ $n := lookup "v1" "Node" "" "host" }}{{ printf "%T %d" $n.spec.count $n.spec.count }}"#,
            "int64 3",
        ),
        (r#"{{ len (lookup "v1" "Node" "data" "").items }}"#, "1"),
    ] {
        assert_eq!(render(&host, template), expected, "{template}");
    }
}

#[test]
fn what_is_no_object_is_reported() {
    let (objects, diagnostics) =
        read_objects("kind: Secret\nmetadata: {name: s}\n---\nkind: List\nitems: [1]\n---\n- x\n");
    let messages: Vec<&str> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "an object has no `apiVersion`",
            "an object has no `apiVersion`",
            "an object has no `apiVersion`"
        ]
    );
    assert!(diagnostics.iter().all(|one| one.code == "object-shape"));
    let host = ChartHost {
        objects,
        ..ChartHost::default()
    };
    assert_eq!(
        render(&host, r#"{{ lookup "v1" "Secret" "" "s" }}"#),
        "map[]"
    );
}
