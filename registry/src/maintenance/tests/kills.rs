//! Processes that die at each call to their storage, and are replaced by others.
//!
//! Over a directory a call is one to a payload's file, or one that the database makes to its own;
//! the next process opens the same files. Over a bucket it is a request, and the next process has
//! nothing but the bucket. What a client was told then still holds, all invariants do, the same
//! requests succeed, and what is left over is collected.
//!
//! Each test comes twice: with some of the calls, and with all of them.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    told::{Client, Told},
    world::{Doom, GRACE_S, World, content, image, index},
};
use crate::{
    Result,
    storage::{faults::Fault, s3::tests::Shelf},
};

/// Where the processes keep what they are told.
enum Storage {
    Directory,
    Bucket(Arc<Shelf>),
}

/// At how many calls processes die.
#[derive(Debug, Clone, Copy)]
enum At {
    /// At each, in every way.
    Each,
    /// At each n-th, in one way after the other.
    Every(u32),
}

impl Storage {
    async fn bucket() -> Self {
        Self::Bucket(Arc::new(Shelf::start().await))
    }

    async fn world(&self) -> World {
        match self {
            Self::Directory => World::in_directory(),
            Self::Bucket(bucket) => World::in_bucket(bucket).await,
        }
    }

    /// What is left over after a kill is collected: over a bucket, where that is a few hundred
    /// requests, after some of them.
    fn is_collected(&self, kills: usize) -> bool {
        match self {
            Self::Directory => true,
            Self::Bucket(_) => kills.is_multiple_of(8),
        }
    }

    /// All dooms that a test goes through until a process outlives one.
    fn dooms(&self, at: At) -> impl Iterator<Item = Doom> {
        let deaths: &[Fault] = match self {
            Self::Directory => &Fault::DEATHS,
            Self::Bucket(_) => &[Fault::DiesBefore, Fault::DiesAfter],
        };
        (0..).flat_map(move |n: u32| {
            let (changes, faults) = match at {
                At::Each => (n, deaths.to_vec()),
                At::Every(step) => (n * step, vec![deaths[n as usize % deaths.len()]]),
            };
            faults.into_iter().map(move |fault| Doom { changes, fault })
        })
    }
}

