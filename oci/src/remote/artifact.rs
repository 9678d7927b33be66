//! Whole artifacts, from memory and into memory.

use std::io;

use cairn_spec::{Artifact, Blob, Descriptor, Digest, Reference};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::Repository;
use crate::{
    Error, limits,
    progress::Event,
    store::{Fetch as _, Name, Push as _, Resolve as _, VerifyReader},
};

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest.
    pub digest: Digest,
    /// How many blobs and manifests moved.
    pub uploaded: usize,
    /// How many were there already.
    pub skipped: usize,
}

/// How much is read into memory.
#[derive(Debug, Clone, Copy)]
pub struct PullLimits {
    /// The largest blob, in bytes.
    pub blob_bytes: u64,
    /// All blobs together, in bytes.
    pub total_bytes: u64,
}

impl Default for PullLimits {
    fn default() -> Self {
        Self {
            blob_bytes: limits::MAX_BLOB_IN_MEMORY_BYTES,
            total_bytes: limits::MAX_ARTIFACT_IN_MEMORY_BYTES,
        }
    }
}

impl PullLimits {
    fn check(self, manifest: &cairn_spec::Manifest) -> Result<(), Error> {
        let refuse = |what: &Digest, limit| Error::Limit {
            what: what.to_string(),
            limit,
            unit: "bytes",
        };
        let mut total: u64 = 0;
        for child in manifest.children() {
            if child.size > self.blob_bytes {
                return Err(refuse(&child.digest, self.blob_bytes));
            }
            total = total.saturating_add(child.size);
        }
        if total > self.total_bytes {
            return Err(refuse(manifest.digest(), self.total_bytes));
        }
        Ok(())
    }
}

impl Repository {
    pub(super) async fn push_artifact(
        &self,
        reference: &Reference,
        artifact: &Artifact,
    ) -> Result<Pushed, Error> {
        let digest = artifact.digest().clone();
        match &reference.digest {
            Some(expected) if *expected != digest => {
                return Err(Error::Incomplete {
                    reference: reference.to_string(),
                    reason: "holds a digest that is not the artifact's",
                });
            }
            _ => {}
        }
        let name = match &reference.tag {
            Some(tag) => Name::Tag(tag.clone()),
            None => Name::Digest(digest.clone()),
        };
        let descriptor = artifact.manifest().descriptor();
        let progress = &self.client.inner.options.progress;
        let there = match self.resolve(&name).await {
            Ok(found) => found.digest == digest,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error),
        };
        if there {
            progress.report(&descriptor, Event::Skipped);
            return Ok(Pushed {
                digest,
                uploaded: 0,
                skipped: artifact.blobs().len() + 1,
            });
        }
        // Collected first, so that the future of the push can be spawned.
        let pushes: Vec<_> = artifact
            .blobs()
            .iter()
            .map(|blob| self.push_blob(blob))
            .collect();
        let moved: Vec<bool> = stream::iter(pushes)
            .buffer_unordered(limits::CONCURRENT_BLOBS)
            .try_collect()
            .await?;
        progress.report(&descriptor, Event::Started);
        self.write_manifest(&name, artifact.manifest()).await?;
        progress.report(&descriptor, Event::Finished);
        let uploaded = moved.iter().filter(|moved| **moved).count();
        Ok(Pushed {
            digest,
            uploaded: uploaded + 1,
            skipped: moved.len() - uploaded,
        })
    }

    /// Uploads a blob unless it is there.
    async fn push_blob(&self, blob: &Blob) -> Result<bool, Error> {
        let descriptor = blob.descriptor();
        let progress = &self.client.inner.options.progress;
        if self.exists(descriptor).await? {
            progress.report(descriptor, Event::Skipped);
            return Ok(false);
        }
        progress.report(descriptor, Event::Started);
        let content =
            VerifyReader::of_bytes(descriptor, blob.bytes().to_vec()).watched(progress, descriptor);
        self.push(descriptor, content).await?;
        progress.report(descriptor, Event::Finished);
        Ok(true)
    }

    pub(super) async fn pull_artifact(
        &self,
        name: &Name,
        pull_limits: &PullLimits,
    ) -> Result<Artifact, Error> {
        let (_, manifest) = self.read_manifest(name).await?;
        let what = format!("{} {name}", self.origin);
        if manifest.is_index() {
            return Err(Error::Incomplete {
                reference: what,
                reason: "is an index of several artifacts: name one of them by its digest",
            });
        }
        pull_limits.check(&manifest)?;
        let mut children: Vec<Descriptor> = Vec::new();
        for child in manifest.children() {
            if !children.iter().any(|known| known.digest == child.digest) {
                children.push(child.clone());
            }
        }
        // `buffered` keeps the order of the manifest.
        let blobs: Vec<Blob> = stream::iter(children)
            .map(async |child| self.pull_blob(child).await)
            .buffered(limits::CONCURRENT_BLOBS)
            .try_collect()
            .await?;
        Artifact::new(manifest, blobs).map_err(Error::artifact(what))
    }

    async fn pull_blob(&self, descriptor: Descriptor) -> Result<Blob, Error> {
        let options = &self.client.inner.options;
        let mut attempt = 1;
        let bytes = loop {
            options.progress.report(&descriptor, Event::Started);
            let content = self.fetch(&descriptor).await?;
            let content = content.watched(&options.progress, &descriptor);
            match content.read_all(descriptor.size).await {
                Ok(bytes) => break bytes,
                // A connection that broke is worth another try; wrong content is not.
                Err(Error::Content { source, .. })
                    if source.kind() != io::ErrorKind::InvalidData
                        && attempt < options.max_attempts =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        };
        options.progress.report(&descriptor, Event::Finished);
        let digest = descriptor.digest.clone();
        Blob::checked(descriptor, bytes).map_err(Error::artifact(digest))
    }
}
