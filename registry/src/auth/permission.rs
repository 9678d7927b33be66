//! What a request needs to be allowed.

use std::{fmt, str::FromStr};

use cairn_spec::{RepositoryName, Tag};
use serde::{Deserialize, Serialize};

/// What may be done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Reading manifests, blobs, tags and referrers, and seeing the repository in the catalog.
    Pull,
    /// Uploading blobs and manifests, and setting tags.
    Push,
    /// Deleting blobs, manifests and tags.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// The action as it stands in policies and scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no action: use `pull`, `push` or `delete`"))
    }
}

/// One thing to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// What is done.
    pub action: Action,
    /// To which repository.
    pub repository: RepositoryName,
    /// The tag that is set or deleted, if the request names one.
    pub tag: Option<Tag>,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.repository)?;
        match &self.tag {
            Some(tag) => write!(f, ":{tag}"),
            None => Ok(()),
        }
    }
}

/// What a request needs before it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// That the client answered the registry's challenge. Clients learn from the refusal how to.
    Answer,
    /// To list repositories; the list holds those that the actor may pull.
    Catalog,
    /// All of these.
    Permissions(Vec<Permission>),
}
