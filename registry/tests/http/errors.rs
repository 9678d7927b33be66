//! What does not exist, what is not allowed, what is too much, and how the server is doing.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{Server, error_of, header};

#[tokio::test]
async fn errors_are_json_wherever_they_arise() {
    let server = Server::start().await;
    for path in ["/", "/v1/", "/v2/a", "/v2/a/unknown/x", "/v2/%zz"] {
        let error = error_of(server.send("GET", path).await).await;
        assert_eq!(error, (404, "UNSUPPORTED".to_owned()), "{path}");
    }
    let error = error_of(server.send("GET", "/v2/NOT-A-NAME/tags/list").await).await;
    assert_eq!(error, (400, "NAME_INVALID".to_owned()));
    for (method, path, allowed) in [
        ("PUT", "/v2/", "GET, HEAD"),
        ("POST", "/v2/a/tags/list", "GET, HEAD"),
        ("PATCH", "/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
    ] {
        let response = server.send(method, path).await;
        assert_eq!(header(&response, "allow"), allowed);
        let error = error_of(response).await;
        assert_eq!(error, (405, "UNSUPPORTED".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn oversized_requests_are_refused() {
    let server = Server::start().await;
    let request = server
        .request("GET", "/v2/")
        .header("x-large", "x".repeat(20_000));
    assert_eq!(error_of(request.send().await.unwrap()).await.0, 431);
    let long = format!("/v2/?x={}", "x".repeat(9_000));
    assert_eq!(error_of(server.send("GET", &long).await).await.0, 414);
}

#[tokio::test]
async fn requests_are_named() {
    let server = Server::start().await;
    let response = server.send("GET", "/v2/").await;
    assert_eq!(header(&response, "x-request-id").len(), 26);
    let request = server
        .request("GET", "/v2/")
        .header("x-request-id", "from-a-proxy");
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "x-request-id"), "from-a-proxy");
}

#[tokio::test]
async fn a_server_that_drains_finishes_what_it_began() {
    let server = Server::start().await;
    assert_eq!(server.status("GET", "/healthz").await, 200);
    assert_eq!(server.status("GET", "/readyz").await, 200);
    let location = server.start_upload("a").await;
    let mut connection = TcpStream::connect(&server.address).await.unwrap();
    let head = format!("PATCH {location} HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nhel");
    connection.write_all(head.as_bytes()).await.unwrap();
    // The server has begun to serve it once it accepted a later connection's request.
    assert_eq!(server.status("GET", "/healthz").await, 200);
    server.begin_shutdown();
    let stopped = server.stop();
    futures_util::pin_mut!(stopped);
    assert!(futures_util::poll!(&mut stopped).is_pending());
    connection.write_all(b"lo!").await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 202"), "{response}");
    assert!(response.contains("range: 0-5"));
    stopped.await;
}
