//! What is known of a request besides what it asks for: its name, and where it comes from.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// <https://www.w3.org/TR/trace-context/#traceparent-header>
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What every request carries to its handler.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) request_id: Arc<str>,
    /// The trace that it belongs to, as logs name it.
    pub(crate) trace_id: Option<Arc<str>>,
    /// The client's address, as far as proxies that are trusted tell it.
    pub(crate) client: IpAddr,
}

/// The address of the client: the last one that no trusted proxy added or is.
///
/// Each proxy appends the address that it was called from, so what an untrusted client claims
/// itself stands further to the left and is never looked at.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_proxy(&peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut client = peer;
    for text in forwarded.into_iter().rev() {
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            break;
        };
        client = address.to_canonical();
        if !is_proxy(&client) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_tell_the_client() {
        let trusted = [
            "10.0.0.0/8".parse::<IpNet>().unwrap(),
            "fd00::/8".parse().unwrap(),
        ];
        let told = |peer: &str, forwarded: &str| {
            let value = HeaderValue::from_str(forwarded).unwrap();
            let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, value)]);
            client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
        };
        assert_eq!(told("192.0.2.1", "192.0.2.9"), "192.0.2.1");
        assert_eq!(told("10.0.0.1", "192.0.2.9"), "192.0.2.9");
        assert_eq!(told("::ffff:10.0.0.1", "192.0.2.9"), "192.0.2.9");
        assert_eq!(
            told("10.0.0.1", "198.51.100.1, 192.0.2.9, 10.1.1.1"),
            "192.0.2.9"
        );
        assert_eq!(told("fd00::1", "forged, 2001:db8::1"), "2001:db8::1");
        assert_eq!(told("10.0.0.1", "192.0.2.9, nonsense"), "10.0.0.1");
        assert_eq!(told("10.0.0.1", ""), "10.0.0.1");
    }
}
