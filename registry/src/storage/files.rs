//! Payloads as files of one directory.
//!
//! An uncommitted payload is a file in `uploads/`; committing syncs it, renames it into `data/`
//! and syncs that directory, so a reader finds a whole payload or none, also after power is lost.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Chunks, Committed, Parked, PayloadKey, PayloadWriter, Payloads, buffers::Buffers};
use crate::{Error, Result};

/// How much of a payload is read at once, in bytes: large enough that handing the read to a
/// blocking thread costs little beside it, and small enough to be sent from the processor's cache.
const READ_CHUNK_BYTES: usize = 256 * 1024;

/// After how many bytes of a large payload the disk is given what came so far, in bytes: it writes
/// while more comes in, and little is left to wait for at the end.
const SYNC_AHEAD_BYTES: usize = 16 * 1024 * 1024;

/// A directory of payloads.
#[derive(Debug, Clone)]
pub struct FilePayloads {
    root: Arc<Path>,
    buffers: Arc<Buffers>,
    /// Reading never waits for a disk.
    is_in_memory: bool,
}

impl FilePayloads {
    /// Opens a directory, creating what is missing.
    pub fn open(root: &Path) -> Result<Self> {
        let prepare = || -> io::Result<()> {
            let uploads = root.join("uploads");
            if !uploads.try_exists()? {
                // All shards exist from the start, so that committing never has to sync their
                // parent. This folder comes last: where it is, the others are.
                for shard in 0..=0xff_u8 {
                    fs::create_dir_all(root.join(format!("data/{shard:02x}")))?;
                }
                sync_directory(&root.join("data"))?;
                fs::create_dir(uploads)?;
            }
            sync_directory(root)
        };
        prepare().map_err(|source| {
            Error::storage(
                format!("prepare the payload directory `{}`", root.display()),
                source,
            )
        })?;
        Ok(Self {
            is_in_memory: is_in_memory(root),
            root: root.into(),
            buffers: Buffers::new(READ_CHUNK_BYTES),
        })
    }

