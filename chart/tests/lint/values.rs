//! Values that are unknown, of another kind, undefined or unused.

use crate::{findings, findings_with};

const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "{apiVersion: v2, name: web, version: 1.0.0, icon: https://example.com/web.svg, dependencies: [{name: db, version: 1.0.0, alias: store, condition: store.enabled}]}",
    ),
    (
        "values.yaml",
        "replicas: 2\nimage:\n  repository: web\n  tag: v1\nresources: {limits: {cpu: 1}}\nannotations: {}\naffinity: null\nhosts: [a]\nglobal: {zone: a}\n# port: 80\n",
    ),
    (
        "values.schema.json",
        r#"{"properties": {"pull": {"type": "object", "properties": {"policy": {"type": "string"}}}}}"#,
    ),
    (
        "templates/web.yaml",
        "a: {{ .Values.replicas }}\nb: {{ .Values.image.repository }}:{{ .Values.image.tag }}\nc: {{ toYaml .Values.resources }}\nd: {{ .Values.annotations.x }}{{ with .Values.affinity }}{{ .y }}{{ end }}\ne: {{ .Values.global.zone }}\nf: {{ .Values.hosts }}{{ if .Values.debug }}g{{ end }}{{ .Values.pull }}\n",
    ),
    (
        "charts/db/Chart.yaml",
        "{apiVersion: v2, name: db, version: 1.0.0}",
    ),
    ("charts/db/values.yaml", "size: 1\nglobal: {region: eu}\n"),
    ("charts/db/templates/db.yaml", "a: {{ .Values.size }}\n"),
];

/// What is said of the user's values.
fn of_user(text: &str) -> Vec<String> {
    let mut all = findings_with(CHART, text, None);
    all.retain(|finding| finding.contains("] my.yaml:"));
    all
}

#[test]
fn values_that_the_chart_does_not_know() {
    assert_eq!(
        of_user(
            "replica: 3\nimage: {repositoryx: x}\nstore: {sizes: 2}\nmore: 1\nsize: 3\npull: {policyx: x}"
        ),
        [
            "warning[chart-value-unknown] my.yaml:2:9 nothing in the chart knows the value `image.repositoryx` (did you mean `repository`?)",
            "warning[chart-value-unknown] my.yaml:4:1 nothing in the chart knows the value `more` (no hint)",
            "warning[chart-value-unknown] my.yaml:1:1 nothing in the chart knows the value `replica` (did you mean `replicas`?)",
            "warning[chart-value-unknown] my.yaml:5:1 nothing in the chart knows the value `size` (did you mean `store.size`?)",
            "warning[chart-value-unknown] my.yaml:3:9 nothing in the chart knows the value `store.sizes` (did you mean `size`?)",
        ]
    );
}

#[test]
fn values_that_may_be_anything() {
    assert_eq!(
        of_user(
            "resources: {requests: {cpu: 2}, limits: {memory: 1}}\nannotations: {a: b}\naffinity: {z: 1}\ntags: {x: true}\nstore: {enabled: true, size: 3}\nglobal: {region: us}\npull: {policy: Always}\nreplicas: null\ndebug: true"
        ),
        [""; 0]
    );
}

#[test]
fn values_of_another_kind() {
    assert_eq!(
        of_user("replicas: '3'\nimage: web\nhosts: {a: 1}\nstore: {size: true}"),
        [
            "warning[chart-value-kind] my.yaml:3:8 `hosts` is a map here and a list by default (write a list, unless the templates take both)",
            "warning[chart-value-kind] my.yaml:2:8 `image` is a string here and a map by default (write a map, unless the templates take both)",
            "warning[chart-value-kind] my.yaml:4:15 `store.size` is a boolean here and a number by default (write a number, unless the templates take both)",
        ]
    );
}

