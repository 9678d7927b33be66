//! Referrers: the manifests that name another as their subject.
//!
//! They are kept with the subject as a list of descriptors, so that asking for them is one read.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Attempts, Reference, Registry, documents::Document};
use crate::{
    Error, Result,
    records::{self, Manifest, Referrers},
    storage::{Batch, Entry, Key, Write},
};

/// The list moves to a page of its own beyond this many bytes, for each push rewrites page 0.
const LIST_PAGE_BYTES: usize = 256 * 1024;

/// A descriptor, as far as the registry reads and writes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

/// A page of referrers, ordered by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferrersPage {
    pub(crate) entries: Vec<Referrer>,
    /// Further referrers follow the last one.
    pub(crate) has_more: bool,
}

/// A descriptor of a list. There may be thousands of them in an answer, so it stays the JSON that
/// it is; only what lists are ordered and filtered by is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Referrer {
    pub(crate) digest: Digest,
    artifact_type: Option<String>,
    json: Bytes,
}

/// A page of the stored list.
struct ListPage {
    key: Key,
    entry: Option<Entry>,
    fields: Referrers,
    entries: Vec<Referrer>,
    size_bytes: usize,
}

impl Registry {
    /// The referrers of a subject that follow `last`, of one type if one is given.
    ///
    /// A subject nobody ever saw has none.
    pub(crate) async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
    ) -> Result<ReferrersPage> {
        self.referrers_with(repository, subject, &[], (artifact_type, last))
            .await
    }

    /// The same, with others that are listed elsewhere.
    pub(crate) async fn referrers_with(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        elsewhere: &[Descriptor],
        (artifact_type, last): (Option<&str>, Option<&Digest>),
    ) -> Result<ReferrersPage> {
        let elsewhere = elsewhere.iter().cloned().map(Referrer::of);
        let elsewhere: Vec<Referrer> = elsewhere.collect::<Result<_>>()?;
        let (pages, fallback) = try_join(
            self.list_pages(repository, subject),
            self.fallback(repository, subject),
        )
        .await?;
        let listed = pages.into_iter().flat_map(|page| page.entries);
        let mut found: Vec<Referrer> = listed
            .chain(fallback)
            .chain(elsewhere)
            .filter(|entry| {
                artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted))
            })
            .filter(|entry| last.is_none_or(|last| entry.digest > *last))
            .collect();
        // The order of equal ones stays: what was pushed goes before what a client wrote down, and
        // that before what is listed elsewhere.
        found.sort_by(|one, other| one.digest.cmp(&other.digest));
        found.dedup_by(|later, first| later.digest == first.digest);
        let mut size_bytes = 0;
        let fitting = found.iter().take_while(|entry| {
            let is_first = size_bytes == 0;
            size_bytes += entry.json.len() + 1;
            is_first || size_bytes <= self.limits.referrers_page_bytes
        });
        let fitting = fitting.count();
        let has_more = fitting < found.len();
        found.truncate(fitting);
        Ok(ReferrersPage {
            entries: found,
            has_more,
        })
    }

    /// The writes that add a referrer to its subject; none if it is there.
    ///
    /// A referrer that `is_new` rewrites an entry left over from its last life: whoever is about
    /// to remove that must fail.
    pub(super) async fn add_referrer(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        descriptor: Descriptor,
        is_new: bool,
    ) -> Result<Vec<Write>> {
        let mut pages = self.list_pages(repository, subject).await?;
        let known = pages.iter().find(|page| page.lists(&descriptor.digest));
        if let Some(page) = known {
            return if is_new {
                Ok(vec![page.write()?])
            } else {
                Ok(Vec::new())
            };
        }
        let mut writes = Vec::new();
        let head = &mut pages[0];
        if head.size_bytes > LIST_PAGE_BYTES {
            head.fields.full_pages += 1;
            let full = std::mem::take(&mut head.entries);
            let number = head.fields.full_pages;
            let key = Key::Referrers(repository.clone(), subject.clone(), number);
            // A page beyond those that page 0 counts is left over from a crash.
            let left_over = self.metadata.get(&key).await?;
            let value = records::encode(&Referrers::default(), &array(&full))?;
            writes.push(Write::upsert(key, left_over.as_ref(), value));
        }
        head.entries.push(Referrer::of(descriptor)?);
        writes.push(head.write()?);
        Ok(writes)
    }

    /// Makes the list of a subject agree with whether the referrer exists; true if it changed.
    pub(crate) async fn settle_referrer(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        referrer: &Digest,
    ) -> Result<bool> {
        let key = Key::Manifest(repository.clone(), referrer.clone());
        let mut attempts = Attempts::at(&key);
        let mut changed = false;
        loop {
            attempts.next().await?;
            let writes = match self.metadata.get(&key).await? {
                None => self.remove_referrer(repository, subject, referrer).await?,
                Some(entry) => {
                    let (manifest, bytes) = records::decode::<Manifest>(&key, &entry)?;
                    if manifest.subject.as_ref() == Some(subject) {
                        let document = Document::parse(&bytes, Some(&manifest.media_type))?;
                        let descriptor = document.descriptor(referrer, bytes.len() as u64);
                        let added = self.add_referrer(repository, subject, descriptor, false);
                        added.await?
                    } else {
                        self.remove_referrer(repository, subject, referrer).await?
                    }
                }
            };
            if writes.is_empty() {
                return Ok(changed);
            }
            // What exists may have changed meanwhile, so that is looked at once more.
            match self.metadata.write(Batch::durable(writes)).await {
                Err(Error::Conflict { .. }) => {}
                written => changed |= written.map(|_| true)?,
            }
        }
    }

    /// What the stored list of a subject names.
    pub(crate) async fn listed_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<HashSet<Digest>> {
        let pages = self.list_pages(repository, subject).await?;
        let entries = pages.into_iter().flat_map(|page| page.entries);
        Ok(entries.map(|entry| entry.digest).collect())
    }

    /// Removes a subject's list once it has neither entries nor further pages.
    pub(crate) async fn remove_empty_list(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<()> {
        let head = self.list_page(repository, subject, 0).await?;
        let is_empty = head.entries.is_empty() && head.fields.full_pages == 0;
        match head.entry {
            Some(entry) if is_empty => {
                let write = Write::delete_if(head.key, entry.version);
                self.metadata
                    .write(Batch::eventual([write]))
                    .await
                    .map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The writes that remove a referrer from its subject; none if it is not there.
    pub(super) async fn remove_referrer(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        referrer: &Digest,
    ) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for mut page in self.list_pages(repository, subject).await? {
            let before = page.entries.len();
            page.entries.retain(|entry| entry.digest != *referrer);
            if page.entries.len() < before {
                writes.push(page.write()?);
            }
        }
        Ok(writes)
    }

    /// All pages of the stored list, page 0 first, also when it does not exist yet.
    async fn list_pages(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<ListPage>> {
        let head = self.list_page(repository, subject, 0).await?;
        let full_pages = head.fields.full_pages;
        let mut pages = vec![head];
        for number in 1..=full_pages {
            pages.push(self.list_page(repository, subject, number).await?);
        }
        Ok(pages)
    }

    async fn list_page(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        number: u32,
    ) -> Result<ListPage> {
        let key = Key::Referrers(repository.clone(), subject.clone(), number);
        let Some(entry) = self.metadata.get(&key).await? else {
            return Ok(ListPage {
                key,
                entry: None,
                fields: Referrers::default(),
                entries: Vec::new(),
                size_bytes: 0,
            });
        };
        let (fields, body) = records::decode(&key, &entry)?;
        let entries = parse_list(&key, &body)?;
        Ok(ListPage {
            key,
            entry: Some(entry),
            fields,
            entries,
            size_bytes: body.len(),
        })
    }

    /// What clients without referrers support wrote down under the tag `sha256-<hex>`.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    async fn fallback(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Referrer>> {
        let Ok(tag) = subject.as_str().replacen(':', "-", 1).parse::<Tag>() else {
            // A SHA-512 digest is longer than a tag may be.
            return Ok(Vec::new());
        };
        let stored = match self.manifest(repository, &Reference::Tag(tag)).await {
            Err(Error::ManifestUnknown { .. }) => return Ok(Vec::new()),
            stored => stored?,
        };
        let index = Document::parse(&stored.bytes, Some(&stored.media_type))?;
        let mut entries = Vec::new();
        for entry in index.entries {
            let key = Key::Manifest(repository.clone(), entry.digest.clone());
            if self.metadata.get(&key).await?.is_some() {
                entries.push(Referrer::of(entry)?);
            }
        }
        Ok(entries)
    }
}

impl ReferrersPage {
    /// The descriptors as a JSON array.
    pub(crate) fn json(&self) -> Vec<u8> {
        array(&self.entries)
    }
}

impl Referrer {
    fn of(descriptor: Descriptor) -> Result<Self> {
        let json = serde_json::to_vec(&descriptor)
            .map_err(|source| Error::storage("encode a descriptor".to_owned(), source))?;
        Ok(Self {
            digest: descriptor.digest,
            artifact_type: descriptor.artifact_type,
            json: json.into(),
        })
    }

    /// All of it.
    pub(crate) fn descriptor(&self) -> Result<Descriptor> {
        serde_json::from_slice(&self.json)
            .map_err(|error| Error::corrupt(&self.digest, error.to_string()))
    }
}

impl ListPage {
    fn lists(&self, digest: &Digest) -> bool {
        self.entries.iter().any(|entry| entry.digest == *digest)
    }

    fn write(&self) -> Result<Write> {
        let value = records::encode(&self.fields, &array(&self.entries))?;
        let entry = self.entry.as_ref();
        Ok(Write::upsert(self.key.clone(), entry, value))
    }
}

/// The entries of a stored page: a JSON array of descriptors.
pub(crate) fn parse_list(key: &Key, page: &Bytes) -> Result<Vec<Referrer>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Names {
        digest: Digest,
        #[serde(default)]
        artifact_type: Option<String>,
    }

    let read = || -> serde_json::Result<Vec<Referrer>> {
        let descriptors: Vec<&RawValue> = serde_json::from_slice(page)?;
        let read = descriptors.into_iter().map(|json| {
            let names: Names = serde_json::from_str(json.get())?;
            Ok(Referrer {
                digest: names.digest,
                artifact_type: names.artifact_type,
                json: page.slice_ref(json.get().as_bytes()),
            })
        });
        read.collect()
    };
    read().map_err(|error| Error::corrupt(key, error.to_string()))
}

/// A JSON array of descriptors.
fn array(entries: &[Referrer]) -> Vec<u8> {
    let descriptors_bytes: usize = entries.iter().map(|entry| entry.json.len() + 1).sum();
    let mut array = Vec::with_capacity(descriptors_bytes + 2);
    array.push(b'[');
    for (number, entry) in entries.iter().enumerate() {
        if number > 0 {
            array.push(b',');
        }
        array.extend_from_slice(&entry.json);
    }
    array.push(b']');
    array
}
