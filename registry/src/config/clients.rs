//! Who clients are behind proxies, and how much each may ask for.

use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// How often each client may ask. A client is an address, in IPv6 a network of 64 bits, for that is
/// what one customer is given. A request beyond its limit gets 429 with `Retry-After`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimits {
    /// Reading manifests and blobs; unlimited by default, for builders pull hundreds of blobs in a
    /// second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<Rate>,
    /// Uploading, pushing and deleting; unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<Rate>,
    /// Listing tags, repositories and referrers; unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Rate>,
    /// Asking for tokens; unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Rate>,
}

/// How often one client may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// Networks as they are written, such as `10.0.0.0/8` or `192.0.2.1`; what is none is left out.
pub(crate) fn networks(texts: &[String]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| network(text)).collect()
}

pub(super) fn check_networks(texts: &[String], problems: &mut Problems<'_>) {
    for (index, text) in texts.iter().enumerate() {
        if network(text).is_none() {
            let message = format!("`{text}` is not a network");
            problems.add(
                &index.to_string(),
                message,
                "networks are such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`",
            );
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok();
    network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
