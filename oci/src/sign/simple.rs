//! The simple form: a payload as a layer of the manifest under `sha256-<hex>.sig`, its signature
//! an annotation of that layer. Signatures of several keys stand side by side.
//!
//! <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{Annotations, Blob, Descriptor, Manifest, media_type};
use serde::{Deserialize, Serialize};

use super::{
    Claims, Form, SignOptions, VerifiedSignature, claims, concerns_one_signature, shown,
    signature_tag,
};
use crate::{
    Error, PrivateKey, PublicKey, limits,
    store::{Fetch, Name, Resolve, Store, VerifyReader, fetch_manifest},
};

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const PAYLOAD_TYPE: &str = "cosign container image signature";

/// What is signed. The order of the keys is cosign's.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<Claims>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: String,
}

/// The manifest of signatures, in the key order of the image specification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignatureManifest<'a> {
    schema_version: u8,
    media_type: &'static str,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

/// The payload bytes for a manifest.
pub(super) fn payload(
    identity: &str,
    subject: &Descriptor,
    annotations: &Annotations,
) -> Result<Vec<u8>, Error> {
    let payload = Payload {
        critical: Critical {
            identity: Identity {
                docker_reference: identity.to_owned(),
            },
            image: Image {
                docker_manifest_digest: subject.digest.to_string(),
            },
            kind: PAYLOAD_TYPE.to_owned(),
        },
        optional: (!annotations.is_empty()).then(|| claims(annotations)),
    };
    serde_json::to_vec(&payload).map_err(|error| Error::Malformed {
        what: format!("signature payload of {}", subject.digest),
        reason: error.to_string(),
    })
}

/// The payload as a layer with its signature.
pub(super) fn layer(payload: Vec<u8>, key: &PrivateKey) -> Result<Blob, Error> {
    let signature = STANDARD.encode(key.sign(&payload));
    let mut descriptor = Descriptor::of(media_type::SIMPLE_SIGNING, &payload);
    descriptor
        .annotations
        .insert(SIGNATURE.to_owned(), signature);
    let digest = descriptor.digest.clone();
    Blob::checked(descriptor, payload).map_err(Error::artifact(digest))
}

/// Adds a signature to those under the signature tag. Two writers at the same time may lose one;
/// the loser finds out by verifying and signs again.
pub(super) async fn sign(
    store: &impl Store,
    identity: &str,
    subject: &Descriptor,
    key: &PrivateKey,
    options: &SignOptions,
) -> Result<(), Error> {
    let tag = signature_tag(&subject.digest).ok_or_else(|| Error::Incomplete {
        reference: subject.digest.to_string(),
        reason: "has no signature tag; only `sha256` digests have one",
    })?;
    let existing = existing(store, subject).await?;
    let (mut layers, annotations) = match &existing {
        Some(manifest) => (manifest.layers().to_vec(), manifest.annotations().clone()),
        None => (Vec::new(), Annotations::new()),
    };
    if layers.len() >= limits::MAX_SIGNATURES {
        return Err(too_many(subject));
    }
    let layer = layer(payload(identity, subject, &options.annotations)?, key)?;
    layers.push(layer.descriptor().clone());
    let (config, bytes) = manifest(&layers, annotations)?;
    for blob in [&layer, &config] {
        let content = VerifyReader::of_bytes(blob.descriptor(), blob.bytes().to_vec());
        store.push(blob.descriptor(), content).await?;
    }
    let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &bytes);
    let content = VerifyReader::of_bytes(&descriptor, bytes);
    store.push(&descriptor, content).await?;
    store.set_tag(&descriptor, &tag).await
}

/// The manifest of signature layers, and its config.
pub(super) fn manifest(
    layers: &[Descriptor],
    annotations: Annotations,
) -> Result<(Blob, Vec<u8>), Error> {
    let config = Blob::new(media_type::OCI_IMAGE_CONFIG, config(layers));
    let manifest = SignatureManifest {
        schema_version: 2,
        media_type: media_type::OCI_MANIFEST,
        config: config.descriptor(),
        layers,
        annotations,
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|error| Error::Malformed {
        what: "signature manifest".to_owned(),
        reason: error.to_string(),
    })?;
    Ok((config, bytes))
}

