//! Passes over a store: what is removed, what a race or a doubtful clock spares.

use std::sync::Arc;

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Listeners, Mode, RepositoryVerdicts, RetentionReport, flush_pulls, judge::Decision,
        retain_until, sweep,
    },
    DAY_S,
};
use crate::{
    Error, Result, RetentionConfig,
    maintenance::tests::world::{World, content, holds, image, name, push, push_blob},
    operations::metrics::Metrics,
    service::Registry,
    storage::{Family, Key, Prefix},
};

const REMOVE: (Mode, bool) = (Mode::Remove, false);
const DRY_RUN: (Mode, bool) = (Mode::Explain, false);
const ACCEPT_CLOCK: (Mode, bool) = (Mode::Remove, true);

/// A world with these rules.
fn ruled(rules: &serde_json::Value) -> World {
    let mut world = World::new();
    world.config.retention = serde_json::from_value(json!({"rules": rules})).unwrap();
    world.config.immutable_tags = vec!["ci/app:stable".to_owned()];
    world
}

/// The rule most tests go by: three tags, then a week without a tag.
fn ci() -> serde_json::Value {
    json!([{
        "name": "ci", "repositories": "ci/**",
        "keepTags": [{"lastPushed": 3}],
        "untaggedAfterDays": 7, "orphanedReferrersAfterDays": 1,
    }])
}

async fn swept(registry: &Registry, how: (Mode, bool)) -> Result<RetentionReport> {
    let listeners = Listeners {
        audit: None,
        decided: &mut |_| {},
    };
    sweep(registry, how, listeners, &CancellationToken::new()).await
}

async fn tags(world: &World, repository: &RepositoryName) -> Vec<String> {
    world.names(&Prefix::Tags(repository.clone())).await
}

/// One build a day, each signed, from `first` on.
async fn build(
    world: &World,
    repository: &RepositoryName,
    builds: std::ops::Range<u32>,
) -> Vec<Digest> {
    let registry = world.registry();
    let mut digests = Vec::new();
    for number in builds {
        let layer = content(&number.to_string());
        push_blob(&registry, repository, &layer).await.unwrap();
        let tag = format!("b{number}");
        let build = image(&layer, &tag, None);
        let digest = push(&registry, repository, &build, Some(&tag))
            .await
            .unwrap();
        let signature = image(&layer, "signature", Some(&digest));
        push(&registry, repository, &signature, None).await.unwrap();
        digests.push(digest);
        world.clock.advance(DAY_S);
    }
    digests
}

fn signature_of(number: u32, digest: &Digest) -> Digest {
    let bytes: Bytes = image(&content(&number.to_string()), "signature", Some(digest));
    Digest::sha256(&bytes)
}

