//! However many replicas start together: one runs the steps, every server starts.
//!
//! "at most one replica runs steps" (contract, section 5)
//!
//! "no server starts before its revision is recorded as succeeded" (contract, section 5)
//!
//! "a revision recorded as succeeded never runs its steps again" (contract, section 5)

use crate::common::servers::{postgres_15, postgres_18};
use crate::common::{Db, Run, Scene, on_each, until};

const REPLICAS: usize = 50;

/// How many sessions launchgate has on the server, itself not counted.
fn connections(db: &Db) -> usize {
    let count = match db {
        Db::Sqlite(_) => return 0,
        Db::Maria(_) => {
            db.sql("select count(*) from information_schema.processlist where host like '%:%'")
        }
        Db::Postgres(..) => db.sql(
            "select count(*) from pg_stat_activity where application_name like 'launchgate:%' and state <> 'idle'",
        ),
    };
    count.trim().parse().expect("a number")
}

/// Starts them all while the step is held, samples connections once everybody waits.
fn fifty(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("hold-migrate");
    let mut replicas: Vec<Run> = (0..REPLICAS)
        .map(|_| scene.run("v1").env("LAUNCHGATE_LEASE", "30s").start())
        .collect();
    until("the step", || scene.count("start") == 1);
    until("49 replicas that wait", || {
        let waiting = replicas.iter().filter(|r| r.log().contains("waiting"));
        waiting.count() == REPLICAS - 1
    });
    // A starved machine keeps every session longer: what counts is what is usual.
    let mut samples: Vec<usize> = (0..40).map(|_| connections(db)).collect();
    samples.sort_unstable();
    assert!(samples[35] < 10, "connections at a time: {samples:?}");
    scene.let_go();
    for replica in &mut replicas {
        replica.wait();
        replica.ends_with(0);
    }
    assert_eq!(scene.count("start"), 1);
    assert_eq!(scene.count("server"), REPLICAS);
    scene.check_settled("v1");
    assert_eq!(scene.states(), ["succeeded"]);
}

mod fifty_replicas_run_the_steps_once {
    use super::*;

    #[test]
    fn postgres_15_with_40_connections() {
        fifty(&Db::postgres_with(&postgres_15(), &["max_connections=40"]));
    }

    #[test]
    fn postgres_18_with_40_connections() {
        fifty(&Db::postgres_with(&postgres_18(), &["max_connections=40"]));
    }

    #[test]
    fn pgbouncer_in_front_of_40_connections() {
        fifty(&Db::pgbouncer_with(
            &["max_connections=40"],
            "pool_mode = transaction\n",
        ));
    }

    #[test]
    fn mariadb_with_40_connections() {
        fifty(&Db::mariadb_with(&["--max-connections=40"]));
    }

    #[test]
    fn sqlite() {
        fifty(&Db::sqlite());
    }
}

fn a_release_that_succeeded_starts_at_once_ever_after(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    scene.run("v2").finish().ends_with(0);
    scene.run("v1").finish().ends_with(0);
    scene.run("v2").finish().ends_with(0);
    assert_eq!(scene.count("start"), 2);
    assert_eq!(scene.count("server"), 4);
    scene.check_rules();
}
on_each!(a_release_that_succeeded_starts_at_once_ever_after: each_version);

/// "more than 2,000 newer rows of other states for a succeeded revision: the success counts" (CASES, 1.10)
fn a_success_counts_however_many_rows_are_newer(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    // MariaDB recurses 1,000 times at most.
    for hundred in 0..21 {
        db.sql(&format!(
            "insert into launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
             with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 100) \
             select app, revision, {hundred}00 + n, attempt, 'reset', holder, version, started_at \
             from launchgate_runs, numbers where app = '{}' and state = 'succeeded'",
            scene.app
        ));
    }
    assert_eq!(scene.states().len(), 2101);
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 1);
    assert_eq!(scene.count("server"), 2);
}
on_each!(a_success_counts_however_many_rows_are_newer: each);

fn without_a_revision_the_steps_run_at_every_start_one_at_a_time(db: &Db) {
    let scene = Scene::new(db);
    let mut replicas: Vec<Run> = (0..4)
        .map(|_| {
            let step = scene.path("step");
            let replica = scene
                .command("run")
                .env("REVISION", "")
                .args(["--migrate", &step]);
            replica.args(["--", "/bin/true"]).start()
        })
        .collect();
    for replica in &mut replicas {
        replica.ends_with(0).says("no revision is set");
    }
    let words: Vec<String> = scene
        .evidence()
        .iter()
        .map(|line| line.word().to_owned())
        .collect();
    assert_eq!(words, ["start", "end"].repeat(4));
    assert_eq!(scene.states(), ["succeeded"; 4]);
}
on_each!(without_a_revision_the_steps_run_at_every_start_one_at_a_time: each_and_pooler);

fn two_apps_in_one_database_run_at_the_same_time(db: &Db) {
    let (one, two) = (Scene::new(db), Scene::new(db));
    for scene in [&one, &two] {
        scene.touch("hold-migrate");
    }
    let mut first = one.run("v1").start();
    let mut second = two.run("v1").start();
    until("both steps at a time", || {
        one.count("start") == 1 && two.count("start") == 1
    });
    for scene in [&one, &two] {
        scene.let_go();
    }
    first.ends_with(0);
    second.ends_with(0);
    one.check_settled("v1");
    two.check_settled("v1");
}
on_each!(two_apps_in_one_database_run_at_the_same_time: each_and_pooler);

/// Once served, a waiter takes a full pooler for busy, however long that lasts.
#[test]
fn a_pooler_without_room_for_clients_is_busy_not_away() {
    let db = Db::pgbouncer_with(&[], "pool_mode = transaction\nmax_client_conn = 5\n");
    let scene = Scene::new(&db);
    let mut holder = scene.start_held(scene.run("v1").env("LAUNCHGATE_LEASE", "30s"));
    let mut waiter = scene.run("v1").args(["--wait-timeout", "1s"]).start();
    waiter.wait_for_log("waiting");
    let client = || {
        let mut psql = std::process::Command::new("psql");
        psql.args(["-Xqw", &scene.url, "-c", "select pg_sleep(600)"]);
        psql.stderr(std::process::Stdio::null())
            .spawn()
            .expect("psql")
    };
    let mut clients: Vec<_> = (0..5).map(|_| client()).collect();
    until("the waiter to meet a full pooler", || {
        // One that came while the waiter looked found no room, and left it some.
        for old in &mut clients {
            if old.try_wait().expect("psql's end").is_some() {
                *old = client();
            }
        }
        waiter.log().contains("no more connections")
    });
    // Nobody served this one yet: to it, the database is away.
    let mut late = scene.run("v1").args(["--wait-timeout", "3s"]).start();
    late.ends_with(69).says("no more connections");
    assert!(waiter.look().is_none(), "{}", waiter.log());
    for client in &mut clients {
        let _ = client.kill();
        let _ = client.wait();
    }
    scene.let_go();
    holder.ends_with(0);
    waiter.ends_with(0);
    scene.check_settled("v1");
}
