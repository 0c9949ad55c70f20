//! Starting a process in an exactly known state: clone(2), in a new PID namespace or not, then
//! system calls only, then execve(2).
#![allow(
    unsafe_code,
    reason = "std's Command can neither make PID 1 nor leave a stream closed"
)]

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, c_void};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

use super::Mode;
use super::processes::{change_mask, limit};

/// What a process is given besides its arguments and streams.
#[derive(Debug, Clone, Copy)]
pub enum Given {
    /// This signal is blocked.
    Blocked(c_int),
    /// This signal is blocked and was sent.
    Pending(c_int),
    /// This signal is ignored.
    Ignored(c_int),
    /// This resource is limited, soft and hard.
    Limit(u32, u64, u64),
    /// The file mode creation mask.
    Umask(libc::mode_t),
    /// It is a subreaper.
    Subreaper,
    /// This signal comes when the parent dies.
    DeathSignal(c_int),
    /// There is no /proc, for a PID 1.
    NoProc,
    /// /proc is that of the namespace around, for a PID 1.
    OuterProc,
    /// `passwd` and `group` of the folder are those of the system, for a PID 1.
    Accounts,
    /// There is no /etc, for a PID 1.
    NoEtc,
    /// It is not dumpable.
    Undumpable,
    /// It leads a session whose controlling terminal is its standard input.
    Terminal,
}

impl Given {
    /// Whether it mounts something, which only a PID 1 does in a namespace of its own.
    fn mounts(self) -> bool {
        matches!(
            self,
            Self::NoProc | Self::OuterProc | Self::Accounts | Self::NoEtc
        )
    }
}

/// Everything a process starts with.
#[derive(Debug)]
pub struct Start {
    pub mode: Mode,
    pub path: CString,
    pub argv: Vec<CString>,
    pub environment: Vec<CString>,
    pub folder: CString,
    /// Which descriptor each number is a copy of; every other is closed.
    pub descriptors: Vec<(OwnedFd, RawFd)>,
    pub given: Vec<Given>,
}

/// Sources are moved up here, out of the way of their targets.
const ABOVE: RawFd = 500;

struct Ready<'a> {
    start: &'a Start,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    sources: Vec<(OwnedFd, RawFd)>,
    report: OwnedFd,
}

impl Start {
    /// Starts it and returns its process id, as this process sees it, once it executes.
    pub fn spawn(&self) -> i32 {
        // Elsewhere it would mount over this machine's own files.
        let mounts = self.given.iter().find(|given| given.mounts());
        assert!(
            mounts.is_none() || self.mode.is_pid_one(),
            "{mounts:?} is for a PID 1"
        );
        let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let sources = self
            .descriptors
            .iter()
            .map(|(fd, target)| (lift(fd.as_raw_fd()), *target))
            .collect();
        let mut ready = Ready {
            start: self,
            argv: pointers(&self.argv),
            envp: pointers(&self.environment),
            sources,
            report: lift(write.as_raw_fd()),
        };
        drop(write);
        let pid = clone(&mut ready);
        drop(ready);
        let mut error = String::new();
        std::fs::File::from(read)
            .read_to_string(&mut error)
            .unwrap();
        assert!(
            error.is_empty(),
            "{:?} does not start, errno behind the call: {error}{}",
            self.path,
            self.needs()
        );
        pid
    }
}

impl Start {
    /// What a failure to start it may lack.
    fn needs(&self) -> &'static str {
        if self.mode.is_pid_one() {
            "\nA test as PID 1 needs root (CAP_SYS_ADMIN), a kernel that allows PID and mount namespaces, and / as \
             a mount point: in a chroot, `mount --bind ROOT ROOT` before."
        } else {
            ""
        }
    }
}

fn lift(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller's descriptor is open.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(ABOVE)).unwrap();
    // SAFETY: the kernel just made it.
    unsafe { OwnedFd::from_raw_fd(copy) }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let strings = strings.iter().map(|string| string.as_ptr());
    strings.chain([ptr::null()]).collect()
}

fn clone(ready: &mut Ready<'_>) -> i32 {
    const STACK: usize = 256 * 1024;
    let mut stack: Vec<u128> = vec![0; STACK / 16];
    let start = ready.start;
    let namespace = if start.mode.is_pid_one() {
        libc::CLONE_NEWPID | libc::CLONE_NEWNS
    } else {
        0
    };
    // SAFETY: no memory is shared, so the child has its own copy of the stack and of `ready`.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len());
        let flags = namespace | libc::SIGCHLD;
        libc::clone(child, top.cast(), flags, ptr::from_mut(ready).cast())
    };
    assert!(
        pid > 0,
        "clone: {}{}",
        std::io::Error::last_os_error(),
        start.needs()
    );
    pid
}

