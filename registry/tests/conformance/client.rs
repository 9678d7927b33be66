//! Requests to the server under test, and what their responses must be.

use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_spec::Digest;
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

/// A registry to speak to.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: String,
    http: reqwest::Client,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        static PROVIDER: OnceLock<()> = OnceLock::new();
        PROVIDER.get_or_init(|| {
            // Even a client of plain HTTP wants one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        Self {
            address: address.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    /// A request to a path, or to a location that the registry gave.
    pub(crate) fn request(&self, method: &str, location: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = if location.starts_with('/') {
            format!("http://{}{location}", self.address)
        } else {
            location.to_owned()
        };
        self.http.request(method, url)
    }

    pub(crate) async fn send(&self, method: &str, location: &str) -> Result<Answer> {
        send(self.request(method, location)).await
    }

    /// Sends bytes to a location; `range` is a `Content-Range`.
    pub(crate) async fn send_bytes(
        &self,
        method: &str,
        location: &str,
        bytes: &[u8],
        range: Option<String>,
    ) -> Result<Answer> {
        let mut request = self
            .request(method, location)
            .header("content-type", "application/octet-stream")
            .header("content-length", bytes.len());
        if let Some(range) = range {
            request = request.header("content-range", range);
        }
        send(request.body(bytes.to_vec())).await
    }

    /// What was pushed can be read where the registry says that it is.
    pub(crate) async fn verify_blob_at(&self, location: &str, content: &[u8]) -> Result<()> {
        let answer = self.send("GET", location).await?;
        answer.expect_status(&[200])?;
        answer.expect_body(content)
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await?,
    })
}

impl Answer {
    pub(crate) fn expect_status(&self, expected: &[u16]) -> Result<()> {
        ensure!(
            expected.contains(&self.status.as_u16()),
            "status {} instead of {expected:?}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(())
    }

    pub(crate) fn expect_body(&self, expected: &[u8]) -> Result<()> {
        ensure!(
            self.body == expected,
            "another body than the {} bytes expected",
            expected.len()
        );
        Ok(())
    }

    pub(crate) fn expect_header(&self, name: &str, expected: &str) -> Result<()> {
        let found = self.header(name)?;
        ensure!(
            found == expected,
            "header `{name}` is `{found}` instead of `{expected}`"
        );
        Ok(())
    }

    /// Both headers that describe content: they must be there, also when there is no body.
    pub(crate) fn expect_content(&self, digest: &Digest, length: usize) -> Result<()> {
        self.expect_header("docker-content-digest", digest.as_str())?;
        self.expect_header("content-length", &length.to_string())
    }

    pub(crate) fn header(&self, name: &str) -> Result<&str> {
        let value = self.headers.get(name);
        Ok(value
            .with_context(|| format!("no header `{name}`"))?
            .to_str()?)
    }

    pub(crate) fn location(&self) -> Result<String> {
        Ok(self.header("location")?.to_owned())
    }

    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the body is not JSON")
    }
}

/// Adds a query parameter to a location that may have some.
pub(crate) fn with_parameter(location: &str, name: &str, value: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}{name}={value}")
}
