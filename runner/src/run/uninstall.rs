//! Takes away what the inventories say is Cairn's, the last layer first.

use std::collections::BTreeSet;

use cairn_spec::Digest;

use super::{Context, Memory, Options, RunError, Tell, apply::advance, now, prune::prune_layer};
use crate::{
    cluster::Cluster,
    journal::{Fault, Phase},
};

/// Takes everything away that is provably Cairn's; what needs approval stays, and so does the
/// inventory that knows of it.
pub async fn uninstall(
    cluster: &Cluster,
    options: &Options<'_>,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let mut memory = Memory::read(cluster).await?;
    if memory.inventories.is_empty() {
        return Ok(());
    }
    if memory.journal.under_way().is_some() {
        let reason = "given up for an uninstallation";
        memory
            .journal
            .halt(None, reason, Fault::Surroundings, now());
    }
    let bundle = memory.journal.run.as_ref().map(|run| run.bundle.clone());
    let bundle = bundle.unwrap_or_else(|| Digest::sha256(b""));
    memory.journal.uninstall(bundle, now())?;
    memory.journal.advance(Phase::Verifying, now())?;
    memory.journal.advance(Phase::Planning, now())?;
    memory.write_journal(cluster).await?;
    let context = Context { cluster, options };
    let (wanted, own) = (BTreeSet::new(), BTreeSet::new());
    let layers: Vec<_> = memory
        .inventories
        .iter()
        .rev()
        .map(|it| it.layer.clone())
        .collect();
    for layer in layers {
        let phase = Phase::Pruning {
            layer: layer.clone(),
        };
        advance(cluster, &mut memory, phase).await?;
        prune_layer(context, &mut memory, (&layer, &own), &wanted, tell).await?;
        if memory.inventory_of(&layer).entries.is_empty() {
            memory.forget(cluster, &layer).await?;
        }
    }
    advance(cluster, &mut memory, Phase::Done).await
}
