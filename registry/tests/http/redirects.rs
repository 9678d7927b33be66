//! Pulls that the store itself answers.

use cairn_registry::{Config, RedirectConfig, StorageConfig};
use cairn_spec::Digest;
use cairn_test_s3::{Operation, S3Server};
use reqwest::{Response, redirect::Policy};

use crate::harness::{Server, builder, has_header, header, in_bucket, noise};

/// Clients of these networks are redirected, under another name of this machine.
async fn redirecting(store: &S3Server, clients: &[&str]) -> Server {
    let mut storage = in_bucket(store);
    if let StorageConfig::S3(config) = &mut storage {
        config.redirects = Some(RedirectConfig {
            clients: clients.iter().map(|&network| network.to_owned()).collect(),
            except: vec!["10.9.0.0/16".to_owned()],
            endpoint: Some(store.endpoint().replace("127.0.0.1", "localhost")),
            expires_s: 300,
        });
    }
    Server::with(Config {
        storage,
        trusted_proxies: vec!["127.0.0.1".to_owned()],
        ..Config::default()
    })
    .await
}

/// What a client is told that comes from this address, by a proxy.
async fn asked(server: &Server, method: &str, path: &str, client: &str) -> Response {
    let http = builder().redirect(Policy::none()).build().unwrap();
    let url = format!("http://{}{path}", server.address);
    let request = http.request(method.parse().unwrap(), url);
    let request = request.header("x-forwarded-for", client);
    request.send().await.unwrap()
}

#[tokio::test]
async fn clients_of_a_network_get_large_blobs_from_the_store() {
    let store = S3Server::start().await;
    let server = redirecting(&store, &["10.0.0.0/8"]).await;
    let content = noise(700_000);
    let digest = server.push_blob("a", &content).await;
    let path = format!("/v2/a/blobs/{digest}");

    let told = asked(&server, "GET", &path, "10.1.2.3").await;
    assert_eq!(told.status(), 307);
    assert_eq!(header(&told, "docker-content-digest"), digest.as_str());
    assert_eq!(header(&told, "cache-control"), "no-store");
    let url = header(&told, "location");
    assert!(url.starts_with("http://localhost:"), "{url}");
    assert!(url.contains("X-Amz-Expires=300"), "{url}");
    store.take_requests();
    let http = builder().build().unwrap();
    let blob = http.get(&url).send().await.unwrap();
    assert!(blob.bytes().await.unwrap() == content);
    let range = http.get(&url).header("range", "bytes=5-9").send();
    let range = range.await.unwrap();
    assert_eq!(range.status(), 206);
    assert_eq!(range.bytes().await.unwrap(), content[5..10]);
    let requests = store.take_requests();
    assert!(
        requests
            .iter()
            .all(|one| one.operation == Operation::GetObject)
    );
    assert_eq!(requests.len(), 2);

    // The URL is good for this object and for reading only.
    let forged = url.replace("X-Amz-Expires=300", "X-Amz-Expires=301");
    assert_eq!(http.get(forged).send().await.unwrap().status(), 403);
    assert_eq!(http.delete(&url).send().await.unwrap().status(), 403);

    // Signing asks the store for nothing: only the record is read.
    store.take_requests();
    asked(&server, "GET", &path, "10.1.2.3").await;
    assert_eq!(store.take_requests().len(), 1);
}

#[tokio::test]
async fn everything_else_is_served() {
    let store = S3Server::start().await;
    let server = redirecting(&store, &["10.0.0.0/8"]).await;
    let content = noise(100_000);
    let digest = server.push_blob("a", &content).await;
    let path = format!("/v2/a/blobs/{digest}");
    for client in ["192.0.2.1", "10.9.0.1"] {
        let answer = asked(&server, "GET", &path, client).await;
        assert_eq!(answer.status(), 200, "{client}");
        assert!(answer.bytes().await.unwrap() == content);
    }
    let inside = "10.1.2.3";
    let head = asked(&server, "HEAD", &path, inside).await;
    assert_eq!(head.status(), 200);
    assert_eq!(header(&head, "content-length"), "100000");
    // What is kept in the record is there already.
    let small = server.push_blob("a", b"small").await;
    let small = format!("/v2/a/blobs/{small}");
    let answer = asked(&server, "GET", &small, inside).await;
    assert_eq!(answer.bytes().await.unwrap(), &b"small"[..]);
    let absent = format!("/v2/a/blobs/{}", Digest::sha256(b"absent"));
    assert_eq!(asked(&server, "GET", &absent, inside).await.status(), 404);
    // Nobody but a trusted proxy says where a client is.
    let direct = server.send("GET", &path).await;
    assert!(direct.status() == 200 && !has_header(&direct, "location"));
}

/// As every client does that follows redirects.
#[tokio::test]
async fn ranges_follow() {
    let store = S3Server::start().await;
    let server = redirecting(&store, &["127.0.0.1"]).await;
    let content = noise(300_000);
    let digest = server.push_blob("a", &content).await;
    let path = format!("/v2/a/blobs/{digest}");
    let whole = server.send("GET", &path).await;
    assert_eq!(whole.url().domain(), Some("localhost"));
    assert!(whole.bytes().await.unwrap() == content);
    for (range, status, expected) in [
        ("bytes=0-9", 206, &content[..10]),
        ("bytes=299990-", 206, &content[299_990..]),
        ("bytes=-5", 206, &content[299_995..]),
    ] {
        let request = server.request("GET", &path).header("range", range);
        let part = request.send().await.unwrap();
        assert_eq!(part.status(), status, "{range}");
        assert!(part.bytes().await.unwrap() == expected, "{range}");
    }
    let beyond = server
        .request("GET", &path)
        .header("range", "bytes=300000-");
    let beyond = beyond.send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "content-range"), "bytes */300000");
}
