//! Learning what became of children: the only place that calls waitid(2).
//!
//! Two callers that reap would steal each other's children, so every other file asks here.

use libc::c_int;

use super::signals::{self, Signal};

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

impl Ended {
    /// The exit code as a shell has it: 128+n for a signal.
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
            Self::Signal(signal) => signals::signal_code(signal),
        }
    }
}

/// The result of looking at the children once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaped {
    /// This one ended and is reaped.
    Ended(i32, Ended),
    /// This one was stopped by a signal.
    Stopped(i32, Signal),
    /// There are children, and none has news.
    Quiet,
    /// There are no children to wait for.
    None,
}

/// Which children to look at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// All of them.
    Any,
    /// The one with this process id.
    One(i32),
    /// Those in this process group.
    Group(i32),
}

/// Reaps one of these children if one has ended, or reports one that was stopped.
pub(super) fn reap(which: &[Which]) -> Reaped {
    let mut found = Reaped::None;
    for which in which {
        match reap_one(*which) {
            Reaped::None => {}
            Reaped::Quiet => found = Reaped::Quiet,
            news => return news,
        }
    }
    found
}

fn reap_one(which: Which) -> Reaped {
    match wait_for(which, libc::WNOHANG | libc::WEXITED | libc::WSTOPPED) {
        None => Reaped::None,
        Some((0, ..)) => Reaped::Quiet,
        Some((pid, libc::CLD_EXITED, code)) => Reaped::Ended(pid, Ended::Code(code)),
        Some((pid, libc::CLD_STOPPED, signal)) => Reaped::Stopped(pid, signal),
        Some((pid, _, signal)) => Reaped::Ended(pid, Ended::Signal(signal)),
    }
}

/// waitid(2): the process id (0: no news), what happened, and its status; `None` if there is
/// no such child. The system call is used directly because nix's wrapper rejects real-time
/// signals.
fn wait_for(which: Which, flags: c_int) -> Option<(i32, c_int, c_int)> {
    let (kind, id) = match which {
        Which::Any => (libc::P_ALL, 0),
        Which::One(pid) => (libc::P_PID, pid.cast_unsigned()),
        Which::Group(leader) => (libc::P_PGID, leader.cast_unsigned()),
    };
    // SAFETY: all zeroes is a value of this C structure; the pointer lives through the call;
    // the fields read are those that waitid fills in.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(kind, id, &raw mut info, flags) < 0 {
            return None;
        }
        Some((info.si_pid(), info.si_code, info.si_status()))
    }
}

/// Waits until this child has ended and reaps it.
pub(super) fn wait_and_reap(pid: i32) {
    let _ = wait_for(Which::One(pid), libc::WEXITED);
}

/// Reaps every child that has ended. If SIGCHLD was inherited as ignored, the kernel would
/// have reaped them itself; launchgate suspended that, so it makes up for it here.
pub(super) fn reap_all_dead() {
    while let Reaped::Ended(..) | Reaped::Stopped(..) = reap_one(Which::Any) {}
}

/// Whether this process has such a child.
pub(super) fn exists(which: Which) -> bool {
    wait_for(which, libc::WNOHANG | libc::WEXITED | libc::WNOWAIT).is_some()
}
