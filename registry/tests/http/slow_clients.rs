//! Clients that send or take nothing, or nearly nothing: each is let go after a named time, and
//! what it held is free for others.

use std::time::Duration;

use cairn_registry::{Config, Limits};
use cairn_spec::Digest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::harness::{Server, in_memory, noise};

/// The longest that a test waits for what must happen after a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that takes one connection at a time, and lets nobody wait for more than a second.
async fn impatient() -> Server {
    Server::with(Config {
        limits: Limits {
            connections: 1,
            header_timeout_s: 1,
            idle_timeout_s: 1,
            upload_wait_s: 1,
            ..Limits::default()
        },
        ..in_memory()
    })
    .await
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(&server.address).await.unwrap()
}

/// What the server sends until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    // A reset is an end, too.
    let _ = timeout(PATIENCE, read).await.expect("it is let go");
    String::from_utf8_lossy(&received).into_owned()
}

/// Whoever comes next is served: the one slot is free again.
async fn assert_free(server: &Server) {
    let next = timeout(PATIENCE, server.status("GET", "/v2/")).await;
    assert_eq!(next.expect("the slot is free"), 200);
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let server = impatient().await;
    for opening in ["", "P", "PRI * HTTP/2.0\r\n"] {
        let mut stream = connect(&server).await;
        stream.write_all(opening.as_bytes()).await.unwrap();
        rest(&mut stream).await;
        assert_free(&server).await;
    }
}

#[tokio::test]
async fn who_never_ends_its_headers_is_let_go() {
    let server = impatient().await;
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET /v2/ HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let since = Instant::now();
    // A byte now and then does not help.
    while since.elapsed() < PATIENCE && stream.write_all(b"x").await.is_ok() {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(since.elapsed() < PATIENCE, "it is let go");
    assert_free(&server).await;
}

#[tokio::test]
async fn who_rests_between_requests_is_let_go() {
    let server = impatient().await;
    let mut stream = connect(&server).await;
    let request = b"GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_free(&server).await;
}

#[tokio::test]
async fn whose_body_stops_is_answered_and_what_came_counts() {
    let server = impatient().await;
    let location = server.start_upload("a").await;
    assert_free(&server).await;
    let mut stream = connect(&server).await;
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\nhello"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("BLOB_UPLOAD_INVALID"), "{answer}");
    assert!(
        answer.contains("no bytes arrived for 1 seconds"),
        "{answer}"
    );
    let stands = server.send("GET", &location).await;
    assert_eq!(crate::harness::header(&stands, "range"), "0-4");
}

#[tokio::test]
async fn who_does_not_take_a_blob_is_let_go() {
    let server = impatient().await;
    // More than the buffers of both ends hold.
    let content = noise(32 << 20);
    let digest = Digest::sha256(&content);
    let path = format!("/v2/a/blobs/uploads/?digest={digest}");
    let pushed = server.request("POST", &path).body(content);
    assert_eq!(pushed.send().await.unwrap().status(), 201);
    let mut stream = connect(&server).await;
    let head = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // Held open, and nothing is read.
    assert_free(&server).await;
    drop(stream);
}

#[tokio::test]
async fn headers_are_bounded_in_number_and_size() {
    let server = Server::start().await;
    let request = |headers: &str| format!("GET /v2/ HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    let many: Vec<String> = (0..2000).map(|n| format!("h{n}: x\r\n")).collect();
    let large = format!("h: {}\r\n", "x".repeat(1 << 20));
    let twice = "content-length: 1\r\ncontent-length: 2\r\n".to_owned();
    let smuggled = "content-length: 1\r\ntransfer-encoding: chunked\r\n".to_owned();
    for (headers, statuses) in [
        (many.concat(), ["431", "400"]),
        (large, ["431", "400"]),
        (twice, ["400", "400"]),
        (smuggled, ["400", "200"]),
    ] {
        let mut stream = connect(&server).await;
        // It may be refused before all of it is sent.
        let _ = stream.write_all(request(&headers).as_bytes()).await;
        let mut answer = [0; 12];
        let _ = timeout(PATIENCE, stream.read_exact(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{answer}");
    }
    assert_free(&server).await;
}
