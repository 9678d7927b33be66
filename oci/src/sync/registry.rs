//! What can be mirrored from and to.

use std::future::Future;

use cairn_spec::{RegistryHost, RepositoryName, Tag};

use crate::{Client, Error, Repository, store::Store};

/// A registry: repositories, and what they are called.
pub trait Registry: Send + Sync {
    /// One of its repositories.
    type Repository: Store + ListTags;

    /// `host/repository`, as trust policies and reports name it.
    fn name_of(&self, repository: &RepositoryName) -> String;

    /// All repositories that it shows.
    fn repositories(&self) -> impl Future<Output = Result<Vec<RepositoryName>, Error>> + Send;

    /// A repository, whether it exists or not.
    fn repository(&self, name: &RepositoryName) -> Self::Repository;
}

/// A repository whose tags can be listed.
pub trait ListTags: Send + Sync {
    /// All its tags.
    fn tags(&self) -> impl Future<Output = Result<Vec<Tag>, Error>> + Send;
}

impl ListTags for Repository {
    async fn tags(&self) -> Result<Vec<Tag>, Error> {
        Self::tags(self).await
    }
}

/// A registry that is spoken to over HTTP.
#[derive(Debug, Clone)]
pub struct RemoteRegistry {
    /// How.
    pub client: Client,
    /// Where it is.
    pub host: RegistryHost,
}

impl Registry for RemoteRegistry {
    type Repository = Repository;

    fn name_of(&self, repository: &RepositoryName) -> String {
        format!("{}/{repository}", self.host)
    }

    async fn repositories(&self) -> Result<Vec<RepositoryName>, Error> {
        self.client.repositories(&self.host).await
    }

    fn repository(&self, name: &RepositoryName) -> Repository {
        self.client.repository(&self.host, name)
    }
}
