//! Has `SQLite` use this program's allocator (<https://www.sqlite.org/malloc.html>).
//!
//! The C library's allocator maps and unmaps a few pages at a time, and each unmapping interrupts
//! the other processors. Reading the schema of a large database, as every start does, takes a
//! hundred of them.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Once;

use libsqlite3_sys as ffi;

/// The space in front of each allocation that holds its size. `SQLite` requires the alignment that it keeps.
const HEAD: usize = size_of::<u64>();

/// Makes `SQLite` allocate here. Must be called before its first use in this process.
pub fn use_own_memory() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let methods = ffi::sqlite3_mem_methods {
            xMalloc: Some(take),
            xFree: Some(give_back),
            xRealloc: Some(resize),
            xSize: Some(size_of_one),
            xRoundup: Some(round_up),
            xInit: Some(begin),
            xShutdown: Some(end),
            pAppData: ptr::null_mut(),
        };
        // If SQLite is in use already, it refuses and keeps its allocator.
        // SAFETY: it copies the structure, whose functions have the required types.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) };
    });
}

fn layout(size: usize) -> Layout {
    // SAFETY: the alignment is a power of two, and no size is longer than a C int.
    unsafe { Layout::from_size_align_unchecked(size + HEAD, HEAD) }
}

/// Writes the size in front, unless the allocation failed.
///
/// # Safety
/// `start` is null or an allocation of `layout(size)`.
unsafe fn headed(start: *mut u8, size: usize) -> *mut c_void {
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the allocation is larger than that.
    unsafe {
        start.cast::<usize>().write_unaligned(size);
        start.add(HEAD).cast()
    }
}

/// Where an allocation starts, and its size.
///
/// # Safety
/// `memory` came from `headed`.
unsafe fn start_of(memory: *mut c_void) -> (*mut u8, usize) {
    // SAFETY: the size is in front of it.
    unsafe {
        let start = memory.cast::<u8>().sub(HEAD);
        (start, start.cast::<usize>().read_unaligned())
    }
}

unsafe extern "C" fn take(size: c_int) -> *mut c_void {
    let size = usize::try_from(size).unwrap_or(0);
    // SAFETY: the size of the layout is not zero.
    unsafe { headed(alloc(layout(size)), size) }
}

unsafe extern "C" fn give_back(memory: *mut c_void) {
    // SAFETY: SQLite frees what it got from here, once.
    unsafe {
        let (start, size) = start_of(memory);
        dealloc(start, layout(size));
    }
}

unsafe extern "C" fn resize(memory: *mut c_void, wanted: c_int) -> *mut c_void {
    let wanted = usize::try_from(wanted).unwrap_or(0);
    // SAFETY: SQLite got it here, and forgets it if it gets another.
    unsafe {
        let (start, size) = start_of(memory);
        headed(realloc(start, layout(size), wanted + HEAD), wanted)
    }
}

unsafe extern "C" fn size_of_one(memory: *mut c_void) -> c_int {
    // SAFETY: SQLite got it here.
    let (_, size) = unsafe { start_of(memory) };
    c_int::try_from(size).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(size: c_int) -> c_int {
    size.saturating_add(7) & !7
}

unsafe extern "C" fn begin(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn end(_: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_what_is_in_it() {
        // SAFETY: as SQLite calls them.
        unsafe {
            let first = take(3);
            first.cast::<[u8; 3]>().write(*b"abc");
            let more = resize(first, 100_000);
            assert_eq!(size_of_one(more), 100_000);
            let less = resize(more, 2);
            assert_eq!(less.cast::<[u8; 2]>().read(), *b"ab");
            assert_eq!(less as usize % HEAD, 0);
            give_back(less);
            assert_eq!(
                (round_up(1), round_up(8), round_up(c_int::MAX)),
                (8, 8, c_int::MAX & !7)
            );
        }
    }
}
