//! `--prepare` and `--warm-up` with a database.
//!
//! "Start commands, run at every start of every replica, in `run` and `wait`" (contract, section 3)
//!
//! "They are never recorded, have no lock and no time limit" (contract, section 3)

use crate::common::{Db, Gate, Scene, on_each};

/// Start commands that note which of them ran, in which replica.
fn with_commands<'a>(scene: &'a Scene<'_>, gate: Gate<'a>) -> Gate<'a> {
    scene.write_program("note", "#!/bin/sh\necho \"$1 $REPLICA\" >>notes\n");
    gate.args(["--prepare", "./note prepare", "--warm-up", "./note warm-up"])
}

fn they_run_at_every_start_of_every_replica(db: &Db) {
    let scene = Scene::new(db);
    let mut holder = scene.start_held(with_commands(&scene, scene.run("v1")));
    let wait = scene.command("wait").args(["--release", "v1"]);
    let wait = with_commands(&scene, wait).env("REVISION", "v1");
    let mut waiter = wait.args(["--", &scene.path("server")]).start();
    waiter.wait_for_log("another replica ");
    let lines = scene.lines("notes");
    assert_eq!(lines, ["prepare 0", "prepare 1"]);
    scene.let_go();
    holder.ends_with(0);
    waiter.ends_with(0);
    let mut restart = with_commands(&scene, scene.run("v1")).start();
    restart.ends_with(0);
    restart.says("already succeeded");
    let mut lines = scene.lines("notes");
    lines.sort();
    let each = |word: &str| (0..3).map(|n| format!("{word} {n}")).collect::<Vec<_>>();
    assert_eq!(lines, [each("prepare"), each("warm-up")].concat());
    assert_eq!(scene.ledger("state, step"), ["succeeded|migrate"]);
    scene.check_settled("v1");
}
on_each!(they_run_at_every_start_of_every_replica: each);

/// "Before anything connects: […] creating the database."
#[test]
fn prepare_may_create_the_database() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let folder = scene.path("data");
    let url = format!("sqlite:{folder}/shop.db");
    let gate = scene.bare("v1").env("DATABASE_URL", &url);
    let create = format!("mkdir {folder}");
    let mut run = gate
        .args(["--prepare", &create, "--migrate", "true"])
        .start();
    run.ends_with(0);
    run.says("the gate is open");
}
