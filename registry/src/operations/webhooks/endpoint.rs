//! One receiver of events: what it wants, and what it is told. How that gets there is none of this
//! module's business.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use globset::GlobSet;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::Notify;
use ulid::Ulid;

use super::event::Event;
use crate::{
    Result,
    auth::Invalid,
    config::{EventKind, WebhookConfig, globs},
    operations::metrics::WatchedFile,
    watched::{Watch, Watched},
};

/// The shortest secret that Standard Webhooks allows, in bytes.
const SECRET_BYTES_MIN: usize = 24;
/// What secrets in base64 begin with, as Standard Webhooks has it.
const SECRET_PREFIX: &str = "whsec_";

/// Takes messages to where a receiver is.
pub(crate) trait Post: std::fmt::Debug + Send + Sync + 'static {
    /// Succeeds once the receiver says that it has the message.
    fn post(&self, message: Message) -> BoxFuture<'_, Result<(), Refusal>>;
}

/// An event on its way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: Ulid,
    pub(crate) sent_unix_s: u64,
    /// As Standard Webhooks writes it; without a secret there is none.
    pub(crate) signature: Option<String>,
    /// Where in a trace it is sent.
    pub(crate) traceparent: Option<String>,
    /// A structured `CloudEvent` in JSON.
    pub(crate) event: Bytes,
}

/// Why an event was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Nobody answered, or the receiver is overloaded or broken: others would fail as well.
    Away(String),
    /// The receiver does not want this one.
    Rejected(String),
}

/// A receiver of events.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) name: String,
    pub(super) attempts: u32,
    pub(super) timeout_s: u64,
    /// Something may be waiting to be delivered.
    pub(super) arrived: Notify,
    kinds: Vec<EventKind>,
    repositories: GlobSet,
    secret: Option<Arc<Watched<Secret>>>,
    post: Box<dyn Post>,
}

/// Never printed.
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Endpoint {
    /// Reads the secret, now and whenever it changes.
    pub(crate) fn open(config: &WebhookConfig, watch: &Watch, post: Box<dyn Post>) -> Result<Self> {
        let secret = config.secret_file.clone().map(|path| {
            watch.open(WatchedFile::WebhookSecret, move |files| {
                secret(files.read(&path)?.trim())
                    .map_err(|reason| Invalid::new(path.display().to_string(), reason))
            })
        });
        Ok(Self {
            name: config.name.clone(),
            attempts: config.attempts,
            timeout_s: config.timeout_s,
            arrived: Notify::new(),
            kinds: config.events.clone(),
            repositories: globs("webhooks", &config.repositories)?,
            secret: secret.transpose()?,
            post,
        })
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        self.kinds.contains(&event.kind) && self.repositories.is_match(event.repository.as_str())
    }

    /// Signs an event and posts it.
    pub(super) async fn post(
        &self,
        id: Ulid,
        event: Bytes,
        traceparent: Option<String>,
        now_unix_s: u64,
    ) -> Result<(), Refusal> {
        let signature = match &self.secret {
            Some(secret) => {
                let secret = secret.current().await;
                Some(secret.sign(&id.to_string(), now_unix_s, &event))
            }
            None => None,
        };
        let message = Message {
            id,
            sent_unix_s: now_unix_s,
            signature,
            traceparent,
            event,
        };
        self.post.post(message).await
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
