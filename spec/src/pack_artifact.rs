//! A pack as an OCI artifact (`spec/pack.md` §7): pure functions between a tree of files and an artifact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ApiVersion, ArchiveError, ArchiveLimits, Artifact, ArtifactError, Digest, FileTree,
    PackManifest, TreePath, canonical_json, gzip, media_type, read_tar_gzip, write_tar,
};

/// The config blob of a pack's artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackConfig {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `PackConfig`.
    pub kind: String,
    /// `pack.yaml`.
    pub pack: PackManifest,
    /// Every file, sorted by path.
    pub files: Vec<PackFile>,
    /// The digest of the uncompressed tar.
    pub diff_id: Digest,
}

/// One file of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackFile {
    /// Its path.
    pub path: TreePath,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// Why an artifact is not a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackArtifactError {
    /// The artifact type is another one.
    #[error("`{0}` is not a pack: expected the artifact type `application/vnd.cairn.pack.v1+json`")]
    NotAPack(String),
    /// There is no content layer, or more than one.
    #[error(
        "a pack has exactly one layer of type `application/vnd.cairn.pack.content.v1.tar+gzip`, found {0}"
    )]
    ContentLayers(usize),
    /// The content cannot be unpacked.
    #[error("failed to unpack the content of the pack")]
    Archive(#[from] ArchiveError),
    /// The manifest and the blobs do not fit.
    #[error("the artifact is incomplete")]
    Artifact(#[from] ArtifactError),
    /// The config says something else than the content.
    #[error("the config of the pack does not fit its content: {0}")]
    ConfigMismatch(String),
}

/// Makes a pack's artifact. `created` is an RFC 3339 time, from `SOURCE_DATE_EPOCH`; usually none.
pub fn pack_artifact(
    manifest: &PackManifest,
    tree: &FileTree,
    created: Option<&str>,
) -> Result<Artifact, PackArtifactError> {
    let tar = write_tar(tree);
    let config = PackConfig {
        api_version: ApiVersion,
        kind: "PackConfig".to_owned(),
        pack: manifest.clone(),
        files: files_of(tree),
        diff_id: Digest::sha256(&tar),
    };
    let metadata = &manifest.metadata;
    let mut annotations = BTreeMap::from([
        (
            "org.opencontainers.image.title".to_owned(),
            metadata.name.to_string(),
        ),
        (
            "org.opencontainers.image.version".to_owned(),
            metadata.version.to_string(),
        ),
    ]);
    let optional = [
        ("description", metadata.description.as_deref()),
        ("licenses", metadata.license.as_deref()),
        ("url", metadata.home.as_deref()),
        ("source", metadata.sources.first().map(String::as_str)),
        ("created", created),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            annotations.insert(format!("org.opencontainers.image.{key}"), value.to_owned());
        }
    }
    let mut builder = Artifact::builder(media_type::PACK)
        .config(media_type::PACK, canonical_json(&config).into_bytes())
        .file_layer(media_type::PACK_CONTENT, gzip(&tar), "content.tar.gz");
    for (path, layer_type) in [
        ("README.md", media_type::PACK_README),
        ("logo.svg", media_type::PACK_LOGO),
    ] {
        if let Some(file) = tree.get(path) {
            builder = builder.file_layer(layer_type, file.bytes.to_vec(), path);
        }
    }
    for (key, value) in annotations {
        builder = builder.annotation(key, value);
    }
    Ok(builder.build()?)
}

/// What a pack's artifact holds.
#[derive(Debug, Clone)]
pub struct UnpackedPack {
    /// The files.
    pub tree: FileTree,
    /// The digest of the uncompressed tar.
    pub diff_id: Digest,
    /// The config, when the pack was built by Cairn; other tools push `{}`.
    pub config: Option<PackConfig>,
}

