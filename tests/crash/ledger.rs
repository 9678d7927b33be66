//! What was acknowledged, what had no answer, and what must be found of both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use cairn_oci::{Client, Error, PullLimits, store::Fetch as _};
use cairn_spec::{Artifact, Digest, Reference, Tag};
use rand::{rngs::StdRng, seq::IndexedRandom as _};

/// What all artifacts say they are.
pub(crate) const ARTIFACT_TYPE: &str = "application/vnd.example.load";

/// What writers did, by repository and tag: what must be found there.
pub(crate) type Expected = BTreeMap<Place, Acknowledged>;

/// A repository and a tag.
pub(crate) type Place = (String, String);

/// What was acknowledged under a tag.
#[derive(Clone)]
pub(crate) struct Acknowledged {
    pub(crate) digest: Digest,
    /// What it refers to, whose referrers must list it.
    subject: Option<Digest>,
    /// It was deleted, and that was acknowledged, too.
    pub(crate) deleted: bool,
}

/// What had no answer when the process died.
pub(crate) enum Pending {
    Push { key: Place, artifact: Box<Artifact> },
    Delete { key: Place, digest: Digest },
}

/// What is known of a registry, over all its lives.
pub(crate) struct Ledger {
    pub(crate) client: Client,
    pub(crate) expected: Expected,
    pub(crate) pending: Vec<Pending>,
    /// Of what had no answer, how much was there after all.
    pub(crate) finished: usize,
}

