//! The controlling terminal: its foreground process group goes to the step and comes back
//! (termios(3), tcsetpgrp(3), POSIX job control).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::killpg;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpgid, getpgrp, getpid, getppid, getsid, setpgid, tcgetpgrp, tcsetpgrp};

use super::{inherited, signals};

/// What a process group of another PID namespace looks like.
const OUTSIDE: Pid = Pid::from_raw(0);

/// This process's controlling terminal.
#[derive(Debug)]
pub struct Terminal {
    fd: OwnedFd,
    own: Pid,
    /// Whether a child was given the foreground.
    pub(super) is_lent: bool,
}

impl Terminal {
    /// The controlling terminal, if any standard stream is a terminal.
    pub fn open() -> Option<Self> {
        // Otherwise there is nobody to press Ctrl-C.
        if !(0..=2).any(inherited::is_terminal) {
            return None;
        }
        Self::controlling()
    }

    /// The controlling terminal, whatever the standard streams are: even without them a server
    /// may ask for a password there.
    pub fn controlling() -> Option<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let fd = open("/dev/tty", flags, Mode::empty()).ok()?;
        let mut own = getpgrp();
        // Zero: its leader is outside this PID namespace (`unshare --pid`, bubblewrap). A group
        // without a number here could never be given the terminal back.
        if own == OUTSIDE && tcgetpgrp(&fd) == Ok(OUTSIDE) && setpgid(own, own).is_ok() {
            own = getpgrp();
            let _ = tcsetpgrp(&fd, own);
        }
        let is_lent = false;
        Some(Self { fd, own, is_lent })
    }

    /// Whether this process's group is in the foreground.
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(&self.fd) == Ok(self.own)
    }

    /// Makes `group` the foreground group, if this process's group is.
    pub(super) fn hand_over(&mut self, group: i32) {
        if self.is_ours() {
            let _ = tcsetpgrp(&self.fd, Pid::from_raw(group));
            self.is_lent = true;
        }
    }

    /// Takes the foreground back, if `group` has it.
    pub(super) fn take_back(&self, group: i32) {
        if tcgetpgrp(&self.fd) == Ok(Pid::from_raw(group)) {
            let _ = tcsetpgrp(&self.fd, self.own);
        }
    }

    /// Takes the foreground back from a group without members, if it was handed over: a child's
    /// child may have had it last, and then the terminal's keys would reach nobody.
    pub(super) fn take_back_from_dead(&self) {
        // PID 1's own group lives as long as PID 1, and kill(2) reads -1 as every process.
        if self.is_lent
            && let Ok(group) = tcgetpgrp(&self.fd)
            && group != self.own
            && group.as_raw() != 1
            && killpg(group, None) == Err(Errno::ESRCH)
        {
            let _ = tcsetpgrp(&self.fd, self.own);
        }
    }

    /// Whether a shell with job control in the same session could continue this process if it
    /// stopped (POSIX, "orphaned process group").
    pub(super) fn has_job_control(&self) -> bool {
        let parent = getppid();
        let Ok(session) = getsid(None) else {
            return false;
        };
        getpid().as_raw() != 1
            && parent.as_raw() > 0
            && getsid(Some(parent)) == Ok(session)
            && (getpgid(Some(parent)) != Ok(self.own) || parent != session)
    }
}

/// Stops this process's whole group, as Ctrl-Z does. Returns when it is continued.
pub(super) fn stop_ourselves() {
    signals::send(0, libc::SIGSTOP);
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
