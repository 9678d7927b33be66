//! A registry over a directory, closed and opened again.

use cairn_spec::Digest;
use serde_json::json;

use crate::harness::{Server, digest_of, header, noise, sha512};

#[tokio::test]
async fn content_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::open(directory.path()).await;
    let content = noise(1_000_000);
    let blob = server.push_blob("a/b", &content).await;
    let kept = server.push_tagged("a/b", "v1", "1").await;
    let deleted = server.push_tagged("a/b", "v2", "2").await;
    let path = format!("/v2/a/b/manifests/{deleted}");
    assert_eq!(server.status("DELETE", &path).await, 202);
    let mut signature = server.image("a/b", "3").await;
    signature["subject"] = json!({"mediaType": "a/b", "digest": kept, "size": 1});
    server
        .put_manifest("/v2/a/b/manifests/signature", &signature)
        .await;
    server.stop().await;

    let server = Server::open(directory.path()).await;
    let response = server.send("GET", &format!("/v2/a/b/blobs/{blob}")).await;
    assert!(response.bytes().await.unwrap() == content);
    let head = server.send("HEAD", "/v2/a/b/manifests/v1").await;
    assert_eq!(header(&head, "docker-content-digest"), kept.as_str());
    assert_eq!(server.status("GET", &path).await, 404);
    let tags = server.get_json("/v2/a/b/tags/list").await;
    assert_eq!(tags["tags"], json!(["signature", "v1"]));
    let referrers = server.get_json(&format!("/v2/a/b/referrers/{kept}")).await;
    let digest = &referrers["manifests"][0]["digest"];
    assert_eq!(*digest, json!(digest_of(&signature)));
    server.stop().await;
}

#[tokio::test]
async fn an_upload_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    for (content, first, second) in [
        // Kept in the record, moved from the record to a payload, and in a payload all along.
        (noise(3000), 1000, 2000),
        (noise(9000), 1000, 5000),
        (noise(2_000_000), 700_001, 1_400_002),
    ] {
        for digest in [Digest::sha256(&content), sha512(&content)] {
            let server = Server::open(directory.path()).await;
            let location = server.start_upload("a").await;
            let request = server.request("PATCH", &location);
            let request = request.body(content[..first].to_vec());
            assert_eq!(request.send().await.unwrap().status(), 202);
            server.stop().await;

            let server = Server::open(directory.path()).await;
            let status = server.send("GET", &location).await;
            assert_eq!(status.status(), 204);
            assert_eq!(header(&status, "range"), format!("0-{}", first - 1));
            let request = server.request("PATCH", &location);
            let request = request
                .header("content-range", format!("{first}-{}", second - 1))
                .body(content[first..second].to_vec());
            assert_eq!(request.send().await.unwrap().status(), 202);
            server.stop().await;

            let server = Server::open(directory.path()).await;
            let request = server.request("PUT", &format!("{location}?digest={digest}"));
            let request = request.body(content[second..].to_vec());
            assert_eq!(request.send().await.unwrap().status(), 201);
            let blob = server.send("GET", &format!("/v2/a/blobs/{digest}")).await;
            assert!(blob.bytes().await.unwrap() == content);
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn one_directory_serves_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::open(directory.path()).await;
    let config = cairn_registry::Config {
        storage: cairn_registry::StorageConfig::Directory(directory.path().to_owned()),
        ..cairn_registry::Config::default()
    };
    let error = config.build().await.unwrap_err().to_string();
    assert!(error.ends_with("is in use by another process"), "{error}");
    server.stop().await;
}
