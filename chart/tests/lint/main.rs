//! Findings about values and the templates that read them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;

use cairn_chart::{Chart, ChartFile, Dialect, lint, load, values};
use cairn_spec::{Diagnostic, Map, Node, Origins, SourceKind, Sources};
use cairn_template::go_yaml::{self, ReadOptions};

const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "{apiVersion: v2, name: web, version: 1.0.0, dependencies: [{name: db, version: 1.0.0, alias: store, condition: store.enabled}]}",
    ),
    (
        "values.yaml",
        "replicas: 2\nimage:\n  repository: web\n  tag: v1\nresources: {limits: {cpu: 1}}\nannotations: {}\naffinity: null\nhosts: [a]\nglobal: {zone: a}\n",
    ),
    (
        "values.schema.json",
        r#"{"properties": {"pull": {"type": "object", "properties": {"policy": {"type": "string"}}}}}"#,
    ),
    (
        "templates/web.yaml",
        "a: {{ .Values.replicas }}\nb: {{ .Values.image.repository }}:{{ .Values.image.tagx }}\nc: {{ toYaml .Values.resources }}\nd: {{ .Values.annotations.x }}{{ .Values.affinity.y }}\ne: {{ .Values.global.zone }}{{ .Values.global.region }}\nf: {{ .Values.extra }}{{ .Values.image.tagx }}\n",
    ),
    (
        "charts/db/Chart.yaml",
        "{apiVersion: v2, name: db, version: 1.0.0}",
    ),
    ("charts/db/values.yaml", "size: 1\nglobal: {region: eu}\n"),
    (
        "charts/db/templates/db.yaml",
        "a: {{ .Values.size }}\nb: {{ .Values.sizex }}\n",
    ),
];

struct Linted {
    sources: Sources,
    origins: Origins,
    chart: Chart,
}

impl Linted {
    fn new() -> Self {
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let files = CHART.iter().map(|&(path, text)| ChartFile::new(path, text));
        let chart = load(files.collect(), "web", &mut sources, &mut origins).unwrap();
        Self {
            sources,
            origins,
            chart,
        }
    }

    fn read(&mut self, text: &str) -> Node {
        let source = self.sources.add("my.yaml", text, SourceKind::Profile);
        let options = ReadOptions {
            source: Some(source),
            ..ReadOptions::default()
        };
        go_yaml::read_map(text.as_bytes(), &options, &mut self.origins).unwrap()
    }

    fn shown(&self, findings: &[Diagnostic]) -> Vec<String> {
        let shown = findings.iter().map(|finding| {
            let place = self.sources.locate(finding.labels[0].span);
            let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
            format!("{place} {}{}", finding.message, hint.unwrap_or_default())
        });
        shown.collect()
    }
}

fn user_findings(text: &str) -> Vec<String> {
    let mut linted = Linted::new();
    let values = linted.read(text);
    let findings = lint::user_values(&linted.chart, &values, &linted.sources, &linted.origins);
    linted.shown(&findings)
}

#[test]
fn values_that_the_chart_does_not_know() {
    assert_eq!(
        user_findings(
            "replica: 3\nimage: {repositoryx: x}\nstore: {sizes: 2}\nmore: 1\npull: {policyx: x}"
        ),
        [
            "my.yaml:2:9 nothing in the chart knows the value `image.repositoryx` (did you mean `repository`?)",
            "my.yaml:4:1 nothing in the chart knows the value `more`",
            "my.yaml:5:8 nothing in the chart knows the value `pull.policyx` (did you mean `policy`?)",
            "my.yaml:1:1 nothing in the chart knows the value `replica` (did you mean `replicas`?)",
            "my.yaml:3:9 nothing in the chart knows the value `store.sizes` (did you mean `size`?)",
        ]
    );
}

#[test]
fn values_that_may_be_anything() {
    assert_eq!(
        user_findings(
            "resources: {requests: {cpu: 2}}\nannotations: {a: b}\naffinity: {z: 1}\nextra: 1\ntags: {x: true}\nstore: {enabled: true, size: 3}\nglobal: {region: us}\npull: {policy: Always}\nreplicas: null"
        ),
        [""; 0]
    );
}

#[test]
fn values_of_another_kind() {
    assert_eq!(
        user_findings("replicas: '3'\nimage: web\nhosts: {a: 1}\nstore: {size: true}"),
        [
            "my.yaml:3:8 `hosts` is a map here and a list by default (write a list, unless the templates take both)",
            "my.yaml:2:8 `image` is a string here and a map by default (write a map, unless the templates take both)",
            "my.yaml:1:11 `replicas` is a string here and a number by default (write a number, unless the templates take both)",
            "my.yaml:4:15 `store.size` is a boolean here and a number by default (write a number, unless the templates take both)",
        ]
    );
}

#[test]
fn paths_without_a_default() {
    let linted = Linted::new();
    let findings = lint::undefined_values(&linted.chart, &linted.sources);
    assert_eq!(
        linted.shown(&findings),
        [
            "web/charts/db/templates/db.yaml:2:7 `.Values.sizex` is read, but no default has `sizex` (did you mean `size`?)",
            "web/templates/web.yaml:2:38 `.Values.image.tagx` is read, but no default has `tagx` (did you mean `tag`?)",
            "web/templates/web.yaml:5:32 `.Values.global.region` is read, but no default has `region`",
            "web/templates/web.yaml:6:7 `.Values.extra` is read, but no default has `extra`",
        ]
    );
}

#[test]
fn values_that_nothing_reads() {
    let mut linted = Linted::new();
    let user = Node::generated(Map::new());
    let (origins, dialect) = (&mut linted.origins, Dialect::Helm4);
    let values = values::coalesce(&linted.chart, &user, dialect, origins, &mut Vec::new()).unwrap();
    let read = [
        "/replicas",
        "/image/repository",
        "/resources",
        "/annotations",
        "/db/global/zone",
    ];
    let read: BTreeSet<String> = read.map(str::to_owned).into();
    let findings = lint::unused_values(&values, &read, &linted.origins);
    assert_eq!(
        linted.shown(&findings),
        [
            "web/charts/db/values.yaml:2:10 no template reads the value `db.global.region`",
            "web/charts/db/values.yaml:1:1 no template reads the value `db.size`",
            "web/values.yaml:8:1 no template reads the value `hosts`",
            "web/values.yaml:4:3 no template reads the value `image.tag`",
        ]
    );
}
