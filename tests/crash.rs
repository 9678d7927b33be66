//! What the registry has acknowledged outlives its sudden death, and what it serves is whole.
//!
//! Writers push, move tags and delete while the process is killed (SIGKILL) at random moments.
//! After each restart nothing acknowledged may be missing, whatever was under way may be there
//! whole or not at all, and the same push again must succeed. Content is checked by digest.
//!
//! The choices of a run follow from a seed, which is printed; `CAIRN_CRASH_SEED` repeats them. When
//! exactly a process dies is never repeatable. The loss of power is not simulated: what a killed
//! process wrote, the operating system still has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_oci::{Client, Error, Options, PullLimits, Upload, store::Fetch as _};
use cairn_spec::{Artifact, Descriptor, Digest, Reference, Tag};
use cairn_tests::{RegistryProcess, Sandbox};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tokio::{sync::Semaphore, task::JoinSet};

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
const ARTIFACT_TYPE: &str = "application/vnd.example.load";

/// What writers did, by repository and tag: what must be found there.
type Expected = BTreeMap<(String, String), Acknowledged>;

#[derive(Clone)]
struct Acknowledged {
    digest: Digest,
    /// What it refers to, whose referrers must list it.
    subject: Option<Digest>,
    /// It was deleted, and that was acknowledged, too.
    deleted: bool,
}

/// What had no answer when the process died.
enum Pending {
    Push {
        repository: String,
        tag: String,
        artifact: Box<Artifact>,
    },
    Delete {
        repository: String,
        tag: String,
        digest: Digest,
    },
}

/// One writer in one life of the registry.
struct Writer {
    client: Client,
    address: String,
    number: u32,
    round: u32,
    random: StdRng,
    noise: Arc<Vec<u8>>,
    dead: Arc<AtomicBool>,
    /// One permit for every push that was acknowledged.
    pushes: Arc<Semaphore>,
    done: Expected,
}

impl Writer {
    /// Writes until the registry dies; what it acknowledged, and what it did not.
    async fn run(mut self) -> Result<(Expected, Option<Pending>)> {
        let mut last: Option<Descriptor> = None;
        for count in 0.. {
            let artifact = self.artifact(count, last.as_ref())?;
            let tag = format!("r{}-{count}", self.round);
            if let Some(pending) = self.push(&artifact, &tag).await? {
                return Ok((self.done, Some(pending)));
            }
            // Every other writer has a tag that moves; versions of packs do not.
            if self.number.is_multiple_of(2)
                && let Some(pending) = self.push(&artifact, "latest").await?
            {
                return Ok((self.done, Some(pending)));
            }
            if self.number.is_multiple_of(2)
                && count % 5 == 4
                && let Some(pending) = self
                    .delete(&format!("r{}-{}", self.round, count - 2))
                    .await?
            {
                return Ok((self.done, Some(pending)));
            }
            last = Some(artifact.manifest().descriptor());
        }
        unreachable!("the loop has no end")
    }

    fn repository(&self) -> String {
        repository(self.number)
    }

    /// A few KiB, sometimes MiB; some layers are shared, and some artifacts refer to the one before.
    fn artifact(&mut self, count: u32, last: Option<&Descriptor>) -> Result<Artifact> {
        let size = match self.random.random_range(0..12) {
            0 => self.random.random_range(1 << 20..5 << 20),
            1..4 => self.random.random_range(0..4096),
            _ => self.random.random_range(4096..200_000),
        };
        let mut layer = format!("{} {} {count}\n", self.round, self.number).into_bytes();
        layer.extend_from_slice(&self.noise[..size]);
        let shared = self.random.random_range(0..1 << 20);
        let mut builder = Artifact::builder(ARTIFACT_TYPE)
            .config(
                "application/json",
                format!("{{\"n\":{count}}}").into_bytes(),
            )
            .layer("application/octet-stream", layer)
            .layer(
                "application/octet-stream",
                format!("shared {} {}", self.round, shared % 8)
                    .into_bytes()
                    .repeat(20_000),
            );
        if let Some(last) = last.filter(|_| self.random.random_bool(0.3)) {
            builder = builder.subject(last);
        }
        Ok(builder.build()?)
    }

    async fn push(&mut self, artifact: &Artifact, tag: &str) -> Result<Option<Pending>> {
        let reference = reference(&self.address, &self.repository(), tag)?;
        match self.client.push_artifact(&reference, artifact).await {
            Ok(pushed) => {
                ensure!(pushed.digest == *artifact.digest(), "another digest");
                let known = acknowledged(artifact);
                self.done.insert((self.repository(), tag.to_owned()), known);
                self.pushes.add_permits(1);
                Ok(None)
            }
            Err(error) => {
                self.excuse(error)?;
                Ok(Some(Pending::Push {
                    repository: self.repository(),
                    tag: tag.to_owned(),
                    artifact: Box::new(artifact.clone()),
                }))
            }
        }
    }

