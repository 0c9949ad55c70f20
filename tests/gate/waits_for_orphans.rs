//! A statement that a step left running in Postgres: the next holder waits for it.
//!
//! "On Postgres the new holder first waits for orphans: sessions with the application name of an
//! earlier run of this app, whatever became of that run, that are active or in a transaction begun
//! before the new holder took the lock" (contract, section 5)

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Db, Run, Scene, on_each, until};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};

/// A step that hands its statements to the database by `psql`, as its own first process, so
/// that it dies with launchgate.
fn psql(scene: &Scene<'_>, replica_url: &str, sql: &str) -> String {
    scene.write_program(
        "psql",
        &format!("#!/bin/sh\nexec psql -Xqw '{replica_url}' -v ON_ERROR_STOP=1 -f \"$1\"\n"),
    );
    let file = scene.path("statements.sql");
    std::fs::write(&file, sql).expect("a file");
    format!("{} {file}", scene.path("psql"))
}

pub(crate) fn count(db: &Db, condition: &str) -> String {
    db.sql(&format!("select count(*) from pg_stat_activity where application_name like 'launchgate/%' and {condition}"))
}

/// A holder whose step is at `sql`, killed in the middle of it.
fn left_behind(scene: &Scene<'_>, sql: &str, is_at_it: impl Fn() -> bool) {
    let step = psql(scene, &scene.url, sql);
    let mut holder = scene.bare("v1").args(["--migrate", &step]).start();
    until("the statement", is_at_it);
    holder.signal(libc::SIGKILL);
    holder.ends_with(137);
}

fn next(scene: &Scene<'_>, limit: &str) -> Run {
    scene.run("v1").args(["--orphan-timeout", limit]).start()
}

/// The statement goes on in the server and writes when it ends: the next step must see that.
fn the_next_holder_waits_for_a_statement_that_outlives_its_client(db: &Db) {
    let scene = Scene::new(db);
    db.sql("create table done (at timestamptz default clock_timestamp(), what text)");
    let sql = "with nap as materialized (select pg_sleep(8)) insert into done (what) select 'old' from nap;\n";
    left_behind(&scene, sql, || count(db, "state = 'active'") == "1");
    scene.write_program(
        "do-migrate",
        "\"$dir/ask\" \"insert into done (what) values ('new')\"\n",
    );
    let mut follower = next(&scene, "60s");
    follower
        .ends_with(0)
        .says("waiting for active database sessions left by an earlier run");
    assert_eq!(
        db.sql("select string_agg(what, ' ' order by at) from done"),
        "old new"
    );
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    scene.check_settled("v1");
}
on_each!(the_next_holder_waits_for_a_statement_that_outlives_its_client: postgres);

fn an_active_session_past_the_limit_is_named_and_nothing_runs(db: &Db) {
    let scene = Scene::new(db);
    left_behind(&scene, "select pg_sleep(600);\n", || {
        count(db, "state = 'active'") == "1"
    });
    let pid = db.sql("select pid from pg_stat_activity where application_name like 'launchgate/%' and state = 'active'");
    let mut follower = next(&scene, "1s");
    follower
        .ends_with(75)
        .says(&format!("pid {pid} active for "));
    // There was nothing to end, so nothing to wait for beyond the limit.
    let log = follower.log();
    let in_time =
        ["1", "2"].map(|seconds| format!("still active after {seconds} s (--orphan-timeout): "));
    assert!(in_time.iter().any(|words| log.contains(words)), "{log}");
    assert_eq!(scene.count("start"), 0);
    // Dead rows are marked only after the sessions are gone.
    assert_eq!(scene.states(), ["running"]);
    db.sql(&format!("select pg_terminate_backend({pid})"));
    next(&scene, "1s").ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    scene.check_settled("v1");
}
on_each!(an_active_session_past_the_limit_is_named_and_nothing_runs: postgres);

/// A step that leaves a session behind, idle after `sql`, with a client that lives on; killed with its
/// holder.
fn left_idle(scene: &Scene<'_>, url: &str, sql: &str) {
    // A child of the step's first process, so that it survives the kill of launchgate.
    scene.write_program(
        "leave",
        &format!("#!/bin/sh\n(echo '{sql}'; exec sleep 600) | psql -Xqw '{url}' > left &\nwait\n"),
    );
    let leave = scene.path("leave");
    let mut holder = scene.bare("v1").args(["--migrate", &leave]).start();
    until("the idle session", || {
        count(scene.db, "state like 'idle%' and query <> ''") == "1"
    });
    holder.signal(libc::SIGKILL);
    holder.ends_with(137);
}

