//! Artifacts that are no packs, or other packs than they say, and blobs that were tampered with.

use std::{fs, path::PathBuf};

use cairn_spec::{Artifact, media_type};
use insta::assert_snapshot;

use crate::{
    case::{Case, ERROR, INVALID_INPUT, PACK},
    hostile::{Answer, Entry, content_of, fake_registry, pack_of, pack_with_config, push},
};

const PULL: &str = "pack pull @/packs/web:1.0.0 --insecure-skip-verify";

fn pulled(artifact: &Artifact, code: i32) -> String {
    let case = Case::empty().registry();
    push(&format!("{}/packs/web:1.0.0", case.address()), artifact);
    case.refused(PULL, code)
}

fn content() -> Vec<u8> {
    content_of(&[Entry::file("pack.yaml", PACK)])
}

#[test]
fn another_artifact_type() {
    let chart = Artifact::builder("application/vnd.cncf.helm.config.v1+json")
        .layer(
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            content(),
        )
        .build()
        .unwrap();
    assert_snapshot!(pulled(&chart, INVALID_INPUT));
}

#[test]
fn two_content_layers() {
    let pack = Artifact::builder(media_type::PACK)
        .layer(media_type::PACK_CONTENT, content())
        .layer(
            media_type::PACK_CONTENT,
            content_of(&[Entry::file("README.md", "x")]),
        )
        .build()
        .unwrap();
    assert_snapshot!(pulled(&pack, INVALID_INPUT));
}

#[test]
fn no_content_layer() {
    let pack = Artifact::builder(media_type::PACK).build().unwrap();
    assert_snapshot!(pulled(&pack, INVALID_INPUT));
}

#[test]
fn config_of_other_content() {
    let config = serde_json::json!({
        "apiVersion": "cairn.dev/v1",
        "kind": "PackConfig",
        "pack": {
            "apiVersion": "cairn.dev/v1", "kind": "Pack",
            "metadata": {"name": "web", "version": "1.0.0"}, "spec": {"layer": "addon"}
        },
        "files": [],
        "diffId": format!("sha256:{}", "0".repeat(64)),
    });
    let pack = pack_with_config(config.to_string().into_bytes(), content());
    assert_snapshot!(pulled(&pack, INVALID_INPUT));
}

#[test]
fn config_that_is_no_config() {
    let pack = pack_with_config(br#"{"name": "web"}"#.to_vec(), content());
    assert_snapshot!(pulled(&pack, INVALID_INPUT));
}

/// A pack whose content is a file of the registry, ready to be tampered with.
fn pushed_and_tampered(tamper: impl Fn(&PathBuf)) -> Case {
    // The registry keeps small blobs inside of their records, and noise does not get smaller.
    let noise: String = (0..20_000_u64)
        .map(|n| char::from(b'a' + u8::try_from((n * n * 7919 + n / 3) % 26).unwrap()))
        .collect();
    let case = Case::pack()
        .file("web/README.md", noise)
        .registry()
        .given("pack push web @/packs");
    let mut files = Vec::new();
    let mut open = vec![case.registry_data().join("data")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    assert!(!files.is_empty(), "the registry keeps no payload as a file");
    files.iter().for_each(tamper);
    case
}

const PULL_ELSEWHERE: &str = "pack pull @/packs/web:1.0.0 --output pulled --insecure-skip-verify";

#[test]
fn blob_with_a_changed_byte() {
    let case = pushed_and_tampered(|path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    });
    assert_snapshot!(case.refused(PULL_ELSEWHERE, INVALID_INPUT));
}

#[test]
fn blob_cut_short() {
    let case = pushed_and_tampered(|path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 10]).unwrap();
    });
    // Whether the answer breaks off in its head or in its body is a matter of time.
    let shown = case.refused(PULL_ELSEWHERE, ERROR);
    assert!(shown.contains("hint: "), "{shown}");
}

#[test]
fn blob_that_is_gone() {
    let case = pushed_and_tampered(|path| fs::remove_file(path).unwrap());
    assert_snapshot!(case.refused(PULL_ELSEWHERE, ERROR));
}

#[test]
fn manifest_that_is_another_one() {
    let manifest = pack_of(content()).manifest().bytes().to_vec();
    let address = fake_registry(move |_| Answer::manifest(manifest.clone()));
    let asked = format!("sha256:{}", "1".repeat(64));
    let case = Case::empty().registry_at(address);
    assert_snapshot!(case.refused(
        &format!("pack pull @/packs/web@{asked} --insecure-skip-verify"),
        ERROR
    ));
}

#[test]
fn blob_that_is_another_one() {
    let pack = pack_of(content());
    let manifest = pack.manifest().bytes().to_vec();
    let address = fake_registry(move |path| {
        if path.contains("/manifests/") {
            Answer::manifest(manifest.clone())
        } else {
            Answer::new("200 OK", vec![b'x'; content().len()])
        }
    });
    assert_snapshot!(
        Case::empty()
            .registry_at(address)
            .refused(PULL, INVALID_INPUT)
    );
}

#[test]
fn manifest_that_is_no_json() {
    let address = fake_registry(|_| Answer::manifest("<html>hello</html>"));
    assert_snapshot!(
        Case::empty()
            .registry_at(address)
            .refused(PULL, INVALID_INPUT)
    );
}

#[test]
fn manifest_of_another_media_type() {
    let address = fake_registry(|_| {
        Answer::new("200 OK", "<html>welcome</html>").header("Content-Type", "text/html")
    });
    assert_snapshot!(
        Case::empty()
            .registry_at(address)
            .refused(PULL, INVALID_INPUT)
    );
}

#[test]
fn manifest_larger_than_allowed() {
    let address = fake_registry(|_| Answer::manifest(vec![b' '; (4 << 20) + 1]));
    assert_snapshot!(
        Case::empty()
            .registry_at(address)
            .refused(PULL, INVALID_INPUT)
    );
}

#[test]
fn layer_larger_than_allowed() {
    let manifest = String::from_utf8(pack_of(content()).manifest().bytes().to_vec())
        .unwrap()
        .replace(
            &format!("\"size\":{}", content().len()),
            "\"size\":99999999999",
        );
    let address = fake_registry(move |_| Answer::manifest(manifest.clone()));
    assert_snapshot!(
        Case::empty()
            .registry_at(address)
            .refused(PULL, INVALID_INPUT)
    );
}

#[test]
fn index_in_place_of_a_pack() {
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
        media_type::OCI_INDEX
    );
    let address = fake_registry(move |_| {
        Answer::new("200 OK", index.clone()).header("Content-Type", media_type::OCI_INDEX)
    });
    assert_snapshot!(
        Case::empty()
            .registry_at(address)
            .refused(PULL, INVALID_INPUT)
    );
}
