//! Names with rules: each is a newtype that is validated once, when it is parsed.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not a valid {what}: {rule}")]
pub struct NameError {
    /// The text as it was given.
    pub input: String,
    /// What was expected, such as `pack name`.
    pub what: &'static str,
    /// The rule in words.
    pub rule: &'static str,
}

/// The longest name, in bytes: a DNS label (RFC 1123), since names become Kubernetes labels.
pub(crate) const MAX_NAME_LENGTH: usize = 63;

const DNS_LABEL_RULE: &str =
    "use 1 to 63 lower-case letters, digits and `-`, starting and ending with a letter or digit";
const DNS_LABEL_PATTERN: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const CAPABILITY_RULE: &str = "use 1 to 63 lower-case letters, digits, `-` and `.`, starting and ending with a letter or digit";
const CAPABILITY_PATTERN: &str = "^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$";
const IDENTIFIER_RULE: &str = "use 1 to 63 letters, digits and `_`, starting with a letter";
const IDENTIFIER_PATTERN: &str = "^[A-Za-z][A-Za-z0-9_]{0,62}$";

fn is_dns_label(text: &str) -> bool {
    is_label_with(text, |byte| byte == b'-')
}

fn is_capability(text: &str) -> bool {
    is_label_with(text, |byte| byte == b'-' || byte == b'.')
}

fn is_label_with(text: &str, inner: fn(u8) -> bool) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&first), Some(&last)) if alphanumeric(first) && alphanumeric(last))
        && bytes.len() <= MAX_NAME_LENGTH
        && bytes.iter().all(|&byte| alphanumeric(byte) || inner(byte))
}

fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_NAME_LENGTH
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:ident, $pattern:ident, $valid:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { input: text.to_owned(), what: $what, rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "title": $what, "description": $rule })
            }
        }
    };
}

name_type!(
    /// The name of a pack, such as `ingress-nginx`: a DNS label.
    PackName, "pack name", DNS_LABEL_RULE, DNS_LABEL_PATTERN, is_dns_label
);
name_type!(
    /// The name of a layer within a profile: a DNS label.
    LayerName, "layer name", DNS_LABEL_RULE, DNS_LABEL_PATTERN, is_dns_label
);
name_type!(
    /// The name of a profile: a DNS label.
    ProfileName, "profile name", DNS_LABEL_RULE, DNS_LABEL_PATTERN, is_dns_label
);
name_type!(
    /// The name of a cluster: a DNS label.
    ClusterName, "cluster name", DNS_LABEL_RULE, DNS_LABEL_PATTERN, is_dns_label
);
name_type!(
    /// The name of a group of clusters: a DNS label.
    GroupName, "group name", DNS_LABEL_RULE, DNS_LABEL_PATTERN, is_dns_label
);
name_type!(
    /// The name of a preset of a pack: a DNS label.
    PresetName, "preset name", DNS_LABEL_RULE, DNS_LABEL_PATTERN, is_dns_label
);
name_type!(
    /// What a pack provides and others require, such as `cni` or `snapshot.storage`.
    CapabilityName, "capability", CAPABILITY_RULE, CAPABILITY_PATTERN, is_capability
);
name_type!(
    /// The name of a profile variable, such as `region` or `adminPassword`.
    VariableName, "variable name", IDENTIFIER_RULE, IDENTIFIER_PATTERN, is_identifier
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rule() {
        for good in ["a", "ingress-nginx", "k3s", "0a"] {
            assert!(good.parse::<PackName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<PackName>().is_err(), "{bad}");
        }
        assert!("snapshot.storage".parse::<CapabilityName>().is_ok());
        assert!("adminPassword".parse::<VariableName>().is_ok());
        assert!("2fast".parse::<VariableName>().is_err());
    }

    #[test]
    fn an_error_says_what_and_why() {
        let error = "My Pack".parse::<PackName>().unwrap_err();
        insta::assert_snapshot!(error, @"`My Pack` is not a valid pack name: use 1 to 63 lower-case letters, digits and `-`, starting and ending with a letter or digit");
    }
}
