//! Content in folders: OCI image layouts, and the trees of distribution.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>,
//! <https://github.com/distribution/distribution/blob/v3.0.0/registry/storage/paths.go>

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncWriteExt},
};

use crate::{Error, Result, storage::Chunks};

/// The annotation that says under which name content is known.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The content of `oci-layout`.
const OCI_LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// The largest `index.json` that is read: some 100,000 entries.
const INDEX_BYTES: u64 = 64 * 1024 * 1024;
/// How much of a file is read at once, in bytes.
const READ_CHUNK_BYTES: usize = 512 * 1024;

/// The manifests and tags of each repository.
pub(super) type Manifests = BTreeMap<RepositoryName, BTreeMap<Digest, Vec<Tag>>>;

/// `index.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<IndexEntry>,
}

/// What `index.json` names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IndexEntry {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A folder that content is read from or written to.
#[derive(Debug, Clone)]
pub(super) enum Folder {
    /// An OCI image layout.
    Layout(PathBuf),
    /// `docker/registry/v2` of distribution.
    Distribution(PathBuf),
}

impl Folder {
    /// Finds out what a folder holds.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.join("oci-layout").is_file() {
            return Ok(Self::Layout(path.to_owned()));
        }
        let tree = Path::new("docker/registry/v2");
        for root in [path.join(tree), path.to_owned()] {
            if root.join("repositories").is_dir() && root.join("blobs").is_dir() {
                return Ok(Self::Distribution(root));
            }
        }
        let reason = "it is neither an OCI image layout (with a file `oci-layout`) nor a tree of \
                      distribution (with `docker/registry/v2`)";
        Err(unusable(path, reason))
    }

    /// Starts a layout where there is none.
    pub(super) async fn create_layout(path: &Path) -> Result<Self> {
        if path.join("index.json").exists() {
            return Err(unusable(path, "it holds a layout: choose a new folder"));
        }
        let root = path.join("blobs");
        for algorithm in ["sha256", "sha512"] {
            let folder = root.join(algorithm);
            let created = fs::create_dir_all(&folder).await;
            created.map_err(|source| failed("create", &folder, source))?;
        }
        Ok(Self::Layout(path.to_owned()))
    }

    /// Where the content with a digest is.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
        match self {
            Self::Layout(root) => root.join("blobs").join(algorithm).join(hex),
            Self::Distribution(root) => {
                let shard = hex.get(..2).unwrap_or_default();
                let folder = root.join("blobs").join(algorithm).join(shard);
                folder.join(hex).join("data")
            }
        }
    }

    /// All content with a digest, if the folder has it.
    pub(super) async fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Option<Bytes>> {
        read_file(&self.path(digest), limit_bytes).await
    }

    /// The content with a digest in pieces, if the folder has it.
    pub(super) async fn stream(&self, digest: &Digest) -> Result<Option<Chunks>> {
        let path = self.path(digest);
        let file = match File::open(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|source| failed("open", &path, source))?,
        };
        let chunks = stream::try_unfold((file, path), |(mut file, path)| async move {
            let mut chunk = BytesMut::with_capacity(READ_CHUNK_BYTES);
            match file.read_buf(&mut chunk).await {
                Ok(0) => Ok(None),
                Ok(_) => Ok(Some((chunk.freeze(), (file, path)))),
                Err(source) => Err(failed("read", &path, source)),
            }
        });
        Ok(Some(chunks.boxed()))
    }

    /// Writes content under its digest; false if it was there.
    pub(super) async fn write(&self, digest: &Digest, mut chunks: Chunks) -> Result<bool> {
        let path = self.path(digest);
        if path.exists() {
            return Ok(false);
        }
        let partial = path.with_extension("partial");
        let file = File::create(&partial).await;
        let mut file = file.map_err(|source| failed("create", &partial, source))?;
        let mut hasher = cairn_spec::Hasher::new(digest.algorithm());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            hasher.update(&chunk);
            let written = file.write_all(&chunk).await;
            written.map_err(|source| failed("write", &partial, source))?;
        }
        let actual = hasher.finish();
        if actual != *digest {
            let _ = fs::remove_file(&partial).await;
            let expected = digest.clone();
            return Err(Error::DigestMismatch { expected, actual });
        }
        let synced = file.sync_all().await;
        synced.map_err(|source| failed("sync", &partial, source))?;
        let renamed = fs::rename(&partial, &path).await;
        renamed.map_err(|source| failed("rename", &partial, source))?;
        Ok(true)
    }

    /// Completes a layout: its index comes last, so that a layout cut short is not taken for one.
    pub(super) async fn write_index(&self, manifests: Vec<IndexEntry>) -> Result<()> {
        let (Self::Layout(root) | Self::Distribution(root)) = self;
        let index = Index {
            schema_version: 2,
            media_type: Some(cairn_spec::media_type::OCI_INDEX.to_owned()),
            manifests,
        };
        let index = serde_json::to_vec(&index)
            .map_err(|source| Error::storage("encode `index.json`".to_owned(), source))?;
        for (name, content) in [
            ("index.json", index.as_slice()),
            ("oci-layout", OCI_LAYOUT.as_bytes()),
        ] {
            let path = root.join(name);
            let written = fs::write(&path, content).await;
            written.map_err(|source| failed("write", &path, source))?;
        }
        Ok(())
    }
}

