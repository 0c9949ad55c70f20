//! Whatever is killed, at whatever moment, the five rules hold and the next start continues.
//!
//! "a holder that lost its lock stops its step before another replica can have it, never records
//! success, and never starts its server" (contract, section 5)
//!
//! "whatever is killed, at whatever moment, the next start goes on by itself." (contract, section
//! 5)

use std::time::{Duration, Instant};

use crate::common::backends::Cut;
use crate::common::wire::Network;
use crate::common::{Db, Run, Scene, is_alive, on_each, signal_tree, until};

const STEPS: [&str; 3] = ["backup", "migrate", "verify"];

/// A holder in the middle of `step`, and a waiter beside it.
fn at_step(scene: &Scene<'_>, step: &str) -> (Run, Run) {
    scene.touch(&format!("hold-{step}"));
    let holder = scene.run_steps("v1", &STEPS).start();
    until("the step", || {
        scene
            .evidence()
            .iter()
            .any(|l| l.word() == "start" && l.get("step") == step)
    });
    let waiter = scene.run_steps("v1", &STEPS).start();
    waiter.wait_for_log("waiting");
    (holder, waiter)
}

/// In each step of an app of its own; a file has one writer at a time, so there one after the other.
fn in_each_step(db: &Db, steps: &[&str], check: impl Fn(&str) + Sync) {
    if db.is_sqlite() {
        for step in steps {
            check(step);
        }
    } else {
        std::thread::scope(|scope| {
            for step in steps {
                scope.spawn(|| check(step));
            }
        });
    }
}

fn a_holder_that_is_killed_in_any_step_is_followed(db: &Db) {
    in_each_step(db, &STEPS, |step| {
        let scene = Scene::new(db);
        let (mut holder, mut waiter) = at_step(&scene, step);
        holder.signal(libc::SIGKILL);
        holder.ends_with(137);
        scene.remove(&format!("hold-{step}"));
        waiter.ends_with(0);
        assert_eq!(scene.states(), ["interrupted", "succeeded"]);
        assert_eq!(scene.count("server"), 1);
        scene.check_settled("v1");
    });
}
on_each!(a_holder_that_is_killed_in_any_step_is_followed: each_version);

fn a_holder_that_is_stopped_in_any_step_is_followed(db: &Db) {
    in_each_step(db, &STEPS, |step| {
        let scene = Scene::new(db);
        let (mut holder, mut waiter) = at_step(&scene, step);
        holder.signal(libc::SIGTERM);
        // Where nobody can see what the step left in the database, no more is promised.
        let hint = if db.is_postgres() {
            "hint=\"the next start runs the steps again\""
        } else {
            "a statement that this step sent may still be running in the database"
        };
        holder.ends_with(143).says(hint);
        scene.remove(&format!("hold-{step}"));
        waiter.ends_with(0);
        assert_eq!(
            scene.ledger("state, step, term_signal")[0],
            format!("interrupted|{step}|15")
        );
        assert_eq!(scene.count("server"), 1);
        scene.check_settled("v1");
    });
}
on_each!(a_holder_that_is_stopped_in_any_step_is_followed: each_version);

/// Everything of the holder is frozen, as with a machine: the next one goes on after the
/// lease, and the one that thaws stops its step, records nothing and starts no server.
fn a_holder_that_is_frozen_past_its_lease_loses(db: &Db) {
    in_each_step(db, &["backup", "verify"], |step| {
        let scene = Scene::new(db);
        let (mut holder, mut waiter) = at_step(&scene, step);
        let old = scene
            .evidence()
            .last()
            .expect("a step")
            .get("pid")
            .to_owned();
        signal_tree(holder.pid(), libc::SIGSTOP);
        // Its step is still there, though it can't do anything.
        scene.remove("exclusive");
        until("the next holder", || {
            scene.evidence().iter().any(|l| l.get("attempt") == "2")
        });
        scene.remove(&format!("hold-{step}"));
        waiter.ends_with(0);
        holder.signal(libc::SIGCONT);
        holder.ends_with(76);
        assert!(!is_alive(&old));
        assert_eq!(scene.states(), ["interrupted", "succeeded"]);
        assert_eq!(scene.count("server"), 1);
        scene.check_settled("v1");
    });
}
on_each!(a_holder_that_is_frozen_past_its_lease_loses: each_server_version);

/// "has its step stopped, killed and reaped before the lease ends" (contract, section 5), also where a
/// pause leaves less of the lease than the grace period, and the network is gone after it.
#[test]
fn a_holder_that_thaws_late_in_its_lease_kills_its_step_before_the_next_one_runs() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    scene.touch("stubborn");
    scene.touch("hold-migrate");
    let replica = || {
        scene
            .run("v1")
            .env("LAUNCHGATE_LEASE", "12s")
            .env("LAUNCHGATE_STOP_GRACE", "7s")
    };
    let (network, url) = Network::to_server_of(&scene.url);
    let mut holder = replica().env("DATABASE_URL", url).start();
    until("the step", || scene.count("start") == 1);
    let mut waiter = replica().start();
    waiter.wait_for_log("waiting");
    let paused = Instant::now();
    signal_tree(holder.pid(), libc::SIGSTOP);
    network.cut();
    until("most of the lease", || {
        paused.elapsed() > Duration::from_secs(7)
    });
    signal_tree(holder.pid(), libc::SIGCONT);
    until("the next step", || scene.count("start") == 2);
    scene.let_go();
    waiter.ends_with(0);
    network.restore();
    holder.ends_with(76);
    scene.check_settled("v1");
}

