//! Which clients download large blobs from the store itself.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    StorageConfig,
    config::{RedirectConfig, networks},
};

/// The networks of those clients; none without the setting.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    clients: Vec<IpNet>,
    except: Vec<IpNet>,
}

impl Redirects {
    pub(super) fn new(storage: &StorageConfig) -> Self {
        match storage {
            StorageConfig::S3(config) => {
                config.redirects.as_ref().map(Self::of).unwrap_or_default()
            }
            StorageConfig::Directory(_) | StorageConfig::Memory => Self::default(),
        }
    }

    fn of(config: &RedirectConfig) -> Self {
        Self {
            clients: networks(&config.clients),
            except: networks(&config.except),
        }
    }

    pub(super) fn includes(&self, client: IpAddr) -> bool {
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        is_in(&self.clients) && !is_in(&self.except)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_served() {
        let redirects = Redirects::of(&RedirectConfig {
            clients: vec!["10.0.0.0/8".to_owned(), "::/0".to_owned()],
            except: vec!["10.1.0.0/16".to_owned(), "fd00::1".to_owned()],
            endpoint: None,
            expires_s: 60,
        });
        let includes = |client: &str| redirects.includes(client.parse().unwrap());
        assert!(includes("10.2.0.1") && includes("2001:db8::1"));
        assert!(!includes("10.1.0.1") && !includes("fd00::1") && !includes("192.0.2.1"));
        assert!(!Redirects::default().includes("10.2.0.1".parse().unwrap()));
    }
}
