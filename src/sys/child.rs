//! Starting a child process.
//!
//! clone(2) with `CLONE_VM | CLONE_VFORK`, as both C libraries implement posix_spawn: no page
//! table is copied, and the child reports a failed exec through shared memory. posix_spawn
//! itself can't set a parent-death signal. Call it from the main thread only: the parent-death
//! signal fires when the *thread* that forked ends (prctl(2)).

use std::ffi::{CStr, CString, c_void};

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, pid_t};
use nix::errno::Errno;

use super::inherited::Inherited;
use super::signals::{self, Mask};
use super::user;
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
    /// Why exec failed; written by the child.
    errno: c_int,
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
    let mut start = Start {
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
    // SAFETY: the child wrote it through a pointer that the compiler doesn't see.
    let errno = unsafe { ptr::read_volatile(&raw const start.errno) };
    if errno == 0 {
        return Ok(pid);
    }
    wait::wait_and_reap(pid);
    Err(io::Error::from_raw_os_error(errno))
}

/// The array of pointers that execve(2) takes; valid as long as `strings`.
pub(super) fn pointers<S: AsRef<CStr>>(strings: &[S]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|s| s.as_ref().as_ptr())
        .chain([ptr::null()])
        .collect()
}

extern "C" fn run_child(argument: *mut c_void) -> c_int {
    // SAFETY: it is the `Start` of the suspended parent, which nothing else uses now.
    let start = unsafe { &mut *argument.cast::<Start<'_>>() };
    // SAFETY: only async-signal-safe calls from here on; every pointer was made by `start`.
    unsafe {
        libc::setpgid(0, 0);
        if let Some(terminal) = start.terminal {
            libc::tcsetpgrp(terminal, libc::getpid());
        }
        if let Some(Err(error)) = start.identity.map(user::become_user) {
            ptr::write_volatile(&raw mut start.errno, error as c_int);
            libc::_exit(127);
        }
        // After the switch of users, which clears it (prctl(2)).
        signals::set_death_signal(libc::SIGKILL);
        // The parent may have died before the line above. Zero means it is in another PID
        // namespace, so its number says nothing.
        let parent = libc::getppid();
        if parent != start.parent && parent != 0 {
            libc::_exit(127);
        }
        redirect(start.streams);
        for fd in start.inherit {
            libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0);
        }
        if start.inherited.ignored.ignores(libc::SIGCHLD) {
            signals::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
        }
        let _ = signals::set_mask(start.inherited.mask);
        libc::execve(start.path, start.argv, start.envp);
        let errno = Errno::last_raw();
        ptr::write_volatile(&raw mut start.errno, errno);
        let _ = signals::set_mask(Mask(!0));
        libc::_exit(127)
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
