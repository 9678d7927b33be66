//! This registry as a place to copy from and to.

use std::sync::Arc;

use bytes::Bytes;
use cairn_oci::{
    Error, Name, VerifyReader, limits,
    store::{Fetch, Push, Resolve, SetTag},
    sync,
};
use cairn_spec::{Descriptor, RepositoryName, Tag};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::ReaderStream;

use crate::{
    auth::Readable,
    service::{ManifestPush, Reference, Registry},
    storage::Chunks,
    trust::RepositoryView,
};

/// How much of a blob is read at a time, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// The registry of this process.
#[derive(Debug, Clone)]
pub(super) struct LocalRegistry {
    pub(super) registry: Arc<Registry>,
    /// The host by which trust policies know it.
    pub(super) host: String,
}

/// One of its repositories.
#[derive(Debug, Clone)]
pub(super) struct LocalRepository {
    registry: Arc<Registry>,
    name: RepositoryName,
}

impl sync::Registry for LocalRegistry {
    type Repository = LocalRepository;

    fn name_of(&self, repository: &RepositoryName) -> String {
        format!("{}/{repository}", self.host)
    }

    async fn repositories(&self) -> Result<Vec<RepositoryName>, Error> {
        let mut found = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let everything = Readable::everything();
            let page = self
                .registry
                .repositories(None, last.as_deref(), &everything);
            let page = page.await.map_err(|error| failed("repositories", error))?;
            found.extend(page.names.iter().filter_map(|name| name.parse().ok()));
            last = page.next;
            if last.is_none() {
                return Ok(found);
            }
        }
    }

    fn repository(&self, name: &RepositoryName) -> LocalRepository {
        LocalRepository {
            registry: Arc::clone(&self.registry),
            name: name.clone(),
        }
    }
}

impl LocalRepository {
    fn view(&self) -> RepositoryView<'_> {
        RepositoryView {
            registry: &self.registry,
            repository: &self.name,
        }
    }

    async fn push_manifest(
        &self,
        descriptor: &Descriptor,
        bytes: Bytes,
        tag: Option<&Tag>,
    ) -> Result<(), Error> {
        let pushed = self.registry.push_manifest(ManifestPush {
            repository: self.name.clone(),
            reference: Reference::Digest(descriptor.digest.clone()),
            tags: tag.cloned().into_iter().collect(),
            content_type: Some(descriptor.media_type.clone()),
            bytes,
            upstream: None,
        });
        let pushed = pushed.await;
        pushed
            .map(drop)
            .map_err(|error| failed(&descriptor.digest, error))
    }
}

impl sync::ListTags for LocalRepository {
    async fn tags(&self) -> Result<Vec<Tag>, Error> {
        let mut found = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let page = self.registry.tags(&self.name, None, last.as_deref()).await;
            let page = page.map_err(|error| failed(&self.name, error))?;
            found.extend(page.names.iter().filter_map(|name| name.parse().ok()));
            last = page.next;
            if last.is_none() {
                return Ok(found);
            }
        }
    }
}

impl Fetch for LocalRepository {
    async fn fetch(&self, descriptor: &Descriptor) -> Result<VerifyReader, Error> {
        self.view().fetch(descriptor).await
    }

    /// A manifest that was pulled through is not there for a mirror: what it refers to may be
    /// missing.
    async fn exists(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        let digest = &descriptor.digest;
        let there = if descriptor.is_manifest() {
            self.registry.holds_whole(&self.name, digest).await
        } else {
            self.registry.holds_blob(&self.name, digest).await
        };
        there.map_err(|error| failed(digest, error))
    }
}

impl Resolve for LocalRepository {
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error> {
        self.view().resolve(name).await
    }

    async fn referrers(
        &self,
        subject: &Descriptor,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        self.view().referrers(subject, artifact_type).await
    }
}

impl Push for LocalRepository {
    async fn push(&self, descriptor: &Descriptor, content: VerifyReader) -> Result<(), Error> {
        if descriptor.is_manifest() {
            let bytes = content.read_all(limits::MAX_MANIFEST_BYTES as u64).await?;
            return self.push_manifest(descriptor, bytes.into(), None).await;
        }
        let chunks = ReaderStream::with_capacity(content, CHUNK_BYTES);
        let broken = |error: std::io::Error| crate::Error::Body(error.into());
        let mut chunks: Chunks = chunks.map_err(broken).boxed();
        let digest = &descriptor.digest;
        let pushed = self
            .registry
            .push_blob(&self.name, digest, &mut chunks)
            .await;
        pushed.map_err(|error| failed(digest, error))
    }
}

impl SetTag for LocalRepository {
    async fn set_tag(&self, descriptor: &Descriptor, tag: &Tag) -> Result<(), Error> {
        let digest = &descriptor.digest;
        let reference = Reference::Digest(digest.clone());
        let stored = self.registry.manifest(&self.name, &reference).await;
        let stored = stored.map_err(|error| failed(digest, error))?;
        let described = Descriptor::new(&stored.media_type, digest.clone(), descriptor.size);
        self.push_manifest(&described, stored.bytes, Some(tag))
            .await
    }
}

/// A failure of this registry in the words of a copy.
fn failed(what: impl std::fmt::Display, error: crate::Error) -> Error {
    let what = what.to_string();
    let reason = error.to_string();
    match error {
        crate::Error::ManifestUnknown { .. }
        | crate::Error::BlobUnknown { .. }
        | crate::Error::RepositoryUnknown(_) => Error::NotFound { what },
        crate::Error::TagImmutable { .. } => Error::Conflict { what, reason },
        crate::Error::Untrusted { .. } => Error::Denied { what, reason },
        error => Error::Store {
            what,
            source: Box::new(error),
        },
    }
}
