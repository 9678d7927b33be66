//! `spec/diagnostics.md` lists every code that the source can report, and no other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, fs, path::Path};

/// Texts with hyphens that are not codes.
const OTHER_WORDS: &[&str] = &[
    "a-z",
    "bom-ref",
    "date-local",
    "date-time",
    "datetime-local",
    "e-0",
    "host-plan",
    "import-values",
    "iri-reference",
    "json-pointer",
    "kebab-case",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "left-out",
    "post-delete",
    "post-install",
    "post-rollback",
    "post-upgrade",
    "pre-delete",
    "pre-install",
    "pre-rollback",
    "pre-upgrade",
    "relative-json-pointer",
    "test-success",
    "tigera-operator",
    "time-local",
    "uri-reference",
    "uri-template",
    "x-kubernetes-list-map-keys",
    "x-merge",
];

/// Codes without a hyphen, which cannot be told from other texts.
const SINGLE_WORDS: [&str; 4] = ["file", "glob", "offline", "schema"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn source_files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            source_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// Every text such as `"values-schema"` outside comments and tests.
fn codes_in(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(|word| word.contains('-') && word.split('-').all(is_part))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|word| !OTHER_WORDS.contains(word))
        .map(str::to_owned)
        .collect()
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[test]
fn all_codes_are_documented() {
    let mut texts = Vec::new();
    for folder in [
        "spec/src",
        "template/src",
        "chart/src",
        "compiler/src",
        "cli/src/chart_folder",
    ] {
        source_files(&root().join(folder), &mut texts);
    }
    for file in [
        "cli/src/chart_source.rs",
        "cli/src/packs.rs",
        "cli/src/files.rs",
        "registry/src/config/problems.rs",
    ] {
        texts.push(fs::read_to_string(root().join(file)).unwrap());
    }
    let mut used: BTreeSet<String> = texts.iter().flat_map(|text| codes_in(text)).collect();
    used.extend(SINGLE_WORDS.map(str::to_owned));

    let table = fs::read_to_string(root().join("spec/diagnostics.md")).unwrap();
    let listed: Vec<String> = table
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert!(listed.is_sorted(), "sort the table of spec/diagnostics.md");
    let listed: BTreeSet<String> = listed.into_iter().collect();

    let missing: Vec<_> = used.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&used).collect();
    assert!(
        missing.is_empty(),
        "not in spec/diagnostics.md: {missing:?}"
    );
    assert!(
        unknown.is_empty(),
        "in spec/diagnostics.md, but nothing reports it: {unknown:?}"
    );
}
