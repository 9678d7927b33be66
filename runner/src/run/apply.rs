//! Applies a bundle: layer after layer, each healthy before the next begins; and back, if it fails.

use cairn_spec::Digest;

use super::{
    Context, Finish, Memory, OnFailure, Options, RunError, Tell,
    drive::{Failure, drive},
    gate::Closed,
    lease,
    memory::{self, read_journal},
    now,
    plan::wanted,
    preflight::{check_deletions, check_rights},
    roll_back::{go_back, take_up},
};
use crate::{
    bundle::Bundle,
    cluster::{self, Cluster},
    journal::{Action, Fault, Phase, Refused, Run},
};

/// Drives a bundle into a cluster. The digest names it in the journal; it was verified before. One that
/// failed here before is refused, unless it is to be tried again.
///
/// A run of the same bundle that was cut short is taken up, and so is a rollback from it; one of
/// another bundle is given up. If the bundle fails, the cluster goes back to the last good one, when
/// that is wanted and [kept](super::store::keep); whoever calls this keeps this one before.
pub async fn apply(
    cluster: &Cluster,
    bundle: &Bundle,
    (digest, retry): (&Digest, bool),
    options: &Options<'_>,
    tell: Tell<'_>,
) -> Result<Finish, RunError> {
    if let Some(closed) = still_closed(cluster, digest, options).await? {
        return Ok(Finish::Waiting(closed));
    }
    check_rights(cluster, bundle, options).await?;
    memory::prepare(cluster).await?;
    let context = Context { cluster, options };
    let work = Box::pin(apply_alone(context, bundle, (digest, retry), tell));
    lease::alone(cluster, options.holder, work).await
}

/// A run that waits is not begun again just to wait on.
async fn still_closed(
    cluster: &Cluster,
    digest: &Digest,
    options: &Options<'_>,
) -> Result<Option<Closed>, RunError> {
    let Err(closed) = (options.may_change)(cluster::now()) else {
        return Ok(None);
    };
    let (journal, _) = read_journal(cluster).await?;
    let is_waiting = journal.under_way().is_some_and(|run| {
        run.bundle == *digest && run.phase == Phase::Waiting { gate: closed.gate }
    });
    Ok(is_waiting.then_some(closed))
}

async fn apply_alone(
    context: Context<'_>,
    bundle: &Bundle,
    (digest, retry): (&Digest, bool),
    tell: Tell<'_>,
) -> Result<Finish, RunError> {
    let Context { cluster, options } = context;
    let mut memory = Memory::read(cluster).await?;
    check_deletions(cluster, &memory, &wanted(bundle)).await?;
    memory.journal.holder = Some(options.holder.to_owned());
    if retry {
        memory.journal.approve(digest);
    }
    match memory.journal.under_way() {
        Some(run) if run.bundle == *digest && run.action != Action::Uninstall => {
            memory.journal.resume(now());
        }
        Some(run) if goes_back_from(run, digest) && !retry => {
            return take_up(context, &mut memory, tell).await;
        }
        under_way => {
            if under_way.is_some() {
                let reason = format!("given up for `{digest}`");
                memory
                    .journal
                    .halt(None, &reason, Fault::Surroundings, now());
            }
            memory.journal.apply(digest.clone(), now())?;
            // Whoever calls this has fetched and verified the bundle.
            memory.journal.advance(Phase::Verifying, now())?;
            memory.journal.advance(Phase::Planning, now())?;
        }
    }
    memory.write_journal(cluster, tell).await?;
    let driven = Box::pin(drive(context, bundle, &mut memory, tell)).await;
    match driven {
        Ok(finish) => Ok(finish),
        Err(failure) => Err(fail(context, &mut memory, failure, tell).await),
    }
}

fn goes_back_from(run: &Run, digest: &Digest) -> bool {
    run.action == Action::Rollback && run.from.as_ref() == Some(digest)
}

/// Writes down that a bundle failed, when it is the bundle's fault, and goes back if that is wanted.
/// What is not its fault leaves the run to be taken up later.
async fn fail(
    context: Context<'_>,
    memory: &mut Memory,
    Failure { layer, error }: Failure,
    tell: Tell<'_>,
) -> RunError {
    let Some(fault) = fault_of(&error) else {
        return error;
    };
    let reason = error.to_string();
    memory.journal.halt(layer, &reason, fault, now());
    let is_new = matches!(memory.action(), Action::Install | Action::Upgrade);
    let goes_back =
        fault == Fault::Bundle && is_new && context.options.on_failure == OnFailure::Rollback;
    let failed = memory.journal.run.as_ref().map(|run| run.bundle.clone());
    let good = memory.journal.good.clone();
    if let Some(good) = good.filter(|good| goes_back && failed.as_ref() != Some(good)) {
        return Box::pin(go_back(context, memory, good, error, tell)).await;
    }
    // The failure that led here says more than one to write it down.
    let _ = memory.write_journal(context.cluster, tell).await;
    error
}

/// Whose fault a failure is; nobody's if the next run may simply go on.
pub(super) fn fault_of(error: &RunError) -> Option<Fault> {
    match error {
        RunError::Unhealthy { .. } | RunError::Refused { .. } => Some(Fault::Bundle),
        RunError::Foreign { .. }
        | RunError::Going { .. }
        | RunError::Journal(Refused::OutOfOrder { .. }) => Some(Fault::Surroundings),
        _ => None,
    }
}
