//! The records of usage: one a repository and one a quota, to which each process adds what it
//! changed, by compare-and-swap and a few seconds at a time.

use std::collections::BTreeMap;

use cairn_spec::RepositoryName;
use serde::Serialize;

use super::Quotas;
use crate::{
    Error, Result,
    maintenance::NamePages,
    records::{self, QuotaUsage, Usage},
    service::{Attempts, Registry},
    storage::{Batch, Entry, Key, Prefix, Write},
};

/// How old what the store said may be when a request is measured against it, in seconds.
const VIEW_S: u64 = 10;

/// How much the repositories of each quota hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct QuotaReport {
    /// The quotas, in the order of the configuration.
    pub quotas: Vec<QuotaStatus>,
    /// The repositories that a quota covers and that hold anything, by name.
    pub repositories: Vec<RepositoryUsage>,
}

/// How much of a quota is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct QuotaStatus {
    /// Its name.
    pub name: String,
    /// The repositories it covers, as a glob.
    pub repositories: String,
    /// What they hold together; nothing until a server or a rebuild has counted.
    pub used_bytes: Option<u64>,
    /// How much that may be.
    pub max_bytes: Option<u64>,
    /// How many of them hold anything.
    pub repository_count: u64,
    /// How many there may be.
    pub max_repositories: Option<u64>,
    /// How many tags each may have.
    pub max_tags_per_repository: Option<u64>,
}

/// How much a repository holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RepositoryUsage {
    /// Its name.
    pub repository: RepositoryName,
    /// Blobs and manifests together.
    pub bytes: u64,
    /// How many blobs.
    pub blobs: u64,
    /// How many manifests.
    pub manifests: u64,
}

/// Begins to count, at once if there is nothing yet: so the quotas of a new registry hold from its
/// first push.
pub(crate) async fn begin(registry: &Registry) -> Result<()> {
    let Some(quotas) = &registry.quotas else {
        return Ok(());
    };
    let repositories = registry.metadata.list(&Prefix::Repositories, None, 1);
    let is_new = repositories.await?.is_empty();
    let _exchange = quotas.exchange.lock().await;
    for index in 0..quotas.rules.len() {
        let (key, entry, _) = quotas.read_total(registry, index).await?;
        if entry.is_none() && is_new {
            let write = Write::put_new(key, quotas.total_record(index, 0)?);
            match registry.metadata.write(Batch::durable([write])).await {
                Err(Error::Conflict { .. }) => {}
                written => drop(written?),
            }
        }
    }
    Ok(())
}

/// Asks the store how much of the quotas of a repository is used, unless that is known.
pub(crate) async fn refresh(
    registry: &Registry,
    quotas: &Quotas,
    repository: Option<&RepositoryName>,
) -> Result<()> {
    let now_s = registry.clock.steady_s();
    let is_due = |index: usize| {
        let read_s = quotas.counters().views[index].read_s;
        quotas.rules[index].config.max_bytes.is_some()
            && repository.is_none_or(|repository| quotas.rule_covers(index, repository))
            && read_s.is_none_or(|read_s| now_s - read_s > VIEW_S)
    };
    if !(0..quotas.rules.len()).any(is_due) {
        return Ok(());
    }
    let _exchange = quotas.exchange.lock().await;
    for index in (0..quotas.rules.len()).filter(|index| is_due(*index)) {
        let (_, _, bytes) = quotas.read_total(registry, index).await?;
        let view = &mut quotas.counters().views[index];
        view.stored_bytes = bytes;
        view.read_s = Some(now_s);
    }
    Ok(())
}

/// Adds what this process changed to the records.
pub(crate) async fn flush(registry: &Registry) -> Result<()> {
    let Some(quotas) = &registry.quotas else {
        return Ok(());
    };
    let _exchange = quotas.exchange.lock().await;
    let mut changes = std::mem::take(&mut quotas.counters().unwritten);
    while let Some(repository) = changes.keys().next().cloned() {
        let change = changes.get(&repository).copied().unwrap_or_default();
        if let Err(error) = add_usage(registry, &repository, change).await {
            let mut counters = quotas.counters();
            for (repository, change) in changes {
                *counters.unwritten.entry(repository).or_default() += change;
            }
            return Err(error);
        }
        changes.remove(&repository);
    }
    for index in 0..quotas.rules.len() {
        let change = quotas.counters().views[index].unwritten_bytes;
        if change != 0 {
            let stored = add_total(registry, quotas, index, change).await?;
            let view = &mut quotas.counters().views[index];
            // Before anybody has counted there is nothing to add to: whoever counts finds it.
            view.stored_bytes = stored;
            view.unwritten_bytes -= change;
            view.read_s = Some(registry.clock.steady_s());
        }
    }
    Ok(())
}

