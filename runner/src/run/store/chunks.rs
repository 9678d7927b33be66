//! A bundle's artifact as immutable Secrets: a gzipped archive of its manifest and blobs, cut into
//! chunks, and a head that names them. Pure: artifacts in, Secrets out. They are made one at a time, since
//! an agent may have less memory than they need together.
//!
//! The head is written last and deleted first, so a bundle without a head is not kept, whatever is
//! left of it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{
    ArchiveLimits, Artifact, Digest, DigestAlgorithm, Hasher, gzip_writer, tar_pieces,
};
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The most bytes of a chunk: a Secret may hold 1 MiB.
pub const MAX_CHUNK_BYTES: usize = 900 << 10;
/// The most bytes of a bundle that is kept, compressed: what a bundle may weigh at all.
pub const MAX_KEPT_BYTES: u64 = ArchiveLimits::BUNDLE.packed_bytes;
/// The most chunks that a head may name.
const MAX_CHUNKS: usize = 128;

/// The label of all Secrets of the store.
pub(super) const LABEL: &str = "cairn.dev/bundle-store";
/// The annotation with the digest of the bundle that a Secret belongs to.
const BUNDLE: &str = "cairn.dev/bundle";
const SECRET_TYPE: &str = "cairn.dev/bundle";
pub(super) const HEAD_KEY: &str = "head.json";
const CHUNK_KEY: &str = "chunk";
pub(super) const MANIFEST: &str = "manifest.json";

/// Why a bundle is not kept, or cannot be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It is too large.
    #[error("the bundle `{digest}` has {size_bytes} bytes and cannot be kept: the limit is {} MiB", MAX_KEPT_BYTES >> 20)]
    TooLarge {
        /// The bundle.
        digest: Digest,
        /// How large it is, compressed.
        size_bytes: u64,
    },
    /// It cannot be packed.
    #[error("the bundle `{digest}` cannot be packed")]
    Pack {
        /// The bundle.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is kept of it is not the bundle that its digest names.
    #[error("what the cluster keeps of the bundle `{digest}` is damaged: {reason}")]
    Damaged {
        /// The bundle.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not kept.
    #[error("the bundle `{0}` is not kept in the cluster")]
    NotKept(Digest),
}

/// What a head says of the chunks.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head {
    pub(super) bundle: Digest,
    /// The digest of all chunks together.
    pub(super) packed: Digest,
    /// The names of the chunks, in order.
    pub(super) chunks: Vec<String>,
}

/// An artifact that is being packed.
pub(super) struct Packing<'a> {
    digest: &'a Digest,
    pieces: Box<dyn Iterator<Item = Cow<'a, [u8]>> + 'a>,
    packed: GzEncoder<Vec<u8>>,
    is_whole: bool,
    hasher: Hasher,
    /// The names of the chunks that were given.
    names: Vec<String>,
}

/// An artifact that is not too large is packed.
pub(super) fn pack(artifact: &Artifact) -> Result<Packing<'_>, StoreError> {
    let blobs = artifact.blobs().iter();
    let size_bytes: u64 = blobs.map(|blob| blob.descriptor().size).sum();
    // Only what may be too large is packed once more to see whether it is, before anything is written.
    if size_bytes + artifact.manifest().bytes().len() as u64 > MAX_KEPT_BYTES {
        let mut packing = Packing::of(artifact);
        let mut size_bytes = 0;
        while let Some(chunk) = packing.next_chunk()? {
            size_bytes += chunk.len() as u64;
        }
        if size_bytes > MAX_KEPT_BYTES {
            let digest = artifact.digest().clone();
            return Err(StoreError::TooLarge { digest, size_bytes });
        }
    }
    Ok(Packing::of(artifact))
}

impl<'a> Packing<'a> {
    fn of(artifact: &'a Artifact) -> Self {
        let mut files = BTreeMap::from([(MANIFEST.to_owned(), artifact.manifest().bytes())]);
        for blob in artifact.blobs() {
            files.insert(blob_path(&blob.descriptor().digest), blob.bytes());
        }
        Self {
            digest: artifact.digest(),
            pieces: Box::new(tar_pieces(files)),
            packed: gzip_writer(Vec::new()),
            is_whole: false,
            hasher: Hasher::new(DigestAlgorithm::Sha256),
            names: Vec::new(),
        }
    }

