//! The registry as its clients see it: a real server on a loopback port, spoken to over HTTP.
//!
//! One module a row or two of the endpoint table of the distribution specification; the names of
//! the cases follow its conformance suite where it has the same case.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do: at once"
)]

mod auth_harness;
mod authentication;
mod authorization;
mod blobs;
mod clients;
mod errors;
mod harness;
mod hostile;
mod hostile_upstream;
mod immutable;
mod lessons;
mod lists;
mod manifests;
mod metrics;
mod mirrors;
mod operations;
mod pull_through;
mod quotas;
mod ranges;
mod readiness;
mod referrers;
mod restarts;
mod retention;
mod slow_clients;
mod tls;
mod traces;
mod trust;
mod uploads;
mod webhooks;

/// What the server is started over, unless a test says otherwise.
const ON_S3: bool = false;
