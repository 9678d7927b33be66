//! Who the client is to each registry. Credentials come in from outside; this module never looks
//! at the environment.

use std::{collections::BTreeMap, fmt, io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::RegistryHost;
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Error, limits};

/// What proves an identity to a registry.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// A user and a password, sent to the registry or to its token service.
    Basic {
        /// The user.
        username: String,
        /// The password or access token.
        password: Zeroizing<String>,
    },
    /// A token that the registry accepts as it is.
    Bearer(Zeroizing<String>),
}

impl Credential {
    /// A user and a password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic {
            username: username.into(),
            password: Zeroizing::new(password.into()),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, .. } => f
                .debug_struct("Basic")
                .field("username", username)
                .finish_non_exhaustive(),
            Self::Bearer(_) => f.debug_struct("Bearer").finish_non_exhaustive(),
        }
    }
}

/// Credentials by registry.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    by_host: BTreeMap<String, Credential>,
    fallback: Option<Credential>,
}

/// What is read of docker's `config.json`; podman, helm, oras and cosign share the format.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    #[serde(default)]
    auth: Zeroizing<String>,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: Zeroizing<String>,
    #[serde(default)]
    registrytoken: Zeroizing<String>,
}

impl Credentials {
    /// No credentials: anonymous everywhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// Uses a credential for one registry.
    #[must_use]
    pub fn with(mut self, registry: &RegistryHost, credential: Credential) -> Self {
        self.by_host.insert(registry.to_string(), credential);
        self
    }

    /// Uses a credential for every registry that has none of its own, for instance one from the
    /// command line.
    #[must_use]
    pub fn with_fallback(mut self, credential: Credential) -> Self {
        self.fallback = Some(credential);
        self
    }

    /// Reads the `auths` of a docker `config.json`. A file that does not exist holds none.
    /// Credential helpers are not run.
    pub fn from_docker_config(path: &Path) -> Result<Self, Error> {
        let file_error = |source| Error::File {
            action: "read",
            path: path.to_owned(),
            source,
        };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::none()),
            Err(error) => return Err(file_error(error)),
            Ok(metadata) if metadata.len() > limits::MAX_CONFIG_BYTES => {
                return Err(Error::Limit {
                    what: path.display().to_string(),
                    limit: limits::MAX_CONFIG_BYTES,
                    unit: "bytes",
                });
            }
            Ok(_) => {}
        }
        let text = Zeroizing::new(std::fs::read(path).map_err(file_error)?);
        Self::parse_docker_config(&text).map_err(|reason| Error::Malformed {
            what: path.display().to_string(),
            reason,
        })
    }

    fn parse_docker_config(text: &[u8]) -> Result<Self, String> {
        // The parser's message may quote the file, so only the place is told.
        let config: DockerConfig = serde_json::from_slice(text).map_err(|error| {
            format!(
                "it is not what Docker writes (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        let mut by_host = BTreeMap::new();
        for (key, entry) in config.auths {
            if let Some(credential) = entry.credential(&key)? {
                by_host.insert(host_of(&key).to_owned(), credential);
            }
        }
        Ok(Self {
            by_host,
            fallback: None,
        })
    }

    /// The credential that was given for this very host.
    pub(crate) fn of_host(&self, host: &RegistryHost) -> Option<&Credential> {
        self.by_host.get(host.as_str())
    }

    /// The credential for a registry.
    pub fn get(&self, registry: &RegistryHost) -> Option<&Credential> {
        self.by_host
            .get(registry.as_str())
            .or(self.fallback.as_ref())
    }
}

impl DockerAuth {
    fn credential(self, key: &str) -> Result<Option<Credential>, String> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Bearer(self.registrytoken)));
        }
        if !self.auth.is_empty() {
            let refuse = || format!("the `auth` of `{key}` is not base64 of `user:password`");
            let mut bytes = STANDARD
                .decode(self.auth.as_bytes())
                .map_err(|_| refuse())?;
            let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
            bytes.zeroize();
            let (username, password) = text.split_once(':').ok_or_else(refuse)?;
            return Ok(Some(Credential::basic(username, password)));
        }
        if self.username.is_empty() {
            return Ok(None);
        }
        Ok(Some(Credential::Basic {
            username: self.username,
            password: self.password,
        }))
    }
}

/// Keys are hosts, or, from older versions, URLs.
fn host_of(key: &str) -> &str {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    bare.split('/').next().unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(credentials: &Credentials, host: &str) -> Option<(String, String)> {
        match credentials.get(&host.parse().unwrap())? {
            Credential::Basic { username, password } => {
                Some((username.clone(), password.to_string()))
            }
            Credential::Bearer(_) => None,
        }
    }

    #[test]
    fn docker_configurations_are_read() {
        let text = br#"{"auths": {
            "127.0.0.1:5000": {"auth": "YWRhOnM6ZWNyZXQ="},
            "https://registry.example.com/v1/": {"username": "bob", "password": "pw"},
            "empty.example.com": {},
            "token.example.com": {"registrytoken": "abc"}
        }, "credsStore": "desktop"}"#;
        let credentials = Credentials::parse_docker_config(text).unwrap();
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(
            basic(&credentials, "127.0.0.1:5000"),
            pair("ada", "s:ecret")
        );
        assert_eq!(
            basic(&credentials, "registry.example.com"),
            pair("bob", "pw")
        );
        assert!(
            credentials
                .get(&"empty.example.com".parse().unwrap())
                .is_none()
        );
        let shown = format!("{credentials:?}");
        assert!(
            !shown.contains("ecret") && !shown.contains("abc"),
            "{shown}"
        );
    }

    #[test]
    fn malformed_configurations_do_not_leak() {
        for bad in [
            r#"{"auths": {"a.b": {"auth": "c2VjcmV0"}}}"#,
            r#"{"auths": "c2VjcmV0"}"#,
        ] {
            let reason = Credentials::parse_docker_config(bad.as_bytes()).unwrap_err();
            assert!(
                !reason.contains("c2VjcmV0") && !reason.contains("secret"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_missing_file_holds_none() {
        let path = Path::new("/nonexistent/config.json");
        let credentials = Credentials::from_docker_config(path).unwrap();
        assert!(credentials.get(&"a.b".parse().unwrap()).is_none());
    }
}
