//! The only place that decides what the ledger means for this revision. Pure.

use std::time::Duration;

use crate::db::ledger::{Ledger, LedgerRow, RowLease, RunState};

/// The longest delay that doubling leads to.
const LONGEST_DELAY: Duration = Duration::from_mins(5);

/// How often and how soon a revision that failed is tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// After this many failed attempts it is refused; `None` is no limit.
    pub max: Option<u32>,
    /// How long after the first failure the next attempt may begin; zero is at once.
    pub delay: Duration,
}

impl Attempts {
    /// How long after the `failed`th failure the next attempt may begin: doubled with each failure, up
    /// to five minutes, unless the first delay is longer already.
    pub fn delay_after(self, failed: usize) -> Duration {
        let doublings = u32::try_from(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let longest = LONGEST_DELAY.max(self.delay);
        self.delay.saturating_mul(factor).min(longest)
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The revision succeeded: start at once.
    Start,
    /// Run the steps, once the lock is held. `attempt` is this run's number; `dead` are the rows of
    /// holders that died, which have to be closed first.
    Run {
        /// 1 for the first run since the last reset.
        attempt: i32,
        /// Rows still `running` whose lease is over.
        dead: Vec<LedgerRow>,
    },
    /// Another replica is running the steps.
    Wait(Box<LedgerRow>),
    /// The revision failed a short time ago, and the next attempt may not begin yet.
    Delay(RetryDelay),
    /// This revision must not start.
    Refuse(RevisionRefusal),
}

/// How long no replica may begin the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryDelay {
    /// How often the revision has failed.
    pub failed: usize,
    /// The time left.
    pub remaining: Duration,
}

/// Why a revision is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionRefusal {
    /// An operator blocked it.
    Blocked {
        /// Who blocked it.
        by: String,
        /// Why.
        note: Option<String>,
    },
    /// It failed too many times.
    Exhausted {
        /// How many times.
        failed: usize,
        /// The run that failed last.
        last: String,
    },
    /// A newer launchgate wrote a state that this one does not know.
    Unknown,
}

/// Decides. Without a `revision` the steps run at every start. A lease that is too long counts as live;
/// whoever knows better says so in the row (`gate::lease_watch`).
pub fn decide(ledger: &Ledger, revision: Option<&str>, attempts: Attempts) -> Decision {
    let own = RevisionRows::of(ledger, revision);
    if own.rows.iter().any(|row| row.state.is_none()) {
        return Decision::Refuse(RevisionRefusal::Unknown);
    }
    // Of a block and a success, the newer one counts. A reset lifts a block and starts counting failures
    // again, but a revision that succeeded never runs again.
    let succeeded = own.newest(RunState::Succeeded);
    match (own.blocked_since(own.reset), succeeded) {
        (Some(blocked), succeeded) if succeeded.is_none_or(|row| row.id < blocked.id) => {
            return Decision::Refuse(RevisionRefusal::blocked(blocked));
        }
        (_, Some(_)) => return Decision::Start,
        _ => {}
    }
    let rows = ledger.rows();
    let is_running = |row: &&LedgerRow| row.state == Some(RunState::Running);
    let is_live = |row: &&LedgerRow| is_running(row) && row.lease != RowLease::Over;
    if let Some(row) = own.rows.iter().copied().find(is_live) {
        return Decision::Wait(Box::new(row.clone()));
    }
    if let Some(refusal) = own.exhausted(attempts.max) {
        return Decision::Refuse(refusal);
    }
    if let Some(row) = rows.iter().find(is_live) {
        return Decision::Wait(Box::new(row.clone()));
    }
    if let Some(delay) = own.delay(attempts) {
        return Decision::Delay(delay);
    }
    Decision::Run {
        attempt: own.attempt(),
        dead: rows.iter().filter(is_running).cloned().collect(),
    }
}

/// Whether `revision` is recorded as succeeded, whatever an operator decided since.
pub fn has_succeeded(ledger: &Ledger, revision: &str) -> bool {
    let own = RevisionRows::of(ledger, Some(revision));
    own.newest(RunState::Succeeded).is_some()
}

