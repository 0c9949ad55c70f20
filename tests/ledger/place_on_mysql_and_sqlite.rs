//! Where the ledger is on MySQL, MariaDB and SQLite.
//!
//! "MySQL, MariaDB: database `launchgate` where it exists and can be used, else the URL's. SQLite: in the
//! file, but launchgate never creates the file nor the table before the steps ran" (contract, section 5)

use launchgate::db::{
    Backend, DroppedLedger, LedgerCreation, Recorded, Target, ddl, ledger::RunState,
};

use super::{
    common::backends::{Db, NAME, target},
    connection::{connect, lock, run},
    place::{places, succeed},
    postgres::{RUN, refused},
    rules::{hold, new_run, outcome, rows},
};

#[test]
fn on_mysql_a_database_of_its_own_is_used_where_there_is_one() {
    let db = Db::mariadb();
    let target = db.target();
    let other = target_of(&db, "other");
    run(async {
        db.sql("CREATE DATABASE launchgate; CREATE DATABASE other");
        succeed(&target, "r", "run1").await;
        assert_eq!(places(&db), "launchgate");
        assert_eq!(rows(&target, "r").await.len(), 1);
        // The ledger is one for all databases of the server; a success is one database's.
        assert_eq!(rows(&other, "r").await.len(), 0);
        succeed(&other, "r", "run2").await;
        assert_eq!(rows(&target, "r").await[0].run_id, "run1");
        let mut session = connect(&other).await;
        let history = session.history(9).await.expect("history");
        assert_eq!((history.len(), history[0].app.as_str()), (1, "default"));
        assert_eq!(session.apps(None, 9).await, Ok(vec!["default".to_owned()]));
        session.close().await;
        // One that is beside the tables remains in use, and both are asked.
        db.sql(include_str!("ledger_0_1/mysql.sql"));
        db.sql(
            "INSERT INTO launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
             VALUES ('default', 'r0', 'old', 1, 'succeeded', 'old:1', '0.1.0', UTC_TIMESTAMP(6))",
        );
        assert_eq!(rows(&target, "r0").await.len(), 1);
        assert_eq!(rows(&target, "r").await.len(), 1);
        succeed(&target, "r2", "run3").await;
        assert_eq!(db.sql("SELECT count(*) FROM shop.launchgate_runs"), "2");
    });
}

fn target_of(db: &Db, database: &str) -> Target {
    target(
        &db.url()
            .replace(&format!("/{NAME}"), &format!("/{database}")),
        "default",
    )
}

#[test]
fn on_mysql_a_user_without_that_database_gets_the_ledger_beside_its_tables() {
    let db = Db::mariadb();
    db.sql("CREATE DATABASE launchgate; CREATE USER deploy@'127.0.0.1' IDENTIFIED BY 'p'; GRANT ALL ON shop.* TO deploy@'127.0.0.1'");
    let url = db.url().replace("root:s3cret%2F%27x", "deploy:p");
    let deploy = target(&url, "default");
    run(async {
        let mut locked = lock(&deploy).await;
        let created = locked.create_ledger().await.expect("a ledger");
        assert!(
            matches!(&created, LedgerCreation::Created { table, in_the_way: Some(_) } if table.contains("shop")),
            "{created:?}"
        );
        locked.release().await;
        succeed(&deploy, "r", "run1").await;
        assert_eq!(rows(&deploy, "r").await.len(), 1);
        let named = Target {
            ledger: Some("elsewhere".to_owned()),
            ..deploy.clone()
        };
        let error = lock(&named)
            .await
            .create_ledger()
            .await
            .expect_err("no privilege");
        refused(&error, "denied");
        db.sql(&ddl(
            Backend::Mysql,
            Some("elsewhere"),
            Some("deploy@127.0.0.1"),
        ));
        succeed(&named, "r", "run2").await;
        assert_eq!(places(&db), "elsewhere shop");
        // A step may drop the database that the connections are in.
        let mut locked = hold(&deploy, "r2", RUN).await;
        db.sql("DROP DATABASE shop");
        assert_eq!(
            locked.renew(RUN, None, || {}).await.lease,
            Ok(Some(DroppedLedger::CreatedAfterSteps))
        );
        db.maria_db().sql("mysql", "CREATE DATABASE shop");
        let recreated = DroppedLedger::Recreated("`shop`.launchgate_runs".to_owned());
        assert_eq!(locked.keep_row(RUN).await, Ok(Some(recreated)));
        locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(
            rows(&deploy, "r2").await[0].state,
            Some(RunState::Succeeded)
        );
    });
}

#[test]
fn on_sqlite_neither_file_nor_table_is_made_before_the_steps_ran() {
    let db = Db::sqlite();
    let target = db.target();
    let begin = async |run_id: &str| {
        let mut locked = lock(&target).await;
        assert_eq!(locked.create_ledger().await, Ok(LedgerCreation::AfterSteps));
        locked.append(&new_run("r", run_id)).await.expect("begun");
        locked.confirm().await.expect("the lock");
        locked
            .renew(run_id, Some(("migrate", "x")), || ())
            .await
            .lease
            .expect("renewed");
        assert_eq!(locked.keep_row(run_id).await, Ok(None));
        locked
    };
    run(async {
        let locked = begin("run1").await;
        assert!(!db.sqlite_file().exists());
        let failed = outcome(RunState::Failed);
        assert_eq!(
            locked.record("run1", &failed, &mut |_| {}).await,
            Ok(Recorded::NoDatabase)
        );
        assert!(!db.sqlite_file().exists());
        let locked = begin("run2").await;
        db.sql("CREATE TABLE app (a)");
        assert_eq!(db.sql("SELECT count(*) FROM sqlite_master"), "1");
        assert_eq!(
            locked.record("run2", &failed, &mut |_| {}).await,
            Ok(Recorded::Written)
        );
        assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Failed));
        // From here on there is a ledger, as with a server.
        let mut locked = hold(&target, "r", "run3").await;
        assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Running));
        db.sql("DROP TABLE launchgate_runs");
        assert_eq!(
            locked.keep_row("run3").await,
            Ok(Some(DroppedLedger::CreatedAfterSteps))
        );
        locked
            .record("run3", &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Succeeded));
    });
}

/// A success without a database is one: the steps may have other things to do.
#[test]
fn on_sqlite_a_success_is_recorded_where_the_steps_made_no_file() {
    let db = Db::sqlite();
    let target = db.target();
    run(async {
        let mut locked = lock(&target).await;
        locked.create_ledger().await.expect("later");
        locked.append(&new_run("r", "run1")).await.expect("begun");
        let recorded = locked
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await;
        assert_eq!(recorded, Ok(Recorded::Written));
        assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Succeeded));
    });
}
