//! Waking one thread from another (eventfd(2)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Readable while it is raised.
#[derive(Debug)]
pub struct Wakeup(EventFd);

impl Wakeup {
    /// Creates one that is not raised.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// Makes it readable.
    pub fn raise(&self) {
        // Fails only if the counter is full, and then it is readable.
        let _ = self.0.write(1);
    }

    /// Makes it unreadable again.
    pub fn lower(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Wakeup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
