//! The bucket against the server of the tests: everything that holds for any store, on stores with
//! and without quirks, and what only this store does.

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::Client;
use bytes::Bytes;
use cairn_test_s3::{ACCESS_KEY_ID, BUCKET, Fault, Operation, Quirks, S3Server, SECRET_ACCESS_KEY};
use futures_util::TryStreamExt;
use ulid::Ulid;

use super::{S3Metadata, S3Payloads, examine, open};
use crate::{
    Answer, Error, Result,
    config::{Replicas, S3Config, S3Credentials, Secret},
    storage::{Key, Metadata, MetadataExt, PayloadKey, Payloads, Prefix, conformance},
};

/// Small, so that parts need few bytes.
const PART_BYTES: usize = 64 * 1024;

pub(crate) fn config(server: &S3Server) -> S3Config {
    S3Config {
        bucket: BUCKET.to_owned(),
        prefix: "registry/one".to_owned(),
        endpoint: Some(server.endpoint()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
            secret_access_key_file: None,
        }),
        part_bytes: PART_BYTES,
        request_timeout_s: 2,
        ..S3Config::default()
    }
}

async fn stores(server: &S3Server) -> (S3Payloads, S3Metadata) {
    open(&config(server)).await.unwrap()
}

/// A server whose bucket is known to be as it should, and empty stores in it, as many as wanted.
pub(crate) struct Shelf {
    pub(crate) server: S3Server,
    client: Client,
}

impl Shelf {
    pub(crate) async fn start() -> Self {
        let server = S3Server::start().await;
        let client = super::client::build(&config(&server)).await.unwrap();
        Self { server, client }
    }

    /// Stores below a prefix, with connections of their own, which try nothing twice.
    pub(crate) async fn stores_of_a_new_process(&self, prefix: &str) -> (S3Payloads, S3Metadata) {
        let config = S3Config {
            prefix: prefix.to_owned(),
            part_bytes: 4000,
            attempts: 1,
            ..config(&self.server)
        };
        let client = super::client::build(&config).await.unwrap();
        super::stores(super::bucket(client, &config), &config)
    }

    /// Stores below a prefix.
    pub(crate) fn stores(&self, prefix: &str) -> (S3Payloads, S3Metadata) {
        let config = S3Config {
            prefix: prefix.to_owned(),
            // Smaller than any payload of the tests, so that all of them come in parts.
            part_bytes: 4000,
            ..config(&self.server)
        };
        super::stores(super::bucket(self.client.clone(), &config), &config)
    }
}

async fn conforms(quirks: Quirks, replicas: Replicas) {
    let server = S3Server::with(quirks).await;
    let config = S3Config {
        replicas,
        ..config(&server)
    };
    let (payloads, metadata) = open(&config).await.unwrap();
    conformance::payloads(&payloads).await;
    conformance::metadata(&metadata).await;
}

#[tokio::test]
async fn a_bucket_holds_payloads_and_records() {
    conforms(Quirks::default(), Replicas::Many).await;
}

#[tokio::test]
async fn deletions_may_be_unconditional() {
    let quirks = Quirks {
        ignores_delete_conditions: true,
        wants_equal_parts: true,
        smallest_part_bytes: PART_BYTES,
        ..Quirks::default()
    };
    conforms(quirks, Replicas::Many).await;
}

#[tokio::test]
async fn objects_may_be_kept_in_folders() {
    let quirks = Quirks {
        keeps_objects_in_folders: true,
        ..Quirks::default()
    };
    conforms(quirks, Replicas::Many).await;
    let server = S3Server::with(quirks).await;
    let (_, metadata) = stores(&server).await;
    let names = ["a", "a-b", "a/b", "a/b/c", "ab"];
    for name in names {
        let key = Key::Repository(name.parse().unwrap());
        metadata.put_new(key, Bytes::new()).await.unwrap();
    }
    for (skipped, name) in names.iter().enumerate() {
        let rest = metadata.list(&Prefix::Repositories, Some(name), 10);
        assert_eq!(rest.await.unwrap(), names[skipped + 1..]);
    }
}

