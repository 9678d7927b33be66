//! The decision: pure, so that registry, compiler and agent come to the same one.

use serde::Serialize;

use super::{Rule, TrustPolicy};
use crate::sign::{VerifiedAttestation, VerifiedSignature};

/// Whether content is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// Enough trusted keys have signed, and all attestations are there.
    Trusted {
        /// Who signed, in the order of the policy.
        signers: Vec<Signer>,
    },
    /// The content must not be used.
    Refused {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// The name of the key in the policy.
    pub name: String,
    /// The key.
    pub key_id: String,
}

/// Decides about content of a `host/repository` by the signatures and attestations on it that
/// verified. Those by keys that the deciding rule does not name count for nothing.
pub fn evaluate(
    policy: &TrustPolicy,
    repository: &str,
    signatures: &[VerifiedSignature],
    attestations: &[VerifiedAttestation],
) -> Verdict {
    let Some(rule) = policy.rule_for(repository) else {
        return Verdict::Refused {
            reason: format!("no rule of the trust policy covers `{repository}`"),
            hint: format!(
                "add a rule with `repositories: [\"{repository}\"]` and the keys to trust"
            ),
        };
    };
    let signers: Vec<Signer> = rule
        .keys
        .iter()
        .filter(|trusted| {
            signatures
                .iter()
                .any(|signature| signature.key_id == trusted.key.id())
        })
        .map(|trusted| Signer {
            name: trusted.name.clone(),
            key_id: trusted.key.id().to_owned(),
        })
        .collect();
    if signers.len() < rule.threshold {
        return too_few(rule, &signers);
    }
    let is_missing = |predicate_type: &&String| {
        !attestations.iter().any(|attestation| {
            attestation.predicate_type == **predicate_type
                && rule
                    .keys
                    .iter()
                    .any(|trusted| trusted.key.id() == attestation.key_id)
        })
    };
    match rule.attestations.iter().find(is_missing) {
        None => Verdict::Trusted { signers },
        Some(predicate_type) => Verdict::Refused {
            reason: format!("the attestation `{predicate_type}` by a trusted key is missing"),
            hint: format!("have one of {} attest it", names(rule)),
        },
    }
}

fn too_few(rule: &Rule, signers: &[Signer]) -> Verdict {
    let reason = match (signers.len(), rule.threshold) {
        (0, 1) => "no trusted key has signed it".to_owned(),
        (count, threshold) => {
            format!("{count} of the {threshold} trusted keys that are needed have signed it")
        }
    };
    Verdict::Refused {
        reason,
        hint: if rule.threshold == rule.keys.len() {
            format!("have it signed with {}", names(rule))
        } else {
            format!("have it signed with {} of {}", rule.threshold, names(rule))
        },
    }
}

