//! One message from a child: how a step of launchgate's own reports its result.
//!
//! The two ends are datagram sockets, so that the message arrives whole or not at all, whenever
//! the child is killed, and so that neither end ever waits. Both are close-on-exec. The child's end
//! survives that one exec only, and the child first makes it close-on-exec again.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The longest message: 64 KiB, less than what a socket buffers by default (socket(7)).
pub const MOST: usize = 64 * 1024;

/// The parent's end and the child's, which has the same number in both.
///
/// # Errors
/// No descriptor is left.
pub fn channel() -> io::Result<(UnixDatagram, UnixDatagram)> {
    let (ours, theirs) = UnixDatagram::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}

/// The message, if the child sent one.
pub fn receive(parents_end: &UnixDatagram) -> Option<Vec<u8>> {
    let mut message = vec![0; MOST];
    let len = parents_end.recv(&mut message).ok()?;
    message.truncate(len);
    Some(message)
}

/// The child's end, which the parent left open under this number.
///
/// # Errors
/// There is none.
pub fn inherited(number: RawFd) -> io::Result<UnixDatagram> {
    // SAFETY: the descriptor is only used during this call, which fails where it is not open.
    let inherited = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(inherited, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let own: OwnedFd = inherited.try_clone_to_owned()?;
    Ok(own.into())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_message_arrives_whole_and_none_is_none() {
        let (parent, child) = channel().unwrap();
        let sender = inherited(child.as_raw_fd()).unwrap();
        assert_eq!(receive(&parent), None);
        for len in [1, 4096, MOST] {
            let message = vec![b'x'; len];
            sender.send(&message).unwrap();
            assert_eq!(receive(&parent), Some(message));
        }
        drop((sender, child));
        assert_eq!(receive(&parent), None);
    }

    #[test]
    fn children_of_the_child_do_not_inherit_it() {
        let (_parent, child) = channel().unwrap();
        let flags = || fcntl(&child, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags(), FdFlag::FD_CLOEXEC.bits());
        // As it is in the child.
        fcntl(&child, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let sender = inherited(child.as_raw_fd()).unwrap();
        assert_eq!(flags(), FdFlag::FD_CLOEXEC.bits());
        let flags = fcntl(&sender, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
    }
}
