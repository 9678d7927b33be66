//! What a place that holds OCI content can do, in traits small enough to implement one by one.
//!
//! A remote repository, an OCI image layout on disk and a store in memory implement them all, so
//! that pull, push and mirror are one function, [`copy`](crate::copy), and so that signing and
//! verifying work wherever content is.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use cairn_spec::{Descriptor, Digest, Hasher, Manifest, RegistryHost, RepositoryName};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::{Error, limits, progress::Progress};

pub mod layout;
pub mod memory;

#[cfg(test)]
pub(crate) mod conformance;

/// Reads content.
pub trait Fetch: Send + Sync {
    /// Opens the content of a descriptor, manifests included. The reader fails at its end unless
    /// size and digest are those of the descriptor.
    fn fetch(
        &self,
        descriptor: &Descriptor,
    ) -> impl Future<Output = Result<VerifyReader, Error>> + Send;

    /// The content is there.
    fn exists(&self, descriptor: &Descriptor) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The remote repository that this is, if it is one.
    fn origin(&self) -> Option<Origin> {
        None
    }
}

/// Writes content.
pub trait Push: Send + Sync {
    /// Stores content, manifests included. Nobody can see it before all of it is there and has
    /// the descriptor's size and digest. Storing what is there already changes nothing.
    fn push(
        &self,
        descriptor: &Descriptor,
        content: VerifyReader,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Takes a blob over from another repository of the same registry without moving a byte.
    /// `false` when that is not possible; then it has to be pushed.
    fn mount(
        &self,
        _descriptor: &Descriptor,
        _origin: &Origin,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        std::future::ready(Ok(false))
    }
}

/// Finds manifests by name.
pub trait Resolve: Send + Sync {
    /// The descriptor of the manifest that a tag or a digest names.
    fn resolve(&self, name: &Name) -> impl Future<Output = Result<Descriptor, Error>> + Send;

