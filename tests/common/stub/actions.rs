//! What a stub's process does with its command line.
#![allow(
    unsafe_code,
    reason = "a constructor, and system calls whose wrappers know no real-time signals"
)]

use std::collections::VecDeque;
use std::ffi::{CString, OsString};
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use super::Stub;
use crate::common::processes::{change_mask, limit};
use crate::common::{report, until};

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    let Ok(arguments) = std::fs::read("/proc/self/cmdline") else {
        return;
    };
    let mut words: Vec<Vec<u8>> = arguments
        .split(|&byte| byte == 0)
        .map(<[u8]>::to_vec)
        .collect();
    words.pop();
    if words.first().is_none_or(|name| !name.ends_with(b"/stub")) {
        return;
    }
    let words = words.into_iter().skip(1).map(OsString::from_vec);
    act_all(words.collect());
}

type Words = VecDeque<OsString>;

/// What an action does with its arguments, which it takes off the front.
type Action = fn(&mut Words);

fn argument<T: FromStr>(words: &mut Words) -> T {
    let word = words.pop_front().expect("another word");
    let value = word.to_string_lossy().parse().ok();
    value.unwrap_or_else(|| panic!("no argument of an action: {}", word.display()))
}

fn act_all(mut words: Words) -> ! {
    while let Some(word) = words.pop_front() {
        let name = word.to_string_lossy().replace('-', "_");
        let action = ACTIONS.iter().find(|(action, _)| *action == name);
        let (_, act) = action.unwrap_or_else(|| panic!("the stub knows no action {name:?}"));
        act(&mut words);
    }
    exit(0);
}

