//! Why a gate failed, and its exit code: the only table of exit codes.
//!
//! Pure data. `FailureKind::code` is one exhaustive match, so a new kind can't be forgotten. The
//! numbers come from `sysexits.h` (64 to 78), `timeout(1)` (124) and the POSIX shell (126, 127,
//! 128+n).

use std::borrow::Cow;
use std::fmt;

use crate::redact;
use crate::sys::signals::Stop;
use crate::sys::signals::signal_code;

/// What went wrong and what to do about it, written for the person on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    what: String,
    hint: String,
}

impl Problem {
    /// `what` is a lowercase sentence without a full stop; `hint` says what to do now.
    /// Passwords of URLs are hidden in both, since the value at fault may be a URL in the wrong place.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: redacted(what.into()),
            hint: redacted(hint.into()),
        }
    }

    /// What went wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do now.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

fn redacted(text: String) -> String {
    match redact::passwords(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.hint)
    }
}

/// Whether trying the same start again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Someone has to change something first.
    No,
    /// Nobody has to change anything.
    Yes,
    /// launchgate itself refuses when there were enough attempts.
    UpToMaxAttempts,
    /// Nobody knows.
    Unknown,
}

/// What keeps a gate closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A step failed, with its own exit code or 128+n.
    Step(u8),
    /// A flag, variable or file asks for something impossible; nothing was touched.
    Usage,
    /// The embedded migrator failed.
    Sql,
    /// The database could not be reached in time.
    Unreachable,
    /// A bug in launchgate.
    Bug,
    /// The operating system refused something before anything ran.
    System,
    /// The snapshot could not be made.
    Snapshot,
    /// Waiting took too long: lock, orphans, `wait`.
    TimedOut,
    /// The lock was lost while a step ran.
    LockLost,
    /// The ledger refuses: blocked, or out of attempts.
    Refused,
    /// The database refuses: password, privileges, standby, no such database, unsupported.
    Database,
    /// A step exceeded its time limit.
    StepTimeout,
    /// A step or the server exists but can't be executed.
    NotExecutable,
    /// A step or the server does not exist.
    NotFound,
    /// A signal stopped the gate.
    Stopped(Stop),
}

impl FailureKind {
    /// One of each, in the order of `docs/exit-codes.md`.
    pub const ALL: [Self; 15] = [
        Self::Step(1),
        Self::Usage,
        Self::Sql,
        Self::Unreachable,
        Self::Bug,
        Self::System,
        Self::Snapshot,
        Self::TimedOut,
        Self::LockLost,
        Self::Refused,
        Self::Database,
        Self::StepTimeout,
        Self::NotExecutable,
        Self::NotFound,
        Self::Stopped(Stop::TERM),
    ];

    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Sql => 65,
            Self::Unreachable => 69,
            Self::Bug => 70,
            Self::System => 71,
            Self::Snapshot => 73,
            Self::TimedOut => 75,
            Self::LockLost => 76,
            Self::Refused => 77,
            Self::Database => 78,
            Self::StepTimeout => 124,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
            Self::Step(code) => code,
            Self::Stopped(stop) => signal_code(stop.signal()),
        }
    }

    /// What the code means to someone who sees nothing else, and whether to try again.
    #[must_use]
    pub fn meaning(self) -> (&'static str, Again) {
        match self {
            Self::Step(_) => (
                "a step failed; 128+n if signal n ended it",
                Again::UpToMaxAttempts,
            ),
            Self::Usage => ("usage or configuration; nothing was touched", Again::No),
            Self::Sql => (
                "`--sql`: a migration failed, or an applied file was changed or is missing",
                Again::UpToMaxAttempts,
            ),
            Self::Unreachable => (
                "the database could not be reached within `--wait-timeout`",
                Again::Yes,
            ),
            Self::Bug => ("a bug in launchgate", Again::Unknown),
            Self::System => (
                "the system refused before anything ran: health address in use, no permission to switch users",
                Again::No,
            ),
            Self::Snapshot => (
                "the snapshot could not be made; nothing was migrated",
                Again::UpToMaxAttempts,
            ),
            Self::TimedOut => ("timed out: lock, orphans, `wait`", Again::Yes),
            Self::LockLost => ("the lock was lost while a step ran", Again::Yes),
            Self::Refused => ("refused: blocked, or out of attempts", Again::No),
            Self::Database => (
                "the database refused: password, privileges, standby, no such database, unsupported",
                Again::No,
            ),
            Self::StepTimeout => (
                "a step exceeded `--migrate-timeout`",
                Again::UpToMaxAttempts,
            ),
            Self::NotExecutable => ("a step or the server is not executable", Again::No),
            Self::NotFound => ("a step or the server was not found", Again::No),
            Self::Stopped(_) => ("signal n stopped the gate", Again::Yes),
        }
    }
}

/// Why a gate stays closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    problem: Problem,
}

impl Failure {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: FailureKind, problem: Problem) -> Self {
        Self { kind, problem }
    }

    /// A usage failure, the most common kind.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, Problem::new(what, hint))
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.kind.code()
    }

    /// What went wrong, and what to do.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Appends something else to do.
    pub fn add_hint(&mut self, more: &str) {
        self.problem.hint = redacted(format!("{}; {more}", self.problem.hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_one_sentence_with_its_remedy() {
        let failure = Failure::usage("`--app` is empty", "give it a name");
        assert_eq!(failure.code(), 64);
        assert_eq!(
            failure.problem().to_string(),
            "`--app` is empty; give it a name"
        );
    }
}
