//! Which repositories an upstream has content for, and what it calls them.

use cairn_spec::RepositoryName;

use crate::config::RepositoryNames;

/// What ends a pattern that stands for more than one repository.
const REST: &str = "**";

/// Local names and those of the upstream, one for the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    local: Pattern,
    remote: Pattern,
}

/// A repository, or what the names of many begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    One(String),
    Below(String),
}

impl Mapping {
    /// Fails with the reason.
    pub(crate) fn new(config: &RepositoryNames) -> Result<Self, String> {
        let remote = config.remote.as_ref().unwrap_or(&config.local);
        let mapping = Self {
            local: Pattern::new(&config.local)?,
            remote: Pattern::new(remote)?,
        };
        match (&mapping.local, &mapping.remote) {
            (Pattern::One(_), Pattern::One(_)) | (Pattern::Below(_), Pattern::Below(_)) => {
                Ok(mapping)
            }
            _ => Err(format!(
                "of `{}` and `{remote}`, only one stands for many repositories",
                config.local
            )),
        }
    }

    /// The only repository here that it is about, if it is about one.
    pub(crate) fn one_local(&self) -> Option<RepositoryName> {
        self.local.one()
    }

    /// The only repository there.
    pub(crate) fn one_remote(&self) -> Option<RepositoryName> {
        self.remote.one()
    }

    /// What the upstream calls a local repository, if it has content for it.
    pub(crate) fn remote_of(&self, local: &RepositoryName) -> Option<RepositoryName> {
        self.remote.with(self.local.rest_of(local)?)
    }

    /// What a repository of the upstream is called here, if it is here.
    pub(crate) fn local_of(&self, remote: &RepositoryName) -> Option<RepositoryName> {
        self.local.with(self.remote.rest_of(remote)?)
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is neither a repository nor a name followed by `/**`");
        let Some(prefix) = text.strip_suffix(REST) else {
            let name: RepositoryName = text.parse().map_err(|_| invalid())?;
            return Ok(Self::One(name.to_string()));
        };
        let name = prefix.strip_suffix('/').unwrap_or("");
        let is_name = prefix.is_empty() || name.parse::<RepositoryName>().is_ok();
        is_name
            .then(|| Self::Below(prefix.to_owned()))
            .ok_or_else(invalid)
    }

    fn one(&self) -> Option<RepositoryName> {
        match self {
            Self::One(one) => one.parse().ok(),
            Self::Below(_) => None,
        }
    }

    /// What stands for `**` in a name.
    fn rest_of<'a>(&self, name: &'a RepositoryName) -> Option<&'a str> {
        match self {
            Self::One(one) => (name.as_str() == one).then_some(""),
            Self::Below(prefix) => name.as_str().strip_prefix(prefix.as_str()),
        }
    }

    fn with(&self, rest: &str) -> Option<RepositoryName> {
        match self {
            Self::One(one) => one.parse().ok(),
            Self::Below(prefix) => format!("{prefix}{rest}").parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(local: &str, remote: Option<&str>) -> Result<Mapping, String> {
        Mapping::new(&RepositoryNames {
            local: local.to_owned(),
            remote: remote.map(str::to_owned),
        })
    }

    #[test]
    fn names_go_there_and_back() {
        for (local, remote, ours, theirs) in [
            (
                "docker.io/**",
                Some("**"),
                "docker.io/library/a",
                "library/a",
            ),
            ("**", None, "a/b", "a/b"),
            ("hub/**", Some("library/**"), "hub/a", "library/a"),
            ("apps/web", Some("team/web"), "apps/web", "team/web"),
        ] {
            let mapping = mapping(local, remote).unwrap();
            let ours: RepositoryName = ours.parse().unwrap();
            let theirs: RepositoryName = theirs.parse().unwrap();
            assert_eq!(mapping.remote_of(&ours), Some(theirs.clone()), "{local}");
            assert_eq!(mapping.local_of(&theirs), Some(ours), "{local}");
        }
        let hub = mapping("docker.io/**", Some("**")).unwrap();
        for other in ["docker.io", "docker.iox/a", "other/a"] {
            assert_eq!(hub.remote_of(&other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn patterns_that_say_nothing_are_refused() {
        for (local, remote) in [
            ("a*", None),
            ("a**", None),
            ("/**", None),
            ("UPPER/**", None),
            ("a/**", Some("b")),
            ("a", Some("**")),
            ("", None),
        ] {
            assert!(mapping(local, remote).is_err(), "{local} {remote:?}");
        }
    }
}
