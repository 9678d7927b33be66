//! Clients and garbage collectors of several replicas, step by step in random order.
//!
//! Every read and every write is a step, batches are applied write by write, and a seed decides who
//! makes the next one. After each step, what readers see is checked.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use cairn_spec::{Digest, Tag};
use tokio_util::sync::CancellationToken;

use super::world::{GRACE_S, World, content, holds, image, name, push, push_blob};
use crate::{
    Error, Result,
    service::{Reference, Registry},
};

/// Numbers that follow from a seed: splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Makes one step of a random task, and of whatever it spawned.
async fn step(tasks: &mut Vec<Task<'_>>, random: &mut Random) {
    let index = random.below(tasks.len());
    if futures_util::poll!(tasks[index].as_mut()).is_ready() {
        drop(tasks.swap_remove(index));
    }
    tokio::task::yield_now().await;
    // Tasks that back off after a lost race wait for this clock.
    tokio::time::advance(Duration::from_millis(1)).await;
}

/// What a retry heals: the client lost a race against garbage collection or another client.
fn is_retried(error: &Error) -> bool {
    matches!(
        error,
        Error::Contended { .. }
            | Error::BlobUnknown { .. }
            | Error::ManifestBlobUnknown(_)
            | Error::ManifestUnknown { .. }
            | Error::UploadUnknown(_)
    )
}

/// Content is found, or pushed, as clients do.
async fn bring(
    registry: &Registry,
    (client, layer): (usize, usize),
    random: &mut Random,
) -> Result<Digest> {
    let repository = name(["a", "b"][client % 2]);
    let layer = content(["one", "two", "three"][layer]);
    let digest = Digest::sha256(&layer);
    if random.one_in(2) && registry.blob(&repository, &digest).await.is_ok() {
        return Ok(digest);
    }
    if random.one_in(2)
        && registry
            .mount(
                &repository,
                &digest,
                None,
                &crate::auth::Readable::everything(),
            )
            .await?
    {
        return Ok(digest);
    }
    push_blob(registry, &repository, &layer).await
}

/// One client pushes, deletes and looks; it alone uses its tag and its manifests.
async fn client(registry: Arc<Registry>, number: usize, seed: u64) -> Option<Digest> {
    let mut random = Random(seed);
    let repository = name(["a", "b"][number % 2]);
    let tag: Tag = format!("client-{number}").parse().unwrap();
    let mut tagged = None;
    for round in 0..2 {
        let layer = random.below(3);
        loop {
            let pushed = async {
                bring(&registry, (number, layer), &mut random).await?;
                let bytes = content(["one", "two", "three"][layer]);
                let bytes = image(&bytes, &format!("{number}/{}", round % 2), None);
                push(&registry, &repository, &bytes, Some(tag.as_str())).await
            };
            match pushed.await {
                Ok(digest) => {
                    tagged = Some(digest);
                    break;
                }
                Err(error) => assert!(is_retried(&error), "{error}"),
            }
        }
        if random.one_in(3) {
            let digest = tagged.take().unwrap();
            if random.one_in(2) {
                registry.delete_tag(&repository, &tag).await.unwrap();
            } else {
                registry
                    .delete_manifest(&repository, &digest)
                    .await
                    .unwrap();
            }
        }
    }
    tagged
}

#[tokio::test(start_paused = true)]
async fn races_lose_nothing() {
    for seed in 0..6 {
        race(seed).await;
    }
}

async fn race(seed: u64) {
    let world = World::new();
    let mut random = Random(seed);
    let tagged = std::cell::RefCell::new(BTreeMap::new());
    // A collector may be asleep for longer than a grace period between any two of its steps.
    let replicas = [world.yielding(), world.yielding()];
    let collectors = replicas.each_ref().map(|replica| world.collector(replica));
    let stop = CancellationToken::new();
    let mut collecting: Vec<Task<'_>> = Vec::new();
    for _ in 0..4 {
        let mut clients: Vec<Task<'_>> = (0..3)
            .map(|number| -> Task<'_> {
                let (replica, seed) = (world.yielding(), random.next());
                let tagged = &tagged;
                Box::pin(async move {
                    let digest = client(replica, number, seed).await;
                    tagged.borrow_mut().insert(number, digest);
                })
            })
            .collect();
        let asleep = random.one_in(3);
        while !clients.is_empty() {
            if collecting.is_empty() {
                for collector in &collectors {
                    let stop = &stop;
                    collecting.push(Box::pin(async move {
                        let passed = collector.pass(stop).await;
                        assert!(matches!(passed, Ok(()) | Err(Error::Conflict { .. })));
                    }));
                }
            }
            if asleep || random.one_in(2) {
                step(&mut clients, &mut random).await;
            } else {
                step(&mut collecting, &mut random).await;
            }
            world.assert_safe().await;
        }
        let expected = tagged.borrow().clone();
        assert_tagged(&world, &expected).await;
        world.assert_sound().await;
        let passing = [GRACE_S / 3, GRACE_S + 1, 3 * GRACE_S][random.below(3)];
        world.clock.advance(passing);
    }
    while !collecting.is_empty() {
        step(&mut collecting, &mut random).await;
        world.assert_safe().await;
    }
    world.collect_all().await;
    let expected = tagged.borrow().clone();
    assert_tagged(&world, &expected).await;
    world.assert_clean().await;
}

