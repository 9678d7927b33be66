//! A bundle as an OCI artifact (`spec/bundle.md` §5): pure functions between its files and an artifact.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use crate::{
    ArchiveError, ArchiveLimits, Artifact, ArtifactError, BundleManifest, Digest, FileTree,
    PathError, TreePath, canonical_json, gzip, media_type, read_tar_gzip, write_tar,
};

/// The files of a bundle that are a layer each, with its media type, in the order of the layers.
pub const BUNDLE_FILES: [(&str, &str); 5] = [
    ("plan.json", media_type::PLAN),
    ("lock.yaml", media_type::LOCK),
    ("images.json", media_type::IMAGES),
    ("sbom.cdx.json", media_type::CYCLONEDX),
    ("provenance.json", media_type::IN_TOTO),
];

/// Why an artifact is not a bundle, or its files are not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleArtifactError {
    /// The artifact type is another one.
    #[error(
        "`{0}` is not a bundle: expected the artifact type `application/vnd.cairn.bundle.v1+json`"
    )]
    NotABundle(String),
    /// A file that every bundle has is missing.
    #[error("the bundle has no `{0}`")]
    Missing(&'static str),
    /// The manifests cannot be unpacked.
    #[error("failed to unpack the manifests of the bundle")]
    Archive(#[from] ArchiveError),
    /// The manifest and the blobs do not fit.
    #[error("the artifact is incomplete")]
    Artifact(#[from] ArtifactError),
    /// `bundle.json` or the host files cannot be read.
    #[error("`{file}` of the bundle is malformed: {reason}")]
    Malformed {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A host file has a path that is refused.
    #[error("the bundle holds a path that is refused")]
    Path(#[from] PathError),
    /// A file is not the one that `bundle.json` names.
    #[error("`{0}` is not the file that `bundle.json` names")]
    FileMismatch(String),
}

/// A host file on the wire.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostFile {
    /// The content in base64.
    content: String,
}

/// Makes a bundle's artifact from its files.
pub fn bundle_artifact(
    tree: &FileTree,
    created: Option<&str>,
) -> Result<Artifact, BundleArtifactError> {
    let manifest = read_bundle_manifest(tree)?;
    let config = tree
        .get("bundle.json")
        .ok_or(BundleArtifactError::Missing("bundle.json"))?;
    let mut manifests = FileTree::new();
    let mut host = BTreeMap::new();
    for (path, file) in tree.iter() {
        if let Some(below) = path.below("manifests") {
            manifests.insert(below.parse()?, file.clone())?;
        } else if let Some(below) = path.below("host") {
            host.insert(
                below.to_owned(),
                HostFile {
                    content: BASE64.encode(&file.bytes),
                },
            );
        }
    }
    let mut builder = Artifact::builder(media_type::BUNDLE)
        .config(media_type::BUNDLE, config.bytes.to_vec())
        .file_layer(
            media_type::OCI_LAYER_TAR_GZIP,
            gzip(&write_tar(&manifests)),
            "manifests.tar.gz",
        );
    for (path, layer_type) in BUNDLE_FILES {
        let file = tree.get(path).ok_or(BundleArtifactError::Missing(path))?;
        builder = builder.file_layer(layer_type, file.bytes.to_vec(), path);
    }
    builder = builder
        .file_layer(
            media_type::HOST,
            canonical_json(&host).into_bytes(),
            "host.json",
        )
        .annotation(
            "org.opencontainers.image.title",
            manifest.profile.name.to_string(),
        )
        .annotation(
            "org.opencontainers.image.version",
            manifest.profile.version.to_string(),
        );
    if let Some(created) = created {
        builder = builder.annotation("org.opencontainers.image.created", created);
    }
    Ok(builder.build()?)
}

/// Unpacks a bundle's artifact, whose blobs are verified already, and checks that every file is the
/// one `bundle.json` names.
pub fn unpack_bundle(artifact: &Artifact) -> Result<FileTree, BundleArtifactError> {
    let manifest = artifact.manifest();
    if manifest.artifact_type() != Some(media_type::BUNDLE) {
        return Err(BundleArtifactError::NotABundle(
            manifest.artifact_type().unwrap_or("nothing").to_owned(),
        ));
    }
    let layer = |layer_type: &str| {
        let descriptor = manifest
            .layers()
            .iter()
            .find(|layer| layer.media_type == layer_type)?;
        artifact.blob(&descriptor.digest)
    };
    let mut tree = FileTree::new();
    tree.put(
        "bundle.json",
        artifact
            .config()
            .ok_or(BundleArtifactError::Missing("bundle.json"))?,
    );
    let packed =
        layer(media_type::OCI_LAYER_TAR_GZIP).ok_or(BundleArtifactError::Missing("manifests"))?;
    let (manifests, _) = read_tar_gzip(packed, &ArchiveLimits::BUNDLE)?;
    for (path, file) in manifests.iter() {
        tree.insert(format!("manifests/{path}").parse()?, file.clone())?;
    }
    for (path, layer_type) in BUNDLE_FILES {
        tree.put(
            path,
            layer(layer_type).ok_or(BundleArtifactError::Missing(path))?,
        );
    }
    let malformed = |reason: String| BundleArtifactError::Malformed {
        file: "host",
        reason,
    };
    let host = layer(media_type::HOST).ok_or(BundleArtifactError::Missing("host"))?;
    let host: BTreeMap<String, HostFile> =
        serde_json::from_slice(host).map_err(|error| malformed(error.to_string()))?;
    for (path, file) in host {
        let bytes = BASE64
            .decode(&file.content)
            .map_err(|error| malformed(error.to_string()))?;
        let path: TreePath = format!("host/{path}").parse()?;
        tree.insert(
            path,
            crate::File {
                bytes: bytes.into(),
                executable: false,
            },
        )?;
    }
    check_files(&tree)?;
    Ok(tree)
}

/// Reads `bundle.json`.
pub fn read_bundle_manifest(tree: &FileTree) -> Result<BundleManifest, BundleArtifactError> {
    let file = tree
        .get("bundle.json")
        .ok_or(BundleArtifactError::Missing("bundle.json"))?;
    serde_json::from_slice(&file.bytes).map_err(|error| BundleArtifactError::Malformed {
        file: "bundle.json",
        reason: error.to_string(),
    })
}

/// Every file but `bundle.json` is there with the digest that `bundle.json` names, and no other is.
pub fn check_files(tree: &FileTree) -> Result<(), BundleArtifactError> {
    let manifest = read_bundle_manifest(tree)?;
    let found: BTreeMap<String, Digest> = tree
        .iter()
        .filter(|(path, _)| path.as_str() != "bundle.json")
        .map(|(path, file)| (path.to_string(), Digest::sha256(&file.bytes)))
        .collect();
    let differs = |path: &&String| found.get(*path) != manifest.files.get(*path);
    match found.keys().chain(manifest.files.keys()).find(differs) {
        Some(path) => Err(BundleArtifactError::FileMismatch(path.clone())),
        None => Ok(()),
    }
}
