//! What is copied from or to other registries, and when.

use std::{collections::HashSet, path::PathBuf};

use cairn_spec::VersionRange;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Problems, RemoteConfig, RepositoryNames,
    upstreams::{check_name, check_repositories},
};

/// The most mirrors of one registry: each has a lease of its own.
const MIRRORS_MAX: usize = 128;

/// Repositories and tags that are kept the same here and in another registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MirrorConfig {
    /// Its name in the log and for `cairn registry sync`: lower-case letters, digits and `-`.
    pub name: String,
    /// From the other registry to this one, or the other way.
    pub direction: MirrorDirection,
    /// The other registry, and who this one is there.
    pub registry: RemoteConfig,
    /// Which repositories to copy. Where a pattern stands for many, the registry that is copied from
    /// has to list its repositories, which not all do for everybody.
    pub repositories: Vec<RepositoryNames>,
    /// Which tags to copy, as globs; all by default.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Of those, only versions in this range, such as `>=1.2 <2`; a `v` before a version does not
    /// matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
    /// Signatures, attestations and everything else that refers to a manifest are copied with it.
    #[serde(default = "yes")]
    pub referrers: bool,
    /// A trust policy: only what it trusts is copied. Its globs begin with the host that is copied
    /// from; for this registry that is `trust.host`, or else `localhost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<PathBuf>,
    /// How long to wait between two runs; without it, only `cairn registry sync` runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<u64>,
    /// How many tags are copied at the same time.
    #[serde(default = "four")]
    pub concurrency: usize,
}

/// Which way content goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MirrorDirection {
    /// From the other registry to this one.
    Pull,
    /// From this registry to the other one.
    Push,
}

fn yes() -> bool {
    true
}

fn four() -> usize {
    4
}

pub(super) fn check(mirrors: &[MirrorConfig], problems: &mut Problems<'_>) {
    if mirrors.len() > MIRRORS_MAX {
        let message = format!("there are more than {MIRRORS_MAX}");
        problems.add("", message, "let a mirror have more `repositories`");
    }
    let mut names = HashSet::new();
    for (index, mirror) in mirrors.iter().enumerate() {
        let problems = &mut problems.below(index);
        check_name(&mirror.name, &mut names, problems);
        mirror.registry.check(&mut problems.below("registry"));
        check_repositories(&mirror.repositories, problems);
        for (index, pattern) in mirror.tags.iter().enumerate() {
            problems.below("tags").glob(&index.to_string(), pattern);
        }
        if let Some(versions) = &mirror.versions
            && let Err(error) = versions.parse::<VersionRange>()
        {
            let hint = "ranges are such as `>=1.2 <2` or `^1.4`";
            problems.add("versions", error.to_string(), hint);
        }
        for (key, value) in [
            ("intervalS", mirror.interval_s),
            ("concurrency", Some(mirror.concurrency as u64)),
        ] {
            if value == Some(0) {
                problems.add(key, "0 copies nothing", "leave the key out for its default");
            }
        }
    }
}

pub(super) fn check_files(mirrors: &[MirrorConfig], problems: &mut Problems<'_>) {
    for (index, mirror) in mirrors.iter().enumerate() {
        let mut problems = problems.below(index);
        mirror.registry.check_files(&mut problems.below("registry"));
        if let Some(policy) = &mirror.trust {
            problems.file("trust", policy);
        }
    }
}
