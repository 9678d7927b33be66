//! API tokens: long random secrets for programs, of which only the hash is kept.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cairn_spec::RepositoryName;
use globset::GlobMatcher;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    Action, Invalid, Permission, actor::ANONYMOUS, fingerprint, policy::repository_glob, random,
};

/// How every API token begins, so that scanners of leaked secrets find it.
pub const PREFIX: &str = "cairn_";
/// The most tokens of a file.
const MAX_TOKENS: usize = 100_000;

/// A tokens file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokensFile {
    /// The tokens.
    pub tokens: Vec<ApiToken>,
}

/// What is kept of an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiToken {
    /// What people call it; names are unique.
    pub name: String,
    /// The user it acts as, with that user's rights at the time of use.
    pub user: String,
    /// The SHA-256 of the secret, in hexadecimal.
    pub sha256: String,
    /// What it may be used for at most: `<repository glob>:<action>[,<action>…]`. Without any, for
    /// whatever the user may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created_unix_s: u64,
    /// When it ends, in seconds since 1970.
    pub expires_unix_s: u64,
}

impl TokensFile {
    /// Reads a tokens file.
    pub fn parse(name: &str, text: &str) -> Result<Self, Invalid> {
        // The parser's message may quote the file, so only the place is told.
        let file: Self = serde_json::from_str(text).map_err(|error| {
            let place = format!("{name}:{}:{}", error.line(), error.column());
            Invalid::new(place, "it is not a file of API tokens")
        })?;
        if file.tokens.len() > MAX_TOKENS {
            return Err(Invalid::new(
                name,
                format!("it has more than {MAX_TOKENS} tokens"),
            ));
        }
        let mut names = std::collections::HashSet::new();
        for token in &file.tokens {
            let refuse = |reason: String| {
                Invalid::new(name, format!("the token `{}`: {reason}", token.name))
            };
            if !names.insert(&token.name) {
                return Err(refuse("stands here twice".to_owned()));
            }
            super::htpasswd::check_user(&token.user).map_err(refuse)?;
            if hex::decode(&token.sha256).map_or(0, |hash| hash.len()) != 32 {
                return Err(refuse("`sha256` is no SHA-256".to_owned()));
            }
            for scope in &token.scopes {
                Scope::parse(scope).map_err(refuse)?;
            }
        }
        Ok(file)
    }

    /// Adds a token and returns its secret, which is kept nowhere.
    pub fn create(&mut self, mut token: ApiToken) -> Result<Zeroizing<String>, Invalid> {
        let secret = random::<32>().map_err(|reason| Invalid::new("the system", reason))?;
        let secret = Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)));
        token.sha256 = hex::encode(Sha256::digest(secret.as_bytes()));
        self.tokens.push(token);
        Ok(secret)
    }
}

/// Tokens by the hash of their secret: looking one up tells nothing about others.
#[derive(Debug, Default)]
pub(crate) struct ApiTokens {
    by_hash: HashMap<Vec<u8>, Known>,
    by_name: HashMap<String, Vec<u8>>,
}

/// A token, ready to be used.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) expires_unix_s: u64,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) fingerprint: String,
}

impl ApiTokens {
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Invalid> {
        let mut tokens = Self::default();
        for token in TokensFile::parse(name, text)?.tokens {
            let refuse = |reason: String| Invalid::new(name, reason);
            let scopes = token.scopes.iter().map(|scope| Scope::parse(scope));
            let hash = hex::decode(&token.sha256).map_err(|error| refuse(error.to_string()))?;
            let known = Known {
                scopes: scopes.collect::<Result<_, _>>().map_err(refuse)?,
                fingerprint: fingerprint(&token.sha256),
                name: token.name.clone(),
                user: token.user,
                expires_unix_s: token.expires_unix_s,
            };
            tokens.by_name.insert(token.name, hash.clone());
            tokens.by_hash.insert(hash, known);
        }
        Ok(tokens)
    }

    /// The token with this secret, unless it has expired.
    pub(crate) fn find(&self, secret: &str, now_unix_s: u64) -> Option<&Known> {
        let hash = Sha256::digest(secret.as_bytes());
        let known = self.by_hash.get(hash.as_slice())?;
        (known.expires_unix_s > now_unix_s).then_some(known)
    }