#[tokio::test]
async fn one_registry_makes_up_for_missing_conditions() {
    let quirks = Quirks {
        ignores_conditions: true,
        ..Quirks::default()
    };
    conforms(quirks, Replicas::One).await;
}

#[tokio::test]
async fn stores_that_would_lose_content_are_refused() {
    for (quirks, why) in [
        (
            Quirks {
                ignores_conditions: true,
                ..Quirks::default()
            },
            "ignores the conditions",
        ),
        (
            Quirks {
                checks_then_writes: true,
                ..Quirks::default()
            },
            "not in one step",
        ),
    ] {
        let server = S3Server::with(quirks).await;
        let error = open(&config(&server)).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(why), "{source}");
        assert!(
            source.contains("`storage.s3.replicas` to `one`"),
            "{source}"
        );
        // Nothing of the probe is left.
        assert!(server.objects().is_empty());
        assert!(server.multipart_uploads().is_empty());
    }
}

#[tokio::test]
async fn the_probe_tells_what_a_store_can_do() {
    let server = S3Server::start().await;
    let findings = examine(&config(&server)).await.unwrap();
    assert!(
        findings
            .checks()
            .iter()
            .all(|check| check.answer == Answer::Yes)
    );

    let server = S3Server::with(Quirks {
        ignores_delete_conditions: true,
        lacks_multipart_listing: true,
        ..Quirks::default()
    })
    .await;
    let findings = examine(&config(&server)).await.unwrap();
    assert!(findings.is_safe_for_replicas());
    assert_eq!(findings.delete_if_match, Answer::No);
    assert_eq!(findings.multipart_listing, Answer::No);
}

#[tokio::test]
async fn wrong_credentials_and_buckets_are_explained() {
    let server = S3Server::start().await;
    let mut wrong = config(&server);
    wrong.credentials = Some(S3Credentials {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: Some(Secret::new("hunter2")),
        secret_access_key_file: None,
    });
    let error = open(&wrong).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("SignatureDoesNotMatch"), "{source}");
    assert!(!source.contains("hunter2") && !format!("{wrong:?}").contains("hunter2"));

    let mut wrong = config(&server);
    wrong.bucket = "elsewhere".to_owned();
    let error = open(&wrong).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("create the bucket"), "{source}");
}

#[tokio::test]
async fn a_record_is_read_once_and_a_page_listed_once() {
    let server = S3Server::start().await;
    let (_, metadata) = stores(&server).await;
    for name in ["a", "b", "c"] {
        let key = Key::Repository(name.parse().unwrap());
        metadata.put_new(key, Bytes::new()).await.unwrap();
    }
    server.take_requests();
    let names = metadata.list(&Prefix::Repositories, None, 2).await.unwrap();
    assert_eq!(names, ["a", "b"]);
    let key = Key::Repository("a".parse().unwrap());
    metadata.get(&key).await.unwrap().unwrap();
    let operations: Vec<_> = server
        .take_requests()
        .iter()
        .map(|one| one.operation)
        .collect();
    assert_eq!(operations, [Operation::ListObjectsV2, Operation::GetObject]);
}

#[tokio::test]
async fn tombstones_are_no_records() {
    let server = S3Server::with(Quirks {
        ignores_delete_conditions: true,
        ..Quirks::default()
    })
    .await;
    let (_, metadata) = stores(&server).await;
    for name in ["a", "b", "c", "d"] {
        let key = Key::Repository(name.parse().unwrap());
        let version = metadata.put_new(key.clone(), Bytes::new()).await.unwrap();
        if name < "d" {
            metadata.delete_if(key, version).await.unwrap();
        }
    }
    assert_eq!(server.objects().len(), 4);
    // A page goes on until it is full of records.
    let names = metadata.list(&Prefix::Repositories, None, 1).await.unwrap();
    assert_eq!(names, ["d"]);
    let key = Key::Repository("a".parse().unwrap());
    assert!(metadata.get(&key).await.unwrap().is_none());
    let version = metadata.put_new(key.clone(), "x".into()).await.unwrap();
    let entry = metadata.get(&key).await.unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.version), (&b"x"[..], version));
}

