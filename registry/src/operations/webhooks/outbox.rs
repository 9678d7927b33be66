//! The outbox: events become records in the batch that makes the change.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::json;
use ulid::Ulid;

use super::{Endpoint, event::Event};
use crate::{
    Error, Result,
    auth::Actor,
    clock::Clock,
    records::{self, Delivery},
    storage::{Batch, Entry, Key, Metadata, Prefix, Version, Write},
    traces,
};

/// Records whose changes are announced to endpoints.
#[derive(Debug)]
pub(crate) struct AnnouncedMetadata {
    pub(crate) inner: Arc<dyn Metadata>,
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl AnnouncedMetadata {
    /// The records of all events of a batch: one an event and endpoint that wants it.
    fn announcements(&self, batch: &Batch) -> Result<Vec<Write>> {
        let now_unix_s = self.clock.unix_now_s();
        let actor = Actor::current();
        let traceparent = traces::current().map(|trace| trace.context.to_string());
        let mut writes = Vec::new();
        for write in &batch.writes {
            for event in Event::of(write)? {
                let id = Ulid::new();
                let mut body = event.cloud_event(id, now_unix_s, actor.as_deref());
                if let Some(traceparent) = &traceparent {
                    // https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
                    body["traceparent"] = json!(traceparent);
                }
                let body = body.to_string();
                let wanting = self
                    .endpoints
                    .iter()
                    .filter(|endpoint| endpoint.wants(&event));
                for endpoint in wanting {
                    let record = Delivery {
                        attempts: 0,
                        due_unix_s: now_unix_s,
                        traceparent: traceparent.clone(),
                        last_failure: None,
                    };
                    let key = Key::Delivery(endpoint.name.clone(), id);
                    writes.push(Write::put_new(
                        key,
                        records::encode(&record, body.as_bytes())?,
                    ));
                }
            }
        }
        Ok(writes)
    }

    async fn write_announced(&self, mut batch: Batch) -> Result<Vec<Option<Version>>> {
        let announcements = self.announcements(&batch)?;
        if announcements.is_empty() {
            return self.inner.write(batch).await;
        }
        let count = announcements.len();
        let keys: Vec<Key> = announcements
            .iter()
            .map(|write| write.key.clone())
            .collect();
        batch.writes.splice(0..0, announcements);
        match self.inner.write(batch).await {
            Ok(mut versions) => {
                versions.drain(..count);
                for endpoint in &self.endpoints {
                    endpoint.arrived.notify_one();
                }
                Ok(versions)
            }
            Err(error) => {
                // Where batches are not atomic, what announces the lost change is there.
                if matches!(error, Error::Conflict { .. }) {
                    self.take_back(keys).await?;
                }
                Err(error)
            }
        }
    }

    async fn take_back(&self, keys: Vec<Key>) -> Result<()> {
        for key in keys {
            if let Some(entry) = self.inner.get(&key).await? {
                let write = Write::delete_if(key, entry.version);
                match self.inner.write(Batch::durable([write])).await {
                    Err(Error::Conflict { .. }) => {}
                    deleted => drop(deleted?),
                }
            }
        }
        Ok(())
    }
}

impl Metadata for AnnouncedMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        self.inner.get(key)
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        self.write_announced(batch).boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        self.inner.list(prefix, start_after, limit)
    }
}
