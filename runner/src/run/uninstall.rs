//! Takes away what the inventories say is Cairn's, the last layer first.

use std::collections::BTreeSet;

use cairn_spec::Digest;

use super::{
    Context, Finish, Memory, Options, Progress, RunError, Tell,
    drive::{advance, prune},
    gate, lease, memory, now,
    preflight::check_deletions,
    recover::{self, Search},
    store,
};
use crate::{
    cluster::Cluster,
    journal::{Action, Fault, Phase},
};

/// Takes everything away that is provably Cairn's; what needs approval stays, and so does the
/// inventory that knows of it. The bundles that are kept are forgotten.
pub async fn uninstall(
    cluster: &Cluster,
    options: &Options<'_>,
    tell: Tell<'_>,
) -> Result<Finish, RunError> {
    let memory = Memory::read(cluster).await?;
    if memory.inventories.is_empty() && memory.journal.under_way().is_none() {
        let search = Search::of(&memory, None);
        let (_, found) = recover::lost(cluster, &memory, &search).await?;
        if found.is_empty() {
            return Ok(Finish::Done);
        }
        // Cairn's own namespace may be gone with all that it remembered.
        memory::prepare(cluster).await?;
    }
    let work = Box::pin(uninstall_alone(Context { cluster, options }, tell));
    lease::alone(cluster, options.holder, work).await
}

async fn uninstall_alone(context: Context<'_>, tell: Tell<'_>) -> Result<Finish, RunError> {
    let Context { cluster, options } = context;
    let mut memory = Memory::read(cluster).await?;
    let search = Search::of(&memory, None);
    recover::remember(cluster, &mut memory, &search, tell).await?;
    check_deletions(cluster, &memory, &BTreeSet::new()).await?;
    memory.journal.holder = Some(options.holder.to_owned());
    begin(&mut memory)?;
    memory.write_journal(cluster, tell).await?;
    let (wanted, own) = (BTreeSet::new(), BTreeSet::new());
    let layers: Vec<_> = memory
        .inventories
        .iter()
        .rev()
        .map(|it| it.layer.clone())
        .collect();
    for layer in layers {
        tell(Progress::Layer { layer: &layer });
        if let Some(closed) = gate::pass(context, &mut memory, tell).await? {
            return Ok(Finish::Waiting(closed));
        }
        prune(context, &mut memory, (&layer, &own), &wanted, tell).await?;
        if memory.inventory_of(&layer).entries.is_empty() {
            memory.forget(cluster, &layer).await?;
        }
    }
    advance(cluster, &mut memory, Phase::Done, tell).await?;
    store::forget_all_but(cluster, &memory.journal.needed()).await?;
    Ok(Finish::Done)
}

/// Takes up an uninstallation that was cut short; gives up any other run.
fn begin(memory: &mut Memory) -> Result<(), RunError> {
    let journal = &mut memory.journal;
    if let Some(run) = journal.under_way() {
        if run.action == Action::Uninstall {
            journal.resume(now());
            return Ok(());
        }
        let reason = "given up for an uninstallation";
        journal.halt(None, reason, Fault::Surroundings, now());
    }
    let bundle = journal.run.as_ref().map(|run| run.bundle.clone());
    let bundle = bundle.unwrap_or_else(|| Digest::sha256(b""));
    journal.uninstall(bundle, now())?;
    journal.advance(Phase::Verifying, now())?;
    journal.advance(Phase::Planning, now())?;
    Ok(())
}
