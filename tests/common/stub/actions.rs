//! What a stub's process does with its command line.
#![allow(
    unsafe_code,
    reason = "a constructor, and system calls whose wrappers know no real-time signals"
)]

use std::collections::VecDeque;
use std::ffi::{CString, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::common::processes::{change_mask, limit};
use crate::common::wait_until;

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
    Actions {
        words: words.collect(),
    }
    .act_all();
}

fn exit(code: i32) -> ! {
    // SAFETY: nothing is buffered.
    unsafe { libc::_exit(code) }
}

struct Actions {
    words: VecDeque<OsString>,
}

impl Actions {
    fn word(&mut self) -> OsString {
        self.words.pop_front().expect("another word")
    }

    fn text(&mut self) -> String {
        self.word().into_string().expect("text")
    }

    fn number(&mut self) -> i32 {
        self.text().parse().expect("a number")
    }

    fn act_all(&mut self) -> ! {
        while let Some(action) = self.words.pop_front() {
            self.act(&action.to_string_lossy());
        }
        exit(0);
    }

    fn act(&mut self, action: &str) {
        match action {
            "append" => {
                let (file, line) = (self.word(), self.word());
                append(Path::new(&file), line.as_bytes());
            }
            "append-pid" => {
                let pid = std::process::id().to_string();
                append(Path::new(&self.word()), pid.as_bytes());
            }
            "print" => print(1, self.word().as_bytes()),
            "eprint" => print(2, self.word().as_bytes()),
            "report" => crate::common::report::write(Path::new(&self.word())),
            "wait-for" => {
                let file = self.word();
                wait_until("a file", || Path::new(&file).exists().then_some(()));
            }
            "wait-forever" => wait_forever(),
            "record-signals" => {
                let (file, which, last) = (self.word(), self.text(), self.text());
                record_signals(Path::new(&file), mask(&which), mask(&last));
            }
            "record-signal-value" => {
                let (file, number) = (self.word(), self.number());
                record_signal_value(Path::new(&file), number);
            }
            "ignore-signals" => ignore(mask(&self.text())),
            "exit" => exit(self.number()),
            "die-of" => die(self.number()),
            "stop-itself" => raise(libc::SIGSTOP),
            _ => self.act_on_processes(action),
        }
    }

    fn act_on_processes(&mut self, action: &str) {
        match action {
            "child" => {
                let length = usize::try_from(self.number()).expect("a length");
                let words = self.words.drain(..length).collect();
                if fork() == 0 {
                    Self { words }.act_all();
                }
            }
            "detach" => {
                if fork() != 0 {
                    exit(0);
                }
            }
            "leave-zombie" => leave_zombie(),
            "leave-orphans" => {
                let (count, file) = (self.number(), self.word());
                leave_orphans(count, Path::new(&file));
            }
            // SAFETY: these touch no memory.
            "new-session" => drop(unsafe { libc::setsid() }),
            "new-group" => drop(unsafe { libc::setpgid(0, 0) }),
            // SAFETY: these touch no memory.
            "take-foreground" => unsafe {
                libc::setpgid(0, 0);
                libc::signal(libc::SIGTTOU, libc::SIG_IGN);
                libc::tcsetpgrp(0, libc::getpid());
            },
            "move-to-group-of-a-child" => {
                let leader = fork();
                if leader == 0 {
                    wait_forever();
                }
                // SAFETY: these touch no memory.
                unsafe {
                    libc::setpgid(leader, leader);
                    libc::setpgid(0, leader);
                }
            }
            "become-user-who-may-not-fork" => {
                // SAFETY: these touch no memory.
                unsafe {
                    libc::setgid(54321);
                    libc::setuid(54321);
                }
                limit(libc::RLIMIT_NPROC, 0, 0);
            }
            "set-name" => {
                let hex = self.text();
                let bytes: Vec<u8> = (0..hex.len() / 2)
                    .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
                    .collect();
                let name = CString::new(bytes).expect("a name");
                // SAFETY: the string lives through the call.
                unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
            }
            "drop-environment" => {
                let mut command = std::process::Command::new("./stub");
                let error = command.args(&self.words).env_clear().exec();
                panic!("{error}");
            }
            "exec" => {
                let program = self.word();
                let mut command = std::process::Command::new(&program);
                let error = command.args(&self.words).exec();
                panic!("{}: {error}", program.display());
            }
            other => panic!("the stub knows no action {other:?}"),
        }
    }
}

fn fork() -> i32 {
    // SAFETY: one thread, nothing buffered.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    pid
}

/// Appends a line in one write. A new file appears with its first line in it, so that whoever
/// waits for the file finds the line.
fn append(file: &Path, text: &[u8]) {
    let mut bytes = text.to_vec();
    bytes.push(b'\n');
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
    file.write_all(&bytes).expect("a line");
}

fn print(fd: i32, text: &[u8]) {
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
    append(file, b"ready");
    loop {
        let number = next_signal(heard).si_signo;
        append(file, number.to_string().as_bytes());
        if last & (1 << (number - 1)) != 0 {
            return;
        }
    }
}

fn record_signal_value(file: &Path, number: i32) {
    let signal = 1 << (number - 1);
    change_mask(libc::SIG_BLOCK, signal);
    append(file, b"ready");
    // SAFETY: a queued signal has a value.
    let value = unsafe { next_signal(signal).si_value().sival_ptr } as usize;
    append(file, value.to_string().as_bytes());
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
fn leave_orphans(count: i32, file: &Path) {
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
    append(&file.with_extension("ready"), b"ready");
    wait_until("a file", || file.exists().then_some(()));
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
