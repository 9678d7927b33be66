//! What leaves repositories by itself.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// Which tags and manifests are removed by themselves; none are by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// How often the rules are applied, in seconds; at least 60.
    pub interval_s: u64,
    /// Servers only log what the rules would remove.
    pub dry_run: bool,
    /// Tags that no rule removes, as globs: over repositories (`apps/**`) or, with a colon, over
    /// tags (`apps/*:release-*`). Immutable tags and those that `trust` guards are never removed,
    /// either.
    pub protected_tags: Vec<String>,
    /// The rules. The first one whose glob matches a repository decides; what no rule matches
    /// stays.
    pub rules: Vec<RetentionRule>,
}

/// What leaves the repositories of a glob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionRule {
    /// Its name in explanations and in the log: lower-case letters, digits and `-`.
    pub name: String,
    /// The repositories it decides about, as a glob such as `ci/**`.
    pub repositories: String,
    /// Which tags are kept; all if left out. A tag is kept if any entry keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_tags: Option<Vec<KeepTags>>,
    /// What happens to tags that no entry of `keepTags` matches.
    #[serde(default)]
    pub unmatched_tags: UnmatchedTags,
    /// After how many days without a tag a manifest is removed that no index lists; never if left
    /// out. The days begin when it lost its tag, was pushed, or was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untagged_after_days: Option<u64>,
    /// After how many days a signature or another referrer is removed whose subject is gone; never
    /// if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_referrers_after_days: Option<u64>,
    /// The rule may leave a repository without any tag, or without any manifest. Without this
    /// word it then removes nothing from it.
    #[serde(default)]
    pub may_empty_repositories: bool,
}

/// Tags that are kept. Without any condition all that match are; with several, one that holds is
/// enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeepTags {
    /// The tags that the entry is about, as globs; all by default.
    #[serde(default = "all_tags")]
    pub tags: Vec<String>,
    /// Keep this many that were pushed or moved last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pushed: Option<usize>,
    /// Keep this many that were pulled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pulled: Option<usize>,
    /// Keep what was pushed or moved in the last days, this many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_within_days: Option<u64>,
    /// Keep what was pulled in the last days, this many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_within_days: Option<u64>,
}

/// What happens to tags that no entry of `keepTags` matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnmatchedTags {
    /// They stay.
    #[default]
    Keep,
    /// They are removed.
    Remove,
}

fn all_tags() -> Vec<String> {
    vec!["**".to_owned()]
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            interval_s: 24 * 60 * 60,
            dry_run: false,
            protected_tags: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// Each pass reads the records of all repositories that rules decide about.
const MIN_INTERVAL_S: u64 = 60;

impl RetentionConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        if self.interval_s < MIN_INTERVAL_S {
            problems.add(
                "intervalS",
                format!("{} seconds are too short", self.interval_s),
                format!("the shortest interval is {MIN_INTERVAL_S} seconds"),
            );
        }
        for (index, pattern) in self.protected_tags.iter().enumerate() {
            problems
                .below("protectedTags")
                .glob(&index.to_string(), pattern);
        }
        let (mut names, mut globs) = (HashSet::new(), HashSet::new());
        let mut rules = problems.below("rules");
        for (index, rule) in self.rules.iter().enumerate() {
            let problems = &mut rules.below(index);
            problems.name("name", &rule.name);
            if !names.insert(&rule.name) {
                let message = format!("two rules are called `{}`", rule.name);
                problems.add("name", message, "rename one");
            }
            problems.glob("repositories", &rule.repositories);
            if !globs.insert(&rule.repositories) {
                let message = format!(
                    "an earlier rule decides about `{}` already",
                    rule.repositories
                );
                problems.add(
                    "repositories",
                    message,
                    "the first rule that matches decides: join the two",
                );
            }
            rule.check(problems);
        }
    }
}

impl RetentionRule {
    fn check(&self, problems: &mut Problems<'_>) {
        let entries = self.keep_tags.as_deref().unwrap_or_default();
        let removes_tags = self.keep_tags.is_some()
            && (self.unmatched_tags == UnmatchedTags::Remove || !entries.is_empty());
        let removes_manifests =
            self.untagged_after_days.is_some() || self.orphaned_referrers_after_days.is_some();
        if !removes_tags && !removes_manifests {
            problems.add(
                "name",
                format!("`{}` removes nothing", self.name),
                "add `keepTags`, `untaggedAfterDays` or `orphanedReferrersAfterDays`",
            );
        }
        if self.unmatched_tags == UnmatchedTags::Remove
            && entries.is_empty()
            && !self.may_empty_repositories
        {
            problems.add(
                "unmatchedTags",
                "without an entry of `keepTags`, `remove` means every tag",
                "say which tags to keep, or set `mayEmptyRepositories: true`",
            );
        }
        let mut keep_tags = problems.below("keepTags");
        for (index, entry) in entries.iter().enumerate() {
            let problems = &mut keep_tags.below(index);
            for (index, pattern) in entry.tags.iter().enumerate() {
                problems.below("tags").glob(&index.to_string(), pattern);
            }
            if entry.tags.is_empty() {
                problems.add(
                    "tags",
                    "without a glob, no tag matches",
                    "leave it out for all tags",
                );
            }
            for (key, number) in entry.numbers() {
                if number == Some(0) {
                    problems.add(key, "0 keeps nothing", "leave the key out, or say how many");
                }
            }
        }
    }
}

impl KeepTags {
    fn numbers(&self) -> [(&'static str, Option<u64>); 4] {
        let counted = |number: Option<usize>| number.map(|number| number as u64);
        [
            ("lastPushed", counted(self.last_pushed)),
            ("lastPulled", counted(self.last_pulled)),
            ("pushedWithinDays", self.pushed_within_days),
            ("pulledWithinDays", self.pulled_within_days),
        ]
    }
}
