//! Renders Helm charts in Rust, byte for byte as Helm does, and knows where each byte came from.
//!
//! Charts are handed in as files ([`ChartFile`]) or as an archive: this crate opens no file and
//! no connection, has no clock and no randomness. [`load`] makes a [`Chart`] of them, and
//! [`render`] renders it.

mod archive;
mod capabilities;
mod chart;
mod chart_object;
mod cluster_objects;
mod content;
pub mod dependencies;
mod dialect;
mod engine;
mod error;
pub mod explain;
mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod glob;
mod go_decode;
mod go_path;
mod go_struct;
mod go_time;
mod host;
mod ignore;
#[cfg(test)]
#[path = "../../fuzz/kept.rs"]
mod kept;
mod kube_version;
mod limits;
pub mod lint;
mod load;
mod manifest;
mod metadata;
mod release;
mod release_name;
mod release_object;
mod render;
pub mod schema;
mod show;
mod stack;
mod strvals;
pub mod values;

pub use archive::read_archive;
pub use cairn_template::{Beside, Queue};
pub use capabilities::{Capabilities, HelmVersion};
pub use chart::{Chart, ChartFile, ChartTemplate};
pub use cluster_objects::ClusterObjects;
pub use content::ReadLate;
pub use dialect::Dialect;
pub use error::Error;
pub use host::{ChartHost, UnnamedCalls};
pub use ignore::Ignore;
pub use kube_version::{KubeVersion, KubeVersionError};
pub use limits::{ChartLimits, MAX_CHART_DEPTH, MAX_LOADED_BYTES, MAX_LOADED_FILES};
pub use load::{load, load_archive, load_archive_as, load_as, loads};
pub use manifest::{Document, Hook, HookEvent, RenderedFile};
pub use metadata::{ChartType, Dependency, ImportValues, Maintainer, Metadata};
pub use release::{ManifestOptions, PrintedHooks, Release, print_document};
pub use render::{RenderOptions, render};
pub use show::{ChartPart, show};
pub use stack::{DEEP_STACK_BYTES, DEEP_TEMPLATE_BYTES, on_deep_stack};
pub use strvals::ReadFile;
