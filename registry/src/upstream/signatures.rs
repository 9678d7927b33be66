//! Signatures come with what they are about, so that the trust policy can decide on it here.

use std::sync::Arc;

use cairn_oci::{Name, limits};
use cairn_spec::{Digest, Manifest, RepositoryName, Tag};

use super::{Failure, PullThrough, Source};
use crate::{
    Error,
    service::{ManifestPush, Reference, Stored},
    trust::is_about_another,
};

/// What tags of signatures and attestations end in, in cosign's former form.
const FORMER: [&str; 2] = ["sig", "att"];
/// Parts of artifact types under which tools list signatures and attestations.
const KINDS: [&str; 5] = ["sigstore", "cosign", "in-toto", "dsse", "notary"];

impl PullThrough {
    /// Brings the signatures of a manifest that the trust policy refuses as it is, at most once in
    /// a while. Those that do not come do not count.
    pub(super) async fn seek_signatures(
        self: &Arc<Self>,
        repository: &RepositoryName,
        stored: &Stored,
        sources: &[Source],
    ) {
        let key = (repository.clone(), stored.digest.clone());
        let is_wanted = !self.sought.contains_key(&key)
            && !is_about_another(&stored.bytes)
            && self.registry.checks_trust(repository).await;
        if !is_wanted {
            return;
        }
        let verdict = self.registry.trust_of(repository, stored).await;
        if !matches!(verdict, Ok(Some(verdict)) if verdict.refusal.is_some()) {
            return;
        }
        self.sought.insert(key, ()).await;
        for source in sources {
            let brought = self.bring_signatures(repository, &stored.digest, source);
            if let Err(failure) = brought.await {
                tracing::debug!(
                    upstream = &*source.upstream.name, oci.repository = %repository,
                    oci.digest = %stored.digest, reason = ?failure,
                    "signatures of an upstream did not come",
                );
            }
        }
    }

    async fn bring_signatures(
        self: &Arc<Self>,
        repository: &RepositoryName,
        subject: &Digest,
        source: &Source,
    ) -> Result<(), Failure> {
        let Source { upstream, remote } = source;
        let what = source.name_of(format_args!("referrers of {subject}"));
        let listed = upstream
            .ask(&what, remote.referrers_of(subject, None))
            .await;
        let listed = match listed {
            Err(Failure::Missing) => Vec::new(),
            listed => listed?,
        };
        let may_sign = |artifact_type: Option<&str>| {
            artifact_type.is_none_or(|kind| KINDS.iter().any(|part| kind.contains(part)))
        };
        let signatures = listed
            .iter()
            .filter(|it| it.is_manifest() && may_sign(it.artifact_type.as_deref()))
            .take(limits::MAX_SIGNATURES);
        for signature in signatures {
            let name = Name::Digest(signature.digest.clone());
            self.bring(repository, &name, source).await?;
        }
        for former in FORMER {
            let tag = format!("sha256-{}.{former}", subject.hex()).parse::<Tag>();
            let Ok(tag) = tag else { continue };
            match self.bring(repository, &Name::Tag(tag), source).await {
                Ok(()) | Err(Failure::Missing) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Stores a manifest with its blobs, as small as those of signatures are.
    async fn bring(
        self: &Arc<Self>,
        repository: &RepositoryName,
        name: &Name,
        source: &Source,
    ) -> Result<(), Failure> {
        let Source { upstream, remote } = source;
        let asked = remote.read_manifest(name);
        let (descriptor, manifest) = upstream.ask(&source.name_of(name), asked).await?;
        if !is_small(&manifest) || !is_about_another(manifest.bytes()) {
            return Ok(());
        }
        for blob in manifest.children() {
            let sources = std::slice::from_ref(source);
            self.bring_blob(repository, &blob.digest, sources).await?;
        }
        let tags = match name {
            Name::Tag(tag) => vec![tag.clone()],
            Name::Digest(_) => Vec::new(),
        };
        let stored = self.registry.push_manifest(ManifestPush {
            repository: repository.clone(),
            reference: Reference::Digest(descriptor.digest),
            tags,
            content_type: Some(manifest.media_type().to_owned()),
            bytes: manifest.bytes().to_vec().into(),
            upstream: Some(upstream.name.to_string()),
        });
        let of_keeping = |error: Error| Failure::of_keeping(&upstream.name, &error);
        stored.await.map(drop).map_err(of_keeping)
    }
}

fn is_small(manifest: &Manifest) -> bool {
    let mut blobs = manifest.children();
    let sizes = manifest.children().map(|blob| blob.size);
    let total_bytes = sizes.fold(0_u64, u64::saturating_add);
    blobs.all(|blob| !blob.is_manifest()) && total_bytes <= limits::MAX_ATTESTATION_BYTES
}
