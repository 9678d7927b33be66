//! Quotas as clients meet them.

use std::net::{Ipv4Addr, SocketAddr};

use cairn_registry::{Config, MetricsConfig, QuotaRule};
use cairn_spec::Digest;

use crate::harness::{Server, in_memory, json_of, noise};

/// 10,000 bytes and one tag a repository for what is below `team/`.
pub(crate) fn limited() -> Config {
    let mut config = in_memory();
    config.quotas.rules = vec![QuotaRule {
        name: "team".to_owned(),
        repositories: "team/**".to_owned(),
        max_bytes: Some(10_000),
        max_repositories: None,
        max_tags_per_repository: Some(1),
        warn_at_percent: 75,
    }];
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.metrics = Some(MetricsConfig { listen });
    config
}

fn warnings(response: &reqwest::Response) -> Vec<String> {
    let values = response.headers().get_all("warning").iter();
    values.map(|it| it.to_str().unwrap().to_owned()).collect()
}

async fn put(server: &Server, repository: &str, content: &[u8]) -> reqwest::Response {
    let location = server.start_upload(repository).await;
    let digest = Digest::sha256(content);
    let request = server.request("PUT", &format!("{location}?digest={digest}"));
    request.body(content.to_vec()).send().await.unwrap()
}

#[tokio::test]
async fn a_quota_warns_then_refuses_and_deleting_makes_room() {
    let server = Server::with(limited()).await;
    let contents: Vec<Vec<u8>> = (1..=4_u8)
        .map(|n| noise(4000).iter().map(|byte| byte ^ n).collect())
        .collect();
    let first = put(&server, "team/a", &contents[0]).await;
    assert_eq!((first.status().as_u16(), warnings(&first).len()), (201, 0));
    let second = put(&server, "team/b", &contents[1]).await;
    assert_eq!(second.status(), 201);
    assert_eq!(
        warnings(&second),
        [
            "299 - \"the quota team is used to 80 %: 7.8 KiB of 9.7 KiB by the repositories team/**\""
        ]
    );
    let third = put(&server, "team/a", &contents[2]).await;
    assert_eq!(third.status(), 403);
    let body = json_of(third).await;
    assert_eq!(body["errors"][0]["code"], "DENIED");
    assert_eq!(
        body["errors"][0]["message"],
        "the quota `team` is used up: the repositories `team/**` hold 7.8 KiB of 9.7 KiB, and \
         3.9 KiB more do not fit: delete tags or manifests there, and garbage collection gives \
         their room back"
    );
    let digest = Digest::sha256(&contents[2]);
    let path = format!("/v2/team/a/blobs/{digest}");
    assert_eq!(server.status("HEAD", &path).await, 404);
    // Others are not concerned, and what is mounted counts.
    assert_eq!(put(&server, "other", &contents[2]).await.status(), 201);
    let mount = format!("/v2/team/c/blobs/uploads/?mount={digest}&from=other");
    assert_eq!(server.status("POST", &mount).await, 403);

    let path = format!("/v2/team/b/blobs/{}", Digest::sha256(&contents[1]));
    assert_eq!(server.status("DELETE", &path).await, 202);
    assert_eq!(server.status("POST", &mount).await, 201);
    // The last byte.
    let rest = put(&server, "team/a", &noise(2000)).await;
    assert_eq!(rest.status(), 201);
    let full = server.send("POST", "/v2/team/a/blobs/uploads/").await;
    assert_eq!(full.status(), 403);

    let metrics = server.metrics().await.text().await.unwrap();
    for line in [
        r#"cairn_registry_quota_used_bytes{quota="team"} 10000"#,
        r#"cairn_registry_quota_max_bytes{quota="team"} 10000"#,
        r#"cairn_registry_quota_refusals_total{quota="team"} 3"#,
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_manifest_that_does_not_fit_leaves_nothing() {
    let mut config = limited();
    config.quotas.rules[0].max_bytes = Some(100);
    let server = Server::with(config).await;
    let manifest = server.image("team/a", "1").await;
    let response = server
        .put_manifest("/v2/team/a/manifests/v1", &manifest)
        .await;
    assert_eq!(response.status(), 403);
    assert_eq!(server.status("GET", "/v2/team/a/tags/list").await, 404);
    server.stop().await;
}

#[tokio::test]
async fn tags_beyond_the_limit_are_refused() {
    let server = Server::with(limited()).await;
    server.push_tagged("team/a", "v1", "1").await;
    server.push_tagged("team/a", "v1", "2").await;
    let manifest = server.image("team/a", "3").await;
    let refused = server
        .put_manifest("/v2/team/a/manifests/v2", &manifest)
        .await;
    assert_eq!(refused.status(), 403);
    let tags = server.get_json("/v2/team/a/tags/list").await;
    assert_eq!(tags["tags"], serde_json::json!(["v1"]));
    server.stop().await;
}
