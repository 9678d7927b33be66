//! Passes over the queue of candidates: what is due is examined, and collected if nobody needs it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use cairn_spec::{Digest, RepositoryName};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::{
    blobs::Condemned,
    lease::{Lease, SHARDS},
    prudence::PrudentClock,
    references::{Fingerprint, References, fingerprint},
};
use crate::{
    Error, GcConfig, Result,
    service::Registry,
    storage::{Batch, Candidate, Key, Prefix, Task, Write},
};

/// Candidates read from the queue at a time. The manifests of a repository are gone through once
/// for all of its candidates among them.
const QUEUE_PAGE: usize = 4096;
/// Candidates worked on before a rest, whose changes share one durable write: few, so that no
/// client waits long behind them.
pub(super) const CHUNK: usize = 32;
/// Candidates worked on side by side: what a bucket answers slowly, it answers at once.
const CONCURRENT: usize = 16;
/// Candidates that are counted after a pass, at most: of a bucket that takes ten requests.
const COUNTED: usize = 10_000;
/// How many times as long as it worked a considerate pass rests.
const REST: u32 = 4;
/// The longest rest between two chunks: a bucket that answers slowly is not what clients wait for.
const LONGEST_REST: Duration = Duration::from_millis(200);

/// How much of the storage's time a pass may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// A fifth of it: clients wait for the same storage.
    Considerate,
    /// All of it.
    Full,
}

/// Something that a pass would remove, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Found {
    /// `blob`, `manifest`, `upload` or `payload`.
    pub kind: &'static str,
    /// The repository it is in, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryName>,
    /// Its digest; the identifier of an upload or a payload.
    pub name: String,
    /// How large it is, as far as that is known.
    pub size_bytes: u64,
    /// When somebody last relied on it, in seconds since 1970.
    pub since_unix_s: u64,
    /// Why it is garbage.
    pub reason: &'static str,
}

/// What a pass works with.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) registry: Arc<Registry>,
    pub(super) config: GcConfig,
    pub(super) clock: PrudentClock,
    /// How long nobody may have relied on what is collected.
    pub(super) grace_s: u64,
    /// Candidates are looked at before they are due.
    ahead: bool,
    owner: Ulid,
    pace: Pace,
    references: References,
}

/// A candidate in the queue.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) key: Key,
    pub(super) candidate: Candidate,
}

/// What is left to do about a candidate.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing.
    Settled,
    /// To look again, when its grace period is over.
    Later { due_unix_s: u64 },
    /// To delete the content of a blob.
    Delete(Condemned),
    /// To try again in the next pass, because somebody else was faster or something failed.
    Leave,
}

impl Collector {
    pub(super) fn new(registry: Arc<Registry>, config: GcConfig, pace: Pace) -> Self {
        let grace_s = registry.limits.grace_s;
        Self {
            clock: PrudentClock::new(Arc::clone(&registry.clock), grace_s),
            owner: registry.new_id(),
            registry,
            config,
            grace_s,
            ahead: false,
            pace,
            references: References::default(),
        }
    }

    /// Goes by another grace period than the one that candidates were queued with.
    pub(super) fn with_grace(mut self, grace_s: u64) -> Self {
        self.grace_s = grace_s;
        self.config.upload_ttl_s = grace_s;
        self.ahead = true;
        self
    }

    /// Looks at everything that is due and that no other replica is working on.
    pub(super) async fn pass(&self, stop: &CancellationToken) -> Result<()> {
        let began = Instant::now();
        let mut leases = Vec::new();
        for shard in 0..SHARDS {
            leases.extend(Lease::acquire(&self.registry, self.owner, Task::Garbage(shard)).await?);
        }
        let worked = self.work(&mut leases, stop).await;
        for lease in leases {
            lease.release(&self.registry).await?;
        }
        worked?;
        let (waiting, backlog_age_s) = self.backlog().await?;
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last_run_unix_s = self.registry.now_unix_s();
        self.registry.tally.add(|progress| {
            progress.passes += 1;
            progress.duration_ms += duration_ms;
            progress.waiting = waiting;
            progress.last_run_unix_s = last_run_unix_s;
            progress.backlog_age_s = backlog_age_s;
        });
        Ok(())
    }

    async fn work(&self, leases: &mut [Lease], stop: &CancellationToken) -> Result<()> {
        if leases.iter().any(|lease| lease.task == Task::Garbage(0)) {
            if !self.end_abandoned_uploads(stop).await? {
                return Ok(());
            }
            self.discard_lost_payloads().await?;
        }
        let mut last = None;
        while let Some((name, due)) = self.due(last.as_deref()).await? {
            for (repository, due) in by_repository(due) {
                let shard = shard_of(&repository);
                let Some(lease) = leases
                    .iter_mut()
                    .find(|lease| lease.task == Task::Garbage(shard))
                else {
                    continue;
                };
                if !self.work_on(&repository, due, lease, stop).await? {
                    return Ok(());
                }
            }
            last = Some(name);
        }
        Ok(())
    }

