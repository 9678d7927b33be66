//! Signatures and attestations, interchangeable with cosign's. The normative document is
//! `spec/signing.md`.
//!
//! A signature is written in two forms: a Sigstore bundle as a referrer, which cosign 3 looks for
//! first, and a simple-signing payload under the tag `sha256-<hex>.sig`, which older tools know.
//! Verifying never trusts where a signature was found, only what it says and whose it is.

use std::collections::BTreeMap;

use cairn_spec::{Annotations, Descriptor, Digest, DigestAlgorithm, Reference, Tag};
use serde::Serialize;
use serde_json::Value;

use crate::{
    Client, Error, PrivateKey, PublicKey, remote,
    store::{Fetch, Resolve, Store},
};

mod attest;
mod bundle;
mod dsse;
mod simple;

#[cfg(test)]
mod peers;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use attest::{
    VerifiedAttestation, attest, attest_in, verify_attestations, verify_attestations_in,
};

/// The predicate type of a signature in the bundle form.
pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// How a signature is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A Sigstore bundle as a referrer.
    Bundle,
    /// A simple-signing payload under the signature tag.
    Simple,
}

/// How to sign.
#[derive(Debug, Clone, Default)]
pub struct SignOptions {
    /// Claims that are signed along, shown by those who verify.
    pub annotations: Annotations,
    /// The time that the bundle's manifest says it was made at, in seconds since 1970. Without
    /// it, the manifest says 1970-01-01T00:00:00Z, so that equal inputs give equal bytes.
    pub created_unix_s: Option<u64>,
    /// The forms to write; both, when empty.
    pub forms: Vec<Form>,
}

/// What signing did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The key that signed.
    pub key_id: String,
    /// The manifest that is signed.
    pub digest: Digest,
    /// The forms that were written.
    pub added: Vec<Form>,
    /// The forms that this key had signed in before, with the same annotations.
    pub present: Vec<Form>,
}

/// A signature that verifies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VerifiedSignature {
    /// The key that signed.
    pub key_id: String,
    /// How the signature is stored.
    pub form: Form,
    /// The claims that are signed along.
    pub annotations: Annotations,
}

/// Signs the manifest whose digest the reference holds. Signing again with the same key and the
/// same annotations adds nothing.
pub async fn sign(
    client: &Client,
    reference: &Reference,
    key: &PrivateKey,
    options: &SignOptions,
) -> Result<Signed, Error> {
    remote::digest_of(
        reference,
        "has no digest; sign a digest, because a tag may move",
    )?;
    let repository = client.repository_of(reference);
    let subject = repository.resolve(&remote::name_of(reference)?).await?;
    sign_in(&repository, &repository.name(), &subject, key, options).await
}

/// Signs a manifest in any store. `identity` is the `host/repository` that the simple form names.
pub async fn sign_in(
    store: &impl Store,
    identity: &str,
    subject: &Descriptor,
    key: &PrivateKey,
    options: &SignOptions,
) -> Result<Signed, Error> {
    let public = key.public_key()?;
    let forms: &[Form] = match options.forms.as_slice() {
        [] => &[Form::Bundle, Form::Simple],
        some => some,
    };
    let known = verify_in(store, subject, std::slice::from_ref(&public)).await?;
    let mut signed = Signed {
        key_id: public.id().to_owned(),
        digest: subject.digest.clone(),
        added: Vec::new(),
        present: Vec::new(),
    };
    for form in forms {
        let same = |known: &VerifiedSignature| {
            known.form == *form && known.annotations == options.annotations
        };
        if known.iter().any(same) {
            signed.present.push(*form);
            continue;
        }
        match form {
            Form::Bundle => bundle::sign(store, subject, key, options).await?,
            Form::Simple => simple::sign(store, identity, subject, key, options).await?,
        }
        signed.added.push(*form);
    }
    Ok(signed)
}

/// All signatures by `keys` on what the reference names. None is not an error: what is enough is
/// for the caller, or for a [trust policy](crate::trust), to say.
pub async fn verify(
    client: &Client,
    reference: &Reference,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedSignature>, Error> {
    let repository = client.repository_of(reference);
    let subject = repository.resolve(&remote::name_of(reference)?).await?;
    verify_in(&repository, &subject, keys).await
}

/// All signatures by `keys` on a manifest in any store, sorted.
pub async fn verify_in(
    store: &(impl Fetch + Resolve),
    subject: &Descriptor,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedSignature>, Error> {
    let mut found = bundle::verify(store, subject, keys).await?;
    found.extend(simple::verify(store, subject, keys).await?);
    found.sort();
    found.dedup();
    Ok(found)
}

/// The tag that holds the simple form for a manifest: `sha256-<hex>.sig`. Other algorithms have
/// none, because their hash does not fit into a tag.
pub(crate) fn signature_tag(digest: &Digest) -> Option<Tag> {
    match digest.algorithm() {
        DigestAlgorithm::Sha256 => format!("sha256-{}.sig", digest.hex()).parse().ok(),
        DigestAlgorithm::Sha512 => None,
    }
}

/// Signed claims as they stand in payloads: other tools also write numbers and more.
type Claims = BTreeMap<String, Value>;

fn claims(annotations: &Annotations) -> Claims {
    annotations
        .iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())))
        .collect()
}

/// Claims as annotations: text as it is, everything else as JSON.
fn shown(claims: &Claims) -> Annotations {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    claims
        .iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

/// The error is about one signature, such as a hostile one, and not about the store: that
/// signature does not count, and the others are looked at.
fn concerns_one_signature(error: &Error) -> bool {
    match error {
        Error::NotFound { .. } | Error::Limit { .. } | Error::Artifact { .. } => true,
        Error::Content { source, .. } => source.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}
