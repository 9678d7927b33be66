//! Blobs: existence, download, mount and upload.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs>

use bytes::Bytes;
use cairn_spec::{Descriptor, Digest};
use futures_util::TryStreamExt as _;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Body, Response, Url};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{
    Repository, Upload,
    auth::Access,
    endpoint::Endpoint,
    resume::resuming,
    transport::{Call, check},
};
use crate::{
    Error, limits,
    store::{Origin, VerifyReader},
};

/// The smallest chunk, in bytes, that a registry takes.
const MIN_CHUNK: &str = "OCI-Chunk-Min-Length";

impl Repository {
    pub(super) async fn blob_exists(&self, digest: &Digest) -> Result<bool, Error> {
        match self.head_blob(digest).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn fetch_blob(&self, descriptor: &Descriptor) -> Result<VerifyReader, Error> {
        let call = self.call(Access::Pull, descriptor.digest.as_str());
        let url = self.url(Endpoint::Blob(&descriptor.digest))?;
        let response = self.client.send(call, |http| http.get(url.clone())).await?;
        let response = check(call, Method::GET, response).await?;
        let content = resuming(self, &descriptor.digest, response);
        Ok(VerifyReader::new(descriptor, StreamReader::new(content)))
    }

    async fn head_blob(&self, digest: &Digest) -> Result<Response, Error> {
        let call = self.call(Access::Pull, digest.as_str());
        let url = self.url(Endpoint::Blob(digest))?;
        let response = self
            .client
            .send(call, |http| http.head(url.clone()))
            .await?;
        check(call, Method::HEAD, response).await
    }

    /// The size of a blob, as the registry tells it.
    pub async fn blob_size(&self, digest: &Digest) -> Result<u64, Error> {
        let response = self.head_blob(digest).await?;
        length(response.headers()).ok_or_else(|| {
            let call = self.call(Access::Pull, digest.as_str());
            call.bad_answer("it does not tell the blob's size")
        })
    }

    /// Opens a blob of which only the digest is known: its size, as the registry tells it, and a
    /// reader that fails at its end unless size and digest are right.
    pub async fn open_blob(&self, digest: &Digest) -> Result<(u64, VerifyReader), Error> {
        let call = self.call(Access::Pull, digest.as_str());
        let url = self.url(Endpoint::Blob(digest))?;
        let response = self.client.send(call, |http| http.get(url.clone())).await?;
        let response = check(call, Method::GET, response).await?;
        let size = match length(response.headers()) {
            Some(size) => size,
            None => self.blob_size(digest).await?,
        };
        let descriptor = Descriptor::new("application/octet-stream", digest.clone(), size);
        Ok((size, reader(&descriptor, response)))
    }

    /// Takes a blob over from another repository of this registry.
    pub(super) async fn mount_blob(&self, digest: &Digest, from: &Origin) -> Result<bool, Error> {
        let call = self.call(Access::Push, digest.as_str());
        let url = self.url(Endpoint::Mount(digest, from))?;
        let response = self
            .client
            .send(call, |http| http.post(url.clone()))
            .await?;
        match response.status() {
            StatusCode::CREATED => Ok(true),
            // The registry opened an upload instead; a push opens its own.
            StatusCode::ACCEPTED => {
                let (location, _) = location(call, &response)?;
                let cancelled = self.client.send(call, |http| http.delete(location.clone()));
                if let Err(error) = cancelled.await {
                    tracing::debug!(%error, "an unused upload was not cancelled");
                }
                Ok(false)
            }
            // Some registries forbid what they do not support.
            _ => Ok(false),
        }
    }

    /// Uploads a blob that is not there.
    pub(super) async fn upload(
        &self,
        descriptor: &Descriptor,
        mut content: VerifyReader,
    ) -> Result<(), Error> {
        let digest = &descriptor.digest;
        let call = self.call(Access::Push, digest.as_str());
        match self.client.inner.options.upload {
            Upload::Chunked { chunk_bytes } => {
                self.upload_chunks(call, descriptor, &mut content, chunk_bytes)
                    .await
            }
            // What fits into memory is read first, so that it is sent again if need be, and not
            // at all when it is not what it should be.
            Upload::Monolithic if descriptor.size <= limits::UPLOAD_CHUNK_BYTES as u64 => {
                let bytes = Bytes::from(content.read_all(descriptor.size).await?);
                let (mut location, _) = self.start_upload(call, digest).await?;
                add_digest(&mut location, digest);
                let request = |_: &reqwest::Client| {
                    self.client
                        .upload_request(Method::PUT, location.clone(), descriptor.size)
                        .body(bytes.clone())
                };
                let response = self.client.send(call, request).await?;
                finish(call, response).await
            }
            Upload::Monolithic => {
                let (mut location, _) = self.start_upload(call, digest).await?;
                add_digest(&mut location, digest);
                let stream = ReaderStream::with_capacity(content, 256 * 1024);
                let request = self
                    .client
                    .upload_request(Method::PUT, location, descriptor.size)
                    .body(Body::wrap_stream(stream));
                let response = self.client.send_streaming(call, request).await?;
                finish(call, response).await
            }
        }
    }

    /// Opens an upload: its location, and the smallest chunk that the registry takes.
    async fn start_upload(&self, call: Call<'_>, digest: &Digest) -> Result<(Url, usize), Error> {
        let url = self.url(Endpoint::Upload(digest.algorithm()))?;
        let request =
            |http: &reqwest::Client| http.post(url.clone()).header(header::CONTENT_LENGTH, 0);
        let response = self.client.send(call, request).await?;
        let response = check(call, Method::POST, response).await?;
        location(call, &response)
    }

    async fn upload_chunks(
        &self,
        call: Call<'_>,
        descriptor: &Descriptor,
        content: &mut VerifyReader,
        chunk_bytes: usize,
    ) -> Result<(), Error> {
        let (mut location, min_bytes) = self.start_upload(call, &descriptor.digest).await?;
        let chunk_bytes = chunk_bytes.max(min_bytes).max(1);
        let mut offset: u64 = 0;
        loop {
            let chunk = read_chunk(content, chunk_bytes)
                .await
                .map_err(Error::content(&descriptor.digest))?;
            if chunk.is_empty() {
                break;
            }
            let end = offset + chunk.len() as u64;
            location = self.upload_chunk(call, location, offset, chunk).await?;
            offset = end;
        }
        add_digest(&mut location, &descriptor.digest);
        // The registry may read all of it once more before it answers.
        let timeout = self.client.upload_timeout(descriptor.size);
        let request = |_: &reqwest::Client| {
            self.client
                .upload_request(Method::PUT, location.clone(), 0)
                .timeout(timeout)
        };
        let response = self.client.send(call, request).await?;
        finish(call, response).await
    }

    /// Sends one chunk and returns where the next one goes.
    async fn upload_chunk(
        &self,
        call: Call<'_>,
        at: Url,
        offset: u64,
        chunk: Bytes,
    ) -> Result<Url, Error> {
        let last = offset + chunk.len() as u64 - 1;
        let request = |_: &reqwest::Client| {
            self.client
                .upload_request(Method::PATCH, at.clone(), chunk.len() as u64)
                .header(header::CONTENT_RANGE, format!("{offset}-{last}"))
                .body(chunk.clone())
        };
        let response = self.client.send(call, request).await?;
        if response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            let response = check(call, Method::PATCH, response).await?;
            return Ok(location(call, &response)?.0);
        }
        // An earlier attempt may have arrived although its answer did not.
        let response = self.client.send(call, |http| http.get(at.clone())).await?;
        let response = check(call, Method::GET, response).await?;
        if received(response.headers()) == Some(last) {
            Ok(location(call, &response)?.0)
        } else {
            Err(call.bad_answer("it has lost a part of the upload"))
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// The content of a successful answer, verified as it is read.
pub(super) fn reader(descriptor: &Descriptor, response: Response) -> VerifyReader {
    let stream = response
        .bytes_stream()
        .map_err(|error| std::io::Error::other(crate::error::RequestError::new(error)));
    VerifyReader::new(descriptor, StreamReader::new(stream))
}

async fn read_chunk(content: &mut VerifyReader, chunk_bytes: usize) -> std::io::Result<Bytes> {
    let mut chunk = Vec::new();
    content
        .take(chunk_bytes as u64)
        .read_to_end(&mut chunk)
        .await?;
    Ok(chunk.into())
}

/// The last byte that the registry has, counted from zero.
fn received(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::RANGE)?.to_str().ok()?;
    range.split_once('-')?.1.parse().ok()
}

fn location(call: Call<'_>, response: &Response) -> Result<(Url, usize), Error> {
    let headers = response.headers();
    let location = headers
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url().join(location).ok())
        .ok_or_else(|| call.bad_answer("the upload has no location"))?;
    let min_bytes = headers
        .get(MIN_CHUNK)
        .and_then(|text| text.to_str().ok()?.parse().ok())
        .unwrap_or(1);
    // More would have to be held in memory.
    Ok((location, min_bytes.min(64 * limits::UPLOAD_CHUNK_BYTES)))
}

fn add_digest(location: &mut Url, digest: &Digest) {
    location
        .query_pairs_mut()
        .append_pair("digest", digest.as_str());
}

async fn finish(call: Call<'_>, response: Response) -> Result<(), Error> {
    let response = check(call, Method::PUT, response).await?;
    if response.status() == StatusCode::CREATED {
        Ok(())
    } else {
        let status = response.status();
        Err(call.bad_answer(format!("the upload ended with {status}, not with 201")))
    }
}
