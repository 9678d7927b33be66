//! URLs that carry a signature, so that clients read payloads from the store itself.

use std::time::Duration;

use aws_sdk_s3::{Client, presigning::PresigningConfig};

use super::{
    attempts::Failure,
    bucket::{Bucket, failed},
    client,
};
use crate::{Error, Result, config::S3Config};

/// Signs URLs. Nothing is asked of the store for that.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    /// Knows the store by the name that clients know it by.
    client: Client,
    lifetime: PresigningConfig,
}

impl Signer {
    /// A signer, if clients are redirected.
    pub(super) async fn open(config: &S3Config) -> Result<Option<Self>> {
        let Some(redirects) = &config.redirects else {
            return Ok(None);
        };
        let lifetime = PresigningConfig::expires_in(Duration::from_secs(redirects.expires_s));
        let lifetime = lifetime.map_err(|source| Error::Config {
            setting: "storage.s3.redirects.expiresS",
            value: redirects.expires_s.to_string(),
            source: source.into(),
        })?;
        let endpoint = redirects.endpoint.as_ref().or(config.endpoint.as_ref());
        let client = client::at(config, endpoint.map(String::as_str)).await?;
        Ok(Some(Self { client, lifetime }))
    }

    /// A URL of an object.
    pub(super) async fn sign(&self, bucket: &Bucket, key: &str) -> Result<String> {
        let request = self.client.get_object();
        let request = request.bucket(&bucket.name).key(bucket.full(key));
        let signed = request.presigned(self.lifetime.clone()).await;
        let signed = signed.map_err(|error| failed("sign a URL of", key, Failure::of(error)))?;
        Ok(signed.uri().to_owned())
    }
}
