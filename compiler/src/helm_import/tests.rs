//! Charts as packs: schemas, guesses and what is said of what is missing.

use std::fmt::Write as _;

use super::*;

fn import_of(files: &[(&str, &str)]) -> String {
    let mut tree = FileTree::new();
    for (path, text) in files {
        tree.put(path, *text);
    }
    let (session, import) = import_helm(&HelmImportRequest {
        label: "web".to_owned(),
        content: HelmContent::Folder(tree),
        repository: None,
        layer: None,
    });
    let mut out = String::new();
    for finding in session.diagnostics.iter() {
        let _ = writeln!(out, "[{}] {}", finding.code, finding.message);
    }
    let Some(import) = import else { return out };
    for note in &import.notes {
        let _ = writeln!(
            out,
            "{} {}: {}",
            note.outcome.as_str(),
            note.what,
            note.note
        );
    }
    for path in ["pack.yaml", "values.yaml", "values.schema.json"] {
        let text = String::from_utf8_lossy(&import.tree.get(path).unwrap().bytes);
        let _ = writeln!(out, "=== {path}\n{text}");
    }
    out
}

#[test]
fn a_chart_says_what_the_pack_is() {
    insta::assert_snapshot!(import_of(&[
        (
            "Chart.yaml",
            "{apiVersion: v2, name: Snap_csi, version: v1.2.3, kubeVersion: '>= 1.25.0-0 < 1.40.0-0', keywords: [CSI], description: Storage., maintainers: [{name: Ann}], annotations: {licenses: MIT}}",
        ),
        ("values.yaml", "# How many.\na: 1\n\nb: '{{ x }}'\n"),
        (
            "values.schema.json",
            r##"{"$schema": "http://json-schema.org/draft-07/schema#", "required": ["a"], "properties": {"a": {"$ref": "#/definitions/n"}, "required": {"type": "string"}}, "definitions": {"n": {"type": "integer"}}}"##,
        ),
        (
            "templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
        ),
    ]));
}

#[test]
fn what_a_pack_cannot_have_is_said() {
    let chart = |rest: &str| format!("{{apiVersion: v2, name: web, version: 1.0.0{rest}}}");
    insta::assert_snapshot!(
        [
            import_of(&[("values.yaml", "")]),
            import_of(&[("Chart.yaml", "{apiVersion: v2, name: web, version: '1'}")]),
            import_of(&[
                ("Chart.yaml", &chart(", kubeVersion: newest")),
                (
                    "values.schema.json",
                    r#"{"$ref": "https://example.com/schema.json"}"#
                ),
                ("templates/a.yaml", "{{ fail \"no\" }}"),
            ]),
        ]
        .join(
            "---
"
        )
    );
}
