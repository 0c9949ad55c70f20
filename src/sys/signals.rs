//! Signals: all blocked, read from one descriptor (signalfd(2)).
//!
//! Blocked signals are queued even for a PID 1, which gets no default action (signal(7),
//! `pid_namespaces(7)`), so none is lost between any two lines of launchgate, and no handler
//! has to be undone before exec: only the mask. The masks are the kernel's own 64 bits, since
//! the C libraries keep two or three real-time signals to themselves.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, c_long};

use super::inherited::Dispositions;

/// A signal's number.
pub type Number = i32;

/// The highest signal number of Linux.
pub const LAST: Number = 64;

/// The signals that stop a gate.
pub const STOPS: [Number; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// A signal mask as the kernel has it: bit n-1 is signal n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask(pub u64);

impl Mask {
    const ALL: Self = Self(!0);
}

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// TERM, INT, HUP or QUIT: the gate is to stop.
    Stop(Number),
    /// A child changed its state.
    Child,
    /// Goes to the step.
    Other(Number),
}

/// The one reader of this process's signals.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
    ignored: Dispositions,
}

/// Sets this thread's signal mask and returns the one before.
///
/// # Errors
/// None that can happen: `how` is valid and the pointers are.
pub fn set_mask(mask: Mask) -> io::Result<Mask> {
    let mut old = 0u64;
    // SAFETY: both pointers are to eight bytes that live through the call, which is the
    // size given; the kernel reads the one and writes the other.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            c_long::from(libc::SIG_SETMASK),
            &raw const mask.0,
            &raw mut old,
            size_of::<u64>(),
        )
    };
    if result == 0 {
        Ok(Mask(old))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Blocks every signal; returns the mask before.
pub fn block_all() -> io::Result<Mask> {
    set_mask(Mask::ALL)
}

impl Signals {
    /// Opens the descriptor. Every signal must be blocked already.
    pub fn open(ignored: Dispositions) -> io::Result<Self> {
        let mask = Mask::ALL;
        let flags: c_int = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the pointer is to eight bytes that live through the call, the size given.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_signalfd4,
                c_long::from(-1),
                &raw const mask.0,
                size_of::<u64>(),
                c_long::from(flags),
            )
        };
        let Ok(fd) = c_int::try_from(fd) else {
            return Err(io::Error::other("signalfd"));
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just opened it, and nobody else knows it.
        Ok(Self {
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            ignored,
        })
    }

    /// The next signal that arrived, without waiting.
    #[must_use]
    pub fn next(&self) -> Option<Signal> {
        loop {
            let (number, sender) = self.read()?;
            // A write of ours to a pipe that nobody reads or past RLIMIT_FSIZE; the write's
            // error says it too.
            let is_by_write = matches!(number, libc::SIGPIPE | libc::SIGXFSZ);
            if is_by_write && sender == std::process::id() {
                continue;
            }
            // What was inherited as ignored (nohup, a background job) stays ignored, though
            // the kernel queues it here because it is blocked.
            if self.ignored.ignores(number) && number != libc::SIGTERM && number != libc::SIGCHLD {
                continue;
            }
            return Some(match number {
                libc::SIGCHLD => Signal::Child,
                n if STOPS.contains(&n) => Signal::Stop(n),
                n => Signal::Other(n),
            });
        }
    }

    fn read(&self) -> Option<(Number, u32)> {
        // SAFETY: all zeroes is a value of this plain C structure.
        let mut info: libc::signalfd_siginfo = unsafe { zeroed() };
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the pointer is to `size` writable bytes that live through the call.
        let n = unsafe { libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), size) };
        (usize::try_from(n) == Ok(size)).then(|| (info.ssi_signo.cast_signed(), info.ssi_pid))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The signal's name, as in `SIGTERM`.
#[must_use]
pub fn name(number: Number) -> String {
    match signal_hook::low_level::signal_name(number) {
        Some(name) => name.to_owned(),
        None => format!("signal {number}"),
    }
}

/// Sends `number` to the process group that `leader` was made the leader of, and to `leader`
/// itself where it moved to another, as a shell with job control may. It must not be reaped yet.
pub fn send_to_group(leader: i32, number: Number) {
    send(-leader, number);
    // SAFETY: getpgid(2) touches no memory.
    if unsafe { libc::getpgid(leader) } != leader {
        send(leader, number);
    }
}

/// Sends `number` to a process, or to a process group where `pid` is negative. Where there
/// is none, that is no error: it may have ended meanwhile.
pub fn send(pid: i32, number: Number) {
    // SAFETY: kill(2) touches no memory of ours.
    unsafe { libc::kill(pid, number) };
}
