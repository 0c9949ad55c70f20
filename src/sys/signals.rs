//! Signals: all are blocked, and read from one descriptor (signalfd(2)).
//!
//! Blocked signals are queued even for a PID 1, which gets no default action (signal(7),
//! `pid_namespaces(7)`). So none is ever lost, and only the mask has to be restored before
//! exec, no handlers. Masks are the kernel's 64 bits, since the C libraries hide two or three
//! real-time signals.

use std::cell::Cell;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_long};
use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};

mod names;
mod stop;

pub use names::{name, number};
pub use stop::Stop;

/// A signal's number.
pub type Signal = i32;

/// The highest signal number of Linux.
pub const LAST: Signal = 64;

/// The signals that stop a gate.
pub const STOPS: [Signal; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// A signal mask as the kernel has it: bit n-1 is signal n.
pub type Mask = u64;

/// Every signal.
pub(super) const ALL: Mask = !0;

/// The inherited dispositions. After an exec each is either default or ignored (execve(2)), so
/// one bit is enough: bit n-1 is set if signal n is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dispositions(u64);

impl Dispositions {
    /// Whether `number` was ignored.
    pub fn ignores(self, number: Signal) -> bool {
        (1..=LAST).contains(&number) && self.0 & (1 << (number - 1)) != 0
    }

    pub(super) fn read() -> Self {
        // Only those that matter: the stop signals, which may be ignored, and the one that
        // launchgate has to change. No other disposition is ever touched.
        let numbers = STOPS.into_iter().chain([libc::SIGCHLD]);
        Self(
            numbers
                .filter(|&n| is_ignored(n))
                .fold(0, |bits, n| bits | 1 << (n - 1)),
        )
    }
}

fn is_ignored(number: Signal) -> bool {
    // SAFETY: all zeroes is a value of this C structure, the pointer to it lives through
    // the call, and a null pointer asks only.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(number, ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Sets a disposition: `SIG_IGN`, `SIG_DFL`, or a function that takes the signal's number.
pub(super) fn set_disposition(number: Signal, disposition: libc::sighandler_t) {
    // SAFETY: signal(2) takes numbers and the address of a function of the type named above.
    unsafe { libc::signal(number, disposition) };
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// TERM, INT, HUP or QUIT: the gate is to stop.
    Stop(Stop),
    /// Any other; it goes to the step.
    Other(Signal),
}

/// The one reader of this process's signals.
#[derive(Debug)]
pub struct Signals {
    queue: SignalQueue,
    ignored: Dispositions,
    stopped: Cell<Option<Stop>>,
}

/// Sets this thread's signal mask and returns the one before.
///
/// # Errors
/// None in practice: the arguments are valid.
pub fn set_mask(mask: Mask) -> io::Result<Mask> {
    let mut old: Mask = 0;
    // SAFETY: both pointers are to eight bytes that live through the call, which is the
    // size given; the kernel reads the one and writes the other.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            c_long::from(libc::SIG_SETMASK),
            &raw const mask,
            &raw mut old,
            size_of::<Mask>(),
        )
    };
    Errno::result(result)?;
    Ok(old)
}

/// Blocks every signal; returns the mask before.
pub fn block_all() -> io::Result<Mask> {
    set_mask(ALL)
}

/// A signal as signalfd(2) reports it.
pub(super) type SignalInfo = libc::signalfd_siginfo;

/// A non-blocking descriptor that reads every signal.
#[derive(Debug)]
pub(super) struct SignalQueue(SignalFd);

impl SignalQueue {
    /// Opens it. Every signal must be blocked already.
    pub(super) fn open() -> io::Result<Self> {
        // SAFETY: a set is bits alone; the pointer to it lives through the call.
        let all = unsafe {
            let mut all: libc::sigset_t = zeroed();
            ptr::write_bytes(&raw mut all, 0xff, 1);
            SigSet::from_sigset_t_unchecked(all)
        };
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self(SignalFd::with_flags(&all, flags)?))
    }

    /// The next signal that has arrived, if any. Does not wait.
    pub(super) fn next(&self) -> Option<SignalInfo> {
        loop {
            let info = self.0.read_signal().ok()??;
            // Caused by a write of our own, to a pipe without a reader or past RLIMIT_FSIZE; the
            // write's error says so too.
            let is_by_write = matches!(info.ssi_signo.cast_signed(), libc::SIGPIPE | libc::SIGXFSZ);
            if !(is_by_write && info.ssi_pid == std::process::id()) {
                return Some(info);
            }
        }
    }
}