#[tokio::test]
async fn writes_that_were_tried_twice_are_recognised() {
    let server = S3Server::start().await;
    let (_, metadata) = stores(&server).await;
    for fault in [Fault::BrokenAfter, Fault::InternalErrorAfter] {
        let key = Key::Upload(Ulid::new());
        server.fail_next(Operation::PutObject, fault);
        let first = metadata.put_new(key.clone(), "1".into()).await.unwrap();
        server.fail_next(Operation::PutObject, fault);
        let second = metadata
            .put_if(key.clone(), first.clone(), "1".into())
            .await
            .unwrap();
        assert_ne!(first, second, "a version must not come back");
        server.fail_next(Operation::DeleteObject, fault);
        metadata.delete_if(key.clone(), second).await.unwrap();
        assert!(metadata.get(&key).await.unwrap().is_none());

        // Who loses to another is told so, however often it was tried.
        metadata.put_new(key.clone(), "other".into()).await.unwrap();
        server.fail_next(Operation::PutObject, Fault::BrokenBefore);
        let lost = metadata.put_new(key.clone(), "other".into()).await;
        assert!(matches!(lost, Err(Error::Conflict { .. })));
    }
}

#[tokio::test]
async fn a_store_that_stays_away_is_unavailable() {
    let server = S3Server::start().await;
    let mut impatient = config(&server);
    impatient.attempts = 3;
    let (_, metadata) = open(&impatient).await.unwrap();
    server.take_requests();
    server.fail(1, 1.0, &[Fault::SlowDown]);
    let key = Key::Upload(Ulid::new());
    let error = metadata.get(&key).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(server.take_requests().len(), 3);
}

#[tokio::test]
async fn a_store_without_room_says_so_at_once() {
    let server = S3Server::start().await;
    let (payloads, metadata) = stores(&server).await;
    let key = Key::Upload(Ulid::new());
    server.fail_next(Operation::PutObject, Fault::Full);
    server.take_requests();
    let error = metadata.put_new(key.clone(), "1".into()).await.unwrap_err();
    assert!(matches!(error, Error::StorageFull { .. }), "{error:?}");
    assert_eq!(server.take_requests().len(), 1);
    server.fail_next(Operation::UploadPart, Fault::Full);
    let mut writer = payloads.begin(PayloadKey(Ulid::new())).await.unwrap();
    let refused = writer.write(vec![noise(2 * PART_BYTES)]).await;
    assert!(
        matches!(refused, Err(Error::StorageFull { .. })),
        "{refused:?}"
    );
    // There is room again.
    metadata.put_new(key, "1".into()).await.unwrap();
}

async fn read_all(payloads: &S3Payloads, key: PayloadKey, size: usize) -> Result<Vec<u8>> {
    let chunks = payloads.read(key, 0..size as u64).await?;
    let chunks: Vec<Bytes> = chunks.try_collect().await?;
    Ok(chunks.concat())
}

fn noise(length: usize) -> Bytes {
    let mut state = 7_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}

#[tokio::test]
async fn chunks_of_any_size_make_equal_parts() {
    let server = S3Server::with(Quirks {
        wants_equal_parts: true,
        smallest_part_bytes: PART_BYTES,
        ..Quirks::default()
    })
    .await;
    let (payloads, _) = stores(&server).await;
    for chunk in [1000, 40_000, PART_BYTES, 150_000] {
        let content = noise(3 * PART_BYTES + 17);
        let key = PayloadKey(Ulid::new());
        let mut parked = payloads.begin(key).await.unwrap().park().await.unwrap();
        for piece in content.chunks(chunk) {
            let mut writer = payloads.resume(key, parked).await.unwrap();
            writer
                .write(vec![Bytes::copy_from_slice(piece)])
                .await
                .unwrap();
            parked = writer.park().await.unwrap();
            let tails = server
                .objects()
                .iter()
                .filter(|(key, _)| key.contains("/tail/"))
                .count();
            assert!(tails <= 2, "{tails} tails of one upload");
        }
        payloads
            .resume(key, parked)
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        assert!(read_all(&payloads, key, content.len()).await.unwrap() == content);
        assert!(payloads.uncommitted().await.unwrap().is_empty());
    }
    let stored = server.objects();
    assert!(
        stored.iter().all(|(key, _)| key.contains("/data/")),
        "{stored:?}"
    );
}

