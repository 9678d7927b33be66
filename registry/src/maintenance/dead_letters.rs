//! Events that webhooks never took: listed, put back into the outbox, or thrown away.

use serde::Serialize;
use ulid::Ulid;

use super::Maintenance;
use crate::{
    Error, Result,
    records::{self, Delivery},
    service::Registry,
    storage::{Batch, Entry, Key, Prefix, Write},
};

/// Names that are read at a time.
const PAGE: usize = 1000;

/// An event that was set aside after its last attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeadLetter {
    /// The webhook that did not take it.
    pub webhook: String,
    /// Its name, which receivers see as `webhook-id`.
    pub id: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// The event, as a structured `CloudEvent`.
    pub event: serde_json::Value,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// Those of one webhook, or of all.
    pub webhook: Option<String>,
    /// Those of these names, or all.
    pub ids: Vec<String>,
}

impl DeadLetters {
    fn include(&self, webhook: &str, id: Ulid) -> bool {
        self.webhook.as_deref().is_none_or(|only| only == webhook)
            && (self.ids.is_empty() || self.ids.contains(&id.to_string()))
    }
}

/// What becomes of a dead letter.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Retry,
    Discard,
}

impl Maintenance {
    /// Shows dead letters to `found`, one by one, by webhook and then by age.
    pub async fn dead_letters(
        &self,
        which: &DeadLetters,
        found: &mut (dyn FnMut(DeadLetter) + Send),
    ) -> Result<()> {
        let mut after = None;
        while let Some(page) = next_page(&self.registry, &mut after).await? {
            for (webhook, id) in page {
                if !which.include(&webhook, id) {
                    continue;
                }
                let key = Key::DeadLetter(webhook.clone(), id);
                let Some(entry) = self.registry.metadata.get(&key).await? else {
                    continue;
                };
                let (delivery, event): (Delivery, _) = records::decode(&key, &entry)?;
                let event = serde_json::from_slice(&event)
                    .map_err(|error| Error::corrupt(&key, error.to_string()))?;
                found(DeadLetter {
                    webhook,
                    id: id.to_string(),
                    attempts: delivery.attempts,
                    last_failure: delivery.last_failure,
                    event,
                });
            }
        }
        Ok(())
    }

    /// Puts dead letters back into the outbox, with all their attempts before them; says how many.
    /// A server that runs over the storage finds them within half a minute.
    pub async fn retry_dead_letters(&self, which: &DeadLetters) -> Result<u64> {
        self.settle(which, Fate::Retry).await
    }

    /// Throws dead letters away; says how many.
    pub async fn discard_dead_letters(&self, which: &DeadLetters) -> Result<u64> {
        self.settle(which, Fate::Discard).await
    }

    async fn settle(&self, which: &DeadLetters, fate: Fate) -> Result<u64> {
        let metadata = &self.registry.metadata;
        let (mut after, mut settled) = (None, 0);
        while let Some(page) = next_page(&self.registry, &mut after).await? {
            for (webhook, id) in page {
                if !which.include(&webhook, id) {
                    continue;
                }
                let key = Key::DeadLetter(webhook.clone(), id);
                let Some(entry) = metadata.get(&key).await? else {
                    continue;
                };
                let mut writes = Vec::new();
                if let Fate::Retry = fate {
                    // Before it is gone from here; receivers know a repetition by its name.
                    writes.push(self.retried(&key, &entry, webhook, id)?);
                }
                writes.push(Write::delete_if(key, entry.version));
                match metadata.write(Batch::durable(writes)).await {
                    // Somebody else was faster.
                    Err(Error::Conflict { .. }) => {}
                    written => {
                        written?;
                        settled += 1;
                    }
                }
            }
        }
        Ok(settled)
    }

    fn retried(&self, key: &Key, entry: &Entry, webhook: String, id: Ulid) -> Result<Write> {
        let (mut delivery, event): (Delivery, _) = records::decode(key, entry)?;
        delivery.attempts = 0;
        delivery.due_unix_s = self.registry.now_unix_s();
        let value = records::encode(&delivery, &event)?;
        Ok(Write::put(Key::Delivery(webhook, id), value))
    }
}

