//! Trust policies: whose signatures content needs, by where it is. Registry, compiler and agent
//! read the same file and decide with the same function. What no rule covers is refused.
//!
//! The normative document is `spec/signing.md`.

use cairn_spec::{Descriptor, Digest, Reference};

use crate::{
    Client, Error, PublicKey, remote, sign,
    store::{Resolve as _, Store},
};

mod evaluate;
mod file;

pub use evaluate::{Signer, Verdict, evaluate};
pub use file::{
    KeyEntry, PolicyFile, PolicyKind, PolicyVersion, Rule, RuleEntry, TrustPolicy, TrustedKey,
};

/// What a policy trusts, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The manifest that was verified: use this digest from here on, not the tag.
    pub digest: Digest,
    /// Who signed it.
    pub signers: Vec<Signer>,
}

/// Resolves a reference and verifies what it names against the policy. An error of kind
/// [`Error::Untrusted`] says why it is refused and what to do.
pub async fn verify_trust(
    client: &Client,
    reference: &Reference,
    policy: &TrustPolicy,
) -> Result<Trusted, Error> {
    let repository = client.repository_of(reference);
    let subject = repository.resolve(&remote::name_of(reference)?).await?;
    let verdict = verdict_in(&repository, &repository.name(), &subject, policy).await?;
    match verdict {
        Verdict::Trusted { signers } => Ok(Trusted {
            digest: subject.digest,
            signers,
        }),
        Verdict::Refused { reason, hint } => Err(Error::Untrusted {
            what: reference.to_string(),
            reason,
            hint,
        }),
    }
}

/// Verifies a manifest in any store against the policy; `name` is its `host/repository`.
pub async fn verdict_in(
    store: &impl Store,
    name: &str,
    subject: &Descriptor,
    policy: &TrustPolicy,
) -> Result<Verdict, Error> {
    let keys: Vec<PublicKey> = match policy.rule_for(name) {
        Some(rule) => rule
            .keys
            .iter()
            .map(|trusted| trusted.key.clone())
            .collect(),
        // Nothing could make it trusted, so nothing is read.
        None => return Ok(evaluate(policy, name, &[], &[])),
    };
    let signatures = sign::verify_in(store, subject, &keys).await?;
    let needs_attestations = policy
        .rule_for(name)
        .is_some_and(|rule| !rule.attestations.is_empty());
    let attestations = if needs_attestations {
        sign::verify_attestations_in(store, subject, None, &keys).await?
    } else {
        Vec::new()
    };
    Ok(evaluate(policy, name, &signatures, &attestations))
}
