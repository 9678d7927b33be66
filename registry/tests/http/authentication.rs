//! Who makes a request: passwords, API tokens, ID tokens, and the token service.

use std::time::{SystemTime, UNIX_EPOCH};

use cairn_registry::JwksConfig;
use serde_json::{Value, json};

use crate::{
    auth_harness::{Guarded, ISSUER, OidcIssuer, basic, htpasswd, oidc},
    harness::{Server, error_of, has_header, header, in_memory, json_of},
};

const APPS_TAGS: &str = "/v2/apps/a/tags/list";

fn now_unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn ada() -> String {
    basic("ada", "ada-password")
}

fn bob() -> String {
    basic("bob", "bob-password")
}

#[tokio::test]
async fn strangers_are_asked_who_they_are() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    for path in ["/v2/", "/v2/_oci/ext/discover", APPS_TAGS] {
        let response = guarded.send("", "GET", path).await;
        let challenge = header(&response, "www-authenticate");
        let realm = format!(
            "Bearer realm=\"http://{}/v2/token\",service=\"cairn-registry\"",
            guarded.server.address
        );
        assert!(challenge.starts_with(&realm), "{challenge}");
        assert_eq!(error_of(response).await, (401, "UNAUTHORIZED".to_owned()));
    }
    let pull = header(
        &guarded.send("", "GET", APPS_TAGS).await,
        "www-authenticate",
    );
    assert!(
        pull.ends_with(",scope=\"repository:apps/a:pull\""),
        "{pull}"
    );
    let push = guarded.send("", "POST", "/v2/apps/a/blobs/uploads/").await;
    assert!(header(&push, "www-authenticate").ends_with(",scope=\"repository:apps/a:pull,push\""));
    let catalog = guarded.send("", "GET", "/v2/_catalog").await;
    assert_eq!(catalog.status(), 200, "what is public is listed");
}

#[tokio::test]
async fn without_the_token_service_passwords_are_asked_for() {
    let guarded =
        Guarded::with(|config| config.auth.as_mut().unwrap().token_service.enabled = false).await;
    let response = guarded.send("", "GET", "/v2/").await;
    assert!(header(&response, "www-authenticate").starts_with("Basic realm="));
    assert_eq!(guarded.status("", "GET", "/v2/token").await, 404);
    assert_eq!(guarded.status(&ada(), "GET", "/v2/").await, 200);
}

#[tokio::test]
async fn passwords_are_taken_directly() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    assert_eq!(guarded.status(&ada(), "GET", "/v2/").await, 200);
    assert_eq!(guarded.status(&bob(), "GET", APPS_TAGS).await, 200);
    for wrong in [
        basic("ada", "bob-password"),
        basic("eve", "ada-password"),
        basic("ada", ""),
        "Basic !".to_owned(),
        "Digest x".to_owned(),
    ] {
        let response = guarded.send(&wrong, "GET", "/v2/public/a/tags/list").await;
        assert_eq!(
            error_of(response).await,
            (401, "UNAUTHORIZED".to_owned()),
            "{wrong}"
        );
    }
    // Some clients send this for nobody.
    assert_eq!(
        guarded
            .status(&basic("", ""), "GET", "/v2/public/a/tags/list")
            .await,
        404
    );
}

/// Wrong user and wrong password are answered alike.
#[tokio::test]
async fn users_are_not_told_apart_from_passwords() {
    let guarded = Guarded::start().await;
    let mut answers = Vec::new();
    for wrong in [basic("ada", "x"), basic("nobody", "x")] {
        let response = guarded.send(&wrong, "GET", "/v2/").await;
        answers.push((
            header(&response, "www-authenticate"),
            json_of(response).await,
        ));
    }
    assert_eq!(answers[0], answers[1]);
}

