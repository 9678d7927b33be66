//! Buffers that are used again: a download would otherwise make the system hand out, clear and take
//! back memory for each piece it sends.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// Buffers that are kept while nobody needs them; enough for a few downloads at a time.
const KEPT_BUFFERS: usize = 16;

/// Where buffers of one size come from, and go when their last reader is done.
#[derive(Debug)]
pub(super) struct Buffers {
    size_bytes: usize,
    free: Mutex<Vec<Box<[u8]>>>,
}

/// A buffer to read into.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    home: Arc<Buffers>,
}

impl Buffers {
    pub(super) fn new(size_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            size_bytes,
            free: Mutex::default(),
        })
    }

    /// A buffer; what it holds is left over from its last use.
    pub(super) fn take(self: &Arc<Self>) -> Buffer {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Buffer {
            bytes: free.unwrap_or_else(|| vec![0; self.size_bytes].into()),
            home: Arc::clone(self),
        }
    }
}

impl Buffer {
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first bytes, to be passed on.
    pub(super) fn freeze(self, length_bytes: usize) -> Bytes {
        Bytes::from_owner(self).slice(..length_bytes)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self
            .home
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT_BUFFERS {
            free.push(mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_reader_is_done() {
        let buffers = Buffers::new(8);
        let mut buffer = buffers.take();
        buffer.as_mut_slice()[..3].copy_from_slice(b"abc");
        let bytes = buffer.freeze(3);
        let other = bytes.clone();
        drop(bytes);
        assert!(buffers.free.lock().unwrap().is_empty());
        assert_eq!(&other[..], b"abc");
        drop(other);
        assert_eq!(buffers.free.lock().unwrap().len(), 1);
        assert_eq!(buffers.take().as_ref().len(), 8);
    }
}
