//! Both stores in one S3 bucket, which any number of registries may share.
//!
//! ```text
//! data/<2 hex>/<ulid>   a payload, written once
//! tail/<ulid>/<ulid>    the end of an upload that waits for its next chunk
//! probe/…               written and removed while the store is probed
//! everything else       a record, under its key and a `!`
//! ```
//!
//! The bucket is all there is: no database, no lock service. What replicas must not do twice rests
//! on conditional writes, so what the store makes of those is probed before anything else.

mod attempts;
mod bucket;
mod client;
mod conditions;
mod credentials;
mod foreign;
mod metadata;
mod payloads;
mod probe;
mod reading;
mod signing;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::{sync::Arc, time::Duration};

pub(crate) use foreign::ForeignBucket;
pub use metadata::S3Metadata;
pub use payloads::S3Payloads;

use aws_sdk_s3::Client;
use bucket::Bucket;
use conditions::{Conditions, Enforcement, KeyLocks};
use probe::Findings;

use super::checks::Answer;
use crate::{
    Error, Result,
    config::{Replicas, S3Config},
};

/// Opens a bucket, if what it makes of conditional writes is enough.
pub(crate) async fn open(config: &S3Config) -> Result<(S3Payloads, S3Metadata)> {
    let mut bucket = connect(config).await?;
    let findings = probe::probe(&bucket).await?;
    let is_alone = config.replicas == Replicas::One;
    if !findings.is_usable() || !(is_alone || findings.is_safe_for_replicas()) {
        return Err(Error::Config {
            setting: "storage.s3.bucket",
            value: config.bucket.clone(),
            source: findings.why_unsafe().into(),
        });
    }
    bucket.conditions = conditions(&findings, is_alone);
    let signer = signing::Signer::open(config).await?;
    let (payloads, metadata) = stores(bucket, config);
    Ok((S3Payloads { signer, ..payloads }, metadata))
}

fn stores(bucket: Bucket, config: &S3Config) -> (S3Payloads, S3Metadata) {
    let bucket = Arc::new(bucket);
    let payloads = S3Payloads {
        bucket: Arc::clone(&bucket),
        part_bytes: config.part_bytes,
        signer: None,
    };
    (payloads, S3Metadata::new(bucket))
}

/// What a bucket can do; nothing of it is changed for good.
pub(crate) async fn examine(config: &S3Config) -> Result<Findings> {
    probe::probe(&connect(config).await?).await
}

async fn connect(config: &S3Config) -> Result<Bucket> {
    config.validate()?;
    Ok(bucket(client::build(config).await?, config))
}

fn bucket(client: Client, config: &S3Config) -> Bucket {
    let mut prefix = config.prefix.trim_matches('/').to_owned();
    if !prefix.is_empty() {
        prefix.push('/');
    }
    Bucket {
        client,
        name: config.bucket.clone(),
        prefix,
        attempts: config.attempts,
        timeout: Duration::from_secs(config.request_timeout_s),
        conditions: Conditions {
            puts: Enforcement::Store,
            deletes: Enforcement::Store,
            completes: true,
        },
    }
}

fn conditions(findings: &Findings, is_alone: bool) -> Conditions {
    let (puts, deletes) = match findings.delete_if_match {
        _ if is_alone => (
            Enforcement::InProcess(KeyLocks::default()),
            Enforcement::InProcess(KeyLocks::default()),
        ),
        Answer::Yes => (Enforcement::Store, Enforcement::Store),
        Answer::No => (Enforcement::Store, Enforcement::Tombstones),
    };
    Conditions {
        puts,
        deletes,
        completes: findings.complete_if_none_match == Answer::Yes,
    }
}
