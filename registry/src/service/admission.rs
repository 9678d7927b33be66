//! Verdicts of the trust policy: made when a signature arrives, kept beside the manifest, and asked
//! for when the manifest is served or tagged.
//!
//! A verdict names the policy it was made by; another policy makes it void. Trust stands until a
//! signature is deleted. A refusal stands until a signature arrives, or for [`REFUSAL_S`], since a
//! crash between a push and its verdict must not refuse for ever.

use std::sync::Arc;

use bytes::Bytes;
use cairn_oci::trust::{self, Verdict as Decision};
use cairn_spec::{Descriptor, Digest, RepositoryName, Tag};

use super::{Attempts, Reference, Registry, Stored, documents::Document, is_derived_from_digest};
use crate::{
    Error, Result,
    config::TrustMode,
    records::{self, Refusal, Verdict},
    storage::{Batch, Entry, Key, Write},
    trust::{RepositoryView, Trust, is_about_another},
};

/// How long a refusal is repeated without looking at signatures again.
const REFUSAL_S: u64 = 60;
/// Entries of a trusted index that become trusted with it; those of larger indexes need
/// signatures of their own.
const INDEX_ENTRIES: usize = 1024;
/// Trusted indexes that one manifest remembers to be in.
const REMEMBERED_INDEXES: usize = 8;

/// How a manifest is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Like any other.
    Plain,
    /// With the reason why it should not be used.
    Warned(String),
}

impl Registry {
    /// Decides whether to serve a manifest that was read.
    ///
    /// Fails with [`Error::Untrusted`] where the policy is enforced. Its digest alone is served all
    /// the same, with a warning: whoever signs has to ask for it.
    pub(crate) async fn admit(
        &self,
        repository: &RepositoryName,
        stored: &Stored,
        digest_only: bool,
    ) -> Result<Admission> {
        let trust = self.trust().await;
        let Some((trust, mode)) = trust
            .as_deref()
            .and_then(|trust| Some((trust, trust.on_pull(repository)?)))
        else {
            return Ok(Admission::Plain);
        };
        let verdict = self.verdict(trust, repository, stored).await?;
        match verdict.refusal {
            None => Ok(Admission::Plain),
            Some(_) if is_about_another(&stored.bytes) => Ok(Admission::Plain),
            Some(refusal) if digest_only || mode == TrustMode::Report => {
                Ok(Admission::Warned(refusal.reason))
            }
            Some(refusal) => Err(untrusted(repository, &stored.digest, refusal)),
        }
    }

    /// The present verdict on a manifest; none where no policy is configured.
    pub(crate) async fn trust_of(
        &self,
        repository: &RepositoryName,
        stored: &Stored,
    ) -> Result<Option<Verdict>> {
        match self.trust().await {
            None => Ok(None),
            Some(trust) => self.verdict(&trust, repository, stored).await.map(Some),
        }
    }

    /// The policy in force, with what is enforced where.
    async fn trust(&self) -> Option<Arc<Trust>> {
        match &self.trust {
            None => None,
            Some(trust) => Some(trust.current().await),
        }
    }

    /// What is served or tagged in a repository depends on verdicts.
    pub(crate) async fn checks_trust(&self, repository: &RepositoryName) -> bool {
        let trust = self.trust().await;
        trust.is_some_and(|trust| trust.covers(repository))
    }

    /// Fails with [`Error::Untrusted`] if a tag must not move to a manifest.
    pub(super) async fn require_trust_for_tags(
        &self,
        repository: &RepositoryName,
        tags: &[Tag],
        stored: &Stored,
    ) -> Result<()> {
        let Some(trust) = self.trust().await else {
            return Ok(());
        };
        let is_guarded = |tag: &Tag| !is_derived_from_digest(tag) && trust.guards(repository, tag);
        if !tags.iter().any(is_guarded) || is_about_another(&stored.bytes) {
            return Ok(());
        }
        // The manifest need not be there yet, so nothing is kept about it.
        match self.judge(&trust, repository, stored).await?.refusal {
            None => Ok(()),
            Some(refusal) => Err(untrusted(repository, &stored.digest, refusal)),
        }
    }

