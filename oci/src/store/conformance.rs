//! What every store must do: one suite, run on each implementation.

use cairn_spec::{Artifact, Blob, Descriptor, Digest, DigestAlgorithm, Hasher, Manifest};

use super::{Name, Store, VerifyReader, fetch_manifest, push_artifact};
use crate::{Error, limits};

const TYPE: &str = "application/vnd.example.thing.v1+json";

/// A small artifact whose content depends on `seed`.
pub(crate) fn artifact(seed: &str) -> Artifact {
    Artifact::builder(TYPE)
        .config(TYPE, format!(r#"{{"seed":"{seed}"}}"#).into_bytes())
        .layer("text/plain", format!("content of {seed}").into_bytes())
        .annotation("seed", seed)
        .build()
        .unwrap()
}

fn name(digest: &Digest) -> Name {
    Name::Digest(digest.clone())
}

/// Runs the whole suite on an empty store.
pub(crate) async fn check(store: &impl Store) {
    check_sha256(store).await;
    sha512_is_stored_as_sha512(store).await;
}

/// Runs the suite without SHA-512, which some registries do not know.
pub(crate) async fn check_sha256(store: &impl Store) {
    blobs_round_trip(store).await;
    wrong_content_is_never_stored(store).await;
    manifests_are_resolved_and_tagged(store).await;
    referrers_are_listed(store).await;
}

async fn blobs_round_trip(store: &impl Store) {
    for content in [&b"a blob"[..], b""] {
        let blob = Blob::new("text/plain", content.to_vec());
        let descriptor = blob.descriptor();
        assert!(!store.exists(descriptor).await.unwrap());
        assert!(store.fetch(descriptor).await.unwrap_err().is_not_found());
        for _ in 0..2 {
            let reader = VerifyReader::of_bytes(descriptor, content);
            store.push(descriptor, reader).await.unwrap();
        }
        assert!(store.exists(descriptor).await.unwrap());
        let read = store.fetch(descriptor).await.unwrap();
        assert_eq!(read.read_all(100).await.unwrap(), content);
    }
}

async fn wrong_content_is_never_stored(store: &impl Store) {
    let descriptor = Descriptor::of("text/plain", b"promised");
    for delivered in [&b"delivere"[..], b"prom", b"promised and more"] {
        let reader = VerifyReader::of_bytes(&descriptor, delivered);
        assert!(store.push(&descriptor, reader).await.is_err());
        assert!(!store.exists(&descriptor).await.unwrap());
    }
}

async fn sha512_is_stored_as_sha512(store: &impl Store) {
    let content = b"hashed with the other algorithm";
    let mut hasher = Hasher::new(DigestAlgorithm::Sha512);
    hasher.update(content);
    let descriptor = Descriptor::new("text/plain", hasher.finish(), content.len() as u64);
    let reader = VerifyReader::of_bytes(&descriptor, &content[..]);
    store.push(&descriptor, reader).await.unwrap();
    let read = store.fetch(&descriptor).await.unwrap();
    assert_eq!(read.read_all(100).await.unwrap(), content);
}

async fn manifests_are_resolved_and_tagged(store: &impl Store) {
    let first = artifact("first");
    let second = artifact("second");
    let tag = "v1".parse().unwrap();
    let by_tag = Name::Tag("v1".parse().unwrap());
    assert!(store.resolve(&by_tag).await.unwrap_err().is_not_found());
    assert!(
        store
            .resolve(&name(first.digest()))
            .await
            .unwrap_err()
            .is_not_found()
    );
    for artifact in [&first, &second] {
        let descriptor = push_artifact(store, artifact).await.unwrap();
        store.set_tag(&descriptor, &tag).await.unwrap();
        assert_eq!(store.resolve(&by_tag).await.unwrap(), descriptor);
        assert_eq!(
            store.resolve(&name(artifact.digest())).await.unwrap(),
            descriptor
        );
        let manifest = fetch_manifest(store, &descriptor).await.unwrap();
        assert_eq!(&manifest, artifact.manifest());
    }
    // The tag has moved, the first manifest is still there.
    assert!(store.resolve(&name(first.digest())).await.is_ok());
}

async fn referrers_are_listed(store: &impl Store) {
    let subject = push_artifact(store, &artifact("subject")).await.unwrap();
    assert_eq!(store.referrers(&subject, None).await.unwrap(), []);
    let mut expected = Vec::new();
    for (artifact_type, note) in [("application/a", "1"), ("application/b", "2")] {
        let referrer = Artifact::builder(artifact_type)
            .subject(&subject)
            .annotation("note", note)
            .build()
            .unwrap();
        for _ in 0..2 {
            push_artifact(store, &referrer).await.unwrap();
        }
        expected.push(referrer.manifest().referrer_descriptor());
    }
    let by_digest = |list: &mut Vec<Descriptor>| list.sort_by(|a, b| a.digest.cmp(&b.digest));
    let mut found = store.referrers(&subject, None).await.unwrap();
    let only = store
        .referrers(&subject, Some("application/b"))
        .await
        .unwrap();
    assert_eq!(only, expected[1..]);
    by_digest(&mut found);
    by_digest(&mut expected);
    assert_eq!(found, expected);
}

/// A manifest larger than registries accept.
#[tokio::test]
async fn oversized_manifests_are_refused() {
    let store = super::memory::MemoryStore::new();
    let bytes = vec![b' '; limits::MAX_MANIFEST_BYTES + 1];
    assert!(Manifest::parse(bytes.clone(), None).is_err());
    let descriptor = Descriptor::of(cairn_spec::media_type::OCI_MANIFEST, &bytes);
    let reader = VerifyReader::of_bytes(&descriptor, bytes);
    let error = super::Push::push(&store, &descriptor, reader)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Artifact { .. }));
}
