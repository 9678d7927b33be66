//! Trust policies: whose signatures content needs, by where it is. Registry, compiler and agent
//! read the same file and decide with the same function. What no rule covers is refused.
//!
//! The normative document is `spec/signing.md`.

use std::collections::BTreeSet;

use cairn_spec::{Annotations, Descriptor, Digest, Reference};

use crate::{
    Client, Error, PublicKey, remote,
    sign::{self, VerifiedAttestation, VerifiedSignature},
    store::{Fetch, Resolve},
};

mod evaluate;
mod file;

pub use evaluate::{Signer, Verdict, evaluate};
pub use file::{
    ChartTrust, KeyEntry, PolicyFile, PolicyKind, PolicyVersion, Rule, RuleEntry, TrustPolicy,
    TrustedKey,
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

/// What a policy trusts, and what was signed along with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The manifest that was verified.
    pub digest: Digest,
    /// Each combination of the claims' values that as many keys have signed as the policy asks for.
    /// A signature without any of them is one, too.
    pub claims: Vec<Annotations>,
}

/// Resolves a reference and verifies what it names, and says which values of some claims were signed.
/// Keys that say different things do not add up.
pub async fn verify_claims(
    client: &Client,
    reference: &Reference,
    policy: &TrustPolicy,
    names: &[&str],
) -> Result<Claimed, Error> {
    let repository = client.repository_of(reference);
    let subject = repository.resolve(&remote::name_of(reference)?).await?;
    let place = repository.name();
    let refuse = |reason, hint| {
        Err(Error::Untrusted {
            what: reference.to_string(),
            reason,
            hint,
        })
    };
    let evidence = Evidence::read(&repository, &place, &subject, policy).await?;
    if let Verdict::Refused { reason, hint } = evidence.verdict(policy, &place) {
        return refuse(reason, hint);
    }
    let claims = evidence.claims(policy, &place, names);
    if claims.is_empty() {
        let names = names.join("`, `");
        return refuse(
            format!("the keys that have signed it say different things of `{names}`"),
            "have all of them sign it with the same annotations".to_owned(),
        );
    }
    Ok(Claimed {
        digest: subject.digest,
        claims,
    })
}

/// Verifies a manifest in any store against the policy; `name` is its `host/repository`.
pub async fn verdict_in(
    store: &(impl Fetch + Resolve),
    name: &str,
    subject: &Descriptor,
    policy: &TrustPolicy,
) -> Result<Verdict, Error> {
    let evidence = Evidence::read(store, name, subject, policy).await?;
    Ok(evidence.verdict(policy, name))
}

/// What verifies of all that was signed about a manifest.
#[derive(Default)]
struct Evidence {
    signatures: Vec<VerifiedSignature>,
    attestations: Vec<VerifiedAttestation>,
}

impl Evidence {
    async fn read(
        store: &(impl Fetch + Resolve),
        name: &str,
        subject: &Descriptor,
        policy: &TrustPolicy,
    ) -> Result<Self, Error> {
        let Some(rule) = policy.rule_for(name) else {
            // Nothing could make it trusted, so nothing is read.
            return Ok(Self::default());
        };
        let keys: Vec<PublicKey> = rule
            .keys
            .iter()
            .map(|trusted| trusted.key.clone())
            .collect();
        let signatures = sign::verify_in(store, subject, &keys).await?;
        let attestations = if rule.attestations.is_empty() {
            Vec::new()
        } else {
            sign::verify_attestations_in(store, subject, None, &keys).await?
        };
        Ok(Self {
            signatures,
            attestations,
        })
    }

    fn verdict(&self, policy: &TrustPolicy, name: &str) -> Verdict {
        evaluate(policy, name, &self.signatures, &self.attestations)
    }

    fn claims(&self, policy: &TrustPolicy, name: &str, names: &[&str]) -> Vec<Annotations> {
        let claimed = |signature: &VerifiedSignature| -> Annotations {
            let mut claims = signature.annotations.clone();
            claims.retain(|key, _| names.contains(&key.as_str()));
            claims
        };
        let combinations: BTreeSet<Annotations> = self.signatures.iter().map(claimed).collect();
        let is_trusted = |claims: &Annotations| {
            let agreeing = self.signatures.iter();
            let agreeing = agreeing.filter(|signature| claimed(signature) == *claims);
            let agreeing: Vec<VerifiedSignature> = agreeing.cloned().collect();
            let verdict = evaluate(policy, name, &agreeing, &self.attestations);
            matches!(verdict, Verdict::Trusted { .. })
        };
        combinations.into_iter().filter(is_trusted).collect()
    }
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

    #[tokio::test]
    async fn claims_count_that_enough_keys_have_signed_alike() {
        const NAMES: [&str; 1] = ["generation"];
        let registry = TestRegistry::start(Traits::default()).await;
        let client = Client::new(Options::default()).unwrap();
        let reference = registry.reference("bundles/a:1");
        let artifact = conformance::artifact("a");
        client.push_artifact(&reference, &artifact).await.unwrap();
        let by_digest = reference.with_digest(artifact.digest().clone());
        let keys = [key::generate().unwrap(), key::generate().unwrap()];
        let pem = |key: &PrivateKey| key.public_key().unwrap().to_pem().unwrap();
        let file = |threshold: usize| {
            let policy = serde_json::json!({
                "apiVersion": "cairn.dev/v1", "kind": "TrustPolicy",
                "rules": [{
                    "repositories": ["**"], "threshold": threshold,
                    "keys": [{"name": "a", "pem": pem(&keys[0])}, {"name": "b", "pem": pem(&keys[1])}],
                }],
            });
            let read = |path: &std::path::Path| Err(Error::not_found(path.display()));
            TrustPolicy::parse(&policy.to_string(), "trust.yaml", read).unwrap()
        };
        let sign = async |key: &PrivateKey, generation: &str| {
            let options = SignOptions {
                annotations: [
                    ("generation".to_owned(), generation.to_owned()),
                    ("by".to_owned(), key.public_key().unwrap().id().to_owned()),
                ]
                .into(),
                ..SignOptions::default()
            };
            sign::sign(&client, &by_digest, key, &options)
                .await
                .unwrap();
        };
        let claimed = async |threshold: usize| {
            let claimed = verify_claims(&client, &reference, &file(threshold), &NAMES).await;
            claimed.map(|claimed| {
                let values = claimed
                    .claims
                    .iter()
                    .map(|claims| claims["generation"].clone());
                values.collect::<Vec<_>>().join(" ")
            })
        };
        sign(&keys[0], "7").await;
        sign(&keys[1], "8").await;
        assert_eq!(claimed(1).await.unwrap(), "7 8");
        let error = claimed(2).await.unwrap_err().to_string();
        assert!(
            error.contains("different things of `generation`"),
            "{error}"
        );
        sign(&keys[1], "7").await;
        assert_eq!(claimed(2).await.unwrap(), "7");
    }
}