    /// The next chunk as a Secret; none when all were given.
    pub(super) fn next_secret(&mut self, namespace: &str) -> Result<Option<Json>, StoreError> {
        let chunk = self.next_chunk()?;
        Ok(chunk.map(|chunk| {
            let name = chunk_name(self.digest, &chunk);
            let made = secret(namespace, &name, self.digest, ("chunk", CHUNK_KEY, &chunk));
            self.hasher.update(&chunk);
            self.names.push(name);
            made
        }))
    }

    /// The head of the chunks that were given.
    pub(super) fn head(self, namespace: &str) -> Json {
        let head = Head {
            bundle: self.digest.clone(),
            packed: self.hasher.finish(),
            chunks: self.names,
        };
        let text = serde_json::to_vec(&head).unwrap_or_default();
        let name = head_name(self.digest);
        secret(namespace, &name, self.digest, ("head", HEAD_KEY, &text))
    }

    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        self.pack_a_chunk().map_err(|source| StoreError::Pack {
            digest: self.digest.clone(),
            source,
        })
    }

    fn pack_a_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.packed.get_ref().len() < MAX_CHUNK_BYTES && !self.is_whole {
            if let Some(piece) = self.pieces.next() {
                self.packed.write_all(&piece)?;
            } else {
                self.packed.try_finish()?;
                self.is_whole = true;
            }
        }
        let packed = self.packed.get_mut();
        let rest = packed.split_off(MAX_CHUNK_BYTES.min(packed.len()));
        let chunk = std::mem::replace(packed, rest);
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }
}

/// Reads a head.
pub(super) fn read_head(digest: &Digest, secret: &Json) -> Result<Head, StoreError> {
    let text = data(secret, HEAD_KEY).ok_or_else(|| damaged(digest, "its head is empty"))?;
    let head: Head =
        serde_json::from_slice(&text).map_err(|_| damaged(digest, "its head cannot be read"))?;
    if head.bundle != *digest {
        return Err(damaged(digest, "its head is another bundle's"));
    }
    if head.chunks.len() > MAX_CHUNKS {
        return Err(damaged(digest, "its head names too many chunks"));
    }
    Ok(head)
}

/// What a chunk holds.
pub(super) fn read_chunk(digest: &Digest, secret: &Json) -> Result<Vec<u8>, StoreError> {
    data(secret, CHUNK_KEY).ok_or_else(|| damaged(digest, "a chunk is empty"))
}

/// The bundle that a Secret of the store belongs to.
pub(super) fn bundle_of(secret: &Json) -> Option<Digest> {
    let digest = secret["metadata"]["annotations"][BUNDLE].as_str()?;
    digest.parse().ok()
}

/// A Secret of the store is a head.
pub(super) fn is_head(secret: &Json) -> bool {
    secret["metadata"]["labels"][LABEL] == "head"
}

/// The name of a bundle's head.
pub(super) fn head_name(digest: &Digest) -> String {
    format!("cairn-bundle-{}", digest.hex())
}

pub(super) fn damaged(digest: &Digest, reason: &str) -> StoreError {
    StoreError::Damaged {
        digest: digest.clone(),
        reason: reason.to_owned(),
    }
}

/// By what it holds: a Secret that never changes can be written twice.
fn chunk_name(digest: &Digest, chunk: &[u8]) -> String {
    let content = Digest::sha256(chunk);
    format!("cairn-bundle-{}-{}", digest.short(), &content.hex()[..32])
}

pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}", digest.hex())
}

fn secret(
    namespace: &str,
    name: &str,
    digest: &Digest,
    (part, key, bytes): (&str, &str, &[u8]),
) -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL: part},
            "annotations": {BUNDLE: digest},
        },
        "type": SECRET_TYPE,
        "immutable": true,
        "data": {key: BASE64.encode(bytes)},
    })
}

fn data(secret: &Json, key: &str) -> Option<Vec<u8>> {
    BASE64.decode(secret["data"][key].as_str()?).ok()
}
