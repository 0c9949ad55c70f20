//! The binary's entry point. It is a C `main`, so the Rust runtime does not start: that would ignore
//! SIGPIPE and reopen closed standard streams, and the server must see exactly what was inherited.
#![no_main]
#![allow(unsafe_code, reason = "the C entry point and its argument vector")]

use std::ffi::{c_char, c_int};

use launchgate::sys::memory::Memory;

#[global_allocator]
static MEMORY: Memory = Memory::new();

/// Called by the C library.
///
/// # Safety
/// As for any `main`: `argv` is `argc` pointers to C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: these are `main`'s own arguments.
    let args = unsafe { launchgate::sys::inherited::arguments(argc, argv) };
    c_int::from(launchgate::main(args.leak()))
}
