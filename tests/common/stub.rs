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

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};

mod actions;

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
    fn then(mut self, action: &str, arguments: &[String]) -> Self {
        self.words.push(action.replace('_', "-"));
        self.words.extend_from_slice(arguments);
        self
    }

    /// Blocks signals, appends `ready` to a file, waits for one of them and appends its number.
    pub fn wait_for_signal(self, file: &str, signal: impl Signals + Copy) -> Self {
        self.record_signals(file, signal, signal)
    }

    /// Blocks signals, appends `ready` to a file, then the number of each one that comes, until
    /// one of `last` comes.
    pub fn record_signals(self, file: &str, which: impl Signals, last: impl Signals) -> Self {
        self.then(
            "record_signals",
            &[file.to_owned(), which.list(), last.list()],
        )
    }

    /// The same without an end.
    pub fn record_signals_forever(self, file: &str, which: impl Signals) -> Self {
        self.then(
            "record_signals",
            &[file.to_owned(), which.list(), "none".to_owned()],
        )
    }

    /// Ignores signals from here on.
    pub fn ignore_signals(self, which: impl Signals) -> Self {
        self.then("ignore_signals", &[which.list()])
    }

    /// Forks a child that does this, and goes on.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a stub is made where it is used"
    )]
    pub fn child(self, child: Stub) -> Self {
        let length = child.words.len().to_string();
        self.then("child", &[&[length], &child.words[..]].concat())
    }

    /// Sets its command name to these bytes.
    pub fn set_name(self, name: &[u8]) -> Self {
        let hex = name.iter().map(|byte| format!("{byte:02x}"));
        self.then("set_name", &[hex.collect()])
    }

    /// Executes a program.
    pub fn exec(self, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        self.then("exec", &words)
    }

    /// Its command line, word by word.
    pub fn words(&self) -> Vec<String> {
        let program = std::iter::once("./stub".to_owned());
        program.chain(self.words.iter().cloned()).collect()
    }
}

/// A method for each action whose arguments are words as they are.
macro_rules! actions {
    ($($(#[$doc:meta])+ $action:ident($($argument:ident: $kind:ty),*);)+) => {
        impl Stub {
            $($(#[$doc])+
            pub fn $action(self $(, $argument: $kind)*) -> Self {
                self.then(stringify!($action), &[$($argument.to_string()),*])
            })+
        }
    };
}
actions! {
    /// Appends a line to a file.
    append(file: &str, line: impl Display);
    /// Appends its process id to a file, as a line.
    append_pid(file: &str);
    /// Writes a line to standard output.
    print(line: impl Display);
    /// Writes a line to standard error.
    eprint(line: impl Display);
    /// Writes what it sees of itself to a file, for [`super::Place::report`].
    report(file: &str);
    /// Waits until a file is there.
    wait_for(file: &str);
    /// Waits for a signal that ends it.
    wait_forever();
    /// Blocks a signal, appends `ready` to a file, then the value that comes with the signal.
    record_signal_value(file: &str, signal: i32);
    /// Exits.
    exit(code: i32);
    /// Dies of a signal.
    die_of(signal: i32);
    /// Stops itself, until it gets SIGCONT.
    stop_itself();
    /// Begins a session.
    new_session();
    /// Begins a process group.
    new_group();
    /// Begins a process group and makes it the terminal's foreground group.
    take_foreground();
    /// Has a child begin a process group, and moves into it.
    move_to_group_of_a_child();
    /// Goes on in a child and exits, so that the child is an orphan.
    detach();
    /// Has a child that exits and is never waited for.
    leave_zombie();
    /// Leaves orphans behind, appends `ready` to `FILE.ready`, and ends all of them at once when the file
    /// is there.
    leave_orphans(count: u32, file: &str);
    /// Executes itself without any environment, and goes on.
    drop_environment();
    /// Becomes a user who may start no further process; root has no such limit.
    become_user_who_may_not_fork();
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

impl CommandLine for &Stub {
    fn command_line(self) -> Vec<OsString> {
        (&self.words()).command_line()
    }
}

impl CommandLine for Stub {
    fn command_line(self) -> Vec<OsString> {
        (&self).command_line()
    }
}
