//! Stores that fail on demand: at the n-th change, the process dies, or the disk does.
//!
//! Once a process has died, everything below it fails, as it does for a process that is gone;
//! opening the same files anew, or wrapping the same stores, is the restart. Batches are applied
//! write by write, as a store without transactions does, so a crash may fall between any two
//! records. Below a database, [`FaultyFile`] counts what the database does to its file.

use std::{
    collections::HashSet,
    fs::OpenOptions,
    io,
    ops::{Bound, Range},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use redb::{BackendError, DatabaseError, StorageBackend, backends::FileBackend};

use super::{
    Batch, Chunks, Committed, Entry, Key, Metadata, Parked, PayloadKey, PayloadWriter, Payloads,
    Prefix, Version,
};
use crate::{Error, Result};

/// What happens at the change that a fuse ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the change.
    DiesBefore,
    /// The process dies when half of what is written was written.
    DiesMidway,
    /// The process dies after the change, before it learns of it.
    DiesAfter,
    /// From there on, nothing can be written until somebody makes room.
    Full,
    /// This one fails, as it does on a disk with a bad sector.
    Fails,
}

impl Fault {
    /// The ways to die.
    pub(crate) const DEATHS: [Self; 3] = [Self::DiesBefore, Self::DiesMidway, Self::DiesAfter];
}

/// Counts changes down to a fault.
#[derive(Debug, Clone)]
pub(crate) struct Fuse(Arc<State>);

#[derive(Debug)]
struct State {
    left: AtomicU32,
    fault: Fault,
    is_burnt: AtomicBool,
    is_mended: AtomicBool,
    /// The pages of the database's file that the disk has room for already.
    backed: Mutex<HashSet<u64>>,
}

/// What a call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    /// Takes room on the disk.
    Write,
    /// Changes what has room already, or gives room back.
    Change,
}

/// What becomes of a call.
enum Strike {
    None,
    Before(io::Error),
    Midway(io::Error),
    After(io::Error),
}

impl Fuse {
    /// A fault instead of the change after `changes` more.
    pub(crate) fn new(changes: u32, fault: Fault) -> Self {
        Self(Arc::new(State {
            left: changes.into(),
            fault,
            is_burnt: AtomicBool::new(false),
            is_mended: AtomicBool::new(false),
            backed: Mutex::default(),
        }))
    }

    /// Dies before the change after `changes` more.
    pub(crate) fn after(changes: u32) -> Self {
        Self::new(changes, Fault::DiesBefore)
    }

    /// One that never burns.
    pub(crate) fn none() -> Self {
        let fuse = Self::after(0);
        fuse.mend();
        fuse
    }

    /// The fault has come.
    pub(crate) fn is_burnt(&self) -> bool {
        self.0.is_burnt.load(SeqCst)
    }

    /// Somebody makes room; nothing fails any more.
    pub(crate) fn mend(&self) {
        self.0.is_mended.store(true, SeqCst);
    }

    fn strike(&self, call: Call) -> Strike {
        let state = &self.0;
        if state.is_mended.load(SeqCst) {
            return Strike::None;
        }
        let was_burnt = self.is_burnt();
        let is_change = call != Call::Read;
        let spends = |left: u32| left.checked_sub(1);
        if !was_burnt && (!is_change || state.left.fetch_update(SeqCst, SeqCst, spends).is_ok()) {
            return Strike::None;
        }
        state.is_burnt.store(true, SeqCst);
        match state.fault {
            Fault::Full if call == Call::Write => Strike::Before(io::ErrorKind::StorageFull.into()),
            Fault::Fails if !was_burnt => Strike::Before(io::Error::from_raw_os_error(EIO)),
            Fault::Full | Fault::Fails => Strike::None,
            _ if was_burnt => Strike::Before(death()),
            Fault::DiesBefore => Strike::Before(death()),
            Fault::DiesMidway => Strike::Midway(death()),
            Fault::DiesAfter => Strike::After(death()),
        }
    }

    /// Makes a call, or what is left of it.
    async fn guard<T, F: Future<Output = Result<T>>>(
        &self,
        call: Call,
        work: impl FnOnce() -> F,
    ) -> Result<T> {
        let failed = |error| Error::storage("go on".to_owned(), error);
        match self.strike(call) {
            Strike::None => work().await,
            Strike::Before(error) | Strike::Midway(error) => Err(failed(error)),
            Strike::After(error) => {
                work().await?;
                Err(failed(error))
            }
        }
    }
}

/// What a disk with a bad sector says.
const EIO: i32 = 5;
/// What a disk gives room for at a time.
const PAGE_BYTES: usize = 4096;

fn death() -> io::Error {
    io::Error::other("injected crash")
}

/// Records on a fuse.
#[derive(Debug)]
pub(crate) struct FaultyMetadata {
    pub(crate) inner: Arc<dyn Metadata>,
    pub(crate) fuse: Fuse,
}

impl Metadata for FaultyMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        let key = key.clone();
        async move { self.fuse.guard(Call::Read, || self.inner.get(&key)).await }.boxed()
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        async move {
            let mut versions = Vec::new();
            for write in batch.writes {
                let written = || self.inner.write(Batch::durable([write]));
                versions.extend(self.fuse.guard(Call::Write, written).await?);
            }
            Ok(versions)
        }
        .boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        let (prefix, start_after) = (prefix.clone(), start_after.map(str::to_owned));
        async move {
            let listed = || self.inner.list(&prefix, start_after.as_deref(), limit);
            self.fuse.guard(Call::Read, listed).await
        }
        .boxed()
    }
}

