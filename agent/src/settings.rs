//! What an agent is told when it starts: where its desired state comes from, and whom to believe.

use std::{net::SocketAddr, path::PathBuf};

use cairn_spec::{GroupName, Reference};
use serde::Deserialize;

/// The largest file of settings or policy, in bytes (256 KiB).
pub const MAX_FILE_BYTES: u64 = 256 << 10;
/// How often a tag is looked at when nothing is said, in seconds.
const DEFAULT_INTERVAL_S: u64 = 60;
/// Less would be a burden for the registry, in seconds.
const MIN_INTERVAL_S: u64 = 1;
/// More would be forgotten, in seconds: a day.
const MAX_INTERVAL_S: u64 = 86_400;

/// The settings as they stand in their file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The hub to join.
    pub hub: Option<HubSettings>,
    /// Without a hub: the bundle to follow.
    pub bundle: Option<Reference>,
    /// How often the bundle's tag is looked at, in seconds.
    pub interval_s: u64,
    /// Bundles without a signed generation are refused.
    pub require_generation: bool,
    /// The trust policy.
    pub trust: Option<PathBuf>,
    /// How the cluster is to be treated, when no hub says so.
    pub policy: Option<PathBuf>,
    /// The group that the cluster is of, when no hub says so.
    pub group: Option<GroupName>,
    /// A file with the one-time token to join with; it need not be there any more later.
    pub join_token: Option<PathBuf>,
    /// Logins of registries, as Docker keeps them; the file need not be there.
    pub registry_login: Option<PathBuf>,
    /// A certificate authority that registries may be issued by, beside the system's (PEM).
    pub registry_ca: Option<PathBuf>,
    /// Plain HTTP to registries, or TLS; by default plain HTTP on this machine only.
    pub plain_http: Option<bool>,
    /// Where probes are answered; nowhere by default.
    pub listen: Option<SocketAddr>,
    /// Several replicas agree on a leader.
    pub leader_election: bool,
}

/// Where the hub is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HubSettings {
    /// Its address, `https://HOST[:PORT]`.
    pub url: String,
    /// The only certificate authorities that it may be issued by (PEM).
    pub ca: PathBuf,
    /// The keyring; the hub's own when there is none.
    #[serde(default)]
    pub keyring: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hub: None,
            bundle: None,
            interval_s: DEFAULT_INTERVAL_S,
            require_generation: false,
            trust: None,
            policy: None,
            group: None,
            join_token: None,
            registry_login: None,
            registry_ca: None,
            plain_http: None,
            listen: None,
            leader_election: false,
        }
    }
}

/// Where the desired state comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A hub.
    Hub(HubSettings),
    /// A bundle in a registry, and the trust policy for it.
    Registry(Reference, PathBuf),
}

/// Why settings make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Neither a hub nor a bundle, or both.
    #[error("name either a hub to join or a bundle to follow")]
    Source,
    /// Nobody says whose signatures count.
    #[error("name the trust policy that says whose signatures bundles need (`trust`)")]
    Trust,
    /// The hub's address is none.
    #[error("`{0}` is not the address of a hub: expected `https://HOST[:PORT]`")]
    HubUrl(String),
    /// The interval is too short or too long.
    #[error("`intervalS` is {0}, and must be {MIN_INTERVAL_S} to {MAX_INTERVAL_S}")]
    Interval(u64),
}

impl Settings {
    /// Checks the settings, and says where the desired state comes from.
    pub fn source(&self) -> Result<Source, SettingsError> {
        if !(MIN_INTERVAL_S..=MAX_INTERVAL_S).contains(&self.interval_s) {
            return Err(SettingsError::Interval(self.interval_s));
        }
        match (&self.hub, &self.bundle) {
            (Some(hub), None) if is_hub_url(&hub.url) => Ok(Source::Hub(hub.clone())),
            (Some(hub), None) => Err(SettingsError::HubUrl(hub.url.clone())),
            (None, Some(bundle)) => match &self.trust {
                Some(trust) => Ok(Source::Registry(bundle.clone(), trust.clone())),
                None => Err(SettingsError::Trust),
            },
            _ => Err(SettingsError::Source),
        }
    }
}

fn is_hub_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").unwrap_or_default();
    let host = host.strip_suffix('/').unwrap_or(host);
    !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn read(text: &str) -> Result<Source, String> {
        let settings: Settings = serde_json::from_str(text).map_err(|error| error.to_string())?;
        settings.source().map_err(|error| error.to_string())
    }

    #[test]
    fn a_hub_or_a_bundle_is_named() {
        let hub = r#"{"hub": {"url": "https://hub.example.com:8443", "ca": "ca.pem"}}"#;
        assert!(matches!(read(hub), Ok(Source::Hub(_))));
        let bundle = r#"{"bundle": "example.com/shop:1", "trust": "trust.yaml", "intervalS": 1}"#;
        assert!(matches!(read(bundle), Ok(Source::Registry(..))));
        for url in [
            "http://hub",
            "https://",
            "https://hub/path",
            "https://me@hub",
        ] {
            let text = hub.replace("https://hub.example.com:8443", url);
            assert!(read(&text).unwrap_err().contains(url), "{url}");
        }
        assert_snapshot!(read("{}").unwrap_err(), @"name either a hub to join or a bundle to follow");
        assert_snapshot!(read(r#"{"bundle": "example.com/shop:1"}"#).unwrap_err(), @"name the trust policy that says whose signatures bundles need (`trust`)");
        assert_snapshot!(read(r#"{"bundle": "example.com/shop:1", "intervalS": 0}"#).unwrap_err(), @"`intervalS` is 0, and must be 1 to 86400");
        assert!(
            read(r#"{"bundles": "example.com/shop:1"}"#)
                .unwrap_err()
                .contains("bundles")
        );
    }
}