/// The entries of a layout.
pub(super) async fn read_index(root: &Path) -> Result<Vec<IndexEntry>> {
    let path = root.join("index.json");
    let Some(index) = read_file(&path, INDEX_BYTES).await? else {
        return Err(unusable(root, "it has no `index.json`"));
    };
    let index: Index = serde_json::from_slice(&index)
        .map_err(|error| unusable(root, &format!("its `index.json` is malformed: {error}")))?;
    Ok(index.manifests)
}

/// What the index of a layout names: `REPOSITORY:TAG` and `REPOSITORY@DIGEST` as exports write
/// them, or a tag alone, as other tools do.
pub(super) async fn named_manifests(
    root: &Path,
    repository: Option<&RepositoryName>,
) -> Result<Manifests> {
    let mut manifests = Manifests::new();
    for entry in read_index(root).await? {
        let name = entry.annotations.get(REF_NAME).map(String::as_str);
        let (own, tag) = split(name.unwrap_or_default());
        let Some(repository) = own.as_ref().or(repository) else {
            let reason = format!(
                "its entry `{}` does not say which repository it belongs to: name one",
                name.unwrap_or(entry.digest.as_str())
            );
            return Err(unusable(root, &reason));
        };
        let in_repository = manifests.entry(repository.clone()).or_default();
        in_repository.entry(entry.digest).or_default().extend(tag);
    }
    Ok(manifests)
}

/// The repository and the tag in the name of an entry.
fn split(name: &str) -> (Option<RepositoryName>, Option<Tag>) {
    if let Some((repository, _)) = name.split_once('@') {
        return (repository.parse().ok(), None);
    }
    match name.rsplit_once(':') {
        Some((repository, tag)) => (repository.parse().ok(), tag.parse().ok()),
        None => (None, name.parse().ok()),
    }
}

/// The repositories of a tree of distribution, with the manifests and tags of each.
pub(super) async fn read_tree(root: &Path) -> Result<Manifests> {
    let repositories = root.join("repositories");
    let mut found = BTreeMap::new();
    let mut folders = vec![repositories.clone()];
    while let Some(folder) = folders.pop() {
        for name in names(&folder).await? {
            let below = folder.join(&name);
            if name == "_manifests" {
                let relative = folder.strip_prefix(&repositories).unwrap_or(&folder);
                let text = relative.to_string_lossy().replace('\\', "/");
                let repository: RepositoryName = text.parse()?;
                found.insert(repository, read_manifests(&below).await?);
            } else if !name.starts_with('_') && below.is_dir() {
                folders.push(below);
            }
        }
    }
    Ok(found)
}

async fn read_manifests(folder: &Path) -> Result<BTreeMap<Digest, Vec<Tag>>> {
    let mut manifests = BTreeMap::new();
    for algorithm in names(&folder.join("revisions")).await? {
        let revisions = folder.join("revisions").join(&algorithm);
        for hex in names(&revisions).await? {
            // A revision without its link is what a deletion left.
            if let Some(digest) = read_link(&revisions.join(&hex).join("link")).await? {
                manifests.insert(digest, Vec::new());
            }
        }
    }
    for name in names(&folder.join("tags")).await? {
        let link = folder.join("tags").join(&name).join("current/link");
        if let Some(digest) = read_link(&link).await? {
            manifests.entry(digest).or_default().push(name.parse()?);
        }
    }
    Ok(manifests)
}

async fn read_link(path: &Path) -> Result<Option<Digest>> {
    const LINK_BYTES: u64 = 1024;
    link_digest(read_file(path, LINK_BYTES).await?)
}

/// The digest in a link; `None` where there is none, or an empty one, which a crash of distribution
/// may leave.
pub(super) fn link_digest(content: Option<Bytes>) -> Result<Option<Digest>> {
    let content = content.unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    match text.trim() {
        "" => Ok(None),
        text => Ok(Some(text.parse()?)),
    }
}

async fn read_file(path: &Path, limit_bytes: u64) -> Result<Option<Bytes>> {
    let file = match File::open(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|source| failed("open", path, source))?,
    };
    let mut content = Vec::new();
    let read = file.take(limit_bytes + 1).read_to_end(&mut content).await;
    read.map_err(|source| failed("read", path, source))?;
    if content.len() as u64 > limit_bytes {
        let reason = format!("it is larger than {limit_bytes} bytes");
        return Err(unusable(path, &reason));
    }
    Ok(Some(content.into()))
}

/// The names in a folder, in order; none if it does not exist.
async fn names(folder: &Path) -> Result<Vec<String>> {
    let mut entries = match fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| failed("list", folder, source))?,
    };
    let mut names = Vec::new();
    loop {
        let entry = entries.next_entry().await;
        match entry.map_err(|source| failed("list", folder, source))? {
            Some(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
            None => break,
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn failed(action: &str, path: &Path, source: io::Error) -> Error {
    Error::storage(format!("{action} `{}`", path.display()), source)
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Folder {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}
