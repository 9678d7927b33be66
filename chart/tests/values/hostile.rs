//! Charts and arguments that would cost too much end in errors.

use crate::charts::{Run, files};

fn error(chart: &str, own: &str, child: &str, arguments: &[&str]) -> String {
    let mut run = Run::default();
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    let charts = files(&[
        ("Chart.yaml", chart),
        ("values.yaml", own),
        (
            "charts/sub/Chart.yaml",
            "{apiVersion: v2, name: sub, version: 0.1.0}",
        ),
        ("charts/sub/values.yaml", child),
    ]);
    let outcome = run.outcome(&charts, &arguments, &files(&[]));
    outcome.err().expect("it costs too much")
}

fn set_error(argument: &str) -> String {
    let chart = "{apiVersion: v2, name: p, version: 0.1.0}";
    error(chart, "", "", &["--set", argument])
}

fn import_error(child: &str, imports: &str) -> String {
    let chart = format!(
        "{{apiVersion: v2, name: p, version: 0.1.0, dependencies: [{{name: sub, version: 0.1.0, import-values: [{imports}]}}]}}"
    );
    error(&chart, "", child, &[])
}

const TOO_DEEP: &str =
    "chart dependencies processing failed: the values nest deeper than 256 levels";

/// Helm's stack overflows.
#[test]
fn values_that_are_imported_into_themselves() {
    let found = import_error(
        "x: {w: {z: 1}}",
        "{child: x.w, parent: p}, {child: x, parent: p}",
    );
    assert_eq!(found, TOO_DEEP);
}

#[test]
fn imports_to_the_end_of_a_long_path() {
    let path = vec!["a"; 100_000].join(".");
    let found = import_error("x: {y: 1}", &format!("{{child: x, parent: {path}}}"));
    assert_eq!(found, TOO_DEEP);
}

#[test]
fn lists_in_lists_without_end() {
    let argument = format!("a{}=1", "[0]".repeat(50_000));
    assert_eq!(
        set_error(&argument),
        "failed parsing --set data: values nest deeper than 128 levels"
    );
    let argument = format!("a{}=1", "[0].b".repeat(50_000));
    assert_eq!(
        set_error(&argument),
        "failed parsing --set data: values nest deeper than 128 levels"
    );
}

#[test]
fn lists_that_are_nearly_empty() {
    let lists: Vec<String> = (0..20).map(|name| format!("l{name}[65536]=1")).collect();
    assert_eq!(
        set_error(&lists.join(",")),
        "failed parsing --set data: the arguments make more than 1000000 items of lists"
    );
}

#[test]
fn more_warnings_than_anybody_reads_are_not_collected() {
    let mut run = Run::default();
    let keys = |value: &str| {
        let lines = (0..3_000).map(|key| format!("k{key}: {value}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let charts = files(&[
        ("Chart.yaml", "{apiVersion: v2, name: p, version: 0.1.0}"),
        ("values.yaml", &keys("1")),
    ]);
    let user = files(&[("user.yaml", &keys("{a: 1}"))]);
    let arguments = ["-f".to_owned(), "user.yaml".to_owned()];
    run.outcome(&charts, &arguments, &user).unwrap();
    assert_eq!(run.warnings.len(), 1_000);
}
