//! Posts events to webhooks.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::header;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

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
        client = client.dns_resolver(PublicAddresses).no_proxy();
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

/// Resolves names to addresses that everybody can reach, and to no others.
struct PublicAddresses;

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|found| is_public(found.ip())).collect();
            if public.is_empty() {
                let message = format!(
                    "`{}` has no address outside of private networks",
                    name.as_str()
                );
                return Err(io::Error::other(message).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Everybody can reach the address: it is neither of this machine nor of a private network.
///
/// <https://www.iana.org/assignments/iana-ipv4-special-registry/>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry/>
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_multicast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second))
                || (first == 192 && second == 0 && third == 0)
                || (first == 198 && (18..20).contains(&second)))
        }
        // Only what is globally unicast; of that, neither documentation nor addresses that embed
        // IPv4 ones.
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            (0x2000..0x4000).contains(&first)
                && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
                && first != 0x2002
                && first != 0x3fff
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_told_from_public_ones() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!public(text), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(public(text), "{text}");
        }
    }
}