/// The next names below `after`, which moves on; `None` at the end.
async fn next_page(
    registry: &Registry,
    after: &mut Option<String>,
) -> Result<Option<Vec<(String, Ulid)>>> {
    let prefix = Prefix::DeadLetters;
    let names = registry.metadata.list(&prefix, after.as_deref(), PAGE);
    let names = names.await?;
    let Some(last) = names.last().cloned() else {
        return Ok(None);
    };
    *after = Some(last);
    let parsed = names.iter().filter_map(|name| {
        let (webhook, id) = name.split_once('/')?;
        Some((webhook.to_owned(), id.parse().ok()?))
    });
    Ok(Some(parsed.collect()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Config,
        storage::{MemoryMetadata, MemoryPayloads, Metadata as _},
    };

    const FIRST: Ulid = Ulid(1);
    const SECOND: Ulid = Ulid(2);

    /// Two dead letters of `a` and one of `b`.
    async fn maintenance() -> Maintenance {
        let metadata = Arc::new(MemoryMetadata::default());
        for (webhook, id) in [("a", FIRST), ("a", SECOND), ("b", FIRST)] {
            let record = Delivery {
                attempts: 16,
                due_unix_s: 7,
                traceparent: None,
                last_failure: Some("it answered 500".to_owned()),
            };
            let value = records::encode(&record, br#"{"type":"x"}"#).unwrap();
            let write = Write::put_new(Key::DeadLetter(webhook.to_owned(), id), value);
            metadata.write(Batch::durable([write])).await.unwrap();
        }
        let config = Config::default();
        let payloads = Arc::new(MemoryPayloads::default());
        let registry = Registry::new(payloads, metadata, &config).unwrap();
        Maintenance::new(registry, config.gc, None)
    }

    async fn left(maintenance: &Maintenance) -> Vec<(String, String)> {
        let mut left = Vec::new();
        let mut found = |letter: DeadLetter| {
            assert_eq!(letter.attempts, 16);
            assert_eq!(letter.last_failure.as_deref(), Some("it answered 500"));
            assert_eq!(letter.event["type"], "x");
            left.push((letter.webhook, letter.id));
        };
        let all = DeadLetters::default();
        maintenance.dead_letters(&all, &mut found).await.unwrap();
        left
    }

    fn named(webhook: &str, id: Ulid) -> (String, String) {
        (webhook.to_owned(), id.to_string())
    }

    #[tokio::test]
    async fn what_is_retried_waits_again_with_all_attempts() {
        let maintenance = maintenance().await;
        let of_a = DeadLetters {
            webhook: Some("a".to_owned()),
            ids: vec![SECOND.to_string()],
        };
        assert_eq!(maintenance.retry_dead_letters(&of_a).await.unwrap(), 1);
        assert_eq!(maintenance.retry_dead_letters(&of_a).await.unwrap(), 0);
        assert_eq!(
            left(&maintenance).await,
            [named("a", FIRST), named("b", FIRST)]
        );
        let key = Key::Delivery("a".to_owned(), SECOND);
        let entry = maintenance.registry.metadata.get(&key).await.unwrap();
        let (delivery, event): (Delivery, _) = records::decode(&key, &entry.unwrap()).unwrap();
        assert_eq!(delivery.attempts, 0);
        assert!(delivery.due_unix_s > 7);
        assert_eq!(&event[..], br#"{"type":"x"}"#);
    }

    #[tokio::test]
    async fn what_is_discarded_is_gone() {
        let maintenance = maintenance().await;
        let first = DeadLetters {
            webhook: None,
            ids: vec![FIRST.to_string()],
        };
        assert_eq!(maintenance.discard_dead_letters(&first).await.unwrap(), 2);
        assert_eq!(left(&maintenance).await, [named("a", SECOND)]);
        let all = DeadLetters::default();
        assert_eq!(maintenance.discard_dead_letters(&all).await.unwrap(), 1);
        assert_eq!(left(&maintenance).await, []);
        let outbox = Prefix::Deliveries("a".to_owned());
        let waiting = maintenance.registry.metadata.list(&outbox, None, 9).await;
        assert_eq!(waiting.unwrap().len(), 0);
    }
}
