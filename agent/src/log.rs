//! The log: a JSON object a line on standard error, as collectors of logs read it.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Sends the log to standard error. What cannot be read of the filter counts as `info`, and is told.
pub fn init(filter: Option<&str>) {
    let usual = || Targets::new().with_default(LevelFilter::INFO);
    let parsed = filter.map(str::parse::<Targets>);
    let (targets, problem) = match parsed {
        Some(Ok(targets)) => (targets, None),
        Some(Err(error)) => (usual(), Some(error)),
        None => (usual(), None),
    };
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // One that is there already stays: tests run several agents in one process.
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(targets)
        .try_init();
    if let Some(error) = problem {
        tracing::warn!(%error, "the filter of the log cannot be read: `info` counts instead");
    }
}