/// An image configuration that lists the layers: the bytes that cosign writes.
fn config(layers: &[Descriptor]) -> Vec<u8> {
    const NEVER: &str = r#""created":"0001-01-01T00:00:00Z""#;
    let list = |entry: &dyn Fn(&Descriptor) -> String| {
        let entries: Vec<String> = layers.iter().map(entry).collect();
        entries.join(",")
    };
    let history = list(&|_| format!("{{{NEVER}}}"));
    let diff_ids = list(&|layer| format!(r#""{}""#, layer.digest));
    format!(
        r#"{{"architecture":"",{NEVER},"history":[{history}],"os":"","rootfs":{{"type":"layers","diff_ids":[{diff_ids}]}},"config":{{}}}}"#
    )
    .into_bytes()
}

pub(super) async fn verify(
    store: &(impl Fetch + Resolve),
    subject: &Descriptor,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedSignature>, Error> {
    let manifest = match existing(store, subject).await {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Ok(Vec::new()),
        Err(error) if concerns_one_signature(&error) => {
            tracing::debug!(%error, oci.digest = %subject.digest, "the signature tag is not usable");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    if manifest.layers().len() > limits::MAX_SIGNATURES {
        return Err(too_many(subject));
    }
    let mut found = Vec::new();
    for layer in manifest.layers() {
        match verify_layer(store, subject, layer, keys).await {
            Ok(signatures) => found.extend(signatures),
            Err(error) if concerns_one_signature(&error) => {
                tracing::debug!(%error, oci.digest = %layer.digest, "a signature is not usable");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn verify_layer(
    store: &impl Fetch,
    subject: &Descriptor,
    layer: &Descriptor,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedSignature>, Error> {
    if layer.media_type != media_type::SIMPLE_SIGNING {
        return Ok(Vec::new());
    }
    let Some(signature) = layer.annotations.get(SIGNATURE) else {
        return Ok(Vec::new());
    };
    let content = store.fetch(layer).await?;
    let payload = content.read_all(limits::MAX_SIGNATURE_BYTES).await?;
    Ok(read(&payload, signature, subject, keys))
}

/// The signatures by `keys` on a payload that is about `subject`. Nothing of the payload is
/// parsed before the signature on it verifies.
pub(super) fn read(
    payload: &[u8],
    signature: &str,
    subject: &Descriptor,
    keys: &[PublicKey],
) -> Vec<VerifiedSignature> {
    let Ok(signature) = STANDARD.decode(signature) else {
        return Vec::new();
    };
    let signers: Vec<&PublicKey> = keys
        .iter()
        .filter(|key| key.verify(payload, &signature))
        .collect();
    if signers.is_empty() {
        return Vec::new();
    }
    let Some(annotations) = read_payload(payload, subject) else {
        return Vec::new();
    };
    signers
        .iter()
        .map(|key| VerifiedSignature {
            key_id: key.id().to_owned(),
            form: Form::Simple,
            annotations: annotations.clone(),
        })
        .collect()
}

fn read_payload(payload: &[u8], subject: &Descriptor) -> Option<Annotations> {
    let payload: Payload = serde_json::from_slice(payload).ok()?;
    let is_about_it = payload.critical.kind == PAYLOAD_TYPE
        && payload.critical.image.docker_manifest_digest == subject.digest.as_str();
    is_about_it.then(|| shown(&payload.optional.unwrap_or_default()))
}

/// The manifest under the signature tag.
async fn existing(
    store: &(impl Fetch + Resolve),
    subject: &Descriptor,
) -> Result<Option<Manifest>, Error> {
    let Some(tag) = signature_tag(&subject.digest) else {
        return Ok(None);
    };
    match store.resolve(&Name::Tag(tag)).await {
        Ok(descriptor) => fetch_manifest(store, &descriptor).await.map(Some),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn too_many(subject: &Descriptor) -> Error {
    Error::Limit {
        what: format!("signatures on {}", subject.digest),
        limit: limits::MAX_SIGNATURES as u64,
        unit: "layers",
    }
}
