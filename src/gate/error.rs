//! Why the gate stays closed, in words for the person on call.

use std::io;

use crate::db::{Error, Target};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::decide::RevisionRefusal;
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

/// The first thread dropped a request, which it never does.
pub(super) fn no_answer() -> Failure {
    Failure::bug("the thread that runs the steps returned no result")
}

/// No descriptor left.
pub(super) fn no_descriptor(error: &io::Error) -> Failure {
    Failure::no_descriptor(format!("failed to open a file descriptor: {error}"))
}
