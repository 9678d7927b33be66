//! Upload sessions (end-4 to end-6, end-13, end-14).

use std::time::Duration;

use cairn_spec::Digest;
use reqwest::Response;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::harness::{Server, error_of, header, in_memory, noise, sha512};

async fn patch(server: &Server, location: &str, range: Option<&str>, body: &[u8]) -> Response {
    let mut request = server.request("PATCH", location).body(body.to_vec());
    if let Some(range) = range {
        request = request.header("content-range", range);
    }
    request.send().await.unwrap()
}

async fn position(server: &Server, location: &str) -> String {
    let response = server.send("GET", location).await;
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "location"), location);
    header(&response, "range")
}

async fn finish(server: &Server, location: &str, digest: &Digest, body: &[u8]) -> Response {
    let path = format!("{location}?digest={digest}");
    let request = server.request("PUT", &path).body(body.to_vec());
    request.send().await.unwrap()
}

async fn assert_blob(server: &Server, digest: &Digest, content: &[u8]) {
    let response = server.send("GET", &format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.unwrap() == content);
}

#[tokio::test]
async fn post_only() {
    let server = Server::start().await;
    for content in [noise(0), noise(100), noise(1_500_000)] {
        let digest = Digest::sha256(&content);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let response = server.request("POST", &path).body(content.clone());
        let response = response.send().await.unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(
            header(&response, "location"),
            format!("/v2/a/blobs/{digest}")
        );
        assert_eq!(header(&response, "docker-content-digest"), digest.as_str());
        assert_blob(&server, &digest, &content).await;
    }
}

#[tokio::test]
async fn chunked() {
    let server = Server::start().await;
    for chunk in [1000_usize, 700_000] {
        let content = noise(chunk * 3 - 10);
        let location = server.start_upload("a").await;
        assert!(location.starts_with("/v2/a/blobs/uploads/"));
        assert_eq!(position(&server, &location).await, "0-0");
        for (index, piece) in content.chunks(chunk).enumerate() {
            let first = index * chunk;
            let range = format!("{first}-{}", first + piece.len() - 1);
            let response = patch(&server, &location, Some(&range), piece).await;
            assert_eq!(response.status(), 202);
            let received = format!("0-{}", first + piece.len() - 1);
            assert_eq!(header(&response, "range"), received);
            assert_eq!(header(&response, "location"), location);
            assert_eq!(position(&server, &location).await, received);
        }
        let digest = Digest::sha256(&content);
        assert_eq!(finish(&server, &location, &digest, b"").await.status(), 201);
        assert_blob(&server, &digest, &content).await;
        // The session is over.
        assert_eq!(server.status("GET", &location).await, 404);
        assert_eq!(finish(&server, &location, &digest, b"").await.status(), 404);
    }
}

#[tokio::test]
async fn stream() {
    let server = Server::start().await;
    let content = noise(2_000_000);
    let digest = Digest::sha256(&content);
    let location = server.start_upload("a").await;
    for piece in [&content[..1_200_000], &content[1_200_000..1_200_100]] {
        assert_eq!(patch(&server, &location, None, piece).await.status(), 202);
    }
    let rest = &content[1_200_100..];
    let finished = finish(&server, &location, &digest, rest).await;
    assert_eq!(finished.status(), 201);
    assert_blob(&server, &digest, &content).await;
}

