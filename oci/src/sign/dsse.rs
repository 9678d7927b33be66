//! DSSE envelopes with in-toto statements: what is signed in the bundle form.
//!
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md>
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use std::collections::BTreeMap;

use cairn_spec::{Annotations, Digest, Envelope, media_type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Claims, claims, shown};
use crate::{Error, PrivateKey, PublicKey, envelope};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const OLD_STATEMENT: &str = "https://in-toto.io/Statement/v0.1";
/// What is claimed about which content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    pub(super) predicate_type: String,
    #[serde(default)]
    pub(super) predicate: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    annotations: Claims,
}

impl Statement {
    /// A statement about one manifest.
    pub(super) fn new(
        subject: &Digest,
        annotations: &Annotations,
        predicate_type: &str,
        predicate: Value,
    ) -> Self {
        let algorithm = subject.algorithm().as_str().to_owned();
        Self {
            kind: STATEMENT.to_owned(),
            subject: vec![Subject {
                digest: BTreeMap::from([(algorithm, subject.hex().to_owned())]),
                annotations: claims(annotations),
            }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The annotations of the statement's subject, if the statement is about `digest`.
    pub(super) fn about(&self, digest: &Digest) -> Option<Annotations> {
        let is_it = |subject: &&Subject| {
            subject
                .digest
                .get(digest.algorithm().as_str())
                .is_some_and(|hex| hex == digest.hex())
        };
        self.subject
            .iter()
            .find(is_it)
            .map(|subject| shown(&subject.annotations))
    }
}

/// Signs a statement.
pub(super) fn seal(statement: &Statement, key: &PrivateKey) -> Result<Envelope, Error> {
    let payload = serde_json::to_vec(statement).map_err(|error| Error::Malformed {
        what: statement.predicate_type.clone(),
        reason: error.to_string(),
    })?;
    Ok(envelope::seal(media_type::IN_TOTO, &payload, [key]))
}

/// The statement, and those of `keys` that signed it; `None` unless at least one did.
/// Nothing of the payload is parsed before a signature on it verifies.
pub(super) fn open<'k>(
    envelope: &Envelope,
    keys: &'k [PublicKey],
) -> Option<(Statement, Vec<&'k PublicKey>)> {
    if envelope.payload_type != media_type::IN_TOTO {
        return None;
    }
    let payload = envelope::decoded(envelope).ok()?;
    let signers: Vec<_> = envelope::signers(envelope, &payload, keys).collect();
    if signers.is_empty() {
        return None;
    }
    let statement: Statement = serde_json::from_slice(&payload).ok()?;
    matches!(statement.kind.as_str(), STATEMENT | OLD_STATEMENT).then_some((statement, signers))
}