    /// The manifests that refer to `subject`, with artifact type and annotations. Only those of
    /// an artifact type, if one is given.
    fn referrers(
        &self,
        subject: &Descriptor,
        artifact_type: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Descriptor>, Error>> + Send;
}

/// Names manifests.
pub trait SetTag: Send + Sync {
    /// Points a tag at a manifest that is there, wherever it pointed before.
    fn set_tag(
        &self,
        descriptor: &Descriptor,
        tag: &cairn_spec::Tag,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Everything that a place to copy from and to can do.
pub trait Store: Fetch + Push + Resolve + SetTag {}

impl<T: Fetch + Push + Resolve + SetTag> Store for T {}

/// A tag or a digest: what a manifest is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A tag.
    Tag(cairn_spec::Tag),
    /// A digest.
    Digest(Digest),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// A repository of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The registry.
    pub registry: RegistryHost,
    /// The repository.
    pub repository: RepositoryName,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

/// The only way to read content: it counts and hashes the bytes as they pass, and its end is an
/// error of kind `InvalidData` unless both are as described. It also reads past the described
/// size to see that nothing follows.
pub struct VerifyReader {
    inner: Pin<Box<dyn AsyncRead + Send>>,
    digest: Digest,
    remaining_bytes: u64,
    hasher: Option<Hasher>,
    counter: Option<Box<dyn Fn(u64) + Send>>,
}

impl VerifyReader {
    /// Checks what `inner` yields against a descriptor.
    pub fn new(descriptor: &Descriptor, inner: impl AsyncRead + Send + 'static) -> Self {
        Self {
            inner: Box::pin(inner),
            digest: descriptor.digest.clone(),
            remaining_bytes: descriptor.size,
            hasher: Some(Hasher::new(descriptor.digest.algorithm())),
            counter: None,
        }
    }

    /// Reports the bytes read as progress of `descriptor`.
    #[must_use]
    pub fn watched(mut self, progress: &Progress, descriptor: &Descriptor) -> Self {
        self.counter = progress.counter(descriptor);
        self
    }

    /// Checks bytes in memory against a descriptor.
    pub fn of_bytes(descriptor: &Descriptor, bytes: impl Into<bytes::Bytes>) -> Self {
        Self::new(descriptor, io::Cursor::new(bytes.into()))
    }

    /// Reads all of it, at most `limit_bytes`.
    pub async fn read_all(mut self, limit_bytes: u64) -> Result<Vec<u8>, Error> {
        if self.remaining_bytes > limit_bytes {
            return Err(Error::Limit {
                what: self.digest.to_string(),
                limit: limit_bytes,
                unit: "bytes",
            });
        }
        // A hostile descriptor must not reserve more than it delivers.
        let capacity = usize::try_from(self.remaining_bytes.min(1 << 20)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(capacity);
        let digest = self.digest.clone();
        self.read_to_end(&mut bytes)
            .await
            .map_err(Error::content(&digest))?;
        Ok(bytes)
    }

    fn check_end(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else {
            return Ok(());
        };
        if self.remaining_bytes > 0 {
            let missing = self.remaining_bytes;
            return Err(mismatch(format!("the content ends {missing} bytes early")));
        }
        let found = hasher.finish();
        if found == self.digest {
            Ok(())
        } else {
            Err(mismatch(format!("the content has the digest `{found}`")))
        }
    }
}

fn mismatch(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl fmt::Debug for VerifyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyReader")
            .field("digest", &self.digest)
            .field("remaining_bytes", &self.remaining_bytes)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for VerifyReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match this.inner.as_mut().poll_read(context, buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        let read = &buffer.filled()[before..];
        if read.is_empty() {
            return Poll::Ready(this.check_end());
        }
        let Some(remaining_bytes) = this.remaining_bytes.checked_sub(read.len() as u64) else {
            buffer.set_filled(before);
            return Poll::Ready(Err(mismatch("the content goes on past its end".to_owned())));
        };
        this.remaining_bytes = remaining_bytes;
        if let Some(hasher) = &mut this.hasher {
            hasher.update(read);
        }
        if let Some(counter) = &this.counter {
            counter(read.len() as u64);
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads and parses a manifest.
pub async fn fetch_manifest(
    store: &impl Fetch,
    descriptor: &Descriptor,
) -> Result<Manifest, Error> {
    let bytes = store
        .fetch(descriptor)
        .await?
        .read_all(limits::MAX_MANIFEST_BYTES as u64)
        .await?;
    Manifest::parse(bytes, Some(&descriptor.media_type))
        .map_err(Error::artifact(&descriptor.digest))
}

/// Stores all of an artifact, its manifest last.
pub async fn push_artifact(
    store: &impl Push,
    artifact: &cairn_spec::Artifact,
) -> Result<Descriptor, Error> {
    for blob in artifact.blobs() {
        let content = VerifyReader::of_bytes(blob.descriptor(), blob.bytes().to_vec());
        store.push(blob.descriptor(), content).await?;
    }
    let descriptor = artifact.manifest().descriptor();
    let content = VerifyReader::of_bytes(&descriptor, artifact.manifest().bytes().to_vec());
    store.push(&descriptor, content).await?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(descriptor: &Descriptor, bytes: &'static [u8]) -> Result<Vec<u8>, Error> {
        VerifyReader::of_bytes(descriptor, bytes)
            .read_all(1024)
            .await
    }

    #[tokio::test]
    async fn only_the_described_bytes_are_read() {
        let descriptor = Descriptor::of("text/plain", b"hello");
        assert_eq!(read(&descriptor, b"hello").await.unwrap(), b"hello");
        for bad in [&b"hell"[..], b"hellO", b"hello!", b""] {
            let error = read(&descriptor, bad).await.unwrap_err();
            assert!(
                matches!(&error, Error::Content { source, .. } if source.kind() == io::ErrorKind::InvalidData),
                "{bad:?}: {error:?}"
            );
        }
        let empty = Descriptor::of("text/plain", b"");
        assert_eq!(read(&empty, b"").await.unwrap(), b"");
        assert!(read(&empty, b"x").await.is_err());
    }

    #[tokio::test]
    async fn large_content_is_not_read_into_memory() {
        let descriptor = Descriptor::new("text/plain", Digest::sha256(b""), u64::MAX);
        let error = read(&descriptor, b"").await.unwrap_err();
        assert!(matches!(error, Error::Limit { .. }));
    }
}
