//! Media types and artifact types, ours and the ones we speak.

/// A pack: `artifactType` and config of its manifest (`spec/pack.md`).
pub const PACK: &str = "application/vnd.cairn.pack.v1+json";
/// A pack's content: the directory as a deterministic tar, gzipped.
pub const PACK_CONTENT: &str = "application/vnd.cairn.pack.content.v1.tar+gzip";
/// A pack's `README.md`, repeated as a layer of its own.
pub const PACK_README: &str = "application/vnd.cairn.pack.readme.v1+markdown";
/// A pack's `logo.svg`, repeated as a layer of its own.
pub const PACK_LOGO: &str = "application/vnd.cairn.pack.logo.v1+svg";
/// A bundle: `artifactType` and config of its manifest (`spec/bundle.md`).
pub const BUNDLE: &str = "application/vnd.cairn.bundle.v1+json";
/// A bundle's lock.
pub const LOCK: &str = "application/vnd.cairn.lock.v1+yaml";
/// A bundle's install plan.
pub const PLAN: &str = "application/vnd.cairn.plan.v1+json";
/// A bundle's host files, as one JSON document of paths and contents.
pub const HOST: &str = "application/vnd.cairn.host.v1+json";
/// A bundle's image list.
pub const IMAGES: &str = "application/vnd.cairn.images.v1+json";
/// A profile published on its own.
pub const PROFILE: &str = "application/vnd.cairn.profile.v1+json";
/// CycloneDX, JSON.
pub const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
/// An in-toto statement, the payload of a DSSE envelope.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The OCI empty descriptor's content, `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// An OCI image configuration.
pub const OCI_IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// An OCI image layer: what Flux and Argo CD read a bundle's manifests from.
pub const OCI_LAYER_TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list.
pub const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A Sigstore bundle, version 0.3.
pub const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// cosign's simple signing payload.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
