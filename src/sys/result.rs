//! One message from a child: how a step of launchgate's own reports its result.
//!
//! The two ends are datagram sockets, so that the message arrives whole or not at all, whenever
//! the child is killed, and so that neither end ever waits. Both are close-on-exec. The child's end
//! survives that one exec only, and the child first makes it close-on-exec again.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The longest message: 64 KiB, less than what a socket buffers by default (socket(7)).
pub const MOST: usize = 64 * 1024;

/// The parent's end.
#[derive(Debug)]
pub struct ResultReceiver(UnixDatagram);

/// The child's end, as the parent holds it until the child has it.
#[derive(Debug)]
pub struct ResultSlot(UnixDatagram);

/// Both ends.
///
/// # Errors
/// No descriptor is left.
pub fn channel() -> io::Result<(ResultReceiver, ResultSlot)> {
    let (ours, theirs) = UnixDatagram::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ResultReceiver(ours), ResultSlot(theirs)))
}

impl ResultReceiver {
    /// The message, if the child sent one.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut message = vec![0; MOST];
        let len = self.0.recv(&mut message).ok()?;
        message.truncate(len);
        Some(message)
    }
}

impl ResultSlot {
    /// The number that it has in the child as well.
    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl std::os::fd::AsFd for ResultSlot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The child's end in the child.
#[derive(Debug)]
pub struct ResultSender(UnixDatagram);

impl ResultSender {
    /// The end that the parent left open under this number.
    ///
    /// # Errors
    /// There is none.
    pub fn inherited(number: RawFd) -> io::Result<Self> {
        // SAFETY: the descriptor is only used during this call, which fails where it is not open.
        let inherited = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl(inherited, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        let own: OwnedFd = inherited.try_clone_to_owned()?;
        Ok(Self(own.into()))
    }

    /// Sends the message; the parent finds it when this process has ended.
    ///
    /// # Errors
    /// It is too long, or the number was not a result's.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0.send(message).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_and_none_is_none() {
        let (receiver, slot) = channel().unwrap();
        let sender = ResultSender::inherited(slot.number()).unwrap();
        assert_eq!(receiver.receive(), None);
        for len in [1, 4096, MOST] {
            let message = vec![b'x'; len];
            sender.send(&message).unwrap();
            assert_eq!(receiver.receive(), Some(message));
        }
        drop((sender, slot));
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn children_of_the_child_do_not_inherit_it() {
        let (_receiver, slot) = channel().unwrap();
        let flags = || fcntl(&slot, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags(), FdFlag::FD_CLOEXEC.bits());
        // As it is in the child.
        fcntl(&slot, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let sender = ResultSender::inherited(slot.number()).unwrap();
        assert_eq!(flags(), FdFlag::FD_CLOEXEC.bits());
        let flags = fcntl(&sender.0, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
    }
}
