//! One repository as the verifier of signatures reads it.

use std::io;

use cairn_oci::{
    Error, VerifyReader,
    store::{Fetch, Name, Resolve},
};
use cairn_spec::{Descriptor, Digest, RepositoryName};
use futures_util::TryStreamExt as _;
use tokio_util::io::StreamReader;

use crate::service::{self, Reference, Registry};

/// A repository, read-only.
pub(crate) struct RepositoryView<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) repository: &'a RepositoryName,
}

impl Fetch for RepositoryView<'_> {
    async fn fetch(&self, descriptor: &Descriptor) -> Result<VerifyReader, Error> {
        let digest = &descriptor.digest;
        if descriptor.is_manifest() {
            let stored = self.manifest(&Reference::Digest(digest.clone())).await?;
            return Ok(VerifyReader::of_bytes(descriptor, stored.bytes));
        }
        let blob = self.registry.blob(self.repository, digest).await;
        let blob = blob.map_err(|error| translated(digest, error))?;
        let chunks = self.registry.read_range(&blob, 0..blob.size_bytes).await;
        let chunks = chunks.map_err(|error| translated(digest, error))?;
        let reader = StreamReader::new(chunks.map_err(io::Error::other));
        Ok(VerifyReader::new(descriptor, reader))
    }

    async fn exists(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        match self.fetch(descriptor).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Resolve for RepositoryView<'_> {
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error> {
        let reference = match name {
            Name::Tag(tag) => Reference::Tag(tag.clone()),
            Name::Digest(digest) => Reference::Digest(digest.clone()),
        };
        let stored = self.manifest(&reference).await?;
        let size_bytes = stored.bytes.len() as u64;
        Ok(Descriptor::new(
            &stored.media_type,
            stored.digest,
            size_bytes,
        ))
    }

    async fn referrers(
        &self,
        subject: &Descriptor,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let digest = &subject.digest;
        let mut found = Vec::new();
        let mut last: Option<Digest> = None;
        loop {
            let page = self
                .registry
                .referrers(self.repository, digest, artifact_type, last.as_ref())
                .await
                .map_err(|error| translated(digest, error))?;
            last = page.entries.last().map(|entry| entry.digest.clone());
            for entry in &page.entries {
                let entry = entry.descriptor();
                found.push(descriptor(
                    entry.map_err(|error| translated(digest, error))?,
                ));
            }
            if !page.has_more {
                return Ok(found);
            }
        }
    }
}

impl RepositoryView<'_> {
    async fn manifest(&self, reference: &Reference) -> Result<service::Stored, Error> {
        let stored = self.registry.manifest(self.repository, reference).await;
        stored.map_err(|error| match error {
            crate::Error::ManifestUnknown { .. } => Error::NotFound {
                what: reference.to_string(),
            },
            error => Error::Malformed {
                what: reference.to_string(),
                reason: error.to_string(),
            },
        })
    }
}

fn descriptor(entry: service::Descriptor) -> Descriptor {
    let mut descriptor = Descriptor::new(&entry.media_type, entry.digest, entry.size);
    descriptor.artifact_type = entry.artifact_type;
    descriptor.annotations = entry.annotations.unwrap_or_default();
    descriptor
}

fn translated(digest: &Digest, error: crate::Error) -> Error {
    match error {
        crate::Error::BlobUnknown { .. } => Error::NotFound {
            what: digest.to_string(),
        },
        error => Error::Content {
            digest: digest.clone(),
            source: io::Error::other(error),
        },
    }
}