/// Makes of each action a method of [`Stub`], and what the stub's process does.
macro_rules! actions {
    (|$words:ident| $($(#[$doc:meta])+ $action:ident($($argument:ident: $kind:ty),*) $body:expr;)+) => {
        impl Stub {
            $($(#[$doc])+
            pub fn $action(self $(, $argument: impl Display)*) -> Self {
                self.then(stringify!($action).replace('_', "-")) $(.then($argument))*
            })+
        }
        const ACTIONS: &[(&str, Action)] = &[$((stringify!($action), |$words| {
            $(let $argument: $kind = argument($words);)*
            let _ = &$words;
            $body;
        })),+];
    };
}
actions! { |words|
    /// Appends a line to a file.
    append(file: PathBuf, line: String) append(&file, &line);
    /// Appends its process id to a file, as a line.
    append_pid(file: PathBuf) append(&file, &std::process::id().to_string());
    /// Writes a line to standard output.
    print(line: String) print(1, &line);
    /// Writes a line to standard error.
    eprint(line: String) print(2, &line);
    /// Writes what it sees of itself to a file, for [`crate::common::Place::report`].
    report(file: PathBuf) report::write(&file);
    /// Waits until a file is there.
    wait_for(file: PathBuf) until("a file", || file.exists());
    /// Waits for a signal that ends it.
    wait_forever() wait_forever();
    /// Blocks signals, appends `ready` to a file, then the number of each one that comes, until
    /// one of `last` comes.
    record_signals(file: PathBuf, which: Signals, last: Signals) record_signals(&file, which.0, last.0);
    /// Blocks a signal, appends `ready` to a file, then the value that comes with the signal.
    record_signal_value(file: PathBuf, signal: i32) record_signal_value(&file, signal);
    /// Ignores signals from here on.
    ignore_signals(which: Signals) ignore(which.0);
    /// Exits.
    exit(code: i32) exit(code);
    /// Dies of a signal.
    die_of(signal: i32) die(signal);
    /// Stops itself, until it gets SIGCONT.
    stop_itself() raise(libc::SIGSTOP);
    // SAFETY: these touch no memory.
    /// Begins a session.
    new_session() unsafe { libc::setsid() };
    /// Begins a process group.
    new_group() unsafe { libc::setpgid(0, 0) };
    /// Begins a process group and makes it the terminal's foreground group.
    take_foreground() unsafe {
        libc::setpgid(0, 0);
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        libc::tcsetpgrp(0, libc::getpid());
    };
    /// Has a child begin a process group, and moves into it.
    move_to_group_of_a_child() {
        let leader = fork();
        if leader == 0 {
            wait_forever();
        }
        unsafe {
            libc::setpgid(leader, leader);
            libc::setpgid(0, leader);
        }
    };
    /// Forks a child that does so many of the next words.
    child_of(count: usize) {
        let own = words.drain(..count).collect();
        if fork() == 0 {
            act_all(own);
        }
    };
    /// Goes on in a child and exits, so that the child is an orphan.
    detach() if fork() != 0 {
        exit(0);
    };
    /// Has a child that exits and is never waited for.
    leave_zombie() leave_zombie();
    /// Leaves orphans behind, appends `ready` to `FILE.ready`, and ends all of them at once when the file
    /// is there.
    leave_orphans(count: u32, file: PathBuf) leave_orphans(count, &file);
    /// Sets its command name to bytes, in hexadecimal.
    set_name(hex: String) set_name(&hex);
    /// Executes itself without any environment, and goes on.
    drop_environment() panic!("{}", Command::new("./stub").args(&*words).env_clear().exec());
    /// Executes the next words.
    exec_rest() {
        let program: OsString = words.pop_front().expect("a program");
        panic!("{}: {}", program.display(), Command::new(&program).args(&*words).exec());
    };
    /// Becomes a user who may start no further process; root has no such limit.
    become_user_who_may_not_fork() {
        unsafe {
            libc::setgid(54321);
            libc::setuid(54321);
        }
        limit(libc::RLIMIT_NPROC, 0, 0);
    };
}

fn exit(code: i32) -> ! {
    // SAFETY: nothing is buffered.
    unsafe { libc::_exit(code) }
}

fn set_name(hex: &str) {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    let name: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let name = CString::new(name).expect("a name");
    // SAFETY: the string lives through the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

fn fork() -> i32 {
    // SAFETY: one thread, nothing buffered.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    pid
}

/// Appends a line in one write. A new file appears with its first line in it, so that whoever
/// waits for the file finds the line.
fn append(file: &Path, line: &str) {
    let bytes = format!("{line}\n");
    if !file.exists() {
        let name = format!(".append.{}", std::process::id());
        let new = file.with_file_name(name);
        std::fs::write(&new, &bytes).expect("a file");
        let made = std::fs::hard_link(&new, file);
        std::fs::remove_file(&new).expect("its first name");
        if made.is_ok() {
            return;
        }
    }
    let mut file = OpenOptions::new().append(true).open(file).expect("a file");
    file.write_all(bytes.as_bytes()).expect("a line");
}

fn print(fd: i32, line: &str) {
    let bytes = format!("{line}\n");
    // SAFETY: pointer and length are of one live text.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

/// The kernel's 64 bits, from `15,2`, `all` or `none`.
struct Signals(u64);

impl FromStr for Signals {
    type Err = std::num::ParseIntError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        match list {
            "all" => Ok(Self(!0)),
            "none" => Ok(Self(0)),
            list => list.split(',').try_fold(Self(0), |Self(bits), number| {
                Ok(Self(bits | 1 << (number.parse::<u32>()? - 1)))
            }),
        }
    }
}

/// Waits for one of these signals.
fn next_signal(signals: u64) -> libc::siginfo_t {
    loop {
        // SAFETY: all zeroes is a value of this structure, and the pointers live through the call.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let for_ever = std::ptr::null::<u8>();
            let (set, seen) = (&raw const signals, &raw mut info);
            if libc::syscall(libc::SYS_rt_sigtimedwait, set, seen, for_ever, 8) > 0 {
                return info;
            }
        }
    }
}

fn record_signals(file: &Path, heard: u64, last: u64) {
    change_mask(libc::SIG_BLOCK, heard);
    append(file, "ready");
    loop {
        let number = next_signal(heard).si_signo;
        append(file, &number.to_string());
        if last & (1 << (number - 1)) != 0 {
            return;
        }
    }
}

fn record_signal_value(file: &Path, number: i32) {
    let signal = 1 << (number - 1);
    change_mask(libc::SIG_BLOCK, signal);
    append(file, "ready");
    // SAFETY: a queued signal has a value.
    let value = unsafe { next_signal(signal).si_value().sival_ptr } as usize;
    append(file, &value.to_string());
}

fn wait_forever() -> ! {
    loop {
        // SAFETY: pause(2) touches no memory.
        unsafe { libc::pause() };
    }
}

fn leave_zombie() {
    let child = fork();
    if child == 0 {
        exit(0);
    }
    // SAFETY: all zeroes is a value of this structure, whose pointer lives through the call.
    // WNOWAIT leaves the zombie.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT;
        libc::waitid(libc::P_PID, child.cast_unsigned(), &raw mut info, flags);
    }
}

/// They hold the reading end of a pipe that ends for all of them at once.
fn leave_orphans(count: u32, file: &Path) {
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
    append(&file.with_extension("ready"), "ready");
    until("a file", || file.exists());
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
    // SAFETY: a constant disposition.
    unsafe { libc::signal(number, libc::SIG_DFL) };
    limit(libc::RLIMIT_CORE, 0, 0);
    change_mask(libc::SIG_UNBLOCK, 1 << (number - 1));
    raise(number);
}
