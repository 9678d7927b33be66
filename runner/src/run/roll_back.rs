//! Back to a bundle that was good, from what the cluster itself keeps: because somebody wants to, or
//! because the next one failed.
//!
//! It is a run like any other, through the same pipeline, so what only the newer bundle brought is
//! pruned. What cannot go back is left as it is ([`crate::rollback`]). No gate is asked when a
//! bundle failed: half a bundle is worse than a change out of hours.

use cairn_spec::Digest;

use super::{
    Context, Finish, Memory, Options, Progress, RunError, Tell,
    apply::fault_of,
    drive::{Failure, drive},
    gate::always,
    lease, memory, now,
    plan::wanted,
    preflight::{check_deletions, check_rights},
    secrets, store,
};
use crate::{
    bundle::Bundle,
    cluster::Cluster,
    journal::{Action, Fault, Phase, Refused},
};

/// Goes back: to a bundle that is kept, or to the one that was healthy before the current one. The
/// bundle that is left is not applied again until somebody approves it. Gives the bundle that is
/// there now.
///
/// A rollback to the same bundle that was cut short is taken up; any other run is given up.
pub async fn roll_back(
    cluster: &Cluster,
    to: Option<&Digest>,
    options: &Options<'_>,
    tell: Tell<'_>,
) -> Result<(Digest, Finish), RunError> {
    memory::prepare(cluster).await?;
    let context = Context { cluster, options };
    let work = Box::pin(roll_back_alone(context, to, tell));
    lease::alone(cluster, options.holder, work).await
}

async fn roll_back_alone(
    context: Context<'_>,
    to: Option<&Digest>,
    tell: Tell<'_>,
) -> Result<(Digest, Finish), RunError> {
    let Context { cluster, options } = context;
    let mut memory = Memory::read(cluster).await?;
    memory.journal.holder = Some(options.holder.to_owned());
    let target = to.or_else(|| memory.journal.way_back());
    let target = target.cloned().ok_or(Refused::NothingGood)?;
    let bundle = store::load_bundle(cluster, &target).await?;
    check_rights(cluster, &bundle, options).await?;
    check_deletions(cluster, &memory, &wanted(&bundle)).await?;
    let is_cut_short = memory
        .journal
        .under_way()
        .is_some_and(|run| run.action == Action::Rollback && run.bundle == target);
    if is_cut_short {
        memory.journal.resume(now());
    } else {
        let reason = format!("it was left for `{target}`");
        if memory.journal.under_way().is_some() {
            memory
                .journal
                .halt(None, &reason, Fault::Surroundings, now());
        }
        memory.journal.leave(&target, &reason, now());
        begin(&mut memory, &target)?;
    }
    memory.write_journal(cluster, tell).await?;
    tell(Progress::RollingBack {
        to: &target,
        reason: "it was asked for",
    });
    let driven = drive_back(context, &bundle, &mut memory, tell).await;
    match driven {
        Ok(finish) => Ok((target, finish)),
        Err(failure) => Err(halt(cluster, &mut memory, failure, tell).await),
    }
}

/// Goes back after a bundle failed, which the journal says already. One write says that it failed and
/// that the way back has begun. Gives the error that the run ends with.
pub(super) async fn go_back(
    context: Context<'_>,
    memory: &mut Memory,
    good: Digest,
    failure: RunError,
    tell: Tell<'_>,
) -> RunError {
    let cluster = context.cluster;
    let reason = failure.to_string();
    let went = async {
        let bundle = match store::load_bundle(cluster, &good).await {
            Ok(bundle) => bundle,
            Err(error) => {
                memory.write_journal(cluster, tell).await?;
                return Err(error);
            }
        };
        begin(memory, &good)?;
        memory.write_journal(cluster, tell).await?;
        tell(Progress::RollingBack {
            to: &good,
            reason: &reason,
        });
        drive_unasked(context, &bundle, memory, tell).await
    };
    match went.await {
        Ok(_) => RunError::RolledBack {
            to: good,
            failure: Box::new(failure),
        },
        Err(source) => RunError::NotRolledBack {
            to: good,
            failure: Box::new(failure),
            source: Box::new(source),
        },
    }
}

/// Takes up a rollback from a bundle that failed, and says why it failed.
pub(super) async fn take_up(
    context: Context<'_>,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<Finish, RunError> {
    let cluster = context.cluster;
    let Some(run) = memory.journal.under_way().cloned() else {
        return Ok(Finish::Done);
    };
    let bundle = store::load_bundle(cluster, &run.bundle).await?;
    memory.journal.resume(now());
    memory.write_journal(cluster, tell).await?;
    let rejected = run
        .from
        .as_ref()
        .and_then(|it| memory.journal.rejection(it));
    let reason = rejected.map_or_else(String::new, |it| it.reason.clone());
    tell(Progress::RollingBack {
        to: &run.bundle,
        reason: &reason,
    });
    let failure = Box::new(RunError::Journal(Refused::Rejected {
        bundle: run.from.unwrap_or_else(|| run.bundle.clone()),
        reason,
    }));
    match drive_unasked(context, &bundle, memory, tell).await {
        Ok(_) => Err(RunError::RolledBack {
            to: run.bundle,
            failure,
        }),
        Err(source) => Err(RunError::NotRolledBack {
            to: run.bundle,
            failure,
            source: Box::new(source),
        }),
    }
}

fn begin(memory: &mut Memory, target: &Digest) -> Result<(), RunError> {
    memory.journal.roll_back(target.clone(), now())?;
    // It was verified when it was kept, and its digest is checked when it is loaded.
    memory.journal.advance(Phase::Verifying, now())?;
    memory.journal.advance(Phase::Planning, now())?;
    Ok(())
}

async fn drive_unasked(
    context: Context<'_>,
    bundle: &Bundle,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<Finish, RunError> {
    let options = Options {
        may_change: &always,
        // All that goes was brought by the bundle that failed.
        approved_amount: true,
        ..*context.options
    };
    let context = Context {
        options: &options,
        ..context
    };
    match drive_back(context, bundle, memory, tell).await {
        Ok(finish) => Ok(finish),
        Err(failure) => Err(halt(context.cluster, memory, failure, tell).await),
    }
}

/// Drives a bundle that was kept, with the secrets that the cluster has for it.
async fn drive_back(
    context: Context<'_>,
    bundle: &Bundle,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<Finish, Failure> {
    let secrets = secrets(context.cluster, bundle).await?;
    let options = Options {
        secrets: &secrets,
        ..*context.options
    };
    let context = Context {
        options: &options,
        ..context
    };
    Box::pin(drive(context, bundle, memory, tell)).await
}

/// Writes down that the way back failed, unless it may simply be gone on with.
async fn halt(
    cluster: &Cluster,
    memory: &mut Memory,
    Failure { layer, error }: Failure,
    tell: Tell<'_>,
) -> RunError {
    if let Some(fault) = fault_of(&error) {
        memory.journal.halt(layer, &error.to_string(), fault, now());
        // The failure that led here says more than one to write it down.
        let _ = memory.write_journal(cluster, tell).await;
    }
    error
}
