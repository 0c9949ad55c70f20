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

    /// Stops itself, until it gets SIGCONT.
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
