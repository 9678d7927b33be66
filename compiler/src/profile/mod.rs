//! Profiles and clusters: read, stacked on the profiles they use, variables bound.

mod cluster;
mod load;
mod variables;

pub(crate) use cluster::{Cluster, load_cluster};
pub(crate) use load::{Content, Stack, StackLayer, load_profile};
pub(crate) use variables::{bind, secret_placeholder};
