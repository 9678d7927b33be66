//! A bundle's artifact as immutable Secrets: a gzipped archive of its manifest and blobs, cut into
//! chunks, and a head that names them. Pure: artifacts in, Secrets out, and back.
//!
//! The head is written last and deleted first, so a bundle without a head is not kept, whatever is
//! left of it. What is read back is the artifact that its digest names, or nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{
    ArchiveLimits, Artifact, Blob, Digest, FileTree, Manifest, gzip, read_tar_gzip, write_tar,
};
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
const HEAD_KEY: &str = "head.json";
const CHUNK_KEY: &str = "chunk";
const MANIFEST: &str = "manifest.json";

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
        size_bytes: usize,
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
    bundle: Digest,
    /// The digest of all chunks together.
    packed: Digest,
    /// The names of the chunks, in order.
    pub(super) chunks: Vec<String>,
}

/// An artifact, packed.
pub(super) struct Packed {
    digest: Digest,
    bytes: Vec<u8>,
}

/// Packs an artifact.
pub(super) fn pack(artifact: &Artifact) -> Result<Packed, StoreError> {
    let mut tree = FileTree::new();
    tree.put(MANIFEST, artifact.manifest().bytes());
    for blob in artifact.blobs() {
        tree.put(&blob_path(&blob.descriptor().digest), blob.bytes());
    }
    let bytes = gzip(&write_tar(&tree));
    let digest = artifact.digest().clone();
    if bytes.len() as u64 > MAX_KEPT_BYTES {
        return Err(StoreError::TooLarge {
            digest,
            size_bytes: bytes.len(),
        });
    }
    Ok(Packed { digest, bytes })
}

impl Packed {
    /// The chunks, made one at a time.
    pub(super) fn chunks<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = Json> + 'a {
        self.bytes.chunks(MAX_CHUNK_BYTES).map(move |chunk| {
            let name = chunk_name(&self.digest, chunk);
            secret(namespace, &name, &self.digest, ("chunk", CHUNK_KEY, chunk))
        })
    }

    /// The head.
    pub(super) fn head(&self, namespace: &str) -> Json {
        let names = self.bytes.chunks(MAX_CHUNK_BYTES);
        let head = Head {
            bundle: self.digest.clone(),
            packed: Digest::sha256(&self.bytes),
            chunks: names.map(|chunk| chunk_name(&self.digest, chunk)).collect(),
        };
        let text = serde_json::to_vec(&head).unwrap_or_default();
        let name = head_name(&self.digest);
        secret(namespace, &name, &self.digest, ("head", HEAD_KEY, &text))
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

/// Puts an artifact together again; `chunks` are in the order of the head.
pub(super) fn unpack(
    digest: &Digest,
    head: &Head,
    chunks: impl IntoIterator<Item = Json>,
) -> Result<Artifact, StoreError> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        let chunk = data(&chunk, CHUNK_KEY);
        bytes.extend(chunk.ok_or_else(|| damaged(digest, "a chunk is empty"))?);
    }
    if Digest::sha256(&bytes) != head.packed {
        return Err(damaged(digest, "its chunks were changed"));
    }
    let (tree, _) = read_tar_gzip(&bytes, &ArchiveLimits::BUNDLE)
        .map_err(|error| damaged(digest, &error.to_string()))?;
    let file = |path: &str| {
        let file = tree.get(path).map(|file| file.bytes.to_vec());
        file.ok_or_else(|| damaged(digest, &format!("it has no `{path}`")))
    };
    let manifest = Manifest::parse(file(MANIFEST)?, None)
        .map_err(|error| damaged(digest, &error.to_string()))?;
    if manifest.digest() != digest {
        return Err(damaged(digest, "its manifest is another one"));
    }
    let mut blobs: Vec<Blob> = Vec::new();
    for descriptor in manifest.children() {
        let is_known = |blob: &Blob| blob.descriptor().digest == descriptor.digest;
        if blobs.iter().any(is_known) {
            continue;
        }
        let bytes = file(&blob_path(&descriptor.digest))?;
        let blob = Blob::checked(descriptor.clone(), bytes);
        blobs.push(blob.map_err(|error| damaged(digest, &error.to_string()))?);
    }
    Artifact::new(manifest, blobs).map_err(|error| damaged(digest, &error.to_string()))
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