#[tokio::test]
async fn builds_leave_in_steps_and_their_signatures_with_them() {
    let world = ruled(&ci());
    let app = name("ci/app");
    let digests = build(&world, &app, 0..6).await;
    let other = name("other");
    build(&world, &other, 0..4).await;
    let registry = world.registry();
    push(
        &registry,
        &app,
        &image(&content("0"), "b0", None),
        Some("stable"),
    )
    .await
    .unwrap();

    let dry = swept(&registry, DRY_RUN).await.unwrap();
    assert_eq!((dry.tags_removed, dry.manifests_removed), (4, 0));
    assert_eq!(tags(&world, &app).await.len(), 7);

    let report = swept(&registry, REMOVE).await.unwrap();
    assert_eq!((report.repositories, report.tags_removed), (1, 4));
    // `stable` counts among the last three, and would stay if it did not.
    assert_eq!(tags(&world, &app).await, ["b4", "b5", "stable"]);
    assert_eq!(tags(&world, &other).await.len(), 4);

    // Without a tag for a week, counted from now.
    for _ in 0..6 {
        world.clock.advance(DAY_S);
        let report = swept(&registry, REMOVE).await.unwrap();
        assert_eq!(report.manifests_removed, 0, "{report:?}");
    }
    world.clock.advance(DAY_S);
    let report = swept(&registry, REMOVE).await.unwrap();
    // `b0` is `stable`.
    assert_eq!(report.manifests_removed, 3);
    assert!(holds(&registry, &app, &signature_of(1, &digests[1])).await);
    world.clock.advance(DAY_S);
    let report = swept(&registry, REMOVE).await.unwrap();
    assert_eq!(report.manifests_removed, 3);
    assert!(!holds(&registry, &app, &signature_of(1, &digests[1])).await);
    for number in [0_u32, 4, 5] {
        let digest = &digests[number as usize];
        assert!(holds(&registry, &app, digest).await);
        assert!(holds(&registry, &app, &signature_of(number, digest)).await);
    }
    world.assert_sound().await;
    // What is left over is garbage like any other.
    let memberships = Prefix::Family(Family::Memberships);
    let before = world.names(&memberships).await.len();
    world.collect_all().await;
    assert_eq!(world.names(&memberships).await.len(), before - 3);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_clock_far_ahead_removes_nothing() {
    let world = ruled(&json!([{
        "name": "ci", "repositories": "ci/**", "mayEmptyRepositories": true,
        "keepTags": [{"pushedWithinDays": 30}], "untaggedAfterDays": 7,
    }]));
    let app = name("ci/app");
    build(&world, &app, 0..3).await;
    let registry = world.registry();
    let now = world.clock.as_ref();
    // A year ahead, before the first pass and after one.
    for passes_before in [0, 1] {
        if passes_before == 1 {
            swept(&registry, ACCEPT_CLOCK).await.unwrap();
        }
        let right = registry.now_unix_s();
        now.set(right + 366 * DAY_S);
        for _ in 0..5 {
            let dry = swept(&registry, DRY_RUN).await.unwrap();
            assert_eq!(dry.tags_removed, 3);
            assert!(dry.held_until_unix_s.is_some());
            let report = swept(&registry, REMOVE).await.unwrap();
            assert!(report.held_until_unix_s.is_some());
            assert_eq!(report.tags_removed, 0);
            now.advance(DAY_S);
        }
        assert_eq!(tags(&world, &app).await.len(), 3);
        // Set right again.
        now.set(right);
        let report = swept(&registry, REMOVE).await.unwrap();
        assert_eq!((report.held_until_unix_s, report.tags_removed), (None, 0));
    }
    // Somebody says that it is right.
    now.set(registry.now_unix_s() + 366 * DAY_S);
    let report = swept(&registry, ACCEPT_CLOCK).await.unwrap();
    assert_eq!(report.tags_removed, 3);
}

#[tokio::test]
async fn what_changed_after_the_decision_stays() {
    let world = ruled(&ci());
    let app = name("ci/app");
    let digests = build(&world, &app, 0..5).await;
    let registry = world.registry();
    let entry = async |key: &Key| world.metadata.get(key).await.unwrap().unwrap();
    // A tag that moves, and one that is as it was.
    let (moved, same) = ("b0".parse().unwrap(), "b1".parse().unwrap());
    let before = entry(&Key::Tag(app.clone(), moved)).await.version;
    let unchanged = entry(&Key::Tag(app.clone(), same)).await.version;
    let (moved, same) = ("b0".parse().unwrap(), "b1".parse().unwrap());
    push(
        &registry,
        &app,
        &image(&content("4"), "b4", None),
        Some("b0"),
    )
    .await
    .unwrap();
    assert!(
        !registry
            .delete_tag_if(&app, &moved, Some(&before))
            .await
            .unwrap()
    );
    assert!(
        registry
            .delete_tag_if(&app, &same, Some(&unchanged))
            .await
            .unwrap()
    );

    // A manifest without a tag that gets one, and one that somebody asks for.
    for digest in [&digests[0], &digests[1]] {
        world.clock.advance(DAY_S);
        let key = Key::Manifest(app.clone(), digest.clone());
        let before = entry(&key).await.version;
        if digest == &digests[0] {
            push(
                &registry,
                &app,
                &image(&content("0"), "b0", None),
                Some("again"),
            )
            .await
            .unwrap();
        } else {
            assert!(holds(&registry, &app, digest).await);
        }
        let deleted = registry.delete_untagged_manifest(&app, digest, Some(&before));
        assert!(!deleted.await.unwrap());
        assert!(holds(&registry, &app, digest).await);
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn pulled_manifests_stay_and_pulls_are_few_writes() {
    let world = ruled(&json!([{
        "name": "ci", "repositories": "ci/**",
        "keepTags": [{"pulledWithinDays": 7}],
    }]));
    let app = name("ci/app");
    let digests = build(&world, &app, 0..4).await;
    let registry = world.registry();
    // Recording begins.
    assert_eq!(swept(&registry, REMOVE).await.unwrap().tags_removed, 0);
    for day in 0..9 {
        for _ in 0..100 {
            registry.note_pull(&app, &digests[2]);
            registry.note_pull(&name("other"), &digests[2]);
        }
        flush_pulls(&registry).await.unwrap();
        world.clock.advance(DAY_S);
        let report = swept(&registry, REMOVE).await.unwrap();
        // Nobody knows of pulls before the first day.
        assert_eq!(report.tags_removed, if day == 6 { 3 } else { 0 }, "{day}");
    }
    assert_eq!(tags(&world, &app).await, ["b2"]);
    let records = world.names(&Prefix::Pulls(app.clone())).await;
    assert_eq!(records.len(), 1);
    assert!(world.names(&Prefix::Pulls(name("other"))).await.is_empty());

    // Another pull within six hours is not written down.
    let key = Key::Pulls(app.clone(), records[0].chars().next().unwrap());
    registry.note_pull(&app, &digests[2]);
    flush_pulls(&registry).await.unwrap();
    let before = world.metadata.get(&key).await.unwrap().unwrap().version;
    world.clock.advance(3600);
    registry.note_pull(&app, &digests[2]);
    flush_pulls(&registry).await.unwrap();
    assert_eq!(
        world.metadata.get(&key).await.unwrap().unwrap().version,
        before
    );
}

#[tokio::test]
async fn replicas_take_turns() {
    let world = ruled(&ci());
    let app = name("ci/app");
    build(&world, &app, 0..5).await;
    let (one, other) = (world.yielding(), world.yielding());
    let (first, second) = tokio::join!(swept(&one, REMOVE), swept(&other, REMOVE));
    let outcomes = [first, second];
    let removed: u64 = outcomes
        .iter()
        .filter_map(|swept| swept.as_ref().ok())
        .map(|report| report.tags_removed)
        .sum();
    assert_eq!(removed, 2);
    let contended = outcomes
        .iter()
        .filter(|swept| matches!(swept, Err(Error::Contended { .. })));
    assert_eq!(contended.count(), 1);
    assert_eq!(tags(&world, &app).await, ["b2", "b3", "b4"]);
    world.assert_sound().await;
}

#[tokio::test]
async fn the_decision_is_told_for_each_tag() {
    let world = ruled(&ci());
    build(&world, &name("ci/app"), 0..4).await;
    let registry = world.registry();
    let mut told: Vec<RepositoryVerdicts> = Vec::new();
    let listeners = Listeners {
        audit: None,
        decided: &mut |decided| told.push(decided),
    };
    let stop = CancellationToken::new();
    let report = sweep(&registry, DRY_RUN, listeners, &stop).await.unwrap();
    assert_eq!((report.kept, report.tags_removed), (11, 1));
    assert_eq!((told.len(), told[0].rule.as_str()), (1, "ci"));
    let first = &told[0].verdicts[0];
    assert_eq!(
        (first.name.as_str(), first.decision),
        ("b0", Decision::Remove)
    );
    // A dry run leaves no trace.
    assert!(
        world
            .metadata
            .get(&Key::System("retention"))
            .await
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_rule_that_is_wrong_opens_nothing() {
    let mut config: RetentionConfig = serde_json::from_value(json!({"rules": ci()})).unwrap();
    config.rules[0].keep_tags.as_mut().unwrap()[0].tags = vec!["v[".to_owned()];
    assert!(super::super::Rules::open(&config).is_err());
    config.rules.clear();
    config.protected_tags = vec!["{".to_owned()];
    assert!(super::super::Rules::open(&config).is_err());
}

#[tokio::test]
async fn a_rehearsal_knows_the_time_and_removes_nothing() {
    let world = ruled(&ci());
    let app = name("ci/app");
    build(&world, &app, 0..5).await;
    let registry = world.registry();
    let report = swept(&registry, (Mode::Rehearse, false)).await.unwrap();
    assert_eq!(report.tags_removed, 2);
    assert_eq!(tags(&world, &app).await.len(), 5);
    let passes = world.metadata.get(&Key::System("retention")).await.unwrap();
    assert!(passes.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_worker_makes_a_pass_when_one_is_due() {
    let world = ruled(&ci());
    let app = name("ci/app");
    build(&world, &app, 0..5).await;
    let registry = world.registry();
    let metrics = Arc::new(Metrics::default());
    let stop = CancellationToken::new();
    let telling = (Arc::clone(&metrics), None);
    let running = tokio_util::task::TaskTracker::new();
    running.spawn(retain_until(registry, telling, stop.clone()));
    running.close();
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    assert_eq!(tags(&world, &app).await, ["b2", "b3", "b4"]);
    // By the registry's clock no time has passed, so no further pass is due.
    assert_eq!(metrics.retention.passes.get(), 1);
    assert_eq!(metrics.retention.tags_removed.get(), 2);
    world.clock.advance(DAY_S);
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    assert_eq!(metrics.retention.passes.get(), 2);
    stop.cancel();
    running.wait().await;
}