    /// Deletes a manifest of this round, by digest, and with it its tag.
    async fn delete(&mut self, tag: &str) -> Result<Option<Pending>> {
        let key = (self.repository(), tag.to_owned());
        let mut known = self.done.remove(&key).context("it was never pushed")?;
        let by_tag = reference(&self.address, &key.0, tag)?;
        let by_digest = by_tag.with_digest(known.digest.clone());
        match self.client.delete(&by_digest).await {
            Ok(()) => {
                known.deleted = true;
                self.done.insert(key, known);
                Ok(None)
            }
            Err(error) => {
                self.excuse(error)?;
                Ok(Some(Pending::Delete {
                    repository: key.0,
                    tag: key.1,
                    digest: known.digest,
                }))
            }
        }
    }

    /// Only a dead registry may fail to answer.
    fn excuse(&self, error: Error) -> Result<()> {
        let died = self.dead.load(Ordering::SeqCst);
        match error {
            Error::Request { .. } | Error::Content { .. } if died => Ok(()),
            error => Err(error).with_context(|| format!("writer {}", self.number)),
        }
    }
}

fn repository(writer: u32) -> String {
    let prefix = if writer.is_multiple_of(2) {
        "apps"
    } else {
        "packs"
    };
    format!("{prefix}/writer-{writer}")
}

fn acknowledged(artifact: &Artifact) -> Acknowledged {
    let manifest = artifact.manifest();
    Acknowledged {
        digest: artifact.digest().clone(),
        subject: manifest.subject().map(|subject| subject.digest.clone()),
        deleted: false,
    }
}

fn reference(address: &str, repository: &str, tag: &str) -> Result<Reference> {
    Ok(format!("{address}/{repository}:{tag}").parse()?)
}

