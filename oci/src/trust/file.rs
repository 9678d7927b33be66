//! The policy as a file, and the policy as it is used: globs compiled, keys read.

use std::{
    fmt, fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use cairn_spec::Digest;
use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, PublicKey, limits};

/// The version of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyVersion {
    /// The first one.
    #[serde(rename = "cairn.dev/v1")]
    V1,
}

/// The kind of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    /// A trust policy.
    TrustPolicy,
}

/// A trust policy as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyFile {
    /// The version of the format.
    pub api_version: PolicyVersion,
    /// The kind of the file.
    pub kind: PolicyKind,
    /// The rules; the one with the longest matching glob decides.
    pub rules: Vec<RuleEntry>,
    /// What Helm charts of repositories need to be used.
    #[serde(default, skip_serializing_if = "ChartTrust::is_any")]
    pub charts: ChartTrust,
}

/// What Helm charts of repositories need to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChartTrust {
    /// Nothing.
    #[default]
    Any,
    /// A digest that a profile, a pack or its lock says, or a signature that the rules ask for.
    Bound,
    /// A signature that the rules ask for.
    Signed,
}

impl ChartTrust {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

impl cairn_spec::Kind for PolicyFile {
    const KIND: &'static str = "TrustPolicy";
}

/// A rule as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleEntry {
    /// Globs over `host/repository`: `*` stays within a path segment, `**` crosses them.
    pub repositories: Vec<String>,
    /// The keys that are trusted.
    pub keys: Vec<KeyEntry>,
    /// How many different keys must have signed; one, if left out.
    #[serde(default = "one")]
    pub threshold: usize,
    /// The predicate types of which an attestation by one of the keys must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<String>,
}

fn one() -> usize {
    1
}

/// A key as it stands in the file: with a path, relative to the file, or inline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyEntry {
    /// What people call the key.
    pub name: String,
    /// Where the public key is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The public key itself, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
}

/// A trust policy that is ready to be used.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    rules: Vec<Rule>,
    charts: ChartTrust,
    digest: Digest,
}

/// A rule that is ready to be used.
#[derive(Debug, Clone)]
pub struct Rule {
    globs: Vec<(String, GlobMatcher)>,
    /// The keys that are trusted.
    pub keys: Vec<TrustedKey>,
    /// How many different keys must have signed.
    pub threshold: usize,
    /// The predicate types of which an attestation must be there.
    pub attestations: Vec<String>,
}

/// A key with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// What people call the key.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

impl TrustPolicy {
    /// Reads a policy and the keys that it names.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let text = read_file(path)?;
        Self::parse(&text, &path.display().to_string(), |key_path| {
            read_file(&folder.join(key_path))
        })
    }

    /// Parses a policy. `what` names it in errors; `read` reads a public key by its path.
    pub fn parse(
        text: &str,
        what: &str,
        read: impl Fn(&Path) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Malformed {
            what: what.to_owned(),
            reason,
        };
        let file: PolicyFile =
            serde_yaml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let mut rules = Vec::new();
        for (index, entry) in file.rules.iter().enumerate() {
            let refuse_rule =
                |reason: &dyn fmt::Display| refuse(format!("`rules[{index}]`: {reason}"));
            rules.push(Rule::new(entry, &read).map_err(|error| refuse_rule(&error))?);
        }
        let digest = digest_of(&rules);
        let policy = Self {
            rules,
            charts: file.charts,
            digest,
        };
        match policy.duplicate_glob() {
            Some(glob) => Err(refuse(format!("the glob `{glob}` stands in two places"))),
            None => Ok(policy),
        }
    }

    /// Names what the policy says: policies that decide alike for every input share a digest, as
    /// long as their rules stand in the same order. A verdict is as good as this is the same.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What Helm charts of repositories need to be used.
    pub fn charts(&self) -> ChartTrust {
        self.charts
    }

    /// The rule that decides for a `host/repository`: the one with the longest matching glob,
    /// and among globs of the same length the first.
    pub fn rule_for(&self, repository: &str) -> Option<&Rule> {
        let mut best: Option<(usize, &Rule)> = None;
        for rule in &self.rules {
            let Some(length) = rule.longest_match(repository) else {
                continue;
            };
            if best.is_none_or(|(longest, _)| length > longest) {
                best = Some((length, rule));
            }
        }
        best.map(|(_, rule)| rule)
    }

    fn duplicate_glob(&self) -> Option<&str> {
        let mut globs: Vec<&str> = self
            .rules
            .iter()
            .flat_map(|rule| rule.globs.iter().map(|(text, _)| text.as_str()))
            .collect();
        globs.sort_unstable();
        globs
            .windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| pair[0])
    }
}

