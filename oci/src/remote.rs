//! The client of remote registries.
//!
//! It is this crate's own over `reqwest`; of `oci-distribution` it takes what a token service
//! answers. That crate reads manifests and tokens of any size into memory, sends credentials to
//! whatever token service a registry names, hides the `Content-Type`, `Link` and `OCI-Subject`
//! headers that media types, paging and the referrers fallback need, asks the registry who it is
//! before every anonymous request, and neither retries nor deletes.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

use std::{fmt, sync::Arc, time::Duration};

use cairn_spec::{Artifact, Descriptor, Digest, Reference, RegistryHost, RepositoryName, Tag};

use crate::{
    Error, limits,
    progress::Progress,
    store::{Name, Origin, Resolve as _},
};
use transport::Manner;

mod artifact;
mod auth;
mod blob;
mod catalog;
mod challenge;
mod credentials;
pub mod docker_config;
mod document;
mod endpoint;
mod login;
mod manifest;
mod referrers;
mod repository;
mod resume;
mod tags;
mod tls;
mod transport;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod led_elsewhere;
#[cfg(test)]
pub(crate) mod test_registry;
#[cfg(test)]
mod tests;

pub use artifact::{PullLimits, Pushed};
pub use credentials::{Credential, Credentials};
pub use repository::Repository;

/// How a client speaks to registries.
#[derive(Debug, Clone)]
pub struct Options {
    /// Speaks plain HTTP (`true`) or HTTPS (`false`) to every registry. By default, only
    /// registries on the loopback interface are spoken to in plain HTTP.
    pub plain_http: Option<bool>,
    /// Certificates, in PEM, of authorities that are trusted beside the system's.
    pub extra_ca_pem: Vec<Vec<u8>>,
    /// Who the client is.
    pub credentials: Credentials,
    /// The hosts of token services, beside each registry's own, that credentials may be sent to.
    pub token_services: Vec<RegistryHost>,
    /// The only hosts that may have addresses of this machine or of private networks; by default
    /// all may. With it, proxies are not used.
    pub private_hosts: Option<Vec<RegistryHost>>,
    /// How blobs are uploaded.
    pub upload: Upload,
    /// Sees content move.
    pub progress: Progress,
    /// The longest time to open a connection.
    pub connect_timeout: Duration,
    /// The longest silence while an answer arrives.
    pub read_timeout: Duration,
    /// The longest time that a document of a repository of charts may take.
    pub document_timeout: Duration,
    /// The most attempts at one request, at least one.
    pub max_attempts: u32,
    /// The wait before the second attempt; it doubles with each further one, and is jittered.
    pub first_backoff: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plain_http: None,
            extra_ca_pem: Vec::new(),
            credentials: Credentials::none(),
            token_services: Vec::new(),
            private_hosts: None,
            upload: Upload::Monolithic,
            progress: Progress::default(),
            connect_timeout: limits::CONNECT_TIMEOUT,
            read_timeout: limits::READ_TIMEOUT,
            document_timeout: limits::DOCUMENT_TIMEOUT,
            max_attempts: limits::MAX_ATTEMPTS,
            first_backoff: limits::FIRST_BACKOFF,
        }
    }
}

/// How a blob is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// In one request, streamed.
    Monolithic,
    /// In chunks, each of which is repeated on its own when it fails.
    Chunked {
        /// The size of a chunk in bytes; a registry may ask for more.
        chunk_bytes: usize,
    },
}

