//! A child that shares this process's memory: clone(2) with `CLONE_VM | CLONE_VFORK`. No page table is
//! copied, and the child needs no pipe to say that its exec failed.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;

use nix::errno::Errno;

/// Runs `work` in a child, on this stack, until it executes a program, or returns and exits with 127 (also
/// where an emulator copies the memory). This thread is suspended meanwhile. Returns the child's process id.
///
/// # Errors
/// clone(2) failed.
pub(super) fn vfork(
    stack: &mut [MaybeUninit<u128>],
    mut work: &mut dyn FnMut(),
) -> io::Result<i32> {
    extern "C" fn run(work: *mut c_void) -> c_int {
        // SAFETY: it is `work` below, in the suspended parent, which nothing else uses now.
        let work = unsafe { &mut *work.cast::<&mut dyn FnMut()>() };
        work();
        127
    }
    // SAFETY: the stack grows down from the end of the buffer, which is aligned to 16 bytes,
    // is not used for anything else and outlives the child's use of it: CLONE_VFORK suspends
    // this thread until the child has called execve or _exit. `work` outlives it likewise.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len());
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(run, top.cast(), flags, (&raw mut work).cast())
    };
    Ok(Errno::result(pid)?)
}