#[test]
fn numbers_that_do_not_look_as_they_were_written_and_texts_that_are_true() {
    let chart = [
        ("values.yaml", "tag: v1\nid: x\ndebug: true\n"),
        (
            "templates/a.yaml",
            "a: {{ .Values.tag }}{{ .Values.id }}{{ .Values.debug }}\n",
        ),
    ];
    assert_eq!(
        findings_with(&chart, "tag: 1.10\nid: 1000000\ndebug: 'false'", None),
        [
            "warning[chart-value-kind] my.yaml:3:8 `debug` is a string here and a boolean by default (write `false` without quotes: to templates every text is true)",
            "warning[chart-value-kind] my.yaml:2:5 `id` is a number here and a string by default (write it in quotes: templates see the number 1e+06)",
            "warning[chart-value-kind] my.yaml:1:6 `tag` is a number here and a string by default (write it in quotes: templates see the number 1.1)",
        ]
    );
    assert_eq!(
        findings_with(&chart, "tag: 1.1\nid: 10\ndebug: false", None),
        [""; 0]
    );
}

#[test]
fn paths_that_nothing_sets() {
    let chart = [
        (
            "values.yaml",
            "image: {tag: v1}\nannotations: {}\nport: null\n# host: example.com\n",
        ),
        (
            "templates/a.yaml",
            "a: {{ .Values.image.tagx }}\nb: {{ .Values.replicas }}\nc: {{ if .Values.ingress }}{{ .Values.ingress.host }}{{ end }}\nd: {{ .Values.extra | default 1 }}\ne: {{ .Values.annotations.x }}{{ .Values.port }}\nf: {{ .Values.host }}\ng: {{ required \"say it\" .Values.must }}\nh: {{ if .Values.image.off }}{{ .Values.db.name }}{{ end }}\ni: {{ .Values.replicas }}\n",
        ),
    ];
    let all = findings_with(&chart, "must: 1", None);
    assert_eq!(
        all,
        [
            "warning[chart-value-undefined] web/templates/a.yaml:1:7 `.Values.image.tagx` is read, but nothing sets `tagx` (did you mean `tag`?)",
            "warning[chart-value-undefined] web/templates/a.yaml:2:7 `.Values.replicas` is read, but nothing sets `replicas` (set `replicas` in `values.yaml`, or read it with `default` or `if`)",
            "warning[chart-value-undefined] web/templates/a.yaml:8:33 `.Values.db.name` fails, for nothing sets `db` (set `db` in `values.yaml`, or read it with `default` or `if`)",
            "warning[chart-value-unused] web/values.yaml:1:9 no template reads the value `image.tag` (the templates read `tagx`: is that what is meant?)",
        ]
    );
}

#[test]
fn values_that_nothing_reads() {
    let chart = [
        (
            "values.yaml",
            "used: 1\nunused: 2\ndisabled: false\nnotTaken: 3\nimage: {tag: v1, digest: d}\npassed: {a: 1, b: 2}\nprinted: {a: 1}\nshared: &shared {x: 1}\ncopy: *shared\ntext: \"{{ .Values.inText }}\"\ninText: 1\nlooped: {a: 1}\nindexed: {a-b: 1, c: 2}\nnested: {one: {two: 1, three: 2}}\n",
        ),
        (
            "templates/a.yaml",
            "a: {{ .Values.used }}{{ if .Values.disabled }}{{ .Values.notTaken }}{{ end }}\nb: {{ .Values.image.tag }}\nc: {{ include \"x\" .Values.passed }}\nd: {{ .Values.printed | toJson | quote }}\nz: {{ .Values.copy.x }}\ne: {{ tpl .Values.text . }}{{ range .Values.looped }}{{ . }}{{ end }}\nf: {{ index .Values.indexed \"a-b\" }}\ng: {{ .Values.nested.one.two }}\n",
        ),
        ("templates/_x.tpl", "{{ define \"x\" }}{{ .a }}{{ end }}"),
    ];
    assert_eq!(
        findings(&chart),
        [
            "warning[chart-value-unused] web/values.yaml:5:18 no template reads the value `image.digest` (remove it, or read it in a template)",
            "warning[chart-value-unused] web/values.yaml:13:19 no template reads the value `indexed.c` (remove it, or read it in a template)",
            "warning[chart-value-unused] web/values.yaml:14:24 no template reads the value `nested.one.three` (remove it, or read it in a template)",
            "warning[chart-value-unused] web/values.yaml:2:1 no template reads the value `unused` (remove it, or read it in a template)",
        ]
    );
}

