//! `--sql` on SQLite, with full disks, locks and other readers and writers in the way.
//!
//! "A statement that fails because somebody else is at work […] is tried again with its transaction, as
//! long as `--wait-timeout`" (contract, section 10)

use std::fs;

use crate::common::{Db, Run, Scene, until};
use crate::disk::Disk;
use crate::folder::{Migrations, applied};
use crate::snapshots::{Session, ask, served, with_both};

/// The journal mode is the application's, and stays what it is.
#[test]
fn a_database_with_a_write_ahead_log_is_migrated_beside_its_readers() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    db.sql("pragma journal_mode = wal");
    files.write(
        "2_b.sql",
        "alter table a add column y int; insert into a values (2, 2);",
    );
    let reader = Session::on(&db.sqlite_file(), "begin; select count(*) from a;");
    with_both(&scene, "v2").start().ends_with(0);
    drop(reader);
    assert_eq!(db.sql("select x, y from a"), "1|\n2|2");
    assert_eq!(db.sql("pragma journal_mode"), "wal");
}

/// A replica whose `--sql` step begins when a session of another process has begun with `statements`.
fn beside(scene: &Scene<'_>, revision: &str, flags: &[&str], statements: &str) -> (Run, Session) {
    scene.touch("hold-migrate");
    let before = scene.count("start");
    let replica = scene
        .run(revision)
        .args(["--sql", "migrations"])
        .args(flags);
    let replica = replica.start();
    until("the step before", || scene.count("start") > before);
    let session = Session::on(&scene.db.sqlite_file(), statements);
    scene.let_go();
    (replica, session)
}

/// Another process has the file while the migrations are to be applied: waited for, and said.
#[test]
fn a_locked_database_is_waited_for() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "insert into a values (2);");
    let (mut replica, session) = beside(&scene, "v2", &["--wait-timeout=60s"], "begin immediate;");
    replica.wait_for_log("waiting for the database");
    replica.says("database is locked");
    drop(session);
    replica.ends_with(0);
    replica
        .says("connected to the database")
        .says("applied 2_b.sql");
    // Not for ever.
    files.write("3_c.sql", "insert into a values (3);");
    let (mut replica, session) = beside(&scene, "v3", &["--wait-timeout=3s"], "begin immediate;");
    until("the step's failure", || {
        replica.log().contains("sql exited with code 69")
    });
    drop(session);
    replica.ends_with(69);
    // That is no failed attempt (contract, section 6: "try again? yes").
    let states = scene.states();
    assert_eq!(states.last().map(String::as_str), Some("interrupted"));
    assert_eq!(applied(&db), ["1|a", "2|b"]);
}

/// A reader keeps a commit waiting where there is no write-ahead log.
#[test]
fn a_commit_waits_for_readers() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "insert into a values (2);");
    let (mut replica, session) = beside(&scene, "v2", &[], "begin; select * from a;");
    replica.wait_for_log("waiting for the database");
    drop(session);
    replica.ends_with(0);
    assert_eq!(db.sql("select x from a"), "1\n2");
    assert_eq!(applied(&db), ["1|a", "2|b"]);
}

/// On a disk of its own, which is another file system than the scene's.
#[test]
fn a_full_disk_fails_the_migration_and_harms_nothing() {
    let disk = Disk::new("size=2m");
    let folder = tempfile::tempdir_in(disk.path()).expect("a folder");
    let db = Db::Sqlite(folder);
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "create table b (t text);\nwith recursive n(x) as (select 1 union all select x + 1 from n where x < 20000)\n  insert into b select hex(randomblob(500)) from n;");
    let mut replica = scene.bare("v2").args(["--sql", "migrations"]).start();
    replica.ends_with(65);
    replica
        .says("migrations/2_b.sql:2: database or disk is full")
        .says("none of this file's changes remain");
    assert_eq!(applied(&db), ["1|a"]);
    assert_eq!(db.sql("pragma integrity_check"), "ok");
    assert_eq!(scene.ledger("state"), ["succeeded", "failed"]);
    disk.resize("size=64m");
    scene
        .bare("v2")
        .args(["--sql", "migrations"])
        .start()
        .ends_with(0);
    assert_eq!(db.sql("select count(*) from b"), "20000");
}

#[test]
fn a_folder_that_takes_no_writes_is_refused() {
    let disk = Disk::new("size=4m");
    let folder = tempfile::tempdir_in(disk.path()).expect("a folder");
    let db = Db::Sqlite(folder);
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "create table b (x int);");
    disk.read_only();
    let mut replica = scene.bare("v2").args(["--sql", "migrations"]).start();
    replica.ends_with(78);
    replica.says("give this user");
    let mut check = scene.command("check").args(["--sql", "migrations"]).start();
    assert_ne!(check.wait(), 0);
    disk.writable();
    assert_eq!(applied(&db), ["1|a"]);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    Migrations::new(&scene).write("1_a.sql", "create table a (x int);");
    fs::write(db.sqlite_file(), "a".repeat(5000)).expect("a file");
    for verb in ["job", "check"] {
        let mut replica = scene
            .command(verb)
            .args(["--sql", "migrations", "--snapshot", "snapshots"])
            .start();
        replica.ends_with(78);
        replica.says("file is not a database").says("fix the path");
    }
    assert_eq!(
        fs::read(db.sqlite_file()).expect("it"),
        "a".repeat(5000).into_bytes()
    );
}

/// A file without a transaction can be kept waiting at any of its statements, and says so.
#[test]
fn a_lock_in_the_way_of_a_file_without_a_transaction_is_waited_for() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write(
        "2_b.sql",
        "-- no-transaction\ncreate table b (x int);\ninsert into b values (1);\n",
    );
    let run = |revision: &str| {
        let (replica, other) = beside(&scene, revision, &["--wait-timeout=4s"], "begin immediate;");
        replica.wait_for_log("waiting for the database");
        (replica, other)
    };
    // Longer than it is waited for: nothing was done yet, so nothing is said to stay.
    let (mut replica, other) = run("v2");
    replica.wait_for_log("the database kept the migration waiting for ");
    drop(other);
    replica.ends_with(69);
    assert!(!replica.log().contains("remain"), "{}", replica.log());
    let (mut replica, other) = run("v3");
    drop(other);
    replica.ends_with(0);
    assert_eq!(applied(&db), ["1|a", "2|b"]);
    assert_eq!(ask(&db.sqlite_file(), "select count(*) from b"), "1");
}

/// CASES: "SQLite disk full".
#[test]
fn a_full_disk_is_named() {
    let disk = Disk::new("size=256k");
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let url = format!("sqlite:{}/app.db", disk.path().display());
    let job = |revision: &str| {
        let job = scene.command("job").env("DATABASE_URL", &url);
        job.args(["--release", revision, "--migrate=true", "--wait-timeout=1s"])
            .finish()
    };
    job("v1").ends_with(0);
    let room = std::fs::File::create(disk.path().join("room")).expect("a file");
    let _ = std::io::Write::write_all(&mut &room, &vec![0; 512 * 1024]);
    job("v2")
        .ends_with(69)
        .says("disk is full")
        .says("free space");
    drop(room);
    std::fs::remove_file(disk.path().join("room")).expect("the file");
    job("v2").ends_with(0);
}
