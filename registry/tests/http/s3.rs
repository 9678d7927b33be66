//! The same tests over an S3 bucket, and what only replicas over one bucket can show.
//!
//! The bucket is in a server in memory, whose conditions are atomic and whose faults come to
//! order; each test has its own.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do: at once"
)]
#![expect(dead_code, reason = "the harness serves the other tests, too")]

mod blobs;
mod budgets;
mod clients;
mod errors;
mod harness;
mod immutable;
mod lists;
mod manifests;
mod metrics;
mod quotas;
mod ranges;
mod redirects;
mod referrers;
mod replicas;
mod retention;
mod uploads;
mod webhooks;

/// What the server is started over, unless a test says otherwise.
const ON_S3: bool = true;
