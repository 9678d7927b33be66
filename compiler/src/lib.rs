//! The compiler: profile, packs and values in; bundle and diagnostics out.
//!
//! It is pure: packs and files come through traits, equal inputs give equal bytes, and bad input
//! gives findings (all of them, each at its place) instead of the first error.

mod build;
mod bundle;
mod charts;
mod collect;
mod constraints;
mod explain;
mod go_templates;
mod helm_import;
mod host;
mod image;
mod inputs;
mod layers;
mod lint;
mod object;
mod order;
mod pack;
mod pack_render;
mod pack_test;
mod pack_values;
mod palette;
pub mod patch;
mod patches;
mod plan;
mod profile;
mod provenance;
mod render;
mod resolve;
mod sbom;
mod scope;
mod secrets;
mod session;
mod summary;
mod values;

pub use build::{Build, BuildRequest, LockMode, build};
pub use bundle::COMPILER_VERSION;
pub use charts::{ChartsToFetch, WantedPackChart, charts_to_fetch, newest};
pub use explain::{BuiltField, BuiltObject, Explainable, Maker};
pub use helm_import::{HelmContent, HelmImport, HelmImportRequest, import_helm};
pub use inputs::{FetchedChart, FetchedPack, InputError, NamedText, PackSource, ProfileFiles};
pub use lint::{LINTS, Lint, lint_pack};
pub use pack::{Pack, load as load_pack};
pub use pack_render::KUBERNETES_VERSIONS;
pub use pack_test::{PackTestReport, Snapshot, TestOutcome, test_pack};
pub use palette::{ChanceCalls, ImportNote, ImportOutcome, PaletteImport, import_palette};
pub use session::Session;
pub use summary::LayerSummary;
