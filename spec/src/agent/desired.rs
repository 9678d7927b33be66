//! The desired state of a cluster: which bundle it is to run, and how it is to be treated. It is
//! signed, so whoever passes it on can only choose among what was signed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Policy, limits};
use crate::{
    ApiVersion, DesiredStateKind, Digest, GroupName, Reference, ReferenceError, Timestamp,
    canonical_json,
};

/// What a cluster, or each cluster of a group, is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredState {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `DesiredState`.
    pub kind: DesiredStateKind,
    /// Whom it is for.
    pub audience: Audience,
    /// Only grows, for every cluster: going back to an older bundle is a higher generation.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub generation: u64,
    /// The bundle.
    pub bundle: BundleSource,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// From then on it is not accepted any more; who has accepted it before goes on enforcing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How the cluster is to be treated.
    #[serde(default)]
    pub policy: Policy,
}

/// Whom a desired state is for.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// The cluster whose namespace `kube-system` has this UID.
    Cluster(String),
    /// The clusters that joined with a token of this group.
    Group(GroupName),
}

impl std::fmt::Display for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cluster(uid) => write!(f, "cluster {uid}"),
            Self::Group(name) => write!(f, "group {name}"),
        }
    }
}

/// Where the bundle is. Only the digest says which one it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleSource {
    /// `host[:port]/repository`, without tag and digest.
    pub repository: String,
    /// The digest of the bundle's manifest.
    pub digest: Digest,
}

impl BundleSource {
    /// `repository@digest`.
    pub fn reference(&self) -> Result<Reference, ReferenceError> {
        format!("{}@{}", self.repository, self.digest).parse()
    }
}

/// Why a text is no desired state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DesiredStateError {
    /// It is larger than it may be.
    #[error("the desired state has more than {} bytes", limits::MAX_SIGNED_BYTES)]
    TooLarge,
    /// It is not written as a desired state is.
    #[error("the desired state is malformed: {0}")]
    Malformed(String),
    /// A value makes no sense.
    #[error("`{field}` of the desired state: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl DesiredState {
    /// A state with the default policy.
    pub fn new(
        audience: Audience,
        generation: u64,
        bundle: BundleSource,
        issued_at: Timestamp,
    ) -> Self {
        Self {
            api_version: ApiVersion,
            kind: DesiredStateKind,
            audience,
            generation,
            bundle,
            issued_at,
            expires_at: None,
            policy: Policy::default(),
        }
    }

    /// Reads what was signed. Whoever calls this has verified the signatures before.
    pub fn read(payload: &[u8]) -> Result<Self, DesiredStateError> {
        if payload.len() > limits::MAX_SIGNED_BYTES {
            return Err(DesiredStateError::TooLarge);
        }
        let state: Self = serde_json::from_slice(payload)
            .map_err(|error| DesiredStateError::Malformed(error.to_string()))?;
        state.check()?;
        Ok(state)
    }

    /// The bytes to sign: equal states are equal bytes.
    pub fn write(&self) -> Result<Vec<u8>, DesiredStateError> {
        self.check()?;
        let payload = canonical_json(self).into_bytes();
        if payload.len() > limits::MAX_SIGNED_BYTES {
            return Err(DesiredStateError::TooLarge);
        }
        Ok(payload)
    }

    /// It is too late to accept it.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<(), DesiredStateError> {
        let refuse = |field, reason: String| Err(DesiredStateError::Invalid { field, reason });
        if let Audience::Cluster(uid) = &self.audience
            && !is_cluster_uid(uid)
        {
            return refuse(
                "audience.cluster",
                "it is not the UID of a namespace: 1 to 128 letters, digits and `-`".to_owned(),
            );
        }
        if self.generation == 0 || self.generation > MAX_GENERATION {
            return refuse("generation", format!("it is not 1 to {MAX_GENERATION}"));
        }
        match self.bundle.repository.parse::<Reference>() {
            Err(error) => return refuse("bundle.repository", error.to_string()),
            Ok(it) if it.tag.is_some() || it.digest.is_some() => {
                return refuse("bundle.repository", "it has a tag or a digest".to_owned());
            }
            Ok(_) => {}
        }
        if self.expires_at.is_some_and(|end| end <= self.issued_at) {
            return refuse("expiresAt", "it is not after `issuedAt`".to_owned());
        }
        check_policy(&self.policy)
    }
}

/// JSON numbers are exact up to here.
const MAX_GENERATION: u64 = (1 << 53) - 1;
/// A layer may not take longer than a day, in seconds.
const MAX_TIMEOUT_S: u32 = 86_400;

