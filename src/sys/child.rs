//! Starting a step and learning what becomes of it.
//!
//! clone(2) with `CLONE_VM | CLONE_VFORK`, as posix_spawn does it in both C libraries: no
//! page table is copied, and the parent learns of a failed exec from memory they share.
//! posix_spawn itself can't set a parent-death signal. Call it from the main thread only:
//! the parent-death signal fires when the *thread* that forked ends (prctl(2)).

use std::ffi::{CStr, CString, c_void};

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, pid_t};
use nix::errno::Errno;

use super::family::{Children, Family};
use super::inherited::Inherited;
use super::signals::{self, Mask};
use super::user::{self, Switch};
use crate::sys::environment::Entry;
use crate::sys::identity::Identity;

/// A program ready to be executed.
#[derive(Debug, Clone)]
pub struct Program {
    /// The path to execute.
    pub path: CString,
    /// Its arguments, the name first.
    pub argv: Vec<CString>,
    /// Its environment.
    pub environment: Vec<Entry>,
}

/// Standard input of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// As it is: a terminal.
    Inherit,
    /// From /dev/null, so that a step can't wait for an answer that nobody gives.
    Null,
}

/// Where a step's standard streams lead.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// Standard input.
    pub input: Input,
    /// Standard output.
    pub output: RawFd,
    /// Standard error.
    pub error: RawFd,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Ended {
    /// The exit code as a shell has it: 128+n for a signal.
    #[must_use]
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
            Self::Signal(signal) => crate::exit::signal_code(signal),
        }
    }
}

/// What a look at the children found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaped {
    /// This one ended and is reaped.
    Ended(i32, Ended),
    /// This one was stopped by a signal.
    Stopped(i32, i32),
    /// There are children, and none has news.
    Quiet,
    /// There are no children of ours.
    None,
}

/// Everything the child needs between clone and exec, made before, so that the child only
/// makes system calls.
struct Start<'a> {
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    streams: Streams,
    keep: Option<RawFd>,
    terminal: Option<RawFd>,
    switch: Option<Switch>,
    parent: pid_t,
    inherited: &'a Inherited,
    /// Written by the child: why exec failed.
    errno: c_int,
}

/// Starts `program` as the leader of a process group of its own, which becomes the
/// `terminal`'s foreground group where one is given. It inherits the signal mask and
/// dispositions that launchgate inherited, is killed when launchgate dies, keeps the
/// descriptor `keep` open, and is `identity` where one is given.
///
/// # Errors
/// Why it could not be cloned or executed: execve(2), clone(2).
pub fn start(
    program: &Program,
    streams: Streams,
    keep: Option<BorrowedFd<'_>>,
    terminal: Option<BorrowedFd<'_>>,
    identity: Option<&Identity>,
    inherited: &Inherited,
) -> io::Result<i32> {
    // As much as posix_spawn(3) takes in musl: the child makes system calls and nothing else.
    // It is part of this thread's own stack, whose pages are there already.
    const STACK: usize = 8 * 1024;
    let argv = pointers(&program.argv);
    let envp = pointers(&program.environment);
    let mut start = Start {
        path: program.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        streams,
        keep: keep.map(|fd| fd.as_raw_fd()),
        terminal: terminal.map(|fd| fd.as_raw_fd()),
        switch: identity.map(Switch::of),
        // SAFETY: getpid(2) has no preconditions.
        parent: unsafe { libc::getpid() },
        inherited,
        errno: 0,
    };
    let mut stack = [MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    // SAFETY: the stack grows down from the end of the buffer, which is aligned to 16 bytes,
    // is not used for anything else and outlives the child's use of it: CLONE_VFORK suspends
    // this thread until the child has called execve or _exit. `start` outlives it likewise.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len());
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(run_child, top.cast(), flags, (&raw mut start).cast())
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the child wrote it through a pointer that the compiler can't see.
    let errno = unsafe { ptr::read_volatile(&raw const start.errno) };
    if errno == 0 {
        return Ok(pid);
    }
    let _ = wait_for(Which::One(pid), libc::WEXITED);
    Err(io::Error::from_raw_os_error(errno))
}

/// The array that execve(2) wants; valid as long as `strings`.
pub(super) fn pointers<S: AsRef<CStr>>(strings: &[S]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|s| s.as_ref().as_ptr())
        .chain([ptr::null()])
        .collect()
}

