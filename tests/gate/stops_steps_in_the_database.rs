//! A step that launchgate stops: what it had running in Postgres ends with it.
//!
//! "A step that launchgate stops (signal, time limit, lost lock) is stopped in the database too: on
//! Postgres the sessions it leaves are ended, so that the server does not go on and commit." (contract,
//! section 5)

use crate::common::backends::Cut;
use crate::common::wire::Network;
use crate::common::{Db, Run, Scene, on_each, until};
use crate::waits_for_orphans::count;

/// A step that hands the server several statements in one message, and is at the first of them.
fn at_the_first_of_several(scene: &Scene<'_>, url: &str, flags: &[&str]) -> Run {
    scene.write_program(
        "several",
        &format!(
            "#!/bin/sh\nexec psql -Xqw '{url}' -c 'select pg_sleep(6); create table half (a int)'\n"
        ),
    );
    let step = scene.path("several");
    let holder = scene.bare("v1").args(["--migrate", &step]).args(flags);
    // KILL at once: psql sends no cancel then.
    let holder = holder.env("LAUNCHGATE_STOP_GRACE", "0").start();
    until("the statement", || {
        count(scene.db, "state = 'active'") == "1"
    });
    holder
}

/// The server neither goes on with the statements nor commits them.
fn nothing_goes_on(scene: &Scene<'_>) {
    assert_eq!(count(scene.db, "state = 'active'"), "0");
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.db.sql("select to_regclass('half') is null"), "t");
    scene.check_settled("v1");
}

fn a_step_that_a_signal_stops_is_stopped_in_the_database_too(db: &Db) {
    let scene = Scene::new(db);
    let mut holder = at_the_first_of_several(&scene, &scene.url, &[]);
    holder.signal(libc::SIGTERM);
    holder
        .ends_with(143)
        .says("terminated the database sessions of the stopped step")
        .says("hint=\"the next start runs the steps again\"");
    nothing_goes_on(&scene);
}
on_each!(a_step_that_a_signal_stops_is_stopped_in_the_database_too: [postgres_15, pgbouncer]);

#[test]
fn a_step_that_its_limit_or_a_lost_lock_stops_is_stopped_in_the_database_too() {
    let db = Db::postgres_15();
    for is_lost in [false, true] {
        let scene = Scene::new(&db);
        let flags: &[&str] = if is_lost {
            &[]
        } else {
            &["--migrate-timeout=1s"]
        };
        let mut holder = at_the_first_of_several(&scene, &scene.url, flags);
        if is_lost {
            assert!(db.cut(Cut::Lock));
        }
        holder
            .ends_with(if is_lost { 76 } else { 124 })
            .says("terminated the database sessions of the stopped step");
        nothing_goes_on(&scene);
    }
}

/// What is not known is not promised.
#[test]
fn sessions_of_a_stopped_step_that_cannot_be_ended_are_named() {
    let db = Db::postgres_15();
    db.sql(
        "create role app login password 'app'; grant create, usage on schema public to app; \
         create role admin login superuser password 'admin'",
    );
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("app", "app");
    let mut holder = at_the_first_of_several(&scene, &db.url_as("admin", "admin"), &[]);
    let pid = db.sql("select pid from pg_stat_activity where application_name like 'launchgate/%'");
    holder.signal(libc::SIGTERM);
    holder
        .ends_with(143)
        .says("could not terminate the database sessions of the stopped step: pid ")
        .says(&pid)
        .says("pg_signal_backend")
        .says("may still be running in the database");
    db.sql(&format!("select pg_terminate_backend({pid}, 60000)"));
    // The connection breaks meanwhile.
    let direct = scene.url.clone();
    let wire;
    (wire, scene.url) = Network::to_server_of(&direct);
    let mut holder = at_the_first_of_several(&scene, &direct, &["--lease=30s"]);
    wire.cut();
    holder.signal(libc::SIGTERM);
    holder
        .ends_with(143)
        .says("could not terminate the database sessions of the stopped step: no answer within ")
        .says("may still be running in the database");
}
