//! The program that the tests have launchgate run, as step and as server.
//!
//! It is the test binary under the name `probe`: a function in `.init_array` sees that name and
//! never lets the test harness start. So no second program ships with the package, and the
//! Rust runtime, which would ignore SIGPIPE, never runs either: what the probe sees is what it
//! was given.
//!
//! Its arguments are a small program, done word by word:
//!
//! | words | what it does |
//! | --- | --- |
//! | `look FILE` | writes what it sees to FILE as JSON, see [`super::look`] |
//! | `note FILE TEXT`, `pid FILE` | appends a line |
//! | `say TEXT`, `err TEXT` | writes a line to standard output, standard error |
//! | `await FILE` | waits until FILE is there |
//! | `listen FILE SIGNALS LAST` | blocks SIGNALS (`15,2` or `all`), notes `ready`, then each one that comes, goes on after one of LAST |
//! | `ignore SIGNALS` | ignores them |
//! | `wait` | waits for ever |
//! | `exit CODE`, `die SIGNAL`, `stop` | exits, dies of it, stops itself |
//! | `fork … /` | a child does what stands before the `/`, the parent what follows |
//! | `session`, `group`, `orphan` | a new session, a new group, a fork whose parent exits |
//! | `front` | a new group, in the foreground of the terminal |
//! | `join` | moves into a new group that a child leads |
//! | `lonely` | becomes a user who may have no process more |
//! | `bare` | executes itself with no environment for the rest |
//! | `exec …` | executes the rest |
//! | `name HEX` | sets its command name |
//! | `value FILE SIGNAL` | blocks SIGNAL, notes `ready`, then the value that comes with it |
//! | `orphans N FILE` | leaves N processes without parent, which all end when FILE is there |
//! | `zombie` | a child that exits and is never waited for |
#![allow(
    unsafe_code,
    reason = "a constructor, and system calls whose wrappers know no real-time signals"
)]

use std::ffi::{CString, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

#[used]
#[unsafe(link_section = ".init_array")]
static PROBE: extern "C" fn() = probe;

extern "C" fn probe() {
    let Ok(arguments) = std::fs::read("/proc/self/cmdline") else {
        return;
    };
    let mut words: Vec<Vec<u8>> = arguments
        .split(|&byte| byte == 0)
        .map(<[u8]>::to_vec)
        .collect();
    words.pop();
    if words.first().is_none_or(|name| !name.ends_with(b"/probe")) {
        return;
    }
    let mut script = Script {
        words: words.into_iter().skip(1).map(OsString::from_vec).collect(),
    };
    while let Some(verb) = script.next() {
        script.act(&verb.to_string_lossy());
    }
    exit(0);
}

fn exit(code: i32) -> ! {
    // SAFETY: nothing is buffered.
    unsafe { libc::_exit(code) }
}

struct Script {
    words: std::collections::VecDeque<OsString>,
}

impl Script {
    fn next(&mut self) -> Option<OsString> {
        self.words.pop_front()
    }

    fn word(&mut self) -> OsString {
        self.next().expect("another word")
    }

    fn text(&mut self) -> String {
        self.word().into_string().expect("text")
    }

    fn number(&mut self) -> i32 {
        self.text().parse().expect("a number")
    }

    fn act(&mut self, verb: &str) {
        match verb {
            "look" => super::look::write(Path::new(&self.word())),
            "note" => {
                let (file, text) = (self.word(), self.word());
                note(Path::new(&file), text.as_bytes());
            }
            "pid" => note(
                Path::new(&self.word()),
                std::process::id().to_string().as_bytes(),
            ),
            "say" => line(1, self.word().as_bytes()),
            "err" => line(2, self.word().as_bytes()),
            "await" => {
                let file = self.word();
                super::wait_until("a file", || Path::new(&file).exists().then_some(()));
            }
            "listen" => {
                let (file, heard, last) = (self.word(), self.text(), self.text());
                listen(Path::new(&file), mask(&heard), mask(&last));
            }
            "ignore" => ignore(mask(&self.text())),
            "wait" => loop {
                // SAFETY: pause(2) touches no memory.
                unsafe { libc::pause() };
            },
            "exit" => exit(self.number()),
            "die" => die(self.number()),
            "stop" => raise(libc::SIGSTOP),
            _ => self.branch(verb),
        }
    }

    fn branch(&mut self, verb: &str) {
        match verb {
            "fork" => {
                let end = self.words.iter().position(|word| word == "/");
                let rest = self.words.split_off(end.expect("a / behind fork") + 1);
                if fork() != 0 {
                    self.words = rest;
                }
            }
            // The end of what a child does.
            "/" => exit(0),
            "orphan" => {
                if fork() != 0 {
                    exit(0);
                }
            }
            "zombie" => {
                let child = fork();
                if child == 0 {
                    exit(0);
                }
                // SAFETY: all zeroes is a value of this structure, whose pointer lives
                // through the call. WNOWAIT leaves the zombie.
                unsafe {
                    let mut info: libc::siginfo_t = std::mem::zeroed();
                    let flags = libc::WEXITED | libc::WNOWAIT;
                    libc::waitid(libc::P_PID, child.cast_unsigned(), &raw mut info, flags);
                }
            }
            "exec" => {
                let program = self.word();
                let error = std::process::Command::new(&program)
                    .args(&self.words)
                    .exec();
                panic!("{}: {error}", program.display());
            }
            // SAFETY: these touch no memory.
            "session" => drop(unsafe { libc::setsid() }),
            "group" => drop(unsafe { libc::setpgid(0, 0) }),
            // SAFETY: these touch no memory.
            "front" => unsafe {
                libc::setpgid(0, 0);
                libc::signal(libc::SIGTTOU, libc::SIG_IGN);
                libc::tcsetpgrp(0, libc::getpid());
            },
            "value" => {
                let (file, number) = (self.word(), self.number());
                value(Path::new(&file), number);
            }
            "orphans" => {
                let (count, file) = (self.number(), self.word());
                orphans(count, Path::new(&file));
            }
            "name" => {
                let hex = self.text();
                let bytes: Vec<u8> = (0..hex.len() / 2)
                    .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
                    .collect();
                let name = CString::new(bytes).expect("a name");
                // SAFETY: the string lives through the call.
                unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
            }
            // A child leads a new group, and this process goes there.
            "join" => {
                let leader = fork();
                if leader == 0 {
                    // SAFETY: pause(2) touches no memory.
                    unsafe { libc::pause() };
                    exit(0);
                }
                // SAFETY: these touch no memory.
                unsafe {
                    libc::setpgid(leader, leader);
                    libc::setpgid(0, leader);
                }
            }
            "lonely" => {
                let limit = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                // SAFETY: the pointer lives through the call. Root has no such limit.
                unsafe {
                    libc::setgid(54321);
                    libc::setuid(54321);
                    libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit);
                }
            }
            "bare" => {
                let error = std::process::Command::new("./probe")
                    .args(&self.words)
                    .env_clear()
                    .exec();
                panic!("{error}");
            }
            other => panic!("the probe knows no {other:?}"),
        }
    }
}

