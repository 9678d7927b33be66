//! A small Palette pack becomes a pack; snapshots of its files and of the report.

use std::fmt::Write as _;

use cairn_spec::FileTree;

use super::*;

const PACK_JSON: &str = r#"{
  "name": "web", "displayName": "Web", "version": "v1.2", "layer": "addon",
  "addonType": "app services", "cloudTypes": ["maas", "edge"],
  "annotations": {"source": "community", "docsURL": "https://example.com/web", "system_state": "deprecated"},
  "charts": ["charts/web-1.2.0.tgz", "charts/gone-1.0.0.tgz"],
  "kubeManifests": ["manifests/hello.yaml", "manifests/plain.yaml", "manifests/old.yaml"],
  "constraints": {
    "dependencies": [
      {"packName": "kubernetes", "layer": "k8s", "minVersion": "1.27", "maxVersion": "", "type": "optional"},
      {"packName": "certs", "layer": "addon", "minVersion": "1.01.0", "type": "required"},
      {"packName": "other", "layer": "addon", "minVersion": "1.0.0", "maxVersion": "2.0.0", "type": "optional"},
      {"packName": "rival", "layer": "addon", "type": "notSupported"},
      {"packName": "web", "layer": "addon", "maxVersion": "1.1.0", "type": "upgrade"}
    ],
    "resources": [{"type": "cpu", "minLimit": 100}]
  },
  "eol": "2027-01-01"
}"#;

const VALUES: &str = r#"# spectrocloud.com/enabled-presets: size:large

# Where it goes.
pack:
  namespace: web
  namespaceLabels:
    "web": "a=b,version=v{{ .spectro.system.kubernetes.version | substr 0 4 }}"
    "extra": "c=d"
  additionalNamespaces: "one,Two"
  releaseNameOverride: {web: front}
  spectrocloud.com/install-priority: "10"
  content:
    images:
      - image: nginx:1

# Everything of the chart.
charts:
  web:
    # How many.
    replicas: 2
    cluster: "{{ .spectro.system.cluster.name }}"
    mode: {a: 1, b: {c: 2, d: 3}}
  api: {}

readinessCheck:
  v1beta1: []
manifests:
  hello:
    text: hi
"#;

const PRESETS: &str = r"presets:
- name: Large One
  displayName: Large
  group: Size
  remove: [charts.web.mode, charts.web.unknown]
  add: |
    charts:
      web:
        replicas: 5
        mode: {b: {c: 7}}
- name: broken
  add: 'a: ['
";

const SCHEMA: &str = r#"charts.web.replicas:
  schema: '{{ required | format "${number:[1-9]}" | hints "How many copies run." }}'
charts.web.list.$[].ip:
  schema: '{{ format "${ipv4}" }}'
charts.web.mode.a:
  schema: '{{ readonly }}'
pack.namespace:
  schema: '{{ required }}'
charts.web.odd:
  schema: '{{ format "${matrix}" }}'
"#;

fn chart_archive(name: &str) -> Vec<u8> {
    let mut chart = FileTree::new();
    chart.put(
        &format!("{name}/Chart.yaml"),
        format!("apiVersion: v2\nname: {name}\nversion: 1.2.0\n"),
    );
    cairn_spec::gzip(&cairn_spec::write_tar(&chart))
}

fn palette_pack() -> FileTree {
    let mut tree = FileTree::new();
    tree.put("pack.json", PACK_JSON);
    tree.put("values.yaml", VALUES);
    tree.put("presets.yaml", PRESETS);
    tree.put("schema.yaml", SCHEMA);
    tree.put("charts/web-1.2.0.tgz", chart_archive("web"));
    tree.put(
        "manifests/hello.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello}\ndata: {text: \"{{ .Values.text }} from {{ .spectro.system.cluster.name }}\"}\n",
    );
    tree.put(
        "manifests/plain.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n",
    );
    tree.put(
        "manifests/old.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\ndata: {mode: yes}\n",
    );
    tree.put("test.sh", "exit 1\n");
    tree
}

