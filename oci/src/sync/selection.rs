//! Which repositories and tags are meant.

use std::{fmt, sync::Arc};

use cairn_spec::{RepositoryName, Tag, Version, VersionRange};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::Error;

/// What a repository is called at the target, if it is to be copied.
type Target = dyn Fn(&RepositoryName) -> Option<RepositoryName> + Send + Sync;

/// Which repositories and tags to copy, and where to.
#[derive(Clone)]
pub struct Selection {
    /// Repositories that are known by name. Registries that list none can be copied from, too.
    pub named: Vec<RepositoryName>,
    /// Of each repository, these tags.
    pub tags: TagSelection,
    /// The source has to be asked which repositories there are.
    is_list_needed: bool,
    target: Arc<Target>,
}

impl Selection {
    /// Repositories that `target` gives a name at the target: those of `named`, and, if
    /// `needs_list`, all that the source lists.
    pub fn new(
        named: Vec<RepositoryName>,
        needs_list: bool,
        target: impl Fn(&RepositoryName) -> Option<RepositoryName> + Send + Sync + 'static,
    ) -> Self {
        Self {
            named,
            tags: TagSelection::default(),
            is_list_needed: needs_list,
            target: Arc::new(target),
        }
    }

    /// Of each repository, these tags.
    #[must_use]
    pub fn with_tags(mut self, tags: TagSelection) -> Self {
        self.tags = tags;
        self
    }

    /// Repositories that a glob or a name matches, under the same names below `prefix`.
    pub fn of_glob(pattern: &str, prefix: Option<&RepositoryName>) -> Result<Self, Error> {
        let globs = globs(&[pattern.to_owned()])?;
        let named: Vec<RepositoryName> = pattern.parse().into_iter().collect();
        let needs_list = named.is_empty();
        let prefix = prefix.cloned();
        Ok(Self::new(named, needs_list, move |name| {
            if !globs.is_match(name.as_str()) {
                return None;
            }
            match &prefix {
                None => Some(name.clone()),
                Some(prefix) => format!("{prefix}/{name}").parse().ok(),
            }
        }))
    }

    pub(super) fn needs_list(&self) -> bool {
        self.is_list_needed
    }

    pub(super) fn target_of(&self, name: &RepositoryName) -> Option<RepositoryName> {
        (self.target)(name)
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self::new(Vec::new(), true, |name| Some(name.clone()))
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection")
            .field("named", &self.named)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

/// Which tags of a repository.
#[derive(Debug, Clone, Default)]
pub struct TagSelection {
    /// Tags that one of these matches; all if there are none.
    globs: Option<GlobSet>,
    /// Of them, those that are versions in this range.
    versions: Option<VersionRange>,
}

impl TagSelection {
    /// Tags that match one of `patterns`, or any if there are none, and are versions in `versions`
    /// if that is given.
    pub fn new(patterns: &[String], versions: Option<VersionRange>) -> Result<Self, Error> {
        let globs = (!patterns.is_empty()).then(|| globs(patterns));
        Ok(Self {
            globs: globs.transpose()?,
            versions,
        })
    }

    /// Those of a list, sorted. Tags that are computed from a digest are not copied by themselves:
    /// they come with what they are about.
    pub(super) fn of(&self, mut tags: Vec<Tag>) -> Vec<Tag> {
        tags.retain(|tag| self.includes(tag) && !is_derived(tag));
        tags.sort();
        tags.dedup();
        tags
    }

    fn includes(&self, tag: &Tag) -> bool {
        let matches = |globs: &GlobSet| globs.is_match(tag.as_str());
        let fits = |range: &VersionRange| version_of(tag).is_some_and(|it| range.matches(&it));
        self.globs.as_ref().is_none_or(matches) && self.versions.as_ref().is_none_or(fits)
    }
}

/// `v1.2.3` and `1.2.3_build` are versions as well.
fn version_of(tag: &Tag) -> Option<Version> {
    let text = tag.as_str();
    let text = text.strip_prefix('v').unwrap_or(text);
    text.replace('_', "+").parse().ok()
}

/// `sha256-<hex>`, and what hangs on it.
fn is_derived(tag: &Tag) -> bool {
    let name = tag.as_str().split('.').next().unwrap_or_default();
    name.replacen('-', ":", 1)
        .parse::<cairn_spec::Digest>()
        .is_ok()
}

fn globs(patterns: &[String]) -> Result<GlobSet, Error> {
    let malformed = |pattern: &str, error: &globset::Error| Error::Malformed {
        what: pattern.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(|error| malformed(pattern, &error))?);
    }
    set.build().map_err(|error| malformed("globs", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(patterns: &[&str], versions: Option<&str>) -> String {
        let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
        let versions = versions.map(|range| range.parse().unwrap());
        let selection = TagSelection::new(&patterns, versions).unwrap();
        let hex = "0".repeat(64);
        let signature = format!("sha256-{hex}.sig");
        let tags = [
            "latest",
            "v1.2.3",
            "1.3.0",
            "2.0.0-rc.1",
            "1.4.0_b1",
            "nightly",
            &signature,
        ];
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let tags: Vec<String> = selection.of(tags).iter().map(ToString::to_string).collect();
        tags.join(" ")
    }

    #[test]
    fn tags_are_chosen_by_globs_and_versions() {
        insta::assert_snapshot!(selected(&[], None), @"1.3.0 1.4.0_b1 2.0.0-rc.1 latest nightly v1.2.3");
        insta::assert_snapshot!(selected(&["v*", "nightly"], None), @"nightly v1.2.3");
        insta::assert_snapshot!(selected(&[], Some(">=1.2 <2")), @"1.3.0 1.4.0_b1 v1.2.3");
        insta::assert_snapshot!(selected(&["1*"], Some("^1.2")), @"1.3.0 1.4.0_b1");
        insta::assert_snapshot!(selected(&["sha256-*"], None), @"");
    }

    #[test]
    fn repositories_are_chosen_by_globs() {
        let target = |pattern: &str, prefix: Option<&str>, name: &str| {
            let prefix = prefix.map(|prefix| prefix.parse().unwrap());
            let selection = Selection::of_glob(pattern, prefix.as_ref()).unwrap();
            let target = selection.target_of(&name.parse().unwrap());
            target.map_or("-".to_owned(), |name| name.to_string())
        };
        assert_eq!(target("apps/*", None, "apps/a"), "apps/a");
        assert_eq!(target("apps/*", None, "apps/a/b"), "-");
        assert_eq!(
            target("apps/**", Some("mirror"), "apps/a/b"),
            "mirror/apps/a/b"
        );
        assert_eq!(target("apps/a", Some("m/n"), "apps/a"), "m/n/apps/a");
        let one = Selection::of_glob("apps/a", None).unwrap();
        assert!(!one.needs_list() && one.named.len() == 1);
        assert!(Selection::of_glob("apps/*", None).unwrap().needs_list());
        assert!(Selection::of_glob("apps/[", None).is_err());
    }
}
