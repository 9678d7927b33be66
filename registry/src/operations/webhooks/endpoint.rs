//! One receiver of events: what it wants, and how an event is posted to it.

use std::{fs, net::IpAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use cairn_oci::network::{PublicAddresses, is_public};
use globset::GlobSet;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header;
use reqwest::{Client, Url, redirect};
use sha2::Sha256;
use tokio::sync::Notify;
use ulid::Ulid;

use super::event::Event;
use crate::{
    Error, Result,
    config::{EventKind, WebhookConfig, globs},
};

/// The shortest secret that Standard Webhooks allows, in bytes.
const SECRET_BYTES_MIN: usize = 24;
/// What secrets in base64 begin with, as Standard Webhooks has it.
const SECRET_PREFIX: &str = "whsec_";

/// A receiver of events.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) name: String,
    pub(super) attempts: u32,
    pub(super) timeout_s: u64,
    /// Something may be waiting to be delivered.
    pub(super) arrived: Notify,
    url: Url,
    kinds: Vec<EventKind>,
    repositories: GlobSet,
    secret: Option<Secret>,
    allow_private_networks: bool,
    client: Client,
}

/// Never printed.
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why an event was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody answered, or the receiver is overloaded or broken: others would fail as well.
    Away(String),
    /// The receiver does not want this one.
    Rejected(String),
}

impl Endpoint {
    /// Reads the secret and prepares the client.
    pub(crate) fn open(config: &WebhookConfig) -> Result<Self> {
        let invalid =
            |value: &str, source: Box<dyn std::error::Error + Send + Sync>| Error::Config {
                setting: "webhooks",
                value: value.to_owned(),
                source,
            };
        let repositories = globs("webhooks", &config.repositories)?;
        // A second installation is refused, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(config.timeout_s))
            .user_agent(concat!("cairn-registry/", env!("CARGO_PKG_VERSION")));
        if !config.allow_private_networks {
            client = client.dns_resolver(PublicAddresses::default()).no_proxy();
        }
        let secret = config.secret_file.as_ref().map(|file| {
            let name = file.display().to_string();
            let text = fs::read_to_string(file).map_err(|source| invalid(&name, source.into()))?;
            secret(text.trim()).map_err(|reason| invalid(&name, reason.into()))
        });
        Ok(Self {
            name: config.name.clone(),
            attempts: config.attempts,
            timeout_s: config.timeout_s,
            arrived: Notify::new(),
            url: Url::parse(&config.url).map_err(|source| invalid(&config.url, source.into()))?,
            kinds: config.events.clone(),
            repositories,
            secret: secret.transpose()?,
            allow_private_networks: config.allow_private_networks,
            client: client
                .build()
                .map_err(|source| invalid(&config.url, source.into()))?,
        })
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        self.kinds.contains(&event.kind) && self.repositories.is_match(event.repository.as_str())
    }

    /// Posts an event.
    pub(super) async fn post(
        &self,
        id: Ulid,
        event: Bytes,
        now_unix_s: u64,
    ) -> Result<(), Refusal> {
        // A resolver is not asked about addresses.
        let host = self.url.host_str().unwrap_or_default();
        let address = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        if address.is_ok_and(|address| !is_public(address)) && !self.allow_private_networks {
            return Err(Refusal::Rejected(format!(
                "`{host}` is an address of a private network"
            )));
        }
        let id = id.to_string();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(
                header::CONTENT_TYPE,
                "application/cloudevents+json; charset=utf-8",
            )
            .header("webhook-id", &id)
            .header("webhook-timestamp", now_unix_s);
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", secret.sign(&id, now_unix_s, &event));
        }
        let response = request.body(event).send().await;
        // The address of a webhook may hold a token.
        let response = response.map_err(|error| Refusal::Away(error.without_url().to_string()))?;
        let status = response.status();
        let text = format!("it answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 429 | 500..=599 => Err(Refusal::Away(text)),
            _ => Err(Refusal::Rejected(text)),
        }
    }
}

impl Secret {
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
    fn sign(&self, id: &str, now_unix_s: u64, event: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("keys of HMAC have any length");
        mac.update(format!("{id}.{now_unix_s}.").as_bytes());
        mac.update(event);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

fn secret(text: &str) -> Result<Secret, &'static str> {
    let bytes = match text.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => BASE64
            .decode(encoded)
            .map_err(|_| "what follows `whsec_` is not base64")?,
        None => text.as_bytes().to_vec(),
    };
    if bytes.len() < SECRET_BYTES_MIN {
        return Err("the secret has less than 24 bytes");
    }
    Ok(Secret(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the reference implementations of Standard Webhooks are tested with.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        assert!(secret("short").is_err());
        assert!(secret("whsec_!").is_err());
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = secret.sign(id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