impl Ledger {
    /// Settles what was under way.
    pub(crate) async fn settle_all(&mut self, address: &str) -> Result<()> {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Delete { key, digest } => {
                    self.settle_delete(address, key, digest).await?;
                }
                Pending::Push { key, artifact } => {
                    self.settle_push(address, key, &artifact).await?;
                }
            }
        }
        Ok(())
    }

    /// Checks a sample of what was acknowledged.
    pub(crate) async fn check_sample(
        &self,
        address: &str,
        size: usize,
        random: &mut StdRng,
    ) -> Result<()> {
        let all: Vec<_> = self.expected.iter().collect();
        for (key, known) in all.sample(random, size) {
            self.check(address, key, known).await?;
        }
        Ok(())
    }

    /// Checks everything that was acknowledged, and that there is nothing else.
    pub(crate) async fn check_all(&self, address: &str) -> Result<()> {
        for (key, known) in &self.expected {
            self.check(address, key, known).await?;
        }
        let repositories: BTreeSet<&str> = self
            .expected
            .keys()
            .map(|(name, _)| name.as_str())
            .collect();
        for name in repositories {
            self.check_tags(address, name).await?;
        }
        Ok(())
    }

    /// What was acknowledged is there and whole, or deleted and gone.
    async fn check(
        &self,
        address: &str,
        (repository, tag): &Place,
        expected: &Acknowledged,
    ) -> Result<()> {
        let client = &self.client;
        let by_tag = reference(address, repository, tag)?;
        let by_digest = by_tag.with_digest(expected.digest.clone());
        if expected.deleted {
            for gone in [&by_tag, &by_digest] {
                let resolved = found(client.resolve(gone).await)?;
                ensure!(resolved.is_none(), "`{gone}` was deleted and is back");
            }
            return Ok(());
        }
        let pulled = client.pull_artifact(&by_tag, &PullLimits::default()).await;
        let pulled = pulled.with_context(|| format!("`{by_tag}` was acknowledged"))?;
        ensure!(
            *pulled.digest() == expected.digest,
            "`{by_tag}` is another manifest"
        );
        if let Some(subject) = &expected.subject {
            let listed = client
                .referrers(&by_tag.with_digest(subject.clone()), Some(ARTIFACT_TYPE))
                .await?;
            ensure!(
                listed
                    .iter()
                    .any(|referrer| referrer.digest == expected.digest),
                "`{by_tag}` is not listed as a referrer of {subject}"
            );
        }
        Ok(())
    }

    /// A repository has the tags that it must have, and no others.
    async fn check_tags(&self, address: &str, name: &str) -> Result<()> {
        let any = reference(address, name, "any")?;
        let listed = self.client.tags(&any.registry, &any.repository).await;
        let tags = found(listed)?.unwrap_or_default();
        let tags: BTreeSet<&str> = tags.iter().map(Tag::as_str).collect();
        let wanted: BTreeSet<&str> = self
            .expected
            .iter()
            .filter(|((repository, _), known)| *repository == name && !known.deleted)
            .map(|((_, tag), _)| tag.as_str())
            .collect();
        let odd: Vec<_> = tags.symmetric_difference(&wanted).collect();
        ensure!(
            odd.is_empty(),
            "tags of {name} that are too much or missing: {odd:?}"
        );
        Ok(())
    }

    /// A deletion takes the tags first, so a tag never names a manifest that is gone; afterwards it
    /// is done.
    async fn settle_delete(&mut self, address: &str, key: Place, digest: Digest) -> Result<()> {
        let by_tag = reference(address, &key.0, &key.1)?;
        let by_digest = by_tag.with_digest(digest.clone());
        let tagged = found(self.client.resolve(&by_tag).await)?.is_some();
        let there = found(self.client.resolve(&by_digest).await)?.is_some();
        ensure!(there || !tagged, "`{by_tag}` names a manifest that is gone");
        if there {
            let limits = PullLimits::default();
            self.client.pull_artifact(&by_digest, &limits).await?;
            self.client.delete(&by_digest).await?;
        } else {
            self.finished += 1;
        }
        let gone = Acknowledged {
            digest,
            subject: None,
            deleted: true,
        };
        self.check(address, &key, &gone).await?;
        self.expected.insert(key, gone);
        Ok(())
    }

    /// What was pushed is there whole or not at all; afterwards it is there.
    async fn settle_push(&mut self, address: &str, key: Place, artifact: &Artifact) -> Result<()> {
        let by_tag = reference(address, &key.0, &key.1)?;
        let store = self.client.repository_of(&by_tag);
        for blob in artifact.blobs() {
            let descriptor = blob.descriptor();
            if let Some(content) = found(store.fetch(descriptor).await)? {
                let bytes = content.read_all(descriptor.size).await?;
                ensure!(bytes == blob.bytes(), "a blob of `{by_tag}` is corrupt");
            }
        }
        let known = acknowledged(artifact);
        let before = self.expected.get(&key);
        match found(self.client.resolve(&by_tag).await)? {
            None => ensure!(before.is_none(), "`{by_tag}` is lost"),
            Some(there) if there.digest == known.digest => {
                self.check(address, &key, &known).await?;
                self.finished += 1;
            }
            // A tag that was to move and has not.
            Some(there) => ensure!(
                before.is_some_and(|before| before.digest == there.digest),
                "`{by_tag}` names something nobody pushed"
            ),
        }
        self.client.push_artifact(&by_tag, artifact).await?;
        self.check(address, &key, &known).await?;
        self.expected.insert(key, known);
        Ok(())
    }
}

pub(crate) fn repository(writer: u32) -> String {
    let prefix = if writer.is_multiple_of(2) {
        "apps"
    } else {
        "packs"
    };
    format!("{prefix}/writer-{writer}")
}

pub(crate) fn acknowledged(artifact: &Artifact) -> Acknowledged {
    let manifest = artifact.manifest();
    Acknowledged {
        digest: artifact.digest().clone(),
        subject: manifest.subject().map(|subject| subject.digest.clone()),
        deleted: false,
    }
}

pub(crate) fn reference(address: &str, repository: &str, tag: &str) -> Result<Reference> {
    Ok(format!("{address}/{repository}:{tag}").parse()?)
}

/// `None` when there is nothing.
fn found<T>(result: Result<T, Error>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
