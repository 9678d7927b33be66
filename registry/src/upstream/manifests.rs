//! Manifests: by digest once and for all, by tag as long as the upstream says the same.

use std::sync::Arc;

use bytes::Bytes;
use cairn_oci::Name;
use cairn_spec::{Digest, RepositoryName, Tag};

use super::{Failure, PullThrough, Source};
use crate::{
    Error, Result,
    service::{
        ManifestPush, Reference, Stored,
        documents::{Child, Document},
    },
};

/// A manifest, and what a client should know about how it came.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) stored: Stored,
    /// Why it may be older than what the upstream has.
    pub(crate) stale: Option<String>,
}

impl From<Stored> for Pulled {
    fn from(stored: Stored) -> Self {
        Self {
            stored,
            stale: None,
        }
    }
}

impl PullThrough {
    /// The manifest, for a client that may go on to rely on it.
    pub(crate) async fn manifest(
        self: &Arc<Self>,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Pulled> {
        let sources = self.sources(repository);
        let pulled = match reference {
            _ if sources.is_empty() => {
                let stored = self.registry.manifest(repository, reference).await?;
                return Ok(stored.into());
            }
            Reference::Tag(tag) => self.tagged(repository, tag, &sources).await?,
            Reference::Digest(digest) => self.known(repository, digest, &sources).await?.into(),
        };
        self.seek_signatures(repository, &pulled.stored, &sources)
            .await;
        Ok(pulled)
    }

    /// Brings what a manifest references that a client is about to push, as far as only upstreams
    /// have it: whoever was told that a blob is there does not send it.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        repository: &RepositoryName,
        bytes: &[u8],
        content_type: Option<&str>,
    ) {
        let sources = self.sources(repository);
        let document = Document::parse(bytes, content_type);
        let Some(document) = document.ok().filter(|_| !sources.is_empty()) else {
            return;
        };
        for child in document.children {
            let is_here = match &child {
                Child::Blob(digest) => {
                    let brought = self.bring_blob(repository, digest, &sources).await;
                    brought.is_ok()
                }
                // Build caches list blobs as well.
                Child::Entry(digest) => {
                    self.known(repository, digest, &sources).await.is_ok()
                        || self.bring_blob(repository, digest, &sources).await.is_ok()
                }
            };
            // The push tells what is missing.
            if !is_here {
                return;
            }
        }
    }

    /// What a digest names: nobody has to be asked about what is here.
    async fn known(
        self: &Arc<Self>,
        repository: &RepositoryName,
        digest: &Digest,
        sources: &[Source],
    ) -> Result<Stored> {
        let reference = Reference::Digest(digest.clone());
        let here = self.registry.manifest(repository, &reference).await;
        if !matches!(here, Err(Error::ManifestUnknown { .. })) {
            return here;
        }
        let turn = format!("{repository}@{digest}");
        let _turn = self.turns.acquire(vec![turn]).await;
        let missing = match self.registry.manifest(repository, &reference).await {
            Err(missing @ Error::ManifestUnknown { .. }) => missing,
            here => return here,
        };
        let mut failed = Failure::Missing;
        for source in sources {
            match self.fetch_manifest(repository, digest, source).await {
                Ok(stored) => return Ok(stored),
                Err(failure) => failed = failed.or(failure),
            }
        }
        Err(failed.into_error(missing))
    }

    /// What a tag names: what was pushed here, else what the upstream says, else what it said.
    async fn tagged(
        self: &Arc<Self>,
        repository: &RepositoryName,
        tag: &Tag,
        sources: &[Source],
    ) -> Result<Pulled> {
        let reference = Reference::Tag(tag.clone());
        if self.is_settled(repository, tag).await? {
            let stored = self.registry.manifest(repository, &reference).await?;
            return Ok(stored.into());
        }
        let turn = format!("{repository}:{tag}");
        let _turn = self.turns.acquire(vec![turn]).await;
        if self.is_settled(repository, tag).await? {
            let stored = self.registry.manifest(repository, &reference).await?;
            return Ok(stored.into());
        }
        let asked = self.ask_about(repository, tag, sources).await;
        let here = self.registry.manifest(repository, &reference).await;
        match (asked, here) {
            (Ok(()), here) => Ok(here?.into()),
            // What the upstream says is gone is gone, whatever was kept of it.
            (Err(Refused::Upstream(Failure::Missing)), _) => Err(Error::ManifestUnknown {
                repository: repository.clone(),
                reference: reference.to_string(),
            }),
            (Err(refused), Ok(stored)) => {
                self.metrics.upstreams.stale.add(1);
                let stale = Some(refused.warning());
                Ok(Pulled { stored, stale })
            }
            (Err(Refused::Here(error)), Err(_)) => Err(*error),
            (Err(Refused::Upstream(failure)), Err(missing)) => Err(failure.into_error(missing)),
        }
    }

