//! What is collected, what is not, and when.

use std::{sync::Arc, time::Duration};

use cairn_spec::{Digest, DigestAlgorithm, Tag};
use tokio_util::sync::CancellationToken;

use super::{
    super::{gc::Found, repair::rebuild},
    world::{GRACE_S, World, body, content, holds, image, index, name, push, push_blob},
};
use crate::{
    UntaggedManifests,
    records::State,
    storage::{Batch, Key, Prefix, Write},
};

#[tokio::test]
async fn an_unreferenced_blob_goes_after_its_grace_period() {
    let world = World::new();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    let digest = push_blob(&registry, &a, &layer).await.unwrap();
    world.clock.advance(GRACE_S - 1);
    world.collect().await.unwrap();
    registry.blob(&a, &digest).await.unwrap();
    // Looking at it renewed it.
    world.clock.advance(GRACE_S - 1);
    world.collect().await.unwrap();
    registry.blob(&a, &digest).await.unwrap();
    world.clock.advance(2 * GRACE_S);
    world.collect().await.unwrap();
    assert!(registry.blob(&a, &digest).await.is_err());
    world.assert_clean().await;
    push_blob(&registry, &a, &layer).await.unwrap();
    assert!(registry.blob(&a, &digest).await.is_ok());
    world.assert_sound().await;
}

#[tokio::test]
async fn what_tags_reach_stays() {
    let world = World::new();
    let registry = world.registry();
    let (a, b, layer) = (name("a"), name("b"), content("layer"));
    push_blob(&registry, &a, &layer).await.unwrap();
    assert!(
        registry
            .mount(
                &b,
                &Digest::sha256(&layer),
                None,
                &crate::auth::Readable::everything()
            )
            .await
            .unwrap()
    );
    let (one, two) = (image(&layer, "1", None), image(&layer, "2", None));
    push(&registry, &a, &one, None).await.unwrap();
    push(&registry, &a, &two, None).await.unwrap();
    let both = index(&[&one, &two]);
    let both = push(&registry, &a, &both, Some("both")).await.unwrap();
    let signature = image(&layer, "signature", Some(&both));
    let signature = push(&registry, &a, &signature, None).await.unwrap();
    push(&registry, &b, &one, Some("v1")).await.unwrap();
    world.collect_all().await;
    world.assert_clean().await;
    for digest in [
        &Digest::sha256(&one),
        &Digest::sha256(&two),
        &both,
        &signature,
    ] {
        assert!(holds(&registry, &a, digest).await);
    }

    // Without its tag, an index goes with its children and its referrers, here but not there.
    let tag: Tag = "both".parse().unwrap();
    registry.delete_tag(&a, &tag).await.unwrap();
    world.collect_all().await;
    world.assert_clean().await;
    assert_eq!(world.names(&Prefix::Manifests(a.clone())).await, [""; 0]);
    assert_eq!(world.names(&Prefix::Manifests(b.clone())).await.len(), 1);
    assert!(registry.blob(&a, &Digest::sha256(&layer)).await.is_err());
    assert!(registry.blob(&b, &Digest::sha256(&layer)).await.is_ok());
}

#[tokio::test]
async fn untagged_manifests_are_kept_when_told_so() {
    let mut world = World::new();
    world.gc.untagged_manifests = UntaggedManifests::Keep;
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    push_blob(&registry, &a, &layer).await.unwrap();
    let bytes = image(&layer, "1", None);
    let digest = push(&registry, &a, &bytes, None).await.unwrap();
    world.collect_all().await;
    assert!(holds(&registry, &a, &digest).await);
    registry.delete_manifest(&a, &digest).await.unwrap();
    world.collect_all().await;
    world.assert_clean().await;
}