/// Adds to a repository's record; one that says nothing is removed.
pub(super) async fn add_usage(
    registry: &Registry,
    repository: &RepositoryName,
    change: Usage,
) -> Result<()> {
    if change == Usage::default() {
        return Ok(());
    }
    let key = Key::Usage(repository.clone());
    let mut attempts = Attempts::at(&key);
    loop {
        attempts.next().await?;
        let entry = registry.metadata.get(&key).await?;
        let mut usage = match &entry {
            None => Usage::default(),
            Some(entry) => records::decode(&key, entry)?.0,
        };
        usage += change;
        let write = match entry {
            Some(entry) if usage == Usage::default() => {
                Write::delete_if(key.clone(), entry.version)
            }
            entry => Write::upsert(key.clone(), entry.as_ref(), records::encode(&usage, &[])?),
        };
        match registry.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => {}
            written => return written.map(drop),
        }
    }
}

/// Adds to a quota's record, if somebody has counted its repositories; returns what it says then.
async fn add_total(
    registry: &Registry,
    quotas: &Quotas,
    index: usize,
    change: i64,
) -> Result<Option<i64>> {
    let mut attempts = Attempts::at(Key::QuotaUsage(quotas.rules[index].config.name.clone()));
    loop {
        attempts.next().await?;
        let (key, entry, bytes) = quotas.read_total(registry, index).await?;
        let (Some(entry), Some(bytes)) = (entry, bytes) else {
            return Ok(None);
        };
        let value = quotas.total_record(index, bytes + change)?;
        let write = Write::put_if(key, entry.version, value);
        match registry.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => {}
            written => return written.map(|_| Some(bytes + change)),
        }
    }
}

impl Quotas {
    /// The record of a quota, and what it says if it is about the same repositories.
    pub(super) async fn read_total(
        &self,
        registry: &Registry,
        index: usize,
    ) -> Result<(Key, Option<Entry>, Option<i64>)> {
        let rule = &self.rules[index].config;
        let key = Key::QuotaUsage(rule.name.clone());
        let entry = registry.metadata.get(&key).await?;
        let total: Option<QuotaUsage> = match &entry {
            None => None,
            Some(entry) => Some(records::decode(&key, entry)?.0),
        };
        let same = total.filter(|total| total.repositories == rule.repositories);
        Ok((key, entry, same.map(|total| total.bytes)))
    }

    pub(super) fn total_record(&self, index: usize, bytes: i64) -> Result<bytes::Bytes> {
        let record = QuotaUsage {
            repositories: self.rules[index].config.repositories.clone(),
            bytes,
        };
        records::encode(&record, &[])
    }
}

/// What the records of covered repositories say.
pub(super) async fn stored(
    registry: &Registry,
    quotas: &Quotas,
) -> Result<BTreeMap<RepositoryName, Usage>> {
    let mut stored = BTreeMap::new();
    let mut pages = NamePages::of(Prefix::Usages);
    while let Some(names) = pages.next(registry).await? {
        let repositories = names.iter().filter_map(|name| name.parse().ok());
        for repository in repositories.filter(|repository| quotas.cover(repository)) {
            let key = Key::Usage(repository.clone());
            if let Some(entry) = registry.metadata.get(&key).await? {
                stored.insert(repository, records::decode(&key, &entry)?.0);
            }
        }
    }
    Ok(stored)
}

/// How much of each quota is used, as the records say.
pub(crate) async fn report(registry: &Registry) -> Result<QuotaReport> {
    let mut report = QuotaReport {
        quotas: Vec::new(),
        repositories: Vec::new(),
    };
    let Some(quotas) = &registry.quotas else {
        return Ok(report);
    };
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    let stored = stored(registry, quotas).await?;
    for (index, rule) in quotas.rules.iter().enumerate() {
        let (_, _, bytes) = quotas.read_total(registry, index).await?;
        let of_rule = stored
            .keys()
            .filter(|name| rule.repositories.is_match(name.as_str()));
        report.quotas.push(QuotaStatus {
            name: rule.config.name.clone(),
            repositories: rule.config.repositories.clone(),
            used_bytes: bytes.map(unsigned),
            max_bytes: rule.config.max_bytes,
            repository_count: of_rule.count() as u64,
            max_repositories: rule.config.max_repositories,
            max_tags_per_repository: rule.config.max_tags_per_repository,
        });
    }
    for (repository, usage) in stored {
        report.repositories.push(RepositoryUsage {
            repository,
            bytes: unsigned(usage.bytes),
            blobs: unsigned(usage.blobs),
            manifests: unsigned(usage.manifests),
        });
    }
    Ok(report)
}
