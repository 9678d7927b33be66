//! The client of another registry that the configuration names.

use std::{fs, path::Path, time::Duration};

use cairn_oci::{Client, Credential, Credentials, Options};
use cairn_spec::RegistryHost;

use crate::{Error, Result, config::RemoteConfig};

/// The scheme and the host of a registry's URL; fails with the reason.
pub(crate) fn address(url: &str) -> Result<(bool, RegistryHost), &'static str> {
    let (is_plain, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err("begins neither with `https://` nor with `http://`"),
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let host = host
        .parse()
        .map_err(|_| "is not a scheme and HOST[:PORT]")?;
    Ok((is_plain, host))
}

/// Reads the password and prepares the client. Each request is made `max_attempts` times.
pub(crate) fn client(
    setting: &'static str,
    config: &RemoteConfig,
    max_attempts: u32,
) -> Result<(Client, RegistryHost)> {
    let invalid = |value: &str, source: String| Error::Config {
        setting,
        value: value.to_owned(),
        source: source.into(),
    };
    let read = |file: &Path| {
        fs::read_to_string(file)
            .map_err(|error| invalid(&file.display().to_string(), error.to_string()))
    };
    let (is_plain, host) =
        address(&config.url).map_err(|reason| invalid(&config.url, reason.to_owned()))?;
    let mut credentials = Credentials::none();
    if let (Some(username), Some(file)) = (&config.username, &config.password_file) {
        let password = zeroize::Zeroizing::new(read(file)?);
        credentials = credentials.with(&host, Credential::basic(username, password.trim()));
    }
    let services = config.token_services.iter().map(|service| {
        let parsed = service.parse::<RegistryHost>();
        parsed.map_err(|error| invalid(service, error.to_string()))
    });
    let token_services: Vec<RegistryHost> = services.collect::<Result<_>>()?;
    let private_hosts = (!config.allow_private_networks).then(|| {
        let own = std::iter::once(host.clone());
        own.chain(token_services.iter().cloned()).collect()
    });
    let ca = config.ca_file.as_deref().map(read).transpose()?;
    let client = Client::new(Options {
        plain_http: Some(is_plain),
        extra_ca_pem: ca.into_iter().map(String::into_bytes).collect(),
        credentials,
        token_services,
        private_hosts,
        read_timeout: Duration::from_secs(config.timeout_s),
        max_attempts,
        ..Options::default()
    });
    let client = client.map_err(|error| invalid(&config.url, error.to_string()))?;
    Ok((client, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_scheme_and_a_host() {
        assert_eq!(
            address("https://ghcr.io").unwrap(),
            (false, "ghcr.io".parse().unwrap())
        );
        assert_eq!(
            address("http://127.0.0.1:5000/").unwrap(),
            (true, "127.0.0.1:5000".parse().unwrap())
        );
        for url in [
            "ghcr.io",
            "https://",
            "https://a/b",
            "https://u:p@a",
            "ftp://a",
        ] {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