fn names(rule: &Rule) -> String {
    let quoted: Vec<String> = rule
        .keys
        .iter()
        .map(|trusted| format!("`{}`", trusted.name))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cairn_spec::{Annotations, Digest};

    use super::*;
    use crate::{Error, PrivateKey, key, sign::Form};

    fn pem(key: &PrivateKey) -> String {
        key.public_key().unwrap().to_pem().unwrap()
    }

    fn parse(text: &str, keys: &[(&str, &PrivateKey)]) -> Result<TrustPolicy, Error> {
        TrustPolicy::parse(text, "trust.yaml", |path: &Path| {
            let found = keys.iter().find(|(name, _)| Path::new(name) == path);
            found
                .map(|(_, key)| pem(key))
                .ok_or_else(|| Error::not_found(path.display()))
        })
    }

    fn signed(key: &PrivateKey) -> VerifiedSignature {
        VerifiedSignature {
            key_id: key.public_key().unwrap().id().to_owned(),
            form: Form::Bundle,
            annotations: Annotations::new(),
        }
    }

    fn attested(key: &PrivateKey, predicate_type: &str) -> VerifiedAttestation {
        VerifiedAttestation {
            key_id: signed(key).key_id,
            digest: Digest::sha256(b""),
            predicate_type: predicate_type.to_owned(),
            predicate: serde_json::Value::Null,
        }
    }

    fn shown(verdict: Verdict) -> String {
        match verdict {
            Verdict::Trusted { signers } => {
                let names: Vec<String> = signers.into_iter().map(|signer| signer.name).collect();
                format!("trusted: {}", names.join(" "))
            }
            Verdict::Refused { reason, hint } => format!("refused: {reason}; hint: {hint}"),
        }
    }

    const POLICY: &str = "
apiVersion: cairn.dev/v1
kind: TrustPolicy
rules:
- repositories: ['127.0.0.1:5000/**']
  keys: [{name: ci, path: ci.pub}]
- repositories: ['127.0.0.1:5000/packs/*', 'registry.example.com/packs/**']
  keys: [{name: ci, path: ci.pub}, {name: release, path: release.pub}]
  threshold: 2
  attestations: ['https://slsa.dev/provenance/v1']
";

    #[test]
    fn the_longest_glob_decides_and_the_rest_is_refused() {
        let (ci, release, stranger) = (
            key::generate().unwrap(),
            key::generate().unwrap(),
            key::generate().unwrap(),
        );
        let policy = parse(POLICY, &[("ci.pub", &ci), ("release.pub", &release)]).unwrap();
        let slsa = "https://slsa.dev/provenance/v1";
        let verdict =
            |repository: &str, signers: &[&PrivateKey], attestations: &[VerifiedAttestation]| {
                let signatures: Vec<VerifiedSignature> =
                    signers.iter().map(|key| signed(key)).collect();
                shown(evaluate(&policy, repository, &signatures, attestations))
            };
        insta::assert_snapshot!(verdict("127.0.0.1:5000/other/a", &[&ci], &[]), @"trusted: ci");
        insta::assert_snapshot!(verdict("127.0.0.1:5000/other/a", &[&stranger], &[]), @"refused: no trusted key has signed it; hint: have it signed with `ci`");
        insta::assert_snapshot!(verdict("127.0.0.1:5000/packs/a", &[&ci], &[]), @"refused: 1 of the 2 trusted keys that are needed have signed it; hint: have it signed with `ci`, `release`");
        // The same key twice is one signer.
        insta::assert_snapshot!(verdict("127.0.0.1:5000/packs/a", &[&ci, &ci], &[]), @"refused: 1 of the 2 trusted keys that are needed have signed it; hint: have it signed with `ci`, `release`");
        insta::assert_snapshot!(verdict("127.0.0.1:5000/packs/a", &[&ci, &release], &[]), @"refused: the attestation `https://slsa.dev/provenance/v1` by a trusted key is missing; hint: have one of `ci`, `release` attest it");
        insta::assert_snapshot!(verdict("127.0.0.1:5000/packs/a", &[&ci, &release], &[attested(&stranger, slsa)]), @"refused: the attestation `https://slsa.dev/provenance/v1` by a trusted key is missing; hint: have one of `ci`, `release` attest it");
        insta::assert_snapshot!(verdict("registry.example.com/packs/a/b", &[&release, &ci], &[attested(&ci, slsa)]), @"trusted: ci release");
        // `*` stays within a segment, so the shorter glob decides here.
        insta::assert_snapshot!(verdict("127.0.0.1:5000/packs/a/b", &[&ci], &[]), @"trusted: ci");
        insta::assert_snapshot!(verdict("registry.example.com/other", &[&ci], &[]), @r#"refused: no rule of the trust policy covers `registry.example.com/other`; hint: add a rule with `repositories: ["registry.example.com/other"]` and the keys to trust"#);
    }

    #[test]
    fn malformed_policies_are_refused() {
        let ci = key::generate().unwrap();
        let reason = |change: &dyn Fn(&str) -> String| {
            let keys = [("ci.pub", &ci)];
            parse(&change(ONE), &keys).unwrap_err().to_string()
        };
        assert!(parse(ONE, &[("ci.pub", &ci)]).is_ok());
        insta::assert_snapshot!(reason(&|p| p.replace("threshold: 1", "threshold: 2")), @"`trust.yaml` is malformed: `rules[0]`: `threshold` is 2, but must be between 1 and the number of keys, 1");
        insta::assert_snapshot!(reason(&|p| p.replace("threshold: 1", "threshold: 0")), @"`trust.yaml` is malformed: `rules[0]`: `threshold` is 0, but must be between 1 and the number of keys, 1");
        insta::assert_snapshot!(reason(&|p| p.replace("ci.pub", "none.pub")), @"`trust.yaml` is malformed: `rules[0]`: `none.pub` does not exist");
        insta::assert_snapshot!(reason(&|p| p.replace(", path: ci.pub", "")), @"`trust.yaml` is malformed: `rules[0]`: key `ci` needs either `path` or `pem`");
        insta::assert_snapshot!(reason(&|p| p.replace("['**']", "[]")), @"`trust.yaml` is malformed: `rules[0]`: `repositories` is empty");
        insta::assert_snapshot!(reason(&|p| p.replace("['**']", "['**', '**']")), @"`trust.yaml` is malformed: the glob `**` stands in two places");
        assert!(reason(&|p| p.replace("threshold", "treshold")).contains("treshold"));
        assert!(reason(&|p| p.replace("cairn.dev/v1", "cairn.dev/v2")).contains("cairn.dev/v2"));
        assert!(reason(&|p| p.replace("TrustPolicy", "Pack")).contains("Pack"));
        assert!(reason(&|_| String::new()).contains("malformed"));
    }

    const ONE: &str = "
apiVersion: cairn.dev/v1
kind: TrustPolicy
rules:
- repositories: ['**']
  keys: [{name: ci, path: ci.pub}]
  threshold: 1
";
}
