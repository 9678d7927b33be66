//! Manifests and tags (end-3, end-7, end-9).

use cairn_spec::Digest;
use serde_json::{Value, json};

use crate::harness::{
    OCI_INDEX, OCI_MANIFEST, Server, digest_of, error_of, has_header, header, json_of, sha512,
};

#[tokio::test]
async fn a_manifest_comes_back_as_it_was_pushed() {
    let server = Server::start().await;
    let manifest = server.image("a/b", "1").await;
    let digest = digest_of(&manifest);
    let pushed = server.put_manifest("/v2/a/b/manifests/v1", &manifest).await;
    assert_eq!(pushed.status(), 201);
    assert_eq!(
        header(&pushed, "location"),
        format!("/v2/a/b/manifests/{digest}")
    );
    assert_eq!(header(&pushed, "docker-content-digest"), digest.as_str());
    assert!(!has_header(&pushed, "oci-subject") && !has_header(&pushed, "oci-tag"));
    for reference in ["v1", digest.as_str()] {
        for method in ["GET", "HEAD"] {
            let path = format!("/v2/a/b/manifests/{reference}?ns=docker.io");
            // A client that names only other types gets what is there.
            let request = server.request(method, &path).header("accept", OCI_INDEX);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-type"), OCI_MANIFEST);
            assert_eq!(header(&response, "docker-content-digest"), digest.as_str());
            assert_eq!(header(&response, "etag"), format!("\"{digest}\""));
            assert_eq!(header(&response, "oci-namespace"), "docker.io");
            let length = manifest.to_string().len();
            assert_eq!(header(&response, "content-length"), length.to_string());
            let cached = header(&response, "cache-control");
            assert_eq!(cached == "no-cache", reference == "v1");
            if method == "GET" {
                assert_eq!(response.bytes().await.unwrap(), manifest.to_string());
            }
        }
    }
    let request = server.request("GET", "/v2/a/b/manifests/v1");
    let request = request.header("if-none-match", format!("\"{digest}\""));
    assert_eq!(request.send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn every_kind_of_manifest_is_accepted() {
    let server = Server::start().await;
    let image = server.image("a", "1").await;
    server.put_manifest("/v2/a/manifests/image", &image).await;
    let image = json!({"mediaType": OCI_MANIFEST, "digest": digest_of(&image), "size": image.to_string().len()});
    let config = server.push_blob("a", b"{}").await;
    let config = json!({"mediaType": "application/vnd.docker.container.image.v1+json", "digest": config, "size": 2, "data": "e30="});
    let nowhere = |media_type: &str| json!({"mediaType": media_type, "digest": Digest::sha256(b"nowhere"), "size": 7});
    let foreign = nowhere("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    let mut elsewhere = nowhere("application/vnd.oci.image.layer.v1.tar");
    elsewhere["urls"] = json!(["https://example.com/layer"]);
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image]});
    server.put_manifest("/v2/a/manifests/index", &index).await;
    let index = json!({"mediaType": OCI_INDEX, "digest": digest_of(&index), "size": index.to_string().len()});
    for (name, manifest) in [
        (
            "docker",
            json!({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": config, "layers": []}),
        ),
        (
            "list",
            json!({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": [image]}),
        ),
        (
            "nested",
            json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [index, image]}),
        ),
        (
            "bare-index",
            json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": "x/y", "subject": nowhere(OCI_MANIFEST)}),
        ),
        (
            "null-layers",
            json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": null, "unknown": [1]}),
        ),
        (
            "foreign",
            json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [foreign, elsewhere]}),
        ),
        (
            "build-cache",
            json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [config]}),
        ),
        (
            "untyped",
            json!({"schemaVersion": 2, "config": config, "layers": []}),
        ),
    ] {
        let path = format!("/v2/a/manifests/{name}");
        let pushed = server.put_manifest(&path, &manifest).await;
        assert_eq!(pushed.status(), 201, "{name}");
        let stored = server.send("GET", &path).await;
        assert_eq!(json_of(stored).await, manifest, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_a_manifest_is_refused() {
    let server = Server::start().await;
    let image = server.image("a", "1").await;
    let change = |field: &str, value: Value| {
        let mut image = image.clone();
        image[field] = value;
        image
    };
    for (name, manifest) in [
        ("no JSON object", json!([])),
        ("another version", change("schemaVersion", json!(1))),
        ("no config", change("config", json!(null))),
        ("both manifest and index", change("manifests", json!([]))),
        (
            "a malformed digest",
            change(
                "layers",
                json!([{"mediaType": "a/b", "digest": "sha256:0", "size": 1}]),
            ),
        ),
        (
            "another type inside",
            change("mediaType", json!("text/plain")),
        ),
    ] {
        let request = server.request("PUT", "/v2/a/manifests/v1");
        let request = request.header("content-type", OCI_MANIFEST);
        let refused = request.body(manifest.to_string()).send().await.unwrap();
        let error = error_of(refused).await;
        assert_eq!(error, (400, "MANIFEST_INVALID".to_owned()), "{name}");
    }
    let missing = change(
        "layers",
        json!([{"mediaType": "a/b", "digest": Digest::sha256(b"x"), "size": 1}]),
    );
    let refused = server.put_manifest("/v2/a/manifests/v1", &missing).await;
    assert_eq!(
        error_of(refused).await,
        (400, "MANIFEST_BLOB_UNKNOWN".to_owned())
    );
    // Blobs of another repository are not this one's.
    let refused = server.put_manifest("/v2/b/manifests/v1", &image).await;
    assert_eq!(refused.status(), 400);
    let other = Digest::sha256(b"other");
    for reference in [other.as_str(), "sha256:bad"] {
        let path = format!("/v2/a/manifests/{reference}");
        let refused = server.put_manifest(&path, &image).await;
        assert_eq!(error_of(refused).await, (400, "DIGEST_INVALID".to_owned()));
    }
    let refused = server.put_manifest("/v2/a/manifests/.bad", &image).await;
    assert_eq!(
        error_of(refused).await,
        (400, "MANIFEST_INVALID".to_owned())
    );
    assert_eq!(server.status("GET", "/v2/a/manifests/v1").await, 404);
}

#[tokio::test]
async fn manifests_may_be_large_but_not_endless() {
    let server = Server::start().await;
    let mut image = server.image("a", "1").await;
    image["annotations"]["fill"] = json!("x".repeat(4_100_000));
    let pushed = server.put_manifest("/v2/a/manifests/large", &image).await;
    assert_eq!(pushed.status(), 201);
    let stored = server.send("GET", "/v2/a/manifests/large").await;
    assert_eq!(stored.bytes().await.unwrap(), image.to_string());
    image["annotations"]["fill"] = json!("x".repeat(4_200_000));
    let refused = server.put_manifest("/v2/a/manifests/larger", &image).await;
    assert_eq!(error_of(refused).await, (413, "SIZE_INVALID".to_owned()));
}

#[tokio::test]
async fn manifests_may_be_named_by_sha512() {
    let server = Server::start().await;
    let image = server.image("a", "1").await;
    let digest = sha512(image.to_string().as_bytes());
    let path = format!("/v2/a/manifests/{digest}?tag=v1");
    let pushed = server.put_manifest(&path, &image).await;
    assert_eq!(pushed.status(), 201);
    assert_eq!(header(&pushed, "docker-content-digest"), digest.as_str());
    for reference in ["v1", digest.as_str()] {
        let head = server
            .send("HEAD", &format!("/v2/a/manifests/{reference}"))
            .await;
        assert_eq!(header(&head, "docker-content-digest"), digest.as_str());
    }
    let sha256 = format!("/v2/a/manifests/{}", digest_of(&image));
    assert_eq!(server.status("HEAD", &sha256).await, 404);
}

#[tokio::test]
async fn a_push_by_digest_takes_tags_along() {
    let server = Server::start().await;
    let image = server.image("a", "1").await;
    let digest = digest_of(&image);
    let tags: Vec<String> = (0..12).map(|n| format!("v{n:02}")).collect();
    let query = tags.iter().map(|tag| format!("tag={tag}"));
    let query = query.collect::<Vec<_>>().join("&");
    let path = format!("/v2/a/manifests/{digest}?{query}");
    let pushed = server.put_manifest(&path, &image).await;
    assert_eq!(pushed.status(), 201);
    assert_eq!(header(&pushed, "oci-tag"), tags.join(", "));
    for tag in &tags {
        let head = server.send("HEAD", &format!("/v2/a/manifests/{tag}")).await;
        assert_eq!(header(&head, "docker-content-digest"), digest.as_str());
    }
    let many: Vec<_> = (0..100).map(|n| format!("tag=x{n}")).collect();
    let path = format!("/v2/a/manifests/{digest}?{}", many.join("&"));
    assert_eq!(server.put_manifest(&path, &image).await.status(), 414);
    let path = format!("/v2/a/manifests/{digest}?tag=.bad");
    assert_eq!(server.put_manifest(&path, &image).await.status(), 400);
}

#[tokio::test]
async fn deleting_a_tag_keeps_the_manifest() {
    let server = Server::start().await;
    let digest = server.push_tagged("a", "v1", "1").await;
    assert_eq!(server.status("DELETE", "/v2/a/manifests/v1").await, 202);
    assert_eq!(server.status("GET", "/v2/a/manifests/v1").await, 404);
    let gone = server.send("DELETE", "/v2/a/manifests/v1").await;
    assert_eq!(error_of(gone).await, (404, "MANIFEST_UNKNOWN".to_owned()));
    let by_digest = format!("/v2/a/manifests/{digest}");
    assert_eq!(server.status("GET", &by_digest).await, 200);
}

#[tokio::test]
async fn deleting_a_manifest_deletes_the_tags_on_it() {
    let server = Server::start().await;
    let first = server.push_tagged("a", "v1", "1").await;
    server.push_tagged("a", "latest", "1").await;
    server.push_tagged("a", "moved", "1").await;
    let second = server.push_tagged("a", "moved", "2").await;
    let path = format!("/v2/a/manifests/{first}");
    assert_eq!(server.status("DELETE", &path).await, 202);
    for reference in ["v1", "latest", first.as_str()] {
        let path = format!("/v2/a/manifests/{reference}");
        assert_eq!(server.status("GET", &path).await, 404, "{reference}");
    }
    let tags = server.get_json("/v2/a/tags/list").await;
    assert_eq!(tags, json!({"name": "a", "tags": ["moved"]}));
    let moved = server.send("HEAD", "/v2/a/manifests/moved").await;
    assert_eq!(header(&moved, "docker-content-digest"), second.as_str());
    assert_eq!(server.status("DELETE", &path).await, 404);
    // It can come back.
    server.push_tagged("a", "v1", "1").await;
    assert_eq!(server.status("GET", &path).await, 200);
}

#[tokio::test]
async fn unknown_manifests_are_not_found() {
    let server = Server::start().await;
    for reference in ["v1", ".never-a-tag", Digest::sha256(b"").as_str()] {
        let path = format!("/v2/nowhere/manifests/{reference}");
        let error = error_of(server.send("GET", &path).await).await;
        assert_eq!(error, (404, "MANIFEST_UNKNOWN".to_owned()));
        assert_eq!(server.status("HEAD", &path).await, 404);
    }
}
