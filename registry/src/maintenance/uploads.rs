//! Uploads that nobody will finish, and payloads that no upload knows of.

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::{
    Collector,
    gc::{CHUNK, Due, Found},
};
use crate::{
    Error, Result,
    records::{self, Location, Upload},
    service::FIRST_BYTE_S,
    storage::{Batch, Candidate, Entry, Key, PayloadKey, Prefix, Write},
};

/// Uploads ended side by side.
const CONCURRENT: usize = 16;

impl Collector {
    /// Ends uploads that have rested for too long: their payload goes first, then their record.
    /// False when it was told to stop.
    pub(super) async fn end_abandoned_uploads(&self, stop: &CancellationToken) -> Result<bool> {
        let mut last = None;
        loop {
            let began = Instant::now();
            let Some((name, abandoned)) = self.abandoned(last.as_deref()).await? else {
                return Ok(true);
            };
            stream::iter(abandoned.into_iter().map(Ok))
                .try_for_each_concurrent(CONCURRENT, |(id, entry, upload)| async move {
                    self.end_upload(id, entry, &upload).await
                })
                .await?;
            if !self.rest(began, stop).await {
                return Ok(false);
            }
            last = Some(name);
        }
    }

    async fn end_upload(&self, id: Ulid, entry: Entry, upload: &Upload) -> Result<()> {
        let registry = &self.registry;
        if !self.became_a_blob(id, upload).await? {
            // A blob that is published later than this has renewed the record, or has none.
            registry.payloads.discard(PayloadKey(id)).await?;
            if upload.finishing.is_some() {
                registry.payloads.delete(PayloadKey(id)).await?;
            }
        }
        let mut writes = Vec::new();
        // The record stood for a candidate, too.
        if let Some(digest) = upload.finishing.clone() {
            let candidate = Candidate::Blob(upload.repository.clone(), digest);
            let due_unix_s = self.clock.unix_now_s();
            let key = Key::Candidate {
                due_unix_s,
                candidate,
            };
            writes.push(Write::put(key, Bytes::new()));
        }
        writes.push(Write::delete_if(Key::Upload(id), entry.version));
        // Coming back after a crash does no harm: it is ended again.
        match registry.metadata.write(Batch::eventual(writes)).await {
            Err(Error::Conflict { .. }) => return Ok(()),
            ended => ended?,
        };
        registry.tally.add(|progress| progress.uploads += 1);
        Ok(())
    }

    /// The upload succeeded, and only its record was left over by a crash.
    async fn became_a_blob(&self, id: Ulid, upload: &Upload) -> Result<bool> {
        let Some(digest) = &upload.finishing else {
            return Ok(false);
        };
        let blob = self.registry.read_any(&Key::Blob(digest.clone())).await?;
        Ok(blob.is_some_and(|read| read.blob.location == Location::Payload(PayloadKey(id))))
    }

    /// Discards payloads that a crash left behind before their upload's record was written.
    pub(super) async fn discard_lost_payloads(&self) -> Result<()> {
        for key in self.lost_payloads().await? {
            self.registry.payloads.discard(key).await?;
            self.registry.tally.add(|progress| progress.payloads += 1);
        }
        Ok(())
    }

    /// What the two functions above would remove; and the candidates they would queue.
    pub(super) async fn explain_uploads(
        &self,
        found: &mut (dyn FnMut(Found) + Send),
    ) -> Result<Vec<Due>> {
        let mut last = None;
        let mut queued = Vec::new();
        while let Some((name, abandoned)) = self.abandoned(last.as_deref()).await? {
            for (id, _, upload) in abandoned {
                if let Some(digest) = upload.finishing {
                    queued.push(Due {
                        key: Key::Upload(id),
                        candidate: Candidate::Blob(upload.repository, digest),
                    });
                } else if !upload.ended {
                    found(Found {
                        kind: "upload",
                        repository: Some(upload.repository),
                        name: id.to_string(),
                        size_bytes: upload.received_bytes,
                        since_unix_s: upload.updated_unix_s,
                        reason: "nobody went on with it",
                    });
                }
            }
            last = Some(name);
        }
        for PayloadKey(id) in self.lost_payloads().await? {
            found(Found {
                kind: "payload",
                repository: None,
                name: id.to_string(),
                size_bytes: 0,
                since_unix_s: id.timestamp_ms() / 1000,
                reason: "no upload knows of it",
            });
        }
        Ok(queued)
    }

    /// A page of abandoned uploads with the name of the last one looked at; `None` at the end.
    async fn abandoned(
        &self,
        last: Option<&str>,
    ) -> Result<Option<(String, Vec<(Ulid, Entry, Upload)>)>> {
        let metadata = &self.registry.metadata;
        let names = metadata.list(&Prefix::Uploads, last, CHUNK).await?;
        let mut abandoned = Vec::new();
        let mut last = None;
        for name in names {
            let Ok(id) = name.parse::<Ulid>() else {
                continue;
            };
            // The names are in the order of their time.
            if !self.is_older(id.timestamp_ms() / 1000, self.shortest_ttl_s()) {
                break;
            }
            let key = Key::Upload(id);
            if let Some(entry) = metadata.get(&key).await? {
                let (upload, _): (Upload, _) = records::decode(&key, &entry)?;
                let ttl_s = if self.is_over(&upload).await? {
                    self.shortest_ttl_s()
                } else {
                    self.config.upload_ttl_s
                };
                if self.is_older(upload.updated_unix_s, ttl_s) {
                    abandoned.push((id, entry, upload));
                }
            }
            last = Some(name);
        }
        Ok(last.map(|last| (last, abandoned)))
    }

    /// Uncommitted payloads without an upload. Young ones may be about to get one.
    async fn lost_payloads(&self) -> Result<Vec<PayloadKey>> {
        let mut lost = Vec::new();
        for key in self.registry.payloads.uncommitted().await? {
            let upload = Key::Upload(key.0);
            if self.is_older(key.0.timestamp_ms() / 1000, self.config.upload_ttl_s)
                && self.registry.metadata.get(&upload).await?.is_none()
            {
                lost.push(key);
            }
        }
        Ok(lost)
    }

    /// Nobody can go on with the upload. Its last request may take days.
    async fn is_over(&self, upload: &Upload) -> Result<bool> {
        match &upload.finishing {
            _ if upload.ended => Ok(true),
            None => Ok(false),
            Some(digest) => self.registry.holds_blob(&upload.repository, digest).await,
        }
    }

    /// How long the record of an upload stays that is over: its blob has its grace period, and its
    /// identifier must not pass for a new one.
    fn shortest_ttl_s(&self) -> u64 {
        let ttl_s = self.grace_s.max(FIRST_BYTE_S);
        ttl_s.min(self.config.upload_ttl_s)
    }

    fn is_older(&self, updated_unix_s: u64, ttl_s: u64) -> bool {
        updated_unix_s.saturating_add(ttl_s) <= self.clock.unix_now_s()
    }
}
