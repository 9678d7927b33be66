//! What `.helmignore` and `.Files.Glob` match, with what Helm 4.2.3 says.

use std::fmt::Write as _;

use cairn_chart::{Error, Ignore, glob::Pattern};

#[derive(serde::Deserialize)]
struct Vectors<V> {
    tree: Vec<String>,
    #[serde(rename = "vectors")]
    all: Vec<V>,
}

#[derive(serde::Deserialize)]
struct Rules {
    #[serde(rename = "rules")]
    text: String,
    files: Option<Vec<String>>,
    error: Option<String>,
}

#[derive(serde::Deserialize)]
struct Glob {
    pattern: String,
    paths: Vec<String>,
}

/// Whether a walk of folders leaves the file out.
fn is_left_out(rules: &Ignore, path: &str) -> bool {
    let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
    let mut folders = folders.map(|folder| (folder, true));
    folders.any(|(folder, is_folder)| rules.is_ignored(folder, is_folder))
        || rules.is_ignored(path, false)
}

#[test]
fn files_are_ignored_as_in_helm() {
    let vectors: Vectors<Rules> =
        serde_json::from_str(include_str!("../vectors/ignore.json")).unwrap();
    let mut wrong = String::new();
    for vector in &vectors.all {
        let found = Ignore::parse(vector.text.as_bytes()).map(|rules| {
            let kept = vectors
                .tree
                .iter()
                .filter(|path| !is_left_out(&rules, path));
            let mut kept: Vec<_> = kept.cloned().collect();
            kept.sort();
            kept
        });
        let hides_chart = |rules: &Ignore| is_left_out(rules, "Chart.yaml");
        let is_missing = Ignore::parse(vector.text.as_bytes()).is_ok_and(|r| hides_chart(&r));
        let same = match (&found, &vector.error) {
            (Ok(_), Some(expected)) => is_missing && expected == "Chart.yaml file is missing",
            (Ok(kept), None) => Some(kept) == vector.files.as_ref(),
            (Err(error), Some(expected)) => error.helm_message() == expected,
            _ => false,
        };
        if !same {
            let (rules, files) = (&vector.text, &vector.files);
            let error = &vector.error;
            let found = found.as_ref().map_err(Error::helm_message);
            let _ = writeln!(
                wrong,
                "{rules:?}\n  helm:  {files:?} {error:?}\n  cairn: {found:?}"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn paths_match_as_in_helm() {
    let vectors: Vectors<Glob> =
        serde_json::from_str(include_str!("../vectors/glob.json")).unwrap();
    let mut wrong = String::new();
    for vector in &vectors.all {
        // A pattern that is wrong matches all, in Helm.
        let pattern = Pattern::new(&vector.pattern).unwrap_or_else(|_| Pattern::all());
        let paths = vectors.tree.iter().filter(|path| pattern.is_match(path));
        let paths: Vec<_> = paths.cloned().collect();
        if paths != vector.paths {
            let (pattern, expected) = (&vector.pattern, &vector.paths);
            let _ = writeln!(
                wrong,
                "{pattern}\n  helm:  {expected:?}\n  cairn: {paths:?}"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
