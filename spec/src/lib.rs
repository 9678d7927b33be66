//! Cairn's vocabulary: every type that stands in a file or on the wire, the value tree that
//! knows where each leaf came from, and diagnostics. It parses, validates and prints.
//!
//! It knows neither files nor HTTP: text and bytes come in, text and bytes go out.
#![warn(missing_docs)]

pub mod agent;
mod api_group;
mod archive;
mod artifact;
mod bundle_artifact;
mod cel;
mod chart;
mod diagnostic;
mod digest;
mod envelope;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod json;
#[cfg(test)]
#[path = "../../fuzz/kept.rs"]
mod kept;
mod kind;
pub mod media_type;
mod merge;
mod name;
mod pack_artifact;
mod patch;
mod reference;
mod renumber;
mod schema;
mod size;
mod source;
mod time;
mod tree;
#[cfg(feature = "validation")]
mod validation;
mod value;
mod version;
pub mod yaml;

pub use api_group::is_built_in_group;
pub use archive::{
    ArchiveError, ArchiveLimits, each_file, gzip, gzip_writer, open_each_file, read_tar_gzip,
    tar_pieces, write_tar,
};
pub use artifact::{
    Annotations, Artifact, ArtifactBuilder, ArtifactError, Blob, Descriptor, EMPTY_JSON,
    MAX_DESCRIPTORS, MAX_MANIFEST_BYTES, Manifest, is_manifest_type,
};
pub use bundle_artifact::{
    BUNDLE_FILES, BundleArtifactError, bundle_artifact, check_files, read_bundle_manifest,
    unpack_bundle,
};
pub use cel::{CelError, CelExpression, CelSyntaxError, MAX_COST, MAX_EXPRESSION_BYTES};
pub use chart::{ChartName, ChartRepository, ChartTransport};
pub use diagnostic::{Diagnostic, Diagnostics, IntoSpan, Label, Severity, nearest, suggest};
pub use digest::{Digest, DigestAlgorithm, DigestError, Hasher};
pub use envelope::{Envelope, EnvelopeSignature};
pub use json::canonical_json;
pub use kind::*;
pub use merge::{merge_patch, merge_patch_between};
pub use name::{
    CapabilityName, ClusterName, GroupName, LayerName, NameError, PackName, PresetName,
    ProfileName, VariableName,
};
pub use pack_artifact::{
    PackArtifactError, PackConfig, PackFile, UnpackedPack, pack_artifact, unpack_pack,
};
pub use patch::{PatchExpect, PatchSpec, PatchTarget, PatchType};
pub use reference::{Reference, ReferenceError, RegistryHost, RepositoryName, Tag};
pub use renumber::Renumbered;
pub use schema::{decode_json, schema_of};
pub use size::human_bytes;
pub use source::{Position, Source, SourceId, SourceKind, Sources, Span};
pub use time::{Timestamp, TimestampError, rfc_3339};
pub use tree::{File, FileTree, PathError, TreePath};
#[cfg(feature = "validation")]
pub use validation::{Schema, SchemaError, decode};
pub use value::{Field, Map, Node, Origin, OriginId, Origins, Value};
pub use version::{Version, VersionError, VersionRange};
