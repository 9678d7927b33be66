//! Who is told about changes.

use std::{collections::HashSet, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// An address that changes are posted to, as structured CloudEvents signed as Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookConfig {
    /// Its name in the log and in the store: lower-case letters, digits and `-`. What waits to be
    /// delivered waits under this name, so keep it when the address changes.
    pub name: String,
    /// Where events are posted to: `https://…` or `http://…`. Redirects are not followed.
    pub url: String,
    /// The kinds of event to post; all by default.
    #[serde(default = "EventKind::all")]
    pub events: Vec<EventKind>,
    /// The repositories whose events to post, as globs; all by default.
    #[serde(default = "everywhere")]
    pub repositories: Vec<String>,
    /// The file with the secret that signs each event, at least 24 bytes, as it is or as
    /// `whsec_` and base64. Without it events are not signed, and anybody who knows the address
    /// can forge them. It is read again when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// How long the receiver may take to answer, in seconds.
    #[serde(default = "ten")]
    pub timeout_s: u64,
    /// How often an event is tried before it is set aside for good. Waiting times double from two
    /// seconds to an hour, so 16 attempts take about six hours.
    #[serde(default = "sixteen")]
    pub attempts: u32,
    /// The address may be one of this machine or of a private network. By default it may not, so
    /// that whoever writes the configuration cannot reach what only the server can.
    #[serde(default)]
    pub allow_private_networks: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A manifest was pushed that the repository did not have.
    ManifestPushed,
    /// A tag was made, or points to another manifest.
    TagMoved,
    /// A manifest was deleted, by a client or as garbage.
    ManifestDeleted,
    /// A tag was deleted.
    TagDeleted,
    /// Something was pushed to a repository for the first time.
    RepositoryCreated,
    /// A signature of a manifest was pushed.
    SignatureArrived,
}

impl EventKind {
    fn all() -> Vec<Self> {
        vec![
            Self::ManifestPushed,
            Self::TagMoved,
            Self::ManifestDeleted,
            Self::TagDeleted,
            Self::RepositoryCreated,
            Self::SignatureArrived,
        ]
    }
}

fn everywhere() -> Vec<String> {
    vec!["**".to_owned()]
}

fn ten() -> u64 {
    10
}

fn sixteen() -> u32 {
    16
}

pub(super) fn check(webhooks: &[WebhookConfig], problems: &mut Problems<'_>) {
    let mut names = HashSet::new();
    for (index, webhook) in webhooks.iter().enumerate() {
        let problems = &mut problems.below(index);
        problems.name("name", &webhook.name);
        if !names.insert(&webhook.name) {
            let message = format!("two webhooks are called `{}`", webhook.name);
            problems.add("name", message, "rename one");
        }
        let is_http = |url: &http::Uri| matches!(url.scheme_str(), Some("http" | "https"));
        if !webhook.url.parse().is_ok_and(|url| is_http(&url)) {
            let message = format!("`{}` is not an address", webhook.url);
            problems.add(
                "url",
                message,
                "addresses are such as `https://example.com/hook`",
            );
        }
        for (index, pattern) in webhook.repositories.iter().enumerate() {
            problems
                .below("repositories")
                .glob(&index.to_string(), pattern);
        }
        if let Some(file) = &webhook.secret_file
            && !file.is_file()
        {
            let message = format!("there is no file `{}`", file.display());
            problems.add(
                "secretFile",
                message,
                "write the secret into it, readable for the registry",
            );
        }
        if webhook.timeout_s == 0 || webhook.attempts == 0 {
            let key = if webhook.timeout_s == 0 {
                "timeoutS"
            } else {
                "attempts"
            };
            problems.add(
                key,
                "0 would deliver nothing",
                "leave the key out for its default",
            );
        }
    }
}
