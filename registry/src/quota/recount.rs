//! Counting anew: what repositories hold, against what their records say.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cairn_spec::RepositoryName;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Quotas,
    counted::held,
    ledger::{add_usage, flush, stored},
};
use crate::{
    Error, Result,
    maintenance::NamePages,
    records::Usage,
    service::{Attempts, Registry},
    storage::{Batch, Family, Key, Prefix, Write},
};

/// Records read side by side.
const READS: usize = 16;

/// A repository whose record does not say what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Miscount {
    pub(crate) repository: RepositoryName,
    pub(crate) recorded_bytes: i64,
    pub(crate) held_bytes: i64,
    /// What has to be added to the record.
    correction: Usage,
}

/// Corrects all records; returns how many repositories were counted wrong. Others may go on
/// pushing; `settle` is how long they may take to write down what they changed.
pub(crate) async fn recount(registry: &Registry, settle: Duration) -> Result<u64> {
    let Some(quotas) = &registry.quotas else {
        return Ok(0);
    };
    let miscounts = miscounts(registry, settle).await?;
    for miscount in &miscounts {
        add_usage(registry, &miscount.repository, miscount.correction).await?;
    }
    for index in 0..quotas.rules.len() {
        sum_up(registry, quotas, index).await?;
    }
    Ok(miscounts.len() as u64)
}

/// The repositories whose record does not say what they hold.
pub(crate) async fn miscounts(registry: &Registry, settle: Duration) -> Result<Vec<Miscount>> {
    let Some(quotas) = &registry.quotas else {
        return Ok(Vec::new());
    };
    flush(registry).await?;
    let before = stored(registry, quotas).await?;
    let actual = actual(registry, quotas).await?;
    tokio::time::sleep(settle).await;
    flush(registry).await?;
    let after = stored(registry, quotas).await?;
    let repositories: BTreeSet<&RepositoryName> = actual.keys().chain(after.keys()).collect();
    let mut miscounts = Vec::new();
    for repository in repositories {
        let of = |counts: &BTreeMap<RepositoryName, Usage>| {
            counts.get(repository).copied().unwrap_or_default()
        };
        let (recorded, held) = (of(&before), of(&actual));
        if let Some(correction) = correction(recorded, held, of(&after)) {
            miscounts.push(Miscount {
                repository: repository.clone(),
                recorded_bytes: recorded.bytes,
                held_bytes: held.bytes,
                correction,
            });
        }
    }
    Ok(miscounts)
}

/// What has to be added to a record that changed from `before` to `after` while `held` was counted.
///
/// What was pushed meanwhile may have been counted or not, so a difference no larger than the
/// change proves nothing.
fn correction(before: Usage, held: Usage, after: Usage) -> Option<Usage> {
    let (drift, churn) = (held - before, after - before);
    let is_certain = churn == Usage::default() || drift.bytes.abs() > churn.bytes.abs();
    (drift != Usage::default() && is_certain).then_some(drift)
}

/// What covered repositories hold, added up.
async fn actual(registry: &Registry, quotas: &Quotas) -> Result<BTreeMap<RepositoryName, Usage>> {
    let mut usages = BTreeMap::new();
    for family in [Family::Memberships, Family::Manifests] {
        let prefix = Prefix::Family(family);
        let mut pages = NamePages::of(prefix.clone());
        while let Some(names) = pages.next(registry).await? {
            let keys = names.iter().filter_map(|name| {
                let key: Key = format!("{prefix}{name}").parse().ok()?;
                match &key {
                    Key::RepositoryBlob(_, repository) | Key::Manifest(repository, _)
                        if quotas.cover(repository) =>
                    {
                        Some((repository.clone(), key))
                    }
                    _ => None,
                }
            });
            add_up(registry, keys.collect(), &mut usages).await?;
        }
    }
    Ok(usages)
}

async fn add_up(
    registry: &Registry,
    keys: Vec<(RepositoryName, Key)>,
    usages: &mut BTreeMap<RepositoryName, Usage>,
) -> Result<()> {
    let mut reads = stream::iter(keys)
        .map(|(repository, key)| async move {
            let entry = registry.metadata.get(&key).await?;
            let usage = entry.map(|entry| held(&key, &entry.value)).transpose()?;
            Ok::<_, Error>((repository, usage.unwrap_or_default()))
        })
        .buffer_unordered(READS);
    while let Some((repository, usage)) = reads.try_next().await? {
        *usages.entry(repository).or_default() += usage;
    }
    Ok(())
}

/// Makes a quota's record the sum of its repositories'.
async fn sum_up(registry: &Registry, quotas: &Quotas, index: usize) -> Result<()> {
    let _exchange = quotas.exchange.lock().await;
    let mut attempts = Attempts::at(Key::QuotaUsage(quotas.rules[index].config.name.clone()));
    loop {
        attempts.next().await?;
        let (key, entry, _) = quotas.read_total(registry, index).await?;
        let stored = stored(registry, quotas).await?;
        let of_rule = stored
            .iter()
            .filter(|(repository, _)| quotas.rule_covers(index, repository));
        let bytes = of_rule.map(|(_, usage)| usage.bytes).sum();
        let write = Write::upsert(key, entry.as_ref(), quotas.total_record(index, bytes)?);
        match registry.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => {}
            written => {
                written?;
                let view = &mut quotas.counters().views[index];
                view.stored_bytes = Some(bytes);
                view.read_s = Some(registry.clock.steady_s());
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(bytes: i64) -> Usage {
        Usage {
            bytes,
            ..Usage::default()
        }
    }

    #[test]
    fn only_a_difference_that_nobody_made_meanwhile_is_corrected() {
        let corrected = |before, held, after| {
            correction(usage(before), usage(held), usage(after)).map(|it| it.bytes)
        };
        assert_eq!(corrected(10, 10, 10), None);
        assert_eq!(corrected(10, 25, 10), Some(15));
        assert_eq!(corrected(10, 0, 10), Some(-10));
        // Pushed meanwhile, and counted or not.
        assert_eq!(corrected(10, 15, 15), None);
        assert_eq!(corrected(10, 10, 15), None);
        assert_eq!(corrected(10, 12, 15), None);
        assert_eq!(corrected(10, 100, 15), Some(90));
    }
}
