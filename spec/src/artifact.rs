//! OCI artifacts as values: descriptors, manifests with their exact bytes, and whole artifacts in
//! memory. Pure: it moves nothing and opens nothing.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md>

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, media_type};

/// The largest manifest in bytes (4 MiB): what every registry must accept, and no more.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// The most descriptors one manifest may list; a hostile manifest of 4 MiB holds more.
pub const MAX_DESCRIPTORS: usize = 10_000;

/// The content of the OCI empty descriptor.
pub const EMPTY_JSON: &[u8] = b"{}";

/// Annotations, sorted by key.
pub type Annotations = BTreeMap<String, String>;

/// A pointer to content: what it is, its digest and its size.
///
/// Serialises in the key order of the image specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The length of the content in bytes.
    pub size: u64,
    /// Other places that hold the content; a registry need not hold it then.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub urls: Vec<String>,
    /// Annotations of this use of the content.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: Annotations,
    /// The content itself, in base64; never trusted without the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The platform, in an index of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<serde_json::Value>,
    /// The artifact type of the manifest pointed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// Describes `content` with a SHA-256 digest.
    pub fn of(media_type: impl Into<String>, content: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(content), content.len() as u64)
    }

    /// A descriptor with the three required fields.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: Annotations::new(),
            data: None,
            platform: None,
            artifact_type: None,
        }
    }

    /// The OCI empty descriptor, `{}`.
    pub fn empty() -> Self {
        Self::of(media_type::OCI_EMPTY, EMPTY_JSON)
    }

    /// The descriptor points to a manifest or an index, which registries keep apart from blobs.
    pub fn is_manifest(&self) -> bool {
        is_manifest_type(&self.media_type)
    }

    /// Only media type, digest and size: what a `subject` field holds.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest.clone(), self.size)
    }
}

/// The media type is one of the four kinds of manifest that registries keep.
pub fn is_manifest_type(media_type: &str) -> bool {
    is_index_type(media_type)
        || matches!(
            media_type,
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST
        )
}

fn is_index_type(media_type: &str) -> bool {
    matches!(
        media_type,
        media_type::OCI_INDEX | media_type::DOCKER_MANIFEST_LIST
    )
}

/// Go writes an empty list as `null`.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why bytes are not a manifest, or content not an artifact.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The manifest is larger than registries accept.
    #[error("the manifest has {size_bytes} bytes, more than the {MAX_MANIFEST_BYTES} allowed")]
    TooLarge {
        /// Its size in bytes.
        size_bytes: usize,
    },
    /// The manifest is not the JSON that the image specification asks for.
    #[error("the manifest `{digest}` is malformed")]
    Malformed {
        /// The digest of the bytes.
        digest: Digest,
        /// What the JSON parser found.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest is of a kind that is not read here.
    #[error("`{media_type}` is not a manifest type that is supported")]
    MediaType {
        /// The media type found.
        media_type: String,
    },
    /// The media type in the manifest is not the one it was served with.
    #[error("the manifest says that it is `{inside}`, but it was served as `{outside}`")]
    MediaTypeMismatch {
        /// The media type in the manifest.
        inside: String,
        /// The media type it was served with.
        outside: String,
    },
    /// The manifest lists more content than is allowed.
    #[error("the manifest lists {count} descriptors, more than the {MAX_DESCRIPTORS} allowed")]
    TooManyDescriptors {
        /// How many it lists.
        count: usize,
    },
    /// A blob that the manifest lists is missing.
    #[error("the artifact lacks blob `{digest}`")]
    MissingBlob {
        /// The digest listed.
        digest: Digest,
    },
    /// A blob is not what its descriptor says.
    #[error("the blob does not have the digest `{digest}` and size {size_bytes} of its descriptor")]
    BlobMismatch {
        /// The digest expected.
        digest: Digest,
        /// The size expected, in bytes.
        size_bytes: u64,
    },
}

/// The parts of a manifest or index that are read; unknown fields live on in the raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Descriptor>,
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Option::is_none"
    )]
    layers: Option<Vec<Descriptor>>,
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Option::is_none"
    )]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Descriptor>,
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    annotations: Annotations,
}

/// An image manifest or an index: its exact bytes and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    bytes: Vec<u8>,
    digest: Digest,
    media_type: String,
    document: Document,
}

