//! Why a bundle is not applied.

use cairn_spec::{ArchiveError, Digest, ObjectId, VariableName};

/// Why a bundle is not applied. Nothing was sent to a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The artifact type is another one.
    #[error(
        "`{0}` is not a bundle: expected the artifact type `application/vnd.cairn.bundle.v1+json`"
    )]
    NotABundle(String),
    /// A blob of the artifact cannot be read.
    #[error("the blob `{digest}` of the bundle cannot be read")]
    Blob {
        /// The blob.
        digest: Digest,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A blob is another one than the manifest says.
    #[error("the blob `{0}` is not the one that the bundle's manifest names")]
    BlobMismatch(Digest),
    /// The manifests cannot be unpacked.
    #[error("the manifests of the bundle cannot be unpacked")]
    Archive(#[from] ArchiveError),
    /// `bundle.json` or `plan.json` cannot be read.
    #[error("`{file}` of the bundle cannot be read")]
    Malformed {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file is not the one that `bundle.json` names.
    #[error("`{0}` is not the file that `bundle.json` names")]
    FileMismatch(String),
    /// A file came twice.
    #[error("the bundle holds `{0}` twice")]
    FileTwice(String),
    /// A file that `bundle.json` names is not there.
    #[error("the bundle has no `{0}`, which `bundle.json` names")]
    FileMissing(String),
    /// `bundle.json` and `plan.json` name different manifests, or different digests of one.
    #[error("`bundle.json` and `plan.json` do not agree on `{0}`")]
    Disagree(String),
    /// An edge of the plan leads to an earlier layer, or to none.
    #[error("the plan applies layer `{from}` before `{to}`, but its layers are not in that order")]
    Order {
        /// The layer that comes first, by the edge.
        from: String,
        /// The layer that comes later, by the edge.
        to: String,
    },
    /// The stages of a layer are not in their order.
    #[error("the stages of layer `{0}` are not in order")]
    Stages(String),
    /// A limit is exceeded.
    #[error("the bundle holds more than {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// Two objects are the same one.
    #[error("the bundle holds {id} of {api_version} twice, whatever the version", api_version = id.api_version)]
    ObjectTwice {
        /// The object.
        id: Box<ObjectId>,
    },
    /// A manifest is not one Kubernetes object.
    #[error("`{path}` is not a Kubernetes object: {reason}")]
    NotAnObject {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest holds another object than the plan says.
    #[error("`{path}` holds {found}, but the plan says {expected}")]
    OtherObject {
        /// The file.
        path: String,
        /// What it holds.
        found: String,
        /// What the plan says.
        expected: String,
    },
    /// A placeholder stands for a secret that was not given.
    #[error("the bundle needs the secret `{0}`, which was not given")]
    SecretMissing(VariableName),
    /// What was kept of the bundle cannot be read back.
    #[error("failed to read an object back from memory")]
    Store(#[source] std::io::Error),
}
