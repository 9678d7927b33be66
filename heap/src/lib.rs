//! A heap for commands that end soon, such as those that render charts: it lies in pages of 2 MiB
//! where the system has them, takes no locks, and gives nothing back before the process ends.
//!
//! A process begins with the heap of the system and may change to this one ([`Heap::begin`]).
//! Servers never do: they live long, and their memory is to go back to the system.

#![allow(
    unsafe_code,
    reason = "an allocator deals in addresses; no other crate of the workspace has unsafe code"
)]

mod arena;
mod classes;

use std::alloc::{GlobalAlloc, Layout, System};

/// The heap of a process, as `#[global_allocator]`.
///
/// ```
/// use cairn_heap::Heap;
///
/// #[global_allocator]
/// static HEAP: Heap = Heap;
///
/// let before = vec![1; 1000];
/// Heap::begin();
/// let mut after = before.clone();
/// after.extend(before);
/// assert_eq!(after, [1; 2000]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Heap;

impl Heap {
    /// From now on, memory comes from the heap of a short command, as long as there is room in it.
    /// Where the system does not set memory aside for that, all goes on as before.
    pub fn begin() {
        arena::begin();
    }
}

/// What the blocks of the arena are aligned to, in bytes. Whoever asks for more gets it from the
/// system.
const MOST_ALIGNMENT: usize = classes::GRANULE;

// SAFETY: a block comes from the arena or from the system, and goes back to the one in whose
// addresses it lies. The arena hands each block out once until it comes back, as long as
// `classes::Class` says for its layout, and so does the system by its own contract.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MOST_ALIGNMENT
            && let Some(block) = arena::take(layout.size())
        {
            return block.start;
        }
        // SAFETY: the layout is the caller's.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MOST_ALIGNMENT
            && let Some(block) = arena::take(layout.size())
        {
            if !block.is_new {
                // SAFETY: the block is at least as long as the layout says.
                unsafe { block.start.write_bytes(0, layout.size()) };
            }
            return block.start;
        }
        // SAFETY: the layout is the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if arena::holds(start) {
            // SAFETY: by its address the block came from the arena, for this layout.
            unsafe { arena::give_back(start, layout.size()) };
        } else {
            // SAFETY: the block came from the system, for this layout.
            unsafe { System.dealloc(start, layout) };
        }
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !arena::holds(start) {
            // SAFETY: the block came from the system, for this layout.
            return unsafe { System.realloc(start, layout, size) };
        }
        // SAFETY: by its address the block came from the arena, for this layout.
        if unsafe { arena::resize(start, layout.size(), size) } {
            return start;
        }
        // SAFETY: the alignment is that of a layout, and the caller sees to the size.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller asks for more than nothing.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            let kept = layout.size().min(size);
            // SAFETY: both blocks are that long, and the new one lies elsewhere.
            unsafe { moved.copy_from_nonoverlapping(start, kept) };
            // SAFETY: the block is the caller's, who has the new one now.
            unsafe { self.dealloc(start, layout) };
        }
        moved
    }
}
