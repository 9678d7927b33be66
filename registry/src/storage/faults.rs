//! Stores that fail on demand: the process "crashes" at the n-th write below it.
//!
//! From then on everything fails, as it does for a process that is gone. Wrapping the same stores
//! anew is the restart. Batches are applied write by write, as a store without transactions does,
//! so a crash may fall between any two records.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};

use super::{
    Batch, Chunks, Committed, Entry, Key, Metadata, Parked, PayloadKey, PayloadWriter, Payloads,
    Prefix, Version,
};
use crate::{Error, Result};

/// Counts the changes to both stores down to the crash.
#[derive(Debug, Clone)]
pub(crate) struct Fuse {
    left: Arc<AtomicU32>,
}

impl Fuse {
    /// Crashes instead of the change after `changes` more.
    pub(crate) fn after(changes: u32) -> Self {
        let left = Arc::new(AtomicU32::new(changes));
        Self { left }
    }

    /// Changes that were still possible; 0 means that it crashed or was about to.
    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::SeqCst)
    }

    fn burn(&self) -> Result<()> {
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .map(drop)
            .map_err(|_| crash())
    }

    fn check(&self) -> Result<()> {
        if self.left() == 0 {
            Err(crash())
        } else {
            Ok(())
        }
    }
}

fn crash() -> Error {
    Error::storage("go on".to_owned(), io::Error::other("injected crash"))
}

/// Records on a fuse.
#[derive(Debug)]
pub(crate) struct FaultyMetadata {
    pub(crate) inner: Arc<dyn Metadata>,
    pub(crate) fuse: Fuse,
}

impl Metadata for FaultyMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        match self.fuse.check() {
            Ok(()) => self.inner.get(key),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        async move {
            let mut versions = Vec::new();
            for write in batch.writes {
                self.fuse.burn()?;
                versions.extend(self.inner.write(Batch::durable([write])).await?);
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
        match self.fuse.check() {
            Ok(()) => self.inner.list(prefix, start_after, limit),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
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
            self.fuse.burn()?;
            Ok(self.wrap(self.inner.begin(key).await?))
        }
        .boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        async move {
            self.fuse.burn()?;
            Ok(self.wrap(self.inner.resume(key, parked).await?))
        }
        .boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        self.inner.read(key, range)
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        async move {
            self.fuse.burn()?;
            self.inner.delete(key).await
        }
        .boxed()
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        async move {
            self.fuse.burn()?;
            self.inner.discard(key).await
        }
        .boxed()
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        self.inner.uncommitted()
    }
}

struct FaultyWriter {
    inner: Box<dyn PayloadWriter>,
    fuse: Fuse,
}

impl PayloadWriter for FaultyWriter {
    fn write(&mut self, chunks: Vec<bytes::Bytes>) -> BoxFuture<'_, Result<()>> {
        match self.fuse.burn() {
            Ok(()) => self.inner.write(chunks),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }

    fn park(self: Box<Self>) -> BoxFuture<'static, Result<Parked>> {
        match self.fuse.burn() {
            Ok(()) => self.inner.park(),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<Committed>> {
        match self.fuse.burn() {
            Ok(()) => self.inner.commit(),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        match self.fuse.burn() {
            Ok(()) => self.inner.abort(),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }
}
