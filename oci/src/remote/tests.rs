//! The client against a registry that does what each test asks of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cairn_spec::{Artifact, Blob, Descriptor};
use tokio::io::AsyncWriteExt as _;

use super::{
    Client, Credential, Credentials, Options, PullLimits, Upload,
    test_registry::{TestRegistry, Traits},
};
use crate::{
    CopyOptions, Error, Event, MemoryStore, Name, Progress, copy,
    store::{Fetch as _, Push as _, VerifyReader, conformance, push_artifact},
};

fn options() -> Options {
    Options {
        first_backoff: Duration::from_millis(1),
        ..Options::default()
    }
}

fn client() -> Client {
    Client::new(options()).unwrap()
}

async fn conforms(traits: Traits, options: Options) {
    let registry = TestRegistry::start(traits).await;
    let client = Client::new(options).unwrap();
    conformance::check(&client.repository_of(&registry.reference("packs/a"))).await;
}

#[tokio::test]
async fn a_repository_conforms() {
    conforms(Traits::default(), options()).await;
}

#[tokio::test]
async fn a_repository_without_referrers_api_conforms() {
    let traits = Traits {
        referrers_api: false,
        ..Traits::default()
    };
    conforms(traits, options()).await;
}

#[tokio::test]
async fn a_repository_with_small_pages_conforms() {
    let traits = Traits {
        page_size: 1,
        ..Traits::default()
    };
    conforms(traits, options()).await;
}

#[tokio::test]
async fn chunked_uploads_conform() {
    let options = Options {
        upload: Upload::Chunked { chunk_bytes: 4 },
        ..options()
    };
    conforms(Traits::default(), options).await;
}

fn signed_in(token_service: bool) -> Traits {
    Traits {
        basic: Some(("ada", "secret")),
        token_service,
        ..Traits::default()
    }
}

#[tokio::test]
async fn passwords_and_tokens_are_sent_when_asked_for() {
    for token_service in [false, true] {
        let credential = Credential::basic("ada", "secret");
        let options = Options {
            credentials: Credentials::none().with_fallback(credential),
            ..options()
        };
        conforms(signed_in(token_service), options).await;
    }
}

