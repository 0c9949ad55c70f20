//! Sessions that an earlier run left on Postgres.
//!
//! "On Postgres the new holder first waits for orphans" (contract, section 5)

use std::process::Stdio;
use std::time::Duration;

use launchgate::db::Locked;

use super::{
    common::backends::{Db, NAME},
    connection::{lock, run, target, until},
    postgres::RUN,
};

/// Sessions that look like a step's, kept until they are dropped.
struct Step(std::process::Child);

impl Step {
    async fn start(db: &Db, role: &str, lock_id: &str, sql: &str) -> Self {
        let name = format!("launchgate/{lock_id}/{RUN}");
        let mut psql = db.postgres().psql(NAME, sql);
        let child = psql
            .env("PGAPPNAME", &name)
            .env("PGOPTIONS", format!("-c role={role}"));
        let child = child
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql");
        until("the step has a session", async || {
            db.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' AND query <> ''")) != "0"
        })
        .await;
        Self(child)
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many idle sessions of a run were ended.
async fn ended(locked: &mut Locked, run_id: &str) -> usize {
    let limit = Duration::from_secs(10);
    let done = locked.end_idle_sessions(&[run_id.to_owned()], limit).await;
    done.expect("an answer").ended
}

#[test]
fn an_active_session_of_an_earlier_run_is_an_orphan_until_it_ends() {
    let db = Db::postgres_15();
    let target = db.target();
    run(async {
        let first = lock(&target).await;
        let lock_id = first.lock_id().to_owned();
        let step = Step::start(&db, "postgres", &lock_id, "SELECT pg_sleep(60)").await;
        let _other = Step::start(&db, "postgres", "ffffffffffffffff", "SELECT pg_sleep(60)").await;
        first.release().await;
        let mut second = lock(&target).await;
        assert_eq!(second.lock_id(), lock_id);
        let orphans = second.orphans(&[]).await.expect("orphans");
        assert_eq!(orphans.len(), 1, "{orphans:?}");
        assert_eq!(
            (orphans[0].state.as_str(), orphans[0].run_id.as_str()),
            ("active", RUN)
        );
        assert_eq!(ended(&mut second, RUN).await, 0, "it is not idle");
        drop(step);
        db.sql(&format!("SELECT pg_terminate_backend({})", orphans[0].pid));
        until("no orphan is left", async || {
            second.orphans(&[]).await.expect("orphans").is_empty()
        })
        .await;
        second.release().await;
    });
}

#[test]
fn an_orphan_is_seen_by_a_role_that_may_not_see_its_state() {
    let db = Db::postgres_15();
    let role = format!("r{NAME}");
    db.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'p'"));
    let target = target(&db.postgres().url_as(&role, "p", NAME), "default");
    run(async {
        let mut locked = lock(&target).await;
        let lock_id = locked.lock_id().to_owned();
        let _step = Step::start(&db, "postgres", &lock_id, "SELECT pg_sleep(60)").await;
        let orphans = locked.orphans(&[]).await.expect("orphans");
        assert_eq!(orphans.len(), 1, "{orphans:?}");
        assert_eq!(orphans[0].state, "unknown");
        assert_eq!(ended(&mut locked, RUN).await, 0);
        locked.release().await;
    });
}

#[test]
fn idle_sessions_are_no_orphans_but_can_be_ended() {
    let db = Db::postgres_15();
    let target = db.target();
    run(async {
        let locked = lock(&target).await;
        let lock_id = locked.lock_id().to_owned();
        locked.release().await;
        let session = |name: String| {
            let url = db.url().clone();
            async move {
                let options: sqlx::postgres::PgConnectOptions = url.parse().expect("options");
                sqlx::ConnectOptions::connect(&options.application_name(&name))
                    .await
                    .expect("a session")
            }
        };
        let _idle = session(format!("launchgate/{lock_id}/{RUN}")).await;
        let mut open = session(format!("launchgate/{lock_id}/{RUN}")).await;
        sqlx::Executor::execute(&mut open, "BEGIN; SELECT 1")
            .await
            .expect("a transaction");
        let mut second = lock(&target).await;
        let orphans = second.orphans(&[]).await.expect("orphans");
        assert_eq!(orphans.len(), 1, "{orphans:?}");
        assert_eq!(orphans[0].state, "idle in transaction");
        assert_eq!(ended(&mut second, "other").await, 0);
        assert_eq!(ended(&mut second, RUN).await, 2);
        until("no orphan is left", async || {
            second.orphans(&[]).await.expect("orphans").is_empty()
        })
        .await;
        second.release().await;
    });
}
