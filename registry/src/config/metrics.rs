//! Where numbers about the registry are served.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address_and_port;

/// Where numbers about the registry are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsConfig {
    /// The address of `/metrics`, such as `127.0.0.1:9090`. It is apart from the registry's own,
    /// for what the numbers tell is not for clients.
    #[serde(deserialize_with = "address_and_port")]
    pub listen: SocketAddr,
}
