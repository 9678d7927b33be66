//! Records in one `redb` file, written by one thread that commits for many.
//!
//! Making a commit durable takes milliseconds, whatever it holds. So all writes go to one writer
//! thread ([`writer`]), which takes every request that waits, applies them in one transaction,
//! commits once and then acknowledges them all: under load the cost of a durable write is shared.
//!
//! A database that met an error of its file refuses everything until it is opened anew, lest it
//! goes on from pages that were written in part. The writer does that by itself, and readers wait
//! for it: a disk that was full, or failed once, needs no restart.

mod latest;
mod writer;

use std::{path::Path, thread};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use redb::{Database, DatabaseError, TableDefinition};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

use super::{Batch, Entry, Key, Metadata, Prefix, Version};
use crate::{Error, Result, traces};
use latest::{Latest, Records};
use writer::{Request, Writer, Written};

/// A record: its version as 8 little-endian bytes, then its value.
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
/// The highest version ever given, so that a version names one state even across deletions.
const SEQUENCE: TableDefinition<'_, (), u64> = TableDefinition::new("sequence");

/// Requests that may wait for the writer before senders have to wait, too.
const QUEUE_LENGTH: usize = 1024;
/// The page cache of the database, in bytes: the registry's memory is to stay small, and the
/// operating system caches the file besides.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
const VERSION_BYTES: usize = size_of::<u64>();

/// Records in a database file that this process holds alone.
#[derive(Debug)]
pub struct EmbeddedMetadata {
    latest: Latest,
    /// Taken on drop: closing it is what ends the writer.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<thread::JoinHandle<()>>,
}

/// Opens the database's file, the first time and whenever it failed.
type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

impl EmbeddedMetadata {
    /// Opens a database file, creating it when missing.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.to_owned();
        Self::open_with(path, Box::new(move || builder().create(&file)))
    }

    /// Opens a database file whose disk may fail.
    #[cfg(test)]
    pub(crate) fn open_on(path: &Path, fuse: super::faults::Fuse) -> Result<Self> {
        let file = path.to_owned();
        let open = move || {
            let file = super::faults::FaultyFile::open(&file, fuse.clone())?;
            builder().create_with_backend(file)
        };
        Self::open_with(path, Box::new(open))
    }

    fn open_with(path: &Path, open: Opener) -> Result<Self> {
        let failed = |source| database_error(format!("open `{}`", path.display()), source);
        let database = open().map_err(|source| match source {
            DatabaseError::DatabaseAlreadyOpen => Error::InUse {
                path: path.display().to_string(),
            },
            source if is_damage(&source) => {
                let reason = source.to_string();
                Error::corrupt(path.display(), reason)
            }
            source => failed(source.into()),
        })?;
        let (writer, latest) = Writer::new(database, path, open).map_err(failed)?;
        let (requests, queue) = mpsc::channel(QUEUE_LENGTH);
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

    fn requests(&self) -> Result<&mpsc::Sender<Request>> {
        self.requests.as_ref().ok_or(Error::Closed)
    }

    /// The records once the database is opened anew, after a read found that its file had failed.
    async fn anew(&self, opening: u64) -> Result<Records> {
        let requests = self.requests()?;
        // If the queue is full, the writer finds out by itself.
        let ask = || drop(requests.try_send(Request::Reopen { opening }));
        self.latest.after(opening, ask).await
    }
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
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
            let (opening, records) = self.latest.records();
            let found = match get(&records, &text) {
                Err(source) if is_of_file(&source) => get(&self.anew(opening).await?, &text),
                found => found,
            };
            let found = found.map_err(|source| database_error(format!("read `{text}`"), source))?;
            found.map(|stored| decode(&text, &stored)).transpose()
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
            let request = Request::Write { batch, written };
            let sent = self.requests()?.send(request).await;
            sent.map_err(|_| Error::Closed)?;
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
        async move {
            let read = |records: Records| {
                let (prefix, after) = (prefix.clone(), after.clone());
                let listing = spawn_blocking(move || list(&records, &prefix, &after, limit));
                async { listing.await.unwrap_or(Err(redb::Error::DatabaseClosed)) }
            };
            let (opening, records) = self.latest.records();
            let names = match read(records).await {
                Err(source) if is_of_file(&source) => read(self.anew(opening).await?).await,
                names => names,
            };
            names.map_err(|source| database_error(format!("list `{prefix}`"), source))
        }
        .boxed()
    }
}

/// The file is not what a database wrote, so trying again does not help.
fn is_damage(error: &DatabaseError) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        DatabaseError::RepairAborted
        | DatabaseError::UpgradeRequired(_)
        | DatabaseError::Storage(redb::StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(redb::StorageError::Io(error)) => {
            matches!(error.kind(), InvalidData | UnexpectedEof)
        }
        _ => false,
    }
}

/// The database's file failed, now or before, so that it has to be opened anew.
fn is_of_file(error: &redb::Error) -> bool {
    matches!(
        error,
        redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed
    )
}

fn get(records: &Records, key: &str) -> Result<Option<Bytes>, redb::Error> {
    let stored = records.get(key)?;
    Ok(stored.map(|stored| Bytes::copy_from_slice(stored.value())))
}

fn list(
    records: &Records,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, redb::Error> {
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
    match source {
        redb::Error::Io(source) => Error::storage(action, source),
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => Error::unavailable(action, source),
        source => Error::storage(action, source),
    }
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
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn[..64].fill(0);
        for damaged in [&torn, &vec![b'x'; whole.len()]] {
            std::fs::write(&path, damaged).unwrap();
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
