//! What clients ask of the token service, and what tokens grant: the scopes of Docker's protocol.
//!
//! <https://distribution.github.io/distribution/spec/auth/scope/>

use std::collections::BTreeMap;

use cairn_spec::{ReferenceError, RepositoryName};
use serde::{Deserialize, Serialize};

use super::{Action, Permission};

/// The most scopes of one request; clients ask for a repository and the sources of its mounts.
pub(crate) const MAX_SCOPES: usize = 64;
/// The longest scope, in bytes.
const MAX_SCOPE_BYTES: usize = 512;

/// An entry of a token's `access` claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) actions: Vec<String>,
}

impl Access {
    pub(crate) fn is_catalog(&self) -> bool {
        self.kind == "registry" && self.name == "catalog"
    }

    pub(crate) fn covers(&self, permission: &Permission) -> bool {
        self.kind == "repository"
            && self.name == permission.repository.as_str()
            && self
                .actions
                .iter()
                .any(|action| action == permission.action.as_str())
    }
}

/// What a client asks for, merged by repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) repositories: BTreeMap<RepositoryName, Vec<Action>>,
    pub(crate) is_catalog: bool,
}

/// Why scopes are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScopeError {
    TooMany,
    Name(ReferenceError),
}

impl Wanted {
    /// Reads scopes, several of which may stand in one parameter. Kinds and actions that are
    /// unknown here are granted to nobody, so they are passed over.
    pub(crate) fn parse<'a>(parameters: impl Iterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut wanted = Self::default();
        for (count, scope) in parameters
            .flat_map(|scopes| scopes.split(' '))
            .filter(|scope| !scope.is_empty())
            .enumerate()
        {
            if count >= MAX_SCOPES || scope.len() > MAX_SCOPE_BYTES {
                return Err(ScopeError::TooMany);
            }
            let Some((kind, rest)) = scope.split_once(':') else {
                continue;
            };
            let Some((name, actions)) = rest.rsplit_once(':') else {
                continue;
            };
            match kind {
                "registry" if name == "catalog" => wanted.is_catalog = true,
                "repository" => {
                    let name = name.parse().map_err(ScopeError::Name)?;
                    let own = wanted.repositories.entry(name).or_default();
                    own.extend(actions.split(',').flat_map(actions_of));
                    own.sort_unstable();
                    own.dedup();
                }
                _ => {}
            }
        }
        Ok(wanted)
    }
}

fn actions_of(text: &str) -> Vec<Action> {
    match text {
        "*" => Action::ALL.to_vec(),
        text => text.parse().into_iter().collect(),
    }
}

/// The scopes that a challenge asks for.
pub(crate) fn scopes_of(permissions: &[Permission]) -> String {
    let mut by_repository: BTreeMap<&str, Vec<Action>> = BTreeMap::new();
    for permission in permissions {
        let actions = by_repository
            .entry(permission.repository.as_str())
            .or_default();
        // Whoever pushes looks first at what is there.
        if permission.action != Action::Pull {
            actions.push(Action::Pull);
        }
        actions.push(permission.action);
    }
    let scope = |(name, mut actions): (&str, Vec<Action>)| {
        actions.sort_unstable();
        actions.dedup();
        let actions: Vec<&str> = actions.into_iter().map(Action::as_str).collect();
        format!("repository:{name}:{}", actions.join(","))
    };
    by_repository
        .into_iter()
        .map(scope)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(scopes: &[&str]) -> String {
        match Wanted::parse(scopes.iter().copied()) {
            Ok(wanted) => {
                let repositories = wanted
                    .repositories
                    .iter()
                    .map(|(name, actions)| format!("{name} {actions:?}"));
                format!(
                    "{} catalog={}",
                    repositories.collect::<Vec<_>>().join("; "),
                    wanted.is_catalog
                )
            }
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn scopes_are_merged() {
        assert_eq!(parsed(&[]), " catalog=false");
        assert_eq!(
            parsed(&[
                "repository:a/b:pull,push",
                "repository:a/b:pull repository:c:pull"
            ]),
            "a/b [Pull, Push]; c [Pull] catalog=false"
        );
        assert_eq!(
            parsed(&["repository:a:*", "registry:catalog:*"]),
            "a [Pull, Push, Delete] catalog=true"
        );
        assert_eq!(
            parsed(&[
                "repository:a:shout",
                "repository(plugin):a:pull",
                "x",
                "repository:a"
            ]),
            "a [] catalog=false"
        );
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for name in [
            "../etc",
            "a/../b",
            "A",
            "a//b",
            "/a",
            "",
            "a%2fb",
            "host:5000/a",
        ] {
            let scope = format!("repository:{name}:pull");
            assert!(
                matches!(
                    Wanted::parse([scope.as_str()].into_iter()),
                    Err(ScopeError::Name(_))
                ),
                "{name}"
            );
        }
        let many = vec!["repository:a:pull"; MAX_SCOPES + 1];
        assert_eq!(Wanted::parse(many.into_iter()), Err(ScopeError::TooMany));
        let long = format!("repository:{}:pull", "a".repeat(MAX_SCOPE_BYTES));
        assert_eq!(
            Wanted::parse([long.as_str()].into_iter()),
            Err(ScopeError::TooMany)
        );
    }

    proptest! {
        #[test]
        fn any_scope_is_read_without_panic(scope in "(repository|registry)?:?[ -~]{0,80}") {
            let _ = Wanted::parse([scope.as_str()].into_iter());
        }
    }
}
