//! What the ledger keeps of a run. Pure.

use crate::db::ledger::{self, Orphan, RunState};
use crate::redact::Secrets;
use crate::steps::{StepsOutcome, TAIL, Verdict};
use crate::sys::step::StopReason;
use crate::sys::wait::Ended;

/// How the run ended, for its row; no secret in it.
pub(super) fn row(outcome: &StepsOutcome, secrets: &Secrets) -> ledger::RunOutcome {
    let timed_out = outcome
        .last
        .as_ref()
        .is_some_and(|(_, r)| r.stop_reason == Some(StopReason::Timeout));
    let (state, note) = match &outcome.verdict {
        Verdict::Done => (RunState::Succeeded, None),
        Verdict::Failed(failure) => (RunState::Failed, Some(failure)),
        Verdict::Stopped {
            done: true,
            failure,
        } => (RunState::Succeeded, Some(failure)),
        Verdict::Stopped { failure, .. } if timed_out => (RunState::Failed, Some(failure)),
        Verdict::Interrupted(failure)
        | Verdict::Stopped { failure, .. }
        | Verdict::Lost(failure) => (RunState::Interrupted, Some(failure)),
    };
    let note = note.map(|failure| secrets.redact(failure.problem().what()).into_owned());
    let mut row = of_no_step(state, note);
    if let Some((step, report)) = &outcome.last {
        row.step = Some(step.name.clone());
        row.command = Some(secrets.redact(&step.text).into_owned());
        match report.ended {
            Ended::Code(code) => row.exit_code = Some(code),
            Ended::Signal(number) => row.term_signal = Some(number),
        }
        if state != RunState::Succeeded && !report.tail.is_empty() {
            row.output_tail = Some(tail(&report.tail, secrets));
        }
    }
    row
}

/// How many bytes of output to capture so that 4 KiB remain once the secrets are removed.
pub(super) fn captured(secrets: &Secrets) -> usize {
    4 * TAIL + secrets.longest()
}

/// The last 4 KiB without secrets. If output was cut off, its beginning may be the end of a
/// secret, shorter than the longest one: that much is dropped.
fn tail(output: &[u8], secrets: &Secrets) -> String {
    let redacted = secrets.redact_bytes(output);
    let is_cut = output.len() >= captured(secrets);
    let start = if is_cut {
        secrets.longest().min(redacted.len())
    } else {
        0
    };
    // Bytes that are not UTF-8 grow in the conversion: cut after it.
    let text = String::from_utf8_lossy(&redacted[start..]);
    let excess = text.len().saturating_sub(TAIL);
    text[text.ceil_char_boundary(excess)..].to_owned()
}

/// The row of a run that did not count.
pub(super) fn interrupted(why: &str) -> ledger::RunOutcome {
    of_no_step(RunState::Interrupted, Some(why.to_owned()))
}

fn of_no_step(state: RunState, note: Option<String>) -> ledger::RunOutcome {
    ledger::RunOutcome {
        state,
        step: None,
        exit_code: None,
        term_signal: None,
        command: None,
        note,
        output_tail: None,
    }
}

/// Process id, state and age of each.
pub(super) fn list_orphans(orphans: &[Orphan]) -> String {
    let list: Vec<String> = orphans
        .iter()
        .take(10)
        .map(|o| format!("pid {} {} for {} s", o.pid, o.state, o.age_ms / 1000))
        .collect();
    list.join(", ")
}