/// `None` when there is nothing.
fn found<T>(result: Result<T, Error>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What was acknowledged is there and whole, or deleted and gone.
async fn check(
    client: &Client,
    address: &str,
    (repository, tag): &(String, String),
    expected: &Acknowledged,
) -> Result<()> {
    let by_tag = reference(address, repository, tag)?;
    let by_digest = by_tag.with_digest(expected.digest.clone());
    if expected.deleted {
        for gone in [&by_tag, &by_digest] {
            let resolved = found(client.resolve(gone).await)?;
            ensure!(resolved.is_none(), "`{gone}` was deleted and is back");
        }
        return Ok(());
    }
    let pulled = client.pull_artifact(&by_tag, &PullLimits::default()).await;
    let pulled = pulled.with_context(|| format!("`{by_tag}` was acknowledged"))?;
    ensure!(
        *pulled.digest() == expected.digest,
        "`{by_tag}` is another manifest"
    );
    if let Some(subject) = &expected.subject {
        let listed = client
            .referrers(&by_tag.with_digest(subject.clone()), Some(ARTIFACT_TYPE))
            .await?;
        ensure!(
            listed
                .iter()
                .any(|referrer| referrer.digest == expected.digest),
            "`{by_tag}` is not listed as a referrer of {subject}"
        );
    }
    Ok(())
}

/// What had no answer is there whole or not at all; afterwards it is done again, with success.
async fn settle(
    client: &Client,
    address: &str,
    pending: Pending,
    expected: &mut Expected,
    counts: &mut Counts,
) -> Result<()> {
    match pending {
        Pending::Delete {
            repository,
            tag,
            digest,
        } => {
            let key = (repository, tag);
            let by_tag = reference(address, &key.0, &key.1)?;
            let by_digest = by_tag.with_digest(digest.clone());
            let tagged = found(client.resolve(&by_tag).await)?.is_some();
            let there = found(client.resolve(&by_digest).await)?.is_some();
            ensure!(tagged == there, "`{by_digest}` was deleted by half");
            if there {
                client
                    .pull_artifact(&by_digest, &PullLimits::default())
                    .await?;
                client.delete(&by_digest).await?;
            } else {
                counts.finished += 1;
            }
            let gone = Acknowledged {
                digest,
                subject: None,
                deleted: true,
            };
            check(client, address, &key, &gone).await?;
            expected.insert(key, gone);
        }
        Pending::Push {
            repository,
            tag,
            artifact,
        } => {
            let by_tag = reference(address, &repository, &tag)?;
            let store = client.repository_of(&by_tag);
            for blob in artifact.blobs() {
                let descriptor = blob.descriptor();
                if let Some(content) = found(store.fetch(descriptor).await)? {
                    let bytes = content.read_all(descriptor.size).await?;
                    ensure!(bytes == blob.bytes(), "a blob of `{by_tag}` is corrupt");
                }
            }
            let key = (repository, tag);
            match found(client.resolve(&by_tag).await)? {
                None => ensure!(!expected.contains_key(&key), "`{by_tag}` is lost"),
                Some(there) if there.digest == *artifact.digest() => {
                    counts.finished += 1;
                    check(client, address, &key, &acknowledged(&artifact)).await?;
                }
                // A tag that was to move and has not.
                Some(there) => ensure!(
                    expected
                        .get(&key)
                        .is_some_and(|known| known.digest == there.digest),
                    "`{by_tag}` names something nobody pushed"
                ),
            }
            client.push_artifact(&by_tag, &artifact).await?;
            let known = acknowledged(&artifact);
            check(client, address, &key, &known).await?;
            expected.insert(key, known);
        }
    }
    Ok(())
}

/// Each repository has the tags that it must have, and no others.
async fn check_tags(client: &Client, address: &str, expected: &Expected) -> Result<()> {
    for writer in 0..WRITERS {
        let name = repository(writer);
        let any = reference(address, &name, "any")?;
        let tags = found(client.tags(&any.registry, &any.repository).await)?.unwrap_or_default();
        let tags: BTreeSet<&str> = tags.iter().map(Tag::as_str).collect();
        let wanted: BTreeSet<&str> = expected
            .iter()
            .filter(|((repository, _), known)| *repository == name && !known.deleted)
            .map(|((_, tag), _)| tag.as_str())
            .collect();
        let odd: Vec<_> = tags.symmetric_difference(&wanted).collect();
        ensure!(
            odd.is_empty(),
            "tags of {name} that are too much or missing: {odd:?}"
        );
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Counts {
    acknowledged: usize,
    pending: usize,
    /// Of those pending, how many were there after all.
    finished: usize,
}

/// Kills a registry under load again and again.
#[expect(clippy::print_stdout, reason = "a failure is repeated with the seed")]
async fn kill_repeatedly(rounds: u32) -> Result<()> {
    let seed = match std::env::var_os("CAIRN_CRASH_SEED") {
        Some(text) => text.to_string_lossy().parse()?,
        None => rand::random(),
    };
    println!("CAIRN_CRASH_SEED={seed}");
    let started = Instant::now();
    let counts = kill(rounds, seed)
        .await
        .with_context(|| format!("CAIRN_CRASH_SEED={seed}"))?;
    println!("{rounds} kills in {:.0?}: {counts:?}", started.elapsed());
    ensure!(counts.acknowledged > rounds as usize, "there was no load");
    Ok(())
}

async fn kill(rounds: u32, seed: u64) -> Result<Counts> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let mut random = StdRng::seed_from_u64(seed);
    let noise: Vec<u8> = (0..5 << 20).map(|_| random.random()).collect();
    let noise = Arc::new(noise);
    let clients = [
        Upload::Monolithic,
        Upload::Chunked {
            chunk_bytes: 300_000,
        },
    ]
    .map(|upload| {
        Client::new(Options {
            upload,
            max_attempts: 1,
            ..Options::default()
        })
    });
    let [whole, chunked] = clients;
    let clients = [whole?, chunked?];
    let mut expected = Expected::new();
    let mut pending: Vec<Pending> = Vec::new();
    let mut counts = Counts::default();
    for round in 0..rounds {
        let mut registry = RegistryProcess::start(&sandbox, "data")?;
        let address = registry.address.clone();
        let checked = check_after_restart(
            &clients[0],
            &address,
            &mut random,
            &mut expected,
            &mut pending,
            &mut counts,
        );
        Box::pin(checked)
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
        let enough = pushes.acquire_many(random.random_range(0..MAX_PUSHES));
        let _ = tokio::time::timeout(MAX_LIFE, enough).await;
        let last_moment = Duration::from_micros(random.random_range(0..LAST_MOMENT_US));
        tokio::time::sleep(last_moment).await;
        dead.store(true, Ordering::SeqCst);
        registry.kill()?;
        while let Some(ended) = writers.join_next().await {
            let (done, open) = ended??;
            counts.acknowledged += done.len();
            expected.extend(done);
            pending.extend(open);
        }
    }
    let registry = RegistryProcess::start(&sandbox, "data")?;
    let address = &registry.address;
    for open in pending {
        settle(&clients[0], address, open, &mut expected, &mut counts).await?;
    }
    for (key, known) in &expected {
        check(&clients[0], address, key, known).await?;
    }
    check_tags(&clients[0], address, &expected).await?;
    Ok(counts)
}

/// Settles what was under way, and checks a sample of what was acknowledged before.
#[expect(clippy::too_many_arguments, reason = "what a round knows")]
async fn check_after_restart(
    client: &Client,
    address: &str,
    random: &mut StdRng,
    expected: &mut Expected,
    pending: &mut Vec<Pending>,
    counts: &mut Counts,
) -> Result<()> {
    for open in pending.drain(..) {
        counts.pending += 1;
        settle(client, address, open, expected, counts).await?;
    }
    let keys: Vec<_> = expected.keys().cloned().collect();
    let sample: Vec<_> = keys.sample(random, SAMPLE).cloned().collect();
    for key in sample {
        let Some(known) = expected.get(&key) else {
            bail!("the sample is of what is expected");
        };
        check(client, address, &key, known).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_ten_kills() -> Result<()> {
    Box::pin(kill_repeatedly(10)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn nothing_acknowledged_is_lost_in_two_hundred_kills() -> Result<()> {
    Box::pin(kill_repeatedly(200)).await
}
