//! Rules for every backend.
//!
//! "at most one replica runs steps" (contract, section 5)
//!
//! "one row per attempt, only appended to, a row leaving `running` once" (contract, section 5)

use std::process::Command;

use launchgate::db::{
    Error, LedgerCreation, Locked, Proof, RecordError, Target, ddl,
    ledger::{Ledger, LedgerRow, NewRun, RowLease, RunOutcome, RunState},
};

use super::common::{backends::Db, home::output};
use super::connection::{connect, is_busy, lock, until};

/// A list of rules on each database of a group: `on_all!(each, [a_rule, another]);` calls
/// `a_rule(Db).await`.
macro_rules! on_all {
    ($group:ident, $rules:tt) => {
        $crate::common::backends::on_group!($group, [$crate::rules::on_all] $rules);
    };
    ($rules:tt [$($backend:ident),+]) => {
        $($crate::rules::on_all!(@one $backend $rules);)+
    };
    (@one $backend:ident [$($rule:ident),* $(,)?]) => {
        mod $backend {
            use super::super::{common::backends::Db, connection::run};
            $(#[test] fn $rule() { run(super::$rule(Db::$backend())); })*
        }
    };
}
pub(crate) use on_all;

on_all!(
    each_version,
    [
        a_look_makes_nothing,
        one_holder_at_a_time,
        apps_do_not_exclude_each_other,
        the_lock_is_proven_to_exclude,
        a_success_is_seen_by_every_look_and_the_lock_is_free,
        a_failure_keeps_its_step_code_and_output,
        a_dropped_holder_leaves_the_lock,
        a_row_leaves_running_once,
        an_end_without_the_lock_is_never_a_success,
        an_operators_decision_needs_no_ledger_before,
    ]
);

pub fn new_run(revision: &str, run_id: &str) -> NewRun {
    NewRun {
        revision: revision.to_owned(),
        release_id: Some("abc".to_owned()),
        release_source: Some("GIT_SHA".to_owned()),
        run_id: run_id.to_owned(),
        attempt: 1,
        holder: "host:1".to_owned(),
    }
}

pub fn outcome(state: RunState) -> RunOutcome {
    RunOutcome {
        state,
        step: Some("migrate".to_owned()),
        exit_code: Some(0),
        term_signal: None,
        command: None,
        note: None,
        output_tail: None,
    }
}

/// Takes the lock and starts a run.
pub async fn hold(target: &Target, revision: &str, run_id: &str) -> Locked {
    let mut locked = lock(target).await;
    let creation = locked.create_ledger().await.expect("a ledger");
    if creation == LedgerCreation::AfterSteps {
        // As after an earlier run.
        let file = target.url.sqlite_path().expect("a file");
        let ddl = ddl(target.backend(), None, None);
        output(Command::new("sqlite3").arg(file).arg(format!("\n{ddl}")));
        locked.create_ledger().await.expect("the ledger");
    }
    locked
        .append(&new_run(revision, run_id))
        .await
        .expect("a row");
    locked.confirm().await.expect("the lock");
    locked
}

pub async fn rows(target: &Target, revision: &str) -> Vec<LedgerRow> {
    match connect(target)
        .await
        .read_ledger_again(Some(revision))
        .await
        .expect("a look")
    {
        Ledger::Rows(rows) => rows,
        Ledger::Missing => panic!("the ledger is missing"),
    }
}

async fn a_look_makes_nothing(db: Db) {
    let target = db.target();
    let mut session = connect(&target).await;
    assert_eq!(session.read_ledger(Some("r1")).await, Ok(Ledger::Missing));
    assert_eq!(session.read_ledger(None).await, Ok(Ledger::Missing));
    assert!(session.history(10).await.expect("history").is_empty());
    assert_eq!(session.is_locked().await, Ok(false));
    assert_eq!(session.read_ledger(Some("r1")).await, Ok(Ledger::Missing));
    assert!(target.run_state("none").await.is_err(), "no ledger to ask");
    session.close().await;
    if db.is_sqlite() {
        assert!(!db.sqlite_file().exists(), "a look made the file");
    }
}

async fn one_holder_at_a_time(db: Db) {
    let target = db.target();
    let first = lock(&target).await;
    for _ in 0..3 {
        assert!(is_busy(&target).await);
    }
    assert_eq!(connect(&target).await.is_locked().await, Ok(true));
    first.release().await;
    let second = lock(&target).await;
    assert!(is_busy(&target).await);
    second.release().await;
    assert_eq!(connect(&target).await.is_locked().await, Ok(false));
}

async fn apps_do_not_exclude_each_other(db: Db) {
    let mut one = hold(&db.target_for("one"), "r", "1").await;
    let mut two = hold(&db.target_for("a/b 'ö"), "r", "2").await;
    assert_ne!(one.lock_id(), two.lock_id());
    assert_eq!(one.lock_id().len(), 16);
    assert_eq!(one.prove().await, Ok(Proof::Proven));
    assert_eq!(two.prove().await, Ok(Proof::Proven));
    two.record("2", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    assert_eq!(
        rows(&db.target_for("one"), "r").await[0].state,
        Some(RunState::Running)
    );
    one.release().await;
}

async fn the_lock_is_proven_to_exclude(db: Db) {
    let target = db.target();
    let mut locked = lock(&target).await;
    assert_eq!(locked.prove().await, Ok(Proof::Proven));
    locked
        .confirm()
        .await
        .expect("the proof does not cost the lock");
    locked.release().await;
}

async fn a_success_is_seen_by_every_look_and_the_lock_is_free(db: Db) {
    let target = db.target();
    let mut locked = hold(&target, "r1", "run1").await;
    locked
        .renew("run1", None, || {})
        .await
        .lease
        .expect("a heartbeat");
    for news in [Some(("migrate", "node m.js")), None] {
        let renewal = locked.renew("run1", news, || ()).await;
        assert_eq!((renewal.lock, renewal.lease), (Ok(()), Ok(None)));
    }
    let seen = rows(&target, "other").await;
    assert_eq!(seen.len(), 1, "what runs is seen whatever the revision");
    assert_eq!(seen[0].state, Some(RunState::Running));
    assert_eq!(seen[0].lease == RowLease::Live, !db.is_sqlite());
    assert!((0..60_000).contains(&seen[0].age_ms), "{seen:?}");
    locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");

    let seen = rows(&target, "r1").await;
    assert_eq!(seen[0].state, Some(RunState::Succeeded));
    assert_eq!(seen[0].lease, RowLease::Over);
    assert!(rows(&target, "other").await.is_empty());
    assert_eq!(
        target.run_state("run1").await,
        Ok(Some(RunState::Succeeded))
    );
    assert_eq!(target.run_state("run2").await, Ok(None));
    lock(&target).await.release().await;

    let history = connect(&target).await.history(10).await.expect("history");
    assert_eq!(history.len(), 1);
    let run = &history[0];
    assert_eq!(
        (
            run.app.as_str(),
            run.step.as_deref(),
            run.command.as_deref()
        ),
        ("default", Some("migrate"), Some("node m.js"))
    );
    assert_eq!(
        (run.release_id.as_deref(), run.release_source.as_deref()),
        (Some("abc"), Some("GIT_SHA"))
    );
    assert_eq!(
        (run.attempt, run.exit_code, run.version.as_str()),
        (1, Some(0), env!("CARGO_PKG_VERSION"))
    );
    for time in [
        Some(&run.started_at),
        run.heartbeat_at.as_ref(),
        run.finished_at.as_ref(),
    ] {
        let time = time.expect("a time");
        assert_eq!(
            (time.len(), &time[10..11], &time[23..]),
            (24, "T", "Z"),
            "{time}"
        );
    }
    assert!((0..60_000).contains(&run.duration_ms));
}

async fn a_failure_keeps_its_step_code_and_output(db: Db) {
    let target = db.target();
    let locked = hold(&target, "r1", "run1").await;
    let failed = RunOutcome {
        state: RunState::Failed,
        step: Some("verify".to_owned()),
        exit_code: None,
        term_signal: Some(9),
        command: Some("verify --all".to_owned()),
        note: Some("killed".to_owned()),
        output_tail: Some("line\nlast\0line 🦀 \u{fffd}".to_owned()),
    };
    locked
        .record("run1", &failed, &mut |_| {})
        .await
        .expect("recorded");
    let run = connect(&target)
        .await
        .history(1)
        .await
        .expect("history")
        .remove(0);
    assert_eq!(
        (
            run.state.as_str(),
            run.step.as_deref(),
            run.term_signal,
            run.exit_code
        ),
        ("failed", Some("verify"), Some(9), None)
    );
    assert_eq!(
        (run.command.as_deref(), run.note.as_deref()),
        (Some("verify --all"), Some("killed"))
    );
    assert_eq!(
        run.output_tail.as_deref(),
        Some("line\nlast\u{fffd}line 🦀 \u{fffd}")
    );
    assert_eq!(rows(&target, "r1").await[0].note.as_deref(), Some("killed"));
}

async fn a_dropped_holder_leaves_the_lock(db: Db) {
    let target = db.target();
    drop(hold(&target, "r", "run1").await);
    until("the lock is free", async || !is_busy(&target).await).await;
    assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Running));
}