#[tokio::test]
async fn an_out_of_order_chunk_leaves_the_upload_where_it_was() {
    let server = Server::start().await;
    let content = noise(30_000);
    let digest = Digest::sha256(&content);
    let location = server.start_upload("a").await;
    let refused = patch(&server, &location, Some("10-19"), &content[10..20]).await;
    assert_eq!(header(&refused, "range"), "0-0");
    assert_eq!(error_of(refused).await.0, 416);

    let first = patch(&server, &location, Some("0-9999"), &content[..10_000]).await;
    assert_eq!(first.status(), 202);
    // Ahead, and back to the beginning; as a chunk, and as the closing chunk.
    for (range, piece) in [
        ("20000-29999", &content[20_000..]),
        ("0-9999", &content[..10_000]),
    ] {
        let refused = patch(&server, &location, Some(range), piece).await;
        assert_eq!(refused.status(), 416);
        assert_eq!(header(&refused, "range"), "0-9999");
        assert_eq!(header(&refused, "location"), location);
        let path = format!("{location}?digest={digest}");
        let closing = server.request("PUT", &path).header("content-range", range);
        let closing = closing.body(piece.to_vec()).send().await.unwrap();
        assert_eq!(closing.status(), 416);
        assert_eq!(position(&server, &location).await, "0-9999");
    }
    let path = format!("{location}?digest={digest}");
    let closing = server
        .request("PUT", &path)
        .header("content-range", "10000-29999");
    let closing = closing
        .body(content[10_000..].to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(closing.status(), 201);
    assert_blob(&server, &digest, &content).await;
}

#[tokio::test]
async fn a_chunk_as_long_as_its_range_says() {
    let server = Server::start().await;
    let location = server.start_upload("a").await;
    for (range, body) in [("0-99", noise(50)), ("0-9", noise(50)), ("9-0", noise(9))] {
        let refused = patch(&server, &location, Some(range), &body).await;
        assert_eq!(error_of(refused).await, (400, "SIZE_INVALID".to_owned()));
        assert_eq!(position(&server, &location).await, "0-0");
    }
    let large = noise(20_000);
    let refused = patch(&server, &location, Some("0-29999"), &large).await;
    assert_eq!(refused.status(), 400);
    // What was refused is not part of the blob.
    let content = noise(10);
    assert_eq!(
        patch(&server, &location, Some("0-9"), &content)
            .await
            .status(),
        202
    );
    let digest = Digest::sha256(&content);
    assert_eq!(finish(&server, &location, &digest, b"").await.status(), 201);
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing() {
    let server = Server::start().await;
    let wrong = Digest::sha256(b"something else");
    for content in [noise(100), noise(100_000)] {
        for digest in [wrong.clone(), sha512(b"something else")] {
            let location = server.start_upload("a").await;
            let half = content.len() / 2;
            patch(&server, &location, None, &content[..half]).await;
            let refused = finish(&server, &location, &digest, &content[half..]).await;
            assert_eq!(error_of(refused).await, (400, "DIGEST_INVALID".to_owned()));
            assert_eq!(server.status("GET", &location).await, 404);
            let path = format!("/v2/a/blobs/uploads/?digest={digest}");
            let at_once = server.request("POST", &path).body(content.clone());
            assert_eq!(at_once.send().await.unwrap().status(), 400);
            for digest in [digest, Digest::sha256(&content), sha512(&content)] {
                let path = format!("/v2/a/blobs/{digest}");
                assert_eq!(server.status("HEAD", &path).await, 404);
            }
        }
    }
    let location = server.start_upload("a").await;
    for query in ["", "?digest=sha256:baddigeststring", "?digest=md5:00"] {
        let refused = server.send("PUT", &format!("{location}{query}")).await;
        assert_eq!(error_of(refused).await, (400, "DIGEST_INVALID".to_owned()));
    }
}

#[tokio::test]
async fn sha512_with_and_without_being_told() {
    let server = Server::start().await;
    for content in [noise(1000), noise(1_200_000)] {
        let digest = sha512(&content);
        for query in ["", "?digest-algorithm=sha512"] {
            let path = format!("/v2/a/blobs/uploads/{query}");
            let started = server.send("POST", &path).await;
            assert_eq!(started.status(), 202);
            let location = header(&started, "location");
            let half = content.len() / 2;
            patch(&server, &location, None, &content[..half]).await;
            let finished = finish(&server, &location, &digest, &content[half..]).await;
            assert_eq!(finished.status(), 201, "{query}");
            assert_eq!(header(&finished, "docker-content-digest"), digest.as_str());
            assert_blob(&server, &digest, &content).await;
            let blob = format!("/v2/a/blobs/{digest}");
            assert_eq!(server.status("DELETE", &blob).await, 202);
        }
    }
    let unknown = server
        .send("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5")
        .await;
    assert_eq!(unknown.status(), 400);
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let server = Server::start().await;
    let location = server.start_upload("a").await;
    patch(&server, &location, None, &noise(10_000)).await;
    // An upload belongs to its repository.
    let elsewhere = location.replace("/v2/a/", "/v2/b/");
    assert_eq!(server.status("DELETE", &elsewhere).await, 404);
    assert_eq!(server.status("DELETE", &location).await, 204);
    for method in ["GET", "PATCH", "DELETE"] {
        let error = error_of(server.send(method, &location).await).await;
        assert_eq!(error, (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    }
    let unknown = "/v2/a/blobs/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    assert_eq!(server.status("GET", unknown).await, 404);
}

#[tokio::test]
async fn what_arrived_of_a_broken_chunk_counts() {
    let server = Server::start().await;
    let content = noise(3_000_000);
    let digest = Digest::sha256(&content);
    let location = server.start_upload("a").await;
    let mut connection = TcpStream::connect(&server.address).await.unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        content.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&content[..2_000_000]).await.unwrap();
    connection.flush().await.unwrap();
    drop(connection);

    let mut received = 0;
    for _ in 0..100 {
        let range = position(&server, &location).await;
        received = range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
        if received > 1 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(received > 1_000_000, "{received} bytes were kept");
    let range = format!("{received}-{}", content.len() - 1);
    let rest = patch(&server, &location, Some(&range), &content[received..]).await;
    assert_eq!(rest.status(), 202);
    assert_eq!(finish(&server, &location, &digest, b"").await.status(), 201);
    assert_blob(&server, &digest, &content).await;
}

#[tokio::test]
async fn uploads_of_one_blob_at_a_time_share_it() {
    let server = Server::start().await;
    let content = noise(600_000);
    let pushes = (0..8).map(|_| server.push_blob("a", &content));
    let digests = futures_util::future::join_all(pushes).await;
    assert_blob(&server, &digests[0], &content).await;
    server.stop().await;
}

#[tokio::test]
async fn uploads_have_limits() {
    let mut config = in_memory();
    config.limits.blob_bytes = 10_000;
    config.limits.upload_chunk_bytes = 6_000;
    config.limits.idle_timeout_s = 1;
    let server = Server::with(config).await;
    let location = server.start_upload("a").await;
    let refused = patch(&server, &location, None, &noise(6_001)).await;
    assert_eq!(error_of(refused).await, (413, "SIZE_INVALID".to_owned()));
    assert_eq!(position(&server, &location).await, "0-0");
    let first = patch(&server, &location, None, &noise(6_000)).await;
    assert_eq!(first.status(), 202);
    let refused = patch(&server, &location, None, &noise(4_001)).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(position(&server, &location).await, "0-5999");

    // A client that falls silent is cut off; what it sent counts.
    let mut connection = TcpStream::connect(&server.address).await.unwrap();
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nfour");
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let mut reader = tokio::io::AsyncReadExt::take(&mut connection, 12);
    tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut response)
        .await
        .unwrap();
    assert_eq!(response, b"HTTP/1.1 408");
    assert_eq!(position(&server, &location).await, "0-6003");
}
