//! `PgBouncer` only.
//!
//! "correct through PgBouncer in transaction mode as installed" (contract, section 5)

use launchgate::db::{
    Error,
    ledger::{Ledger, RunState},
};

use super::{
    common::servers::{Postgres, Proxy},
    connection::{connect, lock, run, target, until},
    postgres::{RUN, connect_error, not_yet, refused},
    rules::{hold, outcome},
};

#[test]
fn pgbouncer_says_no_and_not_yet() {
    let server = Postgres::start();
    let bouncer = Proxy::pgbouncer(&server, "pool_mode = transaction\n");
    run(async {
        let url = bouncer.url("postgres");
        let wrong = url.replace("s3cret", "wrong");
        refused(&connect_error(&wrong).await, "");
        let mut session = match target(&bouncer.url("none"), "default").connect().await {
            Err(error) => return refused(&error, "none"),
            Ok(session) => session,
        };
        refused(
            &session
                .read_ledger(None)
                .await
                .expect_err("no such database"),
            "none",
        );
    });
    run(async {
        let target = target(&bouncer.url("postgres"), "default");
        let mut locked = hold(&target, "r", RUN).await;
        bouncer.restart();
        assert!(matches!(locked.confirm().await, Err(Error::Lost(_))));
        locked
            .renew(RUN, None, || {})
            .await
            .lease
            .expect("a heartbeat through the new pooler");
        server.stop();
        // the pooler finds out by itself: at first a broken connection, then its own words
        until("the pooler says not yet", async || {
            match target.connect().await {
                Err(error) => matches!(error, Error::NotYet(_)),
                Ok(mut session) => matches!(
                    session.read_ledger(None).await,
                    Err(Error::NotYet(_) | Error::Broken(_))
                ),
            }
        })
        .await;
        bouncer.stop();
        not_yet(&connect_error(&bouncer.url("postgres")).await);
    });
}

#[test]
fn statement_pooling_is_refused() {
    let server = Postgres::start();
    let bouncer = Proxy::pgbouncer(&server, "pool_mode = statement\n");
    run(async {
        let target = target(&bouncer.url("postgres"), "default");
        let error = connect(&target)
            .await
            .try_lock()
            .await
            .err()
            .expect("no transactions");
        refused(&error, "");
    });
}

#[test]
fn a_search_path_that_a_pooler_kept_leads_nowhere_else() {
    let server = Postgres::start();
    let bouncer = Proxy::pgbouncer(&server, "pool_mode = transaction\ndefault_pool_size = 2\n");
    server.create_database("app");
    let target = target(&bouncer.url("app"), "default");
    run(async {
        hold(&target, "r", RUN)
            .await
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        // as pg_dump leaves it on every connection of the pool
        let options: sqlx::postgres::PgConnectOptions =
            bouncer.url("app").parse().expect("options");
        let options = options.extra_float_digits(None).statement_cache_capacity(0);
        let mut others = Vec::new();
        for _ in 0..2 {
            let mut other = sqlx::ConnectOptions::connect(&options)
                .await
                .expect("a session");
            sqlx::Executor::execute(
                &mut other,
                "BEGIN; SELECT set_config('search_path', '', false)",
            )
            .await
            .expect("set");
            others.push(other);
        }
        for mut other in others {
            sqlx::Executor::execute(&mut other, "COMMIT")
                .await
                .expect("commit");
        }
        let first = connect(&target).await.read_ledger(Some("r")).await;
        assert!(
            matches!(&first, Ok(Ledger::Rows(rows)) if rows[0].state == Some(RunState::Succeeded)),
            "{first:?}"
        );
        let mut locked = lock(&target).await;
        match locked.read_ledger(Some("r")).await.expect("a look") {
            Ledger::Rows(rows) => assert_eq!(rows[0].state, Some(RunState::Succeeded)),
            Ledger::Missing => panic!("another ledger"),
        }
        locked.release().await;
    });
}
