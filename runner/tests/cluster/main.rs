//! The cluster's side of the runner against a real API server.
//!
//! All tests here are ignored by default, since they need programs that are not built with Cairn:
//! `CAIRN_PEERS="$(tests/peers/install kube kubectl)" cargo test -p cairn-runner -- --ignored`.

mod changes;
mod faults;
mod following;
mod waiting;
mod world;
