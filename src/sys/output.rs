//! The inherited standard streams, written without ever blocking.
//!
//! The reader of launchgate's output may stop reading. While a write blocked, a signal or the end
//! of a lease would go unnoticed. So what can't be written yet is kept, and written when poll
//! says that it can be. The inherited descriptor itself is never made non-blocking, since that
//! flag is shared with every other process that has it (open(2), "open file description").

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::poll::{self as waiting, writable};
use crate::sys::clock::Moment;

/// How much is kept for a slow reader: 64 KiB, the capacity of a pipe (pipe(7)).
const KEPT: usize = 64 * 1024;

/// How much a pipe takes without blocking once poll reports it writable (pipe(7)).
const AT_ONCE: usize = 4096;

/// One standard stream.
#[derive(Debug)]
pub struct Output {
    fd: RawFd,
    state: Mutex<StreamState>,
}

#[derive(Debug, Default)]
struct StreamState {
    way: Option<Way>,
    kept: Vec<u8>,
    failed: Option<Errno>,
    /// The first failure other than a missing reader, until it is reported.
    unsaid: Option<Errno>,
    left_out: usize,
    /// The last line is a progress line, which the next write erases.
    live: bool,
}

/// Returns to the first column and erases the line (ECMA-48: CR, EL).
const ERASE: &[u8] = b"\r\x1b[K";

#[derive(Debug)]
enum Way {
    /// A file, to which a write never blocks.
    Direct,
    /// Our own, non-blocking description of the same pipe or terminal.
    Reopened(OwnedFd),
    /// A socket: a send that does not block.
    Socket,
    /// Anything else: ask poll first, then write no more than fits.
    Ask,
}

/// Whether two descriptors refer to the same file.
pub fn same_file(a: RawFd, b: RawFd) -> bool {
    match (fstat(borrow(a)), fstat(borrow(b))) {
        (Ok(a), Ok(b)) => a.st_dev == b.st_dev && a.st_ino == b.st_ino,
        _ => false,
    }
}

fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the standard streams stay open as long as this process lives.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

impl Output {
    /// Standard output.
    pub fn stdout() -> Self {
        Self::new(libc::STDOUT_FILENO)
    }

    /// Standard error.
    pub fn stderr() -> Self {
        Self::new(libc::STDERR_FILENO)
    }

    /// The stream with this number, which must stay open as long as this process lives.
    pub(crate) fn new(fd: RawFd) -> Self {
        let state = Mutex::default();
        Self { fd, state }
    }

    fn state(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The descriptor's number.
    pub fn number(&self) -> RawFd {
        self.fd
    }

    /// Whether less than 64 KiB is kept.
    pub fn has_room(&self) -> bool {
        self.state().kept.len() < KEPT
    }

    /// Whether something is still to be written.
    pub fn is_waiting(&self) -> bool {
        !self.state().kept.is_empty()
    }

    /// Whether a write failed because the reader is gone.
    pub fn is_unread(&self) -> bool {
        self.state().failed == Some(Errno::EPIPE)
    }

    /// Why a write failed although there is a reader. Returned once.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.state().unsaid.take().map(io::Error::from)
    }

    /// The descriptor to poll for writing.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        borrow(self.fd)
    }

    /// Writes `bytes`, and keeps what can't be written yet.
    pub fn write(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.erase();
        state.kept.extend(bytes);
        state.flush(self.fd);
    }

    /// Shows a progress line on a terminal, which the next write erases.
    pub fn show_live(&self, line: &[u8]) {
        let mut state = self.state();
        // Not while the terminal is behind with the log.
        if state.kept.is_empty() {
            state.kept.extend(ERASE);
            state.kept.extend(line);
            state.live = true;
            state.flush(self.fd);
        }
    }

    /// Erases the progress line.
    pub fn clear_live(&self) {
        let mut state = self.state();
        state.erase();
        state.flush(self.fd);
    }

    /// Counts a log line that is dropped because 64 KiB are kept already.
    pub fn leave_out(&self) {
        self.state().left_out += 1;
    }

    /// How many lines were dropped since the last call.
    pub fn take_left_out(&self) -> usize {
        std::mem::take(&mut self.state().left_out)
    }

    /// Writes as much of what was kept as it can without blocking.
    pub fn flush(&self) {
        self.state().flush(self.fd);
    }

    /// Writes what was kept, waiting for the reader until `until`.
    pub fn drain(&self, until: Moment) {
        while self.is_waiting() && Moment::now() < until {
            waiting::wait(&mut [writable(self.descriptor())], Some(until));
            self.flush();
        }
    }
}

impl StreamState {
    fn erase(&mut self) {
        if self.live {
            self.live = false;
            self.kept.extend(ERASE);
        }
    }

    fn flush(&mut self, fd: RawFd) {
        while !self.kept.is_empty() {
            if self.failed == Some(Errno::EPIPE) {
                self.kept.clear();
                return;
            }
            let way = self.way.get_or_insert_with(|| Way::to(fd));
            match way.write(fd, &self.kept) {
                Ok(written) => {
                    self.kept.drain(..written);
                }
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => {}
                Err(error) => {
                    if self.failed.is_none() && error != Errno::EPIPE {
                        self.unsaid = Some(error);
                    }
                    self.failed = Some(error);
                    // These bytes are lost; a full disk may have room again for the next.
                    self.kept.clear();
                }
            }
        }
    }
}

impl Way {
    fn to(fd: RawFd) -> Self {
        let Ok(stat) = fstat(borrow(fd)) else {
            return Self::Direct;
        };
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        if kind == SFlag::S_IFSOCK {
            return Self::Socket;
        }
        if kind != SFlag::S_IFIFO && kind != SFlag::S_IFCHR {
            return Self::Direct;
        }
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let path = format!("/proc/self/fd/{fd}");
        match open(path.as_str(), flags, Mode::empty()) {
            Ok(own) => Self::Reopened(own),
            // No /proc, or another user's pipe.
            Err(_) => Self::Ask,
        }
    }

    fn write(&self, fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Direct => nix::unistd::write(borrow(fd), bytes),
            Self::Reopened(own) => nix::unistd::write(own, bytes),
            Self::Socket => send(fd, bytes),
            Self::Ask => match poll(&mut [writable(borrow(fd))], PollTimeout::ZERO) {
                Ok(0) => Err(Errno::EAGAIN),
                _ => nix::unistd::write(borrow(fd), &bytes[..bytes.len().min(AT_ONCE)]),
            },
        }
    }
}

fn send(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the pointer and length are of one live slice.
    let sent = unsafe {
        libc::send(
            borrow(fd).as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    usize::try_from(sent).map_err(|_| Errno::last())
}
