//! What a registry does, above the stores and below HTTP.
//!
//! Writes to several records are ordered such that a crash between any two leaves nothing that a
//! client was told is complete, and nothing that garbage collection cannot find:
//!
//! - a tag never points to a missing manifest: manifests are written before and deleted after it;
//! - a manifest never references missing blobs: they are checked, and kept by touching them;
//! - a blob is visible only under the digest of its bytes: its record is written after its payload;
//! - a committed payload that became no blob is found from its upload's record;
//! - the referrers of a subject are exactly the manifests that name it.

mod admission;
mod blobs;
mod catalog;
pub(crate) mod documents;
mod hashes;
mod intake;
mod locks;
mod manifests;
mod quotas;
mod referrers;
mod tags;
mod upload_id;
mod uploads;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, Tag};
use globset::GlobSet;
use moka::future::Cache;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::task::TaskTracker;
use ulid::Ulid;

use crate::{
    Config, Error, Limits, Result,
    clock::{Clock, SystemClock},
    config::globs,
    maintenance::Tally,
    quota::{CountedMetadata, Quotas},
    records::{self, TagHint},
    retention::{Pulls, Rules},
    storage::{Candidate, Key, Metadata, Payloads, Write},
    trust::Trust,
    watched::Watched,
};

pub(crate) use admission::{Admission, digest_of};
pub(crate) use blobs::{BlobContent, BlobInfo, Read};
pub(crate) use locks::KeyedLocks;
use manifests::KnownManifest;
pub(crate) use manifests::{ManifestPush, Stored};
pub(crate) use referrers::{Descriptor, ReferrersPage, parse_list};
pub(crate) use tags::Page;
pub(crate) use upload_id::FIRST_BYTE_S;
pub use upload_id::UploadId;
pub(crate) use uploads::{Chunk, UploadStatus};

/// How often a compare-and-swap is tried before the request gives up.
const SWAP_ATTEMPTS: u32 = 24;

/// A registry over its two stores.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) payloads: Arc<dyn Payloads>,
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    /// What maintenance has done.
    pub(crate) tally: Tally,
    /// Work that outlives the request that asked for it; shutting down waits for it.
    pub(crate) tasks: TaskTracker,
    pub(crate) quotas: Option<Arc<Quotas>>,
    pub(crate) retention: Option<Rules>,
    /// What was pulled, if a rule asks for it.
    pub(crate) pulls: Option<Pulls>,
    immutable: GlobSet,
    /// What content has to be signed by; [`Self::trust`] is what is in force.
    pub(crate) trust: Option<Arc<Watched<Trust>>>,
    locks: KeyedLocks,
    upload_slots: Arc<Semaphore>,
    upload_secret: OnceCell<Bytes>,
    known_manifests: Cache<Key, KnownManifest>,
}

impl Registry {
    pub(crate) fn new(
        payloads: Arc<dyn Payloads>,
        metadata: Arc<dyn Metadata>,
        config: &Config,
    ) -> Result<Self> {
        let quotas = Quotas::open(&config.quotas)?;
        let retention = Rules::open(&config.retention)?;
        let metadata = match &quotas {
            None => metadata,
            Some(quotas) => Arc::new(CountedMetadata {
                inner: metadata,
                quotas: Arc::clone(quotas),
            }),
        };
        Ok(Self {
            payloads,
            metadata,
            limits: config.limits.clone(),
            clock: Arc::new(SystemClock::default()),
            tally: Tally::default(),
            tasks: TaskTracker::new(),
            quotas,
            pulls: Pulls::asked_for(retention.as_ref()),
            retention,
            immutable: globs("immutableTags", &config.immutable_tags)?,
            trust: None,
            locks: KeyedLocks::default(),
            upload_slots: Arc::new(Semaphore::new(config.limits.concurrent_uploads)),
            upload_secret: OnceCell::new(),
            known_manifests: KnownManifest::cache(),
        })
    }

    /// Requests at the moment that upload content.
    pub(crate) fn uploads_under_way(&self) -> usize {
        self.limits
            .concurrent_uploads
            .saturating_sub(self.upload_slots.available_permits())
    }

