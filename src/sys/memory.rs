//! The allocator.
//!
//! musl's own maps and unmaps a few pages at a time, which took a seventh of the whole time from start
//! to exec. This one keeps them. The lock is the standard library's: the one that dlmalloc brings is the
//! C library's, which took a tenth of a start's instructions although nobody else wanted it.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dlmalloc::Dlmalloc;

/// The memory of the process.
pub struct Memory(Mutex<Dlmalloc>);

impl Memory {
    /// Without any memory yet.
    #[expect(clippy::new_without_default, reason = "a static needs a constant")]
    pub const fn new() -> Self {
        Self(Mutex::new(Dlmalloc::new()))
    }

    #[expect(clippy::inline_always, reason = "it is in every allocation")]
    #[inline(always)]
    fn heap(&self) -> MutexGuard<'_, Dlmalloc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SAFETY: dlmalloc keeps the promises of an allocator for one caller at a time, which the lock ensures.
// It never unwinds.
unsafe impl GlobalAlloc for Memory {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.heap().malloc(layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.heap().calloc(layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.heap().free(start, layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe {
            self.heap()
                .realloc(start, layout.size(), layout.align(), size)
        }
    }
}
