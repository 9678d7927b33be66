//! Checks every record against the others, one by one.
//!
//! What must hold is a list of invariants ([`Invariant`]); tests check the same list after crashes
//! and between any two steps of requests that race.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use bytes::Bytes;
use cairn_spec::{Digest, Hasher, RepositoryName};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::{listing::for_each_key, repair, tracked::Tracked};
use crate::{
    Error, Result, quota,
    records::{self, Blob, Location, Manifest, State, Tag, Upload},
    service::Registry,
    storage::{Entry, Family, Key, Prefix},
};

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Invariant {
    /// A manifest has all the content it refers to.
    Complete,
    /// A tag points to a manifest.
    Tagged,
    /// Content is what its digest says.
    Intact,
    /// Whatever nobody needs is found by garbage collection.
    Tracked,
    /// The referrers of a subject are the manifests that name it.
    Referred,
    /// What quotas go by is what repositories hold.
    Counted,
}

/// A record that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Finding {
    /// Which one.
    pub invariant: Invariant,
    /// The record.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// It has been repaired.
    pub repaired: bool,
}

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FsckOptions {
    /// Read and hash all content, not only look whether it is there.
    pub read_data: bool,
    /// Repair what can be repaired from other records.
    pub repair: bool,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Checked {
    /// Records read.
    pub records: u64,
    /// Bytes of content read and hashed.
    pub content_bytes: u64,
    /// Findings that are not repaired.
    pub broken: u64,
    /// Findings that are.
    pub repaired: u64,
}

/// A finding to be, and what can be done about it.
struct Broken {
    invariant: Invariant,
    problem: String,
    remedy: &'static str,
    repair: Repair,
}

/// What can be done about a finding.
pub(super) enum Repair {
    /// Nothing, without the content.
    Impossible,
    /// Remove a record that leads nowhere, if it is still the one that was read.
    Remove(Key, Entry),
    /// Write the hint on a tag.
    Hint(RepositoryName, Digest, cairn_spec::Tag),
    /// Make the list of a subject agree with a referrer.
    Referrer(RepositoryName, Digest, Digest),
    /// Have garbage collection look at a blob.
    Queue(RepositoryName, Digest),
    /// Count what repositories hold.
    Recount,
}

pub(super) struct Check<'a> {
    registry: &'a Registry,
    options: FsckOptions,
    checked: Checked,
    found: &'a mut (dyn FnMut(Finding) + Send),
    /// The referrers of the subjects looked at last.
    lists: Vec<((RepositoryName, Digest), HashSet<Digest>)>,
}

/// Subjects whose referrers are remembered.
const REMEMBERED_LISTS: usize = 16;

