//! A wake-up from one thread to another (eventfd(2)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Readable from when it is raised until it is lowered.
#[derive(Debug)]
pub struct Wakeup(EventFd);

impl Wakeup {
    /// A lowered one.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// Makes it readable.
    pub fn raise(&self) {
        // It fails only where the counter is full, and then it is readable.
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