/// A client for any number of registries. Clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    /// Without a read timeout, which would also cut off uploads that take longer.
    uploads: reqwest::Client,
    authenticator: auth::Authenticator,
    options: Options,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up a client; nothing is sent yet.
    pub fn new(options: Options) -> Result<Self, Error> {
        let tls = tls::client_config(&options.extra_ca_pem)?;
        let patient = Manner {
            read_timeout: None,
            timeout: None,
            follows: true,
        };
        let usual = Manner {
            read_timeout: Some(options.read_timeout),
            ..patient
        };
        let with_secrets = Manner {
            timeout: Some(limits::TOKEN_TIMEOUT),
            follows: false,
            ..usual
        };
        let http = transport::http_client(&options, tls.clone(), usual)?;
        let uploads = transport::http_client(&options, tls.clone(), patient)?;
        let tokens = transport::http_client(&options, tls, with_secrets)?;
        let authenticator = auth::Authenticator::new(tokens, &options);
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                uploads,
                authenticator,
                options,
            }),
        })
    }

    /// One repository, as a store to copy from and to, to sign in and to verify in.
    pub fn repository(&self, registry: &RegistryHost, repository: &RepositoryName) -> Repository {
        Repository::new(
            self.clone(),
            Origin {
                registry: registry.clone(),
                repository: repository.clone(),
            },
        )
    }

    /// The repository of a reference.
    pub fn repository_of(&self, reference: &Reference) -> Repository {
        self.repository(&reference.registry, &reference.repository)
    }

    /// The descriptor of the manifest that a reference names. A digest wins over a tag.
    pub async fn resolve(&self, reference: &Reference) -> Result<Descriptor, Error> {
        let name = name_of(reference)?;
        self.repository_of(reference).resolve(&name).await
    }

    /// Pushes an artifact: the blobs that are missing, then the manifest, under the reference's
    /// tag, or by digest without one. Pushing it again moves nothing.
    pub async fn push_artifact(
        &self,
        reference: &Reference,
        artifact: &Artifact,
    ) -> Result<Pushed, Error> {
        self.repository_of(reference)
            .push_artifact(reference, artifact)
            .await
    }

    /// Pulls an artifact into memory; its manifest and every blob are verified.
    pub async fn pull_artifact(
        &self,
        reference: &Reference,
        limits: &PullLimits,
    ) -> Result<Artifact, Error> {
        let name = name_of(reference)?;
        self.repository_of(reference)
            .pull_artifact(&name, limits)
            .await
    }

    /// All tags of a repository, in the registry's order, which is lexical.
    pub async fn tags(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
    ) -> Result<Vec<Tag>, Error> {
        self.repository(registry, repository).tags().await
    }

    /// The manifests that refer to the one whose digest the reference holds.
    pub async fn referrers(
        &self,
        reference: &Reference,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let digest = reference.digest.as_ref().ok_or_else(|| Error::Incomplete {
            reference: reference.to_string(),
            reason: "has no digest, but referrers are listed by digest",
        })?;
        self.repository_of(reference)
            .referrers_of(digest, artifact_type)
            .await
    }

    /// Deletes what the reference names: a manifest with all its tags by digest, or one tag.
    pub async fn delete(&self, reference: &Reference) -> Result<(), Error> {
        let name = name_of(reference)?;
        self.repository_of(reference).delete_manifest(&name).await
    }

    /// The login that is kept for this very host.
    pub(crate) fn credential_of(&self, host: &RegistryHost) -> Option<&Credential> {
        self.inner.options.credentials.of_host(host)
    }

    fn scheme(&self, registry: &RegistryHost) -> &'static str {
        if self
            .inner
            .options
            .plain_http
            .unwrap_or_else(|| registry.is_loopback())
        {
            "http"
        } else {
            "https"
        }
    }
}

/// The digest of a reference, or else its tag.
pub(crate) fn name_of(reference: &Reference) -> Result<Name, Error> {
    let digest = || reference.digest.clone().map(Name::Digest);
    let tag = || reference.tag.clone().map(Name::Tag);
    digest().or_else(tag).ok_or_else(|| Error::Incomplete {
        reference: reference.to_string(),
        reason: "has neither a tag nor a digest",
    })
}

/// The digest that a reference must hold.
pub(crate) fn digest_of<'a>(
    reference: &'a Reference,
    reason: &'static str,
) -> Result<&'a Digest, Error> {
    reference.digest.as_ref().ok_or_else(|| Error::Incomplete {
        reference: reference.to_string(),
        reason,
    })
}
