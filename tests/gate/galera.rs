//! A cluster that replicates rows but not locks: each node gives the lock to somebody.
//!
//! "a unique key: a second `running` row of an app can't be inserted, which also holds where locks are per
//! node (Galera, Group Replication); whoever loses there waits like any other" (contract, section 5)

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use crate::common::servers::{MariaDb, PASSWORD};
use crate::common::{Db, Run, Scene, until};

#[test]
fn replicas_on_two_nodes_run_the_steps_once() {
    let (one, two) = MariaDb::galera();
    one.create_database("shop");
    let other_node = two.url("shop");
    let db = Db::Maria(Mutex::new(one));
    let scene = Scene::new(&db);
    for revision in ["v1", "v2", "v3", "v4"] {
        scene.touch("hold-migrate");
        let started = scene.count("start");
        let mut replicas: Vec<Run> = (0..6)
            .map(|number| {
                let replica = scene.run(revision).env("LAUNCHGATE_LEASE", "30s");
                if number % 2 == 0 {
                    replica.start()
                } else {
                    replica.env("DATABASE_URL", &other_node).start()
                }
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
    let (one, two) = MariaDb::galera();
    one.create_database("shop");
    let socket = one.socket().display().to_string();
    let other_node = two.url("shop");
    let db = Db::Maria(Mutex::new(one));
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    db.sql(
        "create trigger held before insert on launchgate_runs for each row \
         set @held = if(new.state = 'running', get_lock('held', 60) + release_lock('held'), 0)",
    );
    let mut held = hold_inserts(&socket);
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
    let mut fast = replica().env("DATABASE_URL", &other_node).start();
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
fn hold_inserts(socket: &str) -> Child {
    let sql = "select get_lock('held', 0); select sleep(600)";
    Command::new("mariadb")
        .args(["--no-defaults", "-u", "root", "-N", "-S", socket, "-e", sql])
        .arg(format!("-p{PASSWORD}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("mariadb")
}
