//! `SQLite` only.
//!
//! "SQLite: `flock` on `DATABASE.APP.launchgate.lock`, inherited by the step so that the lock
//! outlives a killed launchgate until the step ends" (contract, section 5)

use std::{
    fs,
    process::{Command, Stdio},
};

use launchgate::db::{Error, ledger::RunState};

use super::{
    common::backends::Db,
    connection::{connect, is_busy, lock, run, target, until},
    postgres::{connect_error, refused},
    rules::{hold, outcome, rows},
};

#[test]
fn the_lock_outlives_the_holder_as_long_as_a_step_has_it() {
    let db = Db::sqlite();
    let target = db.target();
    run(async {
        let locked = hold(&target, "r", "run1").await;
        let file = locked.inheritable().expect("a lock file");
        let copy = file.try_clone_to_owned().expect("a copy");
        let mut step = Command::new("sleep")
            .arg("60")
            .stdin(copy)
            .spawn()
            .expect("sleep");
        drop(locked);
        assert!(is_busy(&target).await);
        assert_eq!(target.lock_free(), Ok(Some(false)));
        step.kill().expect("kill");
        step.wait().expect("wait");
        // another test's child may have a copy for the moment between fork and exec
        until("the lock is free", async || {
            target.lock_free() == Ok(Some(true))
        })
        .await;
        lock(&target).await.release().await;
    });
}

#[test]
fn a_folder_that_is_missing_is_refused_and_a_file_is_made() {
    let db = Db::sqlite();
    run(async {
        let nowhere = target("sqlite:///none/at/all.db", "default");
        assert!(matches!(
            nowhere.connect().await,
            Err(Error::Refused { .. })
        ));
        let folder = target(
            &format!(
                "sqlite://{}",
                db.sqlite_file().parent().expect("a folder").display()
            ),
            "default",
        );
        assert!(matches!(folder.connect().await, Err(Error::Refused { .. })));
        assert!(!db.sqlite_file().exists());
        hold(&db.target(), "r", "run1")
            .await
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert!(db.sqlite_file().exists());
    });
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let db = Db::sqlite();
    fs::write(
        db.sqlite_file(),
        "just some words, more than a hundred bytes of them, ".repeat(9),
    )
    .expect("a file");
    run(async {
        let error = connect(&db.target())
            .await
            .read_ledger(None)
            .await
            .expect_err("no database");
        assert!(
            matches!(&error, Error::Refused { what, .. } if what.contains("not a database")),
            "{error:?}"
        );
    });
}

#[test]
fn a_link_leads_to_the_same_lock() {
    let db = Db::sqlite();
    let link = db.sqlite_file().with_file_name("link.db");
    std::os::unix::fs::symlink("shop.db", &link).expect("a link");
    run(async {
        let locked = lock(&target(&format!("sqlite://{}", link.display()), "default")).await;
        assert!(is_busy(&db.target()).await);
        locked.release().await;
    });
    assert!(
        db.sqlite_file()
            .with_file_name("shop.db.default.launchgate.lock")
            .exists()
    );
}

#[test]
fn a_link_that_leads_to_itself_is_refused() {
    let db = Db::sqlite();
    let link = db.sqlite_file().with_file_name("loop.db");
    std::os::unix::fs::symlink("loop.db", &link).expect("a link");
    let url = format!("sqlite://{}", link.display());
    let error = run(connect_error(&url));
    refused(&error, "loop.db: Too many levels of symbolic links");
}

#[test]
fn a_transaction_of_somebody_else_is_not_yet_and_none_of_ours_stays() {
    let db = Db::sqlite();
    let target = db.target();
    run(async {
        let locked = hold(&target, "r", "run1").await;
        // nothing of launchgate's is in the way of the journal mode, which wants the file alone
        assert_eq!(db.sql("PRAGMA journal_mode = wal"), "wal");
        assert_eq!(db.sql("PRAGMA journal_mode = delete"), "delete");
        let mut writer = Command::new("sqlite3")
            .arg(db.sqlite_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3");
        let mut stdin = writer.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, b"BEGIN EXCLUSIVE; SELECT 'begun';\n")
            .expect("write");
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(writer.stdout.take().expect("piped")),
            &mut line,
        )
        .expect("read");
        assert_eq!(line, "begun\n");
        let error = connect(&target)
            .await
            .read_ledger(Some("r"))
            .await
            .expect_err("busy");
        assert!(matches!(error, Error::NotYet(_)), "{error:?}");
        drop(stdin);
        writer.wait().expect("wait");
        until("the file is free", async || {
            connect(&target).await.read_ledger(Some("r")).await.is_ok()
        })
        .await;
        locked
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Succeeded));
    });
}

#[test]
fn a_step_may_put_another_file_in_the_databases_place() {
    let db = Db::sqlite();
    let target = db.target();
    run(async {
        let locked = hold(&target, "r", "run1").await;
        let copy = db.sqlite_file().with_file_name("copy.db");
        fs::copy(db.sqlite_file(), &copy).expect("a copy");
        fs::rename(&copy, db.sqlite_file()).expect("in db");
        locked
            .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(rows(&target, "r").await[0].state, Some(RunState::Succeeded));
    });
}
