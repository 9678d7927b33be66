//! The values that templates see: a chart's own, those of the charts in it, and the user's.

mod chains;
mod coalesce;
mod overrides;
mod tables;

use cairn_spec::{Diagnostic, Node, Origins};

use crate::{Chart, Dialect, Error};

pub(crate) use chains::Chains;
pub(crate) use coalesce::{ChartValues, Merge, Nulls};
pub use overrides::{Overrides, ValuesFile};
pub(crate) use tables::{Entry, MAX_DEPTH, Slot, TableId, TooDeep};

/// Merges the user's `values` with those of a chart and of the charts in it, as Helm's
/// `CoalesceValues` does: what `.Values` is. A null deletes what is below it.
///
/// Each value knows what it replaced. `warnings` get what is not merged since one is a map and
/// the other is not.
///
/// # Errors
///
/// The values of a chart in this one are no map.
pub fn coalesce(
    chart: &Chart,
    values: &Node,
    dialect: Dialect,
    origins: &mut Origins,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Node, Error> {
    all(
        chart,
        values,
        Nulls::Delete,
        Merge::new(Chains::kept(origins), warnings, dialect),
    )
}

/// As [`coalesce`], but nulls stay, as Helm's `MergeValues` does.
///
/// # Errors
///
/// The values of a chart in this one are no map.
pub fn merge(
    chart: &Chart,
    values: &Node,
    dialect: Dialect,
    origins: &mut Origins,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Node, Error> {
    all(
        chart,
        values,
        Nulls::Keep,
        Merge::new(Chains::kept(origins), warnings, dialect),
    )
}

fn all<'n>(
    chart: &'n Chart,
    values: &'n Node,
    nulls: Nulls,
    mut merge: Merge<'n, '_>,
) -> Result<Node, Error> {
    let dest = merge.tables.of(values);
    merge.chart(&chart.into(), dest, nulls)?;
    merge.node(dest)
}

/// What is `.Values` in a chart within another, of what is `.Values` in that one; none stands
/// for an empty map.
///
/// Helm takes the name for a path: values of a chart whose name has a dot are not found.
pub fn of_subchart<'v>(values: &'v Node, name: &str) -> Option<&'v Node> {
    let below = name
        .split('.')
        .try_fold(values, |node, key| node.get(key))?;
    below.value.as_map().map(|_| below)
}
