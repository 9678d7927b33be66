//! Whose signatures content needs, and what happens without them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// Whose signatures content needs, and what happens without them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustConfig {
    /// The trust policy: keys, thresholds and attestations by repository, as `cairn verify` reads
    /// it. The policy and its keys are read again when they change.
    pub policy: PathBuf,
    /// The `HOST[:PORT]` by which clients know this registry; the policy's globs begin with it.
    pub host: String,
    /// What is enforced where. Every entry that matches applies.
    #[serde(default)]
    pub enforce: Vec<EnforceConfig>,
}

/// One enforcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnforceConfig {
    /// The repositories it covers, as a glob such as `packs/**`.
    pub repositories: String,
    /// The tags it covers, as a glob; all of them if left out. Only mode `tag` looks at tags.
    #[serde(default = "all_tags")]
    pub tags: String,
    /// What happens.
    pub mode: TrustMode,
}

/// What happens to content that the trust policy refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TrustMode {
    /// Manifests are served with a `Warning` header that says why they are not trusted.
    Report,
    /// Manifests are not served. Signatures and other artifacts about them are.
    Pull,
    /// Manifests may be pushed by digest, but a tag moves only to what is trusted by then.
    Tag,
}

fn all_tags() -> String {
    "**".to_owned()
}

impl TrustConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        if self.host.is_empty() || self.host.contains('/') {
            problems.add(
                "host",
                format!("`{}` is not HOST[:PORT]", self.host),
                "write the name that clients use, such as `registry.example.com`",
            );
        }
        let mut enforce = problems.below("enforce");
        for (index, entry) in self.enforce.iter().enumerate() {
            let mut entry_problems = enforce.below(index);
            entry_problems.glob("repositories", &entry.repositories);
            entry_problems.glob("tags", &entry.tags);
        }
    }
}
