//! Helm charts in packs and as layers: where they come from, what they are given, what they render.

mod apis;
mod existing;
mod fetch;
mod hooks;
mod load;
mod release;
mod render;
mod values;
mod wanted;

pub(crate) use apis::ServedApis;
pub use fetch::{ChartsToFetch, WantedPackChart, charts_to_fetch};
pub(crate) use load::{ChartFiles, LoadedChart, PackedCharts, ResolvedChart};
pub(crate) use release::{check_release, is_release, release_of};
pub(crate) use render::{ChartInput, DEFAULT_NAMESPACE, drop_idle_namespaces, render_chart};
pub(crate) use values::helm_values;
pub use wanted::newest;
pub(crate) use wanted::{AcquiredChart, WantedChart};
