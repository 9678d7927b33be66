//! Profiles and clusters: read, stacked on the profiles they use, variables bound.

mod cluster;
mod layer;
mod load;
mod stack;
mod variables;

pub(crate) use cluster::{Cluster, load_cluster};
pub(crate) use load::load_profile;
pub(crate) use stack::{Content, Stack, StackLayer};
pub(crate) use variables::{Bound, Setting, bind, secret_placeholder};
