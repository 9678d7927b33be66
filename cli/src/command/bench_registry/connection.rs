//! One connection to a registry: HTTP/1.1, kept open, and no more work than a request needs.

use std::{
    convert::Infallible,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Frame, SizeHint},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio_util::task::TaskTracker;

use super::{content::LargeBlob, target::Target, transport};

/// What a response's body is kept for up to here, in bytes; more is counted and dropped.
const KEPT_BYTES: usize = 64 * 1024;

/// A connection that sends one request after another.
#[derive(Debug)]
pub(crate) struct Connection {
    authority: String,
    sender: SendRequest<Payload>,
    /// The task that moves bytes; it ends with the connection.
    _driver: TaskTracker,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body_bytes: u64,
    /// The beginning of the body.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let transport = TokioIo::new(transport::connect(target).await?);
        let handshake = http1::handshake(transport).await;
        let (sender, connection) =
            handshake.with_context(|| format!("failed to connect to {target}"))?;
        let driver = TaskTracker::new();
        // How it ends is told by the request that fails then.
        driver.spawn(async move { drop(connection.await) });
        Ok(Self {
            authority: target.authority.clone(),
            sender,
            _driver: driver,
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Payload::empty()).await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
        payload: Payload,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(payload)?).await?;
        let (parts, mut incoming) = response.into_parts();
        let mut answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body_bytes: 0,
            body: Vec::new(),
        };
        while let Some(frame) = incoming.frame().await {
            if let Ok(data) = frame?.into_data() {
                answer.body_bytes += data.len() as u64;
                let room = KEPT_BYTES - answer.body.len();
                answer.body.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
        Ok(answer)
    }
}

impl Answer {
    /// Fails unless the status is the one expected.
    pub(crate) fn expect(self, status: StatusCode, doing: &str) -> Result<Self> {
        if self.status != status {
            let body = String::from_utf8_lossy(&self.body);
            let body: String = body.chars().take(200).collect();
            bail!(
                "{doing}: the answer was {}, not {status}: {body}",
                self.status
            );
        }
        Ok(self)
    }

    /// The path that `Location` names, whether it is relative or not.
    pub(crate) fn location(&self) -> Result<String> {
        let location = self.headers.get(header::LOCATION);
        let location = location.context("no `Location`")?.to_str()?;
        let path = match location.split_once("://") {
            Some((_, rest)) => &rest[rest.find('/').context("a `Location` without a path")?..],
            None => location,
        };
        Ok(path.to_owned())
    }
}

/// A request's body.
#[derive(Debug)]
pub(crate) struct Payload {
    next: Bytes,
    block: Bytes,
    left_bytes: u64,
}

impl Payload {
    pub(crate) fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self {
            left_bytes: bytes.len() as u64,
            next: bytes,
            block: Bytes::new(),
        }
    }

    /// A range of a large blob.
    pub(crate) fn range(blob: &LargeBlob, range: Range<u64>) -> Self {
        let first_bytes = blob.first.len() as u64;
        let block_bytes = blob.block.len() as u64;
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        let next = if range.start < first_bytes {
            blob.first.slice(index(range.start)..)
        } else {
            let within = (range.start - first_bytes) % block_bytes;
            blob.block.slice(index(within)..)
        };
        Self {
            next,
            block: blob.block.clone(),
            left_bytes: range.end - range.start,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left_bytes == 0 {
            return Poll::Ready(None);
        }
        let block = self.block.clone();
        let mut next = std::mem::replace(&mut self.next, block);
        let left = usize::try_from(self.left_bytes).unwrap_or(usize::MAX);
        next.truncate(left);
        self.left_bytes -= next.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench_registry::content::Content;
    use cairn_spec::Digest;

    #[tokio::test]
    async fn ranges_of_a_large_blob_are_its_bytes() {
        let blob = Content::new(7).large_blob("a", 2_500_000);
        let mut whole = Vec::new();
        for start in (0..blob.size_bytes).step_by(700_001) {
            let end = blob.size_bytes.min(start + 700_001);
            let payload = Payload::range(&blob, start..end);
            assert_eq!(payload.size_hint().exact(), Some(end - start));
            whole.extend_from_slice(&payload.collect().await.unwrap().to_bytes());
        }
        assert_eq!(Digest::sha256(&whole), blob.digest);
    }
}
