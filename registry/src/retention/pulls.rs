//! When manifests were pulled, to a few hours: noted in memory, written down every ten minutes.
//!
//! A crash loses what was not written yet, and the manifest counts as pulled when it was before.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cairn_spec::{Digest, RepositoryName};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Result,
    records::{self, PullTimes},
    retention::Rules,
    service::{Attempts, Registry},
    storage::{Batch, Key, Prefix, Version, Write},
};

/// How often pulls are written down.
const FLUSH: Duration = Duration::from_mins(10);
/// A pull is not written down if the last one is younger than this, in seconds.
const COARSE_S: u64 = 6 * 60 * 60;
/// Pulls remembered in memory; those beyond are not noted.
const REMEMBERED: usize = 100_000;
/// Pulls in one record; the oldest beyond are dropped.
const RECORDED: usize = 4096;
/// Records of one repository at most: one for each first digit of a digest.
const SHARDS: usize = 16;

/// What was pulled, as far as rules ask for it.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    noted: Mutex<HashMap<(RepositoryName, Digest), Noted>>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    pulled_unix_s: u64,
    is_written: bool,
}

impl Pulls {
    /// Where pulls are noted; nowhere if no rule asks.
    pub(crate) fn asked_for(rules: Option<&Rules>) -> Option<Self> {
        rules
            .filter(|rules| rules.ask_for_any_pulls())
            .map(|_| Self::default())
    }

    /// Notes that a manifest was pulled. It costs one look into a map.
    pub(crate) fn note(&self, repository: &RepositoryName, digest: &Digest, now_unix_s: u64) {
        let mut noted = self.noted();
        let key = (repository.clone(), digest.clone());
        let is_recent = noted
            .get(&key)
            .is_some_and(|noted| now_unix_s.abs_diff(noted.pulled_unix_s) < COARSE_S);
        if is_recent {
            return;
        }
        if noted.len() >= REMEMBERED {
            noted.retain(|_, noted| !noted.is_written);
            if noted.len() >= REMEMBERED {
                return;
            }
        }
        let pull = Noted {
            pulled_unix_s: now_unix_s,
            is_written: false,
        };
        noted.insert(key, pull);
    }

    /// What is to be written, by record.
    fn unwritten(&self) -> BTreeMap<(RepositoryName, char), Vec<(Digest, u64)>> {
        let mut unwritten: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((repository, digest), noted) in &*self.noted() {
            if !noted.is_written {
                let pull = (digest.clone(), noted.pulled_unix_s);
                let record = (repository.clone(), shard_of(digest));
                unwritten.entry(record).or_default().push(pull);
            }
        }
        unwritten
    }

    fn written(&self, repository: &RepositoryName, pulls: &[(Digest, u64)]) {
        let mut noted = self.noted();
        for (digest, _) in pulls {
            if let Some(noted) = noted.get_mut(&(repository.clone(), digest.clone())) {
                noted.is_written = true;
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<(RepositoryName, Digest), Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_of(digest: &Digest) -> char {
    digest.hex().chars().next().unwrap_or('0')
}

/// Writes pulls down until it is told to stop.
pub(crate) async fn flush_pulls_until(registry: Arc<Registry>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FLUSH) => {}
        }
        if let Err(error) = flush_pulls(&registry).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "failed to write down what was pulled; the next turn tries again"
            );
        }
    }
}

/// Writes down what was pulled and is not recorded yet.
pub(crate) async fn flush_pulls(registry: &Registry) -> Result<()> {
    let Some(pulls) = &registry.pulls else {
        return Ok(());
    };
    for ((repository, shard), added) in pulls.unwritten() {
        let key = Key::Pulls(repository.clone(), shard);
        change_record(registry, &key, |times| {
            for (digest, unix_s) in &added {
                let time = times.entry(digest.clone()).or_default();
                *time = (*time).max(*unix_s);
            }
            true
        })
        .await?;
        pulls.written(&repository, &added);
    }
    Ok(())
}

/// When the manifests of a repository were pulled last.
pub(super) async fn recorded_pulls(
    registry: &Registry,
    repository: &RepositoryName,
) -> Result<HashMap<Digest, u64>> {
    let mut pulls = HashMap::new();
    for key in pull_keys(registry, repository).await? {
        if let Some(entry) = registry.metadata.get(&key).await? {
            let (record, _): (PullTimes, _) = records::decode(&key, &entry)?;
            pulls.extend(record.pulled_unix_s);
        }
    }
    Ok(pulls)
}

/// Forgets pulls of manifests that are gone.
pub(super) async fn forget_pulls(
    registry: &Registry,
    repository: &RepositoryName,
    manifests: &HashMap<Digest, Version>,
) -> Result<()> {
    for key in pull_keys(registry, repository).await? {
        change_record(registry, &key, |times| {
            let before = times.len();
            times.retain(|digest, _| manifests.contains_key(digest));
            times.len() < before
        })
        .await?;
    }
    Ok(())
}

async fn pull_keys(registry: &Registry, repository: &RepositoryName) -> Result<Vec<Key>> {
    let prefix = Prefix::Pulls(repository.clone());
    let names = registry.metadata.list(&prefix, None, SHARDS).await?;
    let shards = names.iter().filter_map(|name| name.chars().next());
    Ok(shards
        .map(|shard| Key::Pulls(repository.clone(), shard))
        .collect())
}

async fn change_record(
    registry: &Registry,
    key: &Key,
    change: impl Fn(&mut BTreeMap<Digest, u64>) -> bool,
) -> Result<()> {
    let mut attempts = Attempts::at(key);
    loop {
        attempts.next().await?;
        let entry = registry.metadata.get(key).await?;
        let mut record = match &entry {
            None => PullTimes::default(),
            Some(entry) => records::decode(key, entry)?.0,
        };
        if !change(&mut record.pulled_unix_s) {
            return Ok(());
        }
        drop_oldest(&mut record.pulled_unix_s);
        let value = records::encode(&record, &[])?;
        let write = Write::upsert(key.clone(), entry.as_ref(), value);
        match registry.metadata.write(Batch::eventual([write])).await {
            Err(Error::Conflict { .. }) => {}
            written => return written.map(drop),
        }
    }
}

fn drop_oldest(times: &mut BTreeMap<Digest, u64>) {
    if times.len() > RECORDED {
        let mut unix_s: Vec<u64> = times.values().copied().collect();
        unix_s.sort_unstable();
        let oldest_kept = unix_s[unix_s.len() - RECORDED];
        times.retain(|_, time| *time >= oldest_kept);
    }
}
