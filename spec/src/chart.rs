//! Where Helm charts come from: names, repositories, and what is asked of them.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::NameError;

/// The longest name of a chart, in bytes: Helm's own limit.
const MAX_CHART_NAME_LENGTH: usize = 250;
/// The longest address of a repository, in bytes.
const MAX_REPOSITORY_URL_LENGTH: usize = 2048;

const CHART_NAME_RULE: &str =
    "use 1 to 250 letters, digits, `.`, `_` and `-`, not starting with `.`";
const CHART_NAME_PATTERN: &str = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,249}$";
const REPOSITORY_RULE: &str =
    "write `https://HOST/PATH` or `oci://HOST/PATH`, without credentials, query and fragment";
const REPOSITORY_PATTERN: &str = "^(https?|oci)://[^/@?#\\s]+(/[^@?#\\s]*)?$";

/// The name of a chart, as `Chart.yaml` has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChartName(String);

impl ChartName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChartName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !text.is_empty()
            && text.len() <= MAX_CHART_NAME_LENGTH
            && !text.starts_with('.')
            && text.bytes().all(fits)
        {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError {
            input: text.to_owned(),
            what: "chart name",
            rule: CHART_NAME_RULE,
        })
    }
}

/// How a repository of charts is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChartTransport {
    /// An `index.yaml` and archives, over HTTP or HTTPS.
    Http,
    /// An OCI registry, with a repository a chart.
    Oci,
}

/// The address of a repository of charts, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChartRepository(String);

impl ChartRepository {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How it is spoken to.
    pub fn transport(&self) -> ChartTransport {
        if self.0.starts_with("oci://") {
            ChartTransport::Oci
        } else {
            ChartTransport::Http
        }
    }
}

impl FromStr for ChartRepository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = || NameError {
            // An address with credentials must not end up in a message.
            input: text.rsplit('@').next().unwrap_or_default().to_owned(),
            what: "repository of charts",
            rule: REPOSITORY_RULE,
        };
        let rest = ["https://", "http://", "oci://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .ok_or_else(refuse)?;
        let host = rest.split('/').next().unwrap_or_default();
        let is_odd = |c: char| "@?#\\".contains(c) || c.is_whitespace() || c.is_control();
        if host.is_empty() || text.len() > MAX_REPOSITORY_URL_LENGTH || rest.contains(is_odd) {
            return Err(refuse());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

macro_rules! text_impls {
    ($name:ident, $pattern:ident, $title:literal, $rule:ident) => {
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
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "title": $title, "description": $rule })
            }
        }
    };
}

text_impls!(ChartName, CHART_NAME_PATTERN, "chart name", CHART_NAME_RULE);
text_impls!(
    ChartRepository,
    REPOSITORY_PATTERN,
    "repository of charts",
    REPOSITORY_RULE
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_helm_takes() {
        for good in ["web", "kube-prometheus-stack", "A_b.c"] {
            assert!(good.parse::<ChartName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"a".repeat(251)] {
            assert!(bad.parse::<ChartName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn repositories_are_addresses_without_credentials() {
        let parsed = |text: &str| text.parse::<ChartRepository>();
        let https = parsed("https://charts.example.com/stable/").unwrap();
        assert_eq!(https.as_str(), "https://charts.example.com/stable");
        assert_eq!(https.transport(), ChartTransport::Http);
        let oci = parsed("oci://127.0.0.1:5000/charts").unwrap();
        assert_eq!(oci.transport(), ChartTransport::Oci);
        for bad in [
            "charts.example.com",
            "ftp://charts.example.com",
            "https://",
            "https://charts.example.com/?token=x",
            "https://charts.example.com/a b",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        let error = parsed("https://me:secret@charts.example.com").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
