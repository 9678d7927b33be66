//! What Helm says of values that it does not merge, recorded from Helm 4.2.3.

use crate::charts::{Run, files};

const CHARTS: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "{apiVersion: v2, name: clash, version: 0.1.0, dependencies: [{name: sub, version: 0.1.0, condition: sub.deep.s, tags: [x], import-values: [nope, {child: a.b, parent: c}]}]}",
    ),
    (
        "values.yaml",
        "table: {a: 1, b: {c: 2}}\nscalar: 1\nlist: [1]\ntags: {x: flat}\nglobal: {t: {a: 1}, s: 1}\nsub: {table: flat, scalar: {now: table}, deep: {t: 1, s: {x: 1}}, global: {t: flat, s: {x: 1}}}\n",
    ),
    (
        "charts/sub/Chart.yaml",
        "{apiVersion: v2, name: sub, version: 0.1.0}",
    ),
    (
        "charts/sub/values.yaml",
        "table: {a: 1}\nscalar: 1\ndeep: {t: {u: [1, null, 1.5]}, s: 2}\n",
    ),
];

/// The warnings, sorted, each with its place.
fn warnings(arguments: &[&str]) -> Vec<String> {
    let mut run = Run::default();
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    run.outcome(&files(CHARTS), &arguments, &files(&[]))
        .unwrap();
    let mut all: Vec<String> = run
        .warnings
        .iter()
        .map(|warning| {
            let place = warning.labels.first();
            let place = place.map_or("nowhere".to_owned(), |label| run.sources.locate(label.span));
            format!("{place} {}", warning.message)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn what_is_no_table_is_named_in_helms_words() {
    assert_eq!(
        warnings(&[
            "--set",
            "scalar.x=1",
            "--set",
            "table.b=flat",
            "--set",
            "table.a.x=1"
        ]),
        [
            "--set:1:9 cannot overwrite table with non table for clash.table.b (map[c:2])",
            "nowhere the chart `sub` has no map at `a.b` to import: `a` is none",
            "nowhere the chart `sub` has no map at `exports.nope` to import: `exports` is none",
            "p/charts/sub/values.yaml:2:9 skipped value for clash.sub.scalar: Not a table.",
            "p/charts/sub/values.yaml:3:35 destination for clash.sub.deep.s is a table. Ignoring non-table value (2)",
            "p/values.yaml:1:12 destination for clash.table.a is a table. Ignoring non-table value (1)",
            "p/values.yaml:2:9 skipped value for clash.scalar: Not a table.",
            "p/values.yaml:4:11 the tag `x` of the chart `sub` is no boolean",
            "p/values.yaml:6:52 cannot overwrite table with non table for clash.sub.deep.t (map[u:[1 <nil> 1.5]])",
            "p/values.yaml:6:79 Conflict: cannot merge map onto non-map for \"t\". Skipping.",
            "p/values.yaml:6:88 key s is table. Skipping",
        ]
    );
}

#[test]
fn globals_that_are_no_table_are_skipped() {
    let found = warnings(&["--set", "sub.deep.s=3", "--set", "sub.global=1"]);
    for expected in [
        "--set:1:12 the condition `sub.deep.s` of the chart `sub` is no boolean",
        "--set:1:12 skipping globals because destination global is not a table.",
        "--set:1:12 cannot overwrite table with non table for clash.sub.deep.s (map[x:1])",
        "--set:1:12 cannot overwrite table with non table for clash.sub.global (map[s:map[x:1] t:flat])",
    ] {
        assert!(
            found.iter().any(|warning| warning == expected),
            "{found:#?}"
        );
    }
}
