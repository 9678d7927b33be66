//! Brings a bundle's artifact from the hub, a blob at a time; what breaks off goes on where it was.

use std::time::Duration;

use cairn_runner::bundle::MAX_UNPACKED_BYTES;
use cairn_spec::{ArchiveLimits, Artifact, ArtifactError, Blob, Descriptor, Digest, Manifest};

use super::wire::{Asker, Question, Wire, WireError};

/// The largest manifest, in bytes (4 MiB).
const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// What a bundle may weigh on the wire besides its manifests, in bytes (32 MiB).
const MAX_OTHER_BYTES: u64 = 32 << 20;
/// How often a blob is asked for of which next to nothing comes.
const ATTEMPTS: u32 = 5;
/// More than next to nothing, in bytes (16 KiB): a slow network is not one that is away.
const PROGRESS_BYTES: usize = 16 << 10;
/// The pause before it is asked for once more, then twice it, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Why content cannot be brought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The hub does not give it.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It is not what its digest says.
    #[error("`{0}` is not what its digest says")]
    Mismatch(Digest),
    /// It is larger than a bundle may be.
    #[error("the bundle is larger than {0} MiB")]
    TooLarge(u64),
    /// It is no artifact.
    #[error("the bundle's artifact cannot be read")]
    Artifact(#[from] ArtifactError),
}

/// Brings the artifact of a digest.
pub async fn fetch(
    wire: &mut Wire,
    asker: Asker<'_>,
    digest: &Digest,
) -> Result<Artifact, FetchError> {
    let bytes = whole(wire, asker, digest, MAX_MANIFEST_BYTES).await?;
    let manifest = Manifest::parse(bytes, None)?;
    if manifest.digest() != digest {
        return Err(FetchError::Mismatch(digest.clone()));
    }
    let mut wanted: Vec<Descriptor> = Vec::new();
    for child in manifest.children() {
        if !wanted.iter().any(|known| known.digest == child.digest) {
            wanted.push(child.clone());
        }
    }
    let limit = (ArchiveLimits::BUNDLE.packed_bytes + MAX_OTHER_BYTES).min(MAX_UNPACKED_BYTES);
    let sizes = wanted.iter().map(|child| child.size);
    let total = sizes.fold(0_u64, u64::saturating_add);
    if total > limit {
        return Err(FetchError::TooLarge(limit >> 20));
    }
    let mut blobs = Vec::new();
    for child in wanted {
        let bytes = whole(wire, asker, &child.digest, child.size).await?;
        blobs.push(Blob::checked(child, bytes)?);
    }
    Ok(Artifact::new(manifest, blobs)?)
}

async fn whole(
    wire: &mut Wire,
    asker: Asker<'_>,
    digest: &Digest,
    limit_bytes: u64,
) -> Result<Vec<u8>, FetchError> {
    let question = Question::get(format!("/agent/v1/content/{digest}"), limit_bytes);
    let mut bytes = Vec::new();
    let mut attempt = 1;
    loop {
        let before = bytes.len();
        let error = match wire.read(asker, &question, &mut bytes).await {
            Ok(_) => return Ok(bytes),
            // It broke off after the last byte.
            Err(_) if bytes.len() as u64 == limit_bytes => return Ok(bytes),
            Err(error @ (WireError::Away(_) | WireError::Silent)) => error,
            Err(error) => return Err(error.into()),
        };
        if bytes.len() >= before + PROGRESS_BYTES {
            attempt = 1;
        } else if attempt == ATTEMPTS {
            return Err(error.into());
        } else {
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
            attempt += 1;
        }
    }
}
