//! Whether a request may: the policy at every endpoint, and that existence is not leaked.

use std::net::{Ipv4Addr, TcpListener};

use cairn_spec::Digest;
use serde_json::json;

use crate::{
    auth_harness::{Guarded, basic},
    harness::{digest_of, error_of, header, in_memory, json_of},
};

fn ada() -> String {
    basic("ada", "ada-password")
}

fn bob() -> String {
    basic("bob", "bob-password")
}

/// Every endpoint, for a repository that exists and one that does not.
fn requests(repository: &str, digest: &Digest) -> Vec<(&'static str, String)> {
    let below = |rest: &str| format!("/v2/{repository}/{rest}");
    let upload = "blobs/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV-sha256-000102030405060708090a0b0c0d0e0f";
    let mut requests = Vec::new();
    for method in ["GET", "HEAD", "DELETE"] {
        requests.push((method, below(&format!("blobs/{digest}"))));
        requests.push((method, below("manifests/v1")));
        requests.push((method, below(&format!("manifests/{digest}"))));
    }
    requests.push(("PUT", below("manifests/v1")));
    requests.push(("PUT", below(&format!("manifests/{digest}?tag=a"))));
    requests.push(("POST", below("blobs/uploads/")));
    requests.push(("POST", below(&format!("blobs/uploads/?digest={digest}"))));
    requests.push(("POST", below(&format!("blobs/uploads/?mount={digest}"))));
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        requests.push((method, below(upload)));
    }
    requests.push(("GET", below("tags/list")));
    requests.push(("GET", below(&format!("referrers/{digest}"))));
    requests
}

#[tokio::test]
async fn what_may_not_be_seen_may_as_well_not_exist() {
    let guarded = Guarded::start().await;
    let digest = digest_of(&guarded.push("apps/a", "v1").await);
    for (authorization, expected) in [
        (String::new(), 401),
        (
            guarded.token("", "scope=repository:apps/a:pull,push").await,
            401,
        ),
    ] {
        for repository in ["apps/a", "apps/none"] {
            for (method, path) in requests(repository, &digest) {
                assert_eq!(
                    guarded.status(&authorization, method, &path).await,
                    expected,
                    "{method} {path}"
                );
            }
        }
    }
    // A user of the registry to whom no rule gives anything here.
    for repository in ["other/a", "other/none"] {
        for (method, path) in requests(repository, &digest) {
            let response = guarded.send(&bob(), method, &path).await;
            assert_eq!(response.status(), 403, "{method} {path}");
            if method != "HEAD" {
                assert_eq!(error_of(response).await.1, "DENIED");
            }
        }
    }
}

