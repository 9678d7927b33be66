//! What the registry has acknowledged outlives its sudden death, and what it serves is whole.
//!
//! Writers push, move tags and delete while the process is killed (SIGKILL) at random moments.
//! After each restart nothing acknowledged may be missing, whatever was under way may be there
//! whole or not at all, and the same push again must succeed. Content is checked by digest.
//!
//! The choices of a run follow from a seed, which is printed; `CAIRN_CRASH_SEED` repeats them. When
//! exactly a process dies is never repeatable. The loss of power is not simulated: what a killed
//! process wrote, the operating system still has.

mod ledger;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cairn_oci::{Client, Options, Upload};
use cairn_tests::{RegistryProcess, Sandbox};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    ledger::{Expected, Ledger},
    writer::Writer,
};

/// How many push at the same time.
const WRITERS: u32 = 6;
/// How many earlier pushes are checked after each restart, beside those of the last round.
const SAMPLE: usize = 12;
/// The most pushes that a process lives to acknowledge, but for those of the last moment.
const MAX_PUSHES: u32 = 40;
/// The last moment, so that processes die at any point of a push.
const LAST_MOMENT_US: u64 = 30_000;
/// How long those pushes may take, when the machine is busy.
const MAX_LIFE: Duration = Duration::from_secs(5);
/// How much of a blob may be sent at a time by those who do not send it at once.
const CHUNK_BYTES: usize = 300_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_ten_kills() -> Result<()> {
    let seed = seed()?;
    println!("CAIRN_CRASH_SEED={seed}");
    println!("{}", Box::pin(kill_repeatedly(10, seed)).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn nothing_acknowledged_is_lost_in_two_hundred_kills() -> Result<()> {
    let seed = seed()?;
    println!("CAIRN_CRASH_SEED={seed}");
    println!("{}", Box::pin(kill_repeatedly(200, seed)).await?);
    Ok(())
}

fn seed() -> Result<u64> {
    Ok(match std::env::var_os("CAIRN_CRASH_SEED") {
        Some(text) => text.to_string_lossy().parse()?,
        None => rand::random(),
    })
}

/// Kills a registry under load again and again; says how much was done.
async fn kill_repeatedly(kills: u32, seed: u64) -> Result<String> {
    let started = Instant::now();
    let mut random = StdRng::seed_from_u64(seed);
    let clients = [
        client(Upload::Monolithic)?,
        client(Upload::Chunked {
            chunk_bytes: CHUNK_BYTES,
        })?,
    ];
    let noise: Vec<u8> = (0..5 << 20).map(|_| random.random()).collect();
    let noise = Arc::new(noise);
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let mut ledger = Ledger {
        client: clients[0].clone(),
        expected: Expected::new(),
        pending: Vec::new(),
        finished: 0,
    };
    let (mut acknowledged, mut unanswered) = (0, 0);
    for round in 0..kills {
        let registry = RegistryProcess::start(&sandbox, "data")?;
        let address = registry.address.clone();
        ledger
            .settle_all(&address)
            .await
            .with_context(|| format!("after kill {round}"))?;
        ledger
            .check_sample(&address, SAMPLE, &mut random)
            .await
            .with_context(|| format!("after kill {round}"))?;

        let dead = Arc::new(AtomicBool::new(false));
        let pushes = Arc::new(Semaphore::new(0));
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let writer = Writer {
                client: clients[(number / 2 % 2) as usize].clone(),
                address: address.clone(),
                number,
                round,
                random: StdRng::seed_from_u64(random.random()),
                noise: Arc::clone(&noise),
                dead: Arc::clone(&dead),
                pushes: Arc::clone(&pushes),
                done: Expected::new(),
            };
            writers.spawn(writer.run());
        }
        kill_under_load(registry, &pushes, &dead, &mut random).await?;
        while let Some(ended) = writers.join_next().await {
            let (done, pending) = ended??;
            unanswered += pending.iter().len();
            ledger.expected.extend(done);
            ledger.pending.extend(pending);
        }
        acknowledged += pushes.available_permits();
    }
    let registry = RegistryProcess::start(&sandbox, "data")?;
    ledger.settle_all(&registry.address).await?;
    ledger.check_all(&registry.address).await?;
    ensure!(acknowledged > kills as usize, "there was no load");
    Ok(format!(
        "{kills} kills in {:.0?}: {acknowledged} pushes acknowledged, {unanswered} unanswered of which {} were done",
        started.elapsed(),
        ledger.finished
    ))
}

/// Waits for a random number of pushes, then a moment, then kills.
async fn kill_under_load(
    mut registry: RegistryProcess,
    pushes: &Semaphore,
    dead: &AtomicBool,
    random: &mut StdRng,
) -> Result<()> {
    let enough = pushes.acquire_many(random.random_range(0..MAX_PUSHES));
    let _ = tokio::time::timeout(MAX_LIFE, enough).await;
    let last_moment = Duration::from_micros(random.random_range(0..LAST_MOMENT_US));
    tokio::time::sleep(last_moment).await;
    dead.store(true, Ordering::SeqCst);
    registry.kill()
}

/// A client that tries once.
fn client(upload: Upload) -> Result<Client> {
    Ok(Client::new(Options {
        upload,
        max_attempts: 1,
        ..Options::default()
    })?)
}
