//! Uploads that nobody will finish, and payloads that no upload knows of.

use ulid::Ulid;

use super::{Collector, gc::Found};
use crate::{
    Error, Result,
    records::{self, Location, Upload},
    storage::{Batch, Entry, Key, PayloadKey, Prefix, Write},
};

/// Uploads looked at at a time.
const PAGE_NAMES: usize = 1000;

impl Collector {
    /// Ends uploads that have rested for too long: their payload goes first, then their record.
    pub(super) async fn end_abandoned_uploads(&self) -> Result<()> {
        let mut last = None;
        while let Some((name, abandoned)) = self.abandoned(last.as_deref()).await? {
            for (id, entry, upload) in abandoned {
                self.end_upload(id, entry, &upload).await?;
            }
            last = Some(name);
        }
        Ok(())
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
        let write = Write::delete_if(Key::Upload(id), entry.version);
        match registry.metadata.write(Batch::durable([write])).await {
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

    /// What the two functions above would remove.
    pub(super) async fn explain_uploads(
        &self,
        found: &mut (dyn FnMut(Found) + Send),
    ) -> Result<()> {
        let mut last = None;
        while let Some((name, abandoned)) = self.abandoned(last.as_deref()).await? {
            for (id, _, upload) in abandoned {
                let is_blob = self.became_a_blob(id, &upload).await?;
                found(Found {
                    kind: "upload",
                    repository: Some(upload.repository),
                    name: id.to_string(),
                    size_bytes: if is_blob { 0 } else { upload.received_bytes },
                    since_unix_s: upload.updated_unix_s,
                    reason: if is_blob {
                        "it succeeded, but its record was left over"
                    } else {
                        "nobody went on with it"
                    },
                });
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
        Ok(())
    }

    /// A page of abandoned uploads with the name of the last one looked at; `None` at the end.
    async fn abandoned(
        &self,
        last: Option<&str>,
    ) -> Result<Option<(String, Vec<(Ulid, Entry, Upload)>)>> {
        let metadata = &self.registry.metadata;
        let names = metadata.list(&Prefix::Uploads, last, PAGE_NAMES).await?;
        let mut abandoned = Vec::new();
        let mut last = None;
        for name in names {
            let Ok(id) = name.parse::<Ulid>() else {
                continue;
            };
            // The names are in the order of their time.
            if !self.is_abandoned(id.timestamp_ms() / 1000) {
                break;
            }
            let key = Key::Upload(id);
            if let Some(entry) = metadata.get(&key).await? {
                let (upload, _): (Upload, _) = records::decode(&key, &entry)?;
                if self.is_abandoned(upload.updated_unix_s) {
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
            if self.is_abandoned(key.0.timestamp_ms() / 1000)
                && self.registry.metadata.get(&upload).await?.is_none()
            {
                lost.push(key);
            }
        }
        Ok(lost)
    }

    fn is_abandoned(&self, updated_unix_s: u64) -> bool {
        let ttl_s = self.config.upload_ttl_s;
        updated_unix_s.saturating_add(ttl_s) <= self.clock.unix_now_s()
    }
}
