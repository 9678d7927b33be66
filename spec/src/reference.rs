//! Names of content in a registry: repositories, tags and references.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Digest, DigestError};

/// The longest repository name, in bytes: host and name together stay below 255.
pub(crate) const MAX_REPOSITORY_LENGTH: usize = 200;
/// The longest tag, in bytes.
pub(crate) const MAX_TAG_LENGTH: usize = 128;

/// Why a text is not a reference, a repository name or a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The repository name breaks the specification's pattern.
    #[error(
        "`{0}` is not a repository name: use lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`"
    )]
    Repository(String),
    /// The tag breaks the specification's pattern.
    #[error(
        "`{0}` is not a tag: use up to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`"
    )]
    Tag(String),
    /// There is no registry host before the repository.
    #[error("`{0}` names no registry: expected `host[:port]/repository[:tag][@digest]`")]
    MissingHost(String),
    /// The host is malformed.
    #[error("`{0}` is not a registry host: expected `host[:port]`")]
    Host(String),
    /// The digest is malformed.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $error:ident, $valid:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ReferenceError;

            fn from_str(text: &str) -> Result<Self, ReferenceError> {
                if $valid(text) { Ok(Self(text.to_owned())) } else { Err(ReferenceError::$error(text.to_owned())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

text_type!(
    /// A repository name without host, such as `packs/ingress-nginx`.
    RepositoryName, Repository, is_repository_name
);
text_type!(
    /// A tag, such as `1.2.3`.
    Tag, Tag, is_tag
);
text_type!(
    /// A registry's `host[:port]`; IPv6 addresses stand in brackets.
    RegistryHost, Host, is_host
);

impl RegistryHost {
    /// The host is this machine's loopback, where plain HTTP is the default.
    pub fn is_loopback(&self) -> bool {
        let host = match self.0.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.0.split(':').next().unwrap_or_default(),
        };
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

impl Tag {
    /// The tag for a version: `+` is not allowed in tags and becomes `_`, as Helm writes it.
    pub fn from_version(version: &crate::Version) -> Result<Self, ReferenceError> {
        version.to_string().replace('+', "_").parse()
    }
}

fn is_repository_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_REPOSITORY_LENGTH
        && text.split('/').all(is_path_component)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    alphanumeric(first)
        && alphanumeric(last)
        && component
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| {
                matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
            })
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_TAG_LENGTH).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let host_fits = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                })
        }
    };
    host_fits && port_fits
}

/// A full reference: `host[:port]/repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The registry.
    pub registry: RegistryHost,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag, if given.
    pub tag: Option<Tag>,
    /// The digest, if given; it wins over the tag.
    pub digest: Option<Digest>,
}

impl Reference {
    /// The same repository, pinned to a digest, without a tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same repository under a tag, without a digest.
    #[must_use]
    pub fn with_tag(&self, tag: Tag) -> Self {
        Self {
            tag: Some(tag),
            digest: None,
            ..self.clone()
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Accepts an `oci://` prefix, as Helm and Flux write it.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        let (rest, digest) = match bare.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (bare, None),
        };
        let (host, path) = rest
            .split_once('/')
            .ok_or_else(|| ReferenceError::MissingHost(text.to_owned()))?;
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(ReferenceError::MissingHost(text.to_owned()));
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse()?)),
            None => (path, None),
        };
        Ok(Self {
            registry: host.parse()?,
            repository: repository.parse()?,
            tag,
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_round_trip() {
        let digest = Digest::sha256(b"");
        for good in [
            "127.0.0.1:5000/packs/cilium:1.16.0".to_owned(),
            "localhost/packs/a".to_owned(),
            "[::1]:5000/a/b:1".to_owned(),
            format!("registry.example.com/a__b/c.d/e--f:v1@{digest}"),
        ] {
            assert_eq!(good.parse::<Reference>().unwrap().to_string(), good);
        }
        assert_eq!(
            "oci://127.0.0.1:5000/p"
                .parse::<Reference>()
                .unwrap()
                .to_string(),
            "127.0.0.1:5000/p"
        );
    }

    #[test]
    fn malformed_references_are_refused() {
        for bad in [
            "",
            "packs/cilium",
            "127.0.0.1:5000",
            "127.0.0.1:5000/",
            "localhost/A",
            "localhost/a..b",
            "localhost/a___b",
            "localhost/a:",
            "localhost/a:.x",
            "localhost/a@sha256:0",
            "local host:1/a",
            "a.b:99999/c",
            "localhost/a/../b",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_hosts_are_known() {
        for (host, expected) in [
            ("127.0.0.1:5000", true),
            ("localhost", true),
            ("[::1]:5000", true),
            ("example.com", false),
            ("127.example.com", false),
        ] {
            assert_eq!(
                host.parse::<RegistryHost>().unwrap().is_loopback(),
                expected,
                "{host}"
            );
        }
    }
}