fn shown(tree: &FileTree) -> String {
    let (session, import) = import_palette("web", tree, ChanceCalls::Reported);
    let mut out = String::new();
    for finding in session.diagnostics.iter() {
        let _ = writeln!(out, "[{}] {}", finding.code, finding.message);
    }
    let Some(import) = import else { return out };
    for (path, file) in import.tree.iter() {
        let text = match str::from_utf8(&file.bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("({} bytes)\n", file.bytes.len()),
        };
        let _ = writeln!(out, "=== {path}\n{text}");
    }
    out
}

fn notes(tree: &FileTree) -> String {
    let (_, import) = import_palette("web", tree, ChanceCalls::Reported);
    let mut out = String::new();
    for note in import.unwrap().notes {
        let _ = writeln!(
            out,
            "{} {}: {}",
            note.outcome.as_str(),
            note.what,
            note.note
        );
    }
    out
}

#[test]
fn a_palette_pack_becomes_a_pack() {
    insta::assert_snapshot!(shown(&palette_pack()));
}

#[test]
fn what_is_changed_or_left_out_is_reported() {
    insta::assert_snapshot!(notes(&palette_pack()));
}

/// The Palette pack with other files, some of them instead of its own.
fn palette_pack_with(files: &[(&str, Vec<u8>)]) -> FileTree {
    let mut tree = FileTree::new();
    for (path, file) in palette_pack().iter() {
        if files.iter().all(|(other, _)| *other != path.as_str()) {
            tree.put(path.as_str(), file.bytes.to_vec());
        }
    }
    for (path, bytes) in files {
        tree.put(path, bytes.clone());
    }
    tree
}

