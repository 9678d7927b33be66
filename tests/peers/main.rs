//! Other people's programs, and what they make of Cairn's registry, packs, signatures and bundles.
//!
//! All tests here are ignored by default, because they need programs that are not built with Cairn:
//! `CAIRN_PEERS="$(tests/peers/install)" cargo test -p cairn-tests --test peers -- --ignored`
//! runs them. A program is looked for in the folder `CAIRN_PEERS`, then on the path; one that is
//! missing is a failure, never a skip.

mod agent;
/// The client that the tests of replicas use.
#[path = "../replicas/client.rs"]
mod alternating;
mod auth;
mod bundles;
mod conformance;
mod container;
mod deployment;
mod distribution;
mod harness;
mod images;
mod imports;
mod mirroring;
mod oras;
mod redirects;
mod s3;
mod signatures;
mod traces;
