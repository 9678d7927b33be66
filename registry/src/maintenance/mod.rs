//! What keeps a registry's storage in order: garbage collection, checks, repairs and copies.
//!
//! Garbage collection is driven by events. Whatever may leave something without a reference (an
//! upload, a moved or deleted tag, a deleted manifest or blob) first writes a candidate that is due
//! when its grace period has passed. A pass takes what is due, and no more: its cost follows what
//! happened, not what is stored.
//!
//! It runs beside requests and beside other replicas. Nothing depends on a lock:
//!
//! - Whoever tells a client that it may rely on a record *touches* it first, when its time stamp is
//!   older than half a grace period. Collection takes only what nobody touched for a whole one, by
//!   compare-and-swap on what it read: so of a touch and a collection, one fails.
//! - A request that took longer than a quarter of a grace period looks once more at what it relied
//!   on before it says that it succeeded.
//! - A blob's payload is deleted only after a durable record says that it is being deleted, and
//!   under a key that is never used again: a late deletion cannot hit live data.
//! - A candidate is removed last. Whatever a crash cut short is found again, and done again.
//!
//! Records are removed by compare-and-swap on their version, and a version names one state of a
//! record forever; so none has to stay behind as a marker.

mod blobs;
mod dead_letters;
mod export;
mod fsck;
mod gc;
mod import;
mod layout;
mod lease;
mod listing;
mod manifests;
mod prudence;
mod references;
mod repair;
mod source;
mod tally;
mod tracked;
mod uploads;

#[cfg(test)]
pub(crate) mod tests;

use std::{path::Path, sync::Arc, time::Duration};

use cairn_spec::RepositoryName;
use tokio_util::sync::CancellationToken;

pub use dead_letters::{DeadLetter, DeadLetters};
pub use export::{Copied, Selection, Watch};
pub use fsck::{Checked, Finding, FsckOptions, Invariant};
pub use gc::Found;
pub(crate) use lease::Lease;
pub(crate) use listing::NamePages;
pub use repair::Rebuilt;
pub use source::ImportFrom;
pub use tally::Progress;
pub(crate) use tally::Tally;

use crate::{
    AuditConfig, Error, GcConfig, MirrorConfig, Result,
    mirror::Mirror,
    operations::audit::AuditLog,
    quota::{self, QuotaReport},
    retention::{self, Listeners, Mode, RepositoryVerdicts, RetentionOptions, RetentionReport},
    service::Registry,
};
use gc::{Collector, Pace};

/// Collects garbage until it is told to stop.
pub(crate) async fn run(registry: Arc<Registry>, config: GcConfig, stop: CancellationToken) {
    let interval = Duration::from_secs(config.interval_s);
    let collector = Collector::new(Arc::clone(&registry), config, Pace::Considerate);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        if let Err(error) = collector.pass(&stop).await {
            registry.tally.add(|progress| progress.broken_off += 1);
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "garbage collection broke off; the next pass goes on"
            );
        }
    }
}

/// A registry's storage, opened to be maintained rather than served.
#[derive(Debug)]
pub struct Maintenance {
    registry: Arc<Registry>,
    config: GcConfig,
    audit: Option<AuditConfig>,
    mirrors: Vec<MirrorConfig>,
    /// The host by which trust policies know the registry.
    host: Option<String>,
}

impl Maintenance {
    pub(crate) fn new(registry: Registry, config: GcConfig, audit: Option<AuditConfig>) -> Self {
        Self {
            registry: Arc::new(registry),
            config,
            audit,
            mirrors: Vec::new(),
            host: None,
        }
    }

    pub(crate) fn with_mirrors(self, mirrors: Vec<MirrorConfig>, host: Option<String>) -> Self {
        Self {
            mirrors,
            host,
            ..self
        }
    }

    /// Collects what is due. With `grace_s`, what nobody relied on for that long counts as due;
    /// without a server over the storage, nothing speaks against 0.
    pub async fn collect(&self, grace_s: Option<u64>) -> Result<Progress> {
        let collector = self.collector(grace_s);
        collector.pass(&CancellationToken::new()).await?;
        quota::flush(&self.registry).await?;
        Ok(self.registry.tally.progress())
    }