/// Over the keys themselves, not over the files they were read from.
fn digest_of(rules: &[Rule]) -> Digest {
    let said: Vec<_> = rules
        .iter()
        .map(|rule| {
            let globs: Vec<&str> = rule.globs.iter().map(|(text, _)| text.as_str()).collect();
            let keys: Vec<_> = rule
                .keys
                .iter()
                .map(|trusted| (&trusted.name, trusted.key.id()))
                .collect();
            serde_json::json!([globs, keys, rule.threshold, rule.attestations])
        })
        .collect();
    Digest::sha256(serde_json::Value::from(said).to_string().as_bytes())
}

impl Rule {
    fn new(
        entry: &RuleEntry,
        read: impl Fn(&Path) -> Result<String, Error>,
    ) -> Result<Self, String> {
        if entry.repositories.is_empty() {
            return Err("`repositories` is empty".to_owned());
        }
        let mut globs = Vec::new();
        for text in &entry.repositories {
            let glob = GlobBuilder::new(text)
                .literal_separator(true)
                .build()
                .map_err(|error| format!("`{text}` is not a glob: {}", error.kind()))?;
            globs.push((text.clone(), glob.compile_matcher()));
        }
        let mut keys: Vec<TrustedKey> = Vec::new();
        for entry in &entry.keys {
            let key = read_key(entry, &read)?;
            if let Some(other) = keys.iter().find(|other| other.key == key) {
                return Err(format!(
                    "`{}` and `{}` are the same key",
                    other.name, entry.name
                ));
            }
            keys.push(TrustedKey {
                name: entry.name.clone(),
                key,
            });
        }
        if entry.threshold == 0 || entry.threshold > keys.len() {
            return Err(format!(
                "`threshold` is {}, but must be between 1 and the number of keys, {}",
                entry.threshold,
                keys.len()
            ));
        }
        Ok(Self {
            globs,
            keys,
            threshold: entry.threshold,
            attestations: entry.attestations.clone(),
        })
    }

    fn longest_match(&self, repository: &str) -> Option<usize> {
        self.globs
            .iter()
            .filter(|(_, glob)| glob.is_match(repository))
            .map(|(text, _)| text.len())
            .max()
    }
}

fn read_key(
    entry: &KeyEntry,
    read: impl Fn(&Path) -> Result<String, Error>,
) -> Result<PublicKey, String> {
    let name = &entry.name;
    let pem = match (&entry.path, &entry.pem) {
        (Some(path), None) => read(path).map_err(|error| with_sources(&error))?,
        (None, Some(pem)) => pem.clone(),
        _ => return Err(format!("key `{name}` needs either `path` or `pem`")),
    };
    PublicKey::from_pem(&pem).map_err(|error| format!("key `{name}`: {error}"))
}

fn with_sources(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn read_file(path: &Path) -> Result<String, Error> {
    let file_error = |source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    };
    // A pipe or a device does not say how much will come.
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| {
            file.take(limits::MAX_CONFIG_BYTES + 1)
                .read_to_string(&mut text)
        })
        .map_err(file_error)?;
    if text.len() as u64 > limits::MAX_CONFIG_BYTES {
        return Err(Error::Limit {
            what: path.display().to_string(),
            limit: limits::MAX_CONFIG_BYTES,
            unit: "bytes",
        });
    }
    Ok(text)
}
