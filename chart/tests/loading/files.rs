//! Which file of a chart becomes what.

use cairn_chart::{ChartFile, ChartType, Dialect, ImportValues, load, load_as};
use cairn_spec::{Origins, SourceKind, Sources};

use crate::{METADATA, load_files};

fn file(path: &str, text: &str) -> ChartFile {
    ChartFile::new(path, text.as_bytes().to_vec())
}

#[test]
fn each_file_finds_its_place() {
    let files = vec![
        file("Chart.yaml", METADATA),
        file("Chart.lock", "digest: x"),
        file("README.md", "read me"),
        file("charts/a-1.tgz.prov", "signature"),
        file(
            "charts/b/Chart.yaml",
            "{apiVersion: v1, name: b, version: '1'}",
        ),
        file(
            "charts/a/Chart.yaml",
            "{apiVersion: v2, name: z, version: '1'}",
        ),
        file("charts/a/templates/x.yaml", "kind: X"),
        file("crds/crd.yaml", "kind: CustomResourceDefinition"),
        file("requirements.yaml", "{}"),
        file("templates/_helpers.tpl", "{{ define \"x\" }}{{ end }}"),
        file("templates/deep/a.yaml", "kind: A"),
        file("values.schema.json", "{}"),
        file("values.yaml", "\u{feff}a: 1"),
    ];
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let chart = load(files, "shown", &mut sources, &mut origins).unwrap();
    let paths = |files: &[ChartFile]| {
        let paths = files.iter().map(|file| file.path.to_string());
        paths.collect::<Vec<_>>()
    };
    assert_eq!(
        paths(&chart.files),
        ["README.md", "charts/a-1.tgz.prov", "crds/crd.yaml"]
    );
    let templates: Vec<_> = chart.templates.iter().map(|file| &*file.path).collect();
    assert_eq!(
        templates,
        ["templates/_helpers.tpl", "templates/deep/a.yaml"]
    );
    assert_eq!(chart.schema.as_deref(), Some(&b"{}"[..]));
    let names: Vec<_> = chart
        .dependencies
        .iter()
        .map(cairn_chart::Chart::name)
        .collect();
    assert_eq!(names, ["z", "b"], "in the order of their folders");

    let template = sources.get(chart.dependencies[0].templates[0].source);
    assert_eq!(&*template.name, "shown/charts/a/templates/x.yaml");
    assert_eq!(template.kind, SourceKind::Template);
    let values = sources.get(chart.values_source.unwrap());
    assert_eq!(
        (&*values.text, values.kind),
        ("a: 1", SourceKind::ChartDefaults)
    );
    let place = origins.span(chart.values.get("a").unwrap().origin).unwrap();
    assert_eq!(sources.locate(place), "shown/values.yaml:1:4");
}

#[test]
fn metadata_is_read_as_go_reads_it() {
    let text = "
apiVersion: v1
NAME: 12
version: 1.10
appVersion: 1e3
deprecated: yes
type: application
description: \"a\\tb\\u200b\"
annotations: {a: 1.50, b: on, c: null}
keywords: [1, x, null]
maintainers: [{name: me, Email: a@b}]
";
    let requirements = "
dependencies:
- name: db
  version: 1
  repository: https://charts.example
  condition: db.enabled
  tags: [a, 1]
  import-values: [data, {child: x, parent: y}, {child: 1}, 5]
  alias: store
";
    let chart = load_files(vec![
        file("Chart.yaml", text),
        file("requirements.yaml", requirements),
    ])
    .unwrap();
    let metadata = chart.metadata;
    assert_eq!(metadata.name, "12");
    assert_eq!(metadata.version, "1.1");
    assert_eq!(metadata.app_version, "1000");
    assert!(metadata.deprecated);
    assert_eq!(metadata.chart_type, ChartType::Application);
    assert_eq!(metadata.description, "a b");
    let annotations: Vec<_> = metadata.annotations.values().map(String::as_str).collect();
    assert_eq!(annotations, ["1.5", "true", ""]);
    assert_eq!(metadata.keywords, ["1", "x", ""]);
    assert_eq!(metadata.maintainers[0].email, "a@b");
    let dependency = &metadata.dependencies.as_ref().unwrap()[0];
    assert_eq!((&*dependency.name, &*dependency.alias), ("db", "store"));
    assert_eq!((&*dependency.version, &*dependency.tags[1]), ("1", "1"));
    let imports = format!("{:?}", dependency.import_values);
    assert!(
        matches!(
            dependency.import_values.as_slice(),
            [
                ImportValues::Export(_),
                ImportValues::Path { .. },
                ImportValues::Path { parent, .. },
                ImportValues::Other(_),
            ] if parent == "<nil>"
        ),
        "{imports}"
    );
    assert_eq!(&*chart.files[0].path, "requirements.yaml");
}

#[test]
fn documents_of_values_are_merged() {
    let values = "a: {b: 1, c: [1]}\nd: 1\n---\na: {c: null, e: 2}\nd: {f: 1}\n";
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let files = vec![file("Chart.yaml", METADATA), file("values.yaml", values)];
    let chart = load(files, "web", &mut sources, &mut origins).unwrap();
    assert_eq!(
        chart.values.to_json(),
        serde_json::json!({"a": {"b": 1.0, "c": null, "e": 2.0}, "d": {"f": 1.0}})
    );
    let replaced = chart.values.at(&["a", "c"]).unwrap().origin;
    let history: Vec<_> = origins
        .history(replaced)
        .map(|origin| sources.locate(origin.span.unwrap()))
        .collect();
    assert_eq!(history, ["web/values.yaml:4:8", "web/values.yaml:1:14"]);
}

#[test]
fn a_template_that_is_not_utf_8_is_loaded() {
    let chart = load_files(vec![
        file("Chart.yaml", METADATA),
        ChartFile::new("templates/a.yaml", b"a: \xff".to_vec()),
    ]);
    assert_eq!(chart.unwrap().templates.len(), 1);
}

#[test]
fn findings_point_at_the_place() {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let mut finding = |text: &str| {
        let files = vec![file("Chart.yaml", text)];
        let error = load(files, "web", &mut sources, &mut origins).unwrap_err();
        let diagnostic = error.diagnostic().clone();
        (diagnostic.code, sources.locate(diagnostic.labels[0].span))
    };
    assert_eq!(
        finding("name: a\nversion: [x]\n"),
        ("chart-metadata", "web/Chart.yaml:2:10".to_owned())
    );
    assert_eq!(
        finding("name: a\nversion: x\n"),
        ("chart-metadata", "web/Chart.yaml:2:10".to_owned())
    );
    assert_eq!(
        finding("name: a\n\tversion: x\n"),
        ("chart-metadata", "web/Chart.yaml:2:1".to_owned())
    );
}

#[test]
fn helm_3_calls_the_types_otherwise_and_leaves_texts_alone() {
    let error = |more: ChartFile| {
        let files = vec![file("Chart.yaml", METADATA), more];
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let loaded = load_as(Dialect::Helm3, files, "shown", &mut sources, &mut origins);
        loaded.unwrap_err().to_string()
    };
    let types = error(file("Chart.lock", "dependencies: 1"));
    assert!(types.ends_with("of type []*chart.Dependency"), "{types}");
    let text = error(file("Chart.lock", "generated: v2.0"));
    assert!(
        text.ends_with("cannot parse \"v2.0\" as \"2006\""),
        "{text}"
    );
}