#[tokio::test]
async fn abandoned_uploads_end() {
    let world = World::new();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    let upload = registry.start_upload(&a, DigestAlgorithm::Sha256);
    let upload = upload.await.unwrap();
    registry
        .append(&a, &upload.id, None, &mut body(&layer))
        .await
        .unwrap();
    // Begun, but its record was never written.
    let lost = crate::storage::PayloadKey(registry.new_id());
    drop(world.payloads.begin(lost).await.unwrap());
    world.clock.advance(2 * GRACE_S - 1);
    world.collect().await.unwrap();
    assert_eq!(world.names(&Prefix::Uploads).await.len(), 1);
    world.clock.advance(1);
    world.collect().await.unwrap();
    world.assert_clean().await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_collects_until_it_is_told_to_stop() {
    let world = World::new();
    let registry = world.registry();
    push_blob(&registry, &name("a"), &content("orphan"))
        .await
        .unwrap();
    world.clock.advance(2 * GRACE_S);
    let stop = CancellationToken::new();
    let worker = crate::maintenance::run(Arc::clone(&registry), world.gc.clone(), stop.clone());
    let watch = async {
        while registry.tally.progress().passes < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        stop.cancel();
    };
    tokio::join!(worker, watch);
    let done = registry.tally.progress();
    assert_eq!((done.memberships, done.blobs, done.blob_bytes), (1, 1, 54));
    assert_eq!((done.failures, done.backlog_age_s), (0, 0));
    world.assert_clean().await;
}

#[tokio::test]
async fn clocks_that_jump_lose_nothing() {
    let world = World::new();
    let registry = world.registry();
    let collector = world.collector(&registry);
    let stop = CancellationToken::new();
    let (a, layer) = (name("a"), content("layer"));
    let start_unix_s = 1_700_000_000;
    let digest = push_blob(&registry, &a, &layer).await.unwrap();
    // Set forward by a year: the push may still be under way.
    world.clock.set(start_unix_s + 31_536_000);
    collector.pass(&stop).await.unwrap();
    push(&registry, &a, &image(&layer, "1", None), Some("v1"))
        .await
        .unwrap();
    // Set back again: what was touched in the future is not due.
    world.clock.set(start_unix_s + 10);
    push_blob(&registry, &a, &content("other")).await.unwrap();
    collector.pass(&stop).await.unwrap();
    world.clock.advance(GRACE_S / 2);
    collector.pass(&stop).await.unwrap();
    registry.blob(&a, &digest).await.unwrap();
    registry
        .blob(&a, &Digest::sha256(&content("other")))
        .await
        .unwrap();
    world.assert_sound().await;
}

/// Garbage collection says that a blob is going, and stops there.
#[tokio::test]
async fn content_that_is_pushed_again_survives_a_late_deletion() {
    let world = World::new();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    let digest = push_blob(&registry, &a, &layer).await.unwrap();
    let key = Key::Blob(digest.clone());
    let read = registry.read_any(&key).await.unwrap().unwrap();
    let mut dying = read.blob.clone();
    dying.state = State::Deleting;
    let value = crate::records::encode(&dying, &[]).unwrap();
    let member = Key::RepositoryBlob(digest.clone(), a.clone());
    let entry = world.metadata.get(&member).await.unwrap().unwrap();
    let writes = [
        Write::put_if(key.clone(), read.entry.version, value),
        Write::delete_if(member, entry.version),
    ];
    world.metadata.write(Batch::durable(writes)).await.unwrap();
    push_blob(&registry, &a, &layer).await.unwrap();
    let revived = registry.read_any(&key).await.unwrap().unwrap().blob;
    assert_ne!(revived.location, dying.location);
    assert_eq!(world.home.committed().len(), 1);
    // The deletion that was under way goes on at last.
    registry.delete_condemned(&dying).await.unwrap();
    world.assert_sound().await;
    registry.blob(&a, &digest).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_explains_what_a_pass_does() {
    let world = World::new();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    push_blob(&registry, &a, &content("orphan")).await.unwrap();
    push_blob(&registry, &a, &layer).await.unwrap();
    let kept = image(&layer, "1", None);
    push(&registry, &a, &kept, Some("v1")).await.unwrap();
    push(&registry, &a, &image(&layer, "2", None), None)
        .await
        .unwrap();
    let upload = registry.start_upload(&a, DigestAlgorithm::Sha256);
    let upload = upload.await.unwrap();
    let begun = content("begun");
    registry
        .append(&a, &upload.id, None, &mut body(&begun))
        .await
        .unwrap();
    world.clock.advance(2 * GRACE_S);
    let explained = explain(&world).await;
    insta::assert_snapshot!(explained, @r"
    blob a 54: no manifest refers to it
    manifest a 434: no tag or index refers to it
    upload a 45: nobody went on with it
    ");
    assert_eq!(explain(&world).await, explained);
    world.collect().await.unwrap();
    assert_eq!(explain(&world).await, "");
    let done = registry.tally.progress();
    assert_eq!(done.blobs, 0, "another process has its own numbers");
}

async fn explain(world: &World) -> String {
    let registry = world.registry();
    let mut lines = Vec::new();
    let mut found = |found: Found| {
        let repository = found.repository.map_or(String::new(), |it| it.to_string());
        let (kind, size_bytes, reason) = (found.kind, found.size_bytes, found.reason);
        lines.push(format!("{kind} {repository} {size_bytes}: {reason}"));
    };
    world
        .collector(&registry)
        .explain(&mut found)
        .await
        .unwrap();
    lines.sort();
    lines.join("\n")
}

#[tokio::test]
async fn what_follows_from_other_records_is_rebuilt() {
    let world = World::new();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    push_blob(&registry, &a, &layer).await.unwrap();
    push_blob(&registry, &a, &content("orphan")).await.unwrap();
    let subject = image(&layer, "1", None);
    let subject = push(&registry, &a, &subject, Some("v1")).await.unwrap();
    let referrer = image(&layer, "2", Some(&subject));
    let referrer = push(&registry, &a, &referrer, None).await.unwrap();
    let layer = Digest::sha256(&layer);
    for lost in [
        Key::ManifestTag(a.clone(), subject.clone(), "v1".parse().unwrap()),
        Key::Referrers(a.clone(), subject.clone(), 0),
        Key::RepositoryBlob(layer.clone(), a.clone()),
        Key::Repository(a.clone()),
    ] {
        remove(&world, lost).await;
    }
    for name in world.names(&Prefix::Candidates).await {
        remove(&world, format!("gcq/{name}").parse().unwrap()).await;
    }
    assert!(!world.findings().await.is_empty());
    let rebuilt = rebuild(&registry).await.unwrap();
    assert_eq!(
        (rebuilt.repositories, rebuilt.memberships, rebuilt.referrers),
        (1, 1, 1)
    );
    assert_eq!((rebuilt.hints, rebuilt.manifests, rebuilt.tags), (1, 2, 1));
    world.assert_sound().await;
    world.collect_all().await;
    world.assert_clean().await;
    assert!(holds(&registry, &a, &referrer).await);
}

async fn remove(world: &World, key: Key) {
    let entry = world.metadata.get(&key).await.unwrap().unwrap();
    let write = Write::delete_if(key, entry.version);
    world.metadata.write(Batch::durable([write])).await.unwrap();
}
