//! Mirrors between registries of this crate's tests.

use std::time::Duration;

use cairn_spec::{Artifact, Reference};

use super::{Options, Outcome, RemoteRegistry, Report, Selection, TagSelection, sync};
use crate::{
    Client, key,
    remote::test_registry::{TestRegistry, Traits},
    sign::{self, SignOptions},
    store::conformance,
    trust::TrustPolicy,
};

fn client() -> Client {
    Client::new(crate::Options {
        first_backoff: Duration::from_millis(1),
        ..crate::Options::default()
    })
    .unwrap()
}

fn at(registry: &TestRegistry) -> RemoteRegistry {
    RemoteRegistry {
        client: client(),
        host: registry.reference("a").registry,
    }
}

/// Pushes an artifact that no other tag has.
async fn push(registry: &TestRegistry, reference: &str) -> Reference {
    let reference = registry.reference(reference);
    let artifact = conformance::artifact(&reference.to_string());
    client().push_artifact(&reference, &artifact).await.unwrap();
    reference.with_digest(artifact.digest().clone())
}

fn options(pattern: &str) -> Options {
    Options {
        selection: Selection::of_glob(pattern, Some(&"mirror".parse().unwrap())).unwrap(),
        referrers: true,
        concurrency: 4,
        ..Options::default()
    }
}

