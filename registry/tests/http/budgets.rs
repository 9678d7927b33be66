//! How many requests to the store each operation may cost: what a bucket takes milliseconds for.

use cairn_registry::{Config, QuotaRule};
use cairn_test_s3::{Operation, Request, S3Server};
use serde_json::json;

use crate::harness::{OCI_MANIFEST, Server, header, in_bucket, noise};

/// A server whose first upload is behind it, for that one makes a secret.
async fn warm(store: &S3Server) -> Server {
    let config = Config {
        storage: in_bucket(store),
        ..Config::default()
    };
    let server = Server::with(config).await;
    server.start_upload("warm").await;
    store.take_requests();
    server
}

/// The writes and the reads since the last call.
fn cost(store: &S3Server) -> (usize, usize) {
    let requests = store.take_requests();
    let writes = requests.iter().filter(|one| one.operation.is_write());
    let writes = writes.count();
    (writes, requests.len() - writes)
}

#[tokio::test]
async fn starting_an_upload_asks_for_nothing() {
    let store = S3Server::start().await;
    let server = warm(&store).await;
    server.start_upload("a").await;
    assert_eq!(cost(&store), (0, 0));
}

#[tokio::test]
async fn a_small_blob_is_three_writes() {
    let store = S3Server::start().await;
    let server = warm(&store).await;
    let content = noise(1024);
    server.push_blob("a", &content).await;
    // The upload's record, the blob, its membership.
    assert_eq!(cost(&store), (3, 3));
    // Once more: the upload's record alone.
    server.push_blob("a", &content).await;
    assert_eq!(cost(&store), (1, 3));
    // Another repository: its membership besides.
    server.push_blob("b", &content).await;
    assert_eq!(cost(&store), (2, 3));
}

#[tokio::test]
async fn quotas_cost_a_push_nothing_but_a_look_every_ten_seconds() {
    let store = S3Server::start().await;
    let mut config = Config {
        storage: in_bucket(&store),
        ..Config::default()
    };
    config.quotas.rules = vec![QuotaRule {
        name: "all".to_owned(),
        repositories: "**".to_owned(),
        max_bytes: Some(1_000_000),
        max_repositories: None,
        max_tags_per_repository: None,
        warn_at_percent: 90,
    }];
    let server = Server::with(config).await;
    server.push_blob("warm", b"warm").await;
    store.take_requests();
    let digest = server.push_blob("a", &noise(1024)).await;
    let requests = store.take_requests();
    // Workers count and write down beside the requests, whenever that is.
    let is_of_push =
        |one: &&Request| one.target.contains(digest.hex()) || one.target.contains("/up/");
    let of_push: Vec<&Request> = requests.iter().filter(is_of_push).collect();
    let writes = of_push.iter().filter(|one| one.operation.is_write());
    assert_eq!((writes.count(), of_push.len()), (3, 6));
    let totals = requests.iter().filter(|one| one.target.contains("/quota/"));
    assert!(totals.count() <= 4, "{requests:?}");
}

#[tokio::test]
async fn a_blob_of_one_part_is_four_writes() {
    let store = S3Server::start().await;
    let server = warm(&store).await;
    server.push_blob("a", &noise(100_000)).await;
    // The content besides.
    assert_eq!(cost(&store).0, 4);
}

#[tokio::test]
async fn a_blob_of_many_parts_is_a_request_for_each() {
    let store = S3Server::start().await;
    let server = warm(&store).await;
    server.push_blob("a", &noise(1_000_000)).await;
    let requests = store.take_requests();
    let count = |operation| {
        let found = requests.iter().filter(|one| one.operation == operation);
        found.count()
    };
    assert_eq!(count(Operation::CreateMultipartUpload), 1);
    assert_eq!(count(Operation::UploadPart), 4);
    assert_eq!(count(Operation::CompleteMultipartUpload), 1);
    assert_eq!(count(Operation::PutObject), 3);
    // Nothing is read to be hashed or copied.
    assert!(count(Operation::GetObject) <= 4);
}

#[tokio::test]
async fn a_manifest_that_is_known_is_one_request() {
    let store = S3Server::start().await;
    let server = warm(&store).await;
    let digest = server.push_tagged("a", "v1", "1").await;
    for reference in ["v1", digest.as_str()] {
        let path = format!("/v2/a/manifests/{reference}");
        let cold = server.send("GET", &path).await;
        let cold = cold.bytes().await.unwrap();
        store.take_requests();
        let warm = server.send("GET", &path).await;
        assert_eq!(header(&warm, "content-type"), OCI_MANIFEST);
        assert!(warm.bytes().await.unwrap() == cold);
        assert_eq!(cost(&store), (0, 1), "{reference}");
    }
    // What another replica did is seen at once.
    let replica = warm_replica(&store).await;
    let moved = replica.push_tagged("a", "v1", "2").await;
    let head = server.send("HEAD", "/v2/a/manifests/v1").await;
    assert_eq!(header(&head, "docker-content-digest"), moved.as_str());
    let path = format!("/v2/a/manifests/{digest}");
    assert_eq!(replica.status("DELETE", &path).await, 202);
    assert_eq!(server.status("GET", &path).await, 404);
}

async fn warm_replica(store: &S3Server) -> Server {
    warm(store).await
}

#[tokio::test]
async fn lists_are_one_request() {
    let store = S3Server::start().await;
    let server = warm(&store).await;
    let subject = server.push_tagged("a", "v1", "1").await;
    for marker in 2..5 {
        let mut manifest = server.image("a", &marker.to_string()).await;
        manifest["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject, "size": 1});
        let path = format!("/v2/a/manifests/v{marker}");
        let response = server.put_manifest(&path, &manifest).await;
        assert_eq!(response.status(), 201);
    }
    store.take_requests();
    let tags = server.get_json("/v2/a/tags/list?n=2").await;
    assert_eq!(tags["tags"], json!(["v1", "v2"]));
    assert_eq!(cost(&store), (0, 1));
    let tags = server.get_json("/v2/a/tags/list?n=100&last=v2").await;
    assert_eq!(tags["tags"], json!(["v3", "v4"]));
    assert_eq!(cost(&store), (0, 1));
    let referrers = server.get_json(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(referrers["manifests"].as_array().unwrap().len(), 3);
    // The list, and at the same time what older clients wrote under a tag.
    assert_eq!(cost(&store), (0, 2));
}
