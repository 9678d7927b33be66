//! Leases: several replicas share the work instead of doing it twice.
//!
//! Nothing breaks if two hold one lease, for every step of the work is a compare-and-swap; so a
//! lease may simply expire, whatever the clocks of its holders say.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{
    Error, Result,
    records::{self},
    service::Registry,
    storage::{Batch, Key, Task, Version, Write},
};

/// Parts of the garbage collection that different replicas may do.
pub(crate) const SHARDS: u8 = 4;
/// How long the work of a replica that died waits for another one.
const TTL_S: u64 = 300;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    owner: Ulid,
    expires_unix_s: u64,
}

/// A task that this replica does.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) task: Task,
    owner: Ulid,
    version: Version,
}

impl Lease {
    /// Takes a task; `None` while another replica does it.
    pub(crate) async fn acquire(
        registry: &Registry,
        owner: Ulid,
        task: Task,
    ) -> Result<Option<Self>> {
        let key = Key::Lease(task);
        let entry = registry.metadata.get(&key).await?;
        if let Some(entry) = &entry {
            let (record, _): (Record, _) = records::decode(&key, entry)?;
            let now_unix_s = registry.now_unix_s();
            // One that expires later than any lease would was made by a clock that was wrong.
            let holds = now_unix_s..=now_unix_s + TTL_S;
            if record.owner != owner && holds.contains(&record.expires_unix_s) {
                return Ok(None);
            }
        }
        let value = record(owner, registry.now_unix_s() + TTL_S)?;
        let write = Write::upsert(key, entry.as_ref(), value);
        swapped(registry, write).await.map(|version| {
            version.map(|version| Self {
                task,
                owner,
                version,
            })
        })
    }

    /// Keeps the work for another while; false when somebody else took it.
    ///
    /// All writes acknowledged before are durable once this returns true.
    pub(crate) async fn renew(&mut self, registry: &Registry) -> Result<bool> {
        let value = record(self.owner, registry.now_unix_s() + TTL_S)?;
        let write = Write::put_if(Key::Lease(self.task), self.version.clone(), value);
        let Some(version) = swapped(registry, write).await? else {
            return Ok(false);
        };
        self.version = version;
        Ok(true)
    }

    /// Lets the next one have the work at once.
    pub(crate) async fn release(self, registry: &Registry) -> Result<()> {
        let write = Write::delete_if(Key::Lease(self.task), self.version);
        match registry.metadata.write(Batch::eventual([write])).await {
            Err(Error::Conflict { .. }) => Ok(()),
            released => released.map(drop),
        }
    }
}

fn record(owner: Ulid, expires_unix_s: u64) -> Result<bytes::Bytes> {
    let record = Record {
        owner,
        expires_unix_s,
    };
    records::encode(&record, &[])
}

async fn swapped(registry: &Registry, write: Write) -> Result<Option<Version>> {
    match registry.metadata.write(Batch::durable([write])).await {
        Err(Error::Conflict { .. }) => Ok(None),
        versions => Ok(versions?.into_iter().next().flatten()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Config,
        clock::{Clock, TestClock},
        storage::{MemoryMetadata, MemoryPayloads},
    };

    #[tokio::test]
    async fn one_replica_at_a_time_has_a_lease() {
        let clock = Arc::new(TestClock::at(1_000_000));
        let payloads = Arc::new(MemoryPayloads::default());
        let metadata = Arc::new(MemoryMetadata::default());
        let mut registry = Registry::new(payloads, metadata, &Config::default()).unwrap();
        registry.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let (first, second) = (Ulid::from(1), Ulid::from(2));

        let mut lease = Lease::acquire(&registry, first, Task::Garbage(0))
            .await
            .unwrap()
            .unwrap();
        assert!(
            Lease::acquire(&registry, second, Task::Garbage(0))
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            Lease::acquire(&registry, second, Task::Garbage(1))
                .await
                .unwrap()
                .is_some()
        );
        clock.advance(TTL_S);
        assert!(lease.renew(&registry).await.unwrap());
        assert!(
            Lease::acquire(&registry, second, Task::Garbage(0))
                .await
                .unwrap()
                .is_none()
        );
        clock.advance(TTL_S + 1);
        let taken = Lease::acquire(&registry, second, Task::Garbage(0))
            .await
            .unwrap()
            .unwrap();
        assert!(!lease.renew(&registry).await.unwrap());
        taken.release(&registry).await.unwrap();
        assert!(
            Lease::acquire(&registry, first, Task::Garbage(0))
                .await
                .unwrap()
                .is_some()
        );
        // A lease from the far future is nobody's.
        clock.set(1);
        assert!(
            Lease::acquire(&registry, second, Task::Garbage(0))
                .await
                .unwrap()
                .is_some()
        );
    }
}