/// Whether `revision` was ever run, whatever an operator decided about it.
pub fn has_run(ledger: &Ledger, revision: &str) -> bool {
    let is_decision =
        |row: &LedgerRow| matches!(row.state, Some(RunState::Reset | RunState::Blocked));
    let own = RevisionRows::of(ledger, Some(revision));
    own.rows.into_iter().any(|row| !is_decision(row))
}

/// How often `revision` has failed since its attempts were last reset.
pub fn failures(ledger: &Ledger, revision: &str) -> usize {
    RevisionRows::of(ledger, Some(revision)).failed().count()
}

/// The block that an operator put on `revision` during its run `run_id`.
pub fn blocked_meanwhile(ledger: &Ledger, revision: &str, run_id: &str) -> Option<RevisionRefusal> {
    let own = RevisionRows::of(ledger, Some(revision));
    let run = own.rows.iter().find(|row| row.run_id == run_id)?.id;
    let blocked = own.blocked_since(own.reset.max(run))?;
    Some(RevisionRefusal::blocked(blocked))
}

impl RevisionRefusal {
    fn blocked(row: &LedgerRow) -> Self {
        Self::Blocked {
            by: row.holder.clone(),
            note: row.note.clone(),
        }
    }
}

/// The rows of one revision, newest first.
struct RevisionRows<'a> {
    rows: Vec<&'a LedgerRow>,
    /// The id of the newest reset, less than any other without one.
    reset: i64,
}

impl<'a> RevisionRows<'a> {
    fn of(ledger: &'a Ledger, revision: Option<&str>) -> Self {
        let is_own = |row: &&LedgerRow| revision.is_some_and(|revision| row.revision == revision);
        let rows = ledger.rows().iter().filter(is_own).collect();
        let mut own = Self {
            rows,
            reset: i64::MIN,
        };
        own.reset = own.newest(RunState::Reset).map_or(i64::MIN, |row| row.id);
        own
    }

    /// The newest row in this state.
    fn newest(&self, state: RunState) -> Option<&'a LedgerRow> {
        self.rows
            .iter()
            .copied()
            .find(|row| row.state == Some(state))
    }

    /// The newest block, if it is newer than the row `id`.
    fn blocked_since(&self, id: i64) -> Option<&'a LedgerRow> {
        self.newest(RunState::Blocked).filter(|row| row.id > id)
    }

    fn since_reset(&self) -> impl Iterator<Item = &'a LedgerRow> {
        self.rows.iter().copied().filter(|row| row.id > self.reset)
    }

    /// The failures since the last reset.
    fn failed(&self) -> impl Iterator<Item = &'a LedgerRow> {
        self.since_reset()
            .filter(|row| row.state == Some(RunState::Failed))
    }

    fn exhausted(&self, max_attempts: Option<u32>) -> Option<RevisionRefusal> {
        let last = self.failed().next()?.run_id.clone();
        let failed = self.failed().count();
        (failed >= usize::try_from(max_attempts?).ok()?)
            .then_some(RevisionRefusal::Exhausted { failed, last })
    }

    /// By the database's clock. A failure that it puts further ahead than the delay lasts was recorded
    /// before that clock was set back, and delays nothing.
    fn delay(&self, attempts: Attempts) -> Option<RetryDelay> {
        let ended_ms = self.failed().next()?.ended_ms?;
        let failed = self.failed().count();
        let delay = attempts.delay_after(failed);
        let ended = Duration::from_millis(ended_ms.unsigned_abs());
        let remaining = if ended_ms >= 0 {
            delay.saturating_sub(ended)
        } else if ended <= delay {
            delay
        } else {
            Duration::ZERO
        };
        (!remaining.is_zero()).then_some(RetryDelay { failed, remaining })
    }

    /// The number of the next run since the last reset.
    fn attempt(&self) -> i32 {
        use RunState::{Failed, Interrupted, Running};
        let is_run = |row: &&LedgerRow| matches!(row.state, Some(Failed | Interrupted | Running));
        let runs = self.since_reset().filter(is_run).count();
        i32::try_from(runs + 1).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests;
