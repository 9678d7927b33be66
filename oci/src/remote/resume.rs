//! The bytes of a blob as they come, and on from where they broke off.
//!
//! Whoever reads them checks size and digest of all of it, so what a registry sends for the rest is trusted no
//! more than what it sent first.

use std::io;

use bytes::Bytes;
use cairn_spec::Digest;
use futures_util::{Stream, stream::try_unfold};
use http::{StatusCode, header};
use reqwest::Response;

use super::{Repository, auth::Access, endpoint::Endpoint};
use crate::error::RequestError;

/// A blob is taken up when so much of it has come since the last time, in bytes (16 KiB): a network that lets
/// less pass is away, not slow.
const PROGRESS_BYTES: u64 = 16 << 10;

struct Download {
    repository: Repository,
    digest: Digest,
    response: Response,
    /// How much has come, and how much of it had when the answer began.
    came: u64,
    before: u64,
}

/// The content of an answer about a blob.
pub(super) fn resuming(
    repository: &Repository,
    digest: &Digest,
    response: Response,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let download = Download {
        repository: repository.clone(),
        digest: digest.clone(),
        response,
        came: 0,
        before: 0,
    };
    try_unfold(download, async |mut download| {
        let next = download.next().await?;
        Ok(next.map(|bytes| (bytes, download)))
    })
}

impl Download {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let error = match self.response.chunk().await {
                Ok(bytes) => {
                    self.came += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                    return Ok(bytes);
                }
                Err(error) => error,
            };
            let is_worth_it = self.came - self.before >= PROGRESS_BYTES;
            let rest = if is_worth_it {
                rest(&self.repository, &self.digest, self.came).await
            } else {
                None
            };
            let Some(rest) = rest else {
                return Err(io::Error::other(RequestError::new(error)));
            };
            tracing::debug!(digest = %self.digest, came = self.came, "a blob goes on where it broke off");
            self.response = rest;
            self.before = self.came;
        }
    }
}

/// The answer with the rest; none if the registry cannot give that alone.
async fn rest(repository: &Repository, digest: &Digest, came: u64) -> Option<Response> {
    let call = repository.call(Access::Pull, digest.as_str());
    let url = repository.url(Endpoint::Blob(digest)).ok()?;
    let range = format!("bytes={came}-");
    let request = |http: &reqwest::Client| http.get(url.clone()).header(header::RANGE, &range);
    let response = Box::pin(repository.client.send(call, request));
    let response = response.await.ok()?;
    let begins = response.headers().get(header::CONTENT_RANGE)?;
    let begins = begins.to_str().ok()?;
    let is_rest = response.status() == StatusCode::PARTIAL_CONTENT
        && begins.starts_with(&format!("bytes {came}-"));
    is_rest.then_some(response)
}