/// `repository:tag outcome moved skipped`, a line each.
fn shown(report: &Report) -> String {
    let lines = report.entries.iter().map(|entry| {
        let (_, name) = entry.to.split_once('/').unwrap();
        let outcome = serde_json::to_value(entry.outcome).unwrap();
        let outcome = outcome.as_str().unwrap().to_owned();
        format!("{name} {outcome} {} {}", entry.moved, entry.skipped)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_is_selected_is_copied_once() {
    let (from, to) = (
        TestRegistry::start(Traits::default()).await,
        TestRegistry::start(Traits::default()).await,
    );
    for reference in [
        "apps/a:v1",
        "apps/a:v2",
        "apps/a:dev",
        "apps/b:v1",
        "other/c:v1",
    ] {
        push(&from, reference).await;
    }
    let mut options = options("apps/*");
    options.selection.tags = TagSelection::new(&["v*".to_owned()], None).unwrap();
    options.dry_run = true;
    let dry = sync(&at(&from), &at(&to), &options).await.unwrap();
    insta::assert_snapshot!(shown(&dry), @"
    mirror/apps/a:v1 would-copy 0 0
    mirror/apps/a:v2 would-copy 0 0
    mirror/apps/b:v1 would-copy 0 0
    ");
    let writes = |log: Vec<String>| log.iter().filter(|it| !it.starts_with("HEAD")).count();
    assert_eq!(writes(to.take_log()), 0);
    options.dry_run = false;
    let first = sync(&at(&from), &at(&to), &options).await.unwrap();
    assert_eq!(first.count(Outcome::Copied), 3);
    assert!(!first.is_partial());
    let pulled = client()
        .pull_artifact(
            &to.reference("mirror/apps/a:v2"),
            &crate::PullLimits::default(),
        )
        .await
        .unwrap();
    let expected = conformance::artifact(&from.reference("apps/a:v2").to_string());
    assert_eq!(pulled, expected);
    to.take_log();
    let again = sync(&at(&from), &at(&to), &options).await.unwrap();
    insta::assert_snapshot!(shown(&again), @"
    mirror/apps/a:v1 present 0 1
    mirror/apps/a:v2 present 0 1
    mirror/apps/b:v1 present 0 1
    ");
    assert_eq!(writes(to.take_log()), 0);
    options.dry_run = true;
    let dry = sync(&at(&from), &at(&to), &options).await.unwrap();
    assert_eq!(dry.count(Outcome::Present), 3);
}

#[tokio::test]
async fn signatures_and_referrers_follow_and_only_what_is_signed_goes() {
    for referrers_api in [true, false] {
        let traits = Traits {
            referrers_api,
            ..Traits::default()
        };
        let (from, to) = (
            TestRegistry::start(Traits::default()).await,
            TestRegistry::start(traits).await,
        );
        let signed = push(&from, "apps/a:signed").await;
        push(&from, "apps/a:unsigned").await;
        let key = key::generate().unwrap();
        let pem = key.public_key().unwrap().to_pem().unwrap();
        let policy = serde_json::json!({
            "apiVersion": "cairn.dev/v1",
            "kind": "TrustPolicy",
            "rules": [{"repositories": ["**"], "keys": [{"name": "ci", "pem": pem}]}],
        });
        let read = |path: &std::path::Path| Err(crate::Error::not_found(path.display()));
        let policy = TrustPolicy::parse(&policy.to_string(), "trust.yaml", read).unwrap();
        sign::sign(&client(), &signed, &key, &SignOptions::default())
            .await
            .unwrap();
        let mut options = options("apps/a");
        options.trust = Some(policy);
        let report = sync(&at(&from), &at(&to), &options).await.unwrap();
        assert!(report.is_partial());
        let outcomes: Vec<Outcome> = report.entries.iter().map(|it| it.outcome).collect();
        assert_eq!(outcomes, [Outcome::Copied, Outcome::Refused]);
        let reason = report.entries[1].reason.as_deref().unwrap();
        assert!(reason.contains("no trusted key has signed it"), "{reason}");
        // Who verifies there finds both forms.
        let there = to
            .reference("mirror/apps/a:signed")
            .with_digest(signed.digest.clone().unwrap());
        let keys = [key.public_key().unwrap()];
        let found = sign::verify(&client(), &there, &keys).await.unwrap();
        assert_eq!(found.len(), 2);
        let again = sync(&at(&from), &at(&to), &options).await.unwrap();
        assert_eq!(again.entries[0].outcome, Outcome::Present);
        assert_eq!(again.entries[0].moved, 0);
        // What refers to it later is copied later.
        let subject = client().resolve(&signed).await.unwrap();
        let later = Artifact::builder("application/later").subject(&subject);
        let later = later.build().unwrap();
        let by_digest = signed.with_digest(later.digest().clone());
        let by_digest = Reference {
            tag: None,
            ..by_digest
        };
        client().push_artifact(&by_digest, &later).await.unwrap();
        options.trust = None;
        options.selection.tags = TagSelection::new(&["signed".to_owned()], None).unwrap();
        let report = sync(&at(&from), &at(&to), &options).await.unwrap();
        assert_eq!(report.entries[0].outcome, Outcome::Copied);
        let found = client().referrers(&there, Some("application/later")).await;
        assert_eq!(found.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn one_that_fails_does_not_stop_the_others() {
    let (from, to) = (
        TestRegistry::start(Traits::default()).await,
        TestRegistry::start(Traits::default()).await,
    );
    push(&from, "apps/a:v1").await;
    let named = ["apps/a", "apps/none"].map(|name| name.parse().unwrap());
    let options = Options {
        selection: Selection::new(named.into(), false, |name| Some(name.clone())),
        concurrency: 1,
        ..Options::default()
    };
    let report = sync(&at(&from), &at(&to), &options).await.unwrap();
    insta::assert_snapshot!(shown(&report), @"
    apps/a:v1 copied 3 0
    apps/none failed 0 0
    ");
    assert!(report.is_partial());
    assert!(
        report.entries[1]
            .reason
            .as_deref()
            .unwrap()
            .contains("does not exist")
    );
    // Without a source there is no report.
    drop(from);
    let gone = Options {
        selection: Selection::default(),
        ..Options::default()
    };
    let nowhere = RemoteRegistry {
        client: client(),
        host: "127.0.0.1:1".parse().unwrap(),
    };
    assert!(sync(&nowhere, &at(&to), &gone).await.is_err());
}
