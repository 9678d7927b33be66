//! Reading, mounting and deleting blobs (end-2, end-10, end-11).

use cairn_spec::Digest;

use crate::harness::{Server, error_of, has_header, header, noise, sha512};

#[tokio::test]
async fn a_blob_is_read_with_the_headers_clients_rely_on() {
    let server = Server::start().await;
    for content in [
        Vec::new(),
        b"{}".to_vec(),
        noise(4096),
        noise(4097),
        noise(2_000_000),
    ] {
        let digest = server.push_blob("a/b", &content).await;
        let path = format!("/v2/a/b/blobs/{digest}");
        for method in ["GET", "HEAD"] {
            let response = server.send(method, &path).await;
            assert_eq!(response.status(), 200);
            assert_eq!(
                header(&response, "content-length"),
                content.len().to_string()
            );
            assert_eq!(
                header(&response, "content-type"),
                "application/octet-stream"
            );
            assert_eq!(header(&response, "docker-content-digest"), digest.as_str());
            assert_eq!(header(&response, "etag"), format!("\"{digest}\""));
            assert_eq!(header(&response, "accept-ranges"), "bytes");
            assert_eq!(
                header(&response, "cache-control"),
                "max-age=31536000, immutable"
            );
            let body = response.bytes().await.unwrap();
            let expected: &[u8] = if method == "GET" { &content } else { &[] };
            assert!(body == expected);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let server = Server::start().await;
    let digest = server.push_blob("a", b"content").await;
    for (tag, expected) in [
        (format!("\"{digest}\""), 304),
        (format!("\"other\", W/\"{digest}\""), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
    ] {
        let request = server.request("GET", &format!("/v2/a/blobs/{digest}"));
        let response = request.header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(response.status(), expected, "{tag}");
    }
}

#[tokio::test]
async fn unknown_and_malformed_digests_are_refused() {
    let server = Server::start().await;
    let unknown = format!("/v2/a/blobs/{}", Digest::sha256(b"unknown"));
    for method in ["GET", "DELETE"] {
        let error = error_of(server.send(method, &unknown).await).await;
        assert_eq!(error, (404, "BLOB_UNKNOWN".to_owned()));
    }
    assert_eq!(server.status("HEAD", &unknown).await, 404);
    let malformed = server
        .send("GET", "/v2/a/blobs/sha256:baddigeststring")
        .await;
    assert_eq!(
        error_of(malformed).await,
        (400, "DIGEST_INVALID".to_owned())
    );
}

#[tokio::test]
async fn a_deleted_blob_is_gone_at_once_and_only_there() {
    let server = Server::start().await;
    for content in [noise(10), noise(10_000)] {
        let digest = server.push_blob("a", &content).await;
        server.push_blob("b", &content).await;
        let [in_a, in_b] = ["a", "b"].map(|name| format!("/v2/{name}/blobs/{digest}"));
        assert_eq!(server.status("DELETE", &in_a).await, 202);
        assert_eq!(server.status("HEAD", &in_a).await, 404);
        assert_eq!(server.status("DELETE", &in_a).await, 404);
        let kept = server.send("GET", &in_b).await;
        assert!(kept.bytes().await.unwrap() == content);
        // It can come back.
        server.push_blob("a", &content).await;
        assert_eq!(server.status("HEAD", &in_a).await, 200);
    }
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let server = Server::start().await;
    let content = noise(10_000);
    let digest = server.push_blob("from", &content).await;
    for (to, query) in [
        ("named", format!("mount={digest}&from=from")),
        ("anonymous", format!("mount={digest}")),
    ] {
        let path = format!("/v2/{to}/blobs/uploads/?{query}");
        let response = server.send("POST", &path).await;
        assert_eq!(response.status(), 201);
        let location = header(&response, "location");
        assert_eq!(location, format!("/v2/{to}/blobs/{digest}"));
        let blob = server.send("GET", &location).await;
        assert!(blob.bytes().await.unwrap() == content);
    }
}

#[tokio::test]
async fn a_mount_that_fails_is_an_upload() {
    let server = Server::start().await;
    let digest = Digest::sha256(b"late");
    for query in [
        format!("mount={digest}&from=nowhere"),
        format!("mount={digest}&from=Not-A-Name"),
        format!("mount={digest}"),
    ] {
        let path = format!("/v2/a/blobs/uploads/?{query}");
        let response = server.send("POST", &path).await;
        assert_eq!(response.status(), 202, "{query}");
        let location = header(&response, "location");
        assert!(has_header(&response, "docker-upload-uuid"));
        let request = server.request("PUT", &format!("{location}?digest={digest}"));
        assert_eq!(request.body("late").send().await.unwrap().status(), 201);
        let blob = format!("/v2/a/blobs/{digest}");
        assert_eq!(server.status("DELETE", &blob).await, 202);
    }
    let malformed = server
        .send("POST", "/v2/a/blobs/uploads/?mount=sha256:0")
        .await;
    assert_eq!(error_of(malformed).await.0, 400);
}

#[tokio::test]
async fn sha512_blobs_keep_their_digest() {
    let server = Server::start().await;
    for content in [noise(100), noise(1_500_000)] {
        let digest = sha512(&content);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let pushed = server.request("POST", &path).body(content.clone());
        let pushed = pushed.send().await.unwrap();
        assert_eq!(pushed.status(), 201);
        let location = header(&pushed, "location");
        let response = server.send("GET", &location).await;
        assert_eq!(header(&response, "docker-content-digest"), digest.as_str());
        assert!(response.bytes().await.unwrap() == content);
        let other = format!("/v2/a/blobs/{}", Digest::sha256(&content));
        assert_eq!(server.status("HEAD", &other).await, 404);
    }
}