extern "C" fn run_child(argument: *mut c_void) -> c_int {
    // SAFETY: it is the `Start` of the suspended parent, and nobody else uses it now.
    let start = unsafe { &mut *argument.cast::<Start<'_>>() };
    // SAFETY: only async-signal-safe calls from here on; every pointer was made by `start`.
    unsafe {
        libc::setpgid(0, 0);
        if let Some(terminal) = start.terminal {
            libc::tcsetpgrp(terminal, libc::getpid());
        }
        if let Some(switch) = &start.switch {
            let errno = user::become_user(switch);
            if errno != 0 {
                ptr::write_volatile(&raw mut start.errno, errno);
                libc::_exit(127);
            }
        }
        // After the switch, which would clear it (prctl(2)).
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The parent may have died before the line above. Zero: it is in another PID
        // namespace, where its number means nothing.
        let parent = libc::getppid();
        if parent != start.parent && parent != 0 {
            libc::_exit(127);
        }
        redirect(start.streams);
        if let Some(fd) = start.keep {
            libc::fcntl(fd, libc::F_SETFD, 0);
        }
        if start.inherited.ignored.ignores(libc::SIGCHLD) {
            super::inherited::set_ignored(libc::SIGCHLD, true);
        }
        let _ = signals::set_mask(start.inherited.mask);
        libc::execve(start.path, start.argv, start.envp);
        let errno = Errno::last_raw();
        ptr::write_volatile(&raw mut start.errno, errno);
        let _ = signals::set_mask(Mask(!0));
        libc::_exit(127)
    }
}

/// Puts the streams where they belong. A source that is not its own target is duplicated
/// over it, which also clears close-on-exec; an inherited one stays as it is.
///
/// # Safety
/// Between clone and exec only.
unsafe fn redirect(streams: Streams) {
    // SAFETY: these system calls touch no memory but the literal.
    unsafe {
        if streams.input == Input::Null {
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if null < 0 {
                libc::close(0);
            } else {
                libc::dup2(null, 0);
            }
        }
        for (source, target) in [(streams.output, 1), (streams.error, 2)] {
            if source != target {
                libc::dup2(source, target);
            }
        }
    }
}

/// Looks for a child of the family that ended or stopped and reaps it, leaving others (those
/// that were there before launchgate) to the server, whose children they will be.
#[must_use]
pub(super) fn reap(family: &Family<'_>) -> Reaped {
    let ours = match family.children() {
        Children::All => return reap_one(Which::Any),
        Children::These(pids) => pids.into_iter().map(Which::One).collect(),
        Children::Led(leader) => vec![Which::One(leader), Which::Group(leader)],
    };
    let mut found = Reaped::None;
    for which in ours {
        match reap_one(which) {
            Reaped::None => {}
            Reaped::Quiet => found = Reaped::Quiet,
            news => return news,
        }
    }
    found
}

/// Which children waitid(2) looks at.
#[derive(Debug, Clone, Copy)]
enum Which {
    Any,
    One(i32),
    Group(i32),
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

/// waitid(2): process id (0: no news), what happened, and its status; `None` where there is
/// no such child. Called as it is because the wrapper knows no real-time signals.
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

/// Waits for the end of this child and reaps it.
pub(super) fn wait_and_reap(pid: i32) {
    let _ = wait_for(Which::One(pid), libc::WEXITED);
}

/// Reaps every child that ended. For a server that ignores SIGCHLD: had launchgate not taken
/// that back for a while, the kernel would have reaped them.
pub(super) fn forget_dead() {
    while let Reaped::Ended(..) | Reaped::Stopped(..) = reap_one(Which::Any) {}
}

/// Whether there is a child.
pub(super) fn has_any() -> bool {
    is_there(Which::Any)
}

/// Whether a child is in this process group.
pub(super) fn has_in_group(leader: i32) -> bool {
    is_there(Which::Group(leader))
}

fn is_there(which: Which) -> bool {
    wait_for(which, libc::WNOHANG | libc::WEXITED | libc::WNOWAIT).is_some()
}
