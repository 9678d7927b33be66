//! Answers a registry's challenge, and remembers the answer for a repository and an access.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use oci_distribution::{
    RegistryOperation,
    client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};
use tokio::sync::{OnceCell, RwLock};

use super::{Credential, Options};
use crate::{Error, store::Origin};

/// What a request does to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// It reads.
    Pull,
    /// It writes or deletes. Token services are asked for `pull,push`; those that keep deletion
    /// apart need a user and a password that the registry takes directly.
    Push,
}

/// Gets tokens through `oci-distribution` and keeps the resulting headers. Its clients are made
/// when a registry asks, because each reads the system's authorities at once.
pub(super) struct Authenticator {
    http: OnceCell<oci_distribution::Client>,
    https: OnceCell<oci_distribution::Client>,
    options: Options,
    headers: RwLock<HashMap<(Origin, Access), HeaderValue>>,
}

impl Authenticator {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            http: OnceCell::new(),
            https: OnceCell::new(),
            options: options.clone(),
            headers: RwLock::default(),
        }
    }

    /// The `Authorization` header of an earlier challenge.
    pub(super) async fn known(&self, origin: &Origin, access: Access) -> Option<HeaderValue> {
        let key = (origin.clone(), access);
        self.headers.read().await.get(&key).cloned()
    }

    /// Answers a challenge, after `refused` was not accepted.
    pub(super) async fn authorize(
        &self,
        scheme: &str,
        origin: &Origin,
        access: Access,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Error> {
        let key = (origin.clone(), access);
        // Whoever waited for the lock finds what the first one got.
        let mut headers = self.headers.write().await;
        match headers.get(&key) {
            Some(known) if Some(known) != refused => return Ok(known.clone()),
            _ => {}
        }
        let fresh = self.answer(scheme, origin, access).await?;
        if Some(&fresh) == refused {
            return Err(refusal(origin, "the registry refuses the credentials"));
        }
        headers.insert(key, fresh.clone());
        Ok(fresh)
    }

    async fn answer(
        &self,
        scheme: &str,
        origin: &Origin,
        access: Access,
    ) -> Result<HeaderValue, Error> {
        let credential = self.options.credentials.get(&origin.registry);
        let registry_auth = match credential {
            None => RegistryAuth::Anonymous,
            Some(Credential::Basic { username, password }) => {
                RegistryAuth::Basic(username.clone(), password.to_string())
            }
            Some(Credential::Bearer(token)) => return bearer(origin, token),
        };
        let (client, protocol) = if scheme == "http" {
            (&self.http, ClientProtocol::Http)
        } else {
            (&self.https, ClientProtocol::Https)
        };
        let client = client
            .get_or_try_init(async || token_client(&self.options, protocol))
            .await?;
        let operation = match access {
            Access::Pull => RegistryOperation::Pull,
            Access::Push => RegistryOperation::Push,
        };
        let token = client
            .auth(&image(origin), &registry_auth, operation)
            .await
            .map_err(|error| refusal(origin, &token_failure(&error)))?;
        match (token, credential) {
            (Some(token), _) => bearer(origin, &token),
            (None, Some(Credential::Basic { username, password })) => {
                let pair = zeroize::Zeroizing::new(format!("{username}:{}", password.as_str()));
                header(
                    origin,
                    &format!("Basic {}", STANDARD.encode(pair.as_bytes())),
                )
            }
            (None, _) => Err(refusal(origin, "the registry wants credentials")),
        }
    }
}

fn token_client(
    options: &Options,
    protocol: ClientProtocol,
) -> Result<oci_distribution::Client, Error> {
    let certificate = |pem: &Vec<u8>| Certificate {
        encoding: CertificateEncoding::Pem,
        data: pem.clone(),
    };
    let config = ClientConfig {
        protocol,
        extra_root_certificates: options.extra_ca_pem.iter().map(certificate).collect(),
        read_timeout: Some(options.read_timeout),
        connect_timeout: Some(options.connect_timeout),
        ..ClientConfig::default()
    };
    oci_distribution::Client::try_from(config).map_err(|error| Error::Setup {
        source: error.into(),
    })
}

fn image(
    Origin {
        registry,
        repository,
    }: &Origin,
) -> oci_distribution::Reference {
    let (registry, repository) = (registry.to_string(), repository.to_string());
    oci_distribution::Reference::with_tag(registry, repository, "latest".to_owned())
}

fn bearer(origin: &Origin, token: &str) -> Result<HeaderValue, Error> {
    header(origin, &format!("Bearer {token}"))
}

fn header(origin: &Origin, text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| refusal(origin, "the token holds characters that no header may hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn refusal(origin: &Origin, reason: &str) -> Error {
    Error::Unauthenticated {
        what: origin.to_string(),
        reason: reason.to_owned(),
    }
}

fn token_failure(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::AuthenticationFailure(answer) => {
            super::transport::error_text(answer.as_bytes())
        }
        other => format!("no token was issued ({other})"),
    }
}
