//! What a run of steps means for the ledger and for the person on call. Pure but for the
//! random run id.

use std::io;

use crate::db::ledger::{self, Orphan, RunState};
use crate::db::{DatabaseUrl, Target};
use crate::exit::{Failure, FailureKind, Problem};
use crate::steps::{Outcome, TAIL, Verdict};
use crate::sys::step::StopReason;
use crate::sys::wait::Ended;

/// A new run's id: 128 random bits.
pub fn run_id() -> Result<String, Failure> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Failure::new(
            FailureKind::System,
            Problem::new(
                format!("failed to get random numbers: {error}"),
                "allow getrandom(2) in the container's seccomp profile",
            ),
        )
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// What the run's row leaves `running` with; no password in it.
#[must_use]
pub fn row(outcome: &Outcome, url: &DatabaseUrl) -> ledger::RunOutcome {
    let timed_out = outcome
        .last
        .as_ref()
        .is_some_and(|(_, r)| r.cut == Some(StopReason::Timeout));
    let (state, note) = match &outcome.verdict {
        Verdict::Done => (RunState::Succeeded, None),
        Verdict::Failed(failure) => (RunState::Failed, Some(failure)),
        Verdict::Stopped {
            done: true,
            failure,
        } => (RunState::Succeeded, Some(failure)),
        Verdict::Stopped { failure, .. } if timed_out => (RunState::Failed, Some(failure)),
        Verdict::Stopped { failure, .. } | Verdict::Lost(failure) => {
            (RunState::Interrupted, Some(failure))
        }
    };
    let mut row = ledger::RunOutcome {
        state,
        step: None,
        exit_code: None,
        term_signal: None,
        command: None,
        note: note.map(|failure| url.redact(failure.problem().what())),
        output_tail: None,
    };
    if let Some((step, report)) = &outcome.last {
        row.step = Some(step.name.clone());
        row.command = Some(url.redact(&step.text));
        match report.ended {
            Ended::Code(code) => row.exit_code = Some(code),
            Ended::Signal(number) => row.term_signal = Some(number),
        }
        if state != RunState::Succeeded && !report.tail.is_empty() {
            row.output_tail = Some(tail(&report.tail, url));
        }
    }
    row
}

/// How many bytes of output to keep so that 4 KiB are left when the secrets are gone.
#[must_use]
pub fn kept(url: &DatabaseUrl) -> usize {
    TAIL + longest_secret(url)
}

fn longest_secret(url: &DatabaseUrl) -> usize {
    url.secrets().map(str::len).max().unwrap_or(0)
}

/// The last 4 KiB without secrets. What was cut off at the front may have left the rest of a
/// secret there, shorter than the longest: that much is left out.
fn tail(kept: &[u8], url: &DatabaseUrl) -> String {
    let redacted = url.redact_bytes(kept);
    let is_cut = kept.len() >= self::kept(url);
    let start = if is_cut {
        longest_secret(url).min(redacted.len())
    } else {
        0
    };
    // What is no text grows when it becomes some: cut after that.
    let text = String::from_utf8_lossy(&redacted[start..]);
    let cut = text.len().saturating_sub(TAIL);
    text[text.ceil_char_boundary(cut)..].to_owned()
}

/// The row of a run that did not count.
#[must_use]
pub fn interrupted(why: &str) -> ledger::RunOutcome {
    ledger::RunOutcome {
        state: RunState::Interrupted,
        step: None,
        exit_code: None,
        term_signal: None,
        command: None,
        note: Some(why.to_owned()),
        output_tail: None,
    }
}

/// Process id, state and age of each.
#[must_use]
pub fn list_orphans(orphans: &[Orphan]) -> String {
    let list: Vec<String> = orphans
        .iter()
        .take(10)
        .map(|o| format!("pid {} {} for {} s", o.pid, o.state, o.age_ms / 1000))
        .collect();
    list.join(", ")
}

/// Sessions of an earlier run are still at work.
#[must_use]
pub fn orphans_remain(list: &str, waited: std::time::Duration) -> Failure {
    Failure::new(
        FailureKind::TimedOut,
        Problem::new(
            format!(
                "sessions of an earlier run are still at work in the database after {} s: {list}",
                waited.as_secs()
            ),
            "let them finish or end them with pg_terminate_backend(pid), then start again; --orphan-timeout is how long to wait",
        ),
    )
}

/// Sessions of an earlier run that nothing is done about: they are idle, and no dead holder's, or not
/// this role's to end.
#[must_use]
pub fn idle_orphans(list: &str) -> Problem {
    Problem::new(
        format!(
            "sessions that an earlier run left idle in a transaction are not waited for any longer: {list}"
        ),
        "they may keep locks that the steps want: find their client, or end them with pg_terminate_backend(pid)",
    )
}

/// The lock was held and the run's row could not be renewed, so that the right to run was `lost`:
/// what is likely in the way.
#[must_use]
pub fn table_locked(lost: &Failure, target: &Target) -> Failure {
    Failure::new(
        FailureKind::LockLost,
        Problem::new(
            format!(
                "{}. The lock itself answered, the table launchgate_runs could not be written: a step locks it, most likely",
                lost.problem().what()
            ),
            target.backend().locked_table_hint(&target.url),
        ),
    )
}

/// The steps ended well, but that could not be recorded by the connection with the lock.
#[must_use]
pub fn unrecorded(why: &str) -> Failure {
    Failure::new(
        FailureKind::LockLost,
        Problem::new(
            format!("the steps ended well, but that could not be recorded under the lock: {why}"),
            "start it again: the steps will run again",
        ),
    )
}

/// The first thread dropped a request, which it never does.
#[must_use]
pub fn no_answer() -> Failure {
    Failure::new(
        FailureKind::Bug,
        Problem::new("the steps were never answered for", "report it"),
    )
}

/// No descriptor left.
#[must_use]
pub fn no_event(error: &io::Error) -> Failure {
    let what = format!("failed to open a descriptor: {error}");
    Failure::new(
        FailureKind::System,
        Problem::new(what, "raise the limit of open files"),
    )
}
