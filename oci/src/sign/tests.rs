//! Signing and verifying in a store, and what hostile content does to it: nothing.

use cairn_spec::{Annotations, Artifact, Descriptor, media_type};

use super::{
    COSIGN_SIGN, Form, SignOptions, attest_in, sign_in, signature_tag, verify_attestations_in,
    verify_in,
};
use crate::{
    Error, MemoryStore, Name, PrivateKey, PublicKey, key, limits,
    store::{Fetch as _, Resolve as _, SetTag as _, conformance, fetch_manifest, push_artifact},
};

const IDENTITY: &str = "127.0.0.1:5000/packs/a";

async fn store() -> (MemoryStore, Descriptor) {
    let store = MemoryStore::new();
    let subject = push_artifact(&store, &conformance::artifact("subject"))
        .await
        .unwrap();
    (store, subject)
}

fn key_pair() -> (PrivateKey, PublicKey) {
    let private = key::generate().unwrap();
    let public = private.public_key().unwrap();
    (private, public)
}

async fn forms(store: &MemoryStore, subject: &Descriptor, keys: &[PublicKey]) -> Vec<Form> {
    let found = verify_in(store, subject, keys).await.unwrap();
    found.iter().map(|signature| signature.form).collect()
}

#[tokio::test]
async fn both_forms_are_written_once() {
    let (store, subject) = store().await;
    let (private, public) = key_pair();
    let options = SignOptions::default();
    let first = sign_in(&store, IDENTITY, &subject, &private, &options)
        .await
        .unwrap();
    assert_eq!((first.added.len(), first.present.len()), (2, 0));
    let tags = store.tags().await;
    let again = sign_in(&store, IDENTITY, &subject, &private, &options)
        .await
        .unwrap();
    assert_eq!((again.added.len(), again.present.len()), (0, 2));
    assert_eq!(store.tags().await, tags);
    let found = forms(&store, &subject, std::slice::from_ref(&public)).await;
    assert_eq!(found, [Form::Bundle, Form::Simple]);
    let (_, stranger) = key_pair();
    assert_eq!(forms(&store, &subject, &[stranger]).await, []);
}

#[tokio::test]
async fn keys_sign_side_by_side_and_annotations_are_signed_along() {
    let (store, subject) = store().await;
    let (one, two) = (key_pair(), key_pair());
    let mut options = SignOptions::default();
    for (private, _) in [&one, &two] {
        sign_in(&store, IDENTITY, &subject, private, &options)
            .await
            .unwrap();
    }
    options
        .annotations
        .insert("commit".to_owned(), "<abc>".to_owned());
    sign_in(&store, IDENTITY, &subject, &one.0, &options)
        .await
        .unwrap();
    let found = verify_in(&store, &subject, &[one.1.clone(), two.1.clone()])
        .await
        .unwrap();
    assert_eq!(found.len(), 6);
    let annotated: Vec<_> = found
        .iter()
        .filter(|one| one.annotations == options.annotations)
        .collect();
    assert_eq!(annotated.len(), 2);
    assert!(annotated.iter().all(|found| found.key_id == one.1.id()));
}

#[tokio::test]
async fn a_signature_does_not_count_for_other_content() {
    let (store, subject) = store().await;
    let (private, public) = key_pair();
    sign_in(
        &store,
        IDENTITY,
        &subject,
        &private,
        &SignOptions::default(),
    )
    .await
    .unwrap();
    let other = push_artifact(&store, &conformance::artifact("other"))
        .await
        .unwrap();
    // Someone moves the signatures over: the tag, and a bundle that names the other as subject.
    let by_tag = Name::Tag(signature_tag(&subject.digest).unwrap());
    let signatures = store.resolve(&by_tag).await.unwrap();
    store
        .set_tag(&signatures, &signature_tag(&other.digest).unwrap())
        .await
        .unwrap();
    let referrer = store.referrers(&subject, None).await.unwrap().remove(0);
    let manifest = fetch_manifest(&store, &referrer).await.unwrap();
    let layer = store.fetch(&manifest.layers()[0]).await.unwrap();
    let moved = Artifact::builder(media_type::SIGSTORE_BUNDLE)
        .layer(
            media_type::SIGSTORE_BUNDLE,
            layer.read_all(1 << 20).await.unwrap(),
        )
        .subject(&other)
        .build()
        .unwrap();
    push_artifact(&store, &moved).await.unwrap();
    assert_eq!(store.referrers(&other, None).await.unwrap().len(), 1);
    assert_eq!(forms(&store, &other, &[public]).await, []);
}

