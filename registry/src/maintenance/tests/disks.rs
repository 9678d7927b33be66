//! Disks that are full, or fail once, at each call: requests say so, readers do not notice, and
//! when there is room again everything goes on in the same process.

use super::{
    kills::{deletions, manifests, uploads},
    told::{Client, Told},
    world::{Doom, World},
};
use crate::{Error, Result, storage::faults::Fault};

/// Meets a fault at each n-th call; `is_expected` says which answers are right.
async fn endure(
    (fault, step): (Fault, u32),
    act: impl AsyncFn(&Client<'_>) -> Result<()>,
    is_expected: impl Fn(&Error) -> bool,
) {
    for n in 0.. {
        let mut world = World::in_directory();
        let changes = n * step;
        let told = Told::default();
        let Some((registry, fuse)) = world.doomed(Doom { changes, fault }).await else {
            continue;
        };
        let has_met = {
            // Gone before the next process opens the files.
            let registry = registry;
            let client = Client {
                registry: &registry,
                told: &told,
            };
            let outcome = act(&client).await;
            if let Err(error) = &outcome {
                assert!(is_expected(error), "{changes}: {error:?}");
            }
            // While the disk is as it is.
            told.assert_kept(&registry).await;
            fuse.mend();
            let again = act(&client).await;
            assert!(again.is_ok(), "{changes}: {again:?}");
            told.assert_kept(&registry).await;
            registry.tasks.close();
            registry.tasks.wait().await;
            fuse.is_burnt()
        };
        world.restart().await;
        told.assert_kept(&world.registry()).await;
        world.assert_sound().await;
        world.collect_all().await;
        world.assert_clean().await;
        if !has_met {
            assert!(n > 3, "{n} faults");
            return;
        }
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error, Error::StorageFull { .. })
}

/// What failed may have failed for the one that came with it.
fn is_failure(error: &Error) -> bool {
    matches!(error, Error::Storage { .. } | Error::Unavailable { .. })
}

#[tokio::test]
async fn a_full_disk_refuses_what_needs_room_and_nothing_else() {
    endure((Fault::Full, 7), uploads, is_full).await;
    endure((Fault::Full, 7), manifests, is_full).await;
    endure((Fault::Full, 7), deletions, is_full).await;
}

#[tokio::test]
async fn a_disk_that_fails_once_needs_no_restart() {
    endure((Fault::Fails, 7), uploads, is_failure).await;
    endure((Fault::Fails, 7), manifests, is_failure).await;
    endure((Fault::Fails, 7), deletions, is_failure).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_disk_may_be_full_or_fail_at_every_call() {
    for fault in [Fault::Full, Fault::Fails] {
        let is_expected = |error: &Error| is_full(error) || is_failure(error);
        endure((fault, 1), uploads, is_expected).await;
        endure((fault, 1), manifests, is_expected).await;
        endure((fault, 1), deletions, is_expected).await;
    }
}
