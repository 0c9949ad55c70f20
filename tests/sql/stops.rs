//! `--sql`: a migration that is stopped, killed or out of time.
//!
//! "whatever is killed, at whatever moment, the next start goes on by itself" (contract, section 5)

use crate::common::processes::signal;
use crate::common::{Db, Scene, on_each};
use crate::folder::{Migrations, applied, with_sql};

pub(crate) fn slow(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => {
            "create table a as with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000000) select max(x) from n;"
        }
        Db::Maria(_) => "create table a (x int);\nselect sleep(3);",
        Db::Postgres(..) => "create table a (x int);\nselect pg_sleep(3);",
    }
}

/// A signal stops it like any step, and the next start does the whole.
fn a_stopped_migration_is_started_again(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", slow(db));
    let mut replica = with_sql(&scene, "v1").start();
    replica.wait_for_log("applying migrations");
    replica.signal(libc::SIGTERM);
    replica.ends_with(143);
    assert_eq!(scene.states(), ["interrupted"]);
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(applied(db), ["1|a"]);
    scene.check_settled("v1");
}
on_each!(a_stopped_migration_is_started_again: server_and_file);

/// launchgate is killed in the middle: the step dies with it, and the next start goes on.
fn a_killed_migration_is_started_again(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", slow(db));
    let mut replica = with_sql(&scene, "v1").start();
    replica.wait_for_log("applying migrations");
    replica.signal(libc::SIGKILL);
    replica.wait();
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(applied(db), ["1|a"]);
    scene.check_settled("v1");
}
on_each!(a_killed_migration_is_started_again: [postgres_15, pgbouncer, sqlite]);

/// The step's own process is killed in the middle: it reports nothing, so the signal is the reason.
fn a_killed_process_is_the_reason_of_its_failure(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", slow(db));
    let mut replica = with_sql(&scene, "v1").start();
    replica.wait_for_log("applying migrations");
    let others = replica.others();
    let step = others
        .iter()
        .find(|seen| seen.command.contains("embedded sql"));
    assert!(signal(step.expect("the step").pid, libc::SIGKILL));
    replica.ends_with(137);
    replica.says("error: sql was killed by SIGKILL");
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(applied(db), ["1|a"]);
}
on_each!(a_killed_process_is_the_reason_of_its_failure: [postgres_15, sqlite]);

/// An embedded step reports its result on a descriptor, which no other process gets.
#[test]
fn no_other_step_has_the_descriptor_of_a_result() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    Migrations::new(&scene).write("1_a.sql", "create table a (x int);");
    scene.write_program("look", "#!/bin/sh\nls -l /proc/self/fd >\"$1\"\n");
    with_sql(&scene, "v1")
        .args(["--snapshot", "snapshots"])
        .args(["--migrate", "./look between", "--verify", "./look behind"])
        .start()
        .ends_with(0);
    for file in ["between", "behind"] {
        let fds = scene.text(file);
        assert!(fds.contains("launchgate.lock"), "{fds}");
        assert!(!fds.contains("socket:"), "{fds}");
    }
}

fn the_time_limit_holds(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", slow(db));
    let mut replica = with_sql(&scene, "v1")
        .args(["--migrate-timeout", "300ms"])
        .start();
    replica.ends_with(124);
    replica.says("sql ran past 300ms");
}
on_each!(the_time_limit_holds: server_and_file);