    /// Says what [`Self::collect`] would remove, to `found`, one by one, and changes nothing.
    pub async fn explain(
        &self,
        grace_s: Option<u64>,
        found: &mut (dyn FnMut(Found) + Send),
    ) -> Result<()> {
        self.collector(grace_s).explain(found).await
    }

    /// Checks every record against the others, and reports to `found` what is broken.
    ///
    /// Over a bucket that servers write to meanwhile, a finding may be a request under way: what a
    /// second run finds, too, is broken.
    pub async fn fsck(
        &self,
        options: FsckOptions,
        found: &mut (dyn FnMut(Finding) + Send),
    ) -> Result<Checked> {
        fsck::fsck(&self.registry, options, found).await
    }

    /// Recomputes every record that follows from manifests, tags and blobs, and has garbage
    /// collection look at everything once.
    pub async fn rebuild(&self) -> Result<Rebuilt> {
        repair::rebuild(&self.registry).await
    }

    /// Writes repositories, or all of them, to an OCI image layout in a new folder.
    pub async fn export(
        &self,
        selections: &[Selection],
        to: &Path,
        watch: Watch<'_>,
    ) -> Result<Copied> {
        export::export(&self.registry, selections, to, watch).await
    }

    /// Copies the content of an OCI image layout, or of distribution's tree, into the registry.
    /// Entries of a layout that do not name a repository go to `repository`.
    pub async fn import(
        &self,
        from: &ImportFrom,
        repository: Option<&RepositoryName>,
        watch: Watch<'_>,
    ) -> Result<Copied> {
        let copied = import::import(&self.registry, from, repository, watch).await;
        quota::flush(&self.registry).await?;
        copied
    }

    /// Applies the configured rules of retention, and tells `decided` what they decide, repository
    /// by repository.
    pub async fn retain(
        &self,
        options: RetentionOptions,
        decided: &mut (dyn FnMut(RepositoryVerdicts) + Send),
    ) -> Result<RetentionReport> {
        let audit = self.audit.as_ref().filter(|_| !options.dry_run);
        let audit = audit.map(|audit| AuditLog::open(&audit.file)).transpose()?;
        let listeners = Listeners {
            audit: audit.as_ref(),
            decided,
        };
        let stop = CancellationToken::new();
        let mode = if options.dry_run {
            Mode::Explain
        } else {
            Mode::Remove
        };
        let how = (mode, options.accept_clock);
        let report = retention::sweep(&self.registry, how, listeners, &stop).await;
        quota::flush(&self.registry).await?;
        report
    }

    /// How much of the configured quotas is used.
    pub async fn quotas(&self) -> Result<QuotaReport> {
        quota::report(&self.registry).await
    }

    /// The names of the mirrors that are configured.
    pub fn mirrors(&self) -> impl Iterator<Item = &str> {
        self.mirrors.iter().map(|mirror| mirror.name.as_str())
    }

    /// Runs a mirror of the configuration, or, if `dry_run`, says what it would copy. `progress`
    /// sees content move.
    pub async fn sync(
        &self,
        mirror: &str,
        dry_run: bool,
        progress: cairn_oci::Progress,
    ) -> Result<cairn_oci::sync::Report> {
        let config = self.mirrors.iter().find(|config| config.name == mirror);
        let config = config.ok_or_else(|| Error::MirrorUnknown(mirror.to_owned()))?;
        let registry = Arc::clone(&self.registry);
        let mut mirror = Mirror::open(config, registry, self.host.as_deref())?;
        mirror.watch(progress);
        if dry_run {
            mirror.rehearse();
        }
        mirror.run().await
    }

    fn collector(&self, grace_s: Option<u64>) -> Collector {
        let registry = Arc::clone(&self.registry);
        let collector = Collector::new(registry, self.config.clone(), Pace::Full);
        match grace_s {
            Some(grace_s) => collector.with_grace(grace_s),
            None => collector,
        }
    }
}
