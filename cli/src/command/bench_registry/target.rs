//! Which server is measured: where it listens, and perhaps how it is started.

use std::{fmt, str::FromStr, sync::Arc};

use rustls::ClientConfig;

/// A registry's address.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// `HOST:PORT`, also the value of `Host`.
    pub(crate) authority: String,
    pub(crate) is_secure: bool,
    /// How to verify a server that speaks TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let is_secure = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err("expected a URL such as http://127.0.0.1:5000".to_owned()),
        };
        let authority = rest.trim_end_matches('/');
        let port = authority.rsplit_once(':').map(|(_, port)| port);
        match port.map(str::parse::<u16>) {
            _ if authority.contains('/') => Err("expected no path after the port".to_owned()),
            Some(Ok(_)) => Ok(Self {
                authority: authority.to_owned(),
                is_secure,
                tls: None,
            }),
            _ => Err("expected a port, as in http://127.0.0.1:5000".to_owned()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// `NAME=VALUE` of an option that belongs to one of the registries.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) value: T,
}

impl<T> FromStr for Named<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        let value = value.parse().map_err(|error: T::Err| error.to_string())?;
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_port_and_no_path() {
        let target: Target = "http://127.0.0.1:5000/".parse().unwrap();
        assert_eq!(target.to_string(), "http://127.0.0.1:5000");
        let secure: Target = "https://a:1".parse().unwrap();
        assert_eq!(secure.to_string(), "https://a:1");
        for wrong in ["127.0.0.1:5000", "ftp://a:1", "http://a", "http://a:1/v2"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
        let named: Named<Target> = "zot=http://[::1]:80".parse().unwrap();
        assert_eq!(
            (named.name.as_str(), named.value.authority.as_str()),
            ("zot", "[::1]:80")
        );
    }
}