impl Manifest {
    /// Reads a manifest. `served_as` is the media type from outside (a `Content-Type` or a
    /// descriptor), which must agree with the one inside; one of the two must be there.
    pub fn parse(bytes: Vec<u8>, served_as: Option<&str>) -> Result<Self, ArtifactError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ArtifactError::TooLarge {
                size_bytes: bytes.len(),
            });
        }
        let digest = Digest::sha256(&bytes);
        let document: Document = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(source) => return Err(ArtifactError::Malformed { digest, source }),
        };
        let media_type = media_type_of(&document, served_as)?;
        let manifest = Self {
            bytes,
            digest,
            media_type,
            document,
        };
        let count = manifest.children().count();
        if count > MAX_DESCRIPTORS {
            return Err(ArtifactError::TooManyDescriptors { count });
        }
        Ok(manifest)
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The media type.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The manifest is an index of manifests.
    pub fn is_index(&self) -> bool {
        is_index_type(&self.media_type)
    }

    /// The `artifactType` field.
    pub fn artifact_type(&self) -> Option<&str> {
        self.document.artifact_type.as_deref()
    }

    /// The artifact type by which the manifest is listed as a referrer: its `artifactType`, or the
    /// media type of an image manifest's config.
    pub fn effective_artifact_type(&self) -> Option<&str> {
        self.artifact_type()
            .filter(|artifact_type| !artifact_type.is_empty())
            .or_else(|| self.config().map(|config| config.media_type.as_str()))
    }

    /// The config of an image manifest.
    pub fn config(&self) -> Option<&Descriptor> {
        self.document.config.as_ref()
    }

    /// The layers of an image manifest.
    pub fn layers(&self) -> &[Descriptor] {
        self.document.layers.as_deref().unwrap_or_default()
    }

    /// The manifests of an index.
    pub fn manifests(&self) -> &[Descriptor] {
        self.document.manifests.as_deref().unwrap_or_default()
    }

    /// The manifest that this one refers to.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.document.subject.as_ref()
    }

    /// The annotations of the manifest.
    pub fn annotations(&self) -> &Annotations {
        &self.document.annotations
    }

    /// Everything that must be there before the manifest is: config, layers, manifests. The
    /// subject is not among them; it may come later or never.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.document
            .config
            .iter()
            .chain(self.layers())
            .chain(self.manifests())
    }

    /// A descriptor of this manifest with media type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            self.media_type.clone(),
            self.digest.clone(),
            self.bytes.len() as u64,
        )
    }

    /// The descriptor by which a referrers list shows this manifest: with artifact type and
    /// annotations.
    pub fn referrer_descriptor(&self) -> Descriptor {
        Descriptor {
            artifact_type: self.effective_artifact_type().map(str::to_owned),
            annotations: self.document.annotations.clone(),
            ..self.descriptor()
        }
    }
}

fn media_type_of(document: &Document, served_as: Option<&str>) -> Result<String, ArtifactError> {
    let inside = document
        .media_type
        .as_deref()
        .filter(|text| !text.is_empty());
    let media_type = match (inside, served_as) {
        (Some(inside), Some(outside)) if inside != outside => {
            return Err(ArtifactError::MediaTypeMismatch {
                inside: inside.to_owned(),
                outside: outside.to_owned(),
            });
        }
        (Some(found), _) | (None, Some(found)) => found,
        // The specification lets OCI manifests leave the field out.
        (None, None) if document.manifests.is_some() => media_type::OCI_INDEX,
        (None, None) => media_type::OCI_MANIFEST,
    };
    if is_manifest_type(media_type) {
        Ok(media_type.to_owned())
    } else {
        Err(ArtifactError::MediaType {
            media_type: media_type.to_owned(),
        })
    }
}

/// Content with the descriptor it was checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    descriptor: Descriptor,
    bytes: Vec<u8>,
}

impl Blob {
    /// Describes `bytes`.
    pub fn new(media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            descriptor: Descriptor::of(media_type, &bytes),
            bytes,
        }
    }

    /// Checks `bytes` against a descriptor.
    pub fn checked(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Self, ArtifactError> {
        if descriptor.size != bytes.len() as u64 || !descriptor.digest.matches(&bytes) {
            return Err(ArtifactError::BlobMismatch {
                digest: descriptor.digest,
                size_bytes: descriptor.size,
            });
        }
        Ok(Self { descriptor, bytes })
    }

    /// What the content is.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A whole artifact in memory: an image manifest and every blob that it lists, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    manifest: Manifest,
    blobs: Vec<Blob>,
}

