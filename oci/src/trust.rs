//! Trust policies: whose signatures content needs, by where it is. Registry, compiler and agent
//! read the same file and decide with the same function. What no rule covers is refused.
//!
//! The normative document is `spec/signing.md`.

use cairn_spec::{Descriptor, Digest, Reference};

use crate::{
    Client, Error, PublicKey, remote, sign,
    store::{Fetch, Resolve},
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
    store: &(impl Fetch + Resolve),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Options, PrivateKey, key,
        remote::test_registry::{TestRegistry, Traits},
        sign::SignOptions,
        store::conformance,
    };

    fn policy(key: &PrivateKey, repositories: &str) -> TrustPolicy {
        let pem = key.public_key().unwrap().to_pem().unwrap();
        let file = serde_json::json!({
            "apiVersion": "cairn.dev/v1",
            "kind": "TrustPolicy",
            "rules": [{
                "repositories": [repositories],
                "keys": [{"name": "ci", "pem": pem}],
                "attestations": ["https://slsa.dev/provenance/v1"],
            }],
        });
        let read = |path: &std::path::Path| Err(Error::not_found(path.display()));
        TrustPolicy::parse(&file.to_string(), "trust.yaml", read).unwrap()
    }

    #[tokio::test]
    async fn only_what_is_signed_and_attested_is_trusted() {
        let registry = TestRegistry::start(Traits::default()).await;
        let client = Client::new(Options::default()).unwrap();
        let reference = registry.reference("packs/a:1");
        let artifact = conformance::artifact("a");
        client.push_artifact(&reference, &artifact).await.unwrap();
        let by_digest = reference.with_digest(artifact.digest().clone());
        let key = key::generate().unwrap();
        let policy_here = policy(&key, "**/packs/*");
        let reason = async |policy: &TrustPolicy| {
            let error = verify_trust(&client, &reference, policy).await.unwrap_err();
            assert!(error.hint().is_some());
            error.to_string()
        };
        assert!(
            reason(&policy_here)
                .await
                .contains("no trusted key has signed it")
        );
        sign::sign(&client, &by_digest, &key, &SignOptions::default())
            .await
            .unwrap();
        assert!(
            reason(&policy_here)
                .await
                .contains("provenance/v1` by a trusted key is missing")
        );
        let slsa = "https://slsa.dev/provenance/v1";
        sign::attest(&client, &by_digest, slsa, &serde_json::json!({}), &key)
            .await
            .unwrap();
        let trusted = verify_trust(&client, &reference, &policy_here)
            .await
            .unwrap();
        assert_eq!(trusted.digest, *artifact.digest());
        assert_eq!(trusted.signers[0].name, "ci");
        assert!(
            reason(&policy(&key, "elsewhere/**"))
                .await
                .contains("no rule")
        );
        assert!(
            reason(&policy(&key::generate().unwrap(), "**"))
                .await
                .contains("no trusted key")
        );
    }
}
