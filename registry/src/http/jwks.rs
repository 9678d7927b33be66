//! Fetches the keys of OIDC issuers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use reqwest::{Certificate, Client, Url, redirect};

use crate::{
    auth::{Fetch, Invalid},
    config::{JwksConfig, OidcConfig},
};

/// The largest key set, in bytes.
const MAX_KEY_SET_BYTES: usize = 256 * 1024;
/// The longest time that a request for one may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How to fetch an issuer's keys. Credentials are never sent, and redirects are not followed.
pub(crate) fn jwks_fetch(config: &OidcConfig) -> Result<Fetch, Invalid> {
    let place = format!("auth.oidc.{}.jwks.url", config.name);
    let invalid = |reason: String| Invalid::new(&place, reason);
    let JwksConfig::Url { url, ca_file } = &config.jwks else {
        return Err(invalid("it is missing".to_owned()));
    };
    let url = Url::parse(url).map_err(|error| invalid(error.to_string()))?;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_loopback = address.map_or(host == "localhost", |address| address.is_loopback());
    if url.scheme() != "https" && !is_loopback {
        return Err(invalid(
            "expected HTTPS, for whoever changes the keys on their way is everybody".to_owned(),
        ));
    }
    // A second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none());
    if let Some(path) = ca_file {
        let name = path.display().to_string();
        let pem = std::fs::read(path).map_err(|error| Invalid::new(&name, error.to_string()))?;
        let authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|error| Invalid::new(&name, error.to_string()))?;
        builder = builder.tls_certs_only(authorities);
    }
    let client = builder
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    let (client, url) = (Arc::new(client), Arc::new(url));
    Ok(Box::new(move || {
        fetch(Arc::clone(&client), Arc::clone(&url)).boxed()
    }))
}

async fn fetch(client: Arc<Client>, url: Arc<Url>) -> Result<Bytes, String> {
    let failed = |error: reqwest::Error| format!("`{url}`: {error}");
    let response = client.get(Url::clone(&url)).send().await.map_err(failed)?;
    let mut response = response.error_for_status().map_err(failed)?;
    let mut text = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if text.len() + chunk.len() > MAX_KEY_SET_BYTES {
            return Err(format!(
                "`{url}`: it is larger than {MAX_KEY_SET_BYTES} bytes"
            ));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text.freeze())
}
