//! The charts that a chart depends on: which are there, which are switched on, under which
//! name, and what their parent takes of their values.

mod branch;
mod conditions;
mod enabled;
mod imports;

use cairn_spec::{Diagnostic, Node, Origins};

use crate::{Chart, Dialect, Error};
use branch::{Branch, Trunk};

/// Whether all charts that `Chart.yaml` names are in `charts/`, in whatever version: what
/// `helm template` asks before it renders.
///
/// # Errors
///
/// Some are missing; their names are in the message.
pub fn check(chart: &Chart, dialect: Dialect) -> Result<(), Error> {
    let needed = chart.metadata.dependencies.iter().flatten();
    let missing: Vec<&str> = needed
        .map(|dependency| dependency.name.as_str())
        .filter(|name| chart.dependencies.iter().all(|chart| chart.name() != *name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(", ");
    let diagnostic = Diagnostic::error(
        "chart-dependencies",
        format!("`Chart.yaml` names charts that are not in `charts/`: {names}"),
    )
    .hint("run `helm dependency build` to fetch them");
    let (start, command) = match dialect {
        Dialect::Helm4 => ("an", "'helm dependency build'"),
        Dialect::Helm3 => ("An", "`helm dependency build`"),
    };
    Err(Error::new(
        format!(
            "{start} error occurred while checking for chart dependencies. You may need to run {command} to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {names}"
        ),
        diagnostic,
    ))
}

/// Gives the charts in a chart the names of their aliases, removes those that conditions and
/// tags of the values switch off, and takes over the values that `import-values` names: Helm's
/// `ProcessDependencies`. The metadata say afterwards what templates see.
///
/// `values` are those of the user. `warnings` get conditions that are no booleans and imported
/// values that are not there, besides those of [`crate::values::coalesce`].
///
/// # Errors
///
/// The values of a chart in this one are no map. The chart is of no use then.
pub fn process(
    chart: &mut Chart,
    values: &Node,
    dialect: Dialect,
    origins: &mut Origins,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(), Error> {
    let mut trunk = Trunk::default();
    let mut root = trunk.branch(std::mem::take(chart));
    let mut processing = Processing {
        trunk,
        dialect,
        origins,
        warnings,
    };
    let result = processing
        .enabled(&mut root, values, "")
        .and_then(|()| processing.imports(&mut root));
    *chart = processing.trunk.chart(root);
    result
}

struct Processing<'a> {
    trunk: Trunk,
    dialect: Dialect,
    origins: &'a mut Origins,
    warnings: &'a mut Vec<Diagnostic>,
}
