//! Content of other registries, pulled through: from one like ours, from two, by two replicas.

use std::time::Duration;

use cairn_oci::{
    Client, Options, key,
    sign::{self, Form, SignOptions},
};
use cairn_registry::{
    Config, EnforceConfig, StorageConfig, TrustConfig, TrustMode, UpstreamConfig,
};
use cairn_spec::{Digest, Reference};
use cairn_test_s3::S3Server;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    auth_harness::{Guarded, basic},
    harness::{
        OCI_INDEX, OCI_MANIFEST, Server, assert_sound, digest_of, error_of, has_header, header,
        in_bucket, in_memory, json_of, noise,
    },
    quotas::limited,
};

/// The upstream at an address, for everything below `hub/`; tags are asked about every time.
pub(crate) fn upstream(name: &str, address: &str, change: &Value) -> UpstreamConfig {
    let mut config = json!({
        "name": name,
        "registry": {"url": format!("http://{address}")},
        "repositories": [{"local": "hub/**", "remote": "**"}],
        "namespaces": ["hub.example"],
        "tagTtlS": 0,
        "missingTtlS": 0,
    });
    for (key, value) in change.as_object().unwrap() {
        config[key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

pub(crate) async fn pulling_from(upstreams: Vec<UpstreamConfig>) -> Server {
    Server::with(Config {
        upstreams,
        ..in_memory()
    })
    .await
}

#[tokio::test]
async fn an_image_comes_through_and_stays() {
    let there = Server::start().await;
    let digest = there.push_tagged("library/a", "v1", "first").await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;

    let head = here.send("HEAD", "/v2/hub/library/a/manifests/v1").await;
    assert_eq!(head.status(), 200);
    assert_eq!(header(&head, "docker-content-digest"), digest.as_str());
    let manifest = here.send("GET", "/v2/hub/library/a/manifests/v1").await;
    assert_eq!(header(&manifest, "content-type"), OCI_MANIFEST);
    assert!(!has_header(&manifest, "warning"));
    let manifest = json_of(manifest).await;
    for blob in [&manifest["config"], &manifest["layers"][0]] {
        let digest: Digest = serde_json::from_value(blob["digest"].clone()).unwrap();
        let path = format!("/v2/hub/library/a/blobs/{digest}");
        let head = here.send("HEAD", &path).await;
        assert_eq!(header(&head, "content-length"), blob["size"].to_string());
        let content = here.send("GET", &path).await.bytes().await.unwrap();
        assert!(digest.matches(&content));
    }
    // Nothing of it depends on the upstream any more.
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    there.stop().await;
    let stale = here.send("GET", "/v2/hub/library/a/manifests/v1").await;
    assert_eq!(stale.status(), 200);
    let warning = header(&stale, "warning");
    assert!(
        warning.starts_with("299 - \"stale: the upstream `hub` "),
        "{warning}"
    );
    let by_digest = format!("/v2/hub/library/a/manifests/{digest}");
    let fixed = here.send("GET", &by_digest).await;
    assert_eq!(fixed.status(), 200);
    assert!(!has_header(&fixed, "warning"));
    let path = format!("/v2/hub/library/a/blobs/{layer}");
    assert_eq!(here.status("GET", &path).await, 200);
    // What was never asked for is not here, and nobody can say whether it exists.
    let unknown = here.send("GET", "/v2/hub/library/b/manifests/v1").await;
    assert_eq!(error_of(unknown).await, (502, "UNAVAILABLE".to_owned()));
    // Repositories of no upstream never heard of it.
    assert_eq!(here.status("GET", "/v2/other/a/manifests/v1").await, 404);
}

#[tokio::test]
async fn tags_follow_the_upstream_once_their_time_is_over() {
    let there = Server::start().await;
    let first = there.push_tagged("a", "v1", "first").await;
    let eager = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    let patient = upstream("hub", &there.address, &json!({"tagTtlS": 3600}));
    let patient = pulling_from(vec![patient]).await;
    let path = "/v2/hub/a/manifests/v1";
    for here in [&eager, &patient] {
        let digest = here.send("HEAD", path).await;
        assert_eq!(header(&digest, "docker-content-digest"), first.as_str());
    }
    let second = there.push_tagged("a", "v1", "second").await;
    let digest = eager.send("GET", path).await;
    assert_eq!(header(&digest, "docker-content-digest"), second.as_str());
    let digest = patient.send("GET", path).await;
    assert_eq!(header(&digest, "docker-content-digest"), first.as_str());
    // What the upstream says is gone is gone.
    assert_eq!(there.status("DELETE", "/v2/a/manifests/v1").await, 202);
    assert_eq!(eager.status("GET", path).await, 404);
    assert_eq!(patient.status("GET", path).await, 200);
    let by_digest = format!("/v2/hub/a/manifests/{second}");
    assert_eq!(eager.status("GET", &by_digest).await, 200);
}

#[tokio::test]
async fn what_was_pushed_here_wins() {
    let there = Server::start().await;
    there.push_tagged("a", "v1", "theirs").await;
    there.push_tagged("a", "v2", "theirs too").await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    let ours = here.push_tagged("hub/a", "v1", "ours").await;
    let tag = here.send("GET", "/v2/hub/a/manifests/v1").await;
    assert_eq!(header(&tag, "docker-content-digest"), ours.as_str());
    // Also over what was pulled through before, even if it is the same.
    assert_eq!(here.status("GET", "/v2/hub/a/manifests/v2").await, 200);
    let ours = here.push_tagged("hub/a", "v2", "theirs too").await;
    there.push_tagged("a", "v2", "moved").await;
    let tag = here.send("GET", "/v2/hub/a/manifests/v2").await;
    assert_eq!(header(&tag, "docker-content-digest"), ours.as_str());
    // Both lists are one.
    there.push_tagged("a", "v3", "theirs").await;
    let tags = here.get_json("/v2/hub/a/tags/list").await;
    assert_eq!(tags["tags"], json!(["v1", "v2", "v3"]));
    let tags = here.get_json("/v2/hub/a/tags/list?n=1&last=v1").await;
    assert_eq!(tags["tags"], json!(["v2"]));
}

#[tokio::test]
async fn what_a_client_need_not_send_comes_from_the_upstream() {
    let there = Server::start().await;
    let base = there.push_blob("a", b"a layer of theirs").await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    let path = format!("/v2/hub/a/blobs/{base}");
    assert_eq!(here.status("HEAD", &path).await, 200);
    let mut image = here.image("hub/a", "built on theirs").await;
    let layer = json!({"mediaType": "a/b", "digest": base, "size": 17});
    image["layers"].as_array_mut().unwrap().push(layer);
    let pushed = here.put_manifest("/v2/hub/a/manifests/v1", &image).await;
    assert_eq!(pushed.status(), 201);
    let nowhere = json!({"mediaType": "a/b", "digest": Digest::sha256(b"x"), "size": 1});
    image["layers"].as_array_mut().unwrap().push(nowhere);
    let refused = here.put_manifest("/v2/hub/a/manifests/v2", &image).await;
    let expected = (400, "MANIFEST_BLOB_UNKNOWN".to_owned());
    assert_eq!(error_of(refused).await, expected);
    there.stop().await;
    assert_eq!(here.status("GET", "/v2/hub/a/manifests/v1").await, 200);
    let layer = here.send("GET", &path).await.bytes().await.unwrap();
    assert_eq!(layer, b"a layer of theirs"[..]);
}

#[tokio::test]
async fn an_index_comes_without_what_nobody_asks_for() {
    let there = Server::start().await;
    let (amd64, arm64) = (
        there.push_tagged("a", "amd64", "1").await,
        there.push_tagged("a", "arm64", "2").await,
    );
    let entry = |digest| json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1});
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [entry(&amd64), entry(&arm64)],
    });
    there.put_manifest("/v2/a/manifests/v1", &index).await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        storage: StorageConfig::Directory(folder.path().to_owned()),
        upstreams: vec![upstream("hub", &there.address, &json!({}))],
        ..in_memory()
    };
    let here = Server::with(config.clone()).await;
    assert_eq!(here.status("GET", "/v2/hub/a/manifests/v1").await, 200);
    let path = format!("/v2/hub/a/manifests/{amd64}");
    assert_eq!(here.status("GET", &path).await, 200);
    // A client may push what is complete with it.
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(&amd64)],
    });
    let pushed = here.put_manifest("/v2/hub/a/manifests/ours", &index).await;
    assert_eq!(pushed.status(), 201);
    there.stop().await;
    let path = format!("/v2/hub/a/manifests/{arm64}");
    assert_eq!(here.status("GET", &path).await, 502);
    here.stop().await;
    assert_sound(config).await;
}

