//! A cluster that replicates rows but not locks: each node gives the lock to somebody.
//!
//! "a unique key: a second `running` row of an app can't be inserted, which also holds where locks are per
//! node (Galera, Group Replication); whoever loses there waits like any other" (contract, section 5)

use std::process::{Child, Stdio};

use crate::common::{Db, Run, Scene, lock, until};

#[test]
fn replicas_on_two_nodes_run_the_steps_once() {
    let db = Db::galera();
    let urls = db.urls();
    let scene = Scene::new(&db);
    for revision in ["v1", "v2", "v3", "v4"] {
        scene.touch("hold-migrate");
        let started = scene.count("start");
        let mut replicas: Vec<Run> = (0..6)
            .map(|number| {
                let replica = scene.run(revision).env("LAUNCHGATE_LEASE", "30s");
                replica
                    .env("DATABASE_URL", &urls[number % urls.len()])
                    .start()
            })
            .collect();
        until("five replicas that wait", || {
            let waiting = replicas.iter().filter(|r| r.log().contains("waiting"));
            waiting.count() == 5
        });
        scene.remove("hold-migrate");
        for replica in &mut replicas {
            replica.wait();
            replica.ends_with(0);
        }
        assert_eq!(scene.count("start"), started + 1);
        scene.check_rules();
    }
    assert_eq!(scene.states(), ["succeeded"; 4]);
}

/// "a revision recorded as succeeded never runs its steps again" (contract, section 5)
///
/// The holder on one node has read the ledger and is about to insert its row when the holder on the
/// other node runs the revision from start to end.
#[test]
fn what_another_node_ran_between_two_statements_does_not_run_again() {
    let db = Db::galera();
    let other_node = &db.urls()[1];
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    db.sql(
        "create trigger held before insert on launchgate_runs for each row \
         set @held = if(new.state = 'running', get_lock('held', 60) + release_lock('held'), 0)",
    );
    let mut held = hold_inserts(&db);
    until("a session that holds inserts", || {
        db.sql("select is_used_lock('held') is not null") == "1"
    });
    let replica = || scene.run("v2").env("LAUNCHGATE_LEASE", "30s");
    let mut slow = replica().start();
    until("an insert that waits", || {
        let waiting =
            "select count(*) from information_schema.processlist where state = 'User lock'";
        db.sql(waiting) == "1"
    });
    let mut fast = replica().env("DATABASE_URL", other_node).start();
    fast.wait();
    fast.ends_with(0);
    let _ = held.kill();
    let _ = held.wait();
    slow.wait();
    slow.ends_with(0);
    scene.check_rules();
    assert_eq!(scene.count("start"), 2);
}

/// A session that keeps every insert on its node waiting, until it is killed.
fn hold_inserts(db: &Db) -> Child {
    let Db::Maria(node) = db else {
        unreachable!("MariaDB")
    };
    lock(node)
        .client()
        .args(["-e", "select get_lock('held', 0); select sleep(600)"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("mariadb")
}

/// "A standby, a read-only session, a Galera node that is joining or a server in offline mode is waited
/// for (`--wait-timeout`), then refused"
#[test]
fn a_node_that_takes_no_queries_yet_is_waited_for() {
    let db = Db::galera();
    let scene = Scene::new(&db);
    // What a node says while it joins, and without a quorum.
    db.sql("set global wsrep_reject_queries = 'ALL'");
    let mut refused = scene.run("v1").args(["--wait-timeout=1s"]).start();
    refused
        .ends_with(78)
        .says("WSREP has not yet prepared node");
    let mut waiter = scene.run("v1").start();
    waiter.wait_for_log("waiting for the database");
    db.sql("set global wsrep_reject_queries = 'NONE'");
    waiter.ends_with(0);
    scene.check_settled("v1");
}