/// CVE-2025-23208 and kin: who was removed is out with the next request, tokens included.
#[tokio::test]
async fn cve_2025_23208_whoever_is_removed_is_out_at_once() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    let token = guarded.token(&bob(), "scope=repository:apps/a:pull").await;
    let refresh = guarded.token_answer(&bob(), "offline_token=true").await["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    for authorization in [&token, &bob()] {
        assert_eq!(guarded.status(authorization, "GET", APPS_TAGS).await, 200);
    }
    guarded.replace(
        "htpasswd",
        &htpasswd(&[("ada", "ada-password"), ("bob", "changed")]),
    );
    for authorization in [&token, &bob()] {
        assert_eq!(guarded.status(authorization, "GET", APPS_TAGS).await, 401);
    }
    assert_eq!(
        post_form(
            &guarded,
            &format!("grant_type=refresh_token&refresh_token={refresh}")
        )
        .await
        .0,
        401
    );
    assert_eq!(
        guarded
            .status(&basic("bob", "changed"), "GET", APPS_TAGS)
            .await,
        200
    );
    let token = guarded
        .token(&basic("bob", "changed"), "scope=repository:apps/a:pull")
        .await;
    let policy = crate::auth_harness::POLICY.replace("users: [bob, ", "users: [");
    guarded.replace("policy.yaml", &policy);
    assert_eq!(guarded.status(&token, "GET", APPS_TAGS).await, 403);
    // A broken file changes nothing.
    guarded.replace("htpasswd", "half a li");
    guarded.replace("policy.yaml", "rules: {");
    assert_eq!(guarded.status(&token, "GET", APPS_TAGS).await, 403);
    assert_eq!(guarded.status(&ada(), "GET", APPS_TAGS).await, 200);
}

#[tokio::test]
async fn api_tokens_act_for_their_user_within_their_scopes() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    let later = now_unix_s() + 1000;
    let secret = guarded.api_token("ada", &["apps/**:pull"], later);
    let ways = [format!("Bearer {secret}"), basic("ada", &secret)];
    for way in &ways {
        assert_eq!(guarded.status(way, "GET", APPS_TAGS).await, 200);
        assert_eq!(
            guarded
                .status(way, "POST", "/v2/apps/a/blobs/uploads/")
                .await,
            403
        );
        let token = guarded
            .token(way, "scope=repository:apps/a:pull,push")
            .await;
        assert_eq!(guarded.status(&token, "GET", APPS_TAGS).await, 200);
        assert_eq!(
            guarded
                .status(&token, "POST", "/v2/apps/a/blobs/uploads/")
                .await,
            403
        );
    }
    assert_eq!(
        guarded.status(&basic("bob", &secret), "GET", "/v2/").await,
        401
    );
    let token = guarded
        .token(&ways[0], "scope=repository:apps/a:pull")
        .await;
    guarded.replace("tokens.json", r#"{"tokens":[]}"#);
    for revoked in [&ways[0], &ways[1], &token] {
        assert_eq!(guarded.status(revoked, "GET", APPS_TAGS).await, 401);
    }
    let expired = guarded.api_token("ada", &[], now_unix_s() - 1);
    assert_eq!(
        guarded
            .status(&format!("Bearer {expired}"), "GET", "/v2/")
            .await,
        401
    );
}

