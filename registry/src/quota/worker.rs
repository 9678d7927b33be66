//! Writes down what this process changed, and has everything counted anew when that is due.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Quotas, flush, recount, refresh};
use crate::{
    Error, Result,
    maintenance::Lease,
    records,
    service::Registry,
    storage::{Batch, Entry, Key, Task, Write},
};

/// How often changes are written down.
const FLUSH: Duration = Duration::from_secs(5);
/// How often it is noted that changes are being counted, in seconds.
const NOTE_S: u64 = 60 * 60;
/// The record that says so.
const COUNTING: Key = Key::System("quotas");

/// That changes are being counted, since when and by which rules.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counting {
    /// The globs of all rules.
    repositories: Vec<String>,
    recounted_unix_s: u64,
    noted_unix_s: u64,
}

/// Writes down what changed until it is told to stop. What requests change after that, the server
/// writes down when they have ended.
pub(crate) async fn flush_until(registry: Arc<Registry>, stop: CancellationToken) {
    let Some(quotas) = registry.quotas.clone() else {
        return;
    };
    loop {
        let turn = async {
            flush(&registry).await?;
            refresh(&registry, &quotas, None).await
        };
        tell_failure(turn.await);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FLUSH) => {}
        }
    }
}

/// Counts everything anew whenever that is due, until it is told to stop.
pub(crate) async fn recount_until(
    registry: Arc<Registry>,
    interval_s: u64,
    stop: CancellationToken,
) {
    let Some(quotas) = registry.quotas.clone() else {
        return;
    };
    let pause = Duration::from_secs(NOTE_S.min(interval_s));
    loop {
        tell_failure(recount_if_due(&registry, &quotas, interval_s, &stop).await);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn tell_failure(counted: Result<()>) {
    if let Err(error) = counted {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "failed to count what repositories hold; the next turn goes on"
        );
    }
}

/// Counts everything if that was long ago, by other rules, or while nobody noted changes.
async fn recount_if_due(
    registry: &Registry,
    quotas: &Quotas,
    interval_s: u64,
    stop: &CancellationToken,
) -> Result<()> {
    let entry = registry.metadata.get(&COUNTING).await?;
    let rules = quotas.rules.iter();
    let mut counting = Counting {
        repositories: rules.map(|rule| rule.config.repositories.clone()).collect(),
        recounted_unix_s: 0,
        noted_unix_s: registry.now_unix_s(),
    };
    if let Some(entry) = &entry {
        let (last, _): (Counting, _) = records::decode(&COUNTING, entry)?;
        let now_unix_s = counting.noted_unix_s;
        let is_continued = last.repositories == counting.repositories
            && now_unix_s.abs_diff(last.noted_unix_s) <= 2 * NOTE_S
            && now_unix_s.abs_diff(last.recounted_unix_s) < interval_s;
        if is_continued {
            counting.recounted_unix_s = last.recounted_unix_s;
            return note(registry, Some(entry), &counting).await;
        }
    }
    let Some(lease) = Lease::acquire(registry, registry.new_id(), Task::Recount).await? else {
        return Ok(());
    };
    tokio::select! {
        () = stop.cancelled() => {}
        recounted = recount(registry, 2 * FLUSH) => {
            let corrected = recounted?;
            tracing::info!(quota.corrected = corrected, "counted what repositories hold");
            counting.recounted_unix_s = registry.now_unix_s();
            note(registry, entry.as_ref(), &counting).await?;
        }
    }
    lease.release(registry).await
}

async fn note(registry: &Registry, read: Option<&Entry>, counting: &Counting) -> Result<()> {
    let write = Write::upsert(COUNTING, read, records::encode(counting, &[])?);
    match registry.metadata.write(Batch::durable([write])).await {
        // Another replica noted it.
        Err(Error::Conflict { .. }) => Ok(()),
        noted => noted.map(drop),
    }
}
