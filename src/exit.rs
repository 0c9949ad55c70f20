//! Why a gate failed, and its exit code: the only table of exit codes.
//!
//! Pure data. Each kind is a row, so none can be forgotten. The numbers come from `sysexits.h` (64 to
//! 78), `timeout(1)` (124) and the POSIX shell (126, 127, 128+n).

use std::fmt;

use crate::redact;
use crate::sys::panic::HINT as BUG;
use crate::sys::signals::{Stop, signal_code};

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
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do now.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The same problem with these words in front.
    pub fn of(mut self, whose: impl fmt::Display) -> Self {
        self.what = redacted(format!("{whose} {}", self.what));
        self
    }
}

fn redacted(text: String) -> String {
    redact::hide_in(text, redact::passwords)
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

/// Makes [`FailureKind`] and everything that is known of a kind from one table. A row gives the kind,
/// with an example of what it carries, its exit code, what the code means to someone who sees
/// nothing else, and whether to try again.
macro_rules! failure_kinds {
    ($($(#[$doc:meta])* $kind:ident $(($field:ident: $carried:ty = $example:expr))?:
        $code:expr, $meaning:literal, $again:ident;)+) => {
        /// What keeps a gate closed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FailureKind {
            $($(#[$doc])* $kind $(($carried))?,)+
        }

        impl FailureKind {
            /// One of each, in the order of `docs/exit-codes.md`.
            pub const ALL: &[Self] = &[$(Self::$kind $(($example))?),+];

            /// The process's exit code.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$kind $(($field))? => $code,)+
                }
            }

            /// What the code means, and whether to try again.
            pub fn meaning(self) -> (&'static str, Again) {
                match self {
                    $(Self::$kind { .. } => ($meaning, Again::$again),)+
                }
            }
        }
    };
}

failure_kinds! {
    /// A step failed, with its own exit code or 128+n.
    Step(code: u8 = 1): code, "a step failed; 128+n if signal n ended it", UpToMaxAttempts;
    /// A flag, variable or file asks for something impossible; nothing was touched.
    Usage: 64, "usage or configuration error; nothing was touched", No;
    /// The embedded migrator failed.
    Sql: 65, "`--sql`: a migration failed, or an applied file was changed or is missing", UpToMaxAttempts;
    /// The database could not be reached in time.
    Unreachable: 69, "the database could not be reached within `--wait-timeout`", Yes;
    /// A bug in launchgate.
    Bug: 70, "a bug in launchgate", Unknown;
    /// The operating system refused something before anything ran.
    System: 71, "system error before anything ran: health address in use, no permission to switch users", No;
    /// The snapshot could not be made.
    Snapshot: 73, "the snapshot could not be made; nothing was migrated", UpToMaxAttempts;
    /// Waiting took too long: lock, orphans, `wait`.
    TimedOut: 75, "timed out: lock, orphans, `wait`", Yes;
    /// The lock was lost while a step ran.
    LockLost: 76, "the lock was lost while a step ran", Yes;
    /// The ledger refuses: blocked, or out of attempts.
    Refused: 77, "refused: blocked, or out of attempts", No;
    /// The database refuses: password, privileges, standby, no such database, unsupported.
    Database: 78, "the database refused: wrong password, missing privileges, a standby, no such database, unsupported", No;
    /// A step exceeded its time limit.
    StepTimeout: 124, "a step exceeded `--migrate-timeout`", UpToMaxAttempts;
    /// A step or the server exists but can't be executed.
    NotExecutable: 126, "a step or the server is not executable", No;
    /// A step or the server does not exist.
    NotFound: 127, "a step or the server was not found", No;
    /// A signal stopped the gate.
    Stopped(stop: Stop = Stop::TERM): signal_code(stop.signal()), "signal n stopped the gate", Yes;
}

/// Why a gate stays closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    problem: Problem,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, problem: Problem) -> Self {
        Self { kind, problem }
    }

    /// A failure of this kind, with what went wrong and what to do as in [`Problem::new`].
    pub fn because(kind: FailureKind, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(kind, Problem::new(what, hint))
    }

    /// A usage failure, the most common kind.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::because(FailureKind::Usage, what, hint)
    }

    /// The same of a setting, by where it comes from.
    pub fn of_setting(origin: impl fmt::Display, problem: Problem) -> Self {
        Self::new(FailureKind::Usage, problem.of(format_args!("{origin}:")))
    }

    /// Something that never happens.
    pub fn bug(what: impl Into<String>) -> Self {
        Self::because(FailureKind::Bug, what, BUG)
    }

    /// No file descriptor is left.
    pub fn no_descriptor(what: impl Into<String>) -> Self {
        let hint = "raise the open file limit (`ulimit -n`)";
        Self::because(FailureKind::System, what, hint)
    }

    /// What kind it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The process's exit code.
    pub fn code(&self) -> u8 {
        self.kind.code()
    }

    /// What went wrong, and what to do.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The same failure, with another description of what went wrong.
    pub fn reworded(mut self, describe: impl FnOnce(&str) -> String) -> Self {
        self.problem.what = redacted(describe(&self.problem.what));
        self
    }

    /// Says what else is to be done instead.
    pub fn replace_hint(&mut self, hint: &str) {
        self.problem.hint = redacted(hint.to_owned());
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