/// Checks all records and reports what is broken, one finding at a time.
pub(super) async fn fsck(
    registry: &Registry,
    options: FsckOptions,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Result<Checked> {
    let mut check = Check::new(registry, options, found);
    check.check_records().await?;
    check.check_tracked().await?;
    check.check_counted().await?;
    Ok(check.checked)
}

impl<'a> Check<'a> {
    pub(super) fn new(
        registry: &'a Registry,
        options: FsckOptions,
        found: &'a mut (dyn FnMut(Finding) + Send),
    ) -> Self {
        Self {
            registry,
            options,
            checked: Checked::default(),
            found,
            lists: Vec::new(),
        }
    }

    /// Every record agrees with those it names.
    pub(super) async fn check_records(&mut self) -> Result<()> {
        let registry = self.registry;
        for family in [
            Prefix::Family(Family::Blobs),
            Prefix::Family(Family::Memberships),
            Prefix::Family(Family::Manifests),
            Prefix::Family(Family::Tags),
            Prefix::Family(Family::Referrers),
            Prefix::Uploads,
        ] {
            for_each_key(registry, &family, async |key| match key {
                Ok(key) => self.record(key).await,
                Err(name) => {
                    let problem = "its key is malformed".to_owned();
                    let remedy = "tell the developers: nothing writes such a key";
                    let invariant = Invariant::Tracked;
                    self.report(
                        name,
                        Broken {
                            invariant,
                            problem,
                            remedy,
                            repair: Repair::Impossible,
                        },
                    )
                    .await
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn record(&mut self, key: Key) -> Result<()> {
        let Some(entry) = self.registry.metadata.get(&key).await? else {
            return Ok(());
        };
        self.checked.records += 1;
        let outcome = match &key {
            Key::Blob(digest) => self.blob(&key, digest, &entry).await,
            Key::RepositoryBlob(digest, _) => self.membership(&key, digest, &entry).await,
            Key::Manifest(repository, digest) => {
                self.manifest(&key, (repository, digest), &entry).await
            }
            Key::Tag(repository, tag) => self.tag(&key, (repository, tag), &entry).await,
            Key::Referrers(repository, subject, _) => {
                self.list(&key, (repository, subject), &entry).await
            }
            _ => records::decode::<Upload>(&key, &entry).map(drop),
        };
        match outcome {
            Err(Error::Corrupt { reason, .. }) => {
                let remedy = "restore the metadata from a backup, or delete and push again";
                let invariant = Invariant::Intact;
                self.report(
                    key,
                    Broken {
                        invariant,
                        problem: reason,
                        remedy,
                        repair: Repair::Impossible,
                    },
                )
                .await
            }
            outcome => outcome,
        }
    }

    async fn blob(&mut self, key: &Key, digest: &Digest, entry: &Entry) -> Result<()> {
        let (blob, body): (Blob, Bytes) = records::decode(key, entry)?;
        if blob.state == State::Deleting {
            return Ok(());
        }
        let problem = match blob.location {
            Location::Inline if digest.matches(&body) => return Ok(()),
            Location::Inline => "its content has another digest".to_owned(),
            Location::Payload(payload) => {
                let first = if self.options.read_data {
                    0
                } else {
                    blob.size_bytes.saturating_sub(1)
                };
                match self.hash(payload, first..blob.size_bytes, digest).await {
                    Ok(actual) if !self.options.read_data || actual == *digest => return Ok(()),
                    Ok(_) => format!("its payload `{payload}` has another digest"),
                    Err(error) => format!("its payload `{payload}` cannot be read: {error}"),
                }
            }
        };
        let remedy =
            "remove it with --repair, then push the content again: clients upload what is missing";
        let repair = Repair::Remove(key.clone(), entry.clone());
        self.report(
            key,
            Broken {
                invariant: Invariant::Intact,
                problem,
                remedy,
                repair,
            },
        )
        .await
    }

    async fn hash(
        &mut self,
        payload: crate::storage::PayloadKey,
        range: std::ops::Range<u64>,
        digest: &Digest,
    ) -> Result<Digest> {
        let mut chunks = self.registry.payloads.read(payload, range).await?;
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            self.checked.content_bytes += chunk.len() as u64;
            hasher.update(&chunk);
        }
        Ok(hasher.finish())
    }

    async fn membership(&mut self, key: &Key, digest: &Digest, entry: &Entry) -> Result<()> {
        let (member, body): (Blob, Bytes) = records::decode(key, entry)?;
        let blob = self.registry.read_any(&Key::Blob(digest.clone())).await?;
        let problem = match blob {
            None => "the blob it stands for is not stored",
            Some(read) if read.blob.state == State::Deleting => {
                "the blob it stands for is being deleted"
            }
            Some(read)
                if read.blob.location != member.location
                    || read.blob.size_bytes != member.size_bytes =>
            {
                "the blob it stands for is stored elsewhere"
            }
            Some(_) if member.location == Location::Inline && !digest.matches(&body) => {
                "its content has another digest"
            }
            Some(_) => return Ok(()),
        };
        let remedy =
            "remove it with --repair, then push the content again: clients upload what is missing";
        let repair = Repair::Remove(key.clone(), entry.clone());
        self.report(
            key,
            Broken {
                invariant: Invariant::Intact,
                problem: problem.to_owned(),
                remedy,
                repair,
            },
        )
        .await
    }

    async fn manifest(
        &mut self,
        key: &Key,
        (repository, digest): (&RepositoryName, &Digest),
        entry: &Entry,
    ) -> Result<()> {
        let (manifest, bytes): (Manifest, Bytes) = records::decode(key, entry)?;
        if !digest.matches(&bytes) {
            return Err(Error::corrupt(key, "its content has another digest"));
        }
        // Those of an upstream's manifest come when somebody asks for them.
        let children = manifest.children.iter();
        for child in children.filter(|_| manifest.upstream.is_none()) {
            let blob = Key::RepositoryBlob(child.clone(), repository.clone());
            let nested = Key::Manifest(repository.clone(), child.clone());
            let metadata = &self.registry.metadata;
            if metadata.get(&blob).await?.is_none() && metadata.get(&nested).await?.is_none() {
                let problem = format!("it refers to `{child}`, which the repository does not hold");
                let remedy = "push it again, or delete it";
                let invariant = Invariant::Complete;
                self.report(
                    key,
                    Broken {
                        invariant,
                        problem,
                        remedy,
                        repair: Repair::Impossible,
                    },
                )
                .await?;
            }
        }
        let Some(subject) = &manifest.subject else {
            return Ok(());
        };
        if !self.is_listed(repository, subject, digest).await? {
            let problem = format!("it is missing among the referrers of `{subject}`");
            let remedy = "add it with --repair";
            let repair = Repair::Referrer(repository.clone(), subject.clone(), digest.clone());
            self.report(
                key,
                Broken {
                    invariant: Invariant::Referred,
                    problem,
                    remedy,
                    repair,
                },
            )
            .await?;
        }
        Ok(())
    }

    async fn is_listed(
        &mut self,
        repository: &RepositoryName,
        subject: &Digest,
        referrer: &Digest,
    ) -> Result<bool> {
        let wanted = (repository.clone(), subject.clone());
        let known = self.lists.iter().position(|(key, _)| *key == wanted);
        let index = if let Some(index) = known {
            index
        } else {
            let list = self.registry.listed_referrers(repository, subject).await?;
            if self.lists.len() == REMEMBERED_LISTS {
                self.lists.remove(0);
            }
            self.lists.push((wanted, list));
            self.lists.len() - 1
        };
        Ok(self.lists[index].1.contains(referrer))
    }

    async fn tag(
        &mut self,
        key: &Key,
        (repository, tag): (&RepositoryName, &cairn_spec::Tag),
        entry: &Entry,
    ) -> Result<()> {
        let (record, _): (Tag, Bytes) = records::decode(key, entry)?;
        let digest = &record.digest;
        let metadata = &self.registry.metadata;
        let manifest = Key::Manifest(repository.clone(), digest.clone());
        if metadata.get(&manifest).await?.is_none() {
            let problem = format!("it points to `{digest}`, which the repository does not hold");
            let remedy = "remove it with --repair, or push what it pointed to again";
            let repair = Repair::Remove(key.clone(), entry.clone());
            return self
                .report(
                    key,
                    Broken {
                        invariant: Invariant::Tagged,
                        problem,
                        remedy,
                        repair,
                    },
                )
                .await;
        }
        let hint = Key::ManifestTag(repository.clone(), digest.clone(), tag.clone());
        if metadata.get(&hint).await?.is_none() {
            let problem = "deleting its manifest would not find it".to_owned();
            let remedy = "write the hint with --repair";
            let repair = Repair::Hint(repository.clone(), digest.clone(), tag.clone());
            return self
                .report(
                    key,
                    Broken {
                        invariant: Invariant::Tagged,
                        problem,
                        remedy,
                        repair,
                    },
                )
                .await;
        }
        Ok(())
    }

    async fn list(
        &mut self,
        key: &Key,
        (repository, subject): (&RepositoryName, &Digest),
        entry: &Entry,
    ) -> Result<()> {
        for referrer in repair::entries(key, entry)? {
            let manifest = Key::Manifest(repository.clone(), referrer.clone());
            let names = match self.registry.metadata.get(&manifest).await? {
                Some(entry) => {
                    let (record, _): (Manifest, _) = records::decode(&manifest, &entry)?;
                    record.subject.as_ref() == Some(subject)
                }
                None => false,
            };
            if !names {
                let problem = format!("it lists `{referrer}`, which is no referrer of the subject");
                let remedy = "remove the entry with --repair";
                let repair = Repair::Referrer(repository.clone(), subject.clone(), referrer);
                self.report(
                    key,
                    Broken {
                        invariant: Invariant::Referred,
                        problem,
                        remedy,
                        repair,
                    },
                )
                .await?;
            }
        }
        Ok(())
    }

    /// Blobs that nothing refers to are in the queue of garbage collection.
    async fn check_tracked(&mut self) -> Result<()> {
        let hasher = RandomState::new();
        let parts = Tracked::parts(self.registry).await?;
        for part in 0..parts {
            let tracked = Tracked::read(self.registry, &hasher, (part, parts)).await?;
            let memberships = Prefix::Family(Family::Memberships);
            for_each_key(self.registry, &memberships, async |key| {
                let Ok(key @ Key::RepositoryBlob(..)) = key else {
                    return Ok(());
                };
                let Key::RepositoryBlob(digest, repository) = &key else {
                    return Ok(());
                };
                if tracked.covers(hasher.hash_one((repository, digest))) {
                    return Ok(());
                }
                let problem = "nothing refers to it, and garbage collection does not know of it";
                let remedy = "queue it with --repair";
                let repair = Repair::Queue(repository.clone(), digest.clone());
                let problem = problem.to_owned();
                self.report(
                    &key,
                    Broken {
                        invariant: Invariant::Tracked,
                        problem,
                        remedy,
                        repair,
                    },
                )
                .await
            })
            .await?;
            for_each_key(self.registry, &Prefix::Family(Family::Blobs), async |key| {
                let Ok(Key::Blob(digest)) = key else {
                    return Ok(());
                };
                if tracked.covers(hasher.hash_one(&digest)) {
                    return Ok(());
                }
                let holders = Prefix::BlobRepositories(digest.clone());
                let holders = self.registry.metadata.list(&holders, None, 1).await?;
                if !holders.is_empty() {
                    return Ok(());
                }
                let problem = "no repository holds it, and garbage collection does not know of it";
                let remedy = "queue it with --repair";
                let repair = Repair::Queue(repair::nobody()?, digest.clone());
                let problem = problem.to_owned();
                let key = Key::Blob(digest);
                self.report(
                    key,
                    Broken {
                        invariant: Invariant::Tracked,
                        problem,
                        remedy,
                        repair,
                    },
                )
                .await
            })
            .await?;
        }
        Ok(())
    }

    /// The records of usage agree with what repositories hold.
    async fn check_counted(&mut self) -> Result<()> {
        let miscounts = quota::miscounts(self.registry, Duration::ZERO).await?;
        for miscount in miscounts {
            let problem = format!(
                "it says {} bytes, but the repository holds {}",
                miscount.recorded_bytes, miscount.held_bytes
            );
            let broken = Broken {
                invariant: Invariant::Counted,
                problem,
                remedy: "count anew with --repair; servers do it every `quotas.recountIntervalS`",
                repair: Repair::Recount,
            };
            self.report(Key::Usage(miscount.repository), broken).await?;
        }
        Ok(())
    }

    async fn report(&mut self, key: impl std::fmt::Display, broken: Broken) -> Result<()> {
        let repaired = self.options.repair && repair::apply(self.registry, broken.repair).await?;
        if repaired {
            self.checked.repaired += 1;
        } else {
            self.checked.broken += 1;
        }
        (self.found)(Finding {
            invariant: broken.invariant,
            key: key.to_string(),
            problem: broken.problem,
            remedy: broken.remedy,
            repaired,
        });
        Ok(())
    }
}
