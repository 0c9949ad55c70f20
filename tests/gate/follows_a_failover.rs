//! A primary and its standby: launchgate is given the standby, both of them, or a balancer in front.
//!
//! "A standby, a read-only session, a Galera node that is joining or a server in offline mode is waited for
//! (`--wait-timeout`), then refused, unless the revision succeeded already." (contract, section 5)
//!
//! "Postgres: several hosts, each in turn until one takes writes" (contract, section 3)

use crate::common::{
    Db, Gate, Run, Scene,
    backends::NAME,
    servers::{Postgres, Proxy, postgres_15},
};

/// A primary, and the standby that a scene asks about everything once it is the primary.
fn replicated() -> (Postgres, Db) {
    let primary = Postgres::with(&postgres_15(), &[]);
    primary.create_database(NAME);
    let standby = Postgres::standby_of(&primary);
    (primary, Db::of(standby, None))
}

/// The primary dies, and the standby takes its place with all that it had.
fn fail_over(primary: &Postgres, standby: &Db) {
    let standby = standby.postgres();
    standby.catch_up(primary);
    primary.stop();
    standby.promote();
}

/// `launchgate job` of one step at `url`. A server would ask the standby, which may be late.
fn job<'a>(scene: &'a Scene<'_>, url: &str, revision: &str) -> Gate<'a> {
    let step = format!("--migrate={}", scene.path("step"));
    let gate = scene.command("job").env("DATABASE_URL", url);
    gate.args(["--release", revision, &step])
}

#[test]
fn a_standby_is_waited_for_until_it_is_promoted() {
    let (primary, db) = replicated();
    let scene = Scene::new(&db);
    job(&scene, &primary.url(NAME), "v1").finish().ends_with(0);
    primary.sql(
        NAME,
        "create role reader login password 'x'; grant pg_read_all_data to reader",
    );
    db.postgres().catch_up(&primary);
    // What succeeded starts at once: reading is enough.
    for url in [db.url(), db.url_as("reader", "x")] {
        let mut done = job(&scene, &url, "v1").finish();
        done.ends_with(0);
        assert!(!done.log().contains("waiting"), "{}", done.log());
    }
    let impatient = job(&scene, &db.url(), "v2").args(["--wait-timeout=1s"]);
    let mut refused = impatient.finish();
    refused.ends_with(78).says("standby").says("the primary");
    let mut waiter = job(&scene, &db.url(), "v2").start();
    waiter.wait_for_log("waiting for the database");
    fail_over(&primary, &db);
    waiter.ends_with(0);
    assert_eq!(scene.count("start"), 2);
    scene.check_settled("v2");
}

/// Of a holder that the failover cuts off, and a waiter beside it: the step is stopped, and runs once
/// more on the new primary.
fn a_failover_ends_the_run(scene: &Scene<'_>, url: &str, fail_over: impl FnOnce()) {
    job(scene, url, "v1").finish().ends_with(0);
    let mut holder = scene.start_held(job(scene, url, "v2"));
    let mut waiter: Run = job(scene, url, "v2").start();
    waiter.wait_for_log("waiting");
    fail_over();
    holder.ends_with(76);
    scene.let_go();
    waiter.ends_with(0);
    job(scene, url, "v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 3);
    assert_eq!(scene.states(), ["succeeded", "interrupted", "succeeded"]);
    scene.check_settled("v2");
}

#[test]
fn two_hosts_of_which_the_first_is_the_standby() {
    let (primary, db) = replicated();
    let scene = Scene::new(&db);
    let hosts = [db.postgres().port, primary.port].map(|port| format!("127.0.0.1:{port}"));
    let url = db.url().replace(&hosts[0], &hosts.join(","));
    a_failover_ends_the_run(&scene, &url, || fail_over(&primary, &db));
}

#[test]
fn a_balancer_that_cuts_the_connections() {
    let (primary, db) = replicated();
    let proxy = Proxy::haproxy(&primary, &db.postgres());
    let scene = Scene::new(&db);
    a_failover_ends_the_run(&scene, &proxy.url(NAME), || fail_over(&primary, &db));
}
