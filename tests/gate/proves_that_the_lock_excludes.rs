//! A second connection proves that the lock excludes.
//!
//! "proves that the lock excludes (a second connection must fail to take it; where no second one can be
//! had in time, the log warns)" (contract, section 5)

use crate::common::wire::Network;
use crate::common::{Db, Scene, on_each};

/// Its connection breaks at that very question. There is another one for the run itself.
fn a_lock_that_can_t_be_proven_to_exclude_is_warned_about(db: &Db) {
    let scene = Scene::new(db);
    let (network, url) = Network::to_server_of(&scene.url);
    network.cut_before(match db {
        Db::Maria(_) => "IS_USED_LOCK",
        _ => "NOT pg_try_advisory_xact_lock",
    });
    let json = ["--log-format", "json"];
    let replica = scene.run("v1").env("DATABASE_URL", &url).args(json);
    replica
        .finish()
        .ends_with(0)
        .says(r#""event":"lock.unproven""#)
        .says("could not verify with a second connection that the lock is exclusive");
    scene.check_settled("v1");
    // With both connections there is nothing to warn about.
    let mut replica = scene
        .run("v2")
        .env("DATABASE_URL", &url)
        .args(json)
        .finish();
    replica.ends_with(0);
    assert!(
        !replica.log().contains("lock.unproven"),
        "{}",
        replica.log()
    );
}
on_each!(a_lock_that_can_t_be_proven_to_exclude_is_warned_about: each_server);