/// What a client was told is there, is.
async fn assert_tagged(world: &World, tagged: &BTreeMap<usize, Option<Digest>>) {
    let registry = world.registry();
    for (number, expected) in tagged {
        let repository = name(["a", "b"][number % 2]);
        let tag: Tag = format!("client-{number}").parse().unwrap();
        let stored = registry.read_tag(&repository, &tag).await.unwrap();
        let digest = stored.map(|(_, record)| record.digest);
        assert_eq!(digest.as_ref(), expected.as_ref());
        if let Some(digest) = digest {
            assert!(holds(&registry, &repository, &digest).await);
        }
    }
}

/// A mount or a second upload of a blob, against the deletion of its last membership: at every
/// point where the one may be overtaken by the other.
#[tokio::test(start_paused = true)]
async fn joining_a_blob_and_deleting_it_exclude_each_other() {
    for mounts in [true, false] {
        for head_start in 0..40 {
            let world = World::new();
            let (a, b, layer) = (name("a"), name("b"), content("layer"));
            let digest = push_blob(&world.registry(), &a, &layer).await.unwrap();
            world.clock.advance(GRACE_S + 1);
            let (first, second) = (world.yielding(), world.yielding());
            let collector = world.collector(&second);
            let stop = CancellationToken::new();
            let joined = std::cell::Cell::new(None);
            let mut join: Vec<Task<'_>> = vec![Box::pin(async {
                joined.set(Some(if mounts {
                    first
                        .mount(&b, &digest, Some(&a), &crate::auth::Readable::everything())
                        .await
                } else {
                    push_blob(&first, &b, &layer).await.map(|_| true)
                }));
            })];
            let mut collect: Vec<Task<'_>> = vec![Box::pin(async {
                collector.pass(&stop).await.unwrap();
            })];
            let mut random = Random(head_start);
            for _ in 0..head_start {
                let ahead = if head_start % 2 == 0 {
                    &mut join
                } else {
                    &mut collect
                };
                if !ahead.is_empty() {
                    step(ahead, &mut random).await;
                    world.assert_safe().await;
                }
            }
            for task in [&mut collect, &mut join] {
                while !task.is_empty() {
                    step(task, &mut random).await;
                    world.assert_safe().await;
                }
            }
            match joined.take().unwrap() {
                Ok(true) => {
                    let reference = first.blob(&b, &digest).await;
                    reference.unwrap();
                }
                Ok(false) => assert!(first.blob(&b, &digest).await.is_err()),
                Err(error) => assert!(is_retried(&error), "{error}"),
            }
            world.assert_sound().await;
        }
    }
}

/// A push that goes to sleep after it has looked for its blobs: whatever was collected meanwhile,
/// it does not claim to be complete.
#[tokio::test(start_paused = true)]
async fn a_push_that_slept_looks_again() {
    let mut outcomes = [0, 0];
    for steps in 0..40 {
        let world = World::new();
        let (a, layer) = (name("a"), content("layer"));
        push_blob(&world.registry(), &a, &layer).await.unwrap();
        let registry = world.yielding();
        let bytes = image(&layer, "1", None);
        let pushed = std::cell::RefCell::new(None);
        let mut pushing: Vec<Task<'_>> = vec![Box::pin(async {
            *pushed.borrow_mut() = Some(push(&registry, &a, &bytes, Some("v1")).await);
        })];
        let mut random = Random(steps);
        for _ in 0..steps {
            if !pushing.is_empty() {
                step(&mut pushing, &mut random).await;
            }
        }
        for _ in 0..3 {
            world.clock.advance(GRACE_S + 1);
            world.collect().await.unwrap();
        }
        while !pushing.is_empty() {
            step(&mut pushing, &mut random).await;
        }
        let reference = Reference::Tag("v1".parse().unwrap());
        let outcome = pushed.borrow_mut().take().unwrap();
        match outcome {
            Ok(_) => {
                outcomes[0] += 1;
                world.registry().manifest(&a, &reference).await.unwrap();
            }
            Err(error) => {
                outcomes[1] += 1;
                assert!(is_retried(&error), "{error}");
                assert!(world.registry().manifest(&a, &reference).await.is_err());
            }
        }
        world.assert_safe().await;
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}
