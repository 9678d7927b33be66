//! Records in one `redb` file, written by one thread that commits for many.
//!
//! Making a commit durable takes milliseconds, whatever it holds. So all writes go to one writer
//! thread, which takes every request that waits, applies them in one transaction, commits once and
//! then acknowledges them all: under load the cost of a durable write is shared.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    thread,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use redb::{
    Database, Durability as RedbDurability, ReadOnlyTable, ReadableDatabase, ReadableTable, Table,
    TableDefinition,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

use super::{Batch, Change, Durability, Entry, Key, Metadata, Prefix, Version};
use crate::{Error, Result, traces};

/// A record: its version as 8 little-endian bytes, then its value.
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
/// The highest version ever given, so that a version names one state even across deletions.
const SEQUENCE: TableDefinition<'_, (), u64> = TableDefinition::new("sequence");

/// Requests that may wait for the writer before senders have to wait, too.
const QUEUE_LENGTH: usize = 1024;
/// Requests in one commit, so that the first of them does not wait for ever longer batches.
const COMMIT_REQUESTS: usize = 512;
/// The page cache of the database, in bytes: the registry's memory is to stay small, and the
/// operating system caches the file besides.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// From this size of the file on, each durable commit also notes which pages are free. Otherwise a
/// start after a crash goes through the whole file to find out: half a second for this much.
const NOTED_BYTES: u64 = 256 * 1024 * 1024;
const VERSION_BYTES: usize = size_of::<u64>();

type Written = Result<Vec<Option<Version>>>;

struct Request {
    batch: Batch,
    written: oneshot::Sender<Written>,
}

/// Records in a database file that this process holds alone.
#[derive(Debug)]
pub struct EmbeddedMetadata {
    latest: Latest,
    /// Taken on drop: closing it is what ends the writer.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<thread::JoinHandle<()>>,
}

impl EmbeddedMetadata {
    /// Opens a database file, creating it when missing.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| database_error(format!("open `{}`", path.display()), source);
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|source| match source {
                redb::DatabaseError::DatabaseAlreadyOpen => Error::InUse {
                    path: path.display().to_string(),
                },
                source if is_damage(&source) => {
                    let reason = source.to_string();
                    Error::corrupt(path.display(), reason)
                }
                source => failed(source.into()),
            })?;
        let sequence = prepare(&database).map_err(failed)?;
        let latest = Latest::of(&database).map_err(failed)?;
        let (requests, queue) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer {
            database,
            path: path.to_owned(),
            sequence,
            latest: latest.clone(),
        };
        let writer = thread::Builder::new()
            .name("metadata-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|source| Error::storage("start the metadata writer".to_owned(), source))?;
        Ok(Self {
            latest,
            requests: Some(requests),
            writer: Some(writer),
        })
    }
}

impl Drop for EmbeddedMetadata {
    /// Waits for the writer, so that the file is free once this returns.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the metadata writer panicked");
        }
    }
}

impl Metadata for EmbeddedMetadata {
    /// Reads on the caller's thread: a lookup takes microseconds.
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        let text = key.to_string();
        async move {
            get(&self.latest.records(), &text)
                .map_err(|source| database_error(format!("read `{text}`"), source))?
                .map(|stored| decode(&text, &stored))
                .transpose()
        }
        .boxed()
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Written> {
        async move {
            // The wait for others that are committed with it included.
            let mut span = traces::leaf(|| "embedded commit".into());
            if let Some(span) = &mut span {
                span.set("storage.writes", batch.writes.len() as u64);
            }
            let (written, acknowledged) = oneshot::channel();
            let requests = self.requests.as_ref().ok_or(Error::Closed)?;
            let request = Request { batch, written };
            requests.send(request).await.map_err(|_| Error::Closed)?;
            acknowledged.await.map_err(|_| Error::Closed)?
        }
        .boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        let prefix = prefix.to_string();
        let after = format!("{prefix}{}", start_after.unwrap_or_default());
        let records = self.latest.records();
        async move {
            spawn_blocking(move || {
                list(&records, &prefix, &after, limit)
                    .map_err(|source| database_error(format!("list `{prefix}`"), source))
            })
            .await
            .map_err(|_| Error::Closed)?
        }
        .boxed()
    }
}

