//! Where traces are sent, and how many of them.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Problems, storage::Secret};

/// Where traces are sent, and how many of them. The variables of OpenTelemetry, such as
/// `OTEL_EXPORTER_OTLP_ENDPOINT`, set the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TracesConfig {
    /// The collector's address for traces in OTLP over HTTP (protobuf), such as
    /// `http://127.0.0.1:4318/v1/traces`. Without it, no traces are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Headers of each request to the collector; their values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// The only authority that is trusted for the collector (PEM); by default the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What the registry is called in traces.
    pub service_name: String,
    /// Further attributes of all spans, such as `deployment.environment.name`.
    pub resource: BTreeMap<String, String>,
    /// Which share of traces is sampled, from 0 to 1.
    pub sample_ratio: Ratio,
    /// A request that belongs to a trace (`traceparent`) is sampled if that trace is. Otherwise
    /// `sampleRatio` decides about it as well: for registries whose clients nobody knows.
    pub follow_parent: bool,
    /// Spans that may wait to be sent; further ones are dropped and counted.
    pub queue_spans: usize,
    /// Spans in one request to the collector.
    pub batch_spans: usize,
    /// How long a span may wait for others to be sent with.
    pub interval_ms: u64,
    /// How long a request to the collector may take.
    pub timeout_ms: u64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            ca_file: None,
            service_name: "cairn-registry".to_owned(),
            resource: BTreeMap::new(),
            sample_ratio: Ratio(PARTS),
            follow_parent: true,
            queue_spans: 2048,
            batch_spans: 512,
            interval_ms: 5000,
            timeout_ms: 10_000,
        }
    }
}

impl TracesConfig {
    /// Who sends the spans. <https://opentelemetry.io/docs/specs/semconv/resource/>
    pub(crate) fn resource_attributes(&self) -> Vec<(String, String)> {
        let named = [
            ("service.name", self.service_name.as_str()),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let further = self.resource.iter();
        let further = further.filter(|(key, _)| named.iter().all(|(name, _)| name != key));
        let further = further.map(|(key, value)| (key.as_str(), value.as_str()));
        named
            .into_iter()
            .chain(further)
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        let is_http = |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        if let Some(endpoint) = &self.endpoint
            && !endpoint.parse().is_ok_and(|uri| is_http(&uri))
        {
            let message = format!("`{endpoint}` is not an address");
            let hint = "addresses are such as `http://127.0.0.1:4318/v1/traces`";
            problems.add("endpoint", message, hint);
        }
        for (name, value) in &self.headers {
            let is_name = name.parse::<http::HeaderName>().is_ok();
            let is_value = http::HeaderValue::from_str(value.expose()).is_ok();
            if !is_name || !is_value {
                let what = if is_name { "value" } else { "name" };
                let message = format!("the {what} of a header cannot be sent");
                problems
                    .below("headers")
                    .add(name, message, "use visible characters of ASCII");
            }
        }
        if self.batch_spans == 0 || self.queue_spans < self.batch_spans {
            problems.add(
                "queueSpans",
                "the queue holds less than a batch",
                "make `queueSpans` at least `batchSpans`, and that at least 1",
            );
        }
        if self.interval_ms == 0 || self.timeout_ms == 0 {
            let key = if self.interval_ms == 0 {
                "intervalMs"
            } else {
                "timeoutMs"
            };
            let hint = "leave the key out for its default";
            problems.add(key, "0 milliseconds are too short", hint);
        }
    }

    pub(super) fn check_files(&self, problems: &mut Problems<'_>) {
        if let Some(file) = &self.ca_file {
            problems.file("caFile", file);
        }
    }
}

/// What a ratio is counted in.
const PARTS: u32 = 1_000_000;

/// A share of a whole, from 0 to 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Ratio(u32);

impl Ratio {
    pub(crate) fn parts_per_million(self) -> u32 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = &'static str;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and a million"
    )]
    fn try_from(ratio: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&ratio) {
            Ok(Self((ratio * f64::from(PARTS)).round() as u32))
        } else {
            Err("a ratio lies between 0 and 1")
        }
    }
}

impl From<Ratio> for f64 {
    fn from(ratio: Ratio) -> Self {
        Self::from(ratio.0) / Self::from(PARTS)
    }
}

impl JsonSchema for Ratio {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ratio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0, "maximum": 1})
    }
}
