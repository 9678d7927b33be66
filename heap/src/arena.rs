//! The arena: one range of addresses that blocks are cut from, one after the other. Each thread
//! cuts from pieces of its own, and keeps what comes back to it for the next of that length, so no
//! thread waits for another.

#![expect(
    clippy::cast_ptr_alignment,
    reason = "blocks are aligned to 16 bytes, more than an address needs"
)]

use std::{
    cell::{Cell, UnsafeCell},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed},
    },
};

use crate::classes::{CLASSES, Class};

/// How long the arena is, in bytes. Only what is touched of it takes memory. What no longer fits
/// comes from the system, which also bounds what blocks of lengths that nobody needs again hold.
const ARENA_BYTES: usize = 256 << 20;
/// What a thread cuts off for itself at a time, in bytes.
const PIECE_BYTES: usize = 128 << 10;
/// Blocks of this length and more are not cut from pieces, in bytes.
const LARGE_BYTES: usize = 32 << 10;

/// Where the arena begins; before it does, an address that is far from all that there are.
static START: AtomicPtr<u8> = AtomicPtr::new(ptr::without_provenance_mut(NOWHERE));
const NOWHERE: usize = 1 << (usize::BITS - 1);
/// How much of the arena has been cut off, in bytes; all of it before it begins.
static CUT: AtomicUsize = AtomicUsize::new(ARENA_BYTES);

/// A block that was handed out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) start: *mut u8,
    /// It was never used, so it is full of zeros.
    pub(crate) is_new: bool,
}

/// What a thread has of the arena.
struct Own {
    /// Where the rest of its piece begins, and how long it is, in bytes.
    rest: Cell<*mut u8>,
    room: Cell<usize>,
    /// The blocks of each class that came back: the last, which holds where the one before it is.
    returned: UnsafeCell<[*mut u8; CLASSES]>,
}

thread_local! {
    static OWN: Own = const {
        Own {
            rest: Cell::new(ptr::null_mut()),
            room: Cell::new(0),
            returned: UnsafeCell::new([ptr::null_mut(); CLASSES]),
        }
    };
}

/// Sets the addresses aside. Once is enough.
pub(crate) fn begin() {
    static BEGUN: OnceLock<()> = OnceLock::new();
    BEGUN.get_or_init(|| {
        if let Some(start) = addresses() {
            START.store(start, Relaxed);
            // A thread that sees only one of the two finds no room, or that nothing has begun.
            CUT.store(0, Relaxed);
        }
    });
}

/// A range of addresses without memory, at a boundary of large pages.
#[cfg(target_os = "linux")]
fn addresses() -> Option<*mut u8> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

    const LARGE_PAGE: usize = 2 << 20;
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: the system chooses addresses that nothing else is at.
    let range = unsafe { mmap_anonymous(ptr::null_mut(), ARENA_BYTES + LARGE_PAGE, access, flags) };
    let range: *mut u8 = range.ok()?.cast();
    let start = range.wrapping_add(range.align_offset(LARGE_PAGE));
    // SAFETY: the range is ours and holds nothing yet. Where there are no large pages, small ones do.
    let _ = unsafe { madvise(start.cast(), ARENA_BYTES, Advice::LinuxHugepage) };
    Some(start)
}

#[cfg(not(target_os = "linux"))]
fn addresses() -> Option<*mut u8> {
    None
}

/// Whether a block came from the arena.
#[inline]
pub(crate) fn holds(block: *mut u8) -> bool {
    block.addr().wrapping_sub(START.load(Relaxed).addr()) < ARENA_BYTES
}

/// A block for a size; none where the arena has not begun, or has no room.
#[inline]
pub(crate) fn take(size: usize) -> Option<Block> {
    if START.load(Relaxed).addr() == NOWHERE {
        return None;
    }
    let class = Class::of(size)?;
    OWN.with(|own| {
        let returned = own.returned.get().cast::<*mut u8>();
        // SAFETY: the number of a class is below `CLASSES`, and no other thread has this table.
        let last = unsafe { returned.add(class.number) };
        // SAFETY: as above.
        let start = unsafe { last.read() };
        if !start.is_null() {
            // SAFETY: `give_back` wrote there which block came back before.
            let before = unsafe { start.cast::<*mut u8>().read() };
            // SAFETY: as above.
            unsafe { last.write(before) };
            return Some(Block {
                start,
                is_new: false,
            });
        }
        let room = own.room.get();
        let start = if class.length <= room {
            let start = own.rest.get();
            own.rest.set(start.wrapping_add(class.length));
            own.room.set(room - class.length);
            start
        } else {
            cut_new(own, class.length)?
        };
        Some(Block {
            start,
            is_new: true,
        })
    })
}

#[cold]
fn cut_new(own: &Own, length: usize) -> Option<*mut u8> {
    if length >= LARGE_BYTES {
        return cut(length);
    }
    let piece = cut(PIECE_BYTES)?;
    own.rest.set(piece.wrapping_add(length));
    own.room.set(PIECE_BYTES - length);
    Some(piece)
}

/// Cuts off the next bytes.
fn cut(length: usize) -> Option<*mut u8> {
    let after = |cut: usize| cut.checked_add(length).filter(|&end| end <= ARENA_BYTES);
    let cut = CUT.fetch_update(Relaxed, Relaxed, after).ok()?;
    Some(START.load(Relaxed).wrapping_add(cut))
}

