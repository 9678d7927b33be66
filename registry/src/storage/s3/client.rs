//! The client of the AWS SDK: where the store is, and who we are to it.
//!
//! The SDK's own retries are off: only we know whether a write that is tried again is certain.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider,
};
use aws_sdk_s3::{
    Client,
    config::{
        RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use super::credentials;
use crate::{Error, Result, config::S3Config};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Stores that are not AWS rarely mind the region, but a signature needs one.
const DEFAULT_REGION: &str = "us-east-1";

pub(super) async fn build(config: &S3Config) -> Result<Client> {
    at(config, config.endpoint.as_deref()).await
}

/// A client of the store under another URL.
pub(super) async fn at(config: &S3Config, endpoint: Option<&str>) -> Result<Client> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(config.request_timeout_s))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(config)?)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(keys) = &config.credentials {
        loader = loader.credentials_provider(credentials::provider(keys)?);
    }
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    } else if config.endpoint.is_some() {
        // Not the whole chain: it would end in asking for AWS's metadata service.
        let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::new(DEFAULT_REGION));
        loader = loader.region(chain);
    }
    let shared = loader.load().await;
    let mut builder = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(config.path_style)
        // Checksums beyond what an operation asks for are refused by many stores.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    Ok(Client::from_conf(builder.build()))
}

fn http_client(config: &S3Config) -> Result<SharedHttpClient> {
    let is_plain = config
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    // Whoever gives us credentials speaks TLS, whatever the store does.
    if is_plain && config.credentials.is_some() {
        return Ok(Builder::new().build_http());
    }
    let mut trusted = TrustStore::empty().with_native_roots(true);
    if let Some(path) = &config.ca_file {
        let unreadable = |source: std::io::Error| Error::Config {
            setting: "storage.s3.caFile",
            value: path.display().to_string(),
            source: source.into(),
        };
        trusted.add_pem_certificate(std::fs::read(path).map_err(unreadable)?);
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|source| Error::storage("set up TLS for the store".to_owned(), source))?;
    Ok(Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}
