//! How much repositories may hold.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// Limits on how much repositories may hold; there are none by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct QuotasConfig {
    /// The limits. Of those that cover a repository, each applies.
    pub rules: Vec<QuotaRule>,
    /// How often everything is counted anew, in seconds, which corrects what crashes left
    /// uncounted; `cairn registry rebuild` does it at once.
    pub recount_interval_s: u64,
}

impl Default for QuotasConfig {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            recount_interval_s: 24 * 60 * 60,
        }
    }
}

/// One quota: what the repositories it covers may hold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuotaRule {
    /// Its name in errors, metrics and the store: lower-case letters, digits and `-`.
    pub name: String,
    /// The repositories it covers, as a glob such as `team-a/**`.
    pub repositories: String,
    /// How many bytes of blobs and manifests they may hold together.
    /// A blob counts once in each repository that holds it, whatever the store shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// How many repositories there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_repositories: Option<u64>,
    /// How many tags each of them may have; at most 100000.
    /// A new tag is counted against it by listing the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tags_per_repository: Option<u64>,
    /// From how many percent of `maxBytes` on pushes are answered with a `Warning` header.
    /// More than 100 never warns.
    #[serde(default = "ninety")]
    pub warn_at_percent: u64,
}

/// A tag is counted by listing as many names, a thousand at a time.
const MAX_TAGS: u64 = 100_000;

fn ninety() -> u64 {
    90
}

impl QuotasConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        if self.recount_interval_s == 0 {
            problems.add(
                "recountIntervalS",
                "0 would count without end",
                "leave the key out for its default",
            );
        }
        let mut names = HashSet::new();
        let mut rules = problems.below("rules");
        for (index, rule) in self.rules.iter().enumerate() {
            let problems = &mut rules.below(index);
            problems.name("name", &rule.name);
            if !names.insert(&rule.name) {
                let message = format!("two quotas are called `{}`", rule.name);
                problems.add("name", message, "rename one");
            }
            rule.check(problems);
        }
    }
}

impl QuotaRule {
    fn check(&self, problems: &mut Problems<'_>) {
        problems.glob("repositories", &self.repositories);
        let limits = [
            self.max_bytes,
            self.max_repositories,
            self.max_tags_per_repository,
        ];
        if limits.iter().all(Option::is_none) {
            problems.add(
                "name",
                format!("`{}` limits nothing", self.name),
                "add `maxBytes`, `maxRepositories` or `maxTagsPerRepository`",
            );
        }
        if self.max_tags_per_repository.unwrap_or_default() > MAX_TAGS {
            let message = format!("more than {MAX_TAGS} tags are not counted");
            problems.add(
                "maxTagsPerRepository",
                message,
                "lower it, or leave it out for no limit",
            );
        }
    }
}
