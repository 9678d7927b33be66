//! Reading manifests: strict where two readers could disagree, lenient towards what is new.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md>,
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>

use std::collections::BTreeMap;

use cairn_spec::{Digest, media_type};
use serde::Deserialize;

use super::Descriptor;
use crate::{Error, Result};

/// A manifest or an index, as far as the registry understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) media_type: String,
    /// What the document references and the repository must hold.
    pub(crate) children: Vec<Child>,
    pub(crate) subject: Option<Digest>,
    /// The type this document has among the referrers of its subject.
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// The entries of an index, as written.
    pub(crate) entries: Vec<Descriptor>,
}

/// Content that a document references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Child {
    /// A blob.
    Blob(Digest),
    /// An entry of an index: a manifest or, as build caches have it, a blob.
    Entry(Digest),
}

impl Child {
    pub(crate) fn digest(&self) -> &Digest {
        match self {
            Self::Blob(digest) | Self::Entry(digest) => digest,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<WireDescriptor>,
    layers: Option<Vec<WireDescriptor>>,
    manifests: Option<Vec<WireDescriptor>>,
    subject: Option<WireDescriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDescriptor {
    #[serde(flatten)]
    descriptor: Descriptor,
    urls: Option<Vec<String>>,
}

impl WireDescriptor {
    /// The content lives elsewhere, so the repository need not hold it.
    fn is_foreign(&self) -> bool {
        let media_type = &self.descriptor.media_type;
        media_type.contains("nondistributable")
            || media_type.contains(".foreign.")
            || self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

impl Document {
    /// Reads a manifest that was sent with a `Content-Type`.
    pub(crate) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self> {
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        // Parameters such as `charset` say nothing about a manifest.
        let announced = content_type
            .and_then(|text| text.split(';').next())
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let media_type = match (announced, wire.media_type.as_deref()) {
            (Some(announced), Some(inner)) if announced != inner => {
                return Err(invalid(format!(
                    "its `mediaType` is `{inner}`, but it was sent as `{announced}`"
                )));
            }
            (Some(media_type), _) | (None, Some(media_type)) => media_type.to_owned(),
            (None, None) => return Err(invalid("it has neither `Content-Type` nor `mediaType`")),
        };
        if wire.schema_version != 2 {
            return Err(invalid(format!(
                "its `schemaVersion` is {}, not 2",
                wire.schema_version
            )));
        }
        match media_type.as_str() {
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => manifest(media_type, wire),
            media_type::OCI_INDEX | media_type::DOCKER_MANIFEST_LIST => index(media_type, wire),
            other => Err(invalid(format!("`{other}` is no manifest's media type"))),
        }
    }

    /// This document's entry among the referrers of its subject.
    pub(crate) fn descriptor(&self, digest: &Digest, size_bytes: u64) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: digest.clone(),
            size: size_bytes,
            artifact_type: self.artifact_type.clone(),
            annotations: (!self.annotations.is_empty()).then(|| self.annotations.clone()),
        }
    }
}

fn manifest(media_type: String, wire: Wire) -> Result<Document> {
    // What one reader takes for a manifest, another must not take for an index (CVE-2021-41190).
    if wire.manifests.is_some() {
        return Err(invalid("an image manifest has no `manifests`"));
    }
    let config = wire.config.ok_or_else(|| invalid("it has no `config`"))?;
    let artifact_type = wire
        .artifact_type
        .filter(|artifact_type| !artifact_type.is_empty())
        .unwrap_or_else(|| config.descriptor.media_type.clone());
    let children = std::iter::once(&config)
        .chain(wire.layers.iter().flatten())
        .filter(|descriptor| !descriptor.is_foreign())
        .map(|child| Child::Blob(child.descriptor.digest.clone()))
        .collect();
    Ok(Document {
        media_type,
        children,
        subject: wire.subject.map(|subject| subject.descriptor.digest),
        artifact_type: Some(artifact_type),
        annotations: wire.annotations.unwrap_or_default(),
        entries: Vec::new(),
    })
}

fn index(media_type: String, wire: Wire) -> Result<Document> {
    if wire.layers.is_some() || wire.config.is_some() {
        return Err(invalid("an index has neither `config` nor `layers`"));
    }
    let entries = wire.manifests.unwrap_or_default();
    let children = entries
        .iter()
        .filter(|descriptor| !descriptor.is_foreign())
        .map(|child| Child::Entry(child.descriptor.digest.clone()))
        .collect();
    Ok(Document {
        media_type,
        children,
        subject: wire.subject.map(|subject| subject.descriptor.digest),
        artifact_type: wire.artifact_type.filter(|text| !text.is_empty()),
        annotations: wire.annotations.unwrap_or_default(),
        entries: entries.into_iter().map(|entry| entry.descriptor).collect(),
    })
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::ManifestInvalid(reason.into())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn read(document: &serde_json::Value, content_type: Option<&str>) -> String {
        match Document::parse(&serde_json::to_vec(document).unwrap(), content_type) {
            Err(error) => error.to_string(),
            Ok(document) => format!(
                "{}, {} children, subject {}, type {}",
                document.media_type.rsplit_once("vnd.").unwrap().1,
                document.children.len(),
                document.subject.is_some(),
                document.artifact_type.as_deref().unwrap_or("none"),
            ),
        }
    }

    fn descriptor(media_type: &str) -> serde_json::Value {
        json!({"mediaType": media_type, "digest": Digest::sha256(b""), "size": 0})
    }

    #[test]
    fn manifests_are_read() {
        let oci = Some(media_type::OCI_MANIFEST);
        let config = descriptor("a/config");
        let image = json!({"schemaVersion": 2, "config": config, "layers": [descriptor("a/b")]});
        assert_snapshot!(read(&image, oci), @"oci.image.manifest.v1+json, 2 children, subject false, type a/config");
        assert_snapshot!(read(&image, Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8")), @"oci.image.manifest.v1+json, 2 children, subject false, type a/config");
        assert_snapshot!(read(&image, None), @"the manifest is invalid: it has neither `Content-Type` nor `mediaType`");
        assert_snapshot!(read(&image, Some("text/plain")), @"the manifest is invalid: `text/plain` is no manifest's media type");
        assert_snapshot!(read(&image, Some(media_type::OCI_INDEX)), @"the manifest is invalid: an index has neither `config` nor `layers`");

        let foreign = json!({"schemaVersion": 2, "config": config, "artifactType": "x/y", "subject": config, "layers": [
            descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar"),
            {"mediaType": "a/b", "digest": Digest::sha256(b""), "size": 0, "urls": ["https://example.com"]},
        ]});
        assert_snapshot!(read(&foreign, oci), @"oci.image.manifest.v1+json, 1 children, subject true, type x/y");
        let mixed = json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": []});
        assert_snapshot!(read(&mixed, oci), @"the manifest is invalid: an image manifest has no `manifests`");
        let typed = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX});
        assert_snapshot!(read(&typed, oci), @"the manifest is invalid: its `mediaType` is `application/vnd.oci.image.index.v1+json`, but it was sent as `application/vnd.oci.image.manifest.v1+json`");
        assert_snapshot!(read(&typed, None), @"oci.image.index.v1+json, 0 children, subject false, type none");
        let old = json!({"schemaVersion": 1});
        assert_snapshot!(read(&old, oci), @"the manifest is invalid: its `schemaVersion` is 1, not 2");
        let index =
            json!({"schemaVersion": 2, "manifests": [descriptor("a/b")], "new": {"field": 1}});
        assert_snapshot!(read(&index, Some(media_type::OCI_INDEX)), @"oci.image.index.v1+json, 1 children, subject false, type none");
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        let twice = br#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#;
        assert!(Document::parse(twice, Some(media_type::OCI_INDEX)).is_err());
        assert!(Document::parse(b"not JSON", Some(media_type::OCI_INDEX)).is_err());
    }
}
