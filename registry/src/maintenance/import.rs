//! Takes over the content of an OCI image layout, or of distribution's tree.
//!
//! Content goes the way of a push, so its digests are verified and whatever guards pushes guards
//! this, too. What is there already is not copied again: an import that was cut short goes on where
//! it stopped.

use std::collections::BTreeSet;

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, Tag, media_type};
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde::Deserialize;

use super::{
    export::{Copied, Watch},
    source::{ImportFrom, Source},
};
use crate::{
    Error, Result,
    service::{
        ManifestPush, Reference, Registry,
        documents::{Child, Document},
    },
};

/// Blobs of one manifest that are copied at a time.
const BLOB_COPIES: usize = 4;
/// Indexes inside of indexes that are followed.
const MAX_DEPTH: usize = 8;

/// Copies everything that the source holds into the registry. Entries of a layout that name no repository go
/// to `repository`.
pub(super) async fn import(
    registry: &Registry,
    from: &ImportFrom,
    repository: Option<&RepositoryName>,
    watch: Watch<'_>,
) -> Result<Copied> {
    let source = Source::open(from).await?;
    let manifests = source.manifests(repository).await?;
    let mut import = Import {
        registry,
        source,
        done: BTreeSet::new(),
        copied: Copied::default(),
        watch,
    };
    for (repository, manifests) in manifests {
        for (digest, tags) in manifests {
            let tag_count = tags.len() as u64;
            let imported = import.manifest(&repository, &digest, tags, 0).await;
            match imported {
                Ok(()) => import.copied.tags += tag_count,
                Err(error) if is_content_broken(&error) => {
                    let skipped = format!("`{repository}@{digest}`: {error}");
                    import.copied.skipped.push(skipped);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(import.copied)
}

/// The rest can be imported all the same.
fn is_content_broken(error: &Error) -> bool {
    matches!(
        error,
        Error::DigestMismatch { .. }
            | Error::Folder { .. }
            | Error::ManifestInvalid(_)
            | Error::ManifestBlobUnknown(_)
            | Error::ManifestTooLarge { .. }
            | Error::TagImmutable { .. }
    )
}

struct Import<'a> {
    registry: &'a Registry,
    source: Source,
    /// Manifests that are in the registry, by repository.
    done: BTreeSet<(RepositoryName, Digest)>,
    copied: Copied,
    watch: Watch<'a>,
}

impl Import<'_> {
    /// Copies a manifest after everything that it refers to.
    fn manifest<'b>(
        &'b mut self,
        repository: &'b RepositoryName,
        digest: &'b Digest,
        tags: Vec<Tag>,
        depth: usize,
    ) -> BoxFuture<'b, Result<()>> {
        Box::pin(async move {
            let mark = (repository.clone(), digest.clone());
            if self.done.contains(&mark) && tags.is_empty() {
                return Ok(());
            }
            let bytes = self.bytes(digest).await?;
            if depth > MAX_DEPTH {
                let reason = format!("indexes are nested more than {MAX_DEPTH} deep");
                return Err(Error::ManifestInvalid(reason));
            }
            let media_type = media_type_of(&bytes)?;
            let document = Document::parse(&bytes, Some(&media_type))?;
            let mut blobs = Vec::new();
            for child in &document.children {
                match child {
                    Child::Entry(digest) if self.is_manifest(&document, digest).await? => {
                        let nested = self.manifest(repository, digest, Vec::new(), depth + 1);
                        nested.await?;
                    }
                    // Build caches list blobs in indexes.
                    Child::Blob(digest) | Child::Entry(digest) => blobs.push(digest.clone()),
                }
            }
            self.blobs(repository, blobs).await?;
            let push = ManifestPush {
                repository: repository.clone(),
                reference: Reference::Digest(digest.clone()),
                tags,
                content_type: Some(media_type),
                bytes,
                upstream: None,
            };
            self.registry.push_manifest(push).await?;
            if self.done.insert(mark) {
                self.copied.manifests += 1;
            }
            (self.watch)(&self.copied);
            Ok(())
        })
    }

    async fn bytes(&self, digest: &Digest) -> Result<Bytes> {
        let limit_bytes = self.registry.limits.manifest_bytes;
        let bytes = self.source.read(digest, limit_bytes).await?;
        bytes.ok_or_else(|| Error::ManifestBlobUnknown(digest.clone()))
    }

    async fn is_manifest(&self, document: &Document, digest: &Digest) -> Result<bool> {
        let entry = document.entries.iter().find(|it| it.digest == *digest);
        let is_named = entry.is_some_and(|entry| {
            [
                media_type::OCI_MANIFEST,
                media_type::OCI_INDEX,
                media_type::DOCKER_MANIFEST,
                media_type::DOCKER_MANIFEST_LIST,
            ]
            .contains(&entry.media_type.as_str())
        });
        Ok(is_named && self.source.has(digest).await?)
    }

    async fn blobs(&mut self, repository: &RepositoryName, blobs: Vec<Digest>) -> Result<()> {
        let (registry, source) = (self.registry, &self.source);
        let sizes: Vec<Option<u64>> = stream::iter(blobs)
            .map(|digest| async move { copy(registry, source, repository, &digest).await })
            .buffer_unordered(BLOB_COPIES)
            .try_collect()
            .await?;
        for size_bytes in sizes.into_iter().flatten() {
            self.copied.blobs += 1;
            self.copied.blob_bytes += size_bytes;
        }
        Ok(())
    }
}

/// Copies a blob and returns its size; `None` if it was there. One that the source lacks is left
/// for the manifest's push to report.
async fn copy(
    registry: &Registry,
    source: &Source,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<u64>> {
    if registry.blob(repository, digest).await.is_ok()
        || registry.mount_stored(repository, digest).await?
    {
        return Ok(None);
    }
    let Some(mut chunks) = source.stream(digest).await? else {
        return Ok(None);
    };
    registry.push_blob(repository, digest, &mut chunks).await?;
    let blob = registry.blob(repository, digest).await?;
    Ok(Some(blob.size_bytes))
}

/// The type of a manifest: OCI manifests need not say it.
fn media_type_of(bytes: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let shape: Shape =
        serde_json::from_slice(bytes).map_err(|error| Error::ManifestInvalid(error.to_string()))?;
    Ok(match (shape.media_type, shape.manifests) {
        (Some(media_type), _) => media_type,
        (None, Some(_)) => media_type::OCI_INDEX.to_owned(),
        (None, None) => media_type::OCI_MANIFEST.to_owned(),
    })
}
