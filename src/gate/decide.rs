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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_most(max: Option<u32>) -> Attempts {
        let delay = Duration::ZERO;
        Attempts { max, delay }
    }

    fn row(id: i64, revision: &str, state: RunState, is_live: bool) -> LedgerRow {
        LedgerRow {
            id,
            revision: revision.into(),
            run_id: format!("run{id}"),
            state: Some(state),
            lease: if is_live {
                RowLease::Live
            } else {
                RowLease::Over
            },
            holder: "host:1".into(),
            age_ms: 0,
            ended_ms: (state != RunState::Running).then_some(0),
            note: None,
        }
    }

    /// States of revision `r`, oldest first; `+` marks a live lease.
    fn decided(states: &[RunState], max: Option<u32>) -> Decision {
        let rows = states
            .iter()
            .enumerate()
            .map(|(i, s)| row(i64::try_from(i).unwrap(), "r", *s, false));
        let mut rows: Vec<LedgerRow> = rows.collect();
        rows.reverse();
        decide(&Ledger::Rows(rows), Some("r"), at_most(max))
    }

    fn runs(attempt: i32) -> Decision {
        Decision::Run {
            attempt,
            dead: Vec::new(),
        }
    }

    use RunState::{Blocked, Failed, Interrupted, Reset, Running, Succeeded};

    #[test]
    fn a_block_during_a_run_is_the_runs_own() {
        let seen = |states: &[RunState]| {
            let rows = states.iter().zip(0..);
            let mut rows: Vec<_> = rows.map(|(s, id)| row(id, "r", *s, true)).collect();
            rows.reverse();
            let ledger = Ledger::Rows(rows);
            let run = states.iter().position(|s| *s == Running).unwrap();
            blocked_meanwhile(&ledger, "r", &format!("run{run}")).is_some()
        };
        assert!(seen(&[Running, Blocked]));
        assert!(!seen(&[Running]));
        assert!(!seen(&[Blocked, Reset, Running]));
        assert!(!seen(&[Running, Blocked, Reset]));
        assert!(seen(&[Running, Reset, Blocked]));
    }

    #[test]
    fn an_empty_ledger_means_run() {
        assert_eq!(
            decide(&Ledger::Missing, Some("r"), at_most(Some(3))),
            runs(1)
        );
        assert_eq!(decided(&[], Some(3)), runs(1));
    }

    #[test]
    fn a_success_starts_whatever_came_before_or_after_but_a_block() {
        assert_eq!(decided(&[Failed, Succeeded], Some(1)), Decision::Start);
        assert_eq!(decided(&[Succeeded, Reset], Some(1)), Decision::Start);
        assert_eq!(decided(&[Blocked, Succeeded], Some(1)), Decision::Start);
        assert_eq!(
            decided(&[Succeeded, Blocked, Reset], Some(1)),
            Decision::Start
        );
        assert!(matches!(
            decided(&[Succeeded, Blocked], Some(1)),
            Decision::Refuse(RevisionRefusal::Blocked { .. })
        ));
    }

    #[test]
    fn failures_count_interruptions_do_not() {
        assert_eq!(decided(&[Failed, Interrupted, Failed], Some(3)), runs(4));
        assert!(matches!(
            decided(&[Failed, Interrupted, Failed, Failed], Some(3)),
            Decision::Refuse(RevisionRefusal::Exhausted { failed: 3, .. })
        ));
        assert_eq!(decided(&[Failed; 9], None), runs(10));
        assert_eq!(decided(&[Failed, Failed, Failed, Reset], Some(3)), runs(1));
        assert_eq!(decided(&[Blocked, Reset, Failed], Some(3)), runs(2));
    }

    #[test]
    fn a_live_run_is_waited_for_and_a_dead_one_closed() {
        let live = row(2, "other", Running, true);
        let ledger = Ledger::Rows(vec![live.clone()]);
        assert_eq!(
            decide(&ledger, Some("r"), at_most(Some(3))),
            Decision::Wait(Box::new(live))
        );
        let dead = row(2, "other", Running, false);
        let ledger = Ledger::Rows(vec![dead.clone()]);
        let expected = Decision::Run {
            attempt: 1,
            dead: vec![dead],
        };
        assert_eq!(decide(&ledger, Some("r"), at_most(Some(3))), expected);
    }

    #[test]
    fn a_live_run_of_the_same_revision_may_still_succeed() {
        let rows = vec![row(3, "r", Running, true), row(2, "r", Failed, false)];
        assert!(matches!(
            decide(&Ledger::Rows(rows), Some("r"), at_most(Some(1))),
            Decision::Wait(_)
        ));
    }

    #[test]
    fn without_a_revision_the_steps_run_every_time() {
        let rows = vec![row(2, "", Succeeded, false), row(1, "", Failed, false)];
        assert_eq!(decide(&Ledger::Rows(rows), None, at_most(Some(1))), runs(1));
    }

    #[test]
    fn a_state_of_a_newer_launchgate_is_not_guessed() {
        let mut unknown = row(1, "r", Succeeded, false);
        unknown.state = None;
        let rows = Ledger::Rows(vec![unknown]);
        assert_eq!(
            decide(&rows, Some("r"), at_most(None)),
            Decision::Refuse(RevisionRefusal::Unknown)
        );
    }

    const SECOND: i64 = 1000;

    /// The decision about a revision that failed `failed` times, the last time `ended_ms` ago, with a
    /// delay of 10 s.
    fn after(failed: i64, ended_ms: i64, max: Option<u32>) -> Decision {
        let mut rows: Vec<_> = (0..failed).map(|id| row(id, "r", Failed, false)).collect();
        rows.reverse();
        rows[0].ended_ms = Some(ended_ms);
        let delay = Duration::from_secs(10);
        decide(&Ledger::Rows(rows), Some("r"), Attempts { max, delay })
    }

    fn delayed(failed: usize, seconds: u64) -> Decision {
        let remaining = Duration::from_secs(seconds);
        Decision::Delay(RetryDelay { failed, remaining })
    }

    /// "after a failed attempt, no replica begins the next one earlier; doubled with each failure, up to
    /// 5 minutes" (contract, section 3)
    #[test]
    fn a_failure_delays_the_next_attempt_twice_as_long_each_time() {
        assert_eq!(after(1, 0, None), delayed(1, 10));
        assert_eq!(after(1, 9 * SECOND, None), delayed(1, 1));
        assert_eq!(after(1, 10 * SECOND, None), runs(2));
        assert_eq!(after(2, 0, None), delayed(2, 20));
        assert_eq!(after(5, 0, None), delayed(5, 160));
        for failed in [6, 7, 40, 70] {
            let count = usize::try_from(failed).unwrap();
            assert_eq!(after(failed, 0, None), delayed(count, 300));
        }
        let long = Attempts {
            max: None,
            delay: Duration::from_hours(1),
        };
        assert_eq!(long.delay_after(3), Duration::from_hours(1));
    }

    #[test]
    fn a_revision_without_attempts_left_is_refused_at_once() {
        assert!(matches!(after(3, 0, Some(3)), Decision::Refuse(_)));
    }

    #[test]
    fn a_clock_that_was_set_back_delays_no_longer_than_twice() {
        assert_eq!(after(1, -SECOND, None), delayed(1, 10));
        assert_eq!(after(1, -10 * SECOND, None), delayed(1, 10));
        assert_eq!(after(1, -11 * SECOND, None), runs(2));
        assert_eq!(after(1, i64::MIN, None), runs(2));
    }

    #[test]
    fn only_failures_since_the_last_reset_delay() {
        let delay = Duration::from_secs(10);
        let decided = |states: &[RunState], revision| {
            let rows = states.iter().zip(0..);
            let mut rows: Vec<_> = rows.map(|(s, id)| row(id, "r", *s, false)).collect();
            rows.reverse();
            let max = None;
            decide(&Ledger::Rows(rows), revision, Attempts { max, delay })
        };
        assert_eq!(decided(&[Failed], Some("r")), delayed(1, 10));
        assert_eq!(decided(&[Failed, Interrupted], Some("r")), delayed(1, 10));
        assert_eq!(decided(&[Interrupted], Some("r")), runs(2));
        assert_eq!(decided(&[Failed, Failed, Reset], Some("r")), runs(1));
        assert_eq!(decided(&[Failed, Reset, Failed], Some("r")), delayed(1, 10));
        assert_eq!(decided(&[Failed, Succeeded], Some("r")), Decision::Start);
        // Another revision, and none.
        assert_eq!(decided(&[Failed], Some("x")), runs(1));
        assert_eq!(decided(&[Failed], None), runs(1));
    }

    proptest! {
        /// Whatever the rows: a revision with a success never runs again, and one that a
        /// live run is at never runs beside it.
        #[test]
        fn never_runs_what_succeeded_nor_beside_a_live_run(
            states in proptest::collection::vec((0usize..6, any::<bool>(), any::<bool>()), 0..12),
            max in proptest::option::of(1u32..4),
        ) {
            let mut rows: Vec<LedgerRow> = states.iter().enumerate().map(|(i, (s, live, own))| {
                row(i64::try_from(i).unwrap(), if *own { "r" } else { "x" }, RunState::ALL[*s], *live)
            }).collect();
            rows.reverse();
            let succeeded = rows.iter().any(|r| r.revision == "r" && r.state == Some(Succeeded));
            let live = rows.iter().any(|r| r.state == Some(Running) && r.lease != RowLease::Over);
            if let Decision::Run { attempt, .. } = decide(&Ledger::Rows(rows), Some("r"), at_most(max)) {
                prop_assert!(!succeeded && !live && attempt >= 1);
            }
        }
    }
}
