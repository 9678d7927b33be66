//! Tags: reading, removing and listing them, page by page.

use cairn_spec::{Digest, RepositoryName, Tag};

use super::{Attempts, Registry, admission::digest_of, manifests::touched};
use crate::{
    Error, Result,
    maintenance::NamePages,
    records,
    retention::Rules,
    storage::{Batch, Candidate, Entry, Key, Prefix, Version, Write},
};

/// A page of names, in the order of their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) names: Vec<String>,
    /// Where to go on, if more may follow.
    pub(crate) next: Option<String>,
}

impl Registry {
    /// The tags of a repository that follow `last`.
    pub(crate) async fn tags(
        &self,
        repository: &RepositoryName,
        entries: Option<usize>,
        last: Option<&str>,
    ) -> Result<Page> {
        let prefix = Prefix::Tags(repository.clone());
        let page = self.page(&prefix, entries, last).await?;
        let key = Key::Repository(repository.clone());
        // A tag proves its repository.
        if page.names.is_empty() && self.metadata.get(&key).await?.is_none() {
            return Err(Error::RepositoryUnknown(repository.clone()));
        }
        Ok(page)
    }

    /// Removes a tag; the manifest stays.
    pub(crate) async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<()> {
        self.delete_tag_if(repository, tag, None).await.map(drop)
    }

    /// Removes a tag, if a version is given only while its record still has it; false if not.
    pub(crate) async fn delete_tag_if(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        version: Option<&Version>,
    ) -> Result<bool> {
        let key = Key::Tag(repository.clone(), tag.clone());
        let _lock = self.locks.acquire(vec![key.to_string()]).await;
        let mut attempts = Attempts::at(&key);
        loop {
            attempts.next().await?;
            let present = self.read_tag(repository, tag).await?;
            let (entry, record) = present.ok_or_else(|| Error::ManifestUnknown {
                repository: repository.clone(),
                reference: tag.to_string(),
            })?;
            if version.is_some_and(|version| *version != entry.version) {
                return Ok(false);
            }
            let candidate = Candidate::Manifest(repository.clone(), record.digest.clone());
            let mut writes = vec![self.review(candidate)];
            writes.extend(self.touch_untagged(repository, &record.digest).await?);
            writes.push(Write::delete_if(key.clone(), entry.version));
            let signed = digest_of(tag);
            writes.extend(self.void_verdict(repository, signed.as_ref()).await?);
            let hint = Key::ManifestTag(repository.clone(), record.digest, tag.clone());
            if let Some(entry) = self.metadata.get(&hint).await? {
                writes.push(Write::delete_if(hint, entry.version));
            }
            match self.metadata.write(Batch::durable(writes)).await {
                Err(Error::Conflict { .. }) => continue,
                deleted => deleted?,
            };
            self.signature_left(repository, signed.as_ref()).await?;
            return Ok(true);
        }
    }

    /// The write that lets the days without a tag begin for a manifest that is about to lose one,
    /// where a rule of retention counts them.
    pub(super) async fn touch_untagged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Write>> {
        let is_counted = |rules: &Rules| rules.remove_untagged(repository);
        if !self.retention.as_ref().is_some_and(is_counted) {
            return Ok(None);
        }
        let key = Key::Manifest(repository.clone(), digest.clone());
        let entry = self.metadata.get(&key).await?;
        let write = entry.map(|entry| touched(&key, &entry, self.now_unix_s()));
        write.transpose()
    }

    /// Some tag points to a manifest.
    pub(crate) async fn is_tagged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool> {
        self.has_tag(repository, digest, |_| true).await
    }

    /// Some tag that a client set points to a manifest.
    pub(crate) async fn is_tagged_by_clients(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool> {
        self.has_tag(repository, digest, |tag| tag.upstream.is_none())
            .await
    }

    /// Some tag that `counts` points to a manifest.
    async fn has_tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        counts: impl Fn(&records::Tag) -> bool,
    ) -> Result<bool> {
        let prefix = Prefix::ManifestTags(repository.clone(), digest.clone());
        let mut pages = NamePages::of(prefix);
        while let Some(names) = pages.next(self).await? {
            for name in &names {
                let tag = self.read_tag(repository, &name.parse()?).await?;
                if tag.is_some_and(|(_, tag)| tag.digest == *digest && counts(&tag)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A tag points to a manifest.
    pub(crate) async fn points_to(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<bool> {
        let tag = self.read_tag(repository, tag).await?;
        Ok(tag.is_some_and(|(_, tag)| tag.digest == *digest))
    }

    /// A tag's record.
    pub(crate) async fn read_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<(Entry, records::Tag)>> {
        let key = Key::Tag(repository.clone(), tag.clone());
        let Some(entry) = self.metadata.get(&key).await? else {
            return Ok(None);
        };
        let (record, _) = records::decode(&key, &entry)?;
        Ok(Some((entry, record)))
    }

    pub(super) fn page_entries(&self, asked: Option<usize>) -> usize {
        let most = self.limits.page_entries;
        asked.map_or(most, |entries| entries.min(most))
    }

    async fn page(
        &self,
        prefix: &Prefix,
        entries: Option<usize>,
        last: Option<&str>,
    ) -> Result<Page> {
        let entries = self.page_entries(entries);
        if entries == 0 {
            return Ok(Page::default());
        }
        let mut names = self.metadata.list(prefix, last, entries + 1).await?;
        let has_more = names.len() > entries;
        names.truncate(entries);
        let next = names.last().filter(|_| has_more).cloned();
        Ok(Page { names, next })
    }
}
