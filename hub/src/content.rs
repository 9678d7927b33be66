//! Bundles for agents that reach nothing but their hub: what their desired state names, and nothing
//! else.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use cairn_oci::{
    Client,
    store::{Fetch as _, Name},
};
use cairn_spec::{Descriptor, Digest, Manifest, agent::BundleSource};
use futures_util::{StreamExt as _, stream::BoxStream};
use tokio_util::io::ReaderStream;

use crate::{Error, Hub, authentication::Caller};

/// The most manifests that are kept in memory.
const MAX_MANIFESTS: usize = 64;
/// What is read from a blob at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why content cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the content of `{repository}` cannot be read")]
pub struct ContentError {
    /// Where it was looked for.
    pub repository: String,
    /// What is wrong.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A blob as it is read.
pub(crate) type Blob = BoxStream<'static, io::Result<Bytes>>;

/// Where the hub reads bundles.
#[async_trait]
pub trait ContentSource: fmt::Debug + Send + Sync + 'static {
    /// A bundle's manifest, with the digest that was asked for.
    async fn manifest(&self, bundle: &BundleSource) -> Result<Manifest, ContentError>;
    /// A blob of a bundle, from its beginning on. The stream fails at its end unless size and digest
    /// are right.
    async fn blob(&self, bundle: &BundleSource, blob: &Descriptor) -> Result<Blob, ContentError>;
}

/// Reads bundles from their registries.
#[derive(Debug)]
pub struct RegistryContent {
    client: Client,
}

impl RegistryContent {
    /// Reads with a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl ContentSource for RegistryContent {
    async fn manifest(&self, bundle: &BundleSource) -> Result<Manifest, ContentError> {
        let failed = |source| ContentError {
            repository: bundle.repository.clone(),
            source,
        };
        let reference = bundle.reference().map_err(|error| failed(error.into()))?;
        let repository = self.client.repository_of(&reference);
        let name = Name::Digest(bundle.digest.clone());
        let read = repository.read_manifest(&name).await;
        read.map(|(_, manifest)| manifest)
            .map_err(|error| failed(error.into()))
    }

    async fn blob(&self, bundle: &BundleSource, blob: &Descriptor) -> Result<Blob, ContentError> {
        let failed = |source| ContentError {
            repository: bundle.repository.clone(),
            source,
        };
        let reference = bundle.reference().map_err(|error| failed(error.into()))?;
        let repository = self.client.repository_of(&reference);
        let reader = repository
            .fetch(blob)
            .await
            .map_err(|error| failed(error.into()))?;
        Ok(ReaderStream::with_capacity(reader, CHUNK_BYTES).boxed())
    }
}

/// Manifests that were read lately: each blob of a bundle asks for its manifest.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    by_digest: Mutex<HashMap<Digest, Arc<Manifest>>>,
}

/// Content that an agent may have.
pub(crate) enum Content {
    Manifest(Arc<Manifest>),
    Blob(Box<(BundleSource, Descriptor)>),
}

impl Hub {
    /// What a digest stands for, if it belongs to a bundle of this agent.
    pub(crate) async fn content_of(
        &self,
        caller: &Caller,
        digest: &Digest,
    ) -> Result<Content, Error> {
        const NOTHING: Error = Error::NotFound("such content for this agent");
        let record = Arc::clone(&caller.live.state().record);
        let bundles = self
            .offers
            .bundles(&record.cluster_uid, record.group.as_ref());
        let source = self.content.as_ref().ok_or(NOTHING)?;
        for bundle in &bundles {
            if bundle.digest == *digest {
                let manifest = self.manifest(&**source, bundle).await?;
                return Ok(Content::Manifest(manifest));
            }
        }
        for bundle in bundles {
            let manifest = self.manifest(&**source, &bundle).await?;
            let blob = manifest
                .children()
                .find(|blob| blob.digest == *digest)
                .cloned();
            if let Some(blob) = blob {
                return Ok(Content::Blob(Box::new((bundle, blob))));
            }
        }
        Err(NOTHING)
    }

    /// A blob's bytes from a place on.
    pub(crate) async fn blob(
        &self,
        bundle: &BundleSource,
        blob: &Descriptor,
    ) -> Result<Blob, Error> {
        let source = self
            .content
            .as_ref()
            .ok_or(Error::NotFound("content here"))?;
        source.blob(bundle, blob).await.map_err(Error::Content)
    }

    async fn manifest(
        &self,
        source: &dyn ContentSource,
        bundle: &BundleSource,
    ) -> Result<Arc<Manifest>, Error> {
        {
            let known = self
                .manifests
                .by_digest
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(manifest) = known.get(&bundle.digest) {
                return Ok(Arc::clone(manifest));
            }
        }
        let manifest = Arc::new(source.manifest(bundle).await.map_err(Error::Content)?);
        let mut known = self
            .manifests
            .by_digest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_MANIFESTS {
            known.clear();
        }
        known.insert(bundle.digest.clone(), Arc::clone(&manifest));
        Ok(manifest)
    }
}

/// The bytes of a stream from one place to another.
pub(crate) fn cut(blob: Blob, range: std::ops::Range<u64>) -> Blob {
    // What lies behind is not read: the agent checks the whole itself.
    let state = (blob, range.start, range.end - range.start);
    let cut = futures_util::stream::unfold(state, async |(mut blob, mut skip, mut take)| {
        loop {
            if take == 0 {
                return None;
            }
            let mut chunk = match blob.next().await? {
                Ok(chunk) => chunk,
                Err(error) => return Some((Err(error), (blob, 0, 0))),
            };
            let length = chunk.len() as u64;
            if skip >= length {
                skip -= length;
                continue;
            }
            let mut chunk = chunk.split_off(usize::try_from(skip).unwrap_or(usize::MAX));
            skip = 0;
            chunk.truncate(usize::try_from(take).unwrap_or(usize::MAX));
            take -= chunk.len() as u64;
            return Some((Ok(chunk), (blob, skip, take)));
        }
    });
    cut.boxed()
}
