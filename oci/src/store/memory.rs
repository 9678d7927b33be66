//! A store in memory, for tests, dry runs and small artifacts on their way.

use std::collections::BTreeMap;

use bytes::Bytes;
use cairn_spec::{Descriptor, Digest, Manifest, Tag};
use tokio::sync::RwLock;

use super::{Fetch, Name, Push, Resolve, SetTag, VerifyReader};
use crate::{Error, limits};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    content: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
}

impl State {
    fn descriptor(&self, digest: &Digest) -> Option<Descriptor> {
        let manifest = self.manifests.get(digest)?;
        Some(Descriptor {
            digest: digest.clone(),
            ..manifest.descriptor()
        })
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// All tags, sorted.
    pub async fn tags(&self) -> Vec<Tag> {
        self.state.read().await.tags.keys().cloned().collect()
    }

    /// Removes content, whatever refers to it, and the tags on it.
    pub async fn delete(&self, digest: &Digest) -> Result<(), Error> {
        let mut state = self.state.write().await;
        state.manifests.remove(digest);
        state.tags.retain(|_, tagged| tagged != digest);
        match state.content.remove(digest) {
            Some(_) => Ok(()),
            None => Err(Error::not_found(digest)),
        }
    }
}

impl Fetch for MemoryStore {
    async fn fetch(&self, descriptor: &Descriptor) -> Result<VerifyReader, Error> {
        let state = self.state.read().await;
        let bytes = state
            .content
            .get(&descriptor.digest)
            .ok_or_else(|| Error::not_found(&descriptor.digest))?;
        Ok(VerifyReader::of_bytes(descriptor, bytes.clone()))
    }

    async fn exists(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        let state = self.state.read().await;
        Ok(state.content.contains_key(&descriptor.digest))
    }
}

impl Push for MemoryStore {
    async fn push(&self, descriptor: &Descriptor, content: VerifyReader) -> Result<(), Error> {
        let bytes = content.read_all(limits::MAX_BLOB_IN_MEMORY_BYTES).await?;
        let mut state = self.state.write().await;
        if descriptor.is_manifest() {
            let manifest = Manifest::parse(bytes.clone(), Some(&descriptor.media_type))
                .map_err(Error::artifact(&descriptor.digest))?;
            state.manifests.insert(descriptor.digest.clone(), manifest);
        }
        state
            .content
            .insert(descriptor.digest.clone(), bytes.into());
        Ok(())
    }
}

impl Resolve for MemoryStore {
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error> {
        let state = self.state.read().await;
        let digest = match name {
            Name::Tag(tag) => state.tags.get(tag),
            Name::Digest(digest) => Some(digest),
        };
        digest
            .and_then(|digest| state.descriptor(digest))
            .ok_or_else(|| Error::not_found(name))
    }

    async fn referrers(
        &self,
        subject: &Descriptor,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let state = self.state.read().await;
        let refers = |manifest: &&Manifest| {
            manifest
                .subject()
                .is_some_and(|found| found.digest == subject.digest)
                && (artifact_type.is_none() || manifest.effective_artifact_type() == artifact_type)
        };
        Ok(state
            .manifests
            .values()
            .filter(refers)
            .map(Manifest::referrer_descriptor)
            .collect())
    }
}

impl SetTag for MemoryStore {
    async fn set_tag(&self, descriptor: &Descriptor, tag: &Tag) -> Result<(), Error> {
        let mut state = self.state.write().await;
        if !state.manifests.contains_key(&descriptor.digest) {
            return Err(Error::not_found(&descriptor.digest));
        }
        state.tags.insert(tag.clone(), descriptor.digest.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn the_memory_store_conforms() {
        conformance::check(&MemoryStore::new()).await;
    }
}
