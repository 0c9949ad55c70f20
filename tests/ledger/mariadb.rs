//! `MariaDB` only.
//!
//! "`GET_LOCK(name, 0)`, which must return 1, with `wait_timeout` = lease; the name carries app
//! and database, since names are server-wide." (contract, section 5)

use launchgate::db::{
    Backend, Error, ddl,
    ledger::{RowLease, RunState},
};

use super::{
    common::{
        backends::{Db, NAME},
        servers::MariaDb,
    },
    connection::{connect, lock, run, target},
    rules::{hold, outcome, rows},
};

fn refused(error: &Error, words: &str) {
    assert!(
        matches!(error, Error::Refused { what, hint } | Error::NotReady { what, hint } if what.contains(words) && !hint.is_empty()),
        "{error:?}"
    );
}

async fn connect_error(url: &str) -> Error {
    target(url, "default")
        .connect()
        .await
        .err()
        .expect("no connection")
}

#[test]
fn what_goes_over_is_not_yet_and_what_stays_is_refused() {
    let server = MariaDb::with(&["--max-connections=4"]);
    run(async {
        refused(
            &connect_error(&server.url_as("root", "wrong", "mysql")).await,
            "Access denied",
        );
        refused(
            &connect_error(&server.url("none")).await,
            "Unknown database",
        );
        refused(
            &connect_error(&format!("{}?ssl-mode=REQUIRED", server.url("mysql"))).await,
            "TLS",
        );
        let mut sessions = Vec::new();
        let full = loop {
            match target(&server.url("mysql"), "default").connect().await {
                Ok(session) => sessions.push(session),
                Err(error) => break error,
            }
        };
        assert!(matches!(full, Error::Full(_)), "{full:?}");
        server.stop();
        let down = connect_error(&server.url("mysql")).await;
        assert!(matches!(down, Error::NotYet(_)), "{down:?}");
        for mut session in sessions {
            assert!(matches!(
                session.read_ledger(None).await,
                Err(Error::Broken(_))
            ));
        }
    });
}

#[test]
fn a_read_only_server_is_refused_but_may_be_looked_at() {
    let server = MariaDb::start();
    server.create_database("app");
    let target = target(&server.url("app"), "default");
    run(async {
        hold(&target, "r", "run1")
            .await
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        server.sql("", "SET GLOBAL read_only = 1");
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
    });
}

#[test]
fn defaults_of_the_server_change_nothing() {
    let server = MariaDb::with(&[
        "--autocommit=0",
        "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES",
        "--transaction-isolation=REPEATABLE-READ",
        "--default-time-zone=+05:30",
        "--character-set-server=latin1",
        "--lower-case-table-names=1",
    ]);
    server.create_database("App");
    let target = target(&server.url("App"), "default");
    run(async {
        let mut locked = hold(&target, "r 🦀", "run1").await;
        assert_eq!(rows(&target, "r 🦀").await[0].lease, RowLease::Live);
        locked.prove().await.expect("proof");
        locked
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(
            rows(&target, "r 🦀").await[0].state,
            Some(RunState::Succeeded)
        );
    });
}

#[test]
fn a_user_that_may_not_create_uses_a_ledger_that_exists() {
    let db = Db::mariadb();
    let user = format!("u{NAME}");
    db.sql(&format!("CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'p'; GRANT SELECT ON {NAME}.* TO {user}@'127.0.0.1'"));
    let url = db.url().replace("root:s3cret%2F%27x", &format!("{user}:p"));
    let target = target(&url, "default");
    run(async {
        let mut locked = lock(&target).await;
        let error = locked.create_ledger().await.expect_err("no privilege");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("launchgate print-ddl --database mysql")),
            "{error:?}"
        );
        locked.release().await;
        db.sql(&ddl(
            Backend::Mysql,
            None,
            Some(&format!("{user}@127.0.0.1")),
        ));
        hold(&target, "r", "run1")
            .await
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
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
fn a_restarted_server_has_no_holder() {
    let server = MariaDb::start();
    server.create_database("app");
    let target = target(&server.url("app"), "default");
    run(async {
        let mut locked = hold(&target, "r", "run1").await;
        server.restart();
        assert!(matches!(locked.confirm().await, Err(Error::Lost(_))));
        locked
            .renew("run1", None, || {})
            .await
            .lease
            .expect("the row is still there");
        assert_eq!(
            target
                .interrupt_own("run1", &outcome(RunState::Interrupted))
                .await,
            Ok(true)
        );
    });
}

#[test]
fn a_url_without_a_database_is_refused() {
    let db = Db::mariadb();
    let url = db.url().replace(&format!("/{NAME}"), "/");
    run(async {
        refused(
            &connect(&target(&url, "default"))
                .await
                .try_lock()
                .await
                .err()
                .expect("refused"),
            "no database",
        );
    });
}
