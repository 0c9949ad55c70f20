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

/// All signals that can be blocked, for an action that takes signals.
pub const ALL: &str = "all";

/// No signal.
pub const NONE: &str = "none";

/// Several signals.
pub fn signals(numbers: &[i32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(",")
}

impl Stub {
    fn then(mut self, word: impl Display) -> Self {
        self.words.push(word.to_string());
        self
    }

    fn then_all(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Blocks signals, appends `ready` to a file, waits for one of them and appends its number.
    pub fn wait_for_signal(self, file: &str, signal: impl Display) -> Self {
        self.record_signals(file, &signal, &signal)
    }

    /// Forks a child that does this, and goes on.
    pub fn child(self, child: Stub) -> Self {
        self.child_of(child.words.len()).then_all(child.words)
    }

    /// Executes a program.
    pub fn exec(self, words: &[&str]) -> Self {
        self.exec_rest().then_all(words.iter().copied())
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

impl IntoIterator for Stub {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.words().into_iter()
    }
}

impl IntoIterator for &Stub {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.words().into_iter()
    }
}
