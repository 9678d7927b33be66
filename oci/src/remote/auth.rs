//! Answers a registry's challenge, and remembers the answer for a repository and an access.
//!
//! Credentials go to the registry's own host and to token services that somebody who is trusted
//! named, never to whoever a registry names: a registry that was taken over, or a mistake in its
//! set-up, would collect the passwords of its users at another host.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, StatusCode};
use oci_distribution::token_cache::RegistryToken;
use reqwest::Url;
use tokio::sync::RwLock;

use super::{
    Credential, Options,
    challenge::Challenge,
    transport::{Call, error_text, read_limited},
};
use crate::{Error, error::RequestError, limits, network, store::Origin};

/// What a request does to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// It reads.
    Pull,
    /// It writes or deletes. Token services are asked for `pull,push`; those that keep deletion
    /// apart need a user and a password that the registry takes directly.
    Push,
    /// It lists the registry's repositories.
    List,
}

/// Token services of public registries that are on another host than the registry.
const KNOWN_SERVICES: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("index.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// Gets tokens and keeps the resulting headers.
pub(super) struct Authenticator {
    /// Follows no redirects.
    http: reqwest::Client,
    options: Options,
    headers: RwLock<HashMap<(Origin, Access), HeaderValue>>,
}

impl Authenticator {
    pub(super) fn new(http: reqwest::Client, options: &Options) -> Self {
        Self {
            http,
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
        call: Call<'_>,
        challenge: &Challenge,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Error> {
        let key = (call.origin.clone(), call.access);
        // Whoever waited for the lock finds what the first one got.
        let mut headers = self.headers.write().await;
        match headers.get(&key) {
            Some(known) if Some(known) != refused => return Ok(known.clone()),
            _ => {}
        }
        let fresh = self.answer(scheme, call, challenge).await?;
        if Some(&fresh) == refused {
            let reason = "the registry refuses the credentials";
            return Err(refusal(call.origin, reason));
        }
        headers.insert(key, fresh.clone());
        Ok(fresh)
    }

    async fn answer(
        &self,
        scheme: &str,
        call: Call<'_>,
        challenge: &Challenge,
    ) -> Result<HeaderValue, Error> {
        let origin = call.origin;
        let credential = self.options.credentials.get(&origin.registry);
        match (challenge, credential) {
            (_, Some(Credential::Bearer(token))) => bearer(origin, token),
            (Challenge::Basic, Some(Credential::Basic { username, password })) => {
                let pair = zeroize::Zeroizing::new(format!("{username}:{}", password.as_str()));
                let encoded = STANDARD.encode(pair.as_bytes());
                sensitive(origin, &format!("Basic {encoded}"))
            }
            (Challenge::Basic, None) => Err(refusal(origin, "the registry wants credentials")),
            (Challenge::Bearer { realm, service }, _) => {
                let url = self.realm(scheme, origin, realm, credential.is_some())?;
                self.token(url, service.as_deref(), call, credential).await
            }
        }
    }

    /// The URL of the token service that a registry names, if it may be asked.
    fn realm(
        &self,
        scheme: &str,
        origin: &Origin,
        realm: &str,
        sends_credentials: bool,
    ) -> Result<Url, Error> {
        let refuse = |reason: &str| {
            let reason = format!("the registry names the token service `{realm}`, {reason}");
            refusal(origin, &super::transport::safe(&reason))
        };
        let url = Url::parse(realm).map_err(|_| refuse("which is no URL"))?;
        let is_allowed_scheme =
            url.scheme() == "https" || (scheme, url.scheme()) == ("http", "http");
        if !is_allowed_scheme || !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("which is no plain HTTPS address"));
        }
        if let Some(hosts) = &self.options.private_hosts
            && !network::may_ask(&url, hosts)
        {
            return Err(refuse("which is in a private network"));
        }
        if sends_credentials && !self.is_trusted(scheme, origin, &url) {
            return Err(refuse(
                "but credentials go only to its own host and to token services that were named",
            ));
        }
        Ok(url)
    }

    fn is_trusted(&self, scheme: &str, origin: &Origin, realm: &Url) -> bool {
        let registry = &origin.registry;
        let is_own = realm.scheme() == scheme && network::is_at(realm, registry);
        let mut named = self.options.token_services.iter();
        is_own
            || named.any(|service| network::is_at(realm, service))
            || KNOWN_SERVICES.iter().any(|(known, service)| {
                registry.as_str() == *known
                    && realm.scheme() == "https"
                    && realm.port().is_none()
                    && realm.host_str() == Some(service)
            })
    }

    async fn token(
        &self,
        mut url: Url,
        service: Option<&str>,
        call: Call<'_>,
        credential: Option<&Credential>,
    ) -> Result<HeaderValue, Error> {
        let repository = &call.origin.repository;
        let scope = match call.access {
            Access::Pull => format!("repository:{repository}:pull"),
            Access::Push => format!("repository:{repository}:pull,push"),
            Access::List => "registry:catalog:*".to_owned(),
        };
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &scope);
        let mut request = self.http.get(url.clone());
        if let Some(Credential::Basic { username, password }) = credential {
            request = request.basic_auth(username, Some(password.as_str()));
        }
        url.set_query(None);
        let response = request.send().await.map_err(|error| Error::Request {
            method: Method::GET,
            url: url.into(),
            source: RequestError::new(error),
        })?;
        let status = response.status();
        if status.is_redirection() {
            let reason = "the token service leads elsewhere, where nothing is sent";
            return Err(refusal(call.origin, reason));
        }
        let body = read_limited(call, response, limits::MAX_TOKEN_BYTES).await?;
        if status != StatusCode::OK {
            return Err(refusal(call.origin, &error_text(&body)));
        }
        let token: RegistryToken = serde_json::from_slice(&body)
            .map_err(|_| refusal(call.origin, "the token service answered without a token"))?;
        bearer(call.origin, token.token())
    }
}

fn bearer(origin: &Origin, token: &str) -> Result<HeaderValue, Error> {
    sensitive(origin, &format!("Bearer {token}"))
}

fn sensitive(origin: &Origin, text: &str) -> Result<HeaderValue, Error> {
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