fn blob_path(digest: &Digest) -> String {
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Bytes that gzip cannot make small.
    fn noise(size_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut hash = Digest::sha256(b"");
        while bytes.len() < size_bytes {
            hash = Digest::sha256(hash.hex().as_bytes());
            bytes.extend(hex::decode(hash.hex()).unwrap());
        }
        bytes
    }

    fn artifact(size_bytes: usize) -> Artifact {
        let builder = Artifact::builder("application/vnd.example.v1+json")
            .config("application/json", b"{}".to_vec())
            .layer("application/octet-stream", noise(size_bytes))
            .layer("text/plain", b"{}".to_vec());
        builder.build().unwrap()
    }

    fn read_back(digest: &Digest, head: &Json, chunks: Vec<Json>) -> Result<Artifact, StoreError> {
        unpack(digest, &read_head(digest, head)?, chunks)
    }

    #[test]
    fn an_artifact_is_read_as_it_was_kept() {
        for size_bytes in [0, 10, 2_000_000] {
            let artifact = artifact(size_bytes);
            let packed = pack(&artifact).unwrap();
            let chunks: Vec<Json> = packed.chunks("cairn-system").collect();
            assert_eq!(chunks.len(), size_bytes / MAX_CHUNK_BYTES + 1);
            for chunk in &chunks {
                assert_eq!(bundle_of(chunk).as_ref(), Some(artifact.digest()));
                assert!(!is_head(chunk));
                assert!(data(chunk, CHUNK_KEY).unwrap().len() <= MAX_CHUNK_BYTES);
            }
            let head = packed.head("cairn-system");
            assert!(is_head(&head));
            let read = read_back(artifact.digest(), &head, chunks).unwrap();
            assert_eq!(read, artifact);
        }
    }

    #[test]
    fn damage_is_found() {
        let artifact = artifact(2_000_000);
        let packed = pack(&artifact).unwrap();
        let digest = artifact.digest();
        let head = packed.head("n");
        let spoilt = |change: &dyn Fn(&mut Json, &mut Vec<Json>)| {
            let (mut head, mut chunks) = (head.clone(), packed.chunks("n").collect());
            change(&mut head, &mut chunks);
            let error = read_back(digest, &head, chunks).unwrap_err().to_string();
            error.replace(digest.as_str(), "DIGEST")
        };
        let text = |text: &str| BASE64.encode(text);
        assert_snapshot!(spoilt(&|head, _| head["data"] = json!({})), @"what the cluster keeps of the bundle `DIGEST` is damaged: its head is empty");
        assert_snapshot!(spoilt(&|head, _| head["data"][HEAD_KEY] = text("{}").into()), @"what the cluster keeps of the bundle `DIGEST` is damaged: its head cannot be read");
        assert_snapshot!(spoilt(&|_, chunks| chunks[1]["data"] = json!({})), @"what the cluster keeps of the bundle `DIGEST` is damaged: a chunk is empty");
        assert_snapshot!(spoilt(&|_, chunks| chunks.swap(0, 1)), @"what the cluster keeps of the bundle `DIGEST` is damaged: its chunks were changed");
        let other = Digest::sha256(b"other");
        let error = read_back(&other, &head, packed.chunks("n").collect()).unwrap_err();
        assert!(error.to_string().contains("another bundle's"), "{error}");
    }

    #[test]
    fn another_artifact_under_the_same_name_is_refused() {
        let (wanted, given) = (artifact(10), artifact(40));
        let packed = pack(&given).unwrap();
        let head = Head {
            bundle: wanted.digest().clone(),
            ..read_head(given.digest(), &packed.head("n")).unwrap()
        };
        let error = unpack(wanted.digest(), &head, packed.chunks("n")).unwrap_err();
        assert!(error.to_string().contains("manifest is another"), "{error}");
    }
}