extern "C" fn child(ready: *mut c_void) -> c_int {
    // SAFETY: it is what `clone` was given. Other threads of the parent are not here and may
    // have held any lock, so only system calls follow.
    unsafe {
        let ready = &*ready.cast::<Ready<'_>>();
        let report = ready.report.as_raw_fd();
        if ready.start.mode.is_pid_one() {
            mount_proc(report);
        }
        check(report, c"setsid", libc::setsid());
        check(report, c"chdir", libc::chdir(ready.start.folder.as_ptr()));
        arrange_descriptors(ready);
        reset_signals();
        for given in &ready.start.given {
            give(report, *given);
        }
        libc::execve(
            ready.start.path.as_ptr(),
            ready.argv.as_ptr(),
            ready.envp.as_ptr(),
        );
        check(report, c"execve", -1);
        1
    }
}

/// Reports the call that failed to the parent and ends.
unsafe fn check(report: RawFd, call: &CStr, result: c_int) {
    if result >= 0 {
        return;
    }
    // SAFETY: both strings live through the calls; errno has at most three digits, the last two will do.
    unsafe {
        let name = call.to_bytes();
        libc::write(report, name.as_ptr().cast(), name.len());
        let errno = (*libc::__errno_location()).cast_unsigned();
        let digit = |number: u32| b'0' + number.to_le_bytes()[0] % 10;
        let number = [b' ', digit(errno / 10 % 10), digit(errno % 10)];
        libc::write(report, number.as_ptr().cast(), number.len());
        libc::_exit(1);
    }
}

unsafe fn mount_proc(report: RawFd) {
    // SAFETY: every string is a constant.
    unsafe {
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        let root = libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), flags, ptr::null());
        check(report, c"mount /", root);
        let (name, target) = (c"proc".as_ptr(), c"/proc".as_ptr());
        let proc = libc::mount(name, target, name, 0, ptr::null());
        check(report, c"mount /proc", proc);
    }
}

unsafe fn arrange_descriptors(ready: &Ready<'_>) {
    let report = ready.report.as_raw_fd();
    // SAFETY: these calls touch no memory.
    unsafe {
        for number in 0..3 {
            libc::close(number);
        }
        let marked = libc::syscall(libc::SYS_close_range, 3, !0u32, libc::CLOSE_RANGE_CLOEXEC);
        check(report, c"close_range", -c_int::from(marked < 0));
        for (source, target) in &ready.sources {
            check(report, c"dup2", libc::dup2(source.as_raw_fd(), *target));
        }
    }
}

/// The test's own dispositions (std ignores SIGPIPE) and mask are no part of a test.
unsafe fn reset_signals() {
    // SAFETY: all zeroes is a value of these C structures; the pointers live through the calls.
    unsafe {
        // The kernel's own structure, all zeroes: the C library refuses 32 and 33.
        let default = [0u64; 4];
        for number in 1..=64 {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                default.as_ptr(),
                ptr::null::<u64>(),
                8,
            );
        }
    }
    change_mask(libc::SIG_SETMASK, 0);
}

unsafe fn give(report: RawFd, given: Given) {
    // SAFETY: the pointers live through the calls.
    unsafe {
        let result = match given {
            Given::Blocked(number) => block(number),
            Given::Pending(number) => block(number).min(libc::kill(libc::getpid(), number)),
            Given::Ignored(number) => {
                libc::signal(number, libc::SIG_IGN);
                0
            }
            Given::Limit(resource, soft, hard) => limit(resource, soft, hard),
            Given::Umask(mask) => {
                libc::umask(mask);
                0
            }
            Given::Subreaper => libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1),
            Given::DeathSignal(number) => libc::prctl(libc::PR_SET_PDEATHSIG, number),
            Given::NoProc => cover(c"/proc"),
            Given::OuterProc => libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH),
            Given::NoEtc => cover(c"/etc"),
            Given::Accounts => bind(c"passwd", c"/etc/passwd").min(bind(c"group", c"/etc/group")),
            Given::Undumpable => libc::prctl(libc::PR_SET_DUMPABLE, 0),
            Given::Terminal => libc::ioctl(0, libc::TIOCSCTTY, 0),
        };
        check(report, c"a preparation", result);
    }
}

fn block(number: c_int) -> c_int {
    change_mask(libc::SIG_BLOCK, 1 << (number - 1))
}

/// Nothing is left there.
unsafe fn cover(folder: &CStr) -> c_int {
    // SAFETY: every string lives through the call.
    unsafe {
        let name = c"tmpfs".as_ptr();
        libc::mount(name, folder.as_ptr(), name, 0, ptr::null())
    }
}

unsafe fn bind(source: &CStr, target: &CStr) -> c_int {
    let (source, target) = (source.as_ptr(), target.as_ptr());
    // SAFETY: every string lives through the call.
    unsafe { libc::mount(source, target, ptr::null(), libc::MS_BIND, ptr::null()) }
}
