//! Why the gate stays closed, in words for the person on call.

use std::io;
use std::time::Duration;

use crate::db::{Backend, Error, Target};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::decide::RevisionRefusal;
use crate::gate::wait_clock::shown;
use crate::plan::ledger_reference::LedgerReference;

/// Why the work under the lock was abandoned.
pub(super) enum HoldError {
    /// The gate stays closed.
    Final(Failure),
    /// The database became unavailable before a step ran: start over.
    StartOver(Error),
}

impl From<Failure> for HoldError {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl From<Error> for HoldError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { what, hint } => Self::Final(refused(what, hint)),
            other => Self::StartOver(other),
        }
    }
}

/// The database refuses.
#[must_use]
pub fn refused(what: String, hint: String) -> Failure {
    Failure::because(FailureKind::Database, what, hint)
}

/// What a failed database call means for a command that only reads or appends.
#[must_use]
pub fn call_failed(reference: &LedgerReference, error: Error) -> Failure {
    match error {
        Error::Refused { what, hint } | Error::NotReady { what, hint } => refused(what, hint),
        other => Failure::because(
            FailureKind::Unreachable,
            format!("the database did not answer: {other}"),
            format!("try again, and check `{}`", reference.status_command()),
        ),
    }
}

/// The ledger refuses this revision.
#[must_use]
pub fn revision_refused(
    target: &Target,
    reference: &LedgerReference,
    revision: &str,
    refusal: &RevisionRefusal,
) -> Failure {
    let retry = reference.retry_command(revision);
    let status = reference.status_command();
    let problem = match refusal {
        RevisionRefusal::Blocked { by, note } => {
            let note = note
                .as_ref()
                .map(|note| format!(": {}", target.url.redact(note)))
                .unwrap_or_default();
            Problem::new(
                format!("revision {revision} was blocked by {by}{note}"),
                format!("deploy another release, or lift the block with `{retry}`"),
            )
        }
        RevisionRefusal::Exhausted { failed, last } => {
            let times = if *failed == 1 { "time" } else { "times" };
            Problem::new(
                format!(
                    "revision {revision} failed {failed} {times} (--max-attempts), most recently in run {last}; it will not be tried again"
                ),
                format!(
                    "find the cause with `{status}`, then run `{retry}`, or deploy a release that fixes it"
                ),
            )
        }
        RevisionRefusal::Unknown => {
            return Failure::because(
                FailureKind::Database,
                format!(
                    "the ledger has a row for revision {revision} in a state unknown to this \
                         version of launchgate"
                ),
                "a newer launchgate wrote it: use that version or later in this image",
            );
        }
    };
    Failure::new(FailureKind::Refused, problem)
}

/// Sessions of an earlier run are still working.
#[must_use]
pub(super) fn orphans_remain(list: &str, waited: Duration, backend: Backend) -> Failure {
    let end = ending_a_session(backend);
    Failure::because(
        FailureKind::TimedOut,
        format!(
            "database sessions of an earlier run are still active after {} (--orphan-timeout): {list}",
            shown(waited)
        ),
        format!("let them finish, or terminate them{end}, then start again"),
    )
}

/// Sessions of an earlier run that are left alone: they are idle, and either their holder is not
/// known to be dead or this role may not end them.
#[must_use]
pub(super) fn idle_orphans(list: &str, backend: Backend) -> Problem {
    let end = ending_a_session(backend);
    Problem::new(
        format!(
            "no longer waiting for sessions that an earlier run left idle in a transaction: {list}"
        ),
        format!(
            "they may hold locks that the steps need: find their client, or terminate them{end}"
        ),
    )
}

/// What to do about sessions that this role may not end, or that are still there.
#[must_use]
pub(super) fn may_end_sessions(backend: Backend) -> String {
    let end = ending_a_session(backend);
    format!(
        "terminate them{end}; a role may terminate its own sessions, and with pg_signal_backend those of others"
    )
}

fn ending_a_session(backend: Backend) -> String {
    let names = backend.driver().session_names;
    names.map_or(String::new(), |names| format!(" with {}", names.end))
}

/// The lock was held, but the run's row could not be renewed, so the right to run was `lost`:
/// names the likely cause.
#[must_use]
pub(super) fn table_locked(lost: &str, target: &Target) -> Problem {
    Problem::new(
        format!(
            "{lost}: the lock's connection still responds, but the table launchgate_runs can't be \
             written; most likely a step has locked it"
        ),
        (target.backend().driver().locked_table_hint)(&target.url),
    )
}

/// The steps succeeded, but the connection with the lock could not record that.
#[must_use]
pub(super) fn unrecorded(why: &str) -> Failure {
    Failure::because(
        FailureKind::LockLost,
        format!("the steps succeeded, but the result could not be recorded under the lock: {why}"),
        "start again: the steps will run again",
    )
}

/// The first thread dropped a request, which it never does.
#[must_use]
pub(super) fn no_answer() -> Failure {
    Failure::bug("the thread that runs the steps returned no result")
}

/// No descriptor left.
#[must_use]
pub(super) fn no_descriptor(error: &io::Error) -> Failure {
    Failure::no_descriptor(format!("failed to open a file descriptor: {error}"))
}
