//! The one place that waits: poll(2) over descriptors, until a moment.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::clock::Moment;

/// Waits until it can be read, or has ended.
pub(super) fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

/// Waits until it can be written, or its reader is gone.
pub(super) fn writable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLOUT)
}

/// Waits until one of the descriptors is ready or `until` is reached. Each then says whether it is.
pub(super) fn wait(fds: &mut [PollFd<'_>], until: Option<Moment>) {
    // An error is EINTR, which can't happen as every signal is blocked, or a bug. Either way the
    // caller checks everything again.
    let _ = poll(fds, timeout(until));
}

/// Rounded up to a millisecond, so that the moment is reached when poll returns. Capped, because
/// poll's clock stands still while the machine is suspended.
fn timeout(until: Option<Moment>) -> PollTimeout {
    let Some(until) = until else {
        return PollTimeout::NONE;
    };
    let left = until.since(Moment::now()).min(Duration::from_mins(1));
    let millis = left.as_micros().div_ceil(1000);
    u16::try_from(millis).map_or(PollTimeout::MAX, PollTimeout::from)
}