    /// Looks at manifests again that a pushed one may have signed.
    pub(super) async fn signatures_arrived(
        &self,
        repository: &RepositoryName,
        subject: Option<&Digest>,
        tags: &[Tag],
    ) {
        let trust = self.trust().await;
        let Some(trust) = trust.filter(|trust| trust.covers(repository)) else {
            return;
        };
        let signed = tags.iter().filter_map(digest_of);
        for digest in signed.chain(subject.cloned()) {
            let reference = Reference::Digest(digest.clone());
            let decided = match self.manifest(repository, &reference).await {
                Ok(stored) => self.decide(&trust, repository, &stored).await.map(drop),
                // It is decided on when it arrives and is asked for.
                Err(Error::ManifestUnknown { .. }) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = decided {
                tracing::warn!(
                    %error, oci.repository = %repository, oci.digest = %digest,
                    "failed to evaluate trust; the next pull does",
                );
            }
        }
    }

    /// The write that voids the verdict on what a manifest or a tag may have signed; none if there
    /// is none.
    pub(super) async fn void_verdict(
        &self,
        repository: &RepositoryName,
        signed: Option<&Digest>,
    ) -> Result<Option<Write>> {
        let Some(signed) = signed.filter(|_| self.trust.is_some()) else {
            return Ok(None);
        };
        let key = Key::Verdict(repository.clone(), signed.clone());
        let entry = self.metadata.get(&key).await?;
        Ok(entry.map(|entry| Write::delete_if(key, entry.version)))
    }

    /// Voids the verdict on what a deleted signature was about once more: where batches are not
    /// atomic, it may have been made anew while the signature was still there.
    pub(super) async fn signature_left(
        &self,
        repository: &RepositoryName,
        signed: Option<&Digest>,
    ) -> Result<()> {
        while let Some(write) = self.void_verdict(repository, signed).await? {
            match self.metadata.write(Batch::durable([write])).await {
                Err(Error::Conflict { .. }) => {}
                voided => return voided.map(drop),
            }
        }
        Ok(())
    }

    async fn verdict(
        &self,
        trust: &Trust,
        repository: &RepositoryName,
        stored: &Stored,
    ) -> Result<Verdict> {
        if let Some((_, verdict)) = self.read_verdict(repository, &stored.digest).await?
            && verdict.policy == *trust.fingerprint()
        {
            let age_s = self.now_unix_s().saturating_sub(verdict.decided_unix_s);
            if verdict.refusal.is_none() || age_s < REFUSAL_S {
                return self.with_indexes(trust, repository, verdict).await;
            }
        }
        let verdict = self.decide(trust, repository, stored).await?;
        self.with_indexes(trust, repository, verdict).await
    }

    /// A refused manifest is trusted all the same if an index that lists it is.
    async fn with_indexes(
        &self,
        trust: &Trust,
        repository: &RepositoryName,
        mut verdict: Verdict,
    ) -> Result<Verdict> {
        if verdict.refusal.is_none() {
            return Ok(verdict);
        }
        for index in verdict.listed_by.clone() {
            let known = self.read_verdict(repository, &index).await?;
            let known = known.map(|(_, known)| known);
            let of_index = match known.filter(|known| known.policy == *trust.fingerprint()) {
                Some(known) => known,
                None => match self
                    .manifest(repository, &Reference::Digest(index.clone()))
                    .await
                {
                    Ok(stored) => Box::pin(self.decide(trust, repository, &stored)).await?,
                    Err(Error::ManifestUnknown { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            if of_index.refusal.is_none() {
                verdict.refusal = None;
                verdict.signers = of_index.signers;
                break;
            }
        }
        Ok(verdict)
    }

    /// Makes a verdict and keeps it. A verdict that was made on other signatures never replaces
    /// one that was made later.
    async fn decide(
        &self,
        trust: &Trust,
        repository: &RepositoryName,
        stored: &Stored,
    ) -> Result<Verdict> {
        let key = Key::Verdict(repository.clone(), stored.digest.clone());
        let mut attempts = Attempts::at(&key);
        loop {
            attempts.next().await?;
            let present = self.read_verdict(repository, &stored.digest).await?;
            let mut verdict = self.judge(trust, repository, stored).await?;
            if let Some((_, present)) = &present {
                verdict.listed_by.clone_from(&present.listed_by);
            }
            let entry = present.as_ref().map(|(entry, _)| entry);
            let write = Write::upsert(key.clone(), entry, records::encode(&verdict, &[])?);
            match self.metadata.write(Batch::durable([write])).await {
                Err(Error::Conflict { .. }) => continue,
                written => written?,
            };
            if verdict.refusal.is_none() {
                self.extend_to_entries(trust, repository, stored).await?;
            }
            return Ok(verdict);
        }
    }

    /// What the policy says of a manifest by the signatures on it now.
    async fn judge(
        &self,
        trust: &Trust,
        repository: &RepositoryName,
        stored: &Stored,
    ) -> Result<Verdict> {
        let view = RepositoryView {
            registry: self,
            repository,
        };
        let size_bytes = stored.bytes.len() as u64;
        let subject = Descriptor::new(&stored.media_type, stored.digest.clone(), size_bytes);
        let name = trust.name_of(repository);
        let decided = trust::verdict_in(&view, &name, &subject, trust.policy()).await;
        let decision = match decided {
            Ok(decision) => decision,
            // Nobody gets content past the policy by burying it in signatures.
            Err(error @ cairn_oci::Error::Limit { .. }) => Decision::Refused {
                reason: error.to_string(),
                hint: "delete signatures that are not needed".to_owned(),
            },
            Err(source) => {
                let action = format!("verify the signatures on `{}`", stored.digest);
                return Err(Error::storage(action, source));
            }
        };
        let (signers, refusal) = match decision {
            Decision::Trusted { signers } => {
                let names = signers.into_iter().map(|signer| signer.name);
                (names.collect(), None)
            }
            Decision::Refused { reason, hint } => (Vec::new(), Some(Refusal { reason, hint })),
        };
        Ok(Verdict {
            policy: trust.fingerprint().clone(),
            decided_unix_s: self.now_unix_s(),
            signers,
            refusal,
            listed_by: Vec::new(),
        })
    }

    /// Lets the entries of a trusted index know of it: clients fetch them by digest.
    async fn extend_to_entries(
        &self,
        trust: &Trust,
        repository: &RepositoryName,
        index: &Stored,
    ) -> Result<()> {
        let document = Document::parse(&index.bytes, Some(&index.media_type))?;
        for entry in document.entries.into_iter().take(INDEX_ENTRIES) {
            let key = Key::Verdict(repository.clone(), entry.digest.clone());
            let mut attempts = Attempts::at(&key);
            loop {
                attempts.next().await?;
                let present = self.read_verdict(repository, &entry.digest).await?;
                let mut verdict = match &present {
                    Some((_, present)) => present.clone(),
                    None => undecided(trust),
                };
                if verdict.listed_by.contains(&index.digest) {
                    break;
                }
                verdict.listed_by.insert(0, index.digest.clone());
                verdict.listed_by.truncate(REMEMBERED_INDEXES);
                let present = present.as_ref().map(|(entry, _)| entry);
                let write = Write::upsert(key.clone(), present, records::encode(&verdict, &[])?);
                match self.metadata.write(Batch::durable([write])).await {
                    Err(Error::Conflict { .. }) => {}
                    written => {
                        written?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn read_verdict(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<(Entry, Verdict)>> {
        let key = Key::Verdict(repository.clone(), digest.clone());
        let Some(entry) = self.metadata.get(&key).await? else {
            return Ok(None);
        };
        let (verdict, _): (Verdict, Bytes) = records::decode(&key, &entry)?;
        Ok(Some((entry, verdict)))
    }
}

/// A refusal that no longer counts, for a manifest that nobody asked for yet.
fn undecided(trust: &Trust) -> Verdict {
    Verdict {
        policy: trust.fingerprint().clone(),
        decided_unix_s: 0,
        signers: Vec::new(),
        refusal: Some(Refusal {
            reason: "it was not looked at yet".to_owned(),
            hint: "ask for it".to_owned(),
        }),
        listed_by: Vec::new(),
    }
}

/// What a tag such as `sha256-<hex>.sig` is about.
pub(crate) fn digest_of(tag: &Tag) -> Option<Digest> {
    let name = tag.as_str().split('.').next().unwrap_or_default();
    name.replacen('-', ":", 1).parse().ok()
}

fn untrusted(repository: &RepositoryName, digest: &Digest, refusal: Refusal) -> Error {
    Error::Untrusted {
        repository: repository.clone(),
        digest: digest.clone(),
        reason: refusal.reason,
        hint: refusal.hint,
    }
}