    /// The tag, once it exists, names the same content forever.
    pub(crate) fn is_immutable(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        !is_derived_from_digest(tag)
            && (self.immutable.is_match(repository.as_str())
                || self.immutable.is_match(format!("{repository}:{tag}")))
    }

    /// The trust policy says what the tag may point to.
    pub(crate) fn guards(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        let trust = self.trust.as_ref();
        trust.is_some_and(|trust| trust.last().guards(repository, tag))
    }

    /// Notes that a client pulled a manifest, where a rule of retention asks for it.
    pub(crate) fn note_pull(&self, repository: &RepositoryName, digest: &Digest) {
        if let (Some(pulls), Some(rules)) = (&self.pulls, &self.retention)
            && rules.ask_for_pulls(repository)
        {
            pulls.note(repository, digest, self.now_unix_s());
        }
    }

    /// A time stamp is so old that relying on the record requires a new one.
    ///
    /// Garbage collection spares what was touched within the grace period, so whoever sees a time
    /// stamp from its first half has at least the other half to act.
    fn is_stale(&self, touched_unix_s: u64) -> bool {
        self.now_unix_s().saturating_sub(touched_unix_s) > self.limits.grace_s / 2
    }

    /// Work that began at `started_s` of the steady clock has taken so long that what it saw at
    /// its beginning may be gone.
    ///
    /// What was not stale is safe for half a grace period. A quarter is left for the clocks of
    /// several machines to differ by.
    pub(crate) fn is_late(&self, started_s: u64) -> bool {
        self.clock.steady_s() - started_s > self.limits.grace_s / 4
    }

    pub(crate) fn now_unix_s(&self) -> u64 {
        self.clock.unix_now_s()
    }

    /// An identifier nobody has used, which begins with the time.
    pub(crate) fn new_id(&self) -> Ulid {
        Ulid::from_parts(self.now_unix_s() * 1000, Ulid::new().random())
    }

    /// The write that has garbage collection look at something when its grace period has passed.
    pub(crate) fn review(&self, candidate: Candidate) -> Write {
        self.review_with(candidate, Bytes::new())
    }

    /// The same for a referrer, whose subject nobody could tell once it is gone.
    fn review_referrer(
        &self,
        repository: &RepositoryName,
        referrer: &Digest,
        subject: &Digest,
    ) -> Write {
        let candidate = Candidate::Referrer(repository.clone(), referrer.clone());
        self.review_with(candidate, Bytes::from(subject.to_string()))
    }

    fn review_with(&self, candidate: Candidate, value: Bytes) -> Write {
        let due_unix_s = self.now_unix_s() + self.limits.grace_s;
        let key = Key::Candidate {
            due_unix_s,
            candidate,
        };
        Write::put(key, value)
    }

    /// The write that announces that a tag is about to point to a manifest.
    pub(crate) fn hint(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<Write> {
        let hint = TagHint {
            written_unix_s: self.now_unix_s(),
            nonce: self.new_id(),
        };
        let key = Key::ManifestTag(repository.clone(), digest.clone(), tag.clone());
        Ok(Write::put(key, records::encode(&hint, &[])?))
    }
}

/// One manifest, as clients name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// A loop of compare-and-swap attempts, which backs off with jitter and ends.
pub(crate) struct Attempts {
    what: String,
    made: u32,
}

impl Attempts {
    pub(crate) fn at(what: impl fmt::Display) -> Self {
        let what = what.to_string();
        Self { what, made: 0 }
    }

    /// Waits before the next attempt; the first does not wait.
    pub(crate) async fn next(&mut self) -> Result<()> {
        if self.made >= SWAP_ATTEMPTS {
            let what = self.what.clone();
            return Err(Error::Contended { what });
        }
        if self.made > 1 {
            let ceiling_ms = 1_u64 << self.made.min(7);
            let random = u64::try_from(Ulid::new().random() & 0xffff).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(random % ceiling_ms)).await;
        }
        self.made += 1;
        Ok(())
    }
}

/// `sha256-<hex>` and what hangs on it (`.sig`, `.att`): the tag is computed from content.
fn is_derived_from_digest(tag: &Tag) -> bool {
    digest_of(tag).is_some()
}
