//! Why a gate ends, and the exit code that says so: the one table of exit codes.
//!
//! Pure data. `Failure` to code is one exhaustive match, so a new failure cannot be
//! forgotten; the sources of the numbers are `sysexits.h` (64 to 78), `timeout(1)` (124) and
//! the POSIX shell (126, 127, 128+n).

use std::borrow::Cow;
use std::fmt;

use crate::redact;

/// What went wrong and what to do about it, both for the person on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    what: String,
    hint: String,
}

impl Problem {
    /// `what` is a lowercase sentence without a full stop; `hint` says what to do now.
    /// Passwords of URLs in either are hidden: what was found may be one in the wrong place.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: concealed(what.into()),
            hint: concealed(hint.into()),
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

fn concealed(text: String) -> String {
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

/// Whether the same start can end otherwise when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Somebody has to change something first.
    No,
    /// It depends on nothing that somebody has to change.
    Yes,
    /// launchgate itself says when it is enough.
    UpToMaxAttempts,
    /// Nobody knows.
    Unknown,
}

/// Everything that keeps a gate closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A flag, variable or file says something that can't be done; nothing was touched.
    Usage(Problem),
    /// The embedded migrator failed.
    Sql(Problem),
    /// The database could not be reached in time.
    Unreachable(Problem),
    /// launchgate is wrong.
    Bug(Problem),
    /// The system refuses something before anything ran.
    System(Problem),
    /// The snapshot could not be made.
    Snapshot(Problem),
    /// Waiting took too long: lock, orphans, `wait`.
    TimedOut(Problem),
    /// The lock was lost while a step ran.
    LockLost(Problem),
    /// The ledger says no: blocked, or out of attempts.
    Refused(Problem),
    /// The database says no: password, privileges, standby, no such database, unsupported.
    Database(Problem),
    /// A step failed, with its own exit code or 128+n.
    Step(Problem, u8),
    /// A step ran past its limit.
    StepTimeout(Problem),
    /// A step or the server is there but can't be executed.
    NotExecutable(Problem),
    /// A step or the server is not there.
    NotFound(Problem),
    /// This signal stopped the gate.
    Stopped(Problem, i32),
}

impl Failure {
    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Sql(_) => 65,
            Self::Unreachable(_) => 69,
            Self::Bug(_) => 70,
            Self::System(_) => 71,
            Self::Snapshot(_) => 73,
            Self::TimedOut(_) => 75,
            Self::LockLost(_) => 76,
            Self::Refused(_) => 77,
            Self::Database(_) => 78,
            Self::StepTimeout(_) => 124,
            Self::NotExecutable(_) => 126,
            Self::NotFound(_) => 127,
            Self::Step(_, code) => *code,
            Self::Stopped(_, signal) => signal_code(*signal),
        }
    }

    /// The signal that stopped the gate, where one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        match self {
            Self::Stopped(_, signal) => Some(*signal),
            _ => None,
        }
    }

    /// What the code says to whoever sees nothing else, and whether to try again.
    #[must_use]
    pub fn meaning(&self) -> (&'static str, Again) {
        match self {
            Self::Step(..) => (
                "a step failed; 128+n where a signal ended it",
                Again::UpToMaxAttempts,
            ),
            Self::Usage(_) => ("usage or configuration; nothing was touched", Again::No),
            Self::Sql(_) => (
                "`--sql`: a migration failed, or an applied file was changed or is missing",
                Again::UpToMaxAttempts,
            ),
            Self::Unreachable(_) => (
                "the database could not be reached within `--wait-timeout`",
                Again::Yes,
            ),
            Self::Bug(_) => ("a bug in launchgate", Again::Unknown),
            Self::System(_) => (
                "the system refuses, before anything ran: health address in use, no permission to switch users",
                Again::No,
            ),
            Self::Snapshot(_) => (
                "the snapshot could not be made; nothing was migrated",
                Again::UpToMaxAttempts,
            ),
            Self::TimedOut(_) => ("a timeout: lock, orphans, `wait`", Again::Yes),
            Self::LockLost(_) => ("the lock was lost while a step ran", Again::Yes),
            Self::Refused(_) => ("refused: blocked, or out of attempts", Again::No),
            Self::Database(_) => (
                "the database refuses: password, privileges, standby, no such database, unsupported",
                Again::No,
            ),
            Self::StepTimeout(_) => (
                "a step ran past `--migrate-timeout`",
                Again::UpToMaxAttempts,
            ),
            Self::NotExecutable(_) => ("a step or the server is not executable", Again::No),
            Self::NotFound(_) => ("a step or the server is not found", Again::No),
            Self::Stopped(..) => ("signal n stopped the gate", Again::Yes),
        }
    }

    /// What went wrong, and what to do.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Usage(problem)
            | Self::Sql(problem)
            | Self::Unreachable(problem)
            | Self::Bug(problem)
            | Self::System(problem)
            | Self::Snapshot(problem)
            | Self::TimedOut(problem)
            | Self::LockLost(problem)
            | Self::Refused(problem)
            | Self::Database(problem)
            | Self::Step(problem, _)
            | Self::StepTimeout(problem)
            | Self::NotExecutable(problem)
            | Self::NotFound(problem)
            | Self::Stopped(problem, _) => problem,
        }
    }

    /// Says one more thing to do.
    pub fn add_hint(&mut self, more: &str) {
        let problem = match self {
            Self::Usage(problem)
            | Self::Sql(problem)
            | Self::Unreachable(problem)
            | Self::Bug(problem)
            | Self::System(problem)
            | Self::Snapshot(problem)
            | Self::TimedOut(problem)
            | Self::LockLost(problem)
            | Self::Refused(problem)
            | Self::Database(problem)
            | Self::Step(problem, _)
            | Self::StepTimeout(problem)
            | Self::NotExecutable(problem)
            | Self::NotFound(problem)
            | Self::Stopped(problem, _) => problem,
        };
        problem.hint = concealed(format!("{}; {more}", problem.hint));
    }

    /// A usage failure, the commonest.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(Problem::new(what, hint))
    }
}

/// The exit code of something that `signal` ended: 128+n, as a shell has it.
#[must_use]
pub fn signal_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_128_and_its_number() {
        assert_eq!(signal_code(15), 143);
        assert_eq!(signal_code(64), 192);
    }

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
