//! Postgres only.
//!
//! "Postgres: `pg_try_advisory_xact_lock` (two-integer key space) in a READ COMMITTED transaction
//! held open, with `idle_in_transaction_session_timeout` = lease" (contract, section 5)

use launchgate::db::{
    Backend, Error, RecordError, Target, ddl,
    ledger::{Ledger, RunState},
};

use super::{
    common::{
        backends::{Db, NAME},
        servers::Postgres,
    },
    connection::{connect, lock, run, target, until},
    rules::{hold, outcome, rows},
};

pub const RUN: &str = "0123456789abcdef0123456789abcdef";

pub fn refused(error: &Error, words: &str) {
    match error {
        Error::Refused { what, hint } | Error::NotReady { what, hint } => {
            assert!(what.contains(words), "{what}");
            assert!(!hint.is_empty());
        }
        other => panic!("not refused: {other:?}"),
    }
}

pub fn not_yet(error: &Error) {
    assert!(
        matches!(error, Error::NotYet(_) | Error::Full(_)),
        "{error:?}"
    );
}

pub async fn connect_error(url: &str) -> Error {
    target(url, "default")
        .connect()
        .await
        .err()
        .expect("no connection")
}

/// Whoever made the ledger, as long as it is trusted. The server logs a message's statements as one, and no
/// error.
#[test]
fn the_fast_path_is_one_message() {
    let server = Postgres::with(
        &super::common::servers::postgres_15(),
        &["log_statement=all"],
    );
    server.create_database("app");
    server.sql(
        "app",
        "CREATE ROLE deploy LOGIN PASSWORD 'p'; GRANT CREATE ON DATABASE app TO deploy; \
         CREATE ROLE company; GRANT company TO deploy; CREATE ROLE landlord; \
         ALTER DATABASE app OWNER TO landlord; CREATE ROLE chief SUPERUSER; CREATE ROLE stranger",
    );
    let deploy = target(&server.url_as("deploy", "p", "app"), "default");
    let named = Target {
        ledger: Some("launchgate".to_owned()),
        ..deploy.clone()
    };
    run(async {
        let locked = hold(&deploy, "r", "run1").await;
        locked
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await
    })
    .expect("recorded");
    server.sql(
        "app",
        "GRANT USAGE ON SCHEMA launchgate TO deploy; GRANT SELECT ON launchgate.launchgate_runs TO public",
    );
    for (owner, of_schema, target) in [
        ("deploy", "deploy", &deploy),
        ("company", "company", &deploy),
        ("landlord", "chief", &deploy),
        ("chief", "landlord", &deploy),
        ("stranger", "stranger", &named),
    ] {
        server.sql(
            "app",
            &format!(
                "ALTER SCHEMA launchgate OWNER TO {of_schema}; ALTER TABLE launchgate.launchgate_runs OWNER TO {owner}; \
                 GRANT USAGE ON SCHEMA launchgate TO deploy; GRANT SELECT ON launchgate.launchgate_runs TO deploy; \
                 SELECT 'before {owner}'"
            ),
        );
        run(async {
            let mut session = connect(target).await;
            assert!(
                matches!(session.read_ledger(Some("r")).await, Ok(Ledger::Rows(rows)) if rows.len() == 1)
            );
            session.close().await;
            server.sql("postgres", &format!("SELECT 'after {owner}'"));
            let after = format!("'after {owner}'");
            until("the log has it", async || server.log().contains(&after)).await;
        });
        let log = server.log();
        let lines = log
            .lines()
            .filter(|line| line.contains("LOG:  ") || line.contains("ERROR:  "));
        let lines: Vec<_> = lines
            .skip_while(|line| !line.contains(&format!("'before {owner}'")))
            .collect();
        assert!(lines[1].contains("statement: SET TRANSACTION"), "{lines:?}");
        assert!(
            lines[2].contains(&format!("'after {owner}'")),
            "{owner}: {lines:?}"
        );
    }
}

#[test]
fn a_read_only_session_is_refused_but_may_look() {
    let db = Db::postgres_15();
    let target = db.target();
    run(async {
        hold(&target, "r", RUN)
            .await
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        db.sql(&format!(
            "ALTER DATABASE {NAME} SET default_transaction_read_only = on"
        ));
        assert_eq!(rows(&target, "r").await.len(), 1);
        refused(
            &connect(&target)
                .await
                .try_lock()
                .await
                .err()
                .expect("refused"),
            "read-only",
        );
        assert!(
            connect(&target)
                .await
                .describe()
                .await
                .expect("a description")
                .read_only
        );
    });
}