    fn data_path(&self, key: PayloadKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    fn upload_path(&self, key: PayloadKey) -> PathBuf {
        self.root.join("uploads").join(key.0.to_string())
    }

    fn writer(&self, key: PayloadKey, file: File, kept_bytes: u64) -> Box<dyn PayloadWriter> {
        Box::new(FileWriter {
            payloads: self.clone(),
            key,
            file: Some(file),
            kept_bytes,
            unsynced_bytes: 0,
            syncing: None,
        })
    }
}

impl Payloads for FilePayloads {
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        let path = self.upload_path(key);
        async move {
            let file = blocking(format!("create the payload {key}"), move || {
                File::create(path)
            })
            .await?;
            Ok(self.writer(key, file, 0))
        }
        .boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        let path = self.upload_path(key);
        async move {
            let length_bytes: u64 = parked
                .0
                .parse()
                .map_err(|_| Error::corrupt(key, "its parked state is not a length"))?;
            let open = move || -> io::Result<Option<File>> {
                let mut file = OpenOptions::new().write(true).open(path)?;
                if file.metadata()?.len() < length_bytes {
                    return Ok(None);
                }
                file.set_len(length_bytes)?;
                file.seek(SeekFrom::End(0))?;
                Ok(Some(file))
            };
            match blocking(format!("reopen the payload {key}"), open).await {
                Ok(Some(file)) => Ok(self.writer(key, file, length_bytes)),
                Ok(None) => Err(Error::PayloadMissing { key }),
                Err(error) if error.is_not_found() => Err(Error::PayloadMissing { key }),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        let path = self.data_path(key);
        async move {
            match blocking(format!("open the payload {key}"), || File::open(path)).await {
                Ok(file) => Ok(Reading::new(file, range, self).into_chunks(key)),
                Err(error) if error.is_not_found() => Err(Error::PayloadMissing { key }),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        remove(key, self.data_path(key))
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        remove(key, self.upload_path(key))
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        let directory = self.root.join("uploads");
        let list = move || {
            let mut keys = Vec::new();
            for file in fs::read_dir(directory)? {
                let name = file?.file_name();
                let key = name.to_str().and_then(|name| name.parse().ok());
                keys.extend(key.map(PayloadKey));
            }
            Ok(keys)
        };
        blocking("list the uncommitted payloads".to_owned(), list).boxed()
    }
}

struct FileWriter {
    payloads: FilePayloads,
    key: PayloadKey,
    /// Absent while a write is under way, and for good once one has failed.
    file: Option<File>,
    /// What was there before this writer.
    kept_bytes: u64,
    unsynced_bytes: usize,
    /// What came so far, on its way to the disk.
    syncing: Option<JoinHandle<io::Result<()>>>,
}

impl FileWriter {
    fn take_file(&mut self) -> Result<File> {
        let lost = || Error::corrupt(self.key, "an earlier write to it failed");
        self.file.take().ok_or_else(lost)
    }

    /// Sends what came so far to the disk, and goes on; waits if that is still busy with what came
    /// before, so that little of a payload is ever in memory.
    async fn sync_ahead(&mut self) -> Result<()> {
        self.synced().await?;
        self.unsynced_bytes = 0;
        let file = self.take_file()?;
        let clone = file.try_clone();
        self.file = Some(file);
        let clone = clone.map_err(|source| Error::storage(self.syncing_failed(), source))?;
        let kept_bytes = self.kept_bytes;
        self.syncing = Some(spawn_blocking(move || {
            let synced = clone.sync_data();
            if synced.is_err() {
                // What nobody will go on with must not keep a full disk full.
                let _ = clone.set_len(kept_bytes);
            }
            synced
        }));
        Ok(())
    }

    /// Waits until nothing is on its way to the disk. A failure is told once, so it counts for all
    /// of the payload.
    async fn synced(&mut self) -> Result<()> {
        let Some(syncing) = self.syncing.take() else {
            return Ok(());
        };
        let synced = syncing.await.map_err(|_| Error::Closed)?;
        synced.map_err(|source| {
            self.file = None;
            Error::storage(self.syncing_failed(), source)
        })
    }

    fn syncing_failed(&self) -> String {
        format!("sync the payload {}", self.key)
    }
}

impl PayloadWriter for FileWriter {
    fn write(&mut self, chunks: Vec<Bytes>) -> BoxFuture<'_, Result<()>> {
        async move {
            let mut file = self.take_file()?;
            let kept_bytes = self.kept_bytes;
            self.unsynced_bytes += chunks.iter().map(Bytes::len).sum::<usize>();
            let append = move || {
                let appended = chunks.iter().try_for_each(|chunk| file.write_all(chunk));
                if appended.is_err() {
                    // What nobody will go on with must not keep a full disk full.
                    let _ = file.set_len(kept_bytes);
                }
                appended.map(|()| file)
            };
            self.file = Some(blocking(format!("write the payload {}", self.key), append).await?);
            if self.unsynced_bytes >= SYNC_AHEAD_BYTES {
                self.sync_ahead().await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn park(mut self: Box<Self>) -> BoxFuture<'static, Result<Parked>> {
        async move {
            self.synced().await?;
            let file = self.take_file()?;
            let sync = move || {
                file.sync_data()?;
                Ok(Parked(file.metadata()?.len().to_string()))
            };
            blocking(self.syncing_failed(), sync).await
        }
        .boxed()
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<Committed>> {
        async move {
            self.synced().await?;
            let file = self.take_file()?;
            let from = self.payloads.upload_path(self.key);
            let to = self.payloads.data_path(self.key);
            let publish = move || {
                file.sync_all()?;
                fs::rename(from, &to)?;
                to.parent().map_or(Ok(()), sync_directory)
            };
            blocking(format!("commit the payload {}", self.key), publish).await?;
            Ok(Committed::Now)
        }
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        remove(self.key, self.payloads.upload_path(self.key))
    }
}

/// A range of a file on its way to a client.
struct Reading {
    file: Arc<File>,
    position: u64,
    end: u64,
    buffers: Arc<Buffers>,
    is_in_memory: bool,
    /// The next piece, being read from the disk while the last one is sent.
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reading {
    fn new(file: File, range: Range<u64>, payloads: &FilePayloads) -> Self {
        Self {
            file: Arc::new(file),
            position: range.start,
            end: range.end,
            buffers: Arc::clone(&payloads.buffers),
            is_in_memory: payloads.is_in_memory,
            ahead: None,
        }
    }

    fn into_chunks(self, key: PayloadKey) -> Chunks {
        stream::unfold(Some(self), move |reading| async move {
            let mut reading = reading?;
            match reading.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(reading))),
                Ok(None) => None,
                Err(source) => {
                    let error = Error::storage(format!("read the payload {key}"), source);
                    Some((Err(error), None))
                }
            }
        })
        .boxed()
    }

    /// The next piece: at once if the system has it in memory, else from a blocking thread.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None if self.position >= self.end => return Ok(None),
            None => {
                let length_bytes = self.next_bytes();
                let mut buffer = self.buffers.take();
                let wanted = &mut buffer.as_mut_slice()[..length_bytes];
                if let Some(read_bytes) = self.read_at_once(wanted) {
                    self.position += read_bytes as u64;
                    return Ok(Some(buffer.freeze(read_bytes)));
                }
                self.read_ahead()
            }
        };
        let chunk = ahead.await.map_err(io::Error::other)??;
        self.position += chunk.len() as u64;
        if self.position < self.end {
            self.ahead = Some(self.read_ahead());
        }
        Ok(Some(chunk))
    }

    /// Reads what is in the system's memory; `None` when the disk would have to be waited for, or
    /// nobody knows.
    #[cfg(target_os = "linux")]
    fn read_at_once(&self, buffer: &mut [u8]) -> Option<usize> {
        use rustix::io::{ReadWriteFlags, preadv2};
        // The files of tmpfs cannot be asked not to wait, and need not be.
        let flags = if self.is_in_memory {
            ReadWriteFlags::empty()
        } else {
            ReadWriteFlags::NOWAIT
        };
        let slices = &mut [io::IoSliceMut::new(buffer)];
        let read = preadv2(&self.file, slices, self.position, flags);
        // A file that is too short is left to the reader that says so.
        read.ok().filter(|read_bytes| *read_bytes > 0)
    }

    #[cfg(not(target_os = "linux"))]
    fn read_at_once(&self, _: &mut [u8]) -> Option<usize> {
        None
    }

    fn next_bytes(&self) -> usize {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        left.min(READ_CHUNK_BYTES)
    }

    fn read_ahead(&self) -> JoinHandle<io::Result<Bytes>> {
        let (position, length_bytes) = (self.position, self.next_bytes());
        let (file, buffers) = (Arc::clone(&self.file), Arc::clone(&self.buffers));
        spawn_blocking(move || {
            let mut buffer = buffers.take();
            let mut file = &*file;
            file.seek(SeekFrom::Start(position))?;
            file.read_exact(&mut buffer.as_mut_slice()[..length_bytes])?;
            Ok(buffer.freeze(length_bytes))
        })
    }
}

/// Whether the folder's files are in the system's memory and nowhere else.
#[cfg(target_os = "linux")]
fn is_in_memory(folder: &Path) -> bool {
    // <https://man7.org/linux/man-pages/man2/statfs.2.html>
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|system| system.f_type == TMPFS_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &Path) -> bool {
    false
}

fn remove(key: PayloadKey, path: PathBuf) -> BoxFuture<'static, Result<()>> {
    async move {
        let removed = blocking(format!("remove the payload {key}"), || {
            fs::remove_file(path)
        })
        .await;
        match removed {
            Err(error) if error.is_not_found() => Ok(()),
            removed => removed,
        }
    }
    .boxed()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    action: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|source| Error::storage(action, source)),
        Err(_) => Err(Error::Closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    #[tokio::test]
    async fn files_are_payloads() {
        let directory = tempfile::tempdir().unwrap();
        let payloads = FilePayloads::open(directory.path()).unwrap();
        conformance::payloads(&payloads).await;
    }
}
