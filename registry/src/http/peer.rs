//! Where a request comes from, and where it was sent to.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, Uri, header};
use ipnet::IpNet;

use crate::{Config, auth::CertificateNames, config::networks};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The longest host that is repeated to clients, in bytes: a DNS name and a port.
const MAX_HOST_BYTES: usize = 261;

/// The other end of a connection. Every request carries it as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The connection is TLS.
    pub(crate) is_secure: bool,
    /// What a verified client certificate says.
    pub(crate) certificate: Option<Arc<CertificateNames>>,
}

/// Knows which proxies to believe, and where clients reach the registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    public_url: Option<String>,
    trusted_proxies: Vec<IpNet>,
}

impl Origin {
    pub(crate) fn new(config: &Config) -> Self {
        let public_url = config.public_url.as_deref();
        Self {
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            trusted_proxies: networks(&config.trusted_proxies),
        }
    }

    /// `scheme://host[:port]` under which the client reached the registry.
    pub(crate) fn url(&self, peer: &Peer, uri: &Uri, headers: &HeaderMap) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let is_proxied = self.is_trusted(peer.address.ip().to_canonical());
        let forwarded = |name| {
            let value = headers.get(name).filter(|_| is_proxied)?.to_str().ok()?;
            value.split(',').next().map(str::trim)
        };
        let own = if peer.is_secure { "https" } else { "http" };
        let scheme = forwarded(FORWARDED_PROTO).filter(|scheme| ["http", "https"].contains(scheme));
        // HTTP/2 names the host in the target.
        let named = uri.authority().map(http::uri::Authority::as_str);
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = forwarded(FORWARDED_HOST)
            .or(named)
            .or(host)
            .filter(|host| is_host(host));
        let host = host.map_or_else(|| peer.address.ip().to_string(), str::to_owned);
        format!("{}://{host}", scheme.unwrap_or(own))
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// Nothing but a host and a port, so that a header made of it holds nothing else.
fn is_host(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (1..=MAX_HOST_BYTES).contains(&text.len()) && text.bytes().all(is_part)
}

/// A scheme and a host, as `publicUrl` may be.
pub(crate) fn is_origin(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    host.is_some_and(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer {
            address: address.parse().unwrap(),
            is_secure: false,
            certificate: None,
        }
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn behind_proxies() -> Origin {
        Origin {
            public_url: None,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        }
    }

    #[test]
    fn only_own_proxies_are_believed() {
        let origin = behind_proxies();
        let url = |address: &str| {
            let forwarded = [
                ("host", "inside:5000"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "registry.example.com"),
            ];
            origin.url(
                &peer(address),
                &"/v2/".parse().unwrap(),
                &headers(&forwarded),
            )
        };
        assert_eq!(url("10.0.0.1:1"), "https://registry.example.com");
        assert_eq!(url("203.0.113.5:1"), "http://inside:5000");
    }

    #[test]
    fn hosts_hold_nothing_but_hosts() {
        let origin = behind_proxies();
        for host in ["a\"b", "a b", "a/b", "user@a", ""] {
            let url = origin.url(
                &peer("192.0.2.1:1"),
                &"/".parse().unwrap(),
                &headers(&[("host", host)]),
            );
            assert_eq!(url, "http://192.0.2.1");
        }
        assert!(is_origin("https://registry.example.com:5000/"));
        assert!(!is_origin("https://registry.example.com/path"));
        assert!(!is_origin("registry.example.com"));
    }
}