    /// The token of a name, unless it has expired.
    pub(crate) fn named(&self, name: &str, now_unix_s: u64) -> Option<&Known> {
        let known = self.by_hash.get(self.by_name.get(name)?)?;
        (known.expires_unix_s > now_unix_s).then_some(known)
    }
}

/// What a token may be used for.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    repositories: GlobMatcher,
    actions: Vec<Action>,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{text}` is no scope: expected `<repository glob>:<action>[,<action>…]`");
        let (glob, actions) = text.rsplit_once(':').ok_or_else(refuse)?;
        let glob = repository_glob(glob).map_err(|_| refuse())?;
        Ok(Self {
            repositories: glob.compile_matcher(),
            actions: actions
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn covers(&self, permission: &Permission) -> bool {
        self.includes(permission.action, &permission.repository)
    }

    fn includes(&self, action: Action, repository: &RepositoryName) -> bool {
        self.actions.contains(&action) && self.repositories.is_match(repository.as_str())
    }
}

impl ApiToken {
    /// A token that is about to be created; fails where a tokens file would be refused.
    pub fn new(
        name: &str,
        user: &str,
        scopes: Vec<String>,
        valid: (u64, u64),
    ) -> Result<Self, String> {
        super::htpasswd::check_user(name)?;
        super::htpasswd::check_user(user)?;
        for scope in &scopes {
            Scope::parse(scope)?;
        }
        if user == ANONYMOUS {
            return Err(format!("`{ANONYMOUS}` has no tokens"));
        }
        Ok(Self {
            name: name.to_owned(),
            user: user.to_owned(),
            sha256: String::new(),
            scopes,
            created_unix_s: valid.0,
            expires_unix_s: valid.1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_once_and_found_by_their_hash() {
        let mut file = TokensFile::default();
        let scopes = vec!["packs/**:pull,push".to_owned()];
        let token = ApiToken::new("ci", "robot", scopes, (100, 200)).unwrap();
        let secret = file.create(token).unwrap();
        assert_eq!(secret.len(), PREFIX.len() + 43);
        let text = serde_json::to_string(&file).unwrap();
        assert!(!text.contains(&secret[PREFIX.len()..]));
        let tokens = ApiTokens::parse("tokens.json", &text).unwrap();
        let known = tokens.find(&secret, 199).unwrap();
        assert_eq!((known.name.as_str(), known.user.as_str()), ("ci", "robot"));
        assert!(tokens.find(&secret, 200).is_none());
        assert!(tokens.named("ci", 200).is_none());
        assert!(tokens.find("cairn_AAAA", 100).is_none());
        let permission = |action, repository: &str| Permission {
            action,
            repository: repository.parse().unwrap(),
            tag: None,
        };
        let covers = |action, repository| {
            known
                .scopes
                .iter()
                .any(|scope| scope.covers(&permission(action, repository)))
        };
        assert!(covers(Action::Push, "packs/a/b"));
        assert!(!covers(Action::Delete, "packs/a"));
        assert!(!covers(Action::Pull, "apps/a"));
    }

    #[test]
    fn unusable_files_are_refused_without_quoting_them() {
        let token = |name: &str, sha256: &str, scope: &str| {
            format!(
                r#"{{"name":"{name}","user":"u","sha256":"{sha256}","scopes":["{scope}"],"createdUnixS":1,"expiresUnixS":2}}"#
            )
        };
        let hash = "a".repeat(64);
        for bad in [
            "{".to_owned(),
            format!(
                r#"{{"tokens":[{},{}]}}"#,
                token("a", &hash, "a:pull"),
                token("a", &hash, "a:pull")
            ),
            format!(r#"{{"tokens":[{}]}}"#, token("a", "abc", "a:pull")),
            format!(r#"{{"tokens":[{}]}}"#, token("a", &hash, "a:write")),
            format!(r#"{{"tokens":[{}]}}"#, token("a", &hash, "pull")),
        ] {
            let error = ApiTokens::parse("tokens.json", &bad)
                .unwrap_err()
                .to_string();
            assert!(!error.contains(&hash), "{error}");
        }
    }
}