#[tokio::test]
async fn wrong_passwords_are_told() {
    for token_service in [false, true] {
        let registry = TestRegistry::start(signed_in(token_service)).await;
        let reference = registry.reference("packs/a:1");
        for credentials in [
            Credentials::none(),
            Credentials::none().with(&reference.registry, Credential::basic("ada", "wrong")),
        ] {
            let options = Options {
                credentials,
                ..options()
            };
            let error = Client::new(options)
                .unwrap()
                .resolve(&reference)
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
            assert!(
                error.hint().is_some() && !error.to_string().contains("wrong"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn an_artifact_goes_there_once_and_comes_back() {
    let registry = TestRegistry::start(Traits::default()).await;
    let reference = registry.reference("packs/a:1");
    let artifact = conformance::artifact("a");
    let pushed = client().push_artifact(&reference, &artifact).await.unwrap();
    assert_eq!((pushed.uploaded, pushed.skipped), (3, 0));
    registry.take_log();
    let again = client().push_artifact(&reference, &artifact).await.unwrap();
    assert_eq!((again.uploaded, again.skipped), (0, 3));
    assert_eq!(registry.take_log(), ["HEAD /v2/packs/a/manifests/1"]);
    // Another tag on the same content: only the manifest moves.
    let other = client()
        .push_artifact(&registry.reference("packs/a:2"), &artifact)
        .await
        .unwrap();
    assert_eq!((other.uploaded, other.skipped), (1, 2));
    let by_digest = reference.with_digest(artifact.digest().clone());
    for reference in [&reference, &by_digest] {
        let pulled = client()
            .pull_artifact(reference, &PullLimits::default())
            .await
            .unwrap();
        assert_eq!(pulled, artifact);
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let registry = TestRegistry::start(Traits::default()).await;
    let reference = registry.reference("packs/a:1");
    let artifact = conformance::artifact("a");
    client().push_artifact(&reference, &artifact).await.unwrap();
    for limits in [
        PullLimits {
            blob_bytes: 5,
            ..PullLimits::default()
        },
        PullLimits {
            total_bytes: 20,
            ..PullLimits::default()
        },
    ] {
        let error = client()
            .pull_artifact(&reference, &limits)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn tampered_blobs_are_refused() {
    let traits = Traits {
        tampers: true,
        ..Traits::default()
    };
    let registry = TestRegistry::start(traits).await;
    let reference = registry.reference("packs/a:1");
    client()
        .push_artifact(&reference, &conformance::artifact("a"))
        .await
        .unwrap();
    let error = client()
        .pull_artifact(&reference, &PullLimits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Content { .. }), "{error:?}");
}

#[tokio::test]
async fn a_busy_registry_is_asked_again_but_not_forever() {
    let registry = TestRegistry::start(Traits::default()).await;
    let reference = registry.reference("packs/a:1");
    client()
        .push_artifact(&reference, &conformance::artifact("a"))
        .await
        .unwrap();
    registry.answer_busy(3);
    client().resolve(&reference).await.unwrap();
    registry.answer_busy(4);
    let error = client().resolve(&reference).await.unwrap_err();
    assert!(
        matches!(error, Error::Registry { status, .. } if status == 503),
        "{error:?}"
    );
}

#[tokio::test]
async fn nothing_there_is_not_found() {
    let registry = TestRegistry::start(Traits::default()).await;
    let client = client();
    let reference = registry.reference("packs/a:1");
    let error = client.resolve(&reference).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{reference}` does not exist"));
    assert!(
        client
            .tags(&reference.registry, &"no/such".parse().unwrap())
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(matches!(
        client
            .resolve(&registry.reference("packs/a"))
            .await
            .unwrap_err(),
        Error::Incomplete { .. }
    ));
}

#[tokio::test]
async fn tags_are_listed_over_pages_and_deleted() {
    let traits = Traits {
        page_size: 2,
        ..Traits::default()
    };
    let registry = TestRegistry::start(traits).await;
    let client = client();
    let artifact = conformance::artifact("a");
    let shown = async || {
        let reference = registry.reference("packs/a");
        let tags = client
            .tags(&reference.registry, &reference.repository)
            .await
            .unwrap();
        tags.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for tag in ["3", "1", "5", "2", "4"] {
        let reference = registry.reference(&format!("packs/a:{tag}"));
        client.push_artifact(&reference, &artifact).await.unwrap();
    }
    assert_eq!(shown().await, "1 2 3 4 5");
    client
        .delete(&registry.reference("packs/a:3"))
        .await
        .unwrap();
    assert_eq!(shown().await, "1 2 4 5");
    let by_digest = registry
        .reference("packs/a")
        .with_digest(artifact.digest().clone());
    client.delete(&by_digest).await.unwrap();
    assert_eq!(shown().await, "");
    assert!(client.delete(&by_digest).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_copy_within_a_registry_moves_no_blob() {
    let registry = TestRegistry::start(Traits::default()).await;
    let client = client();
    let from = client.repository_of(&registry.reference("packs/a"));
    let to = client.repository_of(&registry.reference("mirror/a"));
    let artifact = conformance::artifact("a");
    client
        .push_artifact(&registry.reference("packs/a:1"), &artifact)
        .await
        .unwrap();
    let name = Name::Tag("1".parse().unwrap());
    let copied = copy(&from, &to, &name, &CopyOptions::default())
        .await
        .unwrap();
    assert_eq!((copied.moved, copied.skipped), (1, 2));
    let reference = registry.reference("mirror/a:1");
    let pulled = client
        .pull_artifact(&reference, &PullLimits::default())
        .await
        .unwrap();
    assert_eq!(pulled, artifact);
}

#[tokio::test]
async fn a_mirror_takes_referrers_along() {
    let registry = TestRegistry::start(Traits {
        referrers_api: false,
        ..Traits::default()
    })
    .await;
    let client = client();
    let from = MemoryStore::new();
    let subject = push_artifact(&from, &conformance::artifact("a"))
        .await
        .unwrap();
    let referrer = Artifact::builder("application/a")
        .subject(&subject)
        .build()
        .unwrap();
    push_artifact(&from, &referrer).await.unwrap();
    let to = client.repository_of(&registry.reference("packs/a"));
    let options = CopyOptions {
        referrers: true,
        tag: Some("1".parse().unwrap()),
        ..CopyOptions::default()
    };
    copy(&from, &to, &Name::Digest(subject.digest.clone()), &options)
        .await
        .unwrap();
    let by_digest = registry
        .reference("packs/a")
        .with_digest(subject.digest.clone());
    let found = client
        .referrers(&by_digest, Some("application/a"))
        .await
        .unwrap();
    assert_eq!(found, [referrer.manifest().referrer_descriptor()]);
    assert_eq!(
        client
            .resolve(&registry.reference("packs/a:1"))
            .await
            .unwrap(),
        subject
    );
}

#[tokio::test]
async fn large_blobs_stream_and_report_progress() {
    let registry = TestRegistry::start(Traits::default()).await;
    let seen = Arc::new(Mutex::new(0));
    let progress = Progress::new({
        let seen = Arc::clone(&seen);
        move |_: &Descriptor, event| {
            if let Event::Advanced { bytes } = event {
                *seen.lock().unwrap() += bytes;
            }
        }
    });
    let client = Client::new(Options {
        progress: progress.clone(),
        ..options()
    })
    .unwrap();
    let repository = client.repository_of(&registry.reference("packs/a"));
    let size = crate::limits::UPLOAD_CHUNK_BYTES + 1;
    let blob = Blob::new("application/octet-stream", vec![7; size]);
    let content = VerifyReader::of_bytes(blob.descriptor(), blob.bytes().to_vec())
        .watched(&progress, blob.descriptor());
    repository.push(blob.descriptor(), content).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), size as u64);
    let read = repository.fetch(blob.descriptor()).await.unwrap();
    assert_eq!(read.read_all(u64::MAX).await.unwrap(), blob.bytes());
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_an_error_with_its_address() {
    let options = Options {
        max_attempts: 1,
        ..options()
    };
    let reference = "127.0.0.1:1/packs/a:1".parse().unwrap();
    let error = Client::new(options)
        .unwrap()
        .resolve(&reference)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to reach the registry with `HEAD http://127.0.0.1:1/v2/packs/a/manifests/1`"
    );
}

#[tokio::test]
async fn uploads_may_take_longer_than_a_silence() {
    let registry = TestRegistry::start(Traits::default()).await;
    let options = Options {
        read_timeout: Duration::from_millis(400),
        max_attempts: 1,
        ..options()
    };
    let client = Client::new(options).unwrap();
    let repository = client.repository_of(&registry.reference("packs/a"));
    let mut content = vec![7; crate::limits::UPLOAD_CHUNK_BYTES];
    content.push(7);
    let descriptor = Descriptor::of("application/octet-stream", &content);
    let (mut writer, reader) = tokio::io::duplex(1 << 20);
    let mut writers = tokio::task::JoinSet::new();
    writers.spawn(async move {
        for piece in content.chunks(1 << 20) {
            tokio::time::sleep(Duration::from_millis(40)).await;
            writer.write_all(piece).await.unwrap();
        }
    });
    let content = VerifyReader::new(&descriptor, reader);
    repository.push(&descriptor, content).await.unwrap();
    assert!(repository.exists(&descriptor).await.unwrap());
}
