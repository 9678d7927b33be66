//! What operators see and set: the audit log, and limits on clients.

use std::{fs, num::NonZeroU32};

use cairn_registry::{AuditConfig, Rate, RateLimits};
use serde_json::{Value, json};

use crate::harness::{Server, error_of, header, in_memory};

#[tokio::test]
async fn the_audit_log_tells_who_did_what() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let mut config = in_memory();
    config.immutable_tags = vec!["**".to_owned()];
    config.audit = Some(AuditConfig { file: file.clone() });
    let server = Server::with(config).await;
    let digest = server.push_tagged("a/b", "v1", "1").await;
    let other = server.image("a/b", "2").await;
    let refused = server.put_manifest("/v2/a/b/manifests/v1", &other).await;
    assert_eq!(refused.status(), 403);
    server.status("GET", "/v2/a/b/manifests/v1").await;
    let request = server.request("DELETE", "/v2/a/b/manifests/v1");
    let request = request.header("x-request-id", "my-request");
    assert_eq!(request.send().await.unwrap().status(), 202);
    let absent = server.status("DELETE", "/v2/a/b/manifests/v1").await;
    assert_eq!(absent, 404);
    server.stop().await;

    let log = fs::read_to_string(&file).unwrap();
    let records = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let manifests: Vec<Value> = records
        .filter(|record| record["action"] != "push-blob")
        .collect();
    let shown: Vec<Value> = manifests
        .iter()
        .map(|record| json!([record["action"], record["outcome"], record["reference"]]))
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            ["push-manifest", "done", "v1"],
            ["push-manifest", "denied", "v1"],
            ["delete-tag", "done", "v1"],
            ["delete-tag", "failed", "v1"],
        ])
    );
    assert_eq!(manifests[0]["digest"], json!(digest));
    assert_eq!(manifests[0]["actor"], "anonymous");
    assert_eq!(manifests[0]["remoteAddress"], "127.0.0.1");
    assert_eq!(manifests[0]["repository"], "a/b");
    assert!(
        manifests[1]["reason"]
            .as_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(manifests[2]["requestId"], "my-request");
    assert_eq!(log.lines().count(), 8, "{log}");
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let mut config = in_memory();
    let rate = Rate {
        per_second: NonZeroU32::MIN,
        burst: NonZeroU32::new(3).unwrap(),
    };
    config.rate_limits = RateLimits {
        list: Some(rate),
        ..RateLimits::default()
    };
    config.trusted_proxies = vec!["127.0.0.1".to_owned()];
    let server = Server::with(config).await;
    let ask = async |client: &str| {
        let request = server.request("GET", "/v2/_catalog");
        let request = request.header("x-forwarded-for", client);
        request.send().await.unwrap()
    };
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(ask("192.0.2.1").await);
    }
    let refused = answers.into_iter().find(|answer| answer.status() == 429);
    let refused = refused.expect("ten requests at once are more than three");
    assert_eq!(header(&refused, "retry-after"), "1");
    assert_eq!(error_of(refused).await, (429, "TOOMANYREQUESTS".to_owned()));
    // Others, and other requests, go on.
    assert_eq!(ask("192.0.2.2").await.status(), 200);
    assert_eq!(server.status("GET", "/v2/").await, 200);
    assert_eq!(server.status("GET", "/readyz").await, 200);
}
