//! An OCI image layout: a directory that holds content, for air-gapped transport and for tools
//! that read layouts, such as skopeo and oras.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>

use std::path::{Path, PathBuf};

use cairn_spec::{Annotations, Descriptor, Manifest, Tag, media_type};
use serde::{Deserialize, Serialize};
use tokio::{fs, io::AsyncWriteExt as _, sync::Mutex};

use super::{Fetch, Name, Push, Resolve, SetTag, VerifyReader, fetch_manifest};
use crate::{Error, limits};

/// The annotation that names a manifest of a layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const LAYOUT_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";
const LAYOUT_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An OCI image layout in a directory.
///
/// Every file is written beside its place and renamed into it. One process writes a layout at a
/// time; within it, writers of `index.json` take turns.
#[derive(Debug)]
pub struct LayoutStore {
    root: PathBuf,
    index: Mutex<()>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutMarker {
    image_layout_version: String,
}

impl LayoutStore {
    /// Opens a layout; an empty or missing directory becomes one.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        let store = Self {
            root,
            index: Mutex::new(()),
        };
        let blobs = store.root.join("blobs").join("sha256");
        fs::create_dir_all(&blobs)
            .await
            .map_err(file_error("create", &blobs))?;
        let marker = store.root.join(LAYOUT_FILE);
        match read_limited(&marker).await? {
            Some(bytes) => check_marker(&marker, &bytes)?,
            None => write_whole(&marker, LAYOUT_CONTENT).await?,
        }
        if read_limited(&store.root.join(INDEX_FILE)).await?.is_none() {
            let index = Index {
                schema_version: 2,
                media_type: Some(media_type::OCI_INDEX.to_owned()),
                manifests: Vec::new(),
                annotations: Annotations::new(),
            };
            store.write_index(&index).await?;
        }
        Ok(store)
    }

    /// All tags, sorted.
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        let index = self.read_index().await?;
        let mut tags: Vec<Tag> = index
            .manifests
            .iter()
            .filter_map(|entry| entry.annotations.get(REF_NAME)?.parse().ok())
            .collect();
        tags.sort();
        Ok(tags)
    }

    fn blob_path(&self, descriptor: &Descriptor) -> PathBuf {
        let digest = &descriptor.digest;
        self.root
            .join("blobs")
            .join(digest.algorithm().as_str())
            .join(digest.hex())
    }

    async fn read_index(&self) -> Result<Index, Error> {
        let path = self.root.join(INDEX_FILE);
        let bytes = read_limited(&path)
            .await?
            .ok_or_else(|| Error::not_found(path.display()))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
            what: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    async fn write_index(&self, index: &Index) -> Result<(), Error> {
        let path = self.root.join(INDEX_FILE);
        let bytes = serde_json::to_vec(index).map_err(|error| Error::Malformed {
            what: path.display().to_string(),
            reason: error.to_string(),
        })?;
        write_whole(&path, &bytes).await
    }

    /// Changes `index.json`; `change` says whether it did.
    async fn change_index(&self, change: impl FnOnce(&mut Index) -> bool) -> Result<(), Error> {
        let _turn = self.index.lock().await;
        let mut index = self.read_index().await?;
        if change(&mut index) {
            self.write_index(&index).await?;
        }
        Ok(())
    }
}

impl Fetch for LayoutStore {
    async fn fetch(&self, descriptor: &Descriptor) -> Result<VerifyReader, Error> {
        let path = self.blob_path(descriptor);
        match fs::File::open(&path).await {
            Ok(file) => Ok(VerifyReader::new(descriptor, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::not_found(&descriptor.digest))
            }
            Err(error) => Err(file_error("open", &path)(error)),
        }
    }

    async fn exists(&self, descriptor: &Descriptor) -> Result<bool, Error> {
        let path = self.blob_path(descriptor);
        fs::try_exists(&path)
            .await
            .map_err(file_error("look for", &path))
    }
}

impl Push for LayoutStore {
    async fn push(&self, descriptor: &Descriptor, mut content: VerifyReader) -> Result<(), Error> {
        let path = self.blob_path(descriptor);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)
            .await
            .map_err(file_error("create", folder))?;
        let draft = draft_path(&path);
        let written = write_draft(&draft, &mut content, descriptor).await;
        if let Err(error) = written {
            // The first error is the one that matters.
            let _ = fs::remove_file(&draft).await;
            return Err(error);
        }
        fs::rename(&draft, &path)
            .await
            .map_err(file_error("write", &path))?;
        if !descriptor.is_manifest() {
            return Ok(());
        }
        // Referrers are found through `index.json`, so those manifests are entered there.
        let manifest = fetch_manifest(self, descriptor).await?;
        if manifest.subject().is_none() {
            return Ok(());
        }
        self.change_index(|index| {
            let known = index
                .manifests
                .iter()
                .any(|entry| entry.digest == descriptor.digest);
            if !known {
                index.manifests.push(manifest.referrer_descriptor());
            }
            !known
        })
        .await
    }
}

