//! The one place that waits: poll(2) over descriptors, until a moment.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::clock::Moment;

/// What to wait for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// It can be read, or has ended.
    Read,
    /// It can be written, or its reader is gone.
    Write,
}

/// Waits until one of the descriptors is ready or `until` is reached. Returns which are ready.
pub fn wait(fds: &[(BorrowedFd<'_>, Interest)], until: Option<Moment>) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> = fds
        .iter()
        .map(|(fd, interest)| {
            let flags = match interest {
                Interest::Read => PollFlags::POLLIN,
                Interest::Write => PollFlags::POLLOUT,
            };
            PollFd::new(*fd, flags)
        })
        .collect();
    // An error is EINTR, which can't happen as every signal is blocked, or a bug. Either way the
    // caller checks everything again.
    let found = poll(&mut polled, timeout(until)).unwrap_or(0);
    if found == 0 {
        return vec![false; fds.len()];
    }
    polled.iter().map(|fd| fd.any().unwrap_or(false)).collect()
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
