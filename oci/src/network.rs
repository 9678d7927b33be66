//! Which addresses everybody can reach, and which hosts a client may be led to.
//!
//! A registry names other hosts: in redirects, in locations of uploads, as its token service. None
//! of them may be one that only the client can reach, unless the client was told so.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use cairn_spec::RegistryHost;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Everybody can reach the address: it is neither of this machine nor of a private network.
///
/// <https://www.iana.org/assignments/iana-ipv4-special-registry/>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry/>
pub fn is_public(address: IpAddr) -> bool {
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

/// Resolves names to addresses that everybody can reach, and to no others; except for hosts that
/// may have any.
#[derive(Debug, Clone, Default)]
pub struct PublicAddresses {
    exempt: Arc<[String]>,
}

impl PublicAddresses {
    /// Names of `hosts` may have any address.
    pub(crate) fn or_of(hosts: &[RegistryHost]) -> Self {
        let names = hosts.iter().map(|host| name_of(host.as_str()).to_owned());
        Self {
            exempt: names.collect(),
        }
    }
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let is_exempt = self.exempt.iter().any(|host| host == name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found
                .filter(|found| is_exempt || is_public(found.ip()))
                .collect();
            if usable.is_empty() {
                let message = format!(
                    "`{}` has no address outside of private networks",
                    name.as_str()
                );
                return Err(io::Error::other(message).into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// A URL may be asked by a client whose `private_hosts` may have addresses of private networks.
///
/// Names are the resolver's concern; what it lets through whatever its address, it lets through on
/// every port, so other ports of such a host are refused here.
pub(crate) fn may_ask(url: &Url, private_hosts: &[RegistryHost]) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    if private_hosts.iter().any(|exempt| is_at(url, exempt)) {
        return true;
    }
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => is_public(address),
        Err(_) => !private_hosts
            .iter()
            .any(|exempt| name_of(exempt.as_str()) == host),
    }
}

/// A URL leads to a host, on the same port.
pub(crate) fn is_at(url: &Url, host: &RegistryHost) -> bool {
    Url::parse(&format!("{}://{host}/", url.scheme())).is_ok_and(|at| at.origin() == url.origin())
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
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

    #[test]
    fn a_client_is_not_led_into_private_networks() {
        let hosts = ["127.0.0.1:5000", "registry.internal", "[::1]:5000"];
        let hosts = hosts.map(|host| host.parse().unwrap());
        let asks = |url: &str| may_ask(&url.parse().unwrap(), &hosts);
        for url in [
            "http://127.0.0.1:5000/v2/",
            "https://registry.internal/v2/",
            "https://registry.internal:443/v2/",
            "http://[::1]:5000/",
            "https://cdn.example.com/blob",
            "https://1.1.1.1/",
        ] {
            assert!(asks(url), "{url}");
        }
        for url in [
            "http://127.0.0.1:5001/",
            "http://127.1:6379/",
            "http://2130706433/",
            "https://registry.internal:9000/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]:6379/",
            "http://[::ffff:10.0.0.1]/",
            "data:text/plain,x",
        ] {
            assert!(!asks(url), "{url}");
        }
    }
}
