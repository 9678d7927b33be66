//! Each value knows who wrote it, and whom it overrode.

use std::fmt::Write as _;

use cairn_spec::Node;

use crate::charts::{Run, files};

/// The writers of the value at a path, the last one first, each as `place: text`.
fn history(run: &Run, root: &Node, path: &str) -> String {
    let keys: Vec<&str> = path.split('.').collect();
    let node = root.at(&keys);
    let (last, above) = keys.split_last().unwrap();
    let origin = node.map_or_else(
        || {
            root.at(above)
                .unwrap()
                .value
                .as_map()
                .unwrap()
                .tombstone(last)
                .unwrap()
        },
        |node| node.origin,
    );
    let mut out = String::new();
    for writer in run.origins.history(origin) {
        let span = writer.span.unwrap();
        let text = &run.sources.get(span.source).text[span.start as usize..span.end as usize];
        let place = run.sources.locate(span);
        let _ = write!(out, "{place} {text} < ");
    }
    out.trim_end_matches(" < ").to_owned()
}

fn histories(
    charts: &[(&str, &str)],
    arguments: &[&str],
    user: &[(&str, &str)],
    paths: &[&str],
) -> Vec<String> {
    let mut run = Run::default();
    let arguments: Vec<String> = arguments
        .iter()
        .map(|&argument| argument.to_owned())
        .collect();
    let outcome = run
        .outcome(&files(charts), &arguments, &files(user))
        .unwrap_or_else(|error| panic!("{error}"));
    paths
        .iter()
        .map(|path| history(&run, &outcome.values, path))
        .collect()
}

const PARENT: (&str, &str) = ("Chart.yaml", "{apiVersion: v2, name: p, version: 1.0.0}");
const CHILD: (&str, &str) = (
    "charts/sub/Chart.yaml",
    "{apiVersion: v2, name: sub, version: 1.0.0}",
);

#[test]
fn each_layer_is_a_writer() {
    let found = histories(
        &[
            PARENT,
            ("values.yaml", "a: 1\nsub: {x: parent}"),
            CHILD,
            ("charts/sub/values.yaml", "x: child\nz: child"),
        ],
        &[
            "-f",
            "one.yaml",
            "-f",
            "two.yaml",
            "--set",
            "sub.x=set,a=3",
            "--set-json",
            "b={\"c\": [4]}",
        ],
        &[("one.yaml", "a: 8"), ("two.yaml", "a: 9\nsub:\n  x: file")],
        &["a", "sub.x", "sub.z", "b.c"],
    );
    assert_eq!(
        found,
        [
            "--set:1:13 3 < two.yaml:1:4 9 < one.yaml:1:4 8 < p/values.yaml:1:4 1",
            "--set:1:7 set < two.yaml:3:6 file < p/values.yaml:2:10 parent < p/charts/sub/values.yaml:1:4 child",
            "p/charts/sub/values.yaml:2:4 child",
            "--set-json:1:9 [4]",
        ]
    );
}

#[test]
fn a_null_is_remembered_where_it_deleted() {
    let found = histories(
        &[PARENT, ("values.yaml", "a: 1\nb: {c: 2, d: null}")],
        &["-f", "one.yaml", "--set", "b.c=null"],
        &[("one.yaml", "a: ~")],
        &["a", "b.c", "b.d"],
    );
    assert_eq!(
        found,
        [
            "one.yaml:1:4 ~ < p/values.yaml:1:4 1",
            "--set:1:5 null < p/values.yaml:2:8 2",
            "p/values.yaml:2:14 null",
        ]
    );
}

#[test]
fn globals_keep_the_writer_above() {
    let found = histories(
        &[
            PARENT,
            ("values.yaml", "global: {a: parent, t: {k: parent}}"),
            CHILD,
            (
                "charts/sub/values.yaml",
                "global: {a: child, b: child, t: {k: child}}",
            ),
        ],
        &[],
        &[],
        &["sub.global.a", "sub.global.b", "sub.global.t.k", "global.a"],
    );
    assert_eq!(
        found,
        [
            "p/values.yaml:1:13 parent < p/charts/sub/values.yaml:1:13 child",
            "p/charts/sub/values.yaml:1:23 child",
            "p/values.yaml:1:28 parent < p/charts/sub/values.yaml:1:37 child",
            "p/values.yaml:1:13 parent",
        ]
    );
}

#[test]
fn imported_values_point_at_the_child() {
    let found = histories(
        &[
            (
                "Chart.yaml",
                "{apiVersion: v2, name: p, version: 1.0.0, dependencies: [{name: sub, version: 1.0.0, import-values: [data]}]}",
            ),
            ("values.yaml", "host: parent"),
            CHILD,
            (
                "charts/sub/values.yaml",
                "exports: {data: {host: child, port: 80}}",
            ),
        ],
        &["--set", "port=81"],
        &[],
        &["port", "host"],
    );
    assert_eq!(
        found,
        [
            "--set:1:6 81 < p/charts/sub/values.yaml:1:37 80",
            "p/values.yaml:1:7 parent < p/charts/sub/values.yaml:1:24 child",
        ]
    );
}

#[test]
fn a_file_is_behind_the_path_that_names_it() {
    let mut run = Run::default();
    let user = files(&[("key.pem", "secret\n")]);
    let values = run
        .overrides(
            &["--set-file".to_owned(), "tls.key=key.pem".to_owned()],
            &user,
        )
        .unwrap();
    let origin = run.origins.get(values.at(&["tls", "key"]).unwrap().origin);
    assert_eq!(run.sources.locate(origin.span.unwrap()), "--set-file:1:9");
    let content = run.origins.span(origin.refers_to.unwrap()).unwrap();
    assert_eq!(run.sources.locate(content), "key.pem:1:1");
}
