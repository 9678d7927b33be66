//! One repository of a registry as a store.

use cairn_spec::{Descriptor, Manifest, Tag};
use reqwest::Url;

use super::{Client, auth::Access, endpoint::Endpoint, transport::Call};
use crate::{
    Error, limits,
    store::{Fetch, Name, Origin, Push, Resolve, SetTag, VerifyReader},
};

/// One repository of a registry.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(super) client: Client,
    pub(super) origin: Origin,
}

impl Repository {
    pub(super) fn new(client: Client, origin: Origin) -> Self {
        Self { client, origin }
    }

    /// `host/repository`, as trust policies and signatures name it.
    pub fn name(&self) -> String {
        self.origin.to_string()
    }

    pub(super) fn call<'a>(&'a self, access: Access, subject: &'a str) -> Call<'a> {
        Call {
            origin: &self.origin,
            access,
            subject,
        }
    }

    pub(super) fn url(&self, endpoint: Endpoint<'_>) -> Result<Url, Error> {
        endpoint.url(self.client.scheme(&self.origin.registry), &self.origin)
    }
}

impl Fetch for Repository {
    async fn fetch(&self, descriptor: &Descriptor) -> Result<VerifyReader, Error> {
        if descriptor.is_manifest() {
            self.fetch_manifest(descriptor).await
        } else {
            self.fetch_blob(descriptor).await
        }
    }

    async fn exists(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        if !descriptor.is_manifest() {
            return self.blob_exists(&descriptor.digest).await;
        }
        match self.resolve(&Name::Digest(descriptor.digest.clone())).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn origin(&self) -> Option<Origin> {
        Some(self.origin.clone())
    }
}

impl Push for Repository {
    async fn push(&self, descriptor: &Descriptor, content: VerifyReader) -> Result<(), Error> {
        if !descriptor.is_manifest() {
            return Box::pin(self.upload(descriptor, content)).await;
        }
        let bytes = content.read_all(limits::MAX_MANIFEST_BYTES as u64).await?;
        let manifest = Manifest::parse(bytes, Some(&descriptor.media_type))
            .map_err(Error::artifact(&descriptor.digest))?;
        let name = Name::Digest(descriptor.digest.clone());
        self.write_manifest(&name, &manifest).await
    }

    async fn mount(&self, descriptor: &Descriptor, origin: &Origin) -> Result<bool, Error> {
        let elsewhere = origin.repository != self.origin.repository;
        if origin.registry == self.origin.registry && elsewhere {
            self.mount_blob(&descriptor.digest, origin).await
        } else {
            Ok(false)
        }
    }
}

impl Resolve for Repository {
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error> {
        self.resolve_manifest(name).await
    }

    async fn referrers(
        &self,
        subject: &Descriptor,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        self.referrers_of(&subject.digest, artifact_type).await
    }
}

impl SetTag for Repository {
    async fn set_tag(&self, descriptor: &Descriptor, tag: &Tag) -> Result<(), Error> {
        let by_tag = Name::Tag(tag.clone());
        match self.resolve(&by_tag).await {
            Ok(current) if current.digest == descriptor.digest => return Ok(()),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let by_digest = Name::Digest(descriptor.digest.clone());
        let (_, manifest) = self.read_manifest(&by_digest).await?;
        self.put_manifest(&by_tag, &manifest).await?;
        Ok(())
    }
}
