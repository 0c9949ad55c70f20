//! Starting a process in an exactly known state, in a new PID namespace or not: after fork(2), system
//! calls only, then execvpe(3).
#![allow(
    unsafe_code,
    reason = "std's Command can neither make PID 1 nor leave a stream closed"
)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use libc::{c_char, c_int};
use nix::fcntl::{FcntlArg, fcntl};

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
    pub argv: Vec<CString>,
    pub environment: Vec<CString>,
    pub folder: CString,
    /// Which descriptor each number is a copy of; every other is closed.
    pub descriptors: Vec<(OwnedFd, RawFd)>,
    pub given: Vec<Given>,
}

/// Sources are moved up here, out of the way of their targets.
const ABOVE: RawFd = 500;

/// What a test as PID 1 may lack.
const NEEDS: &str = "\nA test as PID 1 needs root (CAP_SYS_ADMIN), a kernel that allows PID and mount namespaces, \
    and / as a mount point: in a chroot, `mount --bind ROOT ROOT` before";

impl Start {
    /// Starts it and returns its process id, as this process sees it, once it executes.
    #[allow(clippy::zombie_processes, reason = "a Run waits for it")]
    pub fn spawn(mut self) -> i32 {
        let is_pid_one = self.mode.is_pid_one();
        // Elsewhere it would mount over this machine's own files.
        let mounts = self.given.iter().find(|given| given.mounts());
        assert!(mounts.is_none() || is_pid_one, "{mounts:?} is for a PID 1");
        for (fd, _) in &mut self.descriptors {
            let above = fcntl(&*fd, FcntlArg::F_DUPFD_CLOEXEC(ABOVE)).expect("a descriptor");
            // SAFETY: the kernel just made it.
            *fd = unsafe { OwnedFd::from_raw_fd(above) };
        }
        let program = self.argv[0].clone();
        let mut command = Command::new("what execvpe replaces");
        // SAFETY: in the child, system calls follow and glibc's malloc, which fork(2) leaves usable.
        unsafe { command.pre_exec(move || self.execute()) };
        let own = File::open("/proc/self/ns/pid").expect("a namespace");
        // SAFETY: these calls touch no memory. The namespace counts for the children of this thread.
        let child = unsafe {
            if is_pid_one {
                let child = check(libc::unshare(libc::CLONE_NEWPID)).and_then(|()| command.spawn());
                let back = libc::setns(own.as_raw_fd(), libc::CLONE_NEWPID);
                check(back).expect("the namespace of before");
                child
            } else {
                command.spawn()
            }
        };
        let needs = if is_pid_one { NEEDS } else { "" };
        let child =
            child.unwrap_or_else(|error| panic!("{program:?} does not start: {error} {needs}"));
        child.id().cast_signed()
    }

    /// In the child; returns only where it fails.
    fn execute(&self) -> Result<()> {
        let [argv, envp] = [&self.argv, &self.environment].map(|strings| {
            let strings = strings.iter().map(|string| string.as_ptr());
            strings.chain([ptr::null()]).collect::<Vec<*const c_char>>()
        });
        // SAFETY: every pointer lives through its call.
        unsafe {
            if self.mode.is_pid_one() {
                mount_proc()?;
            }
            check(libc::setsid())?;
            check(libc::chdir(self.folder.as_ptr()))?;
            self.arrange_descriptors()?;
            reset_signals();
            for given in &self.given {
                check(give(*given))?;
            }
            check(libc::execvpe(argv[0], argv.as_ptr(), envp.as_ptr()))
        }
    }

    fn arrange_descriptors(&self) -> Result<()> {
        // SAFETY: these calls touch no memory.
        unsafe {
            for number in 0..3 {
                libc::close(number);
            }
            let marked = libc::syscall(libc::SYS_close_range, 3, !0u32, libc::CLOSE_RANGE_CLOEXEC);
            check(-c_int::from(marked < 0))?;
            for (source, target) in &self.descriptors {
                check(libc::dup2(source.as_raw_fd(), *target))?;
            }
        }
        Ok(())
    }
}

fn check(result: c_int) -> Result<()> {
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

unsafe fn mount_proc() -> Result<()> {
    // SAFETY: every string is a constant.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS))?;
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        check(libc::mount(
            ptr::null(),
            c"/".as_ptr(),
            ptr::null(),
            flags,
            ptr::null(),
        ))?;
        let (name, target) = (c"proc".as_ptr(), c"/proc".as_ptr());
        check(libc::mount(name, target, name, 0, ptr::null()))
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

unsafe fn give(given: Given) -> c_int {
    // SAFETY: the pointers live through the calls.
    unsafe {
        match given {
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
        }
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
