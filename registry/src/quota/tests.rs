//! Quotas over one store, with one process or several.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cairn_spec::Digest;

use super::*;
use crate::{
    maintenance::{
        Maintenance,
        tests::world::{World, image, name, push, push_blob},
    },
    service::Registry,
    storage::{Key, Prefix},
};

/// A world in which repositories below `team/` may hold this many bytes together.
fn limited(max_bytes: u64) -> World {
    let mut world = World::new();
    world.config.quotas.rules = vec![rule(Some(max_bytes))];
    world
}

fn rule(max_bytes: Option<u64>) -> QuotaRule {
    QuotaRule {
        name: "team".to_owned(),
        repositories: "team/**".to_owned(),
        max_bytes,
        max_repositories: None,
        max_tags_per_repository: None,
        warn_at_percent: 80,
    }
}

async fn started(world: &World) -> Arc<Registry> {
    let registry = world.registry();
    begin(&registry).await.unwrap();
    registry
}

fn bytes(text: &str, size: usize) -> Bytes {
    Bytes::from(text.repeat(size / text.len()))
}

async fn used(registry: &Registry) -> Option<u64> {
    flush(registry).await.unwrap();
    report(registry).await.unwrap().quotas[0].used_bytes
}

fn refusal<T>(pushed: Result<T>) -> String {
    match pushed {
        Err(error @ Error::QuotaExceeded { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => "accepted".to_owned(),
    }
}

#[tokio::test]
async fn what_repositories_hold_is_counted_once_in_each() {
    let world = limited(1_000_000);
    let registry = started(&world).await;
    let (a, b, other) = (name("team/a"), name("team/b"), name("other"));
    let layer = bytes("layer", 500);
    for repository in [&a, &a, &b, &other] {
        push_blob(&registry, repository, &layer).await.unwrap();
    }
    assert_eq!(used(&registry).await, Some(1000));
    let manifest = image(&layer, "1", None);
    push(&registry, &a, &manifest, Some("v1")).await.unwrap();
    push(&registry, &a, &manifest, Some("v2")).await.unwrap();
    let size = manifest.len() as u64;
    assert_eq!(used(&registry).await, Some(1000 + size));

    let of_a = &report(&registry).await.unwrap().repositories[0];
    assert_eq!((of_a.bytes, of_a.blobs, of_a.manifests), (500 + size, 1, 1));

    registry
        .delete_blob(&b, &Digest::sha256(&layer))
        .await
        .unwrap();
    let digest = Digest::sha256(&manifest);
    registry.delete_manifest(&a, &digest).await.unwrap();
    assert_eq!(used(&registry).await, Some(500));
    let left = report(&registry).await.unwrap().repositories;
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn garbage_collection_gives_room_back() {
    let world = limited(600);
    let registry = started(&world).await;
    let a = name("team/a");
    push_blob(&registry, &a, &bytes("one", 300)).await.unwrap();
    push_blob(&registry, &a, &bytes("two", 300)).await.unwrap();
    let refused = push_blob(&registry, &a, &bytes("3", 300)).await;
    insta::assert_snapshot!(refusal(refused), @"the quota `team` is used up: the repositories `team/**` hold 600 B of 600 B, and 300 B more do not fit: delete tags or manifests there, and garbage collection gives their room back");
    // Nothing is left of what was refused.
    assert_eq!(world.blobs().await.len(), 2);
    flush(&registry).await.unwrap();

    world.collect_all().await;
    // Collectors that were stopped before they wrote down what they changed.
    let registry = world.registry();
    assert_eq!(recount(&registry, Duration::ZERO).await.unwrap(), 1);
    assert_eq!(used(&registry).await, Some(0));
    push_blob(&registry, &a, &bytes("3", 300)).await.unwrap();
    world.assert_safe().await;
}

#[tokio::test]
async fn a_command_writes_down_what_it_collected() {
    let world = limited(600);
    let registry = started(&world).await;
    let a = name("team/a");
    push_blob(&registry, &a, &bytes("one", 300)).await.unwrap();
    assert_eq!(used(&registry).await, Some(300));
    drop(registry);
    for _ in 0..3 {
        world.clock.advance(10_000);
        let registry = Arc::into_inner(world.registry()).unwrap();
        let maintenance = Maintenance::new(registry, world.gc.clone(), None);
        maintenance.collect(None).await.unwrap();
    }
    assert_eq!(used(&world.registry()).await, Some(0));
    assert_eq!(world.findings().await, []);
}

#[tokio::test]
async fn replicas_see_what_others_wrote_down() {
    let world = limited(1000);
    let (one, other) = (started(&world).await, started(&world).await);
    let a = name("team/a");
    push_blob(&one, &a, &bytes("one", 600)).await.unwrap();
    push_blob(&other, &a, &bytes("2", 400)).await.unwrap();
    // Full, but neither knows what the other did.
    flush(&one).await.unwrap();
    flush(&other).await.unwrap();
    assert!(push_blob(&other, &a, &bytes("3", 10)).await.is_err());
    // The bound: what was read before is believed for ten seconds.
    push_blob(&one, &a, &bytes("4", 10)).await.unwrap();
    world.clock.advance(11);
    let refused = push_blob(&one, &a, &bytes("5", 10)).await;
    assert!(refusal(refused).contains("hold 1010 B of 1000 B"));
    assert_eq!(used(&one).await, Some(1010));
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_exceed_a_quota() {
    let world = limited(1000);
    let registry = started(&world).await;
    let a = name("team/a");
    let contents: Vec<Bytes> = (0..10).map(|n| bytes(&n.to_string(), 300)).collect();
    let pushes = contents
        .iter()
        .map(|content| push_blob(&registry, &a, content));
    let outcomes = futures_util::future::join_all(pushes).await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!((1..=3).contains(&accepted), "{accepted}");
    assert_eq!(used(&registry).await, Some(300 * accepted as u64));
}

#[tokio::test]
async fn what_a_crash_left_uncounted_a_recount_finds() {
    let world = limited(10_000);
    let registry = started(&world).await;
    let a = name("team/a");
    push_blob(&registry, &a, &bytes("one", 300)).await.unwrap();
    assert_eq!(used(&registry).await, Some(300));
    push_blob(&registry, &a, &bytes("two", 300)).await.unwrap();
    drop(registry);

    let findings = world.findings().await;
    let shown: Vec<String> = findings
        .iter()
        .map(|found| format!("{}: {}", found.key, found.problem))
        .collect();
    assert_eq!(
        shown,
        ["use/team/a: it says 300 bytes, but the repository holds 600"]
    );
    let registry = world.registry();
    let maintenance = Maintenance::new(Arc::into_inner(registry).unwrap(), world.gc.clone(), None);
    assert_eq!(maintenance.rebuild().await.unwrap().usages, 1);
    assert_eq!(world.findings().await, []);
    assert_eq!(used(&world.registry()).await, Some(600));
}

#[tokio::test(start_paused = true)]
async fn workers_write_down_and_count_by_themselves() {
    let mut world = limited(10_000);
    // Content from before there were quotas.
    let quotas = std::mem::take(&mut world.config.quotas);
    let a = name("team/a");
    let layer = bytes("layer", 500);
    push_blob(&world.registry(), &a, &layer).await.unwrap();
    push(&world.registry(), &a, &image(&layer, "1", None), Some("v1"))
        .await
        .unwrap();
    world.config.quotas = quotas;

    let registry = started(&world).await;
    assert_eq!(used(&registry).await, None);
    let stop = tokio_util::sync::CancellationToken::new();
    let workers = tokio_util::task::TaskTracker::new();
    workers.spawn(flush_until(Arc::clone(&registry), stop.clone()));
    workers.spawn(recount_until(Arc::clone(&registry), 86_400, stop.clone()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let counted = report(&registry).await.unwrap().quotas[0]
        .used_bytes
        .unwrap();
    assert!(counted > 500);
    push_blob(&registry, &a, &bytes("more", 400)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let now = report(&registry).await.unwrap().quotas[0].used_bytes;
    assert_eq!(now, Some(counted + 400));
    stop.cancel();
    workers.close();
    workers.wait().await;
    assert_eq!(world.findings().await, []);
}

#[tokio::test]
async fn repositories_and_tags_are_limited_by_number() {
    let mut world = limited(0);
    world.config.quotas.rules = vec![QuotaRule {
        max_repositories: Some(2),
        max_tags_per_repository: Some(2),
        ..rule(None)
    }];
    let registry = started(&world).await;
    let layer = bytes("layer", 10);
    let manifest = |mark: &str| image(&layer, mark, None);
    let tagged = async |repository: &str, tag: &str, mark: &str| {
        let repository = name(repository);
        push_blob(&registry, &repository, &layer).await.unwrap();
        push(&registry, &repository, &manifest(mark), Some(tag)).await
    };
    tagged("team/a", "v1", "1").await.unwrap();
    tagged("team/b", "v1", "1").await.unwrap();
    insta::assert_snapshot!(refusal(tagged("team/c", "v1", "1").await), @"the quota `team` is used up: there are 2 of 2 repositories `team/**`: push to one of them, or ask whoever runs the registry to raise the limit");
    tagged("team-b/c", "v1", "1").await.unwrap();
    tagged("team/a", "v2", "1").await.unwrap();
    insta::assert_snapshot!(refusal(tagged("team/a", "v3", "2").await), @"the quota `team` is used up: the repository `team/a` has 2 of 2 tags: delete tags that are not needed, or ask whoever runs the registry to raise the limit");
    // A tag that is there may move, and its place be taken.
    tagged("team/a", "v2", "2").await.unwrap();
    registry
        .delete_tag(&name("team/a"), &"v1".parse().unwrap())
        .await
        .unwrap();
    tagged("team/a", "v3", "3").await.unwrap();
    // What was refused is not there.
    let repositories = world.metadata.list(&Prefix::Repositories, None, 9).await;
    assert_eq!(repositories.unwrap(), ["team-b/c", "team/a", "team/b"]);
}

#[tokio::test]
async fn nothing_is_refused_before_somebody_counted() {
    let mut world = World::new();
    let a = name("team/a");
    let layer = bytes("layer", 500);
    push_blob(&world.registry(), &a, &layer).await.unwrap();
    push(&world.registry(), &a, &image(&layer, "1", None), Some("v1"))
        .await
        .unwrap();
    world.config.quotas.rules = vec![rule(Some(100))];
    let registry = started(&world).await;
    push_blob(&registry, &a, &bytes("more", 100)).await.unwrap();
    recount(&registry, Duration::ZERO).await.unwrap();
    assert!(refusal(push_blob(&registry, &a, &bytes("x", 10)).await).contains("the quota `team`"));
    let warnings = registry.quota_warnings(&a);
    assert!(
        warnings[0].starts_with("the quota team is used to "),
        "{warnings:?}"
    );

    // A quota over other repositories counts anew.
    world.config.quotas.rules[0].repositories = "other/**".to_owned();
    let registry = started(&world).await;
    assert_eq!(used(&registry).await, None);
    let key = Key::QuotaUsage("team".to_owned());
    assert!(world.metadata.get(&key).await.unwrap().is_some());
}