/// Takes a block back.
///
/// # Safety
///
/// The arena holds the block, it was taken for or resized to this size, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn give_back(start: *mut u8, size: usize) {
    let Some(class) = Class::of(size) else {
        return;
    };
    OWN.with(|own| {
        let returned = own.returned.get().cast::<*mut u8>();
        // SAFETY: the number of a class is below `CLASSES`, and no other thread has this table.
        let last = unsafe { returned.add(class.number) };
        // SAFETY: as above.
        let before = unsafe { last.read() };
        // SAFETY: a block is at least as long as an address and aligned for one.
        unsafe { start.cast::<*mut u8>().write(before) };
        // SAFETY: as above.
        unsafe { last.write(start) };
    });
}

/// Makes a block longer or shorter where it is, if that can be.
///
/// # Safety
///
/// The arena holds the block, and it was taken for or resized to the size `from`.
pub(crate) unsafe fn resize(start: *mut u8, from: usize, to: usize) -> bool {
    let (Some(from), Some(to)) = (Class::of(from), Class::of(to)) else {
        return false;
    };
    if to.length <= from.length {
        // Whatever is left over is lost until the block comes back as one of the shorter.
        return to.length >= from.length / 2;
    }
    let more = to.length - from.length;
    let end = start.wrapping_add(from.length);
    OWN.with(|own| {
        if end == own.rest.get() && more <= own.room.get() {
            own.rest.set(end.wrapping_add(more));
            own.room.set(own.room.get() - more);
            return true;
        }
        let end = end.addr() - START.load(Relaxed).addr();
        end + more <= ARENA_BYTES
            && from.length >= LARGE_BYTES
            && CUT
                .compare_exchange(end, end + more, Relaxed, Relaxed)
                .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::classes::MOST_BYTES;

    /// What is in a block tells which it is.
    fn fill(start: *mut u8, size: usize, mark: u8) {
        // SAFETY: the block was taken for the size.
        unsafe { start.write_bytes(mark, size) };
    }

    fn is_filled(start: *mut u8, size: usize, mark: u8) -> bool {
        // SAFETY: the block was filled that far.
        let bytes = unsafe { std::slice::from_raw_parts(start, size) };
        bytes.iter().all(|&byte| byte == mark)
    }

    /// Sizes of all kinds, always the same.
    fn sizes(count: usize) -> impl Iterator<Item = usize> {
        let mut state = 1_u32;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bits = (state >> 8) % 16;
            1 + ((state >> 12) as usize & ((1 << bits) - 1))
        })
        .take(count)
    }

    fn take_all(count: usize) -> Vec<(usize, usize, u8)> {
        let mut blocks = Vec::new();
        for (size, mark) in sizes(count).zip((0..=u8::MAX).cycle()) {
            let block = take(size).unwrap();
            assert!(holds(block.start) && block.start.addr().is_multiple_of(16));
            if block.is_new {
                assert!(is_filled(block.start, size, 0), "{size}");
            }
            fill(block.start, size, mark);
            blocks.push((block.start.expose_provenance(), size, mark));
        }
        blocks
    }

    /// Gives the blocks back; what is in them must be what was put there.
    fn check_and_give_back(blocks: Vec<(usize, usize, u8)>) {
        for (start, size, mark) in blocks {
            let start = ptr::with_exposed_provenance_mut(start);
            assert!(is_filled(start, size, mark), "{size}");
            // SAFETY: the block was taken for the size, and this is the last that is done with it.
            unsafe { give_back(start, size) };
        }
    }

    #[test]
    fn blocks_are_apart_and_serve_again_also_in_other_threads() {
        begin();
        let blocks = take_all(3000);
        let elsewhere = thread::spawn(|| take_all(3000));
        check_and_give_back(blocks);
        check_and_give_back(elsewhere.join().unwrap());
        let before = CUT.load(Relaxed);
        // All that is needed has come back.
        let again = take_all(3000);
        assert!(CUT.load(Relaxed) <= before + PIECE_BYTES);
        let checked = thread::spawn(|| check_and_give_back(again));
        checked.join().unwrap();
    }

    #[test]
    fn blocks_grow_where_they_are() {
        begin();
        let block = take(20).unwrap().start;
        fill(block, 20, 7);
        // SAFETY: the block was taken for the first size, then resized to the second, and so on.
        let grows = unsafe {
            let first = take(1000).map(|last| resize(last.start, 1000, 5000));
            assert!(!resize(block, 20, 100), "another block is behind it");
            assert!(resize(block, 20, 30), "it was that long from the start");
            assert!(!resize(block, 30, MOST_BYTES + 1));
            first
        };
        assert_eq!(grows, Some(true));
        assert!(is_filled(block, 20, 7));
        assert!(take(MOST_BYTES + 1).is_none());
    }

    #[test]
    fn what_lies_elsewhere_is_not_of_the_arena() {
        let local = 0_u8;
        assert!(!holds(ptr::from_ref(&local).cast_mut()));
        begin();
        assert!(!holds(ptr::from_ref(&local).cast_mut()));
        assert!(!holds(ptr::null_mut()));
        assert!(!holds(START.load(Relaxed).wrapping_add(ARENA_BYTES)));
    }
}
