//! Hashing what streams by: states that survive a restart, and threads beside the writing.

use bytes::Bytes;
use cairn_spec::{Digest, DigestAlgorithm};
use sha2::{
    Digest as _, Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::{Error, Result, records::HashStates};

/// Blocks that may wait for a hash: enough to overlap it with reading and writing, and little
/// memory for each upload.
const QUEUED_BLOCKS: usize = 2;

/// The hashes of an upload: always SHA-256, and SHA-512 when it was announced.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hashes {
    sha256: Sha256,
    sha512: Option<Sha512>,
}

impl Hashes {
    pub(crate) fn new(algorithm: DigestAlgorithm) -> Self {
        Self {
            sha256: Sha256::new(),
            sha512: (algorithm == DigestAlgorithm::Sha512).then(Sha512::new),
        }
    }

    /// Continues from saved states; `None` when they are damaged.
    pub(crate) fn resume(states: &HashStates) -> Option<Self> {
        let sha512 = match &states.sha512 {
            None => None,
            Some(state) => Some(restore(state)?),
        };
        let sha256 = restore(&states.sha256)?;
        Some(Self { sha256, sha512 })
    }

    pub(crate) fn states(&self) -> HashStates {
        HashStates {
            sha256: save(&self.sha256),
            sha512: self.sha512.as_ref().map(save),
        }
    }

    pub(crate) fn update(&mut self, chunks: &[Bytes]) {
        for chunk in chunks {
            self.sha256.update(chunk);
            if let Some(sha512) = &mut self.sha512 {
                sha512.update(chunk);
            }
        }
    }

    /// The digest of all bytes so far; `None` when this algorithm was not followed.
    pub(crate) fn digest(&self, algorithm: DigestAlgorithm) -> Option<Digest> {
        match algorithm {
            DigestAlgorithm::Sha256 => Some(Digest::from_hash(
                algorithm,
                &self.sha256.clone().finalize(),
            )),
            DigestAlgorithm::Sha512 => self
                .sha512
                .clone()
                .map(|sha512| Digest::from_hash(algorithm, &sha512.finalize())),
        }
    }

    /// Moves the hashing to threads of its own, one for each algorithm.
    pub(crate) fn into_pipeline(self) -> HashPipeline {
        HashPipeline {
            sha256: Stage::start(self.sha256),
            sha512: self.sha512.map(Stage::start),
        }
    }
}

/// Hashes at work beside the task that feeds them.
#[derive(Debug)]
pub(crate) struct HashPipeline {
    sha256: Stage<Sha256>,
    sha512: Option<Stage<Sha512>>,
}

impl HashPipeline {
    /// Hands a block over; waits while the queue is full.
    pub(crate) async fn update(&self, chunks: &[Bytes]) -> Result<()> {
        self.sha256.send(chunks).await?;
        match &self.sha512 {
            Some(sha512) => sha512.send(chunks).await,
            None => Ok(()),
        }
    }

    /// Waits until everything is hashed.
    pub(crate) async fn finish(self) -> Result<Hashes> {
        let sha256 = self.sha256.finish().await?;
        let sha512 = match self.sha512 {
            Some(sha512) => Some(sha512.finish().await?),
            None => None,
        };
        Ok(Hashes { sha256, sha512 })
    }
}

#[derive(Debug)]
struct Stage<H> {
    blocks: mpsc::Sender<Vec<Bytes>>,
    hashing: JoinHandle<H>,
}

impl<H: sha2::Digest + Send + 'static> Stage<H> {
    fn start(mut hasher: H) -> Self {
        let (blocks, mut queue) = mpsc::channel::<Vec<Bytes>>(QUEUED_BLOCKS);
        let hashing = spawn_blocking(move || {
            while let Some(chunks) = queue.blocking_recv() {
                for chunk in &chunks {
                    hasher.update(chunk);
                }
            }
            hasher
        });
        Self { blocks, hashing }
    }

    async fn send(&self, chunks: &[Bytes]) -> Result<()> {
        let sent = self.blocks.send(chunks.to_vec()).await;
        sent.map_err(|_| Error::Closed)
    }

    async fn finish(self) -> Result<H> {
        drop(self.blocks);
        self.hashing.await.map_err(|_| Error::Closed)
    }
}

fn save<H: SerializableState>(hasher: &H) -> String {
    hex::encode(hasher.serialize())
}

fn restore<H: SerializableState>(state: &str) -> Option<H> {
    let bytes = hex::decode(state).ok()?;
    let state = SerializedState::<H>::try_from(bytes.as_slice()).ok()?;
    H::deserialize(&state).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn states_resume_and_pipelines_agree() {
        let parts = [Bytes::from(vec![1; 1000]), Bytes::from(vec![2; 77])];
        let mut whole = Hashes::new(DigestAlgorithm::Sha512);
        whole.update(&parts);

        let mut first = Hashes::new(DigestAlgorithm::Sha512);
        first.update(&parts[..1]);
        let pipeline = Hashes::resume(&first.states()).unwrap().into_pipeline();
        pipeline.update(&parts[1..]).await.unwrap();
        let resumed = pipeline.finish().await.unwrap();

        for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
            assert_eq!(resumed.digest(algorithm), whole.digest(algorithm));
        }
        let one = Hashes::new(DigestAlgorithm::Sha256);
        assert_eq!(one.digest(DigestAlgorithm::Sha512), None);
        let damaged = HashStates {
            sha256: "00".into(),
            sha512: None,
        };
        assert!(Hashes::resume(&damaged).is_none());
    }
}