async fn post_form(guarded: &Guarded, form: &str) -> (u16, Value) {
    let request = guarded.server.request("POST", "/v2/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(form.to_owned()).send().await.unwrap();
    (response.status().as_u16(), json_of(response).await)
}

#[tokio::test]
async fn tokens_are_fetched_both_ways() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    // docker login
    let answer = guarded
        .token_answer(
            &ada(),
            "account=ada&client_id=docker&offline_token=true&service=cairn-registry",
        )
        .await;
    assert_eq!(answer["token"], answer["access_token"]);
    assert_eq!(answer["expires_in"], 300);
    assert!(answer["issued_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        guarded
            .status(
                &format!("Bearer {}", answer["token"].as_str().unwrap()),
                "GET",
                "/v2/"
            )
            .await,
        200
    );
    // containerd and docker pull
    let refresh = answer["refresh_token"].as_str().unwrap();
    let form = format!(
        "grant_type=refresh_token&refresh_token={refresh}&service=cairn-registry&client_id=containerd-client&scope=repository:apps/a:pull"
    );
    let (status, refreshed) = post_form(&guarded, &form).await;
    assert_eq!(
        (status, refreshed["refresh_token"].as_str()),
        (200, Some(refresh))
    );
    let token = format!("Bearer {}", refreshed["access_token"].as_str().unwrap());
    assert_eq!(guarded.status(&token, "GET", APPS_TAGS).await, 200);
    let (status, answer) = post_form(&guarded, "grant_type=password&username=ada&password=ada-password&access_type=offline&scope=repository:apps/a:pull,push%20repository:apps/b:pull").await;
    assert_eq!(status, 200);
    assert!(answer["refresh_token"].is_string());
    let token = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    assert_eq!(
        guarded
            .status(&token, "POST", "/v2/apps/a/blobs/uploads/")
            .await,
        202
    );
    // Each kind of token is for its own use.
    assert_eq!(
        guarded
            .status(&format!("Bearer {refresh}"), "GET", "/v2/")
            .await,
        401
    );
    let access = token.strip_prefix("Bearer ").unwrap();
    assert_eq!(
        post_form(
            &guarded,
            &format!("grant_type=refresh_token&refresh_token={access}")
        )
        .await
        .0,
        401
    );
    for (form, status) in [
        ("grant_type=password&username=ada&password=wrong", 401),
        ("grant_type=password&username=ada", 400),
        ("grant_type=refresh_token&refresh_token=x", 401),
        ("grant_type=authorization_code", 400),
        ("", 400),
        (
            "grant_type=password&username=ada&password=ada-password&service=other",
            400,
        ),
    ] {
        assert_eq!(post_form(&guarded, form).await.0, status, "{form}");
    }
    assert_eq!(post_form(&guarded, &"x".repeat(70_000)).await.0, 400);
}

#[tokio::test]
async fn tokens_grant_no_more_than_was_asked_for_and_allowed() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    let pull = guarded.token(&ada(), "scope=repository:apps/a:pull").await;
    let push = guarded
        .send(&pull, "POST", "/v2/apps/a/blobs/uploads/")
        .await;
    assert!(header(&push, "www-authenticate").contains("pull,push"));
    assert_eq!(push.status(), 401, "another token would do");
    let both = guarded
        .token(
            &ada(),
            "scope=repository:apps/a:pull&scope=repository:apps/a:push&scope=repository:apps/b:*",
        )
        .await;
    for (path, status) in [
        ("/v2/apps/a/blobs/uploads/", 202),
        ("/v2/apps/b/blobs/uploads/", 202),
        ("/v2/apps/c/blobs/uploads/", 401),
    ] {
        assert_eq!(guarded.status(&both, "POST", path).await, status, "{path}");
    }
    let more = guarded
        .token(&bob(), "scope=repository:apps/a:pull,push,delete")
        .await;
    assert_eq!(guarded.status(&more, "GET", APPS_TAGS).await, 200);
    assert_eq!(
        guarded
            .status(&more, "POST", "/v2/apps/a/blobs/uploads/")
            .await,
        403
    );
    let anonymous = guarded
        .token(
            "",
            "scope=repository:apps/a:pull&scope=repository:public/a:pull",
        )
        .await;
    assert_eq!(guarded.status(&anonymous, "GET", "/v2/").await, 200);
    assert_eq!(guarded.status(&anonymous, "GET", APPS_TAGS).await, 401);
    assert_eq!(
        guarded
            .status(&anonymous, "GET", "/v2/public/a/tags/list")
            .await,
        404
    );
    for scope in [
        "repository:../apps:pull",
        "repository:APPS/a:pull",
        "repository:apps//a:pull",
    ] {
        let refused = guarded
            .send(&ada(), "GET", &format!("/v2/token?scope={scope}"))
            .await;
        assert_eq!(
            error_of(refused).await,
            (400, "NAME_INVALID".to_owned()),
            "{scope}"
        );
    }
    assert_eq!(
        guarded
            .status(&basic("ada", "wrong"), "GET", "/v2/token")
            .await,
        401
    );
    assert_eq!(guarded.status(&ada(), "PUT", "/v2/token").await, 405);
}

#[tokio::test]
async fn guessing_is_slowed_down_for_the_guesser() {
    let guarded = Guarded::with(|config| config.limits.failed_logins_per_minute = 3).await;
    assert_eq!(guarded.status(&ada(), "GET", "/v2/").await, 200);
    for guess in ["1", "2", "3"] {
        assert_eq!(
            guarded.status(&basic("ada", guess), "GET", "/v2/").await,
            401
        );
    }
    let refused = guarded.send(&basic("ada", "4"), "GET", "/v2/").await;
    assert_eq!(header(&refused, "retry-after"), "60");
    assert_eq!(error_of(refused).await, (429, "TOOMANYREQUESTS".to_owned()));
    assert_eq!(
        guarded
            .status(&basic("bob", "bob-password"), "GET", "/v2/")
            .await,
        429
    );
    // Who was verified a moment ago works on.
    assert_eq!(guarded.status(&ada(), "GET", "/v2/").await, 200);
}

