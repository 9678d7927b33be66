//! Values for what is not deterministic in a chart's templates (`spec/chart.md` §1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, GeneratedValuesKind, SecretRef};
use crate::Timestamp;

/// Which values calls of functions get that give another one each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratedValuesManifest {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `GeneratedValues`.
    pub kind: GeneratedValuesKind,
    /// The values.
    pub spec: GeneratedValues,
}

/// Which values calls of functions get that give another one each time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratedValues {
    /// What the time is, for calls that need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
    /// The calls: the first that fits decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<GeneratedValue>,
}

/// The value of some calls: that of `secret` where there is one, else `value`, else a seeded one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratedValue {
    /// The function, such as `randAlphaNum`.
    pub function: String,
    /// The file of the call, such as `redis/templates/secret.yaml`; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Which call of the function it is in the file, counted from 1; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub occurrence: Option<u32>,
    /// A value of a Secret that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// The key of the certificate in the same Secret, where `secret` names its private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_key: Option<String>,
    /// This value; `{Cert: …, Key: …}` for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// A value that follows from the seed of the build, the release and the call.
    #[serde(default)]
    pub seeded: bool,
}
