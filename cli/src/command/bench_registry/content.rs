//! What is pushed: noise from a seed, the same for the same seed and unlike anything pushed before.

use bytes::Bytes;
use cairn_spec::{Digest, DigestAlgorithm, Hasher, media_type};
use serde_json::json;

/// What a large blob repeats after its first bytes: hashing, compressing and deduplicating
/// registries all see noise.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Makes content. Each piece has a name; a name and a seed give the same bytes on any machine.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    seed: u64,
    block: Bytes,
}

/// A blob that is not in memory as a whole.
#[derive(Debug, Clone)]
pub(crate) struct LargeBlob {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    /// Makes it unlike other blobs.
    pub(crate) first: Bytes,
    /// Repeated after the first bytes, and cut where the blob ends.
    pub(crate) block: Bytes,
}

/// Two blobs and the manifest that names them.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) config: Bytes,
    pub(crate) layer: Bytes,
    pub(crate) manifest: Bytes,
}

impl Content {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            block: noise(seed, BLOCK_BYTES),
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// A blob of a few bytes.
    pub(crate) fn blob(&self, name: &str, length: usize) -> Bytes {
        noise(self.state(name), length)
    }

    /// A blob of any size; hashing it takes as long as it is large.
    pub(crate) fn large_blob(&self, name: &str, size_bytes: u64) -> LargeBlob {
        let first_bytes = size_bytes.min(64);
        let first = self.blob(name, usize::try_from(first_bytes).unwrap_or_default());
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        let mut left = size_bytes - first_bytes;
        hasher.update(&first);
        while left > 0 {
            let length = left.min(BLOCK_BYTES as u64);
            hasher.update(&self.block[..usize::try_from(length).unwrap_or_default()]);
            left -= length;
        }
        LargeBlob {
            digest: hasher.finish(),
            size_bytes,
            first,
            block: self.block.clone(),
        }
    }

    /// An artifact whose blobs have `length` bytes each.
    pub(crate) fn artifact(&self, name: &str, length: usize) -> Artifact {
        let config = self.blob(&format!("{name}/config"), length);
        let layer = self.blob(&format!("{name}/layer"), length);
        let manifest = manifest(&config, &layer).to_string().into();
        Artifact {
            config,
            layer,
            manifest,
        }
    }

    fn state(&self, name: &str) -> u64 {
        let digest = Digest::sha256(name.as_bytes());
        let hash = u64::from_str_radix(&digest.hex()[..16], 16).unwrap_or_default();
        hash ^ self.seed
    }
}

/// A manifest of two blobs.
fn manifest(config: &[u8], layer: &[u8]) -> serde_json::Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_IMAGE_CONFIG, config),
        "layers": [descriptor(media_type::OCI_LAYER_TAR_GZIP, layer)],
    })
}

/// A manifest that refers to another one, unlike other referrers by its number.
pub(crate) fn referrer(
    subject: &Artifact,
    blob: &[u8],
    artifact_type: &str,
    number: usize,
) -> Bytes {
    let mut manifest = numbered_manifest(blob, number);
    manifest["artifactType"] = artifact_type.into();
    manifest["subject"] = descriptor(media_type::OCI_MANIFEST, &subject.manifest);
    manifest.to_string().into()
}

/// A manifest of one blob, unlike others by its number.
pub(crate) fn numbered(blob: &[u8], number: usize) -> Bytes {
    numbered_manifest(blob, number).to_string().into()
}

fn numbered_manifest(blob: &[u8], number: usize) -> serde_json::Value {
    let mut manifest = manifest(blob, blob);
    manifest["annotations"] = json!({"org.example.number": number.to_string()});
    manifest
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len()})
}

/// `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + size_of::<u64>());
    while bytes.len() < length {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_follows_from_its_name_and_the_seed() {
        let content = Content::new(1);
        assert_eq!(content.blob("a", 100), Content::new(1).blob("a", 100));
        assert_ne!(content.blob("a", 100), content.blob("b", 100));
        assert_ne!(content.blob("a", 100), Content::new(2).blob("a", 100));
        assert_eq!(content.blob("a", 3).len(), 3);
    }

    #[test]
    fn a_large_blob_has_the_digest_of_its_bytes() {
        let content = Content::new(1);
        let blob = content.large_blob("a", 1024 * 1024 + 100);
        let mut bytes = blob.first.to_vec();
        bytes.extend_from_slice(&blob.block);
        bytes.extend_from_slice(&blob.block[..36]);
        assert_eq!(bytes.len() as u64, blob.size_bytes);
        assert_eq!(blob.digest, Digest::sha256(&bytes));
        let small = content.large_blob("a", 10);
        assert_eq!(small.digest, Digest::sha256(&small.first));
    }
}
