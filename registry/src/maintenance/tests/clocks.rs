//! Wall clocks that jump, by minutes and by years, forwards and backwards, between any two things
//! that clients and garbage collection do.

use tokio_util::sync::CancellationToken;

use super::{
    kills::{deletions, manifests, uploads},
    told::{Client, Told},
    world::{GRACE_S, World},
};
use crate::{Error, Result};

/// The time that tests begin at.
const START_UNIX_S: u64 = 1_700_000_000;
const YEAR_S: u64 = 365 * 24 * 60 * 60;
/// What is done; the clock jumps before one of them.
const STEPS: usize = 7;

/// What a client heals by trying again: its upload is from another time.
fn is_retried(error: &Error) -> bool {
    matches!(
        error,
        Error::UploadUnknown(_) | Error::Contended { .. } | Error::ManifestBlobUnknown(_)
    )
}

async fn step(client: &Client<'_>, number: usize) -> Result<()> {
    match number {
        0 => uploads(client).await,
        2 | 6 => manifests(client).await,
        4 => deletions(client).await,
        _ => Ok(()),
    }
}

#[tokio::test]
async fn clocks_may_jump_between_any_two_steps() {
    for to_unix_s in [
        START_UNIX_S + 70,
        START_UNIX_S + GRACE_S / 2 + 1,
        START_UNIX_S + GRACE_S + 1,
        START_UNIX_S + 2 * GRACE_S + 1,
        START_UNIX_S + YEAR_S,
        START_UNIX_S - 70,
        START_UNIX_S - GRACE_S - 1,
        START_UNIX_S - YEAR_S,
        0,
    ] {
        for at in 0..STEPS {
            let world = World::new();
            let registry = &world.registry();
            let told = &Told::default();
            let collector = world.collector(registry);
            let client = Client { registry, told };
            for number in 0..STEPS {
                if number == at {
                    world.clock.set(to_unix_s);
                }
                world.clock.advance(1);
                let mut outcome = step(&client, number).await;
                if outcome.as_ref().is_err_and(is_retried) {
                    outcome = step(&client, number).await;
                }
                assert!(outcome.is_ok(), "{to_unix_s} {at} {number}: {outcome:?}");
                collector.pass(&CancellationToken::new()).await.unwrap();
                told.assert_kept(registry).await;
                world.assert_safe().await;
                world.assert_sound().await;
            }
            // When the time has come that any record speaks of, nothing is left over.
            world.clock.set(START_UNIX_S + 2 * YEAR_S);
            world.collect_all().await;
            world.assert_clean().await;
        }
    }
}

/// An upload is open while the clock jumps: it goes on, or the client is told to begin anew.
#[tokio::test]
async fn uploads_survive_clocks_that_jump_or_are_begun_anew() {
    use super::world::{body, content, name};
    use cairn_spec::{Digest, DigestAlgorithm};
    for to_unix_s in [
        START_UNIX_S + 3000,
        START_UNIX_S + YEAR_S,
        START_UNIX_S - YEAR_S,
        0,
    ] {
        for received in [false, true] {
            let world = World::new();
            let registry = world.registry();
            let collector = world.collector(&registry);
            let (a, layer) = (name("a"), content("layer"));
            let upload = registry.start_upload(&a, DigestAlgorithm::Sha256);
            let id = upload.await.unwrap().id;
            let mut rest = layer.clone();
            if received {
                let first = rest.split_to(20);
                let appended = registry.append(&a, &id, None, &mut body(&first)).await;
                assert_eq!(appended.unwrap().received_bytes, 20);
            }
            world.clock.set(to_unix_s);
            collector.pass(&CancellationToken::new()).await.unwrap();
            let digest = Digest::sha256(&layer);
            let finished = registry
                .finish(&a, &id, &digest, (None, &mut body(&rest)))
                .await;
            match finished {
                Ok(()) => drop(registry.blob(&a, &digest).await.unwrap()),
                // Only one that had received nothing may be forgotten.
                Err(error) => {
                    assert!(!received, "{error:?}");
                    assert!(matches!(error, Error::UploadUnknown(_)), "{error:?}");
                }
            }
            world.assert_sound().await;
        }
    }
}
