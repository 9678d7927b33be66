//! Retention as clients see it: what the rules do not keep is gone, as if somebody had deleted it.

use std::{fs, path::Path};

use cairn_registry::{
    AuditConfig, Config, KeepTags, RetentionOptions, RetentionRule, StorageConfig, UnmatchedTags,
};
use cairn_test_s3::S3Server;
use serde_json::{Value, json};

use crate::{
    ON_S3,
    harness::{OCI_MANIFEST, Server, in_bucket, in_memory},
};

/// Two builds are kept, over a storage that outlives servers.
fn ruled(bucket: &S3Server, folder: &Path) -> Config {
    let mut config = in_memory();
    config.storage = if ON_S3 {
        in_bucket(bucket)
    } else {
        StorageConfig::Directory(folder.join("data"))
    };
    config.immutable_tags = vec!["ci/app:stable".to_owned()];
    config.audit = Some(AuditConfig {
        file: folder.join("audit.log"),
    });
    config.retention.rules = vec![RetentionRule {
        name: "ci".to_owned(),
        repositories: "ci/**".to_owned(),
        keep_tags: Some(vec![KeepTags {
            tags: vec!["b*".to_owned(), "stable".to_owned()],
            last_pushed: Some(2),
            last_pulled: None,
            pushed_within_days: None,
            pulled_within_days: None,
        }]),
        unmatched_tags: UnmatchedTags::Keep,
        untagged_after_days: None,
        orphaned_referrers_after_days: Some(1),
        may_empty_repositories: false,
    }];
    config
}

#[tokio::test]
async fn tags_that_no_rule_keeps_are_gone_and_the_audit_log_says_why() {
    let bucket = S3Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = ruled(&bucket, folder.path());
    let server = Server::with(config.clone()).await;
    let mut digests = Vec::new();
    for tag in ["stable", "b1", "b2", "b3", "main"] {
        digests.push(server.push_tagged("ci/app", tag, tag).await);
    }
    let mut signature = server.image("ci/app", "signature").await;
    signature["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": digests[0], "size": 1});
    let path = format!("/v2/ci/app/manifests/sha256-{}.sig", digests[0].hex());
    assert_eq!(server.put_manifest(&path, &signature).await.status(), 201);
    server.push_tagged("other", "b1", "1").await;
    server.stop().await;

    let maintenance = config.clone().maintain().await.unwrap();
    let mut explained = Vec::new();
    let dry_run = RetentionOptions {
        dry_run: true,
        accept_clock: false,
    };
    let report = maintenance
        .retain(dry_run, &mut |decided| explained.push(decided))
        .await
        .unwrap();
    let removed = maintenance
        .retain(RetentionOptions::default(), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(removed.tags_removed, report.tags_removed);
    drop(maintenance);

    let server = Server::with(config).await;
    let tags = server.get_json("/v2/ci/app/tags/list").await;
    let tags: Vec<String> = serde_json::from_value(tags["tags"].clone()).unwrap();
    let gone: Vec<String> = explained[0]
        .verdicts
        .iter()
        .filter(|verdict| verdict.decision == cairn_registry::Decision::Remove)
        .map(|verdict| verdict.name.clone())
        .collect();
    // `b2` goes as well if all were pushed in one second.
    assert!(gone.contains(&"b1".to_owned()), "{gone:?}");
    assert!(gone.iter().all(|tag| !tags.contains(tag)), "{tags:?}");
    for kept in ["stable", "main"] {
        assert!(tags.contains(&kept.to_owned()), "{tags:?}");
    }
    // The manifests stay, with their signature.
    for digest in &digests {
        let path = format!("/v2/ci/app/manifests/{digest}");
        assert_eq!(server.status("GET", &path).await, 200);
    }
    let referrers = server
        .get_json(&format!("/v2/ci/app/referrers/{}", digests[0]))
        .await;
    assert_eq!(referrers["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(server.status("GET", "/v2/other/manifests/b1").await, 200);
    server.stop().await;

    let log = fs::read_to_string(folder.path().join("audit.log")).unwrap();
    let records = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let deletions: Vec<Value> = records.filter(|it| it["action"] == "delete-tag").collect();
    assert_eq!(deletions.len(), gone.len());
    assert_eq!(deletions[0]["actor"], "retention");
    assert_eq!(deletions[0]["reference"], json!(gone[0]));
    assert_eq!(
        deletions[0]["reason"],
        "rule `ci`: it matches `keepTags`, but no condition holds"
    );
}