#[tokio::test]
async fn upstreams_are_asked_in_their_order() {
    let (first, second) = (Server::start().await, Server::start().await);
    first.push_tagged("a", "both", "of the first").await;
    second.push_tagged("a", "both", "of the second").await;
    let only = second.push_tagged("a", "only", "of the second").await;
    let here = pulling_from(vec![
        upstream("first", &first.address, &json!({})),
        upstream("second", &second.address, &json!({})),
    ])
    .await;
    let both = here.get_json("/v2/hub/a/manifests/both").await;
    assert_eq!(both["annotations"]["marker"], "of the first");
    let tag = here.send("GET", "/v2/hub/a/manifests/only").await;
    assert_eq!(header(&tag, "docker-content-digest"), only.as_str());
    first.stop().await;
    second.push_tagged("a", "late", "of the second").await;
    assert_eq!(here.status("GET", "/v2/hub/a/manifests/late").await, 200);
    // Whether the first has it, nobody knows.
    assert_eq!(here.status("GET", "/v2/hub/a/manifests/none").await, 502);
}

#[tokio::test]
async fn a_mirrors_client_names_the_registry_it_means() {
    let there = Server::start().await;
    there.push_tagged("library/a", "v1", "1").await;
    let names = json!({"repositories": [{"local": "apps/hub/**", "remote": "**"}]});
    let site = Guarded::with(|config| {
        config.upstreams = vec![upstream("hub", &there.address, &names)];
    })
    .await;
    let path = "/v2/library/a/manifests/v1?ns=hub.example";
    assert_eq!(site.status("", "GET", path).await, 401);
    // The policy of the local name decides.
    let bob = basic("bob", "bob-password");
    let answered = site.send(&bob, "GET", path).await;
    assert_eq!(answered.status(), 200);
    assert_eq!(header(&answered, "oci-namespace"), "hub.example");
    let local = "/v2/apps/hub/library/a/manifests/v1";
    assert_eq!(site.status(&bob, "GET", local).await, 200);
    let denied = site.status(&bob, "GET", "/v2/library/a/manifests/v1").await;
    let other = "/v2/library/a/manifests/v1?ns=other.example";
    assert_eq!(site.status(&bob, "GET", other).await, denied);
    assert_ne!(denied, 200);
}