/// SQLite's lock lasts as long as the step does, frozen or not.
#[test]
fn a_frozen_holder_on_sqlite_keeps_its_lock() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let (mut holder, mut waiter) = at_step(&scene, "migrate");
    signal_tree(holder.pid(), libc::SIGSTOP);
    scene.let_go();
    let mut impatient = scene
        .run_steps("v1", &STEPS)
        .args(["--lock-timeout", "4s"])
        .start();
    impatient.ends_with(75);
    signal_tree(holder.pid(), libc::SIGCONT);
    holder.ends_with(0);
    waiter.ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
    scene.check_settled("v1");
}

/// The holder's step is stopped before another's starts; it ends with 76, and no server of
/// its starts. A step that ignores TERM changes nothing.
fn loses(db: &Db, how: Cut) {
    for stubborn in [false, true] {
        let scene = Scene::new(db);
        if stubborn {
            scene.touch("stubborn");
        }
        let (mut holder, mut waiter) = at_step(&scene, "migrate");
        assert!(db.cut(how));
        holder.ends_with(76);
        scene.let_go();
        waiter.ends_with(0);
        assert_eq!(
            scene.states(),
            ["interrupted", "succeeded"],
            "{}",
            holder.log()
        );
        assert_eq!(scene.count("server"), 1);
        scene.check_settled("v1");
    }
}

fn a_holder_whose_lock_session_is_ended_stops_its_step(db: &Db) {
    loses(db, Cut::Lock);
}
on_each!(a_holder_whose_lock_session_is_ended_stops_its_step: each_server_version);

fn a_server_that_crashes_and_comes_back_ends_the_run(db: &Db) {
    loses(db, Cut::Server);
}
on_each!(a_server_that_crashes_and_comes_back_ends_the_run: each_server_version);

#[test]
fn a_pooler_that_restarts_ends_the_run() {
    loses(&Db::pgbouncer(), Cut::Pooler);
}

/// The ledger's session is opened again, and the run goes on.
fn a_holder_whose_heartbeat_session_is_ended_goes_on(db: &Db) {
    let scene = Scene::new(db);
    let (mut holder, mut waiter) = at_step(&scene, "migrate");
    assert!(db.cut(Cut::Ledger));
    let beat = || scene.ledger("heartbeat_at")[0].clone();
    let before = beat();
    until("another heartbeat", || beat() != before);
    scene.let_go();
    holder.ends_with(0);
    waiter.ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
    assert_eq!(scene.count("start"), 3);
    scene.check_settled("v1");
}
on_each!(a_holder_whose_heartbeat_session_is_ended_goes_on: [postgres_15, postgres_18, mariadb]);

/// A dump locks every table of its database, the ledger too: nothing renews the lease then. It is
/// the same at every start, so the message says what it is.
fn a_step_that_locks_the_ledger_is_told_so(db: &Db) {
    let scene = Scene::new(db);
    let lock = match db {
        Db::Maria(_) => "lock tables launchgate_runs read;",
        _ => "begin; lock table launchgate_runs in share row exclusive mode;",
    };
    // The client, which reads from its input what `ask` gives it as an argument.
    let client = db
        .ask()
        .replace("#!/bin/sh\n", "")
        .replace("exec ", "")
        .replace(" -c \"$1\"", "")
        .replace(" -e \"$1\"", "");
    scene.write_program(
        "dump",
        &format!("#!/bin/sh\n(echo '{lock}'; echo '\\! touch locked'; exec sleep 600) | {client}"),
    );
    let dump = scene.path("dump");
    let mut holder = scene.run("v1").args(["--backup", &dump]).start();
    until("the lock on the table", || scene.has("locked"));
    holder
        .ends_with(76)
        .says("the table launchgate_runs can't be written");
    let remedies: &[&str] = match db {
        Db::Maria(_) => &[
            "--single-transaction",
            "--ignore-table=shop.launchgate_runs",
        ],
        _ => &["LOCK TABLE"],
    };
    for words in remedies {
        holder.says(words);
    }
    assert_eq!(scene.count("start"), 0);
    // Another reason is no table's.
    let mut holder = scene.start_held(scene.run("v1"));
    assert!(db.cut(Cut::Lock));
    holder.ends_with(76);
    assert!(!holder.log().contains("can't be written"));
    scene.let_go();
    scene.run("v1").finish().ends_with(0);
    scene.check_settled("v1");
}
on_each!(a_step_that_locks_the_ledger_is_told_so: each_server);
