//! Readiness that tells the truth about the storage.

use std::fs;

use cairn_registry::{Config, MetricsConfig};
use cairn_test_s3::{Fault, S3Server};

use crate::harness::{Server, error_of, in_bucket};

#[tokio::test]
async fn a_disk_that_takes_nothing_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(folder.path()).await;
    assert_eq!(server.status("GET", "/readyz").await, 200);
    server.stop().await;

    let server = Server::open(folder.path()).await;
    fs::remove_dir(folder.path().join("uploads")).unwrap();
    let response = server.send("GET", "/readyz").await;
    assert_eq!(error_of(response).await, (503, "UNAVAILABLE".to_owned()));
    // Nothing would be won by starting it anew.
    assert_eq!(server.status("GET", "/healthz").await, 200);
}

#[tokio::test]
async fn a_bucket_whose_credentials_expired_is_not_ready() {
    let store = S3Server::start().await;
    let server = Server::with(Config {
        storage: in_bucket(&store),
        metrics: Some(MetricsConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
        }),
        ..Config::default()
    })
    .await;
    store.fail(0, 1.0, &[Fault::ExpiredCredentials]);
    assert_eq!(server.status("GET", "/readyz").await, 503);
    let text = server.metrics().await.text().await.unwrap();
    assert!(text.contains("cairn_registry_ready 0"), "{text}");
    // The answer stands for some seconds, without asking the store.
    store.take_requests();
    assert_eq!(server.status("GET", "/readyz").await, 503);
    assert_eq!(store.take_requests().len(), 0);
}

#[tokio::test]
async fn a_probe_is_one_write_and_one_read_of_a_bucket() {
    let store = S3Server::start().await;
    let server = Server::with(Config {
        storage: in_bucket(&store),
        ..Config::default()
    })
    .await;
    store.take_requests();
    for _ in 0..5 {
        assert_eq!(server.status("GET", "/readyz").await, 200);
    }
    assert_eq!(store.take_requests().len(), 2);
}
