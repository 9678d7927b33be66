//! Runs a mirror again and again. Replicas take turns.

use std::{sync::Arc, time::Duration};

use cairn_oci::sync::{Outcome, Report};
use tokio_util::sync::CancellationToken;

use super::Mirror;
use crate::{Result, maintenance::Lease, service::Registry, storage::Task};

/// How often a run says that it is still going on.
const RENEWAL: Duration = Duration::from_mins(1);

/// Runs a mirror until it is told to stop, every `interval_s` seconds.
pub(crate) async fn run_on_schedule(
    stop: CancellationToken,
    registry: Arc<Registry>,
    (mirror, place): (Mirror, u8),
    interval_s: u64,
) {
    let interval = Duration::from_secs(interval_s);
    loop {
        let run = async {
            if let Err(error) = run_in_turn(&registry, &mirror, Task::Mirror(place)).await {
                tracing::warn!(
                    mirror = mirror.name,
                    error = &error as &dyn std::error::Error,
                    "a mirror failed; it is tried again after its interval"
                );
            }
            tokio::time::sleep(interval).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = run => {}
        }
    }
}

/// Runs a mirror unless another replica does.
async fn run_in_turn(registry: &Registry, mirror: &Mirror, task: Task) -> Result<()> {
    let owner = registry.new_id();
    let Some(mut lease) = Lease::acquire(registry, owner, task).await? else {
        return Ok(());
    };
    let report = {
        let run = mirror.run();
        tokio::pin!(run);
        loop {
            tokio::select! {
                report = &mut run => break report,
                () = tokio::time::sleep(RENEWAL) => {
                    if !lease.renew(registry).await? {
                        // Another replica took over, because this one was away.
                        return Ok(());
                    }
                }
            }
        }
    };
    lease.release(registry).await?;
    tell(mirror, &report?);
    Ok(())
}

fn tell(mirror: &Mirror, report: &Report) {
    for entry in &report.entries {
        if let Some(reason) = &entry.reason {
            tracing::warn!(
                mirror = mirror.name,
                mirror.tag = entry.from,
                reason,
                "a tag was not mirrored"
            );
        }
    }
    tracing::info!(
        mirror = mirror.name,
        mirror.copied = report.count(Outcome::Copied),
        mirror.present = report.count(Outcome::Present),
        mirror.refused = report.count(Outcome::Refused),
        mirror.failed = report.count(Outcome::Failed),
        "a mirror has run"
    );
}
