//! What maintenance has done, in numbers.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// What garbage collection did since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Progress {
    /// Passes over what was due.
    pub passes: u64,
    /// Passes that failed before their end.
    pub broken_off: u64,
    /// How long the passes took that ended, together.
    pub duration_ms: u64,
    /// Parts of a pass that another replica took over, because this one was slow.
    pub leases_lost: u64,
    /// Candidates looked at.
    pub examined: u64,
    /// Blobs taken out of a repository.
    pub memberships: u64,
    /// Blobs that no repository held, deleted with their content.
    pub blobs: u64,
    /// The size of their content.
    pub blob_bytes: u64,
    /// Manifests deleted.
    pub manifests: u64,
    /// Entries of referrers lists added or removed, so that they agree with the manifests.
    pub referrers: u64,
    /// Hints on tags that had moved, removed.
    pub hints: u64,
    /// Abandoned uploads ended.
    pub uploads: u64,
    /// Payloads that a crash had left behind, removed.
    pub payloads: u64,
    /// What failed, to be tried again by the next pass.
    pub failures: u64,
    /// Candidates that were left in the queue by the last pass, as far as they were counted.
    pub waiting: u64,
    /// When the last pass ended, in seconds since 1970; 0 before the first.
    pub last_run_unix_s: u64,
    /// For how long the oldest candidate that is left has been due.
    pub backlog_age_s: u64,
}

/// Where parts that work side by side add up what they did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    progress: Arc<Mutex<Progress>>,
}

impl Tally {
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
