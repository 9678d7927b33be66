//! The conformance suite of the distribution specification, case by case, so that `cargo test`
//! holds the line without Go.
//!
//! The names of the cases are those of
//! <https://github.com/opencontainers/distribution-spec/tree/main/conformance>, as it runs them
//! with `OCI_VERSION=dev`: whoever sees one fail here can run the same one there with
//! `OCI_FILTER_TEST`. The server is a real one, spoken to over a loopback port; the same cases run
//! over every storage.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do: at once"
)]

mod client;
mod content;
mod datasets;
mod lists;
mod manifests;
mod pushes;
mod reads;
mod report;
mod single_blobs;
mod suite;

use cairn_registry::{Config, S3Config, S3Credentials, Secret, StorageConfig};
use cairn_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};
use insta::assert_snapshot;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{client::Client, report::Report, suite::Suite};

/// Checks that upstream's suite counts at `OCI_VERSION=dev`.
const CHECKS: usize = 986;

#[tokio::test]
async fn memory_conforms() {
    conforms(StorageConfig::Memory).await;
}

#[tokio::test]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(StorageConfig::Directory(directory.path().to_owned())).await;
}

#[tokio::test]
async fn a_bucket_conforms() {
    let server = S3Server::start().await;
    let config = S3Config {
        bucket: BUCKET.to_owned(),
        endpoint: Some(server.endpoint()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
            secret_access_key_file: None,
        }),
        ..S3Config::default()
    };
    conforms(StorageConfig::S3(Box::new(config))).await;
}

/// Runs all cases against a new server; none may fail, be left out or be new.
async fn conforms(storage: StorageConfig) {
    let report = run(storage).await;
    assert_eq!(report.failures(), Vec::<String>::new());
    assert_snapshot!("cases", report.counted());
    assert_eq!(report.total(), CHECKS);
}

async fn run(storage: StorageConfig) -> Report {
    let config = Config {
        storage,
        ..Config::default()
    };
    let app = config.build().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string());
    let shutdown = CancellationToken::new();
    let running = TaskTracker::new().spawn(app.run(listener, shutdown.clone()));
    let report = Suite::new(client).run().await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    report
}
