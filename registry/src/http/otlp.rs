//! Posts traces to a collector.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Certificate, Client, Url, redirect};

use crate::{
    auth::Invalid,
    config::TracesConfig,
    traces::{Deliver, Undelivered},
};

/// A client of one collector.
#[derive(Debug)]
struct Collector {
    client: Client,
    url: Url,
}

/// How to reach the collector at an address. Redirects are not followed.
pub(crate) fn otlp_deliver(
    endpoint: &str,
    config: &TracesConfig,
) -> Result<Box<dyn Deliver>, Invalid> {
    let invalid = |reason: String| Invalid::new("traces.endpoint", reason);
    // A second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let setting = || format!("traces.headers.{name}");
        let header = name.parse::<HeaderName>();
        let header = header.map_err(|error| Invalid::new(setting(), error.to_string()))?;
        // Its value is a secret.
        let value = HeaderValue::from_str(value.expose());
        let mut value = value.map_err(|_| Invalid::new(setting(), "it is no header's value"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    let mut builder = Client::builder()
        .timeout(Duration::from_millis(config.timeout_ms))
        .redirect(redirect::Policy::none())
        .user_agent(concat!("cairn-registry/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers);
    if let Some(path) = &config.ca_file {
        let name = path.display().to_string();
        let pem = std::fs::read(path).map_err(|error| Invalid::new(&name, error.to_string()))?;
        let authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|error| Invalid::new(&name, error.to_string()))?;
        builder = builder.tls_certs_only(authorities);
    }
    Ok(Box::new(Collector {
        client: builder
            .build()
            .map_err(|error| invalid(error.to_string()))?,
        url: Url::parse(endpoint).map_err(|error| invalid(error.to_string()))?,
    }))
}

impl Deliver for Collector {
    fn deliver(&self, request: Bytes) -> BoxFuture<'_, Result<(), Undelivered>> {
        self.post(request).boxed()
    }
}

impl Collector {
    async fn post(&self, request: Bytes) -> Result<(), Undelivered> {
        let posted = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .body(request);
        let response = posted.send().await;
        // The address may hold a token.
        let response =
            response.map_err(|error| Undelivered::ForNow(error.without_url().to_string(), None))?;
        let status = response.status();
        let reason = format!("it answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            429 | 502..=504 => {
                let pause = response.headers().get(header::RETRY_AFTER);
                let pause = pause.and_then(|pause| pause.to_str().ok()?.parse().ok());
                Err(Undelivered::ForNow(reason, pause.map(Duration::from_secs)))
            }
            _ => Err(Undelivered::ForGood(reason)),
        }
    }
}