fn claims() -> Value {
    let now = now_unix_s();
    json!({
        "iss": ISSUER, "aud": ["other", "registry"], "sub": "repo:acme/app", "exp": now + 600,
        "iat": now, "nbf": now, "environment": "production", "groups": ["builders"],
    })
}

#[tokio::test]
async fn id_tokens_of_workloads_are_accepted() {
    let issuer = OidcIssuer::new("key-1");
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), issuer.key_set()).unwrap();
    let jwks = JwksConfig::File(keys.path().to_owned());
    let guarded =
        Guarded::with(|config| config.auth.as_mut().unwrap().oidc = vec![oidc(jwks)]).await;
    guarded.push("apps/a", "v1").await;
    let token = issuer.sign(&claims());
    for way in [format!("Bearer {token}"), basic("oidc", &token)] {
        assert_eq!(guarded.status(&way, "GET", APPS_TAGS).await, 200);
        assert_eq!(
            guarded
                .status(&way, "POST", "/v2/apps/a/blobs/uploads/")
                .await,
            403
        );
        let answer = guarded
            .token_answer(&way, "offline_token=true&scope=repository:apps/a:pull")
            .await;
        assert!(answer["refresh_token"].is_null(), "nobody could revoke it");
        let exchanged = format!("Bearer {}", answer["token"].as_str().unwrap());
        assert_eq!(guarded.status(&exchanged, "GET", APPS_TAGS).await, 200);
    }
    let now = now_unix_s();
    for (claim, value) in [
        ("iss", json!("https://evil.example.com")),
        ("iss", json!("cairn-registry")),
        ("aud", json!("somebody else")),
        ("aud", Value::Null),
        ("exp", json!(now - 61)),
        ("exp", Value::Null),
        ("nbf", json!(now + 120)),
        ("iat", json!(now + 120)),
        ("environment", json!("test")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("pad", json!("x".repeat(9000))),
    ] {
        let mut claims = claims();
        claims[claim] = value.clone();
        let token = issuer.sign(&claims);
        assert_eq!(
            guarded
                .status(&format!("Bearer {token}"), "GET", "/v2/")
                .await,
            401,
            "{claim} {value:.40}"
        );
    }
    let stranger = OidcIssuer::new("key-1").sign(&claims());
    assert_eq!(
        guarded
            .status(&format!("Bearer {stranger}"), "GET", "/v2/")
            .await,
        401
    );
    // The issuer's keys change.
    let next = OidcIssuer::new("key-2");
    std::fs::write(keys.path(), next.key_set() + "\n").unwrap();
    assert_eq!(
        guarded
            .status(&format!("Bearer {}", next.sign(&claims())), "GET", "/v2/")
            .await,
        200
    );
}

#[tokio::test]
async fn keys_at_a_url_are_fetched_and_rotate() {
    let keys = Server::with(in_memory()).await;
    let (first, second) = (OidcIssuer::new("key-1"), OidcIssuer::new("key-2"));
    // Any HTTP server will do to serve a document: ours serves blobs.
    let digest = keys.push_blob("keys", first.key_set().as_bytes()).await;
    let url = format!("http://{}/v2/keys/blobs/{digest}", keys.address);
    let jwks = JwksConfig::Url { url, ca_file: None };
    let guarded =
        Guarded::with(|config| config.auth.as_mut().unwrap().oidc = vec![oidc(jwks)]).await;
    let status = async |issuer: &OidcIssuer| {
        guarded
            .status(&format!("Bearer {}", issuer.sign(&claims())), "GET", "/v2/")
            .await
    };
    assert_eq!(status(&first).await, 200);
    assert_eq!(status(&second).await, 401);
    keys.stop().await;
    // Its last good keys stay when the URL does not answer.
    assert_eq!(status(&first).await, 200);
    assert_eq!(status(&second).await, 401);
}

#[tokio::test]
async fn errors_tell_no_secret() {
    let guarded = Guarded::start().await;
    let secret = guarded.api_token("ada", &[], 1);
    for authorization in [
        basic("ada", "canary-secret"),
        format!("Bearer {secret}"),
        "Bearer canary-secret".to_owned(),
    ] {
        let response = guarded.send(&authorization, "GET", "/v2/").await;
        assert!(!has_header(&response, "authorization"));
        let text = response.text().await.unwrap();
        assert!(
            !text.contains("canary") && !text.contains(&secret),
            "{text}"
        );
    }
}
