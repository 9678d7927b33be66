//! Attestations: signed statements about a manifest, such as where it comes from (SLSA), what is
//! in it (a bill of materials), or what a policy says about it.

use cairn_spec::{Annotations, Descriptor, Digest, Reference};
use serde::Serialize;
use serde_json::Value;

use super::{
    COSIGN_SIGN,
    bundle::{self, Wanted},
    dsse::Statement,
};
use crate::{
    Client, Error, PrivateKey, PublicKey, remote,
    store::{Fetch, Push, Resolve},
};

/// An attestation that verifies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedAttestation {
    /// The key that signed.
    pub key_id: String,
    /// The manifest that holds the attestation.
    pub digest: Digest,
    /// What kind of claim it is, as a URI.
    pub predicate_type: String,
    /// The claim.
    pub predicate: Value,
}

/// Attests something about the manifest whose digest the reference holds, and returns the digest
/// of the manifest that holds the attestation. The same attestation again adds nothing.
pub async fn attest(
    client: &Client,
    reference: &Reference,
    predicate_type: &str,
    predicate: &Value,
    key: &PrivateKey,
) -> Result<Digest, Error> {
    remote::digest_of(
        reference,
        "has no digest; attest a digest, because a tag may move",
    )?;
    let repository = client.repository_of(reference);
    let subject = repository.resolve(&remote::name_of(reference)?).await?;
    attest_in(&repository, &subject, predicate_type, predicate, key).await
}

/// Attests something about a manifest in any store.
pub async fn attest_in(
    store: &impl Push,
    subject: &Descriptor,
    predicate_type: &str,
    predicate: &Value,
    key: &PrivateKey,
) -> Result<Digest, Error> {
    if predicate_type.is_empty() || predicate_type == COSIGN_SIGN {
        return Err(Error::Malformed {
            what: predicate_type.to_owned(),
            reason: "it is not the type of an attestation".to_owned(),
        });
    }
    let statement = Statement::new(
        &subject.digest,
        &Annotations::new(),
        predicate_type,
        predicate.clone(),
    );
    let stored = bundle::push(store, subject, &statement, key, None).await?;
    Ok(stored.digest)
}

/// All attestations by `keys` on what the reference names, of one predicate type or of all.
pub async fn verify_attestations(
    client: &Client,
    reference: &Reference,
    predicate_type: Option<&str>,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedAttestation>, Error> {
    let repository = client.repository_of(reference);
    let subject = repository.resolve(&remote::name_of(reference)?).await?;
    verify_attestations_in(&repository, &subject, predicate_type, keys).await
}

/// All attestations by `keys` on a manifest in any store.
pub async fn verify_attestations_in(
    store: &(impl Fetch + Resolve),
    subject: &Descriptor,
    predicate_type: Option<&str>,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedAttestation>, Error> {
    let mut found = Vec::new();
    for opened in bundle::open_all(store, subject, keys, Wanted::Attestations).await? {
        let statement = opened.statement;
        let is_wanted = statement.predicate_type != COSIGN_SIGN
            && predicate_type.is_none_or(|wanted| wanted == statement.predicate_type);
        if !is_wanted {
            continue;
        }
        found.extend(opened.signers.iter().map(|key| VerifiedAttestation {
            key_id: key.id().to_owned(),
            digest: opened.manifest.digest.clone(),
            predicate_type: statement.predicate_type.clone(),
            predicate: statement.predicate.clone(),
        }));
    }
    Ok(found)
}