    /// Works on candidates of one repository; false when it was told to stop.
    async fn work_on(
        &self,
        repository: &RepositoryName,
        due: Vec<Due>,
        lease: &mut Lease,
        stop: &CancellationToken,
    ) -> Result<bool> {
        let mut looked_s = self.registry.clock.steady_s();
        let mut referenced = self.referenced(repository, &due).await?;
        for chunk in due.chunks(CHUNK) {
            if stop.is_cancelled() {
                return Ok(false);
            }
            // Later manifests have touched what they refer to, but that counts for a while only.
            if self.registry.is_late(looked_s) {
                looked_s = self.registry.clock.steady_s();
                referenced = self.referenced(repository, &due).await?;
            }
            let began = Instant::now();
            if !self.collect(chunk, &referenced, lease).await? {
                // Another replica took over.
                return Ok(true);
            }
            if !self.rest(began, stop).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Leaves the storage to clients for a while; false when told to stop.
    pub(super) async fn rest(&self, began: Instant, stop: &CancellationToken) -> bool {
        if self.pace == Pace::Considerate {
            let rest = (began.elapsed() * REST).min(LONGEST_REST);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        !stop.is_cancelled()
    }

    /// Examines candidates side by side, deletes what that condemned and takes from the queue what
    /// is settled; false when the lease was lost.
    async fn collect(
        &self,
        chunk: &[Due],
        referenced: &HashSet<Fingerprint>,
        lease: &mut Lease,
    ) -> Result<bool> {
        let examined: Vec<(Due, Next)> = stream::iter(chunk.to_vec())
            .map(|due| async move {
                let next = self.examine(&due, referenced).await;
                (due, next)
            })
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        self.registry
            .tally
            .add(|progress| progress.examined += chunk.len() as u64);
        // That a blob is being deleted must be durable before its payload is.
        if !lease.renew(&self.registry).await? {
            self.registry
                .tally
                .add(|progress| progress.leases_lost += 1);
            return Ok(false);
        }
        stream::iter(examined)
            .for_each_concurrent(CONCURRENT, |(due, next)| async move {
                let concluded = self.conclude(&due, next).await;
                self.count_failure(&due.candidate, concluded);
            })
            .await;
        Ok(true)
    }

    async fn examine(&self, due: &Due, referenced: &HashSet<Fingerprint>) -> Next {
        let is_referenced = referenced.contains(&fingerprint(due.candidate.digest()));
        let next = match &due.candidate {
            Candidate::Blob(repository, digest) => {
                self.review_blob(repository, digest, is_referenced).await
            }
            Candidate::Manifest(repository, digest) => {
                self.review_manifest(repository, digest, is_referenced)
                    .await
            }
            Candidate::Referrer(repository, digest) => {
                self.review_referrer(repository, digest, &due.key).await
            }
        };
        self.count_failure(&due.candidate, next)
            .unwrap_or(Next::Leave)
    }

    async fn conclude(&self, due: &Due, next: Next) -> Result<()> {
        let mut writes = Vec::new();
        match next {
            Next::Leave => return Ok(()),
            Next::Settled => {}
            Next::Delete(condemned) => self.delete_content(condemned).await?,
            Next::Later { due_unix_s } => {
                let candidate = due.candidate.clone();
                let later = Key::Candidate {
                    due_unix_s,
                    candidate,
                };
                if later == due.key {
                    return Ok(());
                }
                let value = self.registry.metadata.get(&due.key).await?;
                let value = value.map(|entry| entry.value).unwrap_or_default();
                writes.push(Write::put(later, value));
            }
        }
        if let Some(entry) = self.registry.metadata.get(&due.key).await? {
            writes.push(Write::delete_if(due.key.clone(), entry.version));
        }
        // Coming back after a crash does no harm: it is looked at again.
        self.registry
            .metadata
            .write(Batch::eventual(writes))
            .await
            .map(drop)
    }

    /// Logs a failure. That somebody else was faster is none.
    fn count_failure<T>(&self, candidate: &Candidate, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(Error::Conflict { .. }) => None,
            Err(error) => {
                self.registry.tally.add(|progress| progress.failures += 1);
                tracing::warn!(
                    gc.candidate = %candidate,
                    error = &error as &dyn std::error::Error,
                    "failed to examine garbage; the next pass tries again"
                );
                None
            }
        }
    }

    /// Which candidates the manifests of their repository refer to.
    pub(super) async fn referenced(
        &self,
        repository: &RepositoryName,
        due: &[Due],
    ) -> Result<HashSet<Fingerprint>> {
        let digests = due.iter().map(|due| due.candidate.digest());
        let wanted = digests.map(fingerprint).collect();
        let references = &self.references;
        references.among(&self.registry, repository, &wanted).await
    }

    /// The next candidates that are due, with the name of the last one; `None` at the end.
    pub(super) async fn due(&self, last: Option<&str>) -> Result<Option<(String, Vec<Due>)>> {
        let queue = &Prefix::Candidates;
        let names = self.registry.metadata.list(queue, last, QUEUE_PAGE).await?;
        let now_unix_s = self.clock.unix_now_s();
        let mut due = Vec::new();
        let Some(last) = names.last().cloned() else {
            return Ok(None);
        };
        for name in names {
            match format!("{queue}{name}").parse() {
                Ok(Key::Candidate { due_unix_s, .. }) if !self.ahead && due_unix_s > now_unix_s => {
                    break;
                }
                Ok(Key::Candidate {
                    due_unix_s,
                    candidate,
                }) => due.push(Due {
                    key: Key::Candidate {
                        due_unix_s,
                        candidate: candidate.clone(),
                    },
                    candidate,
                }),
                _ => tracing::warn!(gc.candidate = name, "a candidate's key is malformed"),
            }
        }
        Ok((!due.is_empty()).then_some((last, due)))
    }

    /// How many candidates wait, and for how long the oldest has been due.
    async fn backlog(&self) -> Result<(u64, u64)> {
        let queue = &Prefix::Candidates;
        let names = self.registry.metadata.list(queue, None, COUNTED).await?;
        let due = names.first().and_then(|name| name.split_once('/'));
        let due_unix_s = due.and_then(|(due, _)| due.parse::<u64>().ok());
        let now_unix_s = self.clock.unix_now_s();
        let age_s = due_unix_s.map_or(0, |due_unix_s| now_unix_s.saturating_sub(due_unix_s));
        Ok((names.len() as u64, age_s))
    }

    /// Says what a pass would remove.
    pub(super) async fn explain(&self, found: &mut (dyn FnMut(Found) + Send)) -> Result<()> {
        let mut last = None;
        let mut seen = HashSet::new();
        let mut of_uploads = Some(self.explain_uploads(found).await?);
        loop {
            let (name, due) = match of_uploads.take() {
                Some(due) => (None, due),
                None => match self.due(last.as_deref()).await? {
                    Some((name, due)) => (Some(name), due),
                    None => return Ok(()),
                },
            };
            for (repository, due) in by_repository(due) {
                let referenced = self.referenced(&repository, &due).await?;
                for due in due {
                    let digest = due.candidate.digest();
                    let is_referenced = referenced.contains(&fingerprint(digest));
                    let garbage = self.explain_one(&due.candidate, is_referenced).await?;
                    // Several events may have queued the same thing.
                    for garbage in garbage {
                        if seen.insert((garbage.kind, repository.clone(), garbage.name.clone())) {
                            found(garbage);
                        }
                    }
                }
            }
            last = name;
        }
    }

    async fn explain_one(&self, candidate: &Candidate, is_referenced: bool) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let (repository, digest) = (candidate.repository(), candidate.digest());
        if let Candidate::Blob(..) = candidate {
            found.extend(self.explain_blob(repository, digest, is_referenced).await?);
        }
        if let Candidate::Blob(..) | Candidate::Manifest(..) = candidate {
            let manifest = self.explain_manifest(repository, digest, is_referenced);
            found.extend(manifest.await?);
        }
        Ok(found)
    }

    /// When something touched at that time may be collected; `None` if it may be now.
    pub(super) fn due_later(&self, touched_unix_s: u64) -> Option<u64> {
        let now_unix_s = self.clock.unix_now_s();
        let is_old = touched_unix_s.saturating_add(self.grace_s) <= now_unix_s;
        (!is_old).then(|| touched_unix_s.saturating_add(self.registry.limits.grace_s))
    }
}

fn by_repository(due: Vec<Due>) -> BTreeMap<RepositoryName, Vec<Due>> {
    let mut repositories: BTreeMap<RepositoryName, Vec<Due>> = BTreeMap::new();
    for due in due {
        let repository = due.candidate.repository().clone();
        repositories.entry(repository).or_default().push(due);
    }
    repositories
}

/// The part of the work that a repository belongs to, the same on every replica.
fn shard_of(repository: &RepositoryName) -> u8 {
    let spread = fingerprint(&Digest::sha256(repository.as_str().as_bytes()));
    u8::try_from(spread % u128::from(SHARDS)).unwrap_or_default()
}
