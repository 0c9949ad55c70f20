//! What this process inherited: arguments, environment, signal mask and dispositions,
//! descriptors. Read before anything changes it, restored right before exec.
//!
//! The Rust runtime would change some of it before `main` (it ignores SIGPIPE and opens
//! closed standard streams), so the binary has a C `main` and the runtime never starts.

use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use libc::{c_char, c_int};
use nix::sys::prctl;

use super::signals::{self, Dispositions, Mask};
use crate::sys::environment::{EnvEntry, Environment};

unsafe extern "C" {
    static mut environ: *const *const c_char;
}

/// Everything that is restored before exec.
#[derive(Debug)]
pub struct Inherited {
    /// The signal mask.
    pub mask: Mask,
    /// Which signals were ignored.
    pub ignored: Dispositions,
    /// Whether this process was a subreaper.
    pub subreaper: bool,
}

impl Inherited {
    /// Blocks every signal and records what was inherited. Must be called first.
    pub fn capture() -> io::Result<Self> {
        let mask = signals::block_all()?;
        let ignored = Dispositions::read();
        if ignored.ignores(libc::SIGCHLD) {
            // Otherwise the kernel would reap our children itself and lose their exit codes.
            signals::set_disposition(libc::SIGCHLD, libc::SIG_DFL);
        }
        occupy_standard_streams();
        Ok(Self {
            mask,
            ignored,
            subreaper: prctl::get_child_subreaper().unwrap_or(false),
        })
    }

    /// Makes orphaned descendants this process's children, so that none escapes.
    pub fn adopt_orphans(&self) {
        if !self.subreaper {
            let _ = prctl::set_child_subreaper(true);
        }
    }

    /// Restores the subreaper flag and the dispositions. The mask is restored last, in `launch`.
    pub(super) fn restore(&self) {
        if !self.subreaper {
            let _ = prctl::set_child_subreaper(false);
        }
        if self.ignored.ignores(libc::SIGCHLD) {
            signals::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
        }
    }
}

/// If a standard stream is closed, the next descriptor that launchgate opens would get its
/// number, and the log would go there. `/dev/null` takes the place until exec closes it.
pub(super) fn occupy_standard_streams() {
    for stream in 0..=2 {
        if is_open(stream) {
            continue;
        }
        // SAFETY: the path is a C string. The lowest free number is `stream`, as all below are
        // open, and it is meant to stay open.
        unsafe {
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        }
    }
}

/// Gives up standard input, for a process that has no other descriptor to spare.
pub fn close_input() {
    // SAFETY: closing a number touches no memory, and nothing of launchgate's reads this one.
    unsafe { libc::close(libc::STDIN_FILENO) };
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: this fcntl asks about a number and touches no memory.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// The arguments that `main` was called with.
///
/// # Safety
/// `argv` must be the `argv` of `main`: `argc` pointers to C strings that are never freed.
pub unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    let count = usize::try_from(argc).unwrap_or(0);
    (0..count)
        .map(|i| {
            // SAFETY: the caller's promise.
            let word = unsafe { CStr::from_ptr(*argv.add(i)) };
            OsString::from_vec(word.to_bytes().to_vec())
        })
        .collect()
}

/// The environment, entry by entry.
pub fn environment() -> Environment {
    let mut entries: Vec<EnvEntry> = Vec::with_capacity(64);
    // SAFETY: `environ` is null or an array of C strings that ends with a null pointer, which
    // live on this process's first stack as long as it does; nothing in it changes them.
    unsafe {
        let mut at = environ;
        while !at.is_null() && !(*at).is_null() {
            entries.push(EnvEntry::Borrowed(CStr::from_ptr(*at)));
            at = at.add(1);
        }
    }
    Environment::new(entries)
}

/// Replaces what the C library and Rust's know as this process's environment. What [`environment`]
/// returned stays as it is, and so does what is passed on.
///
/// - `PG*` is left out: a driver would use some of it past the settings.
/// - The TLS library finds no authorities on this machine. It would accept them beside those that a
///   setting names, however few these are.
pub fn replace_environment(environment: &Environment) {
    let is_kept = |entry: &&EnvEntry| match entry.to_bytes() {
        [b'P', b'G', ..] => false,
        [b'S', b'S', b'L', rest @ ..] => !rest.starts_with(b"_CERT_"),
        _ => true,
    };
    let kept = environment.entries().iter().filter(is_kept);
    let kept = kept.map(|entry| entry.as_ptr());
    let no_roots = c"SSL_CERT_FILE=/dev/null".as_ptr();
    let array: Vec<_> = kept.chain([no_roots, ptr::null()]).collect();
    // SAFETY: no other thread runs yet that could read or change it. The array is never freed, and its
    // entries are inherited ones and a constant.
    unsafe { environ = Vec::leak(array).as_ptr() };
}

/// Whether the standard stream is a terminal.
pub fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: isatty(3) asks about a number and touches no memory.
    unsafe { libc::isatty(fd) == 1 }
}
