//! `--sql`: what of a failed file stays in the database, and what the message says about it.
//!
//! "A failure names file, line and the database's words." (contract, section 10)

use crate::common::{Db, Scene, on_each};
use crate::folder::{Migrations, applied, with_sql};

/// CREATE INDEX CONCURRENTLY waits for every transaction: launchgate's own has no snapshot.
fn concurrent_indexes_need_no_transaction(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    files.write("2_i.sql", "create index concurrently i on a (x);");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("migrations/2_i.sql:1: ")
        .says("begin the file with the line `-- no-transaction`");
    files.write(
        "2_i.sql",
        "-- no-transaction\ncreate index concurrently i on a (x);",
    );
    with_sql(&scene, "v2").start().ends_with(0);
    assert_eq!(applied(db), ["1|a", "2|i"]);
    files.write(
        "3_j.sql",
        "-- no-transaction\nselect 1;\ncreate index concurrently j on a (x);",
    );
    let mut replica = with_sql(&scene, "v3").start();
    replica.ends_with(65);
    replica
        .says("migrations/3_j.sql:3: ")
        .says("in a file of its own");
}
on_each!(concurrent_indexes_need_no_transaction: postgres);

/// A transaction that nobody ends is undone when the connection closes, and its row with it.
fn a_transaction_left_open_is_no_success(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "-- no-transaction\ncreate table a (x int);");
    let begun = "-- no-transaction\nbegin;\ncreate table b (x int);";
    files.write("2_b.sql", begun);
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("migrations/2_b.sql: the file begins a transaction and never commits it")
        .says("end it with COMMIT");
    assert_eq!(scene.count("server"), 0);
    assert_eq!(applied(db), ["1|a"]);
    files.write("2_b.sql", &format!("{begun}\ncommit;"));
    with_sql(&scene, "v2").start().ends_with(0);
    assert_eq!(applied(db), ["1|a", "2|b"]);
    assert_eq!(db.sql("select count(*) from b"), "0");
}
on_each!(a_transaction_left_open_is_no_success: [postgres_15, pgbouncer, sqlite]);

/// What stays is what the database has, whatever the file's first line promises.
fn what_stays_is_said(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    let statements = "create table a (x int);\nbogus;\n";
    let table = if db.is_postgres() {
        "select count(*) from pg_tables where tablename = 'a'"
    } else {
        "select count(*) from sqlite_schema where name = 'a'"
    };
    let before = "the changes before this statement remain";
    // Several statements in one message are one transaction to Postgres.
    let (first, said) = if db.is_postgres() {
        ("0", "none of this file's changes remain")
    } else {
        ("1", before)
    };
    for (release, text, left, said) in [
        (
            "v1",
            format!("-- no-transaction\n{statements}"),
            first,
            said,
        ),
        (
            "v2",
            statements.to_owned(),
            "0",
            "none of this file's changes remain",
        ),
        (
            "v3",
            "create table a (x int);\ncommit;\nselect * from nowhere;\n".to_owned(),
            "1",
            "the file ends its own transaction, so the changes before that remain",
        ),
    ] {
        files.write("1_a.sql", &text);
        let mut replica = with_sql(&scene, release).start();
        replica.ends_with(65);
        replica.says("migrations/1_a.sql:").says(said);
        assert_eq!(db.sql(table), left, "{text}");
        let undo = replica.log().contains("undo the remaining changes by hand");
        assert_eq!(undo, left == "1", "{}", replica.log());
        db.sql("drop table if exists a");
    }
}
on_each!(what_stays_is_said: [postgres_15, pgbouncer, sqlite]);

/// A failed CREATE INDEX CONCURRENTLY is no transaction, and leaves an index that is invalid.
#[test]
fn part_of_a_single_statement_may_stay() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    db.sql("create table a (x int); insert into a values (1), (1)");
    files.write(
        "1_i.sql",
        "-- no-transaction\ncreate unique index concurrently i on a (x);",
    );
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("some of its changes may remain")
        .says("such as an invalid index");
    assert_eq!(
        db.sql("select indisvalid from pg_index where indexrelid = 'i'::regclass"),
        "f"
    );
}

/// The write-ahead log is written in order, so the last commit takes the others to the disk.
#[test]
fn only_the_last_commit_waits_for_the_disk() {
    let db = &Db::postgres_15();
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (n int, is_flushed text);");
    for number in 2..5 {
        let text =
            format!("insert into a values ({number}, current_setting('synchronous_commit'));");
        files.write(&format!("{number}_a.sql"), &text);
    }
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(
        db.sql("select is_flushed from a order by n"),
        "off\noff\non"
    );
}