/// Unpacks a pack's artifact, whose blobs are verified already.
pub fn unpack_pack(artifact: &Artifact) -> Result<UnpackedPack, PackArtifactError> {
    let manifest = artifact.manifest();
    let found = manifest
        .artifact_type()
        .or_else(|| manifest.config().map(|config| config.media_type.as_str()));
    if found != Some(media_type::PACK) {
        return Err(PackArtifactError::NotAPack(
            found.unwrap_or("nothing").to_owned(),
        ));
    }
    let content: Vec<_> = manifest
        .layers()
        .iter()
        .filter(|layer| layer.media_type == media_type::PACK_CONTENT)
        .collect();
    let [content] = content.as_slice() else {
        return Err(PackArtifactError::ContentLayers(content.len()));
    };
    let packed = artifact
        .blob(&content.digest)
        .ok_or_else(|| ArtifactError::MissingBlob {
            digest: content.digest.clone(),
        })?;
    let (tree, tar) = read_tar_gzip(packed, &ArchiveLimits::PACK)?;
    let diff_id = Digest::sha256(&tar);
    let is_own = manifest
        .config()
        .is_some_and(|config| config.media_type == media_type::PACK);
    let config = match artifact
        .config()
        .filter(|bytes| is_own && *bytes != crate::EMPTY_JSON)
    {
        Some(bytes) => Some(check_config(bytes, &tree, &diff_id)?),
        None => None,
    };
    Ok(UnpackedPack {
        tree,
        diff_id,
        config,
    })
}

fn check_config(
    bytes: &[u8],
    tree: &FileTree,
    diff_id: &Digest,
) -> Result<PackConfig, PackArtifactError> {
    let mismatch = PackArtifactError::ConfigMismatch;
    let config: PackConfig =
        serde_json::from_slice(bytes).map_err(|error| mismatch(error.to_string()))?;
    if config.diff_id != *diff_id {
        return Err(mismatch(format!(
            "it promises the content `{}`, found `{diff_id}`",
            config.diff_id
        )));
    }
    if config.files != files_of(tree) {
        return Err(mismatch("it lists other files".to_owned()));
    }
    Ok(config)
}

fn files_of(tree: &FileTree) -> Vec<PackFile> {
    tree.iter()
        .map(|(path, file)| PackFile {
            path: path.clone(),
            size: file.bytes.len() as u64,
            digest: Digest::sha256(&file.bytes),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> PackManifest {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "cairn.dev/v1", "kind": "Pack",
            "metadata": {"name": "web", "version": "1.0.0+a", "license": "Apache-2.0"},
            "spec": {"layer": "addon"},
        }))
        .unwrap()
    }

    fn tree() -> FileTree {
        let mut tree = FileTree::new();
        tree.put("pack.yaml", "kind: Pack\n");
        tree.put("README.md", "# Web\n");
        tree
    }

    #[test]
    fn packs_round_trip() {
        let artifact = pack_artifact(&manifest(), &tree(), None).unwrap();
        let back = unpack_pack(&artifact).unwrap();
        assert_eq!(back.tree, tree());
        assert_eq!(back.config.unwrap().diff_id, back.diff_id);
        insta::assert_snapshot!(String::from_utf8_lossy(artifact.manifest().bytes()), @r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.cairn.pack.v1+json","config":{"mediaType":"application/vnd.cairn.pack.v1+json","digest":"sha256:86f57a90ed63736c8743999367919a5805c8fcd820247063a49b7f2ccdbd29d0","size":514},"layers":[{"mediaType":"application/vnd.cairn.pack.content.v1.tar+gzip","digest":"sha256:2022af37e4b1e23a673d93b33876482a09e0b541692ee534b6f78d7874c0c397","size":153,"annotations":{"org.opencontainers.image.title":"content.tar.gz"}},{"mediaType":"application/vnd.cairn.pack.readme.v1+markdown","digest":"sha256:4245d42dbb8c25c75c7d7c535921e2ee60ab11d5a507b6a0e272b9bf9c344052","size":6,"annotations":{"org.opencontainers.image.title":"README.md"}}],"annotations":{"org.opencontainers.image.licenses":"Apache-2.0","org.opencontainers.image.title":"web","org.opencontainers.image.version":"1.0.0+a"}}"#);
    }

    #[test]
    fn a_config_that_lies_is_refused() {
        let honest = pack_artifact(&manifest(), &tree(), None).unwrap();
        let mut other = tree();
        other.put("values.yaml", "a: 1\n");
        let swapped = Artifact::builder(media_type::PACK)
            .config(media_type::PACK, honest.config().unwrap().to_vec())
            .layer(media_type::PACK_CONTENT, gzip(&write_tar(&other)))
            .build()
            .unwrap();
        assert!(matches!(
            unpack_pack(&swapped),
            Err(PackArtifactError::ConfigMismatch(_))
        ));
        let foreign = Artifact::builder("application/x").build().unwrap();
        assert!(matches!(
            unpack_pack(&foreign),
            Err(PackArtifactError::NotAPack(_))
        ));
    }
}