/// "What a dead holder's run left idle, in a transaction or not, it ends at once (a fence: that client
/// can do nothing more with it)"
fn what_a_dead_run_left_idle_is_ended_at_once(db: &Db) {
    for sql in ["begin; create table half (a int);", "select 1;"] {
        let scene = Scene::new(db);
        left_idle(&scene, &scene.url, sql);
        // Far longer than a test waits.
        let mut follower = next(&scene, "600s");
        follower
            .ends_with(0)
            .says("terminated sessions that a dead run left idle");
        assert_eq!(count(db, "true"), "0");
        assert_eq!(db.sql("select to_regclass('half') is null"), "t");
        assert_eq!(scene.states(), ["interrupted", "succeeded"]);
        scene.check_settled("v1");
    }
}
on_each!(what_a_dead_run_left_idle_is_ended_at_once: [postgres_15, postgres_18]);

/// A role that sees what another role's session does, but may not end it.
#[test]
fn a_role_that_may_not_end_an_idle_session_says_so() {
    let db = Db::postgres_15();
    db.sql(
        "create role app login password 'app'; grant create, usage on schema public to app; \
         grant pg_read_all_stats to app; create role admin login superuser password 'admin'",
    );
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("app", "app");
    left_idle(&scene, &db.url_as("admin", "admin"), "begin;");
    let mut follower = next(&scene, "1s");
    follower
        .ends_with(0)
        .says("this role may not terminate sessions that a dead run left idle")
        .says("pg_signal_backend");
    scene.check_settled("v1");
}

/// Its run is closed, so it is not launchgate's to end, and nothing of it is at work.
fn what_a_closed_run_left_idle_in_a_transaction_is_named_and_passed(db: &Db) {
    let scene = Scene::new(db);
    scene.write_program("name", "#!/bin/sh\necho \"$PGAPPNAME\" > session\n");
    let step = scene.path("name");
    scene
        .bare("v1")
        .args(["--migrate", &step])
        .finish()
        .ends_with(0);
    let name = std::fs::read_to_string(scene.path("session")).expect("a name");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let options: PgConnectOptions = scene.url.parse().expect("a URL");
    let options = options
        .application_name(name.trim())
        .extra_float_digits(None);
    let mut session = runtime.block_on(options.connect()).expect("a session");
    runtime
        .block_on(sqlx::raw_sql("begin; select 1").execute(&mut session))
        .expect("a transaction");
    let pid = db.sql("select pid from pg_stat_activity where application_name like 'launchgate/%' and state = 'idle in transaction'");
    for revision in ["v2", "v3"] {
        let next = scene.run(revision).args(["--orphan-timeout", "1s"]);
        next.finish()
            .ends_with(0)
            .says(&format!("pid {pid} idle in transaction for "))
            .says("pg_terminate_backend");
    }
    runtime
        .block_on(sqlx::raw_sql("commit").execute(&mut session))
        .expect("the session is left alone");
    scene.check_settled("v3");
}
on_each!(what_a_closed_run_left_idle_in_a_transaction_is_named_and_passed: [postgres_15, pgbouncer]);

/// A role without `pg_read_all_stats` sees another role's sessions, but not what they do.
#[test]
fn a_role_that_may_not_see_what_others_do_waits_all_the_same() {
    let db = Db::postgres_15();
    db.sql("create role app login password 'app'; grant create, usage on schema public to app");
    db.sql("create role admin login superuser password 'admin'");
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("app", "app");
    let step = psql(
        &scene,
        &db.url_as("admin", "admin"),
        "begin; select pg_sleep(600);\n",
    );
    let mut holder = scene.bare("v1").args(["--migrate", &step]).start();
    until("the statement", || count(&db, "state = 'active'") == "1");
    holder.signal(libc::SIGKILL);
    holder.ends_with(137);
    let pid = db.sql("select pid from pg_stat_activity where application_name like 'launchgate/%'");
    next(&scene, "1s")
        .ends_with(75)
        .says(&format!("pid {pid} "));
    assert_eq!(scene.count("start"), 0);
    db.sql(&format!("select pg_terminate_backend({pid})"));
    next(&scene, "10s").ends_with(0);
    scene.check_settled("v1");
}