#[tokio::test]
async fn readers_read_and_do_nothing_else() {
    let guarded = Guarded::start().await;
    let digest = digest_of(&guarded.push("apps/a", "v1").await);
    for (method, path) in requests("apps/a", &digest) {
        let status = guarded.status(&bob(), method, &path).await;
        let is_read = matches!(method, "GET" | "HEAD") && !path.contains("/uploads/");
        assert_eq!(status != 403, is_read, "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn podman_cancels_an_upload_with_the_right_to_push() {
    let guarded = Guarded::start().await;
    let token = guarded
        .token(&ada(), "scope=repository:apps/a:pull,push")
        .await;
    let started = guarded
        .send(&token, "POST", "/v2/apps/a/blobs/uploads/")
        .await;
    let location = header(&started, "location");
    assert_eq!(guarded.status(&token, "DELETE", &location).await, 204);
}

/// CVE-2026-31801, CVE-2026-41888: protected tags are protected from every side.
#[tokio::test]
async fn cve_2026_31801_protected_tags_cannot_be_set_or_deleted_by_a_detour() {
    let guarded = Guarded::start().await;
    let manifest = guarded.push("apps/a", "v1").await;
    let digest = digest_of(&manifest);
    let client = guarded.server.signed_in(&ada());
    for path in [
        "manifests/release-1".to_owned(),
        format!("manifests/{digest}?tag=release-1"),
        format!("manifests/{digest}?tag=v2&tag=release-1"),
    ] {
        let response = client
            .put_manifest(&format!("/v2/apps/a/{path}"), &manifest)
            .await;
        assert_eq!(
            error_of(response).await,
            (403, "DENIED".to_owned()),
            "{path}"
        );
    }
    let tags = client.get_json("/v2/apps/a/tags/list").await;
    assert_eq!(tags["tags"], json!(["v1"]));
    assert_eq!(
        guarded
            .status(&ada(), "DELETE", "/v2/apps/a/manifests/release-1")
            .await,
        403
    );
    assert_eq!(
        guarded
            .status(&ada(), "DELETE", &format!("/v2/apps/a/manifests/{digest}"))
            .await,
        403
    );
    assert_eq!(
        guarded
            .status(&ada(), "DELETE", "/v2/apps/a/manifests/v1")
            .await,
        202
    );
}

/// CVE-2024-39897, CVE-2026-35172: knowing a digest gives nobody its content.
#[tokio::test]
async fn cve_2024_39897_blobs_are_mounted_only_from_where_they_may_be_read() {
    let policy = "\
apiVersion: cairn.dev/v1
kind: AccessPolicy
rules:
- {repositories: ['**'], users: [ada], actions: [pull, push, delete]}
- {repositories: [mine/**], users: [bob], actions: [pull, push]}
- {repositories: [shared/**], users: [bob], actions: [pull]}
";
    let guarded = Guarded::start().await;
    guarded.replace("policy.yaml", policy);
    let ada = ada();
    let owner = guarded.server.signed_in(&ada);
    let secret = owner.push_blob("secret/a", b"secret").await;
    let mount =
        |digest: &Digest, rest: &str| format!("/v2/mine/a/blobs/uploads/?mount={digest}{rest}");
    for rest in ["", "&from=secret/a", "&from=none/a"] {
        let response = guarded.send(&bob(), "POST", &mount(&secret, rest)).await;
        assert_eq!(
            response.status(),
            202,
            "an upload like for content that is nowhere: {rest}"
        );
    }
    assert_eq!(
        guarded
            .status(&bob(), "HEAD", &format!("/v2/mine/a/blobs/{secret}"))
            .await,
        404
    );
    let shared = owner.push_blob("shared/a", b"shared").await;
    owner.push_blob("secret/b", b"shared").await;
    assert_eq!(
        guarded
            .status(&bob(), "POST", &mount(&shared, "&from=shared/a"))
            .await,
        201
    );
    assert_eq!(
        guarded
            .status(&bob(), "DELETE", &format!("/v2/mine/a/blobs/{shared}"))
            .await,
        403
    );
    assert_eq!(
        guarded
            .status(&ada, "DELETE", &format!("/v2/mine/a/blobs/{shared}"))
            .await,
        202
    );
    assert_eq!(
        guarded.status(&bob(), "POST", &mount(&shared, "")).await,
        201,
        "found without being named"
    );
    // Deleted where it could be read, it is not to be had any more, although it is stored.
    for repository in ["mine/a", "shared/a"] {
        assert_eq!(
            guarded
                .status(&ada, "DELETE", &format!("/v2/{repository}/blobs/{shared}"))
                .await,
            202
        );
    }
    assert_eq!(
        guarded.status(&bob(), "POST", &mount(&shared, "")).await,
        202
    );
}

/// CVE-2023-2253: a huge page is a cheap page.
#[tokio::test]
async fn cve_2023_2253_the_catalog_shows_what_may_be_pulled_in_full_pages() {
    let policy = "\
apiVersion: cairn.dev/v1
kind: AccessPolicy
rules:
- {repositories: ['**'], users: [ada], actions: [pull, push]}
- {repositories: ['*/shown'], users: [bob], actions: [pull]}
";
    let guarded = Guarded::start().await;
    guarded.replace("policy.yaml", policy);
    let ada = ada();
    for name in ["a", "b", "c", "d", "e"] {
        for kind in ["hidden", "shown"] {
            guarded.push(&format!("{name}/{kind}"), "v1").await;
        }
    }
    let page = guarded.send(&bob(), "GET", "/v2/_catalog?n=2").await;
    assert_eq!(
        header(&page, "link"),
        "</v2/_catalog?n=2&last=b/shown>; rel=\"next\""
    );
    assert_eq!(
        json_of(page).await["repositories"],
        json!(["a/shown", "b/shown"])
    );
    let page = guarded
        .send(&bob(), "GET", "/v2/_catalog?n=2&last=d/hidden")
        .await;
    assert!(
        !crate::harness::has_header(&page, "link"),
        "the last page is the last for everybody"
    );
    assert_eq!(
        json_of(page).await["repositories"],
        json!(["d/shown", "e/shown"])
    );
    let all = guarded
        .send(&ada, "GET", &format!("/v2/_catalog?n={}", u64::MAX >> 1))
        .await;
    assert_eq!(
        json_of(all).await["repositories"].as_array().unwrap().len(),
        10
    );
    let refused = guarded.send("", "GET", "/v2/_catalog").await;
    assert_eq!(refused.status(), 401, "nothing is public");
    let token = guarded.token(&bob(), "scope=registry:catalog:*").await;
    assert_eq!(guarded.status(&token, "GET", "/v2/_catalog").await, 200);
    let token = guarded.token(&bob(), "").await;
    let refused = guarded.send(&token, "GET", "/v2/_catalog").await;
    assert!(header(&refused, "www-authenticate").ends_with("scope=\"registry:catalog:*\""));
}

#[tokio::test]
async fn a_registry_without_users_is_for_this_machine_only() {
    for (is_wanted, is_served) in [(false, false), (true, true)] {
        let mut config = in_memory();
        config.open_to_everyone = is_wanted;
        let app = config.build().await.unwrap();
        // Bound, but never connected to.
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let shutdown = tokio_util::sync::CancellationToken::new();
        shutdown.cancel();
        assert_eq!(app.run(listener, shutdown).await.is_ok(), is_served);
    }
}