impl Resolve for LayoutStore {
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error> {
        let index = self.read_index().await?;
        let named = |entry: &&Descriptor| match name {
            Name::Tag(tag) => {
                entry.annotations.get(REF_NAME).map(String::as_str) == Some(tag.as_str())
            }
            Name::Digest(digest) => entry.digest == *digest,
        };
        if let Some(entry) = index.manifests.iter().find(named) {
            return Ok(entry.bare());
        }
        // A child of an index stands only under `blobs/`.
        let Name::Digest(digest) = name else {
            return Err(Error::not_found(name));
        };
        let path = self.blob_path(&Descriptor::new("", digest.clone(), 0));
        let bytes = read_limited(&path)
            .await?
            .ok_or_else(|| Error::not_found(name))?;
        let manifest = Manifest::parse(bytes, None).map_err(Error::artifact(digest))?;
        Ok(Descriptor {
            digest: digest.clone(),
            ..manifest.descriptor()
        })
    }

    async fn referrers(
        &self,
        subject: &Descriptor,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let index = self.read_index().await?;
        let mut referrers: Vec<Descriptor> = Vec::new();
        for entry in index.manifests.iter().filter(|entry| entry.is_manifest()) {
            let manifest = fetch_manifest(self, entry).await?;
            let refers = manifest
                .subject()
                .is_some_and(|found| found.digest == subject.digest)
                && (artifact_type.is_none() || manifest.effective_artifact_type() == artifact_type);
            let known = referrers.iter().any(|other| other.digest == entry.digest);
            if refers && !known {
                referrers.push(manifest.referrer_descriptor());
            }
        }
        Ok(referrers)
    }
}

impl SetTag for LayoutStore {
    async fn set_tag(&self, descriptor: &Descriptor, tag: &Tag) -> Result<(), Error> {
        if !self.exists(descriptor).await? {
            return Err(Error::not_found(&descriptor.digest));
        }
        let manifest = fetch_manifest(self, descriptor).await?;
        let mut entry = Descriptor {
            artifact_type: manifest.artifact_type().map(str::to_owned),
            ..descriptor.bare()
        };
        entry
            .annotations
            .insert(REF_NAME.to_owned(), tag.as_str().to_owned());
        self.change_index(|index| {
            let names = |entry: &Descriptor| {
                entry.annotations.get(REF_NAME).map(String::as_str) == Some(tag.as_str())
            };
            // A tag replaces itself, and the entry that only says "this manifest is here".
            index.manifests.retain(|other| {
                !(names(other)
                    || (other.digest == entry.digest && !other.annotations.contains_key(REF_NAME)))
            });
            index.manifests.push(entry);
            true
        })
        .await
    }
}

fn check_marker(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let refuse = |reason: String| Error::Malformed {
        what: path.display().to_string(),
        reason,
    };
    let marker: LayoutMarker =
        serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
    if marker.image_layout_version.starts_with("1.") {
        Ok(())
    } else {
        let version = marker.image_layout_version;
        Err(refuse(format!(
            "layout version `{version}` is not supported"
        )))
    }
}

fn file_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::File {
        action,
        path: path.to_owned(),
        source,
    }
}

fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.part", rand::random::<u64>()));
    path.with_file_name(name)
}

async fn write_draft(
    draft: &Path,
    content: &mut VerifyReader,
    descriptor: &Descriptor,
) -> Result<(), Error> {
    let mut file = fs::File::create(draft)
        .await
        .map_err(file_error("create", draft))?;
    tokio::io::copy(content, &mut file)
        .await
        .map_err(Error::content(&descriptor.digest))?;
    file.flush().await.map_err(file_error("write", draft))?;
    file.sync_all().await.map_err(file_error("write", draft))
}

async fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let draft = draft_path(path);
    fs::write(&draft, bytes)
        .await
        .map_err(file_error("write", &draft))?;
    fs::rename(&draft, path)
        .await
        .map_err(file_error("write", path))
}

/// Reads a file that is no larger than a manifest may be; `None` when there is none.
async fn read_limited(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::metadata(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error("read", path)(error)),
        Ok(metadata) if metadata.len() > limits::MAX_MANIFEST_BYTES as u64 => {
            return Err(Error::Limit {
                what: path.display().to_string(),
                limit: limits::MAX_MANIFEST_BYTES as u64,
                unit: "bytes",
            });
        }
        Ok(_) => {}
    }
    fs::read(path)
        .await
        .map(Some)
        .map_err(file_error("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn the_layout_store_conforms() {
        let folder = tempfile::tempdir().unwrap();
        conformance::check(&LayoutStore::open(folder.path()).await.unwrap()).await;
        // No draft is left behind, not even by the pushes that failed.
        let blobs = std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap();
        for blob in blobs {
            assert_eq!(blob.unwrap().file_name().len(), 64);
        }
        let reopened = LayoutStore::open(folder.path()).await.unwrap();
        assert!(!reopened.tags().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_layout_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join(LAYOUT_FILE);
        std::fs::write(marker, r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
        let error = LayoutStore::open(folder.path()).await.unwrap_err();
        assert!(error.to_string().contains("version `2.0.0`"), "{error}");
    }
}
