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
use nix::errno::Errno;

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

/// A descriptor that tells of every signal, which must be blocked already. It does not wait.
pub(super) fn descriptor() -> io::Result<OwnedFd> {
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
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Signals {
    /// Opens the descriptor. Every signal must be blocked already.
    pub fn open(ignored: Dispositions) -> io::Result<Self> {
        let fd = descriptor()?;
        Ok(Self { fd, ignored })
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

    /// The next signal that stops the gate, without waiting. For where no step runs: signals
    /// for a step find none, and do nothing.
    #[must_use]
    pub fn next_stop(&self) -> Option<Number> {
        std::iter::from_fn(|| self.next()).find_map(|signal| match signal {
            Signal::Stop(number) => Some(number),
            Signal::Child | Signal::Other(_) => None,
        })
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

/// The number that a name or a number means: with or without `SIG`, in any case, and
/// `RTMIN+n`, `RTMAX-n` for real-time signals, counted from 34 as the GNU C library and the
/// shells do, whichever C library this is.
#[must_use]
pub fn number(text: &str) -> Option<Number> {
    const FIRST_REAL_TIME: Number = 34;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|n| (1..=LAST).contains(n));
    }
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |base: Number, sign: char| match short[5..].strip_prefix(sign) {
        Some(count) if count.bytes().all(|byte| byte.is_ascii_digit()) => {
            let count: Number = count.parse().ok().filter(|n| *n <= LAST)?;
            let number = if sign == '+' {
                base + count
            } else {
                base - count
            };
            (FIRST_REAL_TIME..=LAST).contains(&number).then_some(number)
        }
        Some(_) => None,
        None => short[5..].is_empty().then_some(base),
    };
    if short.starts_with("RTMIN") {
        return real_time(FIRST_REAL_TIME, '+');
    }
    if short.starts_with("RTMAX") {
        return real_time(LAST, '-');
    }
    match short {
        "CLD" => Some(libc::SIGCHLD),
        "IOT" => Some(libc::SIGABRT),
        "POLL" => Some(libc::SIGIO),
        short => nix::sys::signal::Signal::iterator()
            .find(|signal| signal.as_str()[3..] == *short)
            .map(|signal| signal as Number),
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

/// Sends to `pid` as `number` what arrived here. The value that sigqueue(3) gave goes along,
/// with its sender; the kernel lets nobody pretend more than that (`rt_sigqueueinfo(2)`).
pub(super) fn pass_on(pid: i32, number: Number, arrived: &libc::signalfd_siginfo) {
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
        // A full queue takes it without the value.
        send(pid, number);
    }
}

/// Sends `number` to a process, or to a process group where `pid` is negative. Where there
/// is none, that is no error: it may have ended meanwhile.
pub fn send(pid: i32, number: Number) {
    let _ = try_send(pid, number);
}

/// The same, and what kill(2) says.
pub(super) fn try_send(pid: i32, number: Number) -> Result<(), Errno> {
    // SAFETY: kill(2) touches no memory of ours.
    Errno::result(unsafe { libc::kill(pid, number) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_every_name_of_linux_is_known() {
        for n in 1..=LAST {
            assert_eq!(number(&n.to_string()), Some(n));
        }
        let names = [
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
            "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
            "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
        ];
        for (name, n) in names.into_iter().zip(1..) {
            for text in [name.to_owned(), format!("SIG{name}"), name.to_lowercase()] {
                assert_eq!(number(&text), Some(n), "{text}");
            }
        }
        for (name, n) in [("CLD", 17), ("IOT", 6), ("SIGPOLL", 29)] {
            assert_eq!(number(name), Some(n));
        }
    }

    #[test]
    fn real_time_signals_count_from_both_ends() {
        for n in 0..=30 {
            assert_eq!(number(&format!("RTMIN+{n}")), Some(34 + n));
            assert_eq!(number(&format!("SIGRTMAX-{n}")), Some(64 - n));
        }
        assert_eq!(number("rtmin"), Some(34));
        assert_eq!(number("SIGRTMAX"), Some(64));
    }

    #[test]
    fn what_is_no_signal_is_none() {
        for text in [
            "",
            "SIG",
            "0",
            "65",
            "-1",
            "+9",
            "1.5",
            "TERMX",
            "SIGSIGTERM",
            "RTMIN+31",
            "RTMAX-31",
            "RTMIN-1",
            "RTMAX+1",
            "RTMIN+",
            "RTMIN+-1",
            "RTMINX",
            "99999999999999999999",
            "RTMIN+99999999999999999999",
            "SIGTERM ",
            "ÄÖÜ",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
