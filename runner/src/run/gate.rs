//! Whether a run may change the cluster now: asked before its first layer, and between layers.

use cairn_spec::Timestamp as WrittenTime;
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Memory, Progress, RunError, Tell, drive::advance};
use crate::{
    cluster,
    journal::{Gate, Phase},
    window::{Calendar, Opening},
};

/// Why the cluster may not be changed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// What is waited for.
    pub gate: Gate,
    /// Why.
    pub reason: String,
    /// When it opens, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<WrittenTime>,
}

/// Says whether the cluster may be changed at a time.
pub type MayChange<'a> = &'a (dyn Fn(Timestamp) -> Result<(), Closed> + Send + Sync);

/// The gate of those who wait for nothing.
pub fn always(_: Timestamp) -> Result<(), Closed> {
    Ok(())
}

impl Calendar {
    /// The gate of maintenance windows and freezes.
    pub fn may_change(&self, now: Timestamp) -> Result<(), Closed> {
        match self.at(now) {
            Opening::Open { .. } => Ok(()),
            Opening::Closed { reason, until } => Err(Closed {
                gate: Gate::Window,
                reason,
                until: until.and_then(written),
            }),
        }
    }
}

fn written(time: Timestamp) -> Option<WrittenTime> {
    let unix_s = u64::try_from(time.as_second()).ok()?;
    Some(WrittenTime::from_unix_s(unix_s))
}

/// Asks, and writes down that the run waits.
pub(super) async fn pass(
    context: Context<'_>,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<Option<Closed>, RunError> {
    let Err(closed) = (context.options.may_change)(cluster::now()) else {
        return Ok(None);
    };
    let phase = Phase::Waiting { gate: closed.gate };
    advance(context.cluster, memory, phase, tell).await?;
    tell(Progress::Waiting { closed: &closed });
    Ok(Some(closed))
}
