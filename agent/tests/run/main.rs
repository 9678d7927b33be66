//! Agents in a real cluster, with a real registry: what they do with bundles, with what others do, and when
//! something is away.

mod bundles;
mod drift;
mod follow;
mod footprint;
mod hub;
mod leader;
mod network;
mod outage;
mod trust;
mod world;
