//! A cluster that replicates rows but not locks: each node gives the lock to somebody.
//!
//! "a unique key: a second `running` row of an app can't be inserted, which also holds where locks are per
//! node (Galera, Group Replication); whoever loses there waits like any other" (contract, section 5)

use std::sync::Mutex;

use crate::common::servers::MariaDb;
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
