//! The vectors under `spec/vectors/`: what every implementation must accept, refuse and write.

#![expect(
    clippy::unwrap_used,
    reason = "a vector that cannot be read fails its test"
)]

use std::{fs, path::Path, str::FromStr};

use cairn_spec::{
    Diagnostics, Digest, Node, Origins, PackName, Reference, RepositoryName, SourceKind, Sources,
    Tag, TreePath, Version, VersionRange, canonical_json, yaml,
};
use serde_json::Value as Json;

fn vectors(name: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn texts(json: &Json) -> impl Iterator<Item = &str> {
    json.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
}

#[test]
fn versions() {
    let vectors = vectors("versions.json");
    for case in vectors["ranges"].as_array().unwrap() {
        let range: VersionRange = case["range"].as_str().unwrap().parse().unwrap();
        for (key, expected) in [("matches", true), ("doesNotMatch", false)] {
            for version in texts(&case[key]) {
                assert_eq!(
                    range.matches(&version.parse().unwrap()),
                    expected,
                    "{range} {version}"
                );
            }
        }
    }
    for bad in texts(&vectors["refused"]) {
        assert!(bad.parse::<VersionRange>().is_err(), "{bad}");
    }
    let ordered: Vec<Version> = texts(&vectors["ordered"])
        .map(|text| text.parse().unwrap())
        .collect();
    assert!(ordered.is_sorted());
}

fn check_names<T: FromStr>(vectors: &Json) {
    for good in texts(&vectors["valid"]) {
        assert!(good.parse::<T>().is_ok(), "{good:?} should be valid");
    }
    for bad in texts(&vectors["refused"]) {
        assert!(bad.parse::<T>().is_err(), "{bad:?} should be refused");
    }
}

#[test]
fn names() {
    let vectors = vectors("names.json");
    check_names::<PackName>(&vectors["packNames"]);
    check_names::<Tag>(&vectors["tags"]);
    check_names::<RepositoryName>(&vectors["repositories"]);
    check_names::<Reference>(&vectors["references"]);
    check_names::<TreePath>(&vectors["paths"]);
}

fn read(text: &str) -> Result<Json, Diagnostics> {
    let mut sources = Sources::new();
    let source = sources.add("vector.yaml", text, SourceKind::Other);
    let mut diagnostics = Diagnostics::new();
    match yaml::read_one(&sources, source, &mut Origins::new(), &mut diagnostics) {
        Some(node) if !diagnostics.has_errors() => Ok(node.to_json()),
        _ => Err(diagnostics),
    }
}

#[test]
fn yaml_reads_and_writes() {
    let vectors = vectors("yaml.json");
    for case in vectors["scalars"].as_array().unwrap() {
        let text = case["yaml"].as_str().unwrap();
        assert_eq!(read(text).unwrap(), case["json"], "{text}");
    }
    for bad in texts(&vectors["refused"]) {
        assert!(read(bad).is_err(), "{bad}");
    }
    for case in vectors["canonical"].as_array().unwrap() {
        let text = case["yaml"].as_str().unwrap();
        assert_eq!(
            yaml::write_manifest(&Node::from(case["json"].clone()).value),
            text
        );
        assert_eq!(read(text).unwrap(), case["json"]);
    }
}

#[test]
fn json_is_canonical() {
    for case in vectors("canonical-json.json")["cases"].as_array().unwrap() {
        let text = canonical_json(&case["json"]);
        assert_eq!(text, case["canonical"].as_str().unwrap());
        assert_eq!(
            Digest::sha256(text.as_bytes()).as_str(),
            case["digest"].as_str().unwrap()
        );
    }
}
