//! Starting a child process.
//!
//! As both C libraries implement posix_spawn, which itself can't set a parent-death signal: the child
//! shares memory, through which it reports a failed exec. Call it from the main thread only: the
//! parent-death signal fires when the *thread* that forked ends (prctl(2)).

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use libc::{c_char, pid_t};
use nix::errno::Errno;

use super::inherited::Inherited;
use super::signals;
use super::user;
use super::vfork::vfork;
use super::wait;
use crate::sys::environment::EnvEntry;
use crate::sys::identity::Identity;

/// A program ready to be executed.
#[derive(Debug, Clone)]
pub struct Program {
    /// The path to execute.
    pub path: CString,
    /// Its arguments, starting with its name.
    pub argv: Vec<CString>,
    /// Its environment.
    pub environment: Vec<EnvEntry>,
}

/// Standard input of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Inherited: a terminal.
    Inherit,
    /// From /dev/null, so that a step can't wait for input that never comes.
    Null,
}

/// The standard streams of a child.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// Standard input.
    pub input: Input,
    /// Standard output.
    pub output: RawFd,
    /// Standard error.
    pub error: RawFd,
}

/// Everything the child needs between clone and exec, prepared beforehand so that the child
/// makes system calls only.
struct Start<'a> {
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    streams: Streams,
    inherit: &'a [BorrowedFd<'a>],
    terminal: Option<RawFd>,
    identity: Option<&'a Identity>,
    parent: pid_t,
    inherited: &'a Inherited,
}

/// Whether this process, or the system, has no file descriptor left.
#[must_use]
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Starts `program` as the leader of its own process group, which becomes the foreground group
/// of `terminal` if one is given. It gets the signal mask and dispositions that launchgate
/// inherited, is killed when launchgate dies, inherits the descriptors `inherit` under
/// their numbers, and runs as `identity` if one is given.
///
/// # Errors
/// clone(2) or execve(2) failed.
pub fn start(
    program: &Program,
    streams: Streams,
    inherit: &[BorrowedFd<'_>],
    terminal: Option<BorrowedFd<'_>>,
    identity: Option<&Identity>,
    inherited: &Inherited,
) -> io::Result<i32> {
    // As much as posix_spawn(3) uses in musl: the child makes system calls only. It is part of
    // this thread's own stack, whose pages are mapped already.
    const STACK: usize = 8 * 1024;
    let argv = pointers(&program.argv);
    let envp = pointers(&program.environment);
    let start = Start {
        path: program.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        streams,
        inherit,
        terminal: terminal.map(|fd| fd.as_raw_fd()),
        identity,
        // SAFETY: getpid(2) has no preconditions.
        parent: unsafe { libc::getpid() },
        inherited,
    };
    let mut stack = [MaybeUninit::uninit(); STACK / size_of::<u128>()];
    let mut failed = None;
    // SAFETY: prctl(2) takes numbers here.
    let is_dumpable = identity.is_some() && unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } == 1;
    let pid = vfork(&mut stack, &mut || {
        // SAFETY: between clone and exec.
        failed = Some(unsafe { start.execute() });
    })?;
    // A child that becomes another user takes this from the memory it shares, and then root without
    // CAP_SYS_PTRACE can't read this process's folder in /proc (prctl(2)).
    if is_dumpable {
        // SAFETY: as above.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) };
    }
    let Some(errno) = failed else {
        return Ok(pid);
    };
    wait::wait_and_reap(pid);
    Err(errno.into())
}

/// The array of pointers that execve(2) takes; valid as long as `strings`.
pub(super) fn pointers<S: AsRef<CStr>>(strings: &[S]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|s| s.as_ref().as_ptr())
        .chain([ptr::null()])
        .collect()
}

impl Start<'_> {
    /// Executes the program. Returns only if that fails.
    ///
    /// # Safety
    /// Between clone and exec only.
    unsafe fn execute(&self) -> Errno {
        // SAFETY: only async-signal-safe calls; every pointer was made by `start`.
        unsafe {
            libc::setpgid(0, 0);
            if let Some(terminal) = self.terminal {
                libc::tcsetpgrp(terminal, libc::getpid());
            }
            if let Some(Err(error)) = self.identity.map(user::become_user) {
                return error;
            }
            // After the switch of users, which clears it (prctl(2)).
            signals::set_death_signal(libc::SIGKILL);
            // The parent may have died before the line above. Zero means it is in another PID
            // namespace, so its number says nothing.
            let parent = libc::getppid();
            if parent != self.parent && parent != 0 {
                libc::_exit(127);
            }
            redirect(self.streams);
            for fd in self.inherit {
                libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0);
            }
            if self.inherited.ignored.ignores(libc::SIGCHLD) {
                signals::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
            }
            let _ = signals::set_mask(self.inherited.mask);
            libc::execve(self.path, self.argv, self.envp);
            let error = Errno::last();
            let _ = signals::set_mask(signals::ALL);
            error
        }
    }
}

/// Puts the streams in place. A source that is not its own target is duplicated over it, which
/// also clears close-on-exec; an inherited one stays as it is.
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
