//! Whose pulls of large blobs are sent to the store itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problems, clients::check_networks};

/// The longest time that a signed URL may be valid, in seconds: a week, says AWS.
const LONGEST_EXPIRY_S: u64 = 7 * 24 * 60 * 60;

/// Clients that download large blobs from the store itself, by a signed URL that the registry
/// redirects them to. They must reach the store, by a name that is not the registry's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedirectConfig {
    /// The networks of these clients, such as `10.0.0.0/8`; `0.0.0.0/0` and `::/0` are all of them.
    pub clients: Vec<String>,
    /// The networks of clients among them that the registry serves itself all the same.
    #[serde(default)]
    pub except: Vec<String>,
    /// The store's URL for clients, if they reach it by another name than the registry does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How long a signed URL is valid, in seconds. A download that has begun may take longer.
    #[serde(default = "default_expiry_s")]
    pub expires_s: u64,
}

fn default_expiry_s() -> u64 {
    600
}

impl RedirectConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        check_networks(&self.clients, &mut problems.below("clients"));
        check_networks(&self.except, &mut problems.below("except"));
        if !(1..=LONGEST_EXPIRY_S).contains(&self.expires_s) {
            problems.add(
                "expiresS",
                format!("`{}` is no time that a URL can be valid", self.expires_s),
                format!("expected 1 to {LONGEST_EXPIRY_S} seconds"),
            );
        }
    }
}
