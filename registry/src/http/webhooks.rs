//! Posts events to webhooks.

use std::{net::IpAddr, time::Duration};

use cairn_oci::network::{PublicAddresses, is_public};
use futures_util::{FutureExt as _, future::BoxFuture};
use http::header;
use reqwest::{Client, Url, redirect};

use super::context::TRACEPARENT;
use crate::{
    Error, Result,
    config::WebhookConfig,
    operations::webhooks::{Message, Post, Refusal},
};

/// A client of one receiver.
#[derive(Debug)]
struct Receiver {
    client: Client,
    url: Url,
    allow_private_networks: bool,
}

/// How to reach a receiver. Redirects are not followed.
pub(crate) fn webhook_post(config: &WebhookConfig) -> Result<Box<dyn Post>> {
    let invalid = |source: Box<dyn std::error::Error + Send + Sync>| Error::Config {
        setting: "webhooks",
        value: config.url.clone(),
        source,
    };
    // A second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(config.timeout_s))
        .user_agent(concat!("cairn-registry/", env!("CARGO_PKG_VERSION")));
    if !config.allow_private_networks {
        client = client.dns_resolver(PublicAddresses::default()).no_proxy();
    }
    Ok(Box::new(Receiver {
        client: client.build().map_err(|source| invalid(source.into()))?,
        url: Url::parse(&config.url).map_err(|source| invalid(source.into()))?,
        allow_private_networks: config.allow_private_networks,
    }))
}

impl Post for Receiver {
    fn post(&self, message: Message) -> BoxFuture<'_, Result<(), Refusal>> {
        self.send(message).boxed()
    }
}

impl Receiver {
    async fn send(&self, message: Message) -> Result<(), Refusal> {
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
        let mut request = self
            .client
            .post(self.url.clone())
            .header(
                header::CONTENT_TYPE,
                "application/cloudevents+json; charset=utf-8",
            )
            .header("webhook-id", message.id.to_string())
            .header("webhook-timestamp", message.sent_unix_s);
        if let Some(signature) = message.signature {
            request = request.header("webhook-signature", signature);
        }
        if let Some(traceparent) = message.traceparent {
            request = request.header(TRACEPARENT, traceparent);
        }
        let response = request.body(message.event).send().await;
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