async fn a_row_leaves_running_once(db: Db) {
    let target = db.target();
    let mut locked = hold(&target, "r", "run1").await;
    db.sql("UPDATE launchgate_runs SET state = 'interrupted'");
    if !db.is_sqlite() {
        assert!(matches!(
            locked.renew("run1", None, || {}).await.lease,
            Err(Error::Lost(_))
        ));
    }
    assert!(matches!(
        locked
            .renew("run1", Some(("verify", "x")), || ())
            .await
            .lease,
        Err(Error::Lost(_))
    ));
    let error = locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect_err("not running");
    assert!(
        matches!(error, RecordError::NotRecorded(Error::Lost(_))),
        "{error:?}"
    );
    assert_eq!(
        target.run_state("run1").await,
        Ok(Some(RunState::Interrupted))
    );
    until("the lock is free", async || !is_busy(&target).await).await;
}

async fn an_end_without_the_lock_is_never_a_success(db: Db) {
    let target = db.target();
    drop(hold(&target, "r", "run1").await);
    assert!(
        target
            .interrupt_own("run1", &outcome(RunState::Succeeded))
            .await
            .is_err()
    );
    assert_eq!(
        target
            .interrupt_own("run1", &outcome(RunState::Interrupted))
            .await,
        Ok(true)
    );
    assert_eq!(
        target
            .interrupt_own("run1", &outcome(RunState::Failed))
            .await,
        Ok(false)
    );
    assert_eq!(
        target.run_state("run1").await,
        Ok(Some(RunState::Interrupted))
    );
}

async fn an_operators_decision_needs_no_ledger_before(db: Db) {
    let target = db.target();
    if db.is_sqlite() {
        // It makes no file.
        let mut session = connect(&target).await;
        let decided = session.decide_by_operator("r", RunState::Blocked, None, "me");
        assert!(matches!(decided.await, Err(Error::Refused { .. })));
        assert!(!db.sqlite_file().exists());
        db.sql("CREATE TABLE app (a)");
    }
    let mut session = connect(&target).await;
    for state in [RunState::Blocked, RunState::Reset, RunState::Succeeded] {
        session
            .decide_by_operator("r", state, Some("by hand 🦀"), "me")
            .await
            .expect("decided");
        assert_eq!(rows(&target, "r").await[0].state, Some(state));
    }
    let seen = rows(&target, "r").await;
    assert_eq!(
        (seen.len(), seen[0].note.as_deref(), seen[0].holder.as_str()),
        (3, Some("by hand 🦀"), "me")
    );
    assert!(
        seen[0].id > seen[1].id && seen[1].id > seen[2].id,
        "newest first"
    );
    assert!(
        session
            .history(5)
            .await
            .expect("history")
            .iter()
            .all(|run| run.finished_at.is_some())
    );
}
