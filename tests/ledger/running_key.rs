//! The third guard, and ledgers that were made before there was one.
//!
//! "Third, a unique key: a second `running` row of an app can't be inserted […]; whoever loses there
//! waits like any other. An older ledger gets the key when it is next written, whatever rows it holds."
//! (contract, section 5)

use launchgate::db::{
    Appended, LedgerCreation,
    ledger::{RunOutcome, RunState},
};

use super::{
    common::backends::{Db, target},
    connection::{lock, run},
    rules::{hold, new_run, on_all, outcome, rows},
};

on_all!(
    each_version,
    [
        a_second_running_row_of_an_app_is_busy,
        an_older_ledger_gets_the_key,
        rows_of_dead_holders_do_not_keep_the_key_away,
        an_older_launchgate_goes_on_in_a_ledger_with_the_key,
    ]
);

#[test]
fn two_live_rows_of_another_app_leave_the_key_for_later() {
    run(leave_the_key_for_later(Db::postgres_15()));
    run(leave_the_key_for_later(Db::mariadb()));
}

/// The ledger as launchgate 0.1 made it.
pub fn create_older_ledger(db: &Db) {
    db.sql(match db {
        Db::Postgres(..) => include_str!("ledger_0_1/postgres.sql"),
        Db::Maria(_) => include_str!("ledger_0_1/mysql.sql"),
        Db::Sqlite(_) => include_str!("ledger_0_1/sqlite.sql"),
    });
}

/// A row as launchgate 0.1 inserts it: with these columns and no others.
fn insert_running(db: &Db, app: &str, run_id: &str, lease_until: &str) -> String {
    db.sql(&format!(
        "INSERT INTO launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at, heartbeat_at, lease_until) \
         VALUES ('{app}', 'old', '{run_id}', 1, 'running', 'old:1', '0.1.0', {now}, {now}, {lease_until})",
        now = past(db)
    ))
}

fn past(db: &Db) -> &'static str {
    if db.is_postgres() {
        "now() - interval '1 minute'"
    } else if db.is_sqlite() {
        "'2020-01-01T00:00:00.000Z'"
    } else {
        "UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE"
    }
}

fn future(db: &Db) -> &'static str {
    if db.is_postgres() {
        "now() + interval '1 minute'"
    } else {
        "UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE"
    }
}

fn states(db: &Db) -> String {
    let all = db.sql("SELECT run_id, state FROM launchgate_runs ORDER BY id");
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn a_second_running_row_of_an_app_is_busy(db: Db) {
    let target = db.target();
    let mut locked = hold(&target, "r", "run1").await;
    // Under the same lock, as two nodes of a cluster would both have it.
    assert_eq!(
        locked.append(&new_run("r2", "run2")).await,
        Ok(Appended::Busy)
    );
    locked.confirm().await.expect("the lock");
    let mut other = hold(&db.target_for("other"), "r", "run3").await;
    other.confirm().await.expect("the other app's lock");
    locked
        .record("run1", &outcome(RunState::Failed), &mut |_| {})
        .await
        .expect("recorded");
    let mut next = lock(&target).await;
    assert_eq!(next.create_ledger().await, Ok(LedgerCreation::Existed));
    assert_eq!(
        next.append(&new_run("r2", "run2")).await,
        Ok(Appended::Running)
    );
    next.release().await;
    other.release().await;
}

async fn an_older_ledger_gets_the_key(db: Db) {
    create_older_ledger(&db);
    let target = db.target();
    let mut locked = lock(&target).await;
    assert_eq!(locked.create_ledger().await, Ok(LedgerCreation::Upgraded));
    assert_eq!(locked.create_ledger().await, Ok(LedgerCreation::Existed));
    assert_eq!(
        locked.append(&new_run("r", "run1")).await,
        Ok(Appended::Running)
    );
    assert_eq!(
        locked.append(&new_run("r", "run2")).await,
        Ok(Appended::Busy)
    );
    locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Succeeded));
}

async fn rows_of_dead_holders_do_not_keep_the_key_away(db: Db) {
    create_older_ledger(&db);
    for (app, run_id) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        insert_running(&db, app, run_id, past(&db));
    }
    let mut locked = lock(&db.target()).await;
    assert_eq!(locked.create_ledger().await, Ok(LedgerCreation::Upgraded));
    // Each app's newest row is left to that app's next holder.
    assert_eq!(
        states(&db),
        "a1|interrupted a2|interrupted b1|running a3|running"
    );
    locked.release().await;
}

async fn an_older_launchgate_goes_on_in_a_ledger_with_the_key(db: Db) {
    hold(&db.target(), "r", "run1")
        .await
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    insert_running(&db, "default", "old1", past(&db));
    db.sql(
        "UPDATE launchgate_runs SET state = 'failed' WHERE run_id = 'old1' AND state = 'running'",
    );
    insert_running(&db, "default", "old2", past(&db));
    assert_eq!(states(&db), "run1|succeeded old1|failed old2|running");
    // And the other way round: its dead row is closed, then this one runs.
    let mut locked = lock(&db.target()).await;
    let closed = locked.interrupt(&["old2".to_owned()], "dead").await;
    assert_eq!(closed, Ok(1));
    assert_eq!(
        locked.append(&new_run("r2", "run2")).await,
        Ok(Appended::Running)
    );
    locked.release().await;
}

async fn leave_the_key_for_later(db: Db) {
    create_older_ledger(&db);
    for run_id in ["o1", "o2"] {
        insert_running(&db, "other", run_id, future(&db));
    }
    let mut locked = lock(&db.target()).await;
    let creation = locked
        .create_ledger()
        .await
        .expect("the ledger is used all the same");
    assert!(
        matches!(&creation, LedgerCreation::Outdated { add, .. } if add.contains("launchgate_runs_running")),
        "{creation:?}"
    );
    assert_eq!(
        locked.append(&new_run("r", "run1")).await,
        Ok(Appended::Running)
    );
    locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    db.sql("UPDATE launchgate_runs SET state = 'failed' WHERE run_id = 'o1'");
    let mut locked = lock(&db.target()).await;
    assert_eq!(locked.create_ledger().await, Ok(LedgerCreation::Upgraded));
    locked.release().await;
}

#[test]
fn a_role_that_may_not_add_the_key_runs_without_it_and_is_told_the_statement() {
    let db = Db::postgres_15();
    create_older_ledger(&db);
    db.sql(
        "CREATE ROLE deploy LOGIN PASSWORD 'p'; GRANT SELECT, INSERT, UPDATE ON launchgate_runs TO deploy",
    );
    run(async {
        let mut locked = lock(&target(&db.url_as("deploy", "p"), "default")).await;
        let creation = locked
            .create_ledger()
            .await
            .expect("the ledger is used all the same");
        let LedgerCreation::Outdated { why, add } = creation else {
            panic!("{creation:?}");
        };
        assert!(why.contains("owner"), "{why}");
        assert_eq!(
            locked.append(&new_run("r", "run1")).await,
            Ok(Appended::Running)
        );
        let end = RunOutcome {
            note: None,
            ..outcome(RunState::Succeeded)
        };
        locked
            .record("run1", &end, &mut |_| {})
            .await
            .expect("recorded");
        db.sql(&add);
        let mut locked = lock(&target(&db.url_as("deploy", "p"), "default")).await;
        assert_eq!(locked.create_ledger().await, Ok(LedgerCreation::Existed));
        locked.release().await;
    });
}
