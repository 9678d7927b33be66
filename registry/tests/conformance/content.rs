//! Content to push: blobs, images and indexes, each run's the same bytes.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{Digest, DigestAlgorithm, Hasher, media_type};
use serde_json::{Map, Value, json};

pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const OCTET_STREAM: &str = "application/octet-stream";

/// A set of content that is pushed, read and deleted together.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// In the order to push them.
    pub(crate) manifests: Vec<(Digest, Vec<u8>)>,
    pub(crate) tags: BTreeMap<String, Digest>,
    /// The descriptors to find below each subject.
    pub(crate) referrers: BTreeMap<Digest, Vec<Value>>,
    /// Tags go with the manifests, as parameters.
    pub(crate) tag_parameters: bool,
    /// The manifest is not what its digest says, so it must be refused.
    pub(crate) bad_digest: bool,
    /// Makes each blob unlike the others.
    made: u64,
    /// What this set's noise begins with.
    seed: u64,
}

/// What an image or an index is like. Fields that are not given are those of a plain image.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) annotations: Map<String, Value>,
    /// Adds an annotation that no other manifest has.
    pub(crate) unique_annotation: bool,
    pub(crate) artifact_type: Option<&'static str>,
    /// The media type and the bytes of a config that describes no image.
    pub(crate) config: Option<(&'static str, &'static [u8])>,
    pub(crate) descriptor_data: bool,
    pub(crate) extra_field: bool,
    pub(crate) layer_bytes: Option<&'static [u8]>,
    pub(crate) layers: usize,
    pub(crate) layer_type: &'static str,
    pub(crate) architectures: Vec<&'static str>,
    pub(crate) subject: Option<Value>,
    pub(crate) tag: Option<&'static str>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            algorithm: DigestAlgorithm::Sha256,
            annotations: Map::new(),
            unique_annotation: false,
            artifact_type: None,
            config: None,
            descriptor_data: false,
            extra_field: false,
            layer_bytes: None,
            layers: 2,
            layer_type: LAYER_GZIP,
            architectures: vec!["amd64", "arm64"],
            subject: None,
            tag: None,
        }
    }
}

impl Content {
    pub(crate) fn new(name: &str) -> Self {
        let hash = Digest::sha256(name.as_bytes());
        Self {
            seed: u64::from_str_radix(&hash.hex()[..16], 16).unwrap(),
            ..Self::default()
        }
    }

    /// Adds a blob; its descriptor.
    pub(crate) fn blob(&mut self, shape: &Shape, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(shape.algorithm, &bytes);
        let mut descriptor =
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        if shape.descriptor_data {
            descriptor["data"] = STANDARD.encode(&bytes).into();
        }
        self.blobs.insert(digest, bytes);
        descriptor
    }

    /// Adds an image or an artifact; its descriptor.
    pub(crate) fn image(&mut self, shape: &Shape, architecture: &str) -> Value {
        let mut layers = Vec::new();
        for _ in 0..shape.layers {
            let bytes = match shape.layer_bytes {
                Some(bytes) => bytes.to_vec(),
                None => self.noise(512),
            };
            layers.push(self.blob(shape, shape.layer_type, bytes));
        }
        let config = if let Some((media_type, bytes)) = shape.config {
            self.blob(shape, media_type, bytes.to_vec())
        } else {
            // Nothing of the layers stands in it, so images of one architecture share it.
            let mut config = json!({
                "author": "OCI Conformance Test",
                "architecture": architecture,
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": []},
            });
            self.extend(shape, &mut config);
            self.blob(shape, CONFIG, config.to_string().into_bytes())
        };
        self.image_of(shape, &config, &layers)
    }

    /// Adds an image of a config and layers; its descriptor.
    pub(crate) fn image_of(&mut self, shape: &Shape, config: &Value, layers: &[Value]) -> Value {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config,
            "layers": layers,
        });
        let artifact_type = shape
            .artifact_type
            .map_or(config["mediaType"].clone(), Value::from);
        self.manifest(shape, &mut manifest, Some(artifact_type))
    }

    /// Adds an index and the images it lists, one an architecture; its descriptor.
    pub(crate) fn index(&mut self, shape: &Shape) -> Value {
        let mut entries = Vec::new();
        for architecture in &shape.architectures {
            let mut entry = self.image(shape, architecture);
            entry["platform"] = json!({"os": "linux", "architecture": architecture});
            entries.push(entry);
        }
        self.index_of(shape, &entries)
    }

    /// Adds an index of manifests; its descriptor.
    pub(crate) fn index_of(&mut self, shape: &Shape, entries: &[Value]) -> Value {
        let mut index = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": entries,
        });
        self.manifest(shape, &mut index, shape.artifact_type.map(Value::from))
    }

    fn manifest(
        &mut self,
        shape: &Shape,
        manifest: &mut Value,
        type_as_referrer: Option<Value>,
    ) -> Value {
        let mut annotations = shape.annotations.clone();
        if shape.unique_annotation {
            let name = format!("org.example.{}", self.next());
            annotations.insert(name, self.next().to_string().into());
        }
        if !annotations.is_empty() {
            manifest["annotations"] = annotations.clone().into();
        }
        if let Some(artifact_type) = shape.artifact_type {
            manifest["artifactType"] = artifact_type.into();
        }
        if let Some(subject) = &shape.subject {
            manifest["subject"] = subject.clone();
        }
        self.extend(shape, manifest);
        let bytes = manifest.to_string().into_bytes();
        let digest = digest(shape.algorithm, &bytes);
        let mut descriptor = json!({
            "mediaType": manifest["mediaType"],
            "digest": digest,
            "size": bytes.len(),
        });
        if let Some(subject) = &shape.subject {
            let mut referrer = descriptor.clone();
            if let Some(artifact_type) = type_as_referrer {
                referrer["artifactType"] = artifact_type;
            }
            if !annotations.is_empty() {
                referrer["annotations"] = annotations.into();
            }
            let subject: Digest = subject["digest"].as_str().unwrap().parse().unwrap();
            self.referrers.entry(subject).or_default().push(referrer);
        }
        if shape.descriptor_data {
            descriptor["data"] = STANDARD.encode(&bytes).into();
        }
        if let Some(tag) = shape.tag {
            self.tags.insert(tag.to_owned(), digest.clone());
        }
        self.manifests.push((digest, bytes));
        descriptor
    }

    /// Adds a field that no specification knows.
    fn extend(&mut self, shape: &Shape, document: &mut Value) {
        if shape.extra_field {
            let name = format!("org.{}", self.next());
            document[name] = self.next().to_string().into();
        }
    }

    /// Bytes that no other blob has.
    pub(crate) fn noise(&mut self, length: usize) -> Vec<u8> {
        // SplitMix64, <https://prng.di.unimi.it/splitmix64.c>
        let mut state = self.next();
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// A number that this set gives once.
    fn next(&mut self) -> u64 {
        self.made += 1;
        self.seed.wrapping_add(self.made << 32)
    }
}

pub(crate) fn digest(algorithm: DigestAlgorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}