/// The text can be the UID of a namespace; Kubernetes writes UUIDs.
pub(super) fn is_cluster_uid(text: &str) -> bool {
    (1..=limits::MAX_ID_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn check_policy(policy: &Policy) -> Result<(), DesiredStateError> {
    let refuse = |field, reason: String| Err(DesiredStateError::Invalid { field, reason });
    let lengths = [
        ("policy.windows.allow", policy.windows.allow.len()),
        ("policy.windows.deny", policy.windows.deny.len()),
        ("policy.drift.layers", policy.drift.layers.len()),
        ("policy.ignore", policy.ignore.len()),
        ("policy.approvals", policy.approvals.len()),
        ("policy.retry", policy.retry.len()),
    ];
    for (field, length) in lengths {
        if length > limits::MAX_POLICY_ENTRIES {
            let most = limits::MAX_POLICY_ENTRIES;
            return refuse(field, format!("it has more than {most} entries"));
        }
    }
    if policy.timeout_s == 0 || policy.timeout_s > MAX_TIMEOUT_S {
        return refuse("policy.timeoutS", format!("it is not 1 to {MAX_TIMEOUT_S}"));
    }
    if let Some(pause) = &policy.pause
        && pause.reason.len() > limits::MAX_REASON_BYTES
    {
        let most = limits::MAX_REASON_BYTES;
        return refuse(
            "policy.pause.reason",
            format!("it has more than {most} bytes"),
        );
    }
    for rule in &policy.ignore {
        if rule.paths.is_empty() {
            return refuse("policy.ignore.paths", "it names no field".to_owned());
        }
        if let Some(path) = rule.paths.iter().find(|path| !path.starts_with('/')) {
            return refuse(
                "policy.ignore.paths",
                format!("`{path}` is not a JSON pointer such as `/spec/replicas`"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value as Json, json};

    use super::*;

    fn written() -> Json {
        json!({
            "apiVersion": "cairn.dev/v1", "kind": "DesiredState", "audience": {"cluster": "5f0c-1"}, "generation": 12,
            "bundle": {"repository": "registry.example.com/bundles/shop", "digest": Digest::sha256(b"")},
            "issuedAt": "2026-11-28T10:00:00Z",
        })
    }

    fn read_with(pointer: &str, value: Json) -> Result<DesiredState, DesiredStateError> {
        let mut state = written();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        state.pointer_mut(parent).unwrap()[key] = value;
        DesiredState::read(state.to_string().as_bytes())
    }

    #[test]
    fn what_is_written_is_read() {
        let state = DesiredState::read(written().to_string().as_bytes()).unwrap();
        assert_eq!(state.policy, Policy::default());
        assert_eq!(DesiredState::read(&state.write().unwrap()).unwrap(), state);
        let text = String::from_utf8(state.write().unwrap()).unwrap();
        assert_snapshot!(text, @r#"{"apiVersion":"cairn.dev/v1","audience":{"cluster":"5f0c-1"},"bundle":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","repository":"registry.example.com/bundles/shop"},"generation":12,"issuedAt":"2026-11-28T10:00:00Z","kind":"DesiredState","policy":{}}"#);
        let with_policy = read_with(
            "/policy",
            json!({"pause": {"reason": "moving"}, "drift": {"layers": {"web": "report"}}, "timeoutS": 60,
                "windows": {"deny": [{"name": "christmas", "timezone": "UTC", "from": "2026-12-20T00:00:00Z"}]},
                "ignore": [{"target": {"kind": "Deployment"}, "paths": ["/spec/replicas"]}]}),
        )
        .unwrap();
        let again = DesiredState::read(&with_policy.write().unwrap()).unwrap();
        assert_eq!(again, with_policy);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusals: Vec<String> = [
            ("/generation", json!(0)),
            ("/generation", json!(1_u64 << 53)),
            ("/generation", json!(-1)),
            ("/audience", json!({"cluster": ""})),
            ("/audience", json!({"cluster": "a", "group": "b"})),
            ("/audience", json!({"group": "Edge"})),
            ("/audience", json!({})),
            ("/expiresAt", json!("2026-11-28T10:00:00Z")),
            ("/bundle/repository", json!("shop")),
            ("/bundle/repository", json!("registry.example.com/shop:1")),
            ("/policy", json!({"timeoutS": 0})),
            ("/policy", json!({"adopt": true})),
            ("/policy", json!({"ignore": [{"paths": ["spec"]}]})),
            ("/policy", json!({"ignore": [{"paths": []}]})),
            ("/next", json!(1)),
        ]
        .into_iter()
        .map(|(pointer, value)| read_with(pointer, value).unwrap_err().to_string())
        .collect();
        assert_snapshot!(refusals.join("\n"));
    }

    #[test]
    fn what_is_too_large_is_not_parsed() {
        let error = DesiredState::read(&vec![b'['; limits::MAX_SIGNED_BYTES + 1]).unwrap_err();
        assert_eq!(error, DesiredStateError::TooLarge);
        // Nested as deep as fits: refused, without a deep stack.
        assert!(DesiredState::read(&vec![b'['; limits::MAX_SIGNED_BYTES]).is_err());
    }
}
