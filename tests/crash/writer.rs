//! One of the writers that push, move tags and delete until the registry dies.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use cairn_oci::{Client, Error};
use cairn_spec::{Artifact, Descriptor};
use rand::{RngExt as _, rngs::StdRng};
use tokio::sync::Semaphore;

use crate::ledger::{ARTIFACT_TYPE, Expected, Pending, acknowledged, reference, repository};

/// One writer in one life of the registry.
pub(crate) struct Writer {
    pub(crate) client: Client,
    pub(crate) address: String,
    pub(crate) number: u32,
    pub(crate) round: u32,
    pub(crate) random: StdRng,
    pub(crate) noise: Arc<Vec<u8>>,
    pub(crate) dead: Arc<AtomicBool>,
    /// One permit for every push that was acknowledged.
    pub(crate) pushes: Arc<Semaphore>,
    pub(crate) done: Expected,
}

impl Writer {
    /// Writes until the registry dies; what it acknowledged, and what it did not.
    pub(crate) async fn run(mut self) -> Result<(Expected, Option<Pending>)> {
        let mut last: Option<Descriptor> = None;
        for count in 0.. {
            let artifact = self.artifact(count, last.as_ref())?;
            let tag = format!("r{}-{count}", self.round);
            if let Some(pending) = self.push(&artifact, &tag).await? {
                return Ok((self.done, Some(pending)));
            }
            // Every other writer has a tag that moves; versions of packs do not.
            if self.number.is_multiple_of(2)
                && let Some(pending) = self.push(&artifact, "latest").await?
            {
                return Ok((self.done, Some(pending)));
            }
            if self.number.is_multiple_of(2)
                && count % 5 == 4
                && let Some(pending) = self
                    .delete(&format!("r{}-{}", self.round, count - 2))
                    .await?
            {
                return Ok((self.done, Some(pending)));
            }
            last = Some(artifact.manifest().descriptor());
        }
        unreachable!("the loop has no end")
    }

    fn repository(&self) -> String {
        repository(self.number)
    }

    /// A few KiB, sometimes MiB; some layers are shared, and some artifacts refer to the one before.
    fn artifact(&mut self, count: u32, last: Option<&Descriptor>) -> Result<Artifact> {
        let size = match self.random.random_range(0..12) {
            0 => self.random.random_range(1 << 20..5 << 20),
            1..4 => self.random.random_range(0..4096),
            _ => self.random.random_range(4096..200_000),
        };
        let mut layer = format!("{} {} {count}\n", self.round, self.number).into_bytes();
        layer.extend_from_slice(&self.noise[..size]);
        let shared = self.random.random_range(0..1 << 20);
        let mut builder = Artifact::builder(ARTIFACT_TYPE)
            .config(
                "application/json",
                format!("{{\"n\":{count}}}").into_bytes(),
            )
            .layer("application/octet-stream", layer)
            .layer(
                "application/octet-stream",
                format!("shared {} {}", self.round, shared % 8)
                    .into_bytes()
                    .repeat(20_000),
            );
        if let Some(last) = last.filter(|_| self.random.random_bool(0.3)) {
            builder = builder.subject(last);
        }
        Ok(builder.build()?)
    }

    async fn push(&mut self, artifact: &Artifact, tag: &str) -> Result<Option<Pending>> {
        let reference = reference(&self.address, &self.repository(), tag)?;
        match self.client.push_artifact(&reference, artifact).await {
            Ok(pushed) => {
                ensure!(pushed.digest == *artifact.digest(), "another digest");
                let known = acknowledged(artifact);
                self.done.insert((self.repository(), tag.to_owned()), known);
                self.pushes.add_permits(1);
                Ok(None)
            }
            Err(error) => {
                self.excuse(error)?;
                Ok(Some(Pending::Push {
                    key: (self.repository(), tag.to_owned()),
                    artifact: Box::new(artifact.clone()),
                }))
            }
        }
    }

    /// Deletes a manifest of this round, by digest, and with it its tag.
    async fn delete(&mut self, tag: &str) -> Result<Option<Pending>> {
        let key = (self.repository(), tag.to_owned());
        let mut known = self.done.remove(&key).context("it was never pushed")?;
        let by_tag = reference(&self.address, &key.0, tag)?;
        let by_digest = by_tag.with_digest(known.digest.clone());
        match self.client.delete(&by_digest).await {
            Ok(()) => {
                known.deleted = true;
                self.done.insert(key, known);
                Ok(None)
            }
            Err(error) => {
                self.excuse(error)?;
                Ok(Some(Pending::Delete {
                    key,
                    digest: known.digest,
                }))
            }
        }
    }

    /// Only a dead registry may fail to answer.
    fn excuse(&self, error: Error) -> Result<()> {
        let died = self.dead.load(Ordering::SeqCst);
        match error {
            Error::Request { .. } | Error::Content { .. } if died => Ok(()),
            error => Err(error).with_context(|| format!("writer {}", self.number)),
        }
    }
}