/// The records as the last commit left them.
///
/// Beginning a transaction and opening its table costs more than a lookup, so all readers between
/// two commits share one.
#[derive(Clone)]
struct Latest(Arc<RwLock<Arc<Records>>>);

type Records = ReadOnlyTable<&'static str, &'static [u8]>;

impl Latest {
    fn of(database: &Database) -> std::result::Result<Self, redb::Error> {
        let records = database.begin_read()?.open_table(RECORDS)?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(records)))))
    }

    fn records(&self) -> Arc<Records> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn follow(&self, database: &Database) -> std::result::Result<(), redb::Error> {
        let records = Arc::new(database.begin_read()?.open_table(RECORDS)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = records;
        Ok(())
    }
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").finish_non_exhaustive()
    }
}

struct Writer {
    database: Database,
    path: PathBuf,
    sequence: u64,
    latest: Latest,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batches = vec![first.batch];
            let mut waiting = vec![first.written];
            while batches.len() < COMMIT_REQUESTS
                && let Ok(next) = queue.try_recv()
            {
                batches.push(next.batch);
                waiting.push(next.written);
            }
            match self.commit(batches) {
                Ok(outcomes) => {
                    for (written, outcome) in waiting.into_iter().zip(outcomes) {
                        // A caller that left no longer wants to know; its write stands.
                        let _ = written.send(outcome);
                    }
                }
                Err(error) => fail_all(waiting, &error),
            }
        }
    }

    /// Applies each batch or, if one of its conditions does not hold, none of it; commits once.
    fn commit(&mut self, batches: Vec<Batch>) -> std::result::Result<Vec<Written>, redb::Error> {
        let durable = batches
            .iter()
            .any(|batch| batch.durability == Durability::Durable);
        let mut transaction = self.database.begin_write()?;
        if durable {
            transaction.set_quick_repair(self.is_large());
        } else {
            transaction.set_durability(RedbDurability::None)?;
        }
        let mut sequence = self.sequence;
        let outcomes = {
            let mut records = transaction.open_table(RECORDS)?;
            let outcomes = batches
                .into_iter()
                .map(|batch| apply(&mut records, &mut sequence, batch))
                .collect::<std::result::Result<_, _>>()?;
            transaction.open_table(SEQUENCE)?.insert((), sequence)?;
            outcomes
        };
        transaction.commit()?;
        self.sequence = sequence;
        // Before anybody is told, for whoever was told must read what was written.
        self.latest.follow(&self.database)?;
        Ok(outcomes)
    }

    fn is_large(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.len() >= NOTED_BYTES)
    }
}

fn apply(
    records: &mut Table<'_, &str, &[u8]>,
    sequence: &mut u64,
    batch: Batch,
) -> std::result::Result<Written, redb::Error> {
    for write in &batch.writes {
        let key = write.key.to_string();
        let present = records
            .get(key.as_str())?
            .and_then(|stored| version_of(stored.value()));
        if !write.change.applies_to(present.as_deref()) {
            return Ok(Err(Error::conflict(&write.key)));
        }
    }
    let mut versions = Vec::with_capacity(batch.writes.len());
    for write in batch.writes {
        let key = write.key.to_string();
        versions.push(match write.change {
            Change::Put(value) | Change::PutNew(value) | Change::PutIf(_, value) => {
                *sequence += 1;
                let mut stored =
                    records.insert_reserve(key.as_str(), VERSION_BYTES + value.len())?;
                let (version, body) = stored.as_mut().split_at_mut(VERSION_BYTES);
                version.copy_from_slice(&sequence.to_le_bytes());
                body.copy_from_slice(&value);
                Some(Version(sequence.to_string().into()))
            }
            Change::DeleteIf(_) => {
                records.remove(key.as_str())?;
                None
            }
        });
    }
    Ok(Ok(versions))
}

/// The cause is logged here, once; each caller learns that its write did not happen.
fn fail_all(waiting: Vec<oneshot::Sender<Written>>, error: &redb::Error) {
    tracing::error!(error = %error, write.count = waiting.len(), "failed to commit metadata");
    for written in waiting {
        let source = std::io::Error::other(error.to_string());
        let _ = written.send(Err(Error::storage("commit metadata".to_owned(), source)));
    }
}