impl Artifact {
    /// Puts an artifact together; every blob that the manifest lists must be there.
    pub fn new(manifest: Manifest, blobs: Vec<Blob>) -> Result<Self, ArtifactError> {
        let missing = manifest.children().find(|child| {
            !blobs
                .iter()
                .any(|blob| blob.descriptor.digest == child.digest)
        });
        match missing {
            Some(child) => Err(ArtifactError::MissingBlob {
                digest: child.digest.clone(),
            }),
            None => Ok(Self { manifest, blobs }),
        }
    }

    /// Starts an artifact of a type. The same calls give the same bytes on every machine.
    ///
    /// ```
    /// use cairn_spec::Artifact;
    /// let artifact = Artifact::builder("application/vnd.example.v1+json")
    ///     .layer("text/plain", b"hello".to_vec())
    ///     .build()?;
    /// assert_eq!(artifact.layer("text/plain"), Some(&b"hello"[..]));
    /// # Ok::<_, cairn_spec::ArtifactError>(())
    /// ```
    pub fn builder(artifact_type: impl Into<String>) -> ArtifactBuilder {
        ArtifactBuilder {
            artifact_type: Some(artifact_type.into()),
            config: Blob::new(media_type::OCI_EMPTY, EMPTY_JSON.to_vec()),
            layers: Vec::new(),
            annotations: Annotations::new(),
            subject: None,
        }
    }

    /// Starts an image manifest without an artifact type, as tools from before OCI 1.1 write it.
    pub fn image_builder() -> ArtifactBuilder {
        ArtifactBuilder {
            artifact_type: None,
            ..Self::builder("")
        }
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of the manifest: the artifact's identity.
    pub fn digest(&self) -> &Digest {
        self.manifest.digest()
    }

    /// All blobs, each once, in the order of the manifest.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    /// The content with a digest.
    pub fn blob(&self, digest: &Digest) -> Option<&[u8]> {
        self.blobs
            .iter()
            .find(|blob| blob.descriptor.digest == *digest)
            .map(Blob::bytes)
    }

    /// The config's content.
    pub fn config(&self) -> Option<&[u8]> {
        self.blob(&self.manifest.config()?.digest)
    }

    /// The content of the first layer of a media type.
    pub fn layer(&self, media_type: &str) -> Option<&[u8]> {
        let layer = self
            .manifest
            .layers()
            .iter()
            .find(|layer| layer.media_type == media_type)?;
        self.blob(&layer.digest)
    }
}

/// Builds an [`Artifact`] with canonical bytes: keys in the order of the image specification,
/// annotations sorted, compact JSON.
#[derive(Debug, Clone)]
#[must_use]
pub struct ArtifactBuilder {
    artifact_type: Option<String>,
    config: Blob,
    layers: Vec<Blob>,
    annotations: Annotations,
    subject: Option<Descriptor>,
}

impl ArtifactBuilder {
    /// Sets the config; without it, the config is the OCI empty descriptor.
    pub fn config(mut self, media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.config = Blob::new(media_type, bytes);
        self
    }

    /// Adds a layer. An artifact without layers gets the OCI empty descriptor as its only one.
    pub fn layer(self, media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.annotated_layer(media_type, bytes, Annotations::new())
    }

    /// Adds a layer whose descriptor carries annotations.
    pub fn annotated_layer(
        mut self,
        media_type: impl Into<String>,
        bytes: Vec<u8>,
        annotations: Annotations,
    ) -> Self {
        let mut blob = Blob::new(media_type, bytes);
        blob.descriptor.annotations = annotations;
        self.layers.push(blob);
        self
    }

    /// Adds a layer with the name of the file that oras and others write it to when they pull.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>
    pub fn file_layer(
        self,
        media_type: impl Into<String>,
        bytes: Vec<u8>,
        file_name: impl Into<String>,
    ) -> Self {
        let title = (
            "org.opencontainers.image.title".to_owned(),
            file_name.into(),
        );
        self.annotated_layer(media_type, bytes, Annotations::from([title]))
    }

