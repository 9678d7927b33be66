//! Brings a bundle's artifact from a registry, and reads it.

use cairn_oci::{Client, PullLimits};
use cairn_runner::bundle::{Bundle, BundleError, BundleReader};
use cairn_spec::{ArchiveLimits, Artifact, Reference};

/// What a bundle may weigh on the wire besides its manifests, in bytes (32 MiB): plan, lists and host files.
const MAX_OTHER_BYTES: u64 = 32 << 20;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// It cannot be brought.
    #[error("failed to pull it")]
    Pull(#[source] Box<cairn_oci::Error>),
    /// It is none, or not whole.
    #[error("it is not a whole bundle")]
    Bundle(#[from] BundleError),
}

/// Pulls the artifact that a reference names by its digest. Size and digest of all of it are checked.
pub async fn fetch(client: &Client, reference: &Reference) -> Result<Artifact, ContentError> {
    let limits = PullLimits {
        total_bytes: ArchiveLimits::BUNDLE.packed_bytes + MAX_OTHER_BYTES,
        ..PullLimits::default()
    };
    let artifact = client.pull_artifact(reference, &limits).await;
    artifact.map_err(|error| ContentError::Pull(Box::new(error)))
}

/// Reads a bundle.
pub fn read_bundle(artifact: &Artifact) -> Result<Bundle, ContentError> {
    Ok(BundleReader::read_artifact(artifact.manifest(), artifact)?)
}
