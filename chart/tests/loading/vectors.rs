//! Charts with what Helm 4.2.3 says when it loads them.

use std::{collections::BTreeMap, fmt::Write as _};

use cairn_chart::{ChartFile, Error, Ignore};

use crate::load_files;

#[derive(serde::Deserialize)]
struct Vectors {
    #[serde(rename = "vectors")]
    all: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    files: BTreeMap<String, String>,
    error: Option<String>,
}

fn load_folder(files: &BTreeMap<String, String>) -> Result<(), Error> {
    let ignore = match files.get(".helmignore") {
        Some(text) => Ignore::parse(text.as_bytes())?,
        None => Ignore::default(),
    };
    let is_ignored = |path: &str| {
        let folders = path.match_indices('/').map(|(at, _)| (&path[..at], true));
        let mut all = folders.chain([(path, false)]);
        all.any(|(path, is_folder)| ignore.is_ignored(path, is_folder))
    };
    let mut paths: Vec<_> = files.keys().filter(|path| !is_ignored(path)).collect();
    paths.sort_by_key(|path| path.split('/').collect::<Vec<_>>());
    let files = paths
        .into_iter()
        .map(|path| ChartFile::new(path.as_str(), files[path].clone().into_bytes()));
    load_files(files.collect()).map(drop)
}

#[test]
fn charts_load_or_fail_as_in_helm() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/load.json")).unwrap();
    let mut wrong = String::new();
    for vector in &vectors.all {
        let found = load_folder(&vector.files).err();
        let found = found.as_ref().map(Error::helm_message);
        if found != vector.error.as_deref() {
            let _ = writeln!(
                wrong,
                "{}\n  helm:  {:?}\n  cairn: {found:?}",
                vector.name, vector.error
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(vectors.all.len() > 100);
}