#[test]
fn what_a_chart_takes_of_chance_is_reported_or_seeded() {
    let mut chart = FileTree::new();
    chart.put(
        "api/Chart.yaml",
        "apiVersion: v2\nname: api\nversion: 1.0.0\n",
    );
    chart.put(
        "api/templates/secret.yaml",
        "{{- $key := genPrivateKey \"ed25519\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: api}\nstringData: {password: {{ .Values.password | default (randAlphaNum 9) }}}\n",
    );
    let json = PACK_JSON.replace("charts/gone-1.0.0.tgz", "charts/api-1.0.0.tgz");
    let tree = palette_pack_with(&[
        ("pack.json", json.into()),
        (
            "charts/api-1.0.0.tgz",
            cairn_spec::gzip(&cairn_spec::write_tar(&chart)),
        ),
    ]);
    let of = |chance| {
        let (_, import) = import_palette("web", &tree, chance);
        let import = import.unwrap();
        let notes = import
            .notes
            .iter()
            .filter(|note| note.what.starts_with("charts/api:"));
        let notes: Vec<String> = notes
            .map(|note| format!("{} {}", note.outcome.as_str(), note.what))
            .collect();
        let chart = import.manifest.spec.charts.last().unwrap();
        let generated = serde_json::to_string(&chart.generated).unwrap();
        format!("{}\n{generated}", notes.join("\n"))
    };
    insta::assert_snapshot!(of(ChanceCalls::Reported), @"
        left-out charts/api: `genPrivateKey` in `api/templates/secret.yaml`, `randAlphaNum` in `api/templates/secret.yaml`
        {}
        ");
    let now = "2026-01-31T12:00:00Z".parse().unwrap();
    insta::assert_snapshot!(of(ChanceCalls::Seeded(now)), @r#"
        changed charts/api: `genPrivateKey` in `api/templates/secret.yaml`, `randAlphaNum` in `api/templates/secret.yaml`
        {"now":"2026-01-31T12:00:00Z","calls":[{"function":"genPrivateKey","template":"api/templates/secret.yaml","seeded":true},{"function":"randAlphaNum","template":"api/templates/secret.yaml","seeded":true}]}
        "#);
}

#[test]
fn braces_that_are_no_template_are_printed_as_they_are() {
    let tree = palette_pack_with(&[
        (
            "manifests/plain.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: \"{{workflow.name}}\"}\n".into(),
        ),
        (
            "manifests/old.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\ndata: {a: yes, b: \"{{workflow.name}}\"}\n".into(),
        ),
    ]);
    let (_, import) = import_palette("web", &tree, ChanceCalls::Reported);
    let import = import.unwrap();
    let text = |path: &str| {
        let file = import.tree.get(path).unwrap();
        String::from_utf8(file.bytes.to_vec()).unwrap()
    };
    assert!(text("manifests/plain.yaml").ends_with("{a: \"{{workflow.name}}\"}\n"));
    assert!(text("templates/old.yaml.gotmpl").ends_with("b: \"{{ `{{` }}workflow.name}}\"}\n"));
}

#[test]
fn what_is_no_palette_pack_is_refused() {
    let mut without_json = FileTree::new();
    without_json.put("values.yaml", "");
    let of = |json: &str, values: &str| {
        let mut tree = FileTree::new();
        tree.put("pack.json", json);
        tree.put("values.yaml", values);
        shown(&tree)
    };
    let json =
        |rest: &str| format!(r#"{{"name": "a", "version": "1.0.0", "layer": "addon"{rest}}}"#);
    insta::assert_snapshot!(
        [
            shown(&without_json),
            of("{", ""),
            of(r#"{"name": "?", "version": "1.0.0", "layer": "addon"}"#, ""),
            of(r#"{"name": "a", "version": "new", "layer": "addon"}"#, ""),
            of(r#"{"name": "a", "version": "1.0.0", "layer": "roof"}"#, ""),
            of(r#"{"name": "a", "version": "1.0.0-01", "layer": "addon"}"#, ""),
            of(&json(""), "a: [\n"),
            of(&json(""), "- a\n"),
            of(&json(r#", "charts": 7"#), ""),
        ]
        .concat(),
        @"
        [import-palette] `web` is not a Palette pack: it has no `pack.json`
        [import-palette] `pack.json` cannot be read: EOF while parsing an object at line 1 column 1
        [import-palette] `web/pack.json` has no usable `name`
        [import-palette] `web/pack.json` has no usable `version`: `new` is not a version: expected `MAJOR.MINOR.PATCH` (unexpected character 'n' while parsing major version number)
        [import-palette] `web/pack.json` is of the unknown layer `roof`
        [import-palette] `web/pack.json` has no usable `version`: `1.0.0-01` is not a version: expected `MAJOR.MINOR.PATCH` (invalid leading zero in pre-release identifier)
        [import-yaml] `web/values.yaml` is not YAML: error converting YAML to JSON: yaml: line 1: did not find expected node content
        [import-yaml] `web/values.yaml` is not YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}
        [import-palette] `pack.json` cannot be read: invalid type: integer `7`, expected a sequence at line 1 column 63
        "
    );
}

#[test]
fn the_go_templates_render_with_the_values_of_their_manifest() {
    let (_, import) = import_palette("web", &palette_pack(), ChanceCalls::Reported);
    let import = import.unwrap();
    let mut tree = FileTree::new();
    for (path, file) in import.tree.iter() {
        if path.below("charts").is_none() && path.as_str() != "pack.yaml" {
            tree.put(path.as_str(), file.bytes.to_vec());
        }
    }
    let mut manifest = import.manifest.clone();
    manifest.spec.charts.clear();
    tree.put("pack.yaml", manifest_text(&manifest));
    let mut session = Session::default();
    let pack = crate::pack::load("web", &tree, &mut session).unwrap();
    let kubernetes = cairn_spec::Version::new(1, 34, 0);
    let mut values = pack.values.clone();
    set_cluster(&mut values);
    let output =
        crate::pack_render::render_pack(&pack, &[], Some(&values), &kubernetes, &mut session);
    assert!(session.diagnostics.is_empty(), "{:#?}", session.diagnostics);
    let shown: Vec<String> = output
        .objects
        .iter()
        .filter_map(|object| {
            Some(format!(
                "{}: {}",
                object.id,
                object.node.get("data")?.to_json()
            ))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
        ConfigMap web/hello: {"text":"hi from test"}
        ConfigMap web/old: {"mode":true}
        "#);
}

/// Sets the value that Palette's macro stood for, which is an error until it is done.
fn set_cluster(values: &mut Node) {
    let charts = values.as_map_mut().unwrap().get_mut("charts").unwrap();
    let web = charts.as_map_mut().unwrap().get_mut("web").unwrap();
    web.as_map_mut()
        .unwrap()
        .insert("cluster", Node::generated(Value::from("shop")));
}
