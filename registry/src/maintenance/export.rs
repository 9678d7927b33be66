//! Writes repositories to an OCI image layout, which every tool of the field reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{
    layout::{Folder, IndexEntry, REF_NAME},
    listing::for_each_key,
};
use crate::{
    Error, Result,
    service::{
        Reference, Registry, Stored,
        documents::{Child, Document},
    },
    storage::{Key, Prefix},
};

/// What is copied: a repository, or one tag of it with its referrers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The repository.
    pub repository: RepositoryName,
    /// One tag; everything, untagged manifests included, without one.
    pub tag: Option<Tag>,
}

/// How much was copied so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Copied {
    /// Manifests and indexes.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Blobs that were not there yet.
    pub blobs: u64,
    /// Their size.
    pub blob_bytes: u64,
    /// What could not be copied, and why.
    pub skipped: Vec<String>,
}

/// Told how far a copy is, after each piece of content.
pub type Watch<'a> = &'a mut (dyn FnMut(&Copied) + Send + Sync);

/// Copies repositories, or all of them, into a new layout.
pub(super) async fn export(
    registry: &Registry,
    selections: &[Selection],
    to: &Path,
    watch: Watch<'_>,
) -> Result<Copied> {
    let mut selections = selections.to_vec();
    if selections.is_empty() {
        for_each_key(registry, &Prefix::Repositories, async |key| {
            if let Ok(Key::Repository(repository)) = key {
                let tag = None;
                selections.push(Selection { repository, tag });
            }
            Ok(())
        })
        .await?;
    }
    let mut export = Export {
        registry,
        folder: Folder::create_layout(to).await?,
        done: BTreeSet::new(),
        named: BTreeMap::new(),
        copied: Copied::default(),
        watch,
    };
    for Selection { repository, tag } in selections {
        match tag {
            Some(tag) => export.tag(&repository, tag).await?,
            None => export.repository(&repository).await?,
        }
    }
    let entries = export.named.into_values().collect();
    export.folder.write_index(entries).await?;
    Ok(export.copied)
}

struct Export<'a> {
    registry: &'a Registry,
    folder: Folder,
    /// Manifests that were copied, by repository.
    done: BTreeSet<(RepositoryName, Digest)>,
    /// The entries of the index by their names.
    named: BTreeMap<String, IndexEntry>,
    copied: Copied,
    watch: Watch<'a>,
}

impl Export<'_> {
    async fn repository(&mut self, repository: &RepositoryName) -> Result<()> {
        let registry = self.registry;
        let repository_key = Key::Repository(repository.clone());
        if registry.metadata.get(&repository_key).await?.is_none() {
            return Err(Error::RepositoryUnknown(repository.clone()));
        }
        let tags = Prefix::Tags(repository.clone());
        for_each_key(registry, &tags, async |key| match key {
            Ok(Key::Tag(repository, tag)) => self.tag(&repository, tag).await,
            _ => Ok(()),
        })
        .await?;
        let manifests = Prefix::Manifests(repository.clone());
        for_each_key(registry, &manifests, async |key| match key {
            Ok(Key::Manifest(repository, digest)) => self.untagged(&repository, &digest).await,
            _ => Ok(()),
        })
        .await
    }

    async fn tag(&mut self, repository: &RepositoryName, tag: Tag) -> Result<()> {
        let name = format!("{repository}:{tag}");
        let reference = Reference::Tag(tag);
        let stored = self.registry.manifest(repository, &reference).await?;
        self.name(name, &stored);
        self.copied.tags += 1;
        self.manifests(repository, stored.digest).await
    }

    /// A manifest that no entry would lead to otherwise.
    async fn untagged(&mut self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        if self.done.contains(&(repository.clone(), digest.clone())) {
            return Ok(());
        }
        let reference = Reference::Digest(digest.clone());
        let stored = self.registry.manifest(repository, &reference).await?;
        self.name(format!("{repository}@{digest}"), &stored);
        self.manifests(repository, digest.clone()).await
    }

    fn name(&mut self, name: String, stored: &Stored) {
        let entry = IndexEntry {
            media_type: stored.media_type.clone(),
            digest: stored.digest.clone(),
            size: stored.bytes.len() as u64,
            annotations: BTreeMap::from([(REF_NAME.to_owned(), name.clone())]),
        };
        self.named.insert(name, entry);
    }

    /// Copies a manifest, what it refers to and what refers to it.
    async fn manifests(&mut self, repository: &RepositoryName, digest: Digest) -> Result<()> {
        let mut waiting = vec![digest];
        while let Some(digest) = waiting.pop() {
            if !self.done.insert((repository.clone(), digest.clone())) {
                continue;
            }
            let reference = Reference::Digest(digest.clone());
            let stored = self.registry.manifest(repository, &reference).await?;
            let document = Document::parse(&stored.bytes, Some(&stored.media_type))?;
            for child in &document.children {
                let nested = Key::Manifest(repository.clone(), child.digest().clone());
                let is_manifest = matches!(child, Child::Entry(_))
                    && self.registry.metadata.get(&nested).await?.is_some();
                if is_manifest {
                    waiting.push(child.digest().clone());
                } else {
                    self.blob(repository, child.digest()).await?;
                }
            }
            let bytes = stored.bytes.clone();
            let chunks = stream::iter([Ok::<Bytes, Error>(bytes)]).boxed();
            self.folder.write(&digest, chunks).await?;
            self.copied.manifests += 1;
            (self.watch)(&self.copied);
            waiting.extend(self.referrers(repository, &digest).await?);
        }
        Ok(())
    }

    /// Names the referrers of a manifest in the index, for nothing else leads to them.
    async fn referrers(
        &mut self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Digest>> {
        let listed = self.registry.listed_referrers(repository, subject).await?;
        let mut referrers = Vec::new();
        for digest in listed {
            let reference = Reference::Digest(digest.clone());
            match self.registry.manifest(repository, &reference).await {
                Err(Error::ManifestUnknown { .. }) => {}
                stored => {
                    self.name(format!("{repository}@{digest}"), &stored?);
                    referrers.push(digest);
                }
            }
        }
        Ok(referrers)
    }

    async fn blob(&mut self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        let blob = match self.registry.blob(repository, digest).await {
            Err(error @ Error::BlobUnknown { .. }) => {
                self.copied.skipped.push(error.to_string());
                return Ok(());
            }
            blob => blob?,
        };
        let chunks = self.registry.read_range(&blob, 0..blob.size_bytes).await?;
        if self.folder.write(digest, chunks).await? {
            self.copied.blobs += 1;
            self.copied.blob_bytes += blob.size_bytes;
            (self.watch)(&self.copied);
        }
        Ok(())
    }
}