#[tokio::test]
async fn a_small_payload_is_one_request() {
    let server = S3Server::start().await;
    let (payloads, _) = stores(&server).await;
    server.take_requests();
    let key = PayloadKey(Ulid::new());
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec![noise(PART_BYTES - 1)]).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(server.take_requests().len(), 1);
}

#[tokio::test]
async fn what_crashed_is_found() {
    let server = S3Server::start().await;
    let (payloads, _) = stores(&server).await;
    let [in_parts, parked] = [PayloadKey(Ulid::new()), PayloadKey(Ulid::new())];
    let mut lost = payloads.begin(in_parts).await.unwrap();
    lost.write(vec![noise(2 * PART_BYTES)]).await.unwrap();
    drop(lost);
    let mut lost = payloads.begin(parked).await.unwrap();
    lost.write(vec![noise(100)]).await.unwrap();
    lost.park().await.unwrap();
    let mut expected = vec![in_parts, parked];
    expected.sort();
    assert_eq!(payloads.uncommitted().await.unwrap(), expected);
    for key in expected {
        payloads.discard(key).await.unwrap();
    }
    assert!(payloads.uncommitted().await.unwrap().is_empty());
    assert!(server.objects().is_empty() && server.multipart_uploads().is_empty());
}

#[tokio::test]
async fn two_ends_of_one_upload_do_not_mix() {
    let server = S3Server::start().await;
    let (payloads, _) = stores(&server).await;
    for size in [100, 2 * PART_BYTES] {
        let key = PayloadKey(Ulid::new());
        let (ours, theirs) = (noise(size), Bytes::from(vec![1; size]));
        let mut first = payloads.begin(key).await.unwrap();
        let mut second = payloads.begin(key).await.unwrap();
        first.write(vec![ours.clone()]).await.unwrap();
        second.write(vec![theirs]).await.unwrap();
        first.commit().await.unwrap();
        let lost = second.commit().await;
        assert!(matches!(lost, Err(Error::Conflict { .. })), "{lost:?}");
        assert!(read_all(&payloads, key, size).await.unwrap() == ours);
    }
}

#[tokio::test]
async fn broken_bodies_are_resumed() {
    let server = S3Server::start().await;
    let (payloads, _) = stores(&server).await;
    let content = noise(500_000);
    let key = PayloadKey(Ulid::new());
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec![content.clone()]).await.unwrap();
    writer.commit().await.unwrap();
    for _ in 0..3 {
        server.fail_next(Operation::GetObject, Fault::Truncated);
    }
    server.take_requests();
    assert!(read_all(&payloads, key, content.len()).await.unwrap() == content);
    assert_eq!(server.take_requests().len(), 4);
}

#[tokio::test]
async fn stores_conform_although_a_tenth_of_all_requests_fails() {
    let server = S3Server::start().await;
    let mut patient = config(&server);
    patient.attempts = 12;
    let (payloads, metadata) = open(&patient).await.unwrap();
    let healed: Vec<Fault> = Fault::ALL
        .iter()
        .copied()
        // A false entity tag fails the next compare-and-swap; and silence takes a timeout each.
        .filter(|fault| !matches!(fault, Fault::WrongEtag | Fault::Silence))
        .collect();
    server.fail(3, 0.1, &healed);
    conformance::payloads(&payloads).await;
    conformance::metadata(&metadata).await;
}

#[tokio::test]
async fn silence_ends_in_another_attempt() {
    let server = S3Server::start().await;
    let mut hasty = config(&server);
    hasty.request_timeout_s = 1;
    let (_, metadata) = open(&hasty).await.unwrap();
    server.delay(Duration::from_millis(5));
    server.fail_next(Operation::PutObject, Fault::Silence);
    let key = Key::Upload(Ulid::new());
    let metadata = Arc::new(metadata);
    metadata.put_new(key.clone(), "1".into()).await.unwrap();
    assert!(metadata.get(&key).await.unwrap().is_some());
}