#[tokio::test]
async fn hostile_signatures_do_not_hide_good_ones() {
    let (store, subject) = store().await;
    let (private, public) = key_pair();
    for junk in [
        &b""[..],
        b"{}",
        b"\xff\xff",
        br#"{"mediaType":"x","dsseEnvelope":{}}"#,
        "[".repeat(200_000).as_bytes(),
    ] {
        let hostile = Artifact::builder(media_type::SIGSTORE_BUNDLE)
            .layer(media_type::SIGSTORE_BUNDLE, junk.to_vec())
            .subject(&subject)
            .build()
            .unwrap();
        push_artifact(&store, &hostile).await.unwrap();
    }
    let size = usize::try_from(limits::MAX_SIGNATURE_BYTES).unwrap() + 1;
    let mut annotations = Annotations::new();
    annotations.insert(
        "dev.cosignproject.cosign/signature".to_owned(),
        "%%%".to_owned(),
    );
    let hostile = Artifact::image_builder()
        .annotated_layer(
            media_type::SIMPLE_SIGNING,
            vec![0; size],
            annotations.clone(),
        )
        .annotated_layer(media_type::SIMPLE_SIGNING, b"{}".to_vec(), annotations)
        .layer(media_type::SIMPLE_SIGNING, b"[]".to_vec())
        .build()
        .unwrap();
    let hostile = push_artifact(&store, &hostile).await.unwrap();
    store
        .set_tag(&hostile, &signature_tag(&subject.digest).unwrap())
        .await
        .unwrap();
    let keys = [public];
    assert_eq!(forms(&store, &subject, &keys).await, []);
    sign_in(
        &store,
        IDENTITY,
        &subject,
        &private,
        &SignOptions::default(),
    )
    .await
    .unwrap();
    assert_eq!(
        forms(&store, &subject, &keys).await,
        [Form::Bundle, Form::Simple]
    );
}

#[tokio::test]
async fn too_many_signatures_are_an_error() {
    let (store, subject) = store().await;
    for number in 0..=limits::MAX_SIGNATURES {
        let referrer = Artifact::builder(media_type::SIGSTORE_BUNDLE)
            .annotation("number", number.to_string())
            .subject(&subject)
            .build()
            .unwrap();
        push_artifact(&store, &referrer).await.unwrap();
    }
    let error = verify_in(&store, &subject, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
}

#[tokio::test]
async fn attestations_are_found_by_type_and_are_not_signatures() {
    let (store, subject) = store().await;
    let (private, public) = key_pair();
    let keys = [public];
    let predicate = serde_json::json!({"builder": {"id": "test"}});
    let slsa = "https://slsa.dev/provenance/v1";
    for _ in 0..2 {
        attest_in(&store, &subject, slsa, &predicate, &private)
            .await
            .unwrap();
    }
    attest_in(
        &store,
        &subject,
        "https://example.com/other",
        &predicate,
        &private,
    )
    .await
    .unwrap();
    assert_eq!(forms(&store, &subject, &keys).await, []);
    let all = verify_attestations_in(&store, &subject, None, &keys)
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
    let found = verify_attestations_in(&store, &subject, Some(slsa), &keys)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].predicate, predicate);
    let (_, stranger) = key_pair();
    let none = verify_attestations_in(&store, &subject, Some(slsa), &[stranger])
        .await
        .unwrap();
    assert_eq!(none, []);
    // A signature cannot be made under the name of an attestation.
    assert!(
        attest_in(&store, &subject, COSIGN_SIGN, &predicate, &private)
            .await
            .is_err()
    );
}
