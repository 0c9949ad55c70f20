//! SQLite: a stop that comes while others have the database for themselves.
//!
//! "While waiting, at once (within a second, whatever a connection or a file is stuck in). While a
//! step runs, [...] what the step did is recorded" (contract, section 6)

use std::{fs, path::PathBuf, process::Command};

use crate::common::{Db, Scene, signal_tree, until};
use crate::shares_a_sqlite_file::Exclusive;

/// Whether a replica of the scene's app has the lock.
fn is_locked(scene: &Scene<'_>) -> bool {
    let mut path = scene.db.sqlite_file().into_os_string();
    path.push(format!(".{}.launchgate.lock", scene.app));
    fs::File::open(PathBuf::from(path))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

/// "what the step did is recorded" (contract, section 6)
#[test]
fn a_stop_leaves_time_to_record_what_the_steps_did() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    let mut stopped = scene.start_held(scene.run("v2"));
    let session = Exclusive::writer(&db);
    stopped.signal(libc::SIGTERM);
    stopped.wait_for_log("migrate was killed by SIGTERM");
    // Another writer gives up later than the replica would if the stop had arrived only now.
    let other = Command::new("sqlite3")
        .args(["-cmd", ".timeout 1000"])
        .arg(db.sqlite_file())
        .arg("begin immediate")
        .output()
        .expect("sqlite3");
    assert!(!other.status.success(), "{other:?}");
    drop(session);
    stopped.ends_with(143).says("state=interrupted");
    assert_eq!(scene.states(), ["succeeded", "interrupted"]);
}

/// The failure line tells that the call was given up, and not what came after it.
#[test]
fn a_stop_is_obeyed_while_the_gate_waits_to_write() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    db.sql("create table guests (name text)");
    let stopped = || {
        let session = Exclusive::writer(&db);
        let mut replica = scene.run("v1").start();
        until("a holder", || is_locked(&scene));
        replica.signal(libc::SIGTERM);
        replica
            .ends_with(143)
            .says("while calling the database under the lock");
        drop(session);
        assert_eq!(scene.count("server"), 0);
    };
    // The ledger is to be made.
    stopped();
    let mut killed = scene.start_held(scene.run("v1"));
    signal_tree(killed.pid(), libc::SIGKILL);
    killed.ends_with(137);
    until("its step has let go of the lock", || !is_locked(&scene));
    // A dead run is to be marked.
    stopped();
    scene.let_go();
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    scene.check_settled("v1");
}

/// What the first step did can't be recorded either, and the next start finds that out.
#[test]
fn a_stop_is_obeyed_while_the_ledger_is_to_be_told_of_the_next_step() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.touch("hold-backup");
    let mut replica = scene.run_steps("v1", &["backup", "migrate"]).start();
    until("the first step", || scene.count("start") == 1);
    let session = Exclusive::on(&db);
    scene.remove("hold-backup");
    replica.wait_for_log("backup succeeded");
    replica.signal(libc::SIGTERM);
    replica.ends_with(143);
    // Nobody waited for the file to say so.
    assert!(
        !replica.log().contains("could not be told"),
        "{}",
        replica.log()
    );
    drop(session);
    assert_eq!(scene.count("start"), 1);
    scene
        .run_steps("v1", &["backup", "migrate"])
        .finish()
        .ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    scene.check_settled("v1");
}
