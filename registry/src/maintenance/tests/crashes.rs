//! Crashes at every write of every kind of collection.

use cairn_spec::{Digest, DigestAlgorithm};
use tokio_util::sync::CancellationToken;

use super::world::{ENDLESS, GRACE_S, World, body, content, image, index, name, push, push_blob};
use crate::{Result, service::Registry, storage::faults::Fuse};

/// Prepares garbage, and crashes the pass that collects it at each of its changes. Each time, what
/// must hold does, and later passes collect the rest.
async fn crash_everywhere(prepare: impl AsyncFn(&Registry) -> Result<()>, passes: u32) {
    for changes in 0.. {
        let world = World::new();
        prepare(&world.registry()).await.unwrap();
        for _ in 1..passes {
            world.clock.advance(GRACE_S + 1);
            world.collect().await.unwrap();
        }
        world.clock.advance(2 * GRACE_S + 1);
        let fuse = Fuse::after(changes);
        let registry = world.crashing(&fuse);
        let collector = world.collector(&registry);
        let outcome = collector.pass(&CancellationToken::new()).await;
        world.assert_safe().await;
        world.assert_sound().await;
        // Content that comes back finds its place whatever the crash left behind.
        prepare(&world.registry()).await.unwrap();
        world.assert_sound().await;
        world.collect_all().await;
        world.assert_clean().await;
        if !fuse.is_burnt() {
            assert!(outcome.is_ok() && changes > 3);
            return;
        }
    }
}

#[tokio::test]
async fn collecting_blobs_survives_crashes() {
    let orphan = async |registry: &Registry| {
        push_blob(registry, &name("a"), &content("orphan")).await?;
        push_blob(registry, &name("a"), &"tiny".into()).await?;
        let digest = Digest::sha256(&content("orphan"));
        registry
            .mount(
                &name("b"),
                &digest,
                None,
                &crate::auth::Readable::everything(),
            )
            .await
            .map(drop)
    };
    crash_everywhere(orphan, 1).await;
}

#[tokio::test]
async fn collecting_manifests_survives_crashes() {
    let untagged = async |registry: &Registry| {
        let (a, layer) = (name("a"), content("layer"));
        push_blob(registry, &a, &layer).await?;
        let one = image(&layer, "1", None);
        push(registry, &a, &one, None).await?;
        let index = push(registry, &a, &index(&[&one]), None).await?;
        let signature = image(&layer, "signature", Some(&index));
        push(registry, &a, &signature, None).await?;
        push(registry, &a, &one, Some("kept")).await?;
        push(registry, &a, &image(&layer, "2", None), Some("moved")).await?;
        push(registry, &a, &one, Some("moved")).await.map(drop)
    };
    for passes in 1..4 {
        crash_everywhere(untagged, passes).await;
    }
}

#[tokio::test]
async fn what_deletions_leave_is_collected_despite_crashes() {
    let deleted = async |registry: &Registry| {
        let (a, layer) = (name("a"), content("layer"));
        let blob = push_blob(registry, &a, &layer).await?;
        let subject = push(registry, &a, &image(&layer, "1", None), Some("v1")).await?;
        let referrer = image(&layer, "2", Some(&subject));
        let referrer = push(registry, &a, &referrer, Some("v2")).await?;
        registry.delete_manifest(&a, &subject).await?;
        registry.delete_manifest(&a, &referrer).await?;
        registry.delete_blob(&a, &blob).await
    };
    crash_everywhere(deleted, 1).await;
}

#[tokio::test]
async fn ending_uploads_survives_crashes() {
    let uploads = async |registry: &Registry| {
        let a = name("a");
        let upload = registry.start_upload(&a, DigestAlgorithm::Sha256).await?;
        let parked = content("parked");
        registry
            .append(&a, &upload.id, None, &mut body(&parked))
            .await
            .map(drop)
    };
    crash_everywhere(uploads, 1).await;
}

/// Crashes pushes and deletions, too: whatever they leave behind is collected.
#[tokio::test]
async fn whatever_crashed_requests_leave_behind_is_collected() {
    let scenario = async |registry: &Registry| -> Result<()> {
        let (a, layer) = (name("a"), content("layer"));
        let upload = registry.start_upload(&a, DigestAlgorithm::Sha256).await?;
        let digest = Digest::sha256(&layer);
        let half = layer.slice(..20);
        registry
            .append(&a, &upload.id, None, &mut body(&half))
            .await?;
        let rest = (None, &mut body(&layer.slice(20..)));
        registry.finish(&a, &upload.id, &digest, rest).await?;
        push_blob(registry, &a, &layer).await?;
        registry
            .mount(
                &name("b"),
                &digest,
                Some(&a),
                &crate::auth::Readable::everything(),
            )
            .await?;
        let subject = push(registry, &a, &image(&layer, "1", None), Some("v1")).await?;
        let referrer = image(&layer, "2", Some(&subject));
        push(registry, &a, &referrer, Some("v2")).await?;
        push(registry, &a, &image(&layer, "3", None), Some("v1")).await?;
        registry.delete_manifest(&a, &subject).await
    };
    for changes in 0..ENDLESS {
        let world = World::new();
        let fuse = Fuse::after(changes);
        let registry = world.crashing(&fuse);
        let outcome = scenario(&registry).await;
        registry.tasks.close();
        registry.tasks.wait().await;
        world.assert_safe().await;
        world.collect_all().await;
        world.assert_clean().await;
        if !fuse.is_burnt() {
            outcome.unwrap();
            return;
        }
    }
}
