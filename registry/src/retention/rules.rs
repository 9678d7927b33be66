//! The rules of the configuration, made ready to match.

use cairn_spec::{RepositoryName, Tag};
use globset::{GlobMatcher, GlobSet};

use crate::{
    KeepTags, Result, RetentionConfig, RetentionRule,
    config::{glob, globs},
};

/// All rules. Opening them fails if a single glob is none, so that nothing is ever removed by a
/// part of them.
#[derive(Debug)]
pub(crate) struct Rules {
    in_order: Vec<Rule>,
    protected: GlobSet,
    pub(super) interval_s: u64,
    pub(super) dry_run: bool,
}

/// What is kept in the repositories of a glob.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) config: RetentionRule,
    repositories: GlobMatcher,
    /// Which tags the entries of `keepTags` are about, in their order.
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) keep: KeepTags,
    tags: GlobSet,
}

impl Rules {
    /// The configured rules; `None` if there are none.
    pub(crate) fn open(config: &RetentionConfig) -> Result<Option<Self>> {
        let rules = config.rules.iter().map(Rule::new);
        let rules: Vec<Rule> = rules.collect::<Result<_>>()?;
        let protected = globs("retention.protectedTags", &config.protected_tags)?;
        Ok((!rules.is_empty()).then_some(Self {
            in_order: rules,
            protected,
            interval_s: config.interval_s,
            dry_run: config.dry_run,
        }))
    }

    /// The rule that decides about a repository.
    pub(super) fn of(&self, repository: &RepositoryName) -> Option<&Rule> {
        let mut rules = self.in_order.iter();
        rules.find(|rule| rule.repositories.is_match(repository.as_str()))
    }

    /// No rule removes the tag.
    pub(super) fn protects(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.protected.is_match(repository.as_str())
            || self.protected.is_match(format!("{repository}:{tag}"))
    }

    /// It matters when the manifests of a repository are pulled.
    pub(crate) fn ask_for_pulls(&self, repository: &RepositoryName) -> bool {
        self.of(repository).is_some_and(Rule::asks_for_pulls)
    }

    /// It matters in some repository when manifests are pulled.
    pub(super) fn ask_for_any_pulls(&self) -> bool {
        self.in_order.iter().any(Rule::asks_for_pulls)
    }

    /// It matters since when a manifest of the repository has no tag.
    pub(crate) fn remove_untagged(&self, repository: &RepositoryName) -> bool {
        let rule = self.of(repository);
        rule.is_some_and(|rule| rule.config.untagged_after_days.is_some())
    }
}

impl Rule {
    pub(super) fn new(config: &RetentionRule) -> Result<Self> {
        let entries = config.keep_tags.iter().flatten().map(|keep| {
            Ok(Entry {
                tags: globs("retention.rules", &keep.tags)?,
                keep: keep.clone(),
            })
        });
        Ok(Self {
            repositories: glob("retention.rules", &config.repositories)?.compile_matcher(),
            entries: entries.collect::<Result<_>>()?,
            config: config.clone(),
        })
    }

    fn asks_for_pulls(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| {
            entry.keep.last_pulled.is_some() || entry.keep.pulled_within_days.is_some()
        })
    }
}

impl Entry {
    pub(super) fn is_about(&self, tag: &Tag) -> bool {
        self.tags.is_match(tag.as_str())
    }
}