#[test]
fn values_of_charts_below_are_read_there() {
    let chart = [
        (
            "Chart.yaml",
            "{apiVersion: v2, name: web, version: 1.0.0, icon: https://example.com/web.svg, dependencies: [{name: db, version: 1.0.0, condition: db.enabled, import-values: [data]}, {name: lib, version: 1.0.0}]}",
        ),
        (
            "values.yaml",
            "db: {enabled: false, size: 2, sizes: 3}\nglobal: {zone: a, zones: b}\nfromLib: 1\n",
        ),
        (
            "charts/db/Chart.yaml",
            "{apiVersion: v2, name: db, version: 1.0.0}",
        ),
        (
            "charts/db/values.yaml",
            "size: 1\nexports: {data: {port: 1}}\n",
        ),
        (
            "charts/db/templates/db.yaml",
            "a: {{ .Values.size }}{{ .Values.global.zone }}\n",
        ),
        (
            "charts/lib/Chart.yaml",
            "{apiVersion: v2, name: lib, type: library, version: 1.0.0}",
        ),
        (
            "charts/lib/templates/_lib.tpl",
            "{{ define \"lib\" }}{{ .Values.fromLib }}{{ end }}",
        ),
    ];
    assert_eq!(
        findings(&chart),
        [
            "warning[chart-value-unused] web/values.yaml:1:31 no template reads the value `db.sizes` (remove it, or read it in a template)",
            "warning[chart-value-unused] web/values.yaml:2:19 no template reads the value `global.zones` (remove it, or read it in a template)",
        ]
    );
}

#[test]
fn examples_of_the_chart_read_values_too() {
    let chart = [
        ("values.yaml", "mode: a\nparts: {a: 1, b: 2}\n"),
        (
            "templates/a.yaml",
            "a: {{ get (merge (dict) .Values.parts) .Values.mode }}\n",
        ),
        ("ci/b-values.yaml", "mode: b\n"),
    ];
    assert_eq!(findings(&chart), [""; 0]);
}

#[test]
fn values_that_do_not_fit_the_schema() {
    let chart = [
        ("values.yaml", "replicas: 1\n"),
        (
            "values.schema.json",
            r#"{"properties": {"replicas": {"type": "integer"}}}"#,
        ),
        ("templates/a.yaml", "a: {{ .Values.replicas }}\n"),
    ];
    let all = findings_with(&chart, "replicas: many", None);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(
        all[0].starts_with("error[chart-schema] my.yaml:1:11 "),
        "{all:?}"
    );
}

#[test]
fn charts_may_ask_for_values() {
    let chart = [(
        "templates/a.yaml",
        "a: {{ required \"say who\" .Values.who }}\n",
    )];
    assert_eq!(
        findings(&chart),
        [
            "advice[template-required] web/templates/a.yaml:1:26 the chart asks for values: say who (give them with `-f` or `--set` to look at all that it renders)",
        ]
    );
    let all = findings_with(&chart, "whom: x", None);
    assert!(
        all.iter()
            .any(|finding| finding.starts_with("error[template-required]")),
        "{all:?}"
    );
}

#[test]
fn charts_that_make_their_values_and_helpers_that_look_them_up() {
    let chart = [
        ("values.yaml", "defaults: {port: 80}\nauth: {key: x}\n"),
        (
            "templates/zzz.yaml",
            "{{ $_ := set $ \"Values\" (mustMergeOverwrite (deepCopy .Values.defaults) .Values) }}",
        ),
        (
            "templates/a.yaml",
            "a: {{ .Values.port }}{{ include \"look\" (dict \"path\" \"auth.key\" \"context\" $) }}\n",
        ),
        (
            "templates/_look.tpl",
            "{{ define \"look\" }}{{ .path }}{{ end }}",
        ),
    ];
    assert_eq!(findings(&chart), [""; 0]);
}