#[tokio::test]
async fn referrers_of_both_are_one_list() {
    let there = Server::start().await;
    let subject = there.push_tagged("a", "v1", "1").await;
    let referrer = |marker: &str, image: Value| {
        let mut image = image;
        image["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject, "size": 1});
        image["artifactType"] = json!("application/x");
        image["annotations"] = json!({"marker": marker});
        image
    };
    let theirs = referrer("theirs", there.image("a", "").await);
    let path = format!("/v2/a/manifests/{}", digest_of(&theirs));
    there.put_manifest(&path, &theirs).await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    let ours = referrer("ours", here.image("hub/a", "").await);
    let path = format!("/v2/hub/a/manifests/{}", digest_of(&ours));
    assert_eq!(here.put_manifest(&path, &ours).await.status(), 201);
    let path = format!("/v2/hub/a/referrers/{subject}?artifactType=application/x");
    let markers = |list: &Value| {
        let list = list["manifests"].as_array().unwrap();
        let mut markers: Vec<String> = list
            .iter()
            .map(|entry| entry["annotations"]["marker"].as_str().unwrap().to_owned())
            .collect();
        markers.sort_unstable();
        markers.join(" ")
    };
    assert_eq!(markers(&here.get_json(&path).await), "ours theirs");
    let theirs = format!("/v2/hub/a/manifests/{}", digest_of(&theirs));
    assert_eq!(here.status("GET", &theirs).await, 200);
    there.stop().await;
    let list = here.send("GET", &path).await;
    assert!(header(&list, "warning").contains("incomplete"));
    assert_eq!(markers(&json_of(list).await), "ours theirs");
}

#[tokio::test]
async fn signatures_come_along_before_trust_is_decided() {
    for (form, mode) in [
        (Form::Bundle, TrustMode::Pull),
        (Form::Simple, TrustMode::Pull),
        (Form::Bundle, TrustMode::Tag),
        (Form::Simple, TrustMode::Tag),
    ] {
        let there = Server::start().await;
        let signed = there.push_tagged("a", "signed", "1").await;
        let unsigned = there.push_tagged("a", "unsigned", "2").await;
        let trusted = key::generate().unwrap();
        sign(&there.address, &signed, &trusted, form).await;
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("trust.yaml");
        let pem = trusted.public_key().unwrap().to_pem().unwrap();
        let text = json!({
            "apiVersion": "cairn.dev/v1",
            "kind": "TrustPolicy",
            "rules": [{"repositories": ["r.example/**"], "keys": [{"name": "ci", "pem": pem}]}],
        });
        std::fs::write(&policy, text.to_string()).unwrap();
        let here = Server::with(Config {
            upstreams: vec![upstream("hub", &there.address, &json!({}))],
            trust: Some(TrustConfig {
                policy,
                host: "r.example".to_owned(),
                enforce: vec![EnforceConfig {
                    repositories: "hub/**".to_owned(),
                    tags: "**".to_owned(),
                    mode,
                }],
            }),
            ..in_memory()
        })
        .await;
        let path = |reference: &str| format!("/v2/hub/a/manifests/{reference}");
        assert_eq!(here.status("GET", &path("signed")).await, 200, "{form:?}");
        let refused = here.send("GET", &path("unsigned")).await;
        assert_eq!(error_of(refused).await, (403, "DENIED".to_owned()));
        let by_digest = here.status("GET", &path(unsigned.as_str())).await;
        let expected = if mode == TrustMode::Pull { 403 } else { 200 };
        assert_eq!(by_digest, expected);
        // A tag stays at what is trusted when the upstream moves it to what is not.
        let moved = there.push_tagged("a", "signed", "moved").await;
        let tag = here.send("GET", &path("signed")).await;
        if mode == TrustMode::Tag {
            assert_eq!(header(&tag, "docker-content-digest"), signed.as_str());
            assert!(header(&tag, "warning").contains("is not trusted"));
        } else {
            assert_eq!(tag.status(), 403);
        }
        sign(&there.address, &moved, &trusted, form).await;
        let tag = here.send("GET", &path("signed")).await;
        assert_eq!(header(&tag, "docker-content-digest"), moved.as_str());
    }
}

async fn sign(address: &str, digest: &Digest, key: &cairn_oci::PrivateKey, form: Form) {
    let client = Client::new(Options::default()).unwrap();
    let reference: Reference = format!("{address}/a@{digest}").parse().unwrap();
    let options = SignOptions {
        forms: vec![form],
        ..SignOptions::default()
    };
    sign::sign(&client, &reference, key, &options)
        .await
        .unwrap();
}

#[tokio::test]
async fn many_clients_get_a_blob_that_is_fetched_once() {
    let there = Server::start().await;
    let content = noise(3_000_000);
    let digest = there.push_blob("a", &content).await;
    let metrics = json!({"listen": "127.0.0.1:0"});
    let here = Server::with(Config {
        upstreams: vec![upstream("hub", &there.address, &json!({}))],
        metrics: Some(serde_json::from_value(metrics).unwrap()),
        ..in_memory()
    })
    .await;
    let path = format!("/v2/hub/a/blobs/{digest}");
    let whole = join_all((0..8).map(|_| async {
        let blob = here.send("GET", &path).await;
        assert_eq!(header(&blob, "content-length"), content.len().to_string());
        blob.bytes().await.unwrap()
    }));
    let part = async {
        let request = here.request("GET", &path).header("range", "bytes=5-9");
        let part = request.send().await.unwrap();
        assert_eq!(part.status(), 206);
        part.bytes().await.unwrap()
    };
    let (whole, part) = tokio::join!(whole, part);
    assert!(whole.iter().all(|blob| *blob == content));
    assert_eq!(part, content[5..10]);
    let metrics = here.metrics().await.text().await.unwrap();
    let fetched = format!(
        "cairn_registry_upstream_fetched_bytes_total {}\n",
        content.len()
    );
    assert!(metrics.contains(&fetched), "{metrics}");
    // Another repository gets it by its own upstream's word, without another download.
    there.push_blob("b", &content).await;
    let path = format!("/v2/hub/b/blobs/{digest}");
    assert_eq!(
        here.send("GET", &path).await.bytes().await.unwrap(),
        content
    );
    let path = format!("/v2/hub/c/blobs/{digest}");
    assert_eq!(here.status("GET", &path).await, 404);
    let metrics = here.metrics().await.text().await.unwrap();
    assert!(metrics.contains(&fetched), "{metrics}");
}

#[tokio::test]
async fn a_client_that_leaves_or_dawdles_does_not_stop_a_blob() {
    let there = Server::start().await;
    // More than a connection and a place in the queue hold.
    let content = noise(24 * 1024 * 1024);
    let digest = there.push_blob("a", &content).await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    let path = format!("/v2/hub/a/blobs/{digest}");
    drop(here.send("GET", &path).await);
    let mut slow = here.send("GET", &path).await;
    let first = slow.chunk().await.unwrap().unwrap();
    // Whoever waits for the store is not kept waiting by the slow one.
    let quick = here.send("GET", &path).await.bytes().await.unwrap();
    assert!(quick == content);
    let mut rest = first.to_vec();
    while let Some(chunk) = slow.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert!(rest == content);
}

#[tokio::test]
async fn replicas_pull_through_side_by_side() {
    let there = Server::start().await;
    let content = noise(700_000);
    let digest = there.push_blob("a", &content).await;
    let image = there.push_tagged("a", "v1", "1").await;
    let store = S3Server::start().await;
    let config = Config {
        storage: in_bucket(&store),
        upstreams: vec![upstream("hub", &there.address, &json!({}))],
        ..in_memory()
    };
    let replicas = [
        Server::with(config.clone()).await,
        Server::with(config.clone()).await,
    ];
    let pulls = (0..16).map(|turn| {
        let replica = &replicas[turn % 2];
        let blob = format!("/v2/hub/a/blobs/{digest}");
        let content = &content;
        let image = &image;
        async move {
            let tag = replica.send("GET", "/v2/hub/a/manifests/v1").await;
            assert_eq!(header(&tag, "docker-content-digest"), image.as_str());
            let blob = replica.send("GET", &blob).await;
            assert!(blob.bytes().await.unwrap() == *content);
        }
    });
    join_all(pulls).await;
    for replica in replicas {
        replica.stop().await;
    }
    assert_sound(config).await;
}

/// Not the same as a wait: the paused clock of a test cannot reach into a server.
pub(crate) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn what_an_upstream_gives_beyond_the_quota_is_refused_as_a_push_is() {
    let there = Server::start().await;
    there.push_tagged("a", "v1", "small").await;
    let large = there.push_blob("a", &noise(20_000)).await;
    let mut config = limited();
    let change = json!({"repositories": [{"local": "team/**", "remote": "**"}]});
    config.upstreams = vec![upstream("hub", &there.address, &change)];
    let here = Server::with(config).await;
    assert_eq!(here.status("GET", "/v2/team/a/manifests/v1").await, 200);
    let refused = here.send("GET", &format!("/v2/team/a/blobs/{large}")).await;
    assert_eq!(refused.status(), 403);
    let body = json_of(refused).await;
    assert_eq!(body["errors"][0]["code"], "DENIED");
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("the quota `team` is used up: "),
        "{message}"
    );
}