impl AsFd for SignalQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Signals {
    /// Opens the descriptor. Every signal must be blocked already.
    pub fn open(ignored: Dispositions) -> io::Result<Self> {
        Ok(Self {
            queue: SignalQueue::open()?,
            ignored,
            stopped: Cell::new(None),
        })
    }

    /// The next signal that has arrived, if any. Does not wait.
    pub fn next(&self) -> Option<Arrived> {
        loop {
            let number = self.queue.next()?.ssi_signo.cast_signed();
            // Signals that were inherited as ignored (nohup, a background job) stay ignored,
            // although the kernel queues them here because they are blocked.
            let is_ignored = self.ignored.ignores(number) && number != libc::SIGTERM;
            // Whoever waits looks at the children after every wake-up.
            if is_ignored || number == libc::SIGCHLD {
                continue;
            }
            return Some(match number {
                n if STOPS.contains(&n) => {
                    self.stop(Stop::new(n));
                    Arrived::Stop(Stop::new(n))
                }
                n => Arrived::Other(n),
            });
        }
    }

    /// The next signal that stops the gate, if any. Does not wait. For use while no step runs:
    /// signals meant for a step are dropped.
    pub fn next_stop(&self) -> Option<Stop> {
        std::iter::from_fn(|| self.next()).find_map(|signal| match signal {
            Arrived::Stop(stop) => Some(stop),
            Arrived::Other(_) => None,
        })
    }

    /// The first stop among the signals read so far.
    pub fn stopped(&self) -> Option<Stop> {
        self.stopped.get()
    }

    /// Marks the gate as stopped; the first stop wins.
    pub(super) fn stop(&self, stop: Stop) {
        self.stopped.set(self.stopped.get().or(Some(stop)));
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

/// Sets the signal that this process gets when its parent dies.
pub fn set_death_signal(number: Signal) {
    // SAFETY: this prctl takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, c_long::from(number)) };
}

/// The exit code of a process that `signal` ended: 128+n, as in a shell.
pub fn signal_code(signal: Signal) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// Sends `number` to the process group that `leader` was started in, and to `leader` itself if it
/// moved to another group, as a shell with job control may. It must not be reaped yet.
pub fn send_to_group(leader: i32, number: Signal) {
    send(-leader, number);
    // SAFETY: getpgid(2) touches no memory.
    if unsafe { libc::getpgid(leader) } != leader {
        send(leader, number);
    }
}

/// Forwards to `pid`, as `number`, a signal that arrived here, with its sender and value if it
/// came from sigqueue(3); the kernel allows no more than that (`rt_sigqueueinfo(2)`).
pub(super) fn pass_on(pid: i32, number: Signal, arrived: &SignalInfo) {
    /// The kernel's `siginfo_t` as sigqueue(3) fills it in.
    #[repr(C)]
    struct Queued {
        number: c_int,
        errno: c_int,
        code: c_int,
        padding: c_int,
        sender: u32,
        user: u32,
        value: u64,
        rest: [u64; 12],
    }
    const { assert!(size_of::<Queued>() == 128) };
    if arrived.ssi_code != libc::SI_QUEUE {
        return send(pid, number);
    }
    let info = Queued {
        number,
        errno: 0,
        code: libc::SI_QUEUE,
        padding: 0,
        sender: arrived.ssi_pid,
        user: arrived.ssi_uid,
        value: arrived.ssi_ptr,
        rest: [0; 12],
    };
    // SAFETY: the pointer is to a siginfo_t's 128 bytes, which live through the call.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, number, &raw const info) };
    if result != 0 {
        // A full queue still takes it without the value.
        send(pid, number);
    }
}

/// Sends `number` to a process, or to a process group if `pid` is negative. It is no error if
/// there is none: it may have ended meanwhile.
pub fn send(pid: i32, number: Signal) {
    let _ = try_send(pid, number);
}

/// The same, with the result of kill(2).
pub(super) fn try_send(pid: i32, number: Signal) -> Result<(), Errno> {
    // SAFETY: kill(2) touches no memory of ours.
    Errno::result(unsafe { libc::kill(pid, number) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_a_signal_is_128_and_its_number() {
        assert_eq!(signal_code(15), 143);
        assert_eq!(signal_code(64), 192);
    }
}