    /// Adds an annotation to the manifest.
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Makes the artifact a referrer of `subject`.
    pub fn subject(mut self, subject: &Descriptor) -> Self {
        self.subject = Some(subject.bare());
        self
    }

    /// Writes the manifest. Fails only when it grows past what registries accept.
    pub fn build(mut self) -> Result<Artifact, ArtifactError> {
        if self.layers.is_empty() {
            self.layers
                .push(Blob::new(media_type::OCI_EMPTY, EMPTY_JSON.to_vec()));
        }
        let layers = self.layers.iter().map(|blob| blob.descriptor.clone());
        let document = Document {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            artifact_type: self.artifact_type,
            config: Some(self.config.descriptor.clone()),
            layers: Some(layers.collect()),
            manifests: None,
            subject: self.subject,
            annotations: self.annotations,
        };
        let bytes = serde_json::to_vec(&document).map_err(|source| ArtifactError::Malformed {
            digest: Digest::sha256(b""),
            source,
        })?;
        let manifest = Manifest::parse(bytes, None)?;
        let mut blobs: Vec<Blob> = Vec::with_capacity(1 + self.layers.len());
        for blob in std::iter::once(self.config).chain(self.layers) {
            let known = |other: &Blob| other.descriptor.digest == blob.descriptor.digest;
            if !blobs.iter().any(known) {
                blobs.push(blob);
            }
        }
        Artifact::new(manifest, blobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Artifact {
        Artifact::builder("application/vnd.example.v1+json")
            .config("application/vnd.example.v1+json", br#"{"a":1}"#.to_vec())
            .layer("text/plain", b"one".to_vec())
            .layer("text/plain", b"one".to_vec())
            .annotation("b", "2")
            .annotation("a", "1")
            .subject(&Descriptor::empty())
            .build()
            .unwrap()
    }

    #[test]
    fn the_builder_writes_canonical_bytes() {
        insta::assert_snapshot!(
            String::from_utf8_lossy(example().manifest().bytes()),
            @r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.example.v1+json","config":{"mediaType":"application/vnd.example.v1+json","digest":"sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862","size":7},"layers":[{"mediaType":"text/plain","digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","size":3},{"mediaType":"text/plain","digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","size":3}],"subject":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"annotations":{"a":"1","b":"2"}}"#
        );
        assert_eq!(example().blobs().len(), 2);
    }

    #[test]
    fn manifests_keep_their_bytes_and_forgive_what_go_writes() {
        let text = r#"{ "schemaVersion": 2, "layers": null, "annotations": null, "extra": {"x": 1},
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "more": true,
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"} }"#;
        let manifest = Manifest::parse(text.as_bytes().to_vec(), None).unwrap();
        assert_eq!(manifest.bytes(), text.as_bytes());
        assert_eq!(manifest.media_type(), media_type::OCI_MANIFEST);
        assert_eq!(manifest.children().count(), 1);
        assert_eq!(
            manifest.effective_artifact_type(),
            Some(media_type::OCI_EMPTY)
        );
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let parse = |text: &str, served_as| Manifest::parse(text.as_bytes().to_vec(), served_as);
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":2,"mediaType":"text/plain"}"#,
            r#"{"schemaVersion":2,"layers":[{"mediaType":"a","digest":"sha256:0","size":1}]}"#,
            r#"{"schemaVersion":2,"layers":[{"mediaType":"a","size":-1}]}"#,
        ] {
            assert!(parse(bad, None).is_err(), "{bad}");
        }
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(parse(index, None).unwrap().is_index());
        assert!(parse(index, Some("text/plain")).is_err());
        let typed = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}"}}"#,
            media_type::OCI_INDEX
        );
        assert!(parse(&typed, Some(media_type::OCI_MANIFEST)).is_err());
        assert!(Manifest::parse(vec![b' '; MAX_MANIFEST_BYTES + 1], None).is_err());
    }

    #[test]
    fn blobs_and_artifacts_are_checked() {
        assert!(Blob::checked(Descriptor::empty(), b"{}".to_vec()).is_ok());
        assert!(Blob::checked(Descriptor::empty(), b"[]".to_vec()).is_err());
        assert!(Artifact::new(example().manifest().clone(), Vec::new()).is_err());
    }
}