/// Payloads on a fuse.
#[derive(Debug)]
pub(crate) struct FaultyPayloads {
    pub(crate) inner: Arc<dyn Payloads>,
    pub(crate) fuse: Fuse,
}

impl FaultyPayloads {
    fn wrap(&self, inner: Box<dyn PayloadWriter>) -> Box<dyn PayloadWriter> {
        let fuse = self.fuse.clone();
        Box::new(FaultyWriter { inner, fuse })
    }
}

impl Payloads for FaultyPayloads {
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        async move {
            let begun = self.fuse.guard(Call::Write, || self.inner.begin(key));
            Ok(self.wrap(begun.await?))
        }
        .boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        async move {
            let resumed = self
                .fuse
                .guard(Call::Write, || self.inner.resume(key, parked));
            Ok(self.wrap(resumed.await?))
        }
        .boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        self.fuse
            .guard(Call::Read, move || self.inner.read(key, range))
            .boxed()
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        self.fuse
            .guard(Call::Change, move || self.inner.delete(key))
            .boxed()
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        self.fuse
            .guard(Call::Change, move || self.inner.discard(key))
            .boxed()
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        self.fuse
            .guard(Call::Read, || self.inner.uncommitted())
            .boxed()
    }
}

struct FaultyWriter {
    inner: Box<dyn PayloadWriter>,
    fuse: Fuse,
}

impl PayloadWriter for FaultyWriter {
    fn write(&mut self, mut chunks: Vec<bytes::Bytes>) -> BoxFuture<'_, Result<()>> {
        async move {
            let failed = |error| Error::storage("write on".to_owned(), error);
            match self.fuse.strike(Call::Write) {
                Strike::None => self.inner.write(chunks).await,
                Strike::Before(error) => Err(failed(error)),
                Strike::Midway(error) => {
                    if let Some(last) = chunks.last_mut() {
                        last.truncate(last.len() / 2);
                    }
                    self.inner.write(chunks).await?;
                    Err(failed(error))
                }
                Strike::After(error) => {
                    self.inner.write(chunks).await?;
                    Err(failed(error))
                }
            }
        }
        .boxed()
    }

    fn park(self: Box<Self>) -> BoxFuture<'static, Result<Parked>> {
        let Self { inner, fuse } = *self;
        async move { fuse.guard(Call::Write, || inner.park()).await }.boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<Committed>> {
        let Self { inner, fuse } = *self;
        async move { fuse.guard(Call::Write, || inner.commit()).await }.boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        let Self { inner, fuse } = *self;
        async move { fuse.guard(Call::Change, || inner.abort()).await }.boxed()
    }
}

/// A database's file on a fuse.
#[derive(Debug)]
pub(crate) struct FaultyFile {
    inner: FileBackend,
    fuse: Fuse,
}

impl FaultyFile {
    pub(crate) fn open(path: &Path, fuse: Fuse) -> Result<Self, DatabaseError> {
        if let Strike::Before(error) = fuse.strike(Call::Read) {
            return Err(error.into());
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let inner = FileBackend::new(options.open(path)?)?;
        let file = Self { inner, fuse };
        let pages = std::fs::read(path)?;
        let pages = (0..).zip(pages.chunks(PAGE_BYTES));
        let written = pages.filter(|(_, page)| page.iter().any(|byte| *byte != 0));
        file.backed().extend(written.map(|(number, _)| number));
        Ok(file)
    }

    fn backed(&self) -> MutexGuard<'_, HashSet<u64>> {
        let backed = self.fuse.0.backed.lock();
        backed.unwrap_or_else(PoisonError::into_inner)
    }

    fn pages(offset: u64, length: usize) -> Range<u64> {
        let page_bytes = PAGE_BYTES as u64;
        offset / page_bytes..(offset + length as u64).div_ceil(page_bytes)
    }

    fn write_through(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)?;
        self.backed().extend(Self::pages(offset, data.len()));
        Ok(())
    }

    fn guard(
        &self,
        call: Call,
        work: impl FnOnce(&FileBackend) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.fuse.strike(call) {
            Strike::None => work(&self.inner),
            Strike::Before(error) | Strike::Midway(error) => Err(error),
            Strike::After(error) => {
                work(&self.inner)?;
                Err(error)
            }
        }
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.guard(Call::Read, |file| file.read(offset, out))
    }

    fn set_len(&self, length_bytes: u64) -> io::Result<()> {
        // What is longer than it was written is a hole.
        self.guard(Call::Change, |file| file.set_len(length_bytes))
    }

    /// What a process wrote outlives it, synced or not: these tests kill no operating system.
    fn sync_data(&self) -> io::Result<()> {
        self.guard(Call::Change, |_| Ok(()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let has_room = {
            let backed = self.backed();
            Self::pages(offset, data.len()).all(|page| backed.contains(&page))
        };
        let call = if has_room { Call::Change } else { Call::Write };
        match self.fuse.strike(call) {
            Strike::None => self.write_through(offset, data),
            Strike::Before(error) => Err(error),
            Strike::Midway(error) => {
                self.write_through(offset, &data[..data.len() / 2])?;
                Err(error)
            }
            Strike::After(error) => {
                self.write_through(offset, data)?;
                Err(error)
            }
        }
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
