//! The thread that writes: many requests, one commit; and the database opened anew when its file
//! failed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use redb::{Database, Durability as RedbDurability, ReadableDatabase, ReadableTable, Table};
use tokio::sync::{mpsc, oneshot};

use super::{Latest, Opener, RECORDS, SEQUENCE, VERSION_BYTES, is_of_file, version_of};
use crate::{
    Error, Result,
    storage::{Batch, Change, Durability, Version},
};

/// Requests in one commit, so that the first of them does not wait for ever longer batches.
const COMMIT_REQUESTS: usize = 512;
/// The shortest time between two attempts to open a database whose file failed: each reads all of
/// it.
const REOPEN_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 500 });

/// From this size of the file on, each durable commit also notes which pages are free. Otherwise a
/// start after a crash goes through the whole file to find out: half a second for this much.
const NOTED_BYTES: u64 = 256 * 1024 * 1024;

pub(super) type Written = Result<Vec<Option<Version>>>;

/// What is asked of the writer.
pub(super) enum Request {
    Write {
        batch: Batch,
        written: oneshot::Sender<Written>,
    },
    /// A reader met an error of the file, in the database as it was opened the n-th time.
    Reopen { opening: u64 },
}

pub(super) struct Writer {
    /// Absent while it cannot be opened.
    database: Option<Database>,
    open: Opener,
    path: PathBuf,
    /// When it was last opened, or tried to be, after a failure.
    reopened: Option<Instant>,
    sequence: u64,
    latest: Latest,
}

impl Writer {
    pub(super) fn new(
        database: Database,
        path: &Path,
        open: Opener,
    ) -> Result<(Self, Latest), redb::Error> {
        let sequence = prepare(&database)?;
        let latest = Latest::of(database.begin_read()?.open_table(RECORDS)?);
        let writer = Self {
            database: Some(database),
            open,
            path: path.to_owned(),
            reopened: None,
            sequence,
            latest: latest.clone(),
        };
        Ok((writer, latest))
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batches = Vec::new();
            let mut waiting = Vec::new();
            let mut next = Some(first);
            while let Some(request) = next {
                match request {
                    Request::Write { batch, written } => {
                        batches.push(batch);
                        waiting.push(written);
                    }
                    Request::Reopen { opening } if self.latest.opening() == opening => {
                        self.database = None;
                    }
                    Request::Reopen { .. } => {}
                }
                next = (batches.len() < COMMIT_REQUESTS)
                    .then(|| queue.try_recv().ok())
                    .flatten();
            }
            let outcome = match self.ensure_open() {
                Ok(()) if batches.is_empty() => continue,
                Ok(()) => self.commit(batches),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(outcomes) => {
                    for (written, outcome) in waiting.into_iter().zip(outcomes) {
                        // A caller that left no longer wants to know; its write stands.
                        let _ = written.send(outcome);
                    }
                }
                Err(error) => {
                    fail_all(waiting, &error);
                    if is_of_file(&error) {
                        self.database = None;
                        // Readers need it, too.
                        let _ = self.ensure_open();
                    }
                }
            }
        }
    }

    /// Opens the database anew if its file failed.
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread of its own, and nothing tells when a disk is well again"
    )]
    fn ensure_open(&mut self) -> Result<(), redb::Error> {
        if self.database.is_some() {
            return Ok(());
        }
        if let Some(since) = self.reopened {
            let pause = REOPEN_PAUSE.saturating_sub(since.elapsed());
            std::thread::sleep(pause);
        }
        self.reopened = Some(Instant::now());
        let reopened = self.reopen();
        match &reopened {
            Ok(()) => tracing::info!("opened the metadata anew after its file had failed"),
            Err(error) => {
                self.latest.failed();
                tracing::error!(%error, "failed to open the metadata anew; the next request tries again");
            }
        }
        reopened
    }

    fn reopen(&mut self) -> Result<(), redb::Error> {
        let database = (self.open)()?;
        self.sequence = prepare(&database)?;
        self.latest
            .reopened(database.begin_read()?.open_table(RECORDS)?);
        self.database = Some(database);
        Ok(())
    }

    /// Applies each batch or, if one of its conditions does not hold, none of it; commits once.
    fn commit(&mut self, batches: Vec<Batch>) -> Result<Vec<Written>, redb::Error> {
        let durable = batches
            .iter()
            .any(|batch| batch.durability == Durability::Durable);
        let database = self.database.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        let mut transaction = database.begin_write()?;
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
                .collect::<Result<_, _>>()?;
            transaction.open_table(SEQUENCE)?.insert((), sequence)?;
            outcomes
        };
        transaction.commit()?;
        self.sequence = sequence;
        // Before anybody is told, for whoever was told must read what was written.
        let records = database.begin_read()?.open_table(RECORDS)?;
        self.latest.follow(records);
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
) -> Result<Written, redb::Error> {
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
    let kind = match error {
        redb::Error::Io(error) => error.kind(),
        _ => io::ErrorKind::Other,
    };
    for written in waiting {
        let source = io::Error::new(kind, error.to_string());
        let action = "commit metadata".to_owned();
        let failed = match error {
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                Error::unavailable(action, source)
            }
            _ => Error::storage(action, source),
        };
        let _ = written.send(Err(failed));
    }
}

/// Creates the tables if they are missing, and returns the highest version given so far.
///
/// A database that has them is only read: that works on a full disk, too.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let reading = database.begin_read()?;
    match (reading.open_table(RECORDS), reading.open_table(SEQUENCE)) {
        (Ok(_), Ok(sequence)) => {
            return Ok(sequence.get(())?.map_or(0, |stored| stored.value()));
        }
        (Err(redb::TableError::TableDoesNotExist(_)), _)
        | (_, Err(redb::TableError::TableDoesNotExist(_))) => {}
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    }
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(SEQUENCE)?;
    transaction.commit()?;
    Ok(0)
}
