//! Two registry processes over one bucket: clients alternate between them request by request,
//! one of them is killed (SIGKILL) at random and started again, and requests to the store fail.
//!
//! Whatever a client retries must succeed in the end; nothing acknowledged may be missing, and
//! nothing be there twice. The choices of a run follow from a seed, which is printed;
//! `CAIRN_REPLICAS_SEED` repeats them, but not when exactly a process dies.

#![expect(
    clippy::print_stdout,
    reason = "a failing run is repeated from the seed that it printed"
)]

mod client;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_test_s3::{ACCESS_KEY_ID, BUCKET, Fault, S3Server, SECRET_ACCESS_KEY};
use cairn_tests::{RegistryProcess, Sandbox};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::client::{Addresses, Client, Pushed};

/// How many push at the same time.
const WRITERS: u64 = 4;
/// Pushes between two kills, at most.
const MAX_PUSHES: u32 = 6;
/// The share of the requests to the store that fail.
const FAILING: f64 = 0.05;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_outlive_each_other_in_four_kills() -> Result<()> {
    kill_one_after_another(4).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn replicas_outlive_each_other_in_a_hundred_kills() -> Result<()> {
    kill_one_after_another(100).await
}

async fn kill_one_after_another(kills: u32) -> Result<()> {
    let seed = match std::env::var_os("CAIRN_REPLICAS_SEED") {
        Some(text) => text.to_string_lossy().parse()?,
        None => rand::random(),
    };
    println!("CAIRN_REPLICAS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let store = S3Server::start().await;
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.write("registry.yaml", configuration(&store))?;
    let mut replicas = [start(&sandbox)?, start(&sandbox)?];
    let addresses = Addresses::new(replicas.each_ref().map(|one| one.address.clone()));
    let faults: Vec<Fault> = Fault::ALL
        .iter()
        .copied()
        // Silence costs a timeout each time.
        .filter(|fault| *fault != Fault::Silence)
        .collect();
    store.fail(seed, FAILING, &faults);

    let (enough, pushes) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Semaphore::new(0)),
    );
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let client = Client::new(Arc::clone(&addresses))?;
        let random = StdRng::seed_from_u64(random.random());
        let (enough, pushes) = (Arc::clone(&enough), Arc::clone(&pushes));
        writers.spawn(write(client, number, random, enough, pushes));
    }
    for _ in 0..kills {
        let count = random.random_range(1..=MAX_PUSHES);
        tokio::select! {
            enough = pushes.acquire_many(count) => enough?.forget(),
            // One that ends before it was told to has failed.
            Some(failed) = writers.join_next() => bail!("a writer gave up: {:?}", failed?.err()),
        }
        let victim = random.random_range(0..replicas.len());
        replicas[victim].kill()?;
        replicas[victim] = start(&sandbox)?;
        addresses.set(victim, replicas[victim].address.clone());
    }
    enough.store(true, Ordering::SeqCst);
    let mut acknowledged = Vec::new();
    while let Some(done) = writers.join_next().await {
        acknowledged.extend(done??);
    }
    store.fail(seed, 0.0, &[]);
    ensure!(acknowledged.len() as u64 > WRITERS, "there was no load");
    check(Client::new(addresses)?, &acknowledged).await?;
    println!("{kills} kills among {} pushes", acknowledged.len());
    Ok(())
}

fn configuration(store: &S3Server) -> String {
    format!(
        "storage:\n  s3:\n    bucket: {BUCKET}\n    endpoint: {}\n    pathStyle: true\n    partBytes: 65536\n    requestTimeoutS: 5\n    \
         credentials: {{accessKeyId: {ACCESS_KEY_ID}, secretAccessKey: {SECRET_ACCESS_KEY}}}\n",
        store.endpoint()
    )
}

/// The store's server runs on the same threads, and the process waits for its answers.
fn start(sandbox: &Sandbox) -> Result<RegistryProcess> {
    tokio::task::block_in_place(|| RegistryProcess::start_configured(sandbox, "registry.yaml"))
}

/// Pushes until it is enough; what was acknowledged.
async fn write(
    mut client: Client,
    number: u64,
    mut random: StdRng,
    enough: Arc<AtomicBool>,
    pushes: Arc<Semaphore>,
) -> Result<Vec<Pushed>> {
    let repository = format!("writer/{number}");
    let mut acknowledged = Vec::new();
    while !enough.load(Ordering::SeqCst) {
        let size = match random.random_range(0..4) {
            0 => random.random_range(0..4000),
            1 | 2 => random.random_range(4000..60_000),
            _ => random.random_range(60_000..400_000),
        };
        let mut layer = vec![0; size];
        random.fill(&mut layer[..]);
        let chunk = random.random_range(20_000..200_000);
        let tag = format!("v{}", acknowledged.len());
        let done = client.push(&repository, &tag, layer, chunk).await;
        acknowledged.push(done.with_context(|| format!("{repository}:{tag}"))?);
        pushes.add_permits(1);
    }
    Ok(acknowledged)
}

async fn check(mut client: Client, acknowledged: &[Pushed]) -> Result<()> {
    for one in acknowledged {
        client.check(one).await?;
    }
    for number in 0..WRITERS {
        let repository = format!("writer/{number}");
        let expected = acknowledged
            .iter()
            .filter(|one| one.repository == repository);
        let tags = client.tags(&repository).await?;
        ensure!(
            tags.len() == expected.count(),
            "{repository} has other tags than those acknowledged: {tags:?}"
        );
    }
    Ok(())
}
