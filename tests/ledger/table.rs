//! Rules for every backend about the ledger's table and its contents.
//!
//! "Ledger columns: `id`, `app`, `revision`" (contract, section 5)

use launchgate::db::{
    Error,
    ledger::{Ledger, REVISION_MAX, RunState},
};

use super::{
    common::backends::Db,
    connection::{connect, lock},
    rules::{hold, new_run, on_all, outcome, rows},
};

on_all!(
    each_version,
    [
        any_text_comes_back_as_it_was,
        a_revision_that_fits_no_index_is_refused,
        revisions_that_differ_by_a_trailing_space_are_two,
        a_ledger_of_another_shape_is_refused_by_name_of_the_column,
        rows_of_a_newer_launchgate_are_tolerated,
        the_database_describes_itself,
        a_success_counts_however_many_rows_are_newer,
        apps_may_make_the_ledger_at_the_same_moment,
    ]
);

async fn any_text_comes_back_as_it_was(db: Db) {
    let target = db.target();
    let odd = "v1'; DROP TABLE launchgate_runs; --\n\\'\"`%_$1?🦀 ü \u{1}";
    hold(&target, odd, "odd'\\")
        .await
        .record("odd'\\", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    let seen = rows(&target, odd).await;
    assert_eq!(
        (seen[0].revision.as_str(), seen[0].run_id.as_str()),
        (odd, "odd'\\")
    );
    let long = "é".repeat(REVISION_MAX);
    hold(&target, &long, "long")
        .await
        .record("long", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    assert_eq!(rows(&target, &long).await[0].revision, long);
    assert!(rows(&target, &"x".repeat(10_000)).await.is_empty());
}

async fn a_revision_that_fits_no_index_is_refused(db: Db) {
    let mut locked = lock(&db.target()).await;
    locked.create_ledger().await.expect("a ledger");
    let error = locked
        .append(&new_run(&"x".repeat(10_000), "run"))
        .await
        .expect_err("too long");
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    locked.release().await;
}

async fn revisions_that_differ_by_a_trailing_space_are_two(db: Db) {
    let target = db.target();
    hold(&target, "v1 ", "run1")
        .await
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    assert!(rows(&target, "v1").await.is_empty());
    assert!(rows(&target, "V1 ").await.is_empty());
    assert_eq!(rows(&target, "v1 ").await.len(), 1);
}

async fn a_ledger_of_another_shape_is_refused_by_name_of_the_column(db: Db) {
    let target = db.target();
    db.sql("CREATE TABLE launchgate_runs (id int, app varchar(9), revision varchar(9), run_id varchar(9), state varchar(9))");
    let error = connect(&target)
        .await
        .read_ledger(Some("r"))
        .await
        .expect_err("another shape");
    assert!(
        matches!(&error, Error::Refused { what, .. } if what.contains("lease_until") || what.contains("holder") || what.contains("started_at")),
        "{error}"
    );
    let mut locked = lock(&target).await;
    let error = locked.create_ledger().await.expect_err("another shape");
    assert!(
        matches!(&error, Error::Refused { what, hint } if what.contains("release_id") && hint.contains("print-ddl")),
        "{error}"
    );
    locked.release().await;
}

async fn rows_of_a_newer_launchgate_are_tolerated(db: Db) {
    let target = db.target();
    hold(&target, "r", "run1")
        .await
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
    db.sql("ALTER TABLE launchgate_runs ADD COLUMN colour varchar(9)");
    db.sql("UPDATE launchgate_runs SET state = 'paused', colour = 'red'");
    assert_eq!(rows(&target, "r").await[0].state, None);
    assert_eq!(
        connect(&target).await.history(1).await.expect("history")[0].state,
        "paused"
    );
    hold(&target, "r2", "run2")
        .await
        .record("run2", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
}

async fn the_database_describes_itself(db: Db) {
    let target = db.target();
    let mut session = connect(&target).await;
    let info = session.describe().await.expect("a description");
    assert!(!info.ledger_exists && !info.read_only, "{info:?}");
    assert_eq!((info.can_create, info.can_write_ledger), (Some(true), None));
    hold(&target, "r", "run1").await.release().await;
    let info = session.describe().await.expect("a description");
    assert_eq!(
        (info.ledger_exists, info.can_write_ledger),
        (true, Some(true))
    );
    let (product, version, pooler) = match &db {
        Db::Postgres(_, pooler) => {
            let version = db.sql("show server_version");
            let major = version.split_inclusive('.').next().expect("a version");
            let pooler = pooler.as_ref().map(|_| "PgBouncer");
            ("PostgreSQL", major.to_owned(), pooler)
        }
        Db::Maria(_) if db.sql("select version()").contains("MariaDB") => {
            ("MariaDB", "10.".to_owned(), None)
        }
        Db::Maria(_) => ("MySQL", "9.".to_owned(), None),
        Db::Sqlite(_) => ("SQLite", "3.".to_owned(), None),
    };
    assert_eq!((info.product, info.pooler.as_deref()), (product, pooler));
    assert!(info.version.starts_with(&version), "{info:?}");
}

/// "more than 2,000 newer rows of other states for a succeeded revision: the success counts" (CASES, 1.10)
async fn a_success_counts_however_many_rows_are_newer(db: Db) {
    let target = db.target();
    for (run_id, state) in [
        ("success", RunState::Succeeded),
        ("failure", RunState::Failed),
    ] {
        hold(&target, "r", run_id)
            .await
            .record(run_id, &outcome(state), &mut |_| {})
            .await
            .expect("recorded");
    }
    db.sql("UPDATE launchgate_runs SET state = 'failed', revision = 'r2' WHERE run_id = 'success'");
    for doubling in 0..12 {
        db.sql(&format!(
            "INSERT INTO launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
             SELECT app, revision, {}, attempt, state, holder, version, started_at FROM launchgate_runs WHERE state = 'failed'",
            if matches!(db, Db::Maria(_)) { format!("CONCAT('{doubling}-', id)") } else { format!("'{doubling}-' || id") }
        ));
    }
    let read = rows(&target, "r").await;
    assert_eq!(read.len(), 2000, "as many as an attempt's number needs");
    db.sql(
        "UPDATE launchgate_runs SET state = 'succeeded', revision = 'r' WHERE run_id = 'success'",
    );
    let read = rows(&target, "r").await;
    assert!(read.len() < 200, "{}", read.len());
    assert!(
        read.iter()
            .any(|row| row.state == Some(RunState::Succeeded))
    );
}

async fn apps_may_make_the_ledger_at_the_same_moment(db: Db) {
    let target = |app| db.target_for(app);
    let (a, b, c) = (target("a"), target("b"), target("c"));
    let (mut a, mut b, mut c) = (lock(&a).await, lock(&b).await, lock(&c).await);
    if !db.is_sqlite() {
        let opened = tokio::join!(
            a.read_ledger(None),
            b.read_ledger(None),
            c.read_ledger(None)
        );
        let missing = || Ok(Ledger::Missing);
        assert_eq!(opened, (missing(), missing(), missing()));
    }
    let made = tokio::join!(a.create_ledger(), b.create_ledger(), c.create_ledger());
    for made in [made.0, made.1, made.2] {
        made.expect("a ledger");
    }
}
