//! Content that is kept the same here and in another registry.

use cairn_registry::{Config, MirrorConfig, StorageConfig};
use serde_json::{Value, json};

use crate::{
    harness::{Server, header, in_memory},
    pull_through::{soon, upstream},
};

fn mirror(direction: &str, address: &str, change: &Value) -> MirrorConfig {
    let mut config = json!({
        "name": "test",
        "direction": direction,
        "registry": {"url": format!("http://{address}")},
        "repositories": [{"local": "here/**", "remote": "there/**"}],
    });
    for (key, value) in change.as_object().unwrap() {
        config[key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

#[tokio::test]
async fn a_schedule_keeps_both_the_same() {
    let there = Server::start().await;
    let first = there.push_tagged("there/a", "1.0.0", "1").await;
    there.push_tagged("there/a", "2.0.0", "2").await;
    there.push_tagged("there/a", "dev", "3").await;
    there.push_tagged("elsewhere/b", "1.0.0", "4").await;
    let change = json!({"intervalS": 1, "versions": "^1"});
    let here = Server::with(Config {
        mirrors: vec![mirror("pull", &there.address, &change)],
        ..in_memory()
    })
    .await;
    let path = "/v2/here/a/manifests/1.0.0";
    soon("the first run", async || {
        here.status("GET", path).await == 200
    })
    .await;
    let digest = here.send("GET", path).await;
    assert_eq!(header(&digest, "docker-content-digest"), first.as_str());
    let second = there.push_tagged("there/a", "1.1.0", "5").await;
    let path = "/v2/here/a/manifests/1.1.0";
    soon("a later run", async || {
        here.status("GET", path).await == 200
    })
    .await;
    let path = format!("/v2/here/a/manifests/{second}");
    assert_eq!(here.status("GET", &path).await, 200);
    let tags = here.get_json("/v2/here/a/tags/list").await;
    assert_eq!(tags["tags"], json!(["1.0.0", "1.1.0"]));
    assert_eq!(here.status("GET", "/v2/elsewhere/b/tags/list").await, 404);
    here.stop().await;
}

#[tokio::test]
async fn content_goes_out_as_well_and_is_taken_over_from_upstreams() {
    let there = Server::start().await;
    let origin = Server::start().await;
    let pulled = origin.push_tagged("a", "v1", "theirs").await;
    let folder = tempfile::tempdir().unwrap();
    let names = json!({"repositories": [{"local": "here/**", "remote": "**"}]});
    let config = Config {
        storage: StorageConfig::Directory(folder.path().to_owned()),
        upstreams: vec![upstream("hub", &origin.address, &names)],
        mirrors: vec![mirror("push", &there.address, &json!({}))],
        ..in_memory()
    };
    let here = Server::with(config.clone()).await;
    let ours = here.push_tagged("here/b", "v1", "ours").await;
    assert_eq!(here.status("GET", "/v2/here/a/manifests/v1").await, 200);
    here.stop().await;
    let run = async |config: &Config, dry_run| {
        let maintenance = config.clone().maintain().await.unwrap();
        let progress = cairn_oci::Progress::default();
        maintenance.sync("test", dry_run, progress).await.unwrap()
    };
    let planned = run(&config, true).await;
    assert_eq!(planned.entries.len(), 2, "{planned:#?}");
    assert_eq!(there.status("GET", "/v2/there/b/manifests/v1").await, 404);
    let report = run(&config, false).await;
    // What was pulled through is here only as far as somebody asked for it.
    let outcomes = serde_json::to_value(&report).unwrap();
    assert_eq!(outcomes["entries"][0]["outcome"], "failed", "{outcomes}");
    assert_eq!(outcomes["entries"][1]["outcome"], "copied", "{outcomes}");
    let copied = there.send("GET", "/v2/there/b/manifests/v1").await;
    assert_eq!(header(&copied, "docker-content-digest"), ours.as_str());
    // A mirror completes it, and it stays as if a client had pushed it.
    let config = Config {
        mirrors: vec![mirror(
            "pull",
            &origin.address,
            &json!({"repositories": [{"local": "here/a", "remote": "a"}]}),
        )],
        upstreams: Vec::new(),
        ..config
    };
    let report = run(&config, false).await;
    assert!(!report.is_partial(), "{report:#?}");
    origin.stop().await;
    let here = Server::with(config).await;
    let tag = here.send("GET", "/v2/here/a/manifests/v1").await;
    assert_eq!(header(&tag, "docker-content-digest"), pulled.as_str());
    let layer = cairn_spec::Digest::sha256(b"layer");
    let path = format!("/v2/here/a/blobs/{layer}");
    assert_eq!(here.status("GET", &path).await, 200);
}
