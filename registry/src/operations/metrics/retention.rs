//! What rules of retention removed.

use std::{fmt, sync::atomic::Ordering};

use super::{Counter, Gauge, Writer};
use crate::RetentionReport;

/// What rules of retention removed.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    pub(crate) passes: Counter,
    pub(crate) tags_removed: Counter,
    pub(crate) manifests_removed: Counter,
    pub(crate) failures: Counter,
    held: Gauge,
}

impl Retention {
    /// Adds what a pass did.
    pub(crate) fn add(&self, report: &RetentionReport, is_dry_run: bool) {
        self.passes.add(1);
        if !is_dry_run {
            self.tags_removed.add(report.tags_removed);
            self.manifests_removed.add(report.manifests_removed);
        }
        let is_held = report.held_until_unix_s.is_some();
        self.held.0.store(i64::from(is_held), Ordering::Relaxed);
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for (name, help, counter) in [
            (
                "retention_passes",
                "Passes over all repositories that rules of retention decide about",
                &self.passes,
            ),
            (
                "retention_tags_removed",
                "Tags that rules of retention removed",
                &self.tags_removed,
            ),
            (
                "retention_manifests_removed",
                "Manifests that rules of retention removed",
                &self.manifests_removed,
            ),
            (
                "retention_failures",
                "Passes that broke off",
                &self.failures,
            ),
        ] {
            writer.counter(name, help, counter.get())?;
        }
        writer.gauge(
            "retention_held",
            "1 while nothing is removed because the clock is in doubt",
            self.held.get(),
        )
    }
}
