//! What packs say of Helm charts.

mod missing;
mod release;

pub(crate) use missing::check_charts;
pub(crate) use release::{check_release, is_release};