#[test]
fn a_role_that_may_not_create_uses_a_ledger_that_exists() {
    let db = Db::postgres_15();
    let role = format!("r{NAME}");
    db.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'p'"));
    let target = target(&db.postgres().url_as(&role, "p", NAME), "default");
    run(async {
        let mut locked = lock(&target).await;
        let error = locked.create_ledger().await.expect_err("no privilege");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("launchgate print-ddl --database postgres")),
            "{error:?}"
        );
        locked.release().await;
        db.sql(&ddl(Backend::Postgres, None, None));
        refused(
            &connect(&target)
                .await
                .read_ledger(None)
                .await
                .expect_err("no privilege"),
            "permission denied",
        );
        db.sql(&ddl(Backend::Postgres, None, Some(&role)));
        hold(&target, "r", RUN)
            .await
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        let info = connect(&target)
            .await
            .describe()
            .await
            .expect("a description");
        assert_eq!(
            (info.can_create, info.can_write_ledger),
            (Some(false), Some(true))
        );
    });
}

#[test]
fn the_lock_s_transaction_has_no_lock_on_a_table() {
    for (name, db) in [
        ("15", Db::postgres_15()),
        ("18", Db::postgres_18()),
        ("PgBouncer", Db::pgbouncer()),
    ] {
        run(async {
            let mut locked = hold(&db.target(), "r", RUN).await;
            locked.confirm().await.expect("the lock");
            let others = db.sql(
                "SELECT string_agg(l.locktype || ' ' || coalesce(l.relation::regclass::text, ''), ', ') FROM pg_locks l \
                 WHERE l.locktype NOT IN ('advisory', 'virtualxid') AND l.pid IN (SELECT a.pid FROM pg_locks a \
                 JOIN pg_database d ON d.oid = a.database WHERE a.locktype = 'advisory' AND d.datname = current_database())",
            );
            assert_eq!(others, "", "{name}");
            locked.release().await;
        });
    }
}

#[test]
fn a_migration_may_lock_or_rename_the_ledger_while_the_lock_is_held() {
    let db = Db::postgres_15();
    let target = db.target();
    run(async {
        let mut locked = hold(&target, "r", RUN).await;
        db.sql("BEGIN; LOCK TABLE launchgate_runs; COMMIT; ALTER TABLE launchgate_runs ADD COLUMN x int");
        db.sql("CREATE TABLE t (a int)");
        db.sql("CREATE INDEX CONCURRENTLY ON t (a)");
        locked
            .renew(RUN, None, || ())
            .await
            .lease
            .expect("a heartbeat");
        db.sql("DROP TABLE launchgate_runs");
        let error = locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect_err("no ledger: it was dropped after the last look");
        let RecordError::NotRecorded(error) = error else {
            panic!("{error:?}")
        };
        refused(&error, "launchgate_runs");
    });
}

#[test]
fn a_database_that_cannot_hold_unicode_gets_ascii() {
    let db = Db::postgres_15();
    let name = format!("{NAME}l");
    db.sql(&format!(
        "CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'"
    ));
    let target = target(&db.postgres().url(&name), "default");
    run(async {
        let mut end = outcome(RunState::Succeeded);
        end.output_tail = Some("done 🦀".to_owned());
        hold(&target, "r", RUN)
            .await
            .record(RUN, &end, &mut |_| {})
            .await
            .expect("recorded");
        let run = connect(&target)
            .await
            .history(1)
            .await
            .expect("history")
            .remove(0);
        assert_eq!(run.output_tail.as_deref(), Some("done ?"));
        drop(hold(&target, "r2", "run2").await);
        end.state = RunState::Interrupted;
        assert_eq!(target.interrupt_own("run2", &end).await, Ok(true));
        let mut session = connect(&target).await;
        session
            .decide_by_operator("r", RunState::Blocked, Some("🦀"), "me")
            .await
            .expect("decided");
    });
}

#[test]
fn a_restarted_server_has_no_holder() {
    let server = Postgres::start();
    server.create_database("app");
    let target = target(&server.url("app"), "default");
    run(async {
        let mut locked = hold(&target, "r", RUN).await;
        server.restart();
        assert!(matches!(locked.confirm().await, Err(Error::Lost(_))));
        locked
            .renew(RUN, None, || {})
            .await
            .lease
            .expect("the row is still there");
        assert!(
            locked
                .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
                .await
                .is_err()
        );
        assert_eq!(
            target
                .interrupt_own(RUN, &outcome(RunState::Interrupted))
                .await,
            Ok(true)
        );
    });
}

#[test]
fn a_limit_for_transactions_does_not_end_the_lock() {
    let db = Db::postgres_18();
    db.sql(&format!(
        "ALTER DATABASE {NAME} SET transaction_timeout = '500ms'"
    ));
    let target = db.target();
    run(async {
        let mut locked = hold(&target, "r", RUN).await;
        db.sql("SET transaction_timeout = 0; SELECT pg_sleep(1)");
        locked.confirm().await.expect("the lock");
        locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
    });
}
