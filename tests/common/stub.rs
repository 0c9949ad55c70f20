//! The program that the tests have launchgate run, as step and as server.
//!
//! A test says with a [`Stub`] what it does, action by action:
//!
//! ```ignore
//! let step = migrate(stub().append("order", "step").wait_for("go").exit(3));
//! place.gate(mode, &[step]).server(stub().append("order", "server"));
//! ```
//!
//! On a command line the same is `./stub append order step wait-for go exit 3`: each action is the
//! name of its method, with dashes, and its arguments. Shell scripts and settings files in the
//! tests write it that way. What follows the last action, behind `exit` above all, is not read.
//!
//! `./stub` is the test binary itself: a function in `.init_array` sees the name that it was
//! started by and never lets the test harness start. So no second program ships with the
//! package, and the Rust runtime, which would ignore SIGPIPE, never runs either: the stub has
//! exactly what it was given.
#![allow(
    unsafe_code,
    reason = "a constructor, and system calls whose wrappers know no real-time signals"
)]

use std::collections::VecDeque;
use std::ffi::{CString, OsStr, OsString};
use std::fmt::{self, Display};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

/// What a stub does, in order; after the last action it exits with 0.
#[derive(Debug, Clone, Default)]
pub struct Stub {
    words: Vec<String>,
}

/// A stub that does nothing yet.
pub fn stub() -> Stub {
    Stub::default()
}

/// `--backup` with a stub as its command.
pub fn backup(stub: Stub) -> &'static str {
    flag("backup", stub)
}

/// `--migrate` with a stub as its command.
pub fn migrate(stub: Stub) -> &'static str {
    flag("migrate", stub)
}

/// `--verify` with a stub as its command.
pub fn verify(stub: Stub) -> &'static str {
    flag("verify", stub)
}

/// A flag with a stub as its command. It lives as long as the test's process, so that it can
/// stand beside literals.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a stub is made where it is used"
)]
pub fn flag(name: &str, stub: Stub) -> &'static str {
    format!("--{name}={stub}").leak()
}

/// Signals, as numbers: one, several, [`ALL`].
pub trait Signals {
    fn list(self) -> String;
}

/// All signals that can be blocked.
pub const ALL: Every = Every;

/// See [`ALL`].
#[derive(Debug, Clone, Copy)]
pub struct Every;

impl Signals for Every {
    fn list(self) -> String {
        "all".to_owned()
    }
}

impl Signals for i32 {
    fn list(self) -> String {
        self.to_string()
    }
}

impl<const N: usize> Signals for [i32; N] {
    fn list(self) -> String {
        self.map(|number| number.to_string()).join(",")
    }
}

impl Stub {
    fn then<W: Display>(mut self, action: &str, arguments: impl IntoIterator<Item = W>) -> Self {
        self.words.push(action.to_owned());
        let arguments = arguments.into_iter();
        self.words.extend(arguments.map(|word| word.to_string()));
        self
    }

    fn does(self, action: &str) -> Self {
        self.then(action, [""; 0])
    }

    /// Appends a line to a file.
    pub fn append(self, file: &str, line: impl Display) -> Self {
        self.then("append", [file.to_owned(), line.to_string()])
    }

    /// Appends its process id to a file, as a line.
    pub fn append_pid(self, file: &str) -> Self {
        self.then("append-pid", [file])
    }

    /// Writes a line to standard output.
    pub fn print(self, line: impl Display) -> Self {
        self.then("print", [line])
    }

    /// Writes a line to standard error.
    pub fn eprint(self, line: impl Display) -> Self {
        self.then("eprint", [line])
    }

    /// Writes what it sees of itself to a file, for [`super::Place::report`].
    pub fn report(self, file: &str) -> Self {
        self.then("report", [file])
    }

    /// Waits until a file is there.
    pub fn wait_for(self, file: &str) -> Self {
        self.then("wait-for", [file])
    }

    /// Waits for a signal that ends it.
    pub fn wait_forever(self) -> Self {
        self.does("wait-forever")
    }

    /// Blocks signals, appends `ready` to a file, waits for one of them and appends its number.
    pub fn wait_for_signal(self, file: &str, signal: impl Signals + Copy) -> Self {
        self.record_signals(file, signal, signal)
    }

    /// Blocks signals, appends `ready` to a file, then the number of each one that comes, until
    /// one of `last` comes.
    pub fn record_signals(self, file: &str, which: impl Signals, last: impl Signals) -> Self {
        self.then("record-signals", [file, &which.list(), &last.list()])
    }

    /// The same without an end.
    pub fn record_signals_forever(self, file: &str, which: impl Signals) -> Self {
        self.then("record-signals", [file, &which.list(), "none"])
    }

    /// Blocks a signal, appends `ready` to a file, then the value that comes with the signal.
    pub fn record_signal_value(self, file: &str, signal: i32) -> Self {
        self.then("record-signal-value", [file, &signal.to_string()])
    }

