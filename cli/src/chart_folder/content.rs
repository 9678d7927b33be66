//! What the files of a chart's folder hold: where they are many, another thread reads them while
//! this one still finds more.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use cairn_chart::{Beside, ChartLimits, Error, Ignore, Queue};
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::{read as read_some, retry_on_intr},
};

use super::{
    go_error,
    list::{Found, list},
};

/// What is read of a file at a time, in bytes: more than nearly all files of charts hold.
const READ_BYTES: usize = 64 << 10;
/// Fewer files than these are read sooner than a thread begins.
const PARALLEL_FILES: usize = 100;

/// What a file holds, up to a byte more than it may.
pub(super) type Content = io::Result<Vec<u8>>;

/// What there is in a folder, as far as it could be listed.
pub(super) struct Folder {
    /// In their order. Nothing is read after more than all may hold together.
    pub(super) files: Vec<(Found, Content)>,
    /// What went wrong after them.
    pub(super) listed: Result<(), Error>,
}

/// Finds the files and reads them.
pub(super) fn read(top: &Path, ignore: Ignore, limits: &ChartLimits) -> Result<Folder, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, top, flags, Mode::empty());
    let folder = folder.map_err(|error| go_error("open", top, &error.into()))?;
    let reader = Reader {
        folder: folder.as_fd(),
        limits,
        queue: Queue::default(),
        bytes: AtomicU64::new(0),
        read: Mutex::default(),
    };
    let listed = thread::scope(|scope| {
        let mut beside = None::<Beside<'_>>;
        // Dropped before the thread that waits for more.
        let filled = Filled(&reader.queue);
        let listed = list(top, ignore, limits, &mut |index, file| {
            filled.0.add((index, file));
            if index + 1 == PARALLEL_FILES {
                let thread = beside.insert(Beside::begin(scope));
                thread.give(|| reader.run());
            }
        });
        drop(filled);
        reader.run();
        listed
    });
    let mut read = reader
        .read
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    read.sort_unstable_by_key(|(index, ..)| *index);
    let files = read.into_iter().map(|(_, file, content)| (file, content));
    Ok(Folder {
        files: files.collect(),
        listed,
    })
}

/// A queue that is being filled: when that ends, however it does, nobody waits for more.
struct Filled<'q, T>(&'q Queue<T>);

impl<T> Drop for Filled<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Reader<'r> {
    folder: BorrowedFd<'r>,
    limits: &'r ChartLimits,
    /// The files that nobody has taken, with their numbers.
    queue: Queue<(usize, Found)>,
    /// How long those are together that were read.
    bytes: AtomicU64,
    read: Mutex<Vec<(usize, Found, Content)>>,
}

impl Reader<'_> {
    /// Reads files until all are read, or they hold too much.
    fn run(&self) {
        let mut buffer = vec![0; READ_BYTES];
        while self.bytes.load(Relaxed) <= self.limits.bytes
            && let Some((index, file)) = self.queue.wait_for_next()
        {
            let content = self.content(&file, &mut buffer);
            if let Ok(content) = &content {
                self.bytes.fetch_add(content.len() as u64, Relaxed);
            }
            let read = self.read.lock();
            read.unwrap_or_else(PoisonError::into_inner)
                .push((index, file, content));
        }
    }

    fn content(&self, file: &Found, buffer: &mut [u8]) -> Content {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        // From the chart's folder: that spares the system the way there.
        let file = openat(self.folder, &file.below, flags, Mode::empty())?;
        let most = usize::try_from(self.limits.file_bytes)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let mut bytes = Vec::new();
        loop {
            let wanted = buffer.len().min(most - bytes.len());
            let count = retry_on_intr(|| read_some(&file, &mut buffer[..wanted]))?;
            bytes.extend_from_slice(&buffer[..count]);
            if count == 0 {
                return Ok(bytes);
            }
        }
    }
}