/// The file is not what a database wrote, so trying again does not help.
fn is_damage(error: &redb::DatabaseError) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::DatabaseError::RepairAborted
        | redb::DatabaseError::UpgradeRequired(_)
        | redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) => true,
        redb::DatabaseError::Storage(redb::StorageError::Io(error)) => {
            matches!(error.kind(), InvalidData | UnexpectedEof)
        }
        _ => false,
    }
}

/// Returns the highest version given so far; creates the tables of a new file. A start that finds
/// them need not wait for a commit.
fn prepare(database: &Database) -> std::result::Result<u64, redb::Error> {
    match database.begin_read()?.open_table(SEQUENCE) {
        Ok(sequence) => Ok(sequence.get(())?.map_or(0, |stored| stored.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let transaction = database.begin_write()?;
            transaction.open_table(RECORDS)?;
            transaction.open_table(SEQUENCE)?;
            transaction.commit()?;
            Ok(0)
        }
        Err(error) => Err(error.into()),
    }
}

fn get(records: &Records, key: &str) -> std::result::Result<Option<Bytes>, redb::Error> {
    let stored = records.get(key)?;
    Ok(stored.map(|stored| Bytes::copy_from_slice(stored.value())))
}

fn list(
    records: &Records,
    prefix: &str,
    after: &str,
    limit: usize,
) -> std::result::Result<Vec<String>, redb::Error> {
    let mut names = Vec::new();
    for record in records.range::<&str>(after..)? {
        let (key, _) = record?;
        let Some(name) = key.value().strip_prefix(prefix) else {
            break;
        };
        if names.len() == limit {
            break;
        }
        if key.value() != after {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn decode(key: &str, stored: &Bytes) -> Result<Entry> {
    let version = version_of(stored)
        .ok_or_else(|| Error::corrupt(key, "it is too short to hold its version"))?;
    Ok(Entry {
        version: Version(version.into()),
        value: stored.slice(VERSION_BYTES..),
    })
}

fn version_of(stored: &[u8]) -> Option<String> {
    let (version, _) = stored.split_first_chunk()?;
    Some(u64::from_le_bytes(*version).to_string())
}

fn database_error(action: String, source: redb::Error) -> Error {
    Error::storage(action, source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{MetadataExt, conformance};

    #[tokio::test]
    async fn the_database_holds_records() {
        let directory = tempfile::tempdir().unwrap();
        let metadata = EmbeddedMetadata::open(&directory.path().join("m.redb")).unwrap();
        conformance::metadata(&metadata).await;
    }

    #[tokio::test]
    async fn records_and_versions_survive_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.redb");
        let key = Key::Upload(ulid::Ulid::from(1));
        let metadata = EmbeddedMetadata::open(&path).unwrap();
        let first = metadata.put_new(key.clone(), "a".into()).await.unwrap();
        drop(metadata);

        let metadata = EmbeddedMetadata::open(&path).unwrap();
        let entry = metadata.get(&key).await.unwrap().unwrap();
        assert_eq!((&entry.value[..], &entry.version), (&b"a"[..], &first));
        let second = metadata.put_if(key, first.clone(), "b".into()).await;
        assert_ne!(second.unwrap(), first);
    }

    #[tokio::test]
    async fn a_damaged_file_is_told_from_one_that_cannot_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.redb");
        drop(EmbeddedMetadata::open(&path).unwrap());
        let whole = fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn[..64].fill(0);
        for damaged in [&torn, &vec![b'x'; whole.len()]] {
            fs::write(&path, damaged).unwrap();
            let error = EmbeddedMetadata::open(&path).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        }
        let missing = EmbeddedMetadata::open(&directory.path().join("none/m.redb"));
        assert!(matches!(missing, Err(Error::Storage { .. })));
    }

    #[tokio::test]
    async fn a_lost_race_in_a_group_fails_alone() {
        let directory = tempfile::tempdir().unwrap();
        let metadata = EmbeddedMetadata::open(&directory.path().join("m.redb")).unwrap();
        let writes = (0..100_u128).map(|n| {
            let key = Key::Upload(ulid::Ulid::from(n / 2));
            metadata.put_new(key, n.to_string().into())
        });
        let written = futures_util::future::join_all(writes).await;
        assert_eq!(written.iter().filter(|outcome| outcome.is_ok()).count(), 50);
        let names = metadata.list(&Prefix::Uploads, None, 1000).await.unwrap();
        assert_eq!(names.len(), 50);
    }
}
