//! A cluster that replicates rows but not locks: each node gives the lock to somebody.
//!
//! "a unique key: a second `running` row of an app can't be inserted, which also holds where locks are per
//! node (Galera, Group Replication); whoever loses there waits like any other" (contract, section 5)

use std::process::{Child, Stdio};

use crate::common::servers::MariaDb;
use crate::common::{Db, Run, Scene, until};

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
        scene.let_go();
        for replica in &mut replicas {
            replica.ends_with(0);
        }
        // "`check` and `run` name such a cluster."
        let named = replicas
            .iter()
            .filter(|r| r.log().contains("cluster=Galera"));
        assert_ne!(named.count(), 0);
        assert_eq!(scene.count("start"), started + 1);
        scene.check_rules();
    }
    assert_eq!(scene.states(), ["succeeded"; 4]);
    let check = scene
        .command("check")
        .args(["--release=v5", "--migrate=true"]);
    let mut check = check.finish();
    let named = "cluster           Galera: each node has locks of its own";
    assert!(check.ends_with(0).out().contains(named), "{}", check.out());
}

/// Both holders have their node's lock and have read the ledger.
#[test]
fn of_two_holders_that_insert_at_the_same_moment_one_runs() {
    let db = Db::galera();
    let urls = db.urls();
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    let mut held = hold_inserts(&db);
    scene.touch("hold-migrate");
    let mut replicas = urls.iter().map(|url| {
        let replica = scene.run("v2").env("LAUNCHGATE_LEASE", "30s");
        replica.env("DATABASE_URL", url).start()
    });
    let mut replicas: Vec<Run> = replicas.by_ref().collect();
    on_each_node(&db, |node| {
        until("an insert that waits", || node.sql("", WAITING) == "1");
    });
    for session in &mut held {
        let _ = session.kill();
        let _ = session.wait();
    }
    until("the step", || scene.count("start") == 2);
    until("the other replica, which waits", || {
        replicas.iter().any(|r| r.log().contains("waiting"))
    });
    scene.let_go();
    for replica in &mut replicas {
        replica.ends_with(0);
    }
    scene.check_settled("v2");
    assert_eq!(scene.count("start"), 2);
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
    let [held, other] = &mut hold_inserts(&db)[..] else {
        unreachable!("two nodes")
    };
    let _ = other.kill();
    let _ = other.wait();
    let replica = || scene.run("v2").env("LAUNCHGATE_LEASE", "30s");
    let mut slow = replica().start();
    until("an insert that waits", || db.sql(WAITING) == "1");
    let mut fast = replica().env("DATABASE_URL", other_node).start();
    fast.ends_with(0);
    let _ = held.kill();
    let _ = held.wait();
    slow.ends_with(0);
    scene.check_rules();
    assert_eq!(scene.count("start"), 2);
}

const WAITING: &str =
    "select count(*) from information_schema.processlist where state = 'User lock'";

fn on_each_node(db: &Db, work: impl FnMut(&MariaDb)) {
    let node = db.maria_db();
    [node, node.peer.as_ref().expect("two nodes")]
        .into_iter()
        .for_each(work);
}

/// A session on each node that keeps `running` rows waiting there, until it is killed.
fn hold_inserts(db: &Db) -> Vec<Child> {
    db.sql(
        "create trigger held before insert on launchgate_runs for each row \
         set @held = if(new.state = 'running', get_lock('held', 60) + release_lock('held'), 0)",
    );
    let mut sessions = Vec::new();
    on_each_node(db, |node| {
        let hold = "select get_lock('held', 0); select sleep(600)";
        let mut client = node.client();
        let client = client.args(["-e", hold]).stdin(Stdio::null());
        sessions.push(client.stdout(Stdio::null()).spawn().expect("mariadb"));
        until("a session that holds inserts", || {
            node.sql("", "select is_used_lock('held') is not null") == "1"
        });
    });
    sessions
}

#[test]
fn group_replication_is_named() {
    let db = Db::mysql_with(&[
        "--plugin-load-add=group_replication.so",
        "--group-replication-group-name=8a94f357-aab4-11df-86ab-c80aa9429562",
    ]);
    let scene = Scene::new(&db);
    scene
        .run("v1")
        .finish()
        .ends_with(0)
        .says("cluster=\"Group Replication\"");
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
