//! `--snapshot`: a copy that can't be made, or is not finished.
//!
//! "nothing migrates if it fails (exit 73)" (contract, section 3)

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::common::{Db, Gate, Scene, until};
use crate::disk::Disk;
use crate::folder::applied;
use crate::snapshots::{served, snapshots, with_both};

/// Nothing is migrated, and nothing is left that looks like a snapshot.
fn refused(scene: &Scene<'_>, db: &Db, replica: Gate<'_>, words: &str) {
    let mut replica = replica.start();
    replica.ends_with(73);
    replica
        .says(words)
        .says("could not take the snapshot, so nothing was migrated");
    assert_eq!(applied(db), ["1|a"]);
    assert_eq!(scene.count("server"), 1);
}

#[test]
fn without_a_snapshot_nothing_is_migrated() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "create table b (x int);");
    let into = |folder: &str, revision: &str| {
        scene
            .bare(revision)
            .args(["--sql", "migrations", "--snapshot", folder])
    };
    // A disk that takes no writes.
    let disk = Disk::new("size=8m");
    disk.read_only();
    refused(
        &scene,
        &db,
        into(&disk.path().display().to_string(), "r2"),
        "ead-only",
    );
    let mut check = scene
        .command("check")
        .args(["--sql", "migrations", "--snapshot"])
        .args([disk.path()])
        .start();
    check.ends_with(73);
    check.says("can't take a snapshot in");
    // A disk that is too small: no part of the copy stays.
    db.sql("with recursive n(x) as (select 1 union all select x + 1 from n where x < 4000) insert into a select hex(randomblob(500)) from n");
    let disk = Disk::new("size=1m");
    refused(
        &scene,
        &db,
        into(&disk.path().display().to_string(), "r3"),
        "full",
    );
    assert_eq!(disk.entries(), Vec::<String>::new());
    // Another file system that has room.
    let disk = Disk::new("size=32m");
    into(&disk.path().display().to_string(), "r4")
        .start()
        .ends_with(0);
    assert_eq!(disk.entries().len(), 1);
    assert_eq!(applied(&db), ["1|a", "2|b"]);
}

#[test]
fn a_damaged_database_is_not_migrated() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    db.sql("create table big (t text); with recursive n(x) as (select 1 union all select x + 1 from n where x < 400) insert into big select hex(randomblob(500)) from n");
    // Pages of the last table, overwritten.
    let mut bytes = fs::read(db.sqlite_file()).expect("the file");
    let end = bytes.len();
    bytes[end - 100_000..end - 40_000].fill(0xa5);
    fs::write(db.sqlite_file(), bytes).expect("the file");
    files.write("2_b.sql", "create table b (x int);");
    refused(&scene, &db, with_both(&scene, "v2"), "is corrupt");
    assert!(snapshots(&scene).is_empty());
}

#[test]
fn a_killed_snapshot_leaves_nothing_that_counts() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    db.sql("with recursive n(x) as (select 1 union all select x + 1 from n where x < 200000) insert into a select hex(randomblob(500)) from n");
    files.write("2_b.sql", "create table b (x int);");
    let folder = scene.folder().join("snapshots");
    let partial = || {
        fs::read_dir(&folder).is_ok_and(|mut all| {
            all.any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().ends_with(".partial")))
        })
    };
    for (signal, code) in [(libc::SIGTERM, 143), (libc::SIGKILL, 137)] {
        let mut replica = with_both(&scene, "v2").start();
        until("the copy's beginning", partial);
        replica.signal(signal);
        replica.ends_with(code);
        assert_eq!(applied(&db), ["1|a"]);
        // Killed, it is left under a name of its own; stopped, it is tidied.
        assert_eq!(partial(), signal == libc::SIGKILL);
        // It has all that the database hides, before it has the database's mode.
        for entry in fs::read_dir(&folder).expect("the folder") {
            let mode = entry.and_then(|e| e.metadata()).expect("a file").mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    with_both(&scene, "v2").start().ends_with(0);
    assert_eq!(snapshots(&scene).len(), 1);
    assert_eq!(applied(&db), ["1|a", "2|b"]);
}
