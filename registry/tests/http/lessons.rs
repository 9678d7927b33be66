//! What other registries got wrong, where no other test is about it: each is named after one of the
//! reports.

use serde_json::json;

use crate::{
    auth_harness::{Guarded, POLICY, basic},
    harness::{Server, error_of},
};

/// Content that was deleted from a repository does not come back to it because somebody pushes the
/// same bytes elsewhere, nor is it there for whoever had read it before.
#[tokio::test]
async fn cve_2026_35172_what_was_deleted_does_not_come_back_by_a_push_elsewhere() {
    let server = Server::start().await;
    for content in [b"tiny".to_vec(), vec![7; 100_000]] {
        let digest = server.push_blob("secret", &content).await;
        let path = format!("/v2/secret/blobs/{digest}");
        assert_eq!(server.status("GET", &path).await, 200);
        assert_eq!(server.status("DELETE", &path).await, 202);
        assert_eq!(server.push_blob("mine", &content).await, digest);
        for method in ["GET", "HEAD"] {
            assert_eq!(server.status(method, &path).await, 404);
        }
        let elsewhere = format!("/v2/mine/blobs/{digest}");
        assert_eq!(server.status("GET", &elsewhere).await, 200);
    }
    let manifest = server.image("secret", "1").await;
    let digest = server.push_tagged("secret", "v1", "1").await;
    let path = format!("/v2/secret/manifests/{digest}");
    assert_eq!(server.status("DELETE", &path).await, 202);
    server.image("mine", "1").await;
    let pushed = server
        .put_manifest("/v2/mine/manifests/v1", &manifest)
        .await;
    assert_eq!(pushed.status(), 201);
    for gone in [path.as_str(), "/v2/secret/manifests/v1"] {
        assert_eq!(server.status("GET", gone).await, 404);
    }
}

/// Groups are what the policy says now, not what they were when a token was issued.
#[tokio::test]
async fn cve_2025_23208_whoever_leaves_a_group_is_out_at_once() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    let tags = "/v2/apps/a/tags/list";
    let ada = basic("ada", "ada-password");
    let token = guarded
        .token(&ada, "scope=repository:apps/a:pull,push")
        .await;
    for authorization in [&ada, &token] {
        assert_eq!(guarded.status(authorization, "GET", tags).await, 200);
    }
    let left = POLICY.replace("developers: [ada]", "developers: []");
    guarded.replace("policy.yaml", &left);
    for authorization in [&ada, &token] {
        assert_eq!(guarded.status(authorization, "GET", tags).await, 403);
        let upload = "/v2/apps/a/blobs/uploads/";
        assert_eq!(guarded.status(authorization, "POST", upload).await, 403);
    }
    // And in again, without logging in anew.
    guarded.replace("policy.yaml", POLICY);
    assert_eq!(guarded.status(&token, "GET", tags).await, 200);
}

/// A page is as long as the server's limit, whatever is asked for, and nothing is reserved for the
/// rest.
#[tokio::test]
async fn cve_2023_2253_a_huge_page_is_a_cheap_page() {
    let mut config = crate::harness::in_memory();
    config.limits.page_entries = 2;
    let server = Server::with(config).await;
    for tag in ["v1", "v2", "v3"] {
        server.push_tagged("a", tag, tag).await;
    }
    for n in ["9223372036854775807", "18446744073709551615"] {
        let page = server.get_json(&format!("/v2/a/tags/list?n={n}")).await;
        assert_eq!(page["tags"], json!(["v1", "v2"]));
        let page = server.get_json(&format!("/v2/_catalog?n={n}")).await;
        assert_eq!(page["repositories"], json!(["a"]));
    }
    let refused = server
        .send("GET", "/v2/a/tags/list?n=18446744073709551616")
        .await;
    let expected = (400, "PAGINATION_NUMBER_INVALID".to_owned());
    assert_eq!(error_of(refused).await, expected);
}