/// Requests of a client, the process that serves them dying somewhere.
async fn kill_requests(storage: &Storage, at: At, act: impl AsyncFn(&Client<'_>) -> Result<()>) {
    for (kills, doom) in storage.dooms(at).enumerate() {
        let mut world = storage.world().await;
        let told = Told::default();
        let mut has_met = true;
        if let Some((registry, fuse)) = world.doomed(doom).await {
            let registry = &registry;
            let outcome = act(&Client {
                registry,
                told: &told,
            })
            .await;
            registry.tasks.close();
            registry.tasks.wait().await;
            has_met = world.has_met(&fuse);
            assert!(has_met || outcome.is_ok(), "{doom:?}: {outcome:?}");
        }
        world.restart().await;
        told.assert_kept(&world.registry()).await;
        let is_collected = storage.is_collected(kills) || !has_met;
        assert_recovers(&world, &told, &act, is_collected, doom).await;
        if !has_met {
            assert!(kills > 3, "{kills} kills");
            return;
        }
    }
}

/// Garbage collection, dying somewhere, after a client's requests and enough time.
async fn kill_collection(storage: &Storage, at: At, act: impl AsyncFn(&Client<'_>) -> Result<()>) {
    for (kills, doom) in storage.dooms(at).enumerate() {
        let mut world = storage.world().await;
        let told = Told::default();
        {
            let registry = &world.registry();
            act(&Client {
                registry,
                told: &told,
            })
            .await
            .unwrap();
        }
        world.clock.advance(2 * GRACE_S + 1);
        let mut has_met = true;
        if let Some((registry, fuse)) = world.doomed(doom).await {
            let collector = world.collector(&registry);
            let outcome = collector.pass(&CancellationToken::new()).await;
            registry.tasks.close();
            registry.tasks.wait().await;
            has_met = world.has_met(&fuse);
            assert!(has_met || outcome.is_ok(), "{doom:?}: {outcome:?}");
        }
        world.restart().await;
        let is_collected = storage.is_collected(kills) || !has_met;
        assert_recovers(&world, &told, &act, is_collected, doom).await;
        if !has_met {
            assert!(kills > 3, "{kills} kills");
            return;
        }
    }
}

/// After a restart: all invariants hold, the same requests succeed, and what is left over is
/// collected.
async fn assert_recovers(
    world: &World,
    told: &Told,
    act: impl AsyncFn(&Client<'_>) -> Result<()>,
    is_collected: bool,
    doom: Doom,
) {
    world.assert_safe().await;
    world.assert_sound().await;
    let registry = &world.registry();
    let again = act(&Client { registry, told }).await;
    assert!(again.is_ok(), "{doom:?}: {again:?}");
    told.assert_kept(registry).await;
    world.assert_sound().await;
    if is_collected {
        world.collect_all().await;
        world.assert_clean().await;
    }
}

fn pieces(content: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
    let mut rest = content.clone();
    let mut pieces: Vec<Bytes> = cuts.iter().map(|cut| rest.split_to(*cut)).collect();
    pieces.push(rest);
    pieces
}

/// Blobs in one request, in several, with a pause, inside of records and in payloads; cancelled
/// and mounted.
pub(super) async fn uploads(client: &Client<'_>) -> Result<()> {
    let whole = client.push_blob("a", &content("whole")).await?;
    client.push_blob("a", &"tiny".into()).await?;
    client.push_blob("a", &content("whole")).await?;
    client
        .push_pieces("a", &pieces(&content("pieces"), &[20, 13]))
        .await?;
    // From the record to a payload.
    client
        .push_pieces("a", &pieces(&content("grows"), &[3]))
        .await?;
    client.cancel("a", &content("cancelled")).await?;
    client.mount("a", "b", &whole).await
}

/// Manifests with subjects, under tags that move and go.
pub(super) async fn manifests(client: &Client<'_>) -> Result<()> {
    let layer = content("layer");
    client.push_blob("a", &layer).await?;
    let (first, second) = (image(&layer, "1", None), image(&layer, "2", None));
    let subject = client.push("a", &first, Some("v1"), None).await?;
    let signature = image(&layer, "signature", Some(&subject));
    client.push("a", &signature, None, Some(&subject)).await?;
    client
        .push("a", &index(&[&first]), Some("all"), None)
        .await?;
    let moved = client.push("a", &second, Some("v1"), None).await?;
    client.push("a", &second, Some("v2"), None).await?;
    client.delete_tag("a", "v2", &moved).await
}

/// Everything that can be deleted is.
pub(super) async fn deletions(client: &Client<'_>) -> Result<()> {
    let layer = content("layer");
    let blob = client.push_blob("d", &layer).await?;
    let subject = client
        .push("d", &image(&layer, "1", None), Some("v1"), None)
        .await?;
    let referrer = image(&layer, "2", Some(&subject));
    let referrer = client
        .push("d", &referrer, Some("v2"), Some(&subject))
        .await?;
    client.delete_manifest("d", &subject, None).await?;
    client
        .delete_manifest("d", &referrer, Some(&subject))
        .await?;
    client.delete_blob("d", &blob).await
}

/// What becomes garbage of all kinds: orphans, mounts, uploads, untagged manifests.
async fn garbage(client: &Client<'_>) -> Result<()> {
    let orphan = client.push_blob("a", &content("orphan")).await?;
    client.push_blob("a", &"tiny".into()).await?;
    client.mount("a", "b", &orphan).await?;
    client.leave("a", &content("left")).await?;
    manifests(client).await
}

macro_rules! kills {
    ($($name:ident: $kill:ident($act:ident), $files:literal, $requests:literal;)*) => {
        mod directory {
            use super::{At, Storage};
            $(#[tokio::test]
            async fn $name() {
                super::$kill(&Storage::Directory, At::Every($files), super::$act).await;
            })*
        }

        mod bucket {
            use super::{At, Storage};
            $(#[tokio::test]
            async fn $name() {
                super::$kill(&Storage::bucket().await, At::Every($requests), super::$act).await;
            })*
        }

        mod everywhere {
            use super::{At, Storage};
            $(#[tokio::test]
            #[ignore = "takes minutes"]
            async fn $name() {
                super::$kill(&Storage::Directory, At::Each, super::$act).await;
                // Dying after one request is dying before the next: either way is as good.
                super::$kill(&Storage::bucket().await, At::Every(1), super::$act).await;
            })*
        }
    };
}

// A prime step, so that over the deaths every kind of call is met.
kills! {
    uploads_survive_kills: kill_requests(uploads), 13, 11;
    manifests_survive_kills: kill_requests(manifests), 13, 11;
    deletions_survive_kills: kill_requests(deletions), 13, 11;
    collection_survives_kills: kill_collection(garbage), 17, 13;
}