    /// Nobody has to be asked about a tag: it was pushed here, or can never move, or its upstream
    /// was asked not long ago.
    async fn is_settled(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool> {
        let Some((_, record)) = self.registry.read_tag(repository, tag).await? else {
            return Ok(false);
        };
        if record.upstream.is_none() || self.registry.is_immutable(repository, tag) {
            return Ok(true);
        }
        let until_s = self.fresh.get(&(repository.clone(), tag.clone())).await;
        Ok(until_s.is_some_and(|until_s| self.registry.clock.steady_s() < until_s))
    }

    /// Makes a tag name what the first upstream that has it says.
    async fn ask_about(
        self: &Arc<Self>,
        repository: &RepositoryName,
        tag: &Tag,
        sources: &[Source],
    ) -> Result<(), Refused> {
        let mut failed = Failure::Missing;
        for source in sources {
            let name = Name::Tag(tag.clone());
            let Source { upstream, remote } = source;
            let asked = remote.resolve_manifest(&name);
            match upstream.ask(&source.name_of(tag), asked).await {
                Err(failure) => failed = failed.or(failure),
                Ok(descriptor) => {
                    let digest = &descriptor.digest;
                    self.move_tag(repository, tag, digest, source).await?;
                    let until_s = self.registry.clock.steady_s() + upstream.tag_ttl_s;
                    let key = (repository.clone(), tag.clone());
                    self.fresh.insert(key, until_s).await;
                    return Ok(());
                }
            }
        }
        Err(Refused::Upstream(failed))
    }

    /// Points a tag to a manifest of an upstream, which is fetched unless it is here. Signatures
    /// come before the tag, which may move only to what is trusted.
    async fn move_tag(
        self: &Arc<Self>,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        source: &Source,
    ) -> Result<(), Refused> {
        let present = self.registry.read_tag(repository, tag).await;
        let present = present.map_err(Refused::here)?;
        if present.is_some_and(|(_, record)| record.digest == *digest) {
            return Ok(());
        }
        let reference = Reference::Digest(digest.clone());
        let stored = match self.registry.manifest(repository, &reference).await {
            Err(Error::ManifestUnknown { .. }) => {
                let fetched = self.fetch_manifest(repository, digest, source).await;
                fetched.map_err(Refused::Upstream)?
            }
            stored => stored.map_err(Refused::here)?,
        };
        self.seek_signatures(repository, &stored, std::slice::from_ref(source))
            .await;
        let tagged = self.registry.push_manifest(ManifestPush {
            repository: repository.clone(),
            reference: Reference::Digest(digest.clone()),
            tags: vec![tag.clone()],
            content_type: Some(stored.media_type),
            bytes: stored.bytes,
            upstream: Some(source.upstream.name.to_string()),
        });
        tagged.await.map(drop).map_err(Refused::here)
    }

    /// Stores a manifest of an upstream. What it refers to comes when somebody asks for it.
    pub(super) async fn fetch_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        source: &Source,
    ) -> Result<Stored, Failure> {
        let Source { upstream, remote } = source;
        let name = Name::Digest(digest.clone());
        let asked = remote.read_manifest(&name);
        let (_, manifest) = upstream.ask(&source.name_of(digest), asked).await?;
        let bytes = Bytes::copy_from_slice(manifest.bytes());
        self.metrics.upstreams.fetched_bytes.add(bytes.len() as u64);
        let stored = self.registry.push_manifest(ManifestPush {
            repository: repository.clone(),
            reference: Reference::Digest(digest.clone()),
            tags: Vec::new(),
            content_type: Some(manifest.media_type().to_owned()),
            bytes,
            upstream: Some(upstream.name.to_string()),
        });
        let of_keeping = |error: Error| Failure::of_keeping(&upstream.name, &error);
        stored.await.map_err(of_keeping)
    }
}

/// Why a tag does not name what an upstream says.
enum Refused {
    /// No upstream says anything, or nothing usable.
    Upstream(Failure),
    /// This registry does not want it, for instance because nobody signed it.
    Here(Box<Error>),
}

impl Refused {
    fn here(error: Error) -> Self {
        Self::Here(Box::new(error))
    }

    fn warning(&self) -> String {
        match self {
            Self::Upstream(failure) => failure.warning(),
            Self::Here(error) => match &**error {
                Error::Untrusted { reason, .. } => {
                    format!("what the upstream has now is not trusted: {reason}")
                }
                _ => "what the upstream has now could not be kept".to_owned(),
            },
        }
    }
}