/// "launchgate's own sessions have a name of their own, also behind a pooler."
fn its_own_sessions_have_names_of_their_own(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    // The ledger's session is at work for long enough to be seen.
    db.sql(
        "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.4); return new; end $$; \
         create trigger slow before update on launchgate_runs for each row execute function slow()",
    );
    let mut holder = scene.start_held(scene.run("v2").env("LAUNCHGATE_LEASE", "6s"));
    let holds = "select application_name from pg_stat_activity join pg_locks using (pid) where locktype = 'advisory'";
    assert_eq!(db.sql(holds), "launchgate:lock");
    until("a heartbeat", || {
        let beats = "select application_name from pg_stat_activity where wait_event = 'PgSleep'";
        db.sql(beats) == "launchgate:ledger"
    });
    scene.let_go();
    holder.ends_with(0);
}
on_each!(its_own_sessions_have_names_of_their_own: [postgres_15, pgbouncer]);

/// An idle session that keeps the name, as a pooler's does, is nobody's orphan.
fn an_idle_session_is_not_waited_for(db: &Db) {
    let scene = Scene::new(db);
    let step = psql(&scene, &scene.url, "select 1;\n");
    scene
        .bare("v1")
        .args(["--migrate", &step])
        .finish()
        .ends_with(0);
    let mut second = scene.run("v2").args(["--orphan-timeout", "1s"]).start();
    second.ends_with(0);
    assert!(
        !second
            .log()
            .contains("waiting for active database sessions")
    );
    scene.check_settled("v2");
}
on_each!(an_idle_session_is_not_waited_for: [postgres_15, pgbouncer]);

/// A signal ends the wait at once and leaves nothing behind.
fn a_signal_ends_the_wait_for_orphans(db: &Db) {
    let scene = Scene::new(db);
    left_behind(&scene, "select pg_sleep(600);\n", || {
        count(db, "state = 'active'") == "1"
    });
    let mut follower = next(&scene, "600s");
    follower.wait_for_log("waiting for active database sessions");
    follower.signal(libc::SIGTERM);
    follower.ends_with(143);
    assert_eq!(scene.states(), ["running"]);
    until("the lock to be free", || {
        db.sql("select count(*) from pg_locks where locktype = 'advisory'") == "0"
    });
}
on_each!(a_signal_ends_the_wait_for_orphans: [postgres_15, pgbouncer]);

/// A server connection that a pooler lent to a step keeps the step's name where the
/// application that gets it next has none of its own.
#[test]
fn an_application_that_inherits_a_step_s_name_from_the_pooler_is_no_orphan() {
    let db = Db::pgbouncer();
    let scene = Scene::new(&db);
    // Three sessions at once: launchgate's own next statement takes the server connection that
    // was used last, and with it the name.
    let sessions = format!(
        "#!/bin/sh\nfor n in 1 2 3; do psql -Xqw '{}' -c 'select pg_sleep(1)' >/dev/null & done\nwait\n",
        scene.url
    );
    scene.write_program("sessions", &sessions);
    let step = scene.path("sessions");
    scene
        .bare("v1")
        .args(["--migrate", &step])
        .finish()
        .ends_with(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also where the test fails: the scope waits for its threads.
        let _stops = Stops(&stop);
        for _ in 0..4 {
            scope.spawn(|| busy_and_nameless(&scene.url, &stop));
        }
        until("an application under the step's name", || {
            count(&db, "state = 'active' and query like '%busy%'") != "0"
        });
        let ended = scene
            .run("v2")
            .args(["--orphan-timeout", "5s"])
            .finish()
            .wait();
        assert_eq!(ended, 0);
    });
    scene.check_settled("v2");
}

/// Tells the applications to stop when it goes.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Statement after statement, with hardly a pause, in a session that gives itself no name.
fn busy_and_nameless(url: &str, stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let options: PgConnectOptions = url.parse().expect("a URL");
        let mut session = options
            .extra_float_digits(None)
            .connect()
            .await
            .expect("a session");
        while !stop.load(Ordering::Relaxed) {
            let busy = sqlx::raw_sql("select pg_sleep(0.3) /* busy */");
            busy.execute(&mut session).await.expect("a statement");
        }
    });
}
