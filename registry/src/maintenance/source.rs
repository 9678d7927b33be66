//! Where an import comes from: a folder, or distribution's tree in a bucket.
//!
//! A bucket is only read, and content is copied rather than referred to: it would else be at the
//! mercy of whatever deletes there, and nobody would have verified its digests.

use std::path::PathBuf;

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::layout::{Folder, Manifests, link_digest, named_manifests, read_tree};
use crate::{
    Error, Result, S3Config,
    storage::{Chunks, s3::ForeignBucket},
};

/// Where content is taken over from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportFrom {
    /// An OCI image layout, or a folder with distribution's `docker/registry/v2`.
    Folder(PathBuf),
    /// A bucket with distribution's `docker/registry/v2` below the prefix.
    Bucket(Box<S3Config>),
}

/// Where distribution's tree begins.
const TREE: &str = "docker/registry/v2/";
/// The largest link that is read, in bytes: it holds a digest.
const LINK_BYTES: u64 = 1024;
/// Links read at a time.
const PARALLEL_LINKS: usize = 16;

/// An import's source that was found to hold something.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Folder(Folder),
    Bucket(BucketTree),
}

/// Distribution's tree in a bucket.
#[derive(Debug, Clone)]
pub(super) struct BucketTree {
    bucket: ForeignBucket,
    /// What `blobs/` and `repositories/` are below.
    root: &'static str,
}

impl Source {
    pub(super) async fn open(from: &ImportFrom) -> Result<Self> {
        match from {
            ImportFrom::Folder(path) => Folder::open(path).map(Self::Folder),
            ImportFrom::Bucket(config) => BucketTree::open(config).await.map(Self::Bucket),
        }
    }

    /// The manifests and tags of each repository. Entries of a layout that name none belong to
    /// `repository`.
    pub(super) async fn manifests(&self, repository: Option<&RepositoryName>) -> Result<Manifests> {
        match self {
            Self::Folder(Folder::Layout(root)) => named_manifests(root, repository).await,
            Self::Folder(Folder::Distribution(root)) => read_tree(root).await,
            Self::Bucket(tree) => tree.manifests().await,
        }
    }

    /// The content with a digest is there.
    pub(super) async fn has(&self, digest: &Digest) -> Result<bool> {
        match self {
            Self::Folder(folder) => Ok(folder.path(digest).exists()),
            Self::Bucket(tree) => tree.bucket.has(&tree.key(digest)).await,
        }
    }

    /// All content with a digest, if it is there.
    pub(super) async fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Option<Bytes>> {
        match self {
            Self::Folder(folder) => folder.read(digest, limit_bytes).await,
            Self::Bucket(tree) => tree.bucket.read(&tree.key(digest), limit_bytes).await,
        }
    }

    /// The content with a digest in pieces, if it is there.
    pub(super) async fn stream(&self, digest: &Digest) -> Result<Option<Chunks>> {
        match self {
            Self::Folder(folder) => folder.stream(digest).await,
            Self::Bucket(tree) => tree.bucket.stream(&tree.key(digest)).await,
        }
    }
}

/// What a name below `repositories/` says.
enum Link {
    /// A manifest belongs to the repository.
    Revision(RepositoryName, Digest),
    /// A tag; the object holds the digest of what it names.
    Tag(RepositoryName, Tag),
}

impl BucketTree {
    async fn open(config: &S3Config) -> Result<Self> {
        let bucket = ForeignBucket::open(config).await?;
        for root in [TREE, ""] {
            let mut repositories = bucket.list(&format!("{root}repositories/"));
            if repositories.try_next().await?.is_some() {
                drop(repositories);
                return Ok(Self { bucket, root });
            }
        }
        Err(Error::Folder {
            path: bucket.name(),
            reason: format!("it has no tree of distribution: nothing begins with `{TREE}`"),
        })
    }

    fn key(&self, digest: &Digest) -> String {
        let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
        let shard = hex.get(..2).unwrap_or_default();
        format!("{}blobs/{algorithm}/{shard}/{hex}/data", self.root)
    }

    async fn manifests(&self) -> Result<Manifests> {
        let repositories = format!("{}repositories/", self.root);
        let mut found = Manifests::new();
        let mut tags = Vec::new();
        let mut objects = self.bucket.list(&repositories);
        while let Some((key, size_bytes)) = objects.try_next().await? {
            // An empty link is what a crash of distribution leaves.
            let name = key.strip_prefix(&repositories).filter(|_| size_bytes > 0);
            match name.map(link).transpose()?.flatten() {
                Some(Link::Revision(repository, digest)) => {
                    let manifests = found.entry(repository).or_default();
                    manifests.entry(digest).or_default();
                }
                Some(Link::Tag(repository, tag)) => tags.push((key, repository, tag)),
                None => {}
            }
        }
        let mut read = stream::iter(tags)
            .map(|(key, repository, tag)| async move {
                let content = self.bucket.read(&key, LINK_BYTES).await?;
                let digest = link_digest(content)?;
                Ok::<_, Error>((repository, tag, digest))
            })
            .buffered(PARALLEL_LINKS);
        while let Some((repository, tag, digest)) = read.try_next().await? {
            if let Some(digest) = digest {
                let manifests = found.entry(repository).or_default();
                manifests.entry(digest).or_default().push(tag);
            }
        }
        Ok(found)
    }
}

/// Reads `<repository>/_manifests/revisions/<algorithm>/<hex>/link` and
/// `<repository>/_manifests/tags/<tag>/current/link`; all else means nothing here.
fn link(name: &str) -> Result<Option<Link>> {
    let Some((repository, below)) = name.split_once("/_manifests/") else {
        return Ok(None);
    };
    let parts: Vec<&str> = below.split('/').collect();
    Ok(match parts[..] {
        ["revisions", algorithm, hex, "link"] => {
            let digest = format!("{algorithm}:{hex}").parse()?;
            Some(Link::Revision(repository.parse()?, digest))
        }
        ["tags", tag, "current", "link"] => Some(Link::Tag(repository.parse()?, tag.parse()?)),
        _ => None,
    })
}
