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
