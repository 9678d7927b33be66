//! The sequences of requests that common clients make.

use cairn_spec::Digest;
use serde_json::json;

use crate::harness::{Server, header, noise};

/// containerd: no ping, `HEAD` first, upload in one `PUT`, `ns` on every pull.
#[tokio::test]
async fn containerd_pushes_and_pulls() {
    let server = Server::start().await;
    let content = noise(50_000);
    let digest = Digest::sha256(&content);
    let blob = format!("/v2/library/a/blobs/{digest}");
    assert_eq!(server.status("HEAD", &blob).await, 404);
    let path = format!("/v2/library/a/blobs/uploads/?mount={digest}&from=library/b");
    let location = header(&server.send("POST", &path).await, "location");
    let put = server.request("PUT", &format!("{location}?digest={digest}"));
    assert_eq!(
        put.body(content.clone()).send().await.unwrap().status(),
        201
    );
    let pulled = server.send("GET", &format!("{blob}?ns=docker.io")).await;
    assert_eq!(header(&pulled, "oci-namespace"), "docker.io");
    assert!(pulled.bytes().await.unwrap() == content);
}

/// podman and skopeo: ping, `PATCH` without range, `PUT` without body; after a failed mount they
/// cancel the upload it opened.
#[tokio::test]
async fn podman_pushes() {
    let server = Server::start().await;
    assert_eq!(server.status("GET", "/v2/").await, 200);
    let content = noise(50_000);
    let digest = Digest::sha256(&content);
    let path = format!("/v2/a/blobs/uploads/?mount={digest}&from=b");
    let opened = header(&server.send("POST", &path).await, "location");
    assert_eq!(server.status("DELETE", &opened).await, 204);
    let location = server.start_upload("a").await;
    let sent = server.request("PATCH", &location).body(content.clone());
    let location = header(&sent.send().await.unwrap(), "location");
    let put = server
        .send("PUT", &format!("{location}?digest={digest}"))
        .await;
    assert_eq!(put.status(), 201);
    let image = server.image("a", "1").await;
    let pushed = server.put_manifest("/v2/a/manifests/latest", &image).await;
    assert_eq!(pushed.status(), 201);
}

/// cosign: a signature under a tag computed from the digest, and a bundle as a referrer.
#[tokio::test]
async fn cosign_signs() {
    let server = Server::start().await;
    let digest = server.push_tagged("a", "v1", "1").await;
    let tag = format!("sha256-{}.sig", digest.hex());
    server.push_tagged("a", &tag, "signature").await;
    let mut bundle = server.image("a", "bundle").await;
    bundle["artifactType"] = json!("application/vnd.dev.sigstore.bundle.v0.3+json");
    bundle["subject"] = json!({"mediaType": bundle["mediaType"], "digest": digest, "size": 1});
    let by_digest = format!("/v2/a/manifests/{}", crate::harness::digest_of(&bundle));
    let pushed = server.put_manifest(&by_digest, &bundle).await;
    assert_eq!(header(&pushed, "oci-subject"), digest.as_str());
    let found = server.get_json(&format!("/v2/a/referrers/{digest}")).await;
    assert_eq!(
        found["manifests"][0]["artifactType"],
        bundle["artifactType"]
    );
}

/// Many at a time, on few connections.
#[tokio::test]
async fn a_crowd_pushes_to_one_repository() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::open(directory.path()).await;
    let pushes = (0..32).map(|n| {
        let server = &server;
        async move {
            server
                .push_tagged("a", &format!("v{n:02}"), &n.to_string())
                .await
        }
    });
    let digests = futures_util::future::join_all(pushes).await;
    let tags = server.get_json("/v2/a/tags/list").await;
    assert_eq!(tags["tags"].as_array().unwrap().len(), 32);
    for (n, digest) in digests.iter().enumerate() {
        let head = server
            .send("HEAD", &format!("/v2/a/manifests/v{n:02}"))
            .await;
        assert_eq!(header(&head, "docker-content-digest"), digest.as_str());
    }
    server.stop().await;
}