    /// Ignores signals from here on.
    pub fn ignore_signals(self, which: impl Signals) -> Self {
        self.then("ignore-signals", [which.list()])
    }

    /// Exits.
    pub fn exit(self, code: i32) -> Self {
        self.then("exit", [code])
    }

    /// Dies of a signal.
    pub fn die_of(self, signal: i32) -> Self {
        self.then("die-of", [signal])
    }

    /// Stops itself, until somebody continues it.
    pub fn stop_itself(self) -> Self {
        self.does("stop-itself")
    }

    /// Forks a child that does this, and goes on.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a stub is made where it is used"
    )]
    pub fn child(mut self, child: Stub) -> Self {
        self = self.then("child", [child.words.len()]);
        self.words.extend(child.words);
        self
    }

    /// Begins a session.
    pub fn new_session(self) -> Self {
        self.does("new-session")
    }

    /// Begins a process group.
    pub fn new_group(self) -> Self {
        self.does("new-group")
    }

    /// Begins a process group and makes it the terminal's foreground group.
    pub fn take_foreground(self) -> Self {
        self.does("take-foreground")
    }

    /// Has a child begin a process group, and moves into it.
    pub fn move_to_group_of_a_child(self) -> Self {
        self.does("move-to-group-of-a-child")
    }

    /// Goes on in a child and exits, so that the child is an orphan.
    pub fn detach(self) -> Self {
        self.does("detach")
    }

    /// Has a child that exits and is never waited for.
    pub fn leave_zombie(self) -> Self {
        self.does("leave-zombie")
    }

    /// Leaves orphans behind, appends `ready` to `FILE.ready`, and ends all of them at once when
    /// the file is there.
    pub fn leave_orphans(self, count: u32, file: &str) -> Self {
        self.then("leave-orphans", [&count.to_string(), file])
    }

    /// Executes itself without any environment, and goes on.
    pub fn drop_environment(self) -> Self {
        self.does("drop-environment")
    }

    /// Becomes a user who may start no further process; root has no such limit.
    pub fn become_user_who_may_not_fork(self) -> Self {
        self.does("become-user-who-may-not-fork")
    }

    /// Sets its command name to these bytes.
    pub fn set_name(self, name: &[u8]) -> Self {
        let hex = name.iter().map(|byte| format!("{byte:02x}"));
        self.then("set-name", [hex.collect::<String>()])
    }

    /// Executes a program.
    pub fn exec(self, words: &[&str]) -> Self {
        self.then("exec", words)
    }

    /// Its command line, word by word.
    pub fn words(&self) -> Vec<String> {
        let program = std::iter::once("./stub".to_owned());
        program.chain(self.words.iter().cloned()).collect()
    }
}

/// Its command line as text, quoted for a POSIX shell.
impl Display for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        let words = words.iter().map(String::as_str);
        f.write_str(&shlex::try_join(words).expect("no NUL"))
    }
}

/// A command line: words, or a stub.
pub trait CommandLine {
    fn command_line(self) -> Vec<OsString>;
}

impl<W: AsRef<OsStr>> CommandLine for &[W] {
    fn command_line(self) -> Vec<OsString> {
        self.iter().map(|word| word.as_ref().to_owned()).collect()
    }
}

impl<W: AsRef<OsStr>, const N: usize> CommandLine for &[W; N] {
    fn command_line(self) -> Vec<OsString> {
        self.as_slice().command_line()
    }
}

impl<W: AsRef<OsStr>> CommandLine for &Vec<W> {
    fn command_line(self) -> Vec<OsString> {
        self.as_slice().command_line()
    }
}

impl CommandLine for Stub {
    fn command_line(self) -> Vec<OsString> {
        (&self).command_line()
    }
}

impl CommandLine for &Stub {
    fn command_line(self) -> Vec<OsString> {
        self.words().into_iter().map(OsString::from).collect()
    }
}

// --- the stub's own process, which sees its command line and nothing of the above --------------

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
            "report" => super::report::write(Path::new(&self.word())),
            "wait-for" => {
                let file = self.word();
                super::wait_until("a file", || Path::new(&file).exists().then_some(()));
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
                let limit = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                // SAFETY: the pointer lives through the call.
                unsafe {
                    libc::setgid(54321);
                    libc::setuid(54321);
                    libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit);
                }
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

fn record_signals(file: &Path, heard: u64, last: u64) {
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
        append(file, b"ready");
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
            append(file, number.to_string().as_bytes());
            if last & (1 << (number - 1)) != 0 {
                return;
            }
        }
    }
}

fn record_signal_value(file: &Path, number: i32) {
    let mask = 1u64 << (number - 1);
    // SAFETY: the pointers live through the calls; eight bytes are the kernel's signal set.
    unsafe {
        let none = std::ptr::null_mut::<u64>();
        let how = libc::SIG_BLOCK;
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask, none, 8);
        append(file, b"ready");
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const mask,
            &raw mut info,
            none,
            8,
        );
        let value = info.si_value().sival_ptr as usize;
        append(file, value.to_string().as_bytes());
    }
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