fn fork() -> i32 {
    // SAFETY: one thread, nothing buffered.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    pid
}

/// Appends a line in one write. A file that is not there yet comes with its line: who waits for
/// the one must find the other.
pub(super) fn note(file: &Path, text: &[u8]) {
    let mut bytes = text.to_vec();
    bytes.push(b'\n');
    if !file.exists() {
        let name = format!(".note.{}", std::process::id());
        let new = file.with_file_name(name);
        std::fs::write(&new, &bytes).expect("a file");
        let made = std::fs::hard_link(&new, file);
        std::fs::remove_file(&new).expect("its first name");
        if made.is_ok() {
            return;
        }
    }
    let mut file = OpenOptions::new().append(true).open(file).expect("a file");
    file.write_all(&bytes).expect("a note");
}

fn line(fd: i32, text: &[u8]) {
    let mut bytes = text.to_vec();
    bytes.push(b'\n');
    // SAFETY: pointer and length are of one live vector.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

/// `15,2`, `all` or `none`, as the kernel's 64 bits.
fn mask(list: &str) -> u64 {
    match list {
        "all" => !0,
        "none" => 0,
        list => list
            .split(',')
            .map(|number| 1 << (number.parse::<u32>().expect("a signal") - 1))
            .fold(0, |bits, bit: u64| bits | bit),
    }
}

fn listen(file: &Path, heard: u64, last: u64) {
    // SAFETY: the pointers live through the calls; eight bytes are the kernel's signal set.
    unsafe {
        let none = std::ptr::null_mut::<u64>();
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            &raw const heard,
            none,
            8,
        );
        note(file, b"ready");
        loop {
            let nothing = std::ptr::null_mut::<u8>();
            let number = libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const heard,
                nothing,
                nothing,
                8,
            );
            if number <= 0 {
                continue;
            }
            note(file, number.to_string().as_bytes());
            if last & (1 << (number - 1)) != 0 {
                return;
            }
        }
    }
}

fn value(file: &Path, number: i32) {
    let mask = 1u64 << (number - 1);
    // SAFETY: the pointers live through the calls; eight bytes are the kernel's signal set.
    unsafe {
        let none = std::ptr::null_mut::<u64>();
        let how = libc::SIG_BLOCK;
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask, none, 8);
        note(file, b"ready");
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const mask,
            &raw mut info,
            none,
            8,
        );
        let value = info.si_value().sival_ptr as usize;
        note(file, value.to_string().as_bytes());
    }
}

/// They hold the reading end of a pipe that ends for all of them at once.
fn orphans(count: i32, file: &Path) {
    let mut ends = [0; 2];
    // SAFETY: the pointers live through the calls.
    unsafe {
        libc::pipe(ends.as_mut_ptr());
        for _ in 0..count {
            let child = fork();
            if child == 0 {
                if fork() == 0 {
                    libc::close(ends[1]);
                    libc::read(ends[0], (&raw mut ends).cast(), 1);
                }
                exit(0);
            }
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
    }
    note(&file.with_extension("ready"), b"ready");
    super::wait_until("a file", || file.exists().then_some(()));
    // SAFETY: it is this function's own.
    unsafe { libc::close(ends[1]) };
}

fn ignore(signals: u64) {
    for number in (1..=64).filter(|n| signals & (1 << (n - 1)) != 0) {
        // SAFETY: a constant disposition.
        unsafe { libc::signal(number, libc::SIG_IGN) };
    }
}

fn raise(number: i32) {
    // SAFETY: these touch no memory.
    unsafe { libc::kill(libc::getpid(), number) };
}

fn die(number: i32) {
    let mask = 1u64 << (number - 1);
    // SAFETY: the pointer lives through the call.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        let limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const limit);
        let none = std::ptr::null_mut::<u64>();
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_UNBLOCK,
            &raw const mask,
            none,
            8,
        );
    }
    raise(number);
}
