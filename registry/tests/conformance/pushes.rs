//! The ways to push a blob.

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use cairn_spec::Digest;

use crate::{
    client::{Answer, send, with_parameter},
    suite::Suite,
};

/// How many requests a blob is cut into.
const CHUNKS: usize = 3;

/// What is wrong on purpose in a chunked push.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chunked {
    /// Sends each chunk's successor first, and recovers.
    pub(crate) out_of_order: bool,
    /// Sends the last chunk with the closing request.
    pub(crate) put_last: bool,
}

/// A chunk that does not follow what the registry has received.
struct Wrong<'a> {
    digest: &'a Digest,
    content: &'a [u8],
    range: Range<usize>,
    received: usize,
}

/// What becomes of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Created,
    /// The content is not what the digest says.
    BadDigest,
}

impl Suite {
    /// blob-post-only
    pub(crate) async fn post_only(
        &self,
        repository: &str,
        (digest, content): (&Digest, &[u8]),
        expect: Expect,
    ) -> Result<()> {
        let location = with_parameter(&uploads(repository), "digest", digest.as_str());
        let posted = self
            .client
            .send_bytes("POST", &location, content, None)
            .await?;
        self.concluded(&posted, digest, content, expect).await
    }

    /// blob-post-put
    pub(crate) async fn post_put(
        &self,
        repository: &str,
        (digest, content): (&Digest, &[u8]),
        expect: Expect,
    ) -> Result<()> {
        let location = self.start(repository).await?;
        let location = with_parameter(&location, "digest", digest.as_str());
        let put = self
            .client
            .send_bytes("PUT", &location, content, None)
            .await?;
        self.concluded(&put, digest, content, expect).await
    }

    /// blob-patch-stream: one request without `Content-Range`, of no length known beforehand.
    pub(crate) async fn patch_stream(
        &self,
        repository: &str,
        (digest, content): (&Digest, &[u8]),
        expect: Expect,
    ) -> Result<()> {
        let location = self.start(repository).await?;
        let pieces: Vec<_> = content.chunks(1024).map(<[u8]>::to_vec).collect();
        let pieces = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let request = self
            .client
            .request("PATCH", &location)
            .header("content-type", "application/octet-stream")
            .body(reqwest::Body::wrap_stream(pieces));
        let patched = send(request).await?;
        patched.expect_status(&[202])?;
        let location = with_parameter(&patched.location()?, "digest", digest.as_str());
        let put = self.client.send_bytes("PUT", &location, &[], None).await?;
        self.concluded(&put, digest, content, expect).await
    }

    /// blob-patch-chunked
    pub(crate) async fn patch_chunked(
        &self,
        repository: &str,
        (digest, content): (&Digest, &[u8]),
        (how, expect): (Chunked, Expect),
    ) -> Result<()> {
        let mut location = self.start(repository).await?;
        let size = content.len() / CHUNKS + 1;
        let mut sent = 0;
        while sent < content.len() {
            let end = content.len().min(sent + size);
            if how.out_of_order {
                // Once beyond the next byte, and in the end back at the first.
                let first = if end < content.len() { end } else { 0 };
                let range = first..content.len().min(first + size);
                let closes = how.put_last && range.end == content.len();
                let wrong = Wrong {
                    digest,
                    content,
                    range,
                    received: sent,
                };
                location = self.refused(&location, closes, wrong).await?;
            }
            let is_last = end == content.len();
            let range = Some(format!("{sent}-{}", end - 1));
            if is_last && how.put_last {
                let closing = with_parameter(&location, "digest", digest.as_str());
                let put = self
                    .client
                    .send_bytes("PUT", &closing, &content[sent..], range)
                    .await?;
                return self.concluded(&put, digest, content, expect).await;
            }
            let patched = self
                .client
                .send_bytes("PATCH", &location, &content[sent..end], range)
                .await?;
            patched.expect_status(&[202])?;
            location = patched.location()?;
            sent = end;
        }
        let location = with_parameter(&location, "digest", digest.as_str());
        let put = self.client.send_bytes("PUT", &location, &[], None).await?;
        self.concluded(&put, digest, content, expect).await
    }

    /// Sends a chunk that does not follow, and asks where the upload stands.
    async fn refused(&self, location: &str, closes: bool, chunk: Wrong<'_>) -> Result<String> {
        let range = Some(format!("{}-{}", chunk.range.start, chunk.range.end - 1));
        let bytes = &chunk.content[chunk.range];
        let refused = if closes {
            let closing = with_parameter(location, "digest", chunk.digest.as_str());
            self.client
                .send_bytes("PUT", &closing, bytes, range)
                .await?
        } else {
            self.client
                .send_bytes("PATCH", location, bytes, range)
                .await?
        };
        refused.expect_status(&[416])?;
        let status = self.client.send("GET", location).await?;
        status.expect_status(&[204])?;
        // Without any byte there is no last one, and the header says 0 all the same.
        let last = chunk.received.saturating_sub(1);
        status.expect_header("range", &format!("0-{last}"))?;
        status.location()
    }

    /// blob-mount and blob-mount-anonymous
    pub(crate) async fn mount(
        &self,
        repository: &str,
        from: Option<&str>,
        (digest, content): (&Digest, &[u8]),
    ) -> Result<()> {
        let mounted = self.ask_to_mount(repository, from, digest).await?;
        self.concluded(&mounted, digest, content, Expect::Created)
            .await
    }

    /// A mount of what is not there opens an upload instead.
    pub(crate) async fn mount_missing(
        &self,
        repository: &str,
        from: &str,
        (digest, content): (&Digest, &[u8]),
    ) -> Result<()> {
        let opened = self.ask_to_mount(repository, Some(from), digest).await?;
        opened.expect_status(&[202])?;
        let location = with_parameter(&opened.location()?, "digest", digest.as_str());
        let put = self
            .client
            .send_bytes("PUT", &location, content, None)
            .await?;
        self.concluded(&put, digest, content, Expect::Created).await
    }

    async fn ask_to_mount(
        &self,
        repository: &str,
        from: Option<&str>,
        digest: &Digest,
    ) -> Result<Answer> {
        let mut location = with_parameter(&uploads(repository), "mount", digest.as_str());
        if let Some(from) = from {
            location = with_parameter(&location, "from", from);
        }
        self.client.send("POST", &location).await
    }

    /// blob-post-cancel
    pub(crate) async fn post_cancel(&self, repository: &str) -> Result<()> {
        let location = self.start(repository).await?;
        let cancelled = self.client.send("DELETE", &location).await?;
        cancelled.expect_status(&[204])
    }

    async fn start(&self, repository: &str) -> Result<String> {
        let started = self.client.send("POST", &uploads(repository)).await?;
        started.expect_status(&[202])?;
        started.location()
    }

    async fn concluded(
        &self,
        answer: &Answer,
        digest: &Digest,
        content: &[u8],
        expect: Expect,
    ) -> Result<()> {
        match (expect, answer.status.as_u16()) {
            (Expect::BadDigest, 400) => Ok(()),
            (Expect::Created, 201) => {
                answer.expect_header("docker-content-digest", digest.as_str())?;
                let location = answer.location()?;
                ensure!(!location.is_empty(), "the location is empty");
                self.client.verify_blob_at(&location, content).await
            }
            (expect, status) => bail!("status {status}, but expected {expect:?}"),
        }
    }
}

fn uploads(repository: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/")
}
