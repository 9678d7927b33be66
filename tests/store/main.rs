//! The command over a bucket: who it is to the store, and what it takes over from another bucket.

mod credentials;
mod imports;
mod issuer;

use std::process::Command;

use anyhow::Result;
use cairn_test_s3::{BUCKET, S3Server};
use cairn_tests::{Run, run};

/// A configuration of a registry over the bucket of a server; `more` are further lines.
fn configuration(store: &S3Server, more: &str) -> String {
    let endpoint = store.endpoint();
    format!(
        "storage:\n  s3:\n    bucket: {BUCKET}\n    endpoint: {endpoint}\n    pathStyle: true\n{more}"
    )
}

/// Runs a command while this thread's runtime serves it.
fn run_aside(command: &mut Command) -> Result<Run> {
    tokio::task::block_in_place(|| run(command))
}
