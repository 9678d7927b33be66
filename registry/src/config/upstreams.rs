//! The registries that content is pulled through from.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problems, RemoteConfig, remote::half_a_minute};
use crate::upstream::Mapping;

/// A registry whose content is fetched when a client asks for it, and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Its name in the log, in warnings and beside what came from it: lower-case letters, digits
    /// and `-`.
    pub name: String,
    /// Where it is, and who this registry is there.
    pub registry: RemoteConfig,
    /// Which repositories it has content for. Upstreams are asked in the order of the list.
    pub repositories: Vec<RepositoryNames>,
    /// What clients that use this registry as a mirror call the upstream in their `ns` parameter,
    /// such as `docker.io`: containerd does. Their requests count as requests for the local names.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// How long a tag is served before the upstream is asked whether it moved.
    #[serde(default = "five_minutes")]
    pub tag_ttl_s: u64,
    /// How long it is remembered that the upstream does not have something.
    #[serde(default = "half_a_minute")]
    pub missing_ttl_s: u64,
}

/// Repositories here, and what another registry calls them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositoryNames {
    /// A repository here, or all below a name: `docker.io/**`, or `**` for all there are.
    pub local: String,
    /// Its name there, in which `**` stands for the same as in `local`; by default the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

fn five_minutes() -> u64 {
    300
}

pub(super) fn check(upstreams: &[UpstreamConfig], problems: &mut Problems<'_>) {
    let mut names = HashSet::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        let problems = &mut problems.below(index);
        check_name(&upstream.name, &mut names, problems);
        upstream.registry.check(&mut problems.below("registry"));
        check_repositories(&upstream.repositories, problems);
    }
}

/// The name of something that stands in a list of named things.
pub(super) fn check_name<'a>(
    name: &'a str,
    names: &mut HashSet<&'a str>,
    problems: &mut Problems<'_>,
) {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_part) {
        let message = format!("`{name}` is not a name");
        problems.add("name", message, "use lower-case letters, digits and `-`");
    }
    if !names.insert(name) {
        let message = format!("two are called `{name}`");
        problems.add("name", message, "rename one");
    }
}

pub(super) fn check_repositories(repositories: &[RepositoryNames], problems: &mut Problems<'_>) {
    if repositories.is_empty() {
        let message = "there are none";
        problems.add(
            "repositories",
            message,
            "name some, such as `{local: \"**\"}`",
        );
    }
    for (index, names) in repositories.iter().enumerate() {
        if let Err(reason) = Mapping::new(names) {
            let key = index.to_string();
            let hint = "write a repository, or a name followed by `/**`, in both or in neither";
            problems.below("repositories").add(&key, reason, hint);
        }
    }
}

pub(super) fn check_files(upstreams: &[UpstreamConfig], problems: &mut Problems<'_>) {
    for (index, upstream) in upstreams.iter().enumerate() {
        let mut problems = problems.below(index);
        upstream
            .registry
            .check_files(&mut problems.below("registry"));
    }
}
