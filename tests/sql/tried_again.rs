//! What another session undid is tried again.
//!
//! "A statement that fails because somebody else is at work (lock timeout, deadlock, serialization failure: 55P03,
//! 40P01, 40001; 1205, 1213; busy) is tried again with its transaction, as long as `--wait-timeout`; it is no
//! attempt." (contract, section 10)
//!
//! Here the server itself raises each code, twice. What counts that is no part of a transaction: a sequence, or a
//! table in an engine that has none. `a_busy_table_is_waited_for` has a lock in the way, `sqlite_in_use.rs` a busy
//! database.

use std::process::Command;

use crate::common::{Db, Scene, on_each, until};
use crate::folder::{Migrations, with_sql};
use crate::npm_tools::DRIZZLE;

/// Inserts a row and fails twice; how often it was run.
fn fails_twice(db: &Db, code: &str) -> (String, &'static str) {
    db.sql("drop table if exists a; create table a (x int)");
    if db.is_postgres() {
        db.sql("drop sequence if exists n; create sequence n");
        let file = format!(
            "insert into a values (1);\ndo $$ begin if nextval('n') < 3 then\nraise exception 'again' using errcode = '{code}';\n\
             end if; end $$;\n"
        );
        return (file, "select last_value from n");
    }
    db.sql("drop table if exists n; create table n (x int) engine = myisam");
    db.sql(&format!(
        "delimiter //\ncreate trigger t before insert on a for each row begin if new.x = 2 then insert into n values (1); \
         if (select count(*) from n) < 3 then signal sqlstate '40001' set mysql_errno = {code}; end if; end if; end//"
    ));
    let file = "insert into a values (1);\ninsert into a values (2);\n";
    (file.to_owned(), "select count(*) from n")
}

fn what_another_session_undid_is_tried_again(db: &Db) {
    let codes: &[&str] = if db.is_postgres() {
        &["55P03", "40P01", "40001"]
    } else {
        &["1205", "1213"]
    };
    for code in codes {
        let scene = Scene::new(db);
        let (text, runs) = fails_twice(db, code);
        let files = Migrations::new(&scene);
        files.write(&format!("{}_a.sql", code.replace('P', "0")), &text);
        with_sql(&scene, code).start().ends_with(0);
        assert_eq!(db.sql(runs), "3", "{code}");
        // The first statement was undone with the transaction each time.
        assert_eq!(db.sql("select count(*) from a where x = 1"), "1", "{code}");
        assert_eq!(scene.states(), ["succeeded"], "{code}");
        db.sql("delete from _sqlx_migrations");
    }
}
on_each!(what_another_session_undid_is_tried_again: [postgres_15, mariadb]);

fn a_busy_table_is_waited_for(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    (DRIZZLE.write)(&files, db, 1);
    with_sql(&scene, "v1").start().ends_with(0);
    (DRIZZLE.write)(&files, db, 2);
    let (limit, lock) = if db.is_postgres() {
        (
            "set lock_timeout = '300ms';",
            "begin; lock table a; select pg_sleep(4); commit",
        )
    } else {
        (
            "set session lock_wait_timeout = 1;",
            "lock tables a write; select sleep(4)",
        )
    };
    let text = format!("{limit}\n--> statement-breakpoint\nalter table a add column z int;\n");
    files.write("0001_m1.sql", &text);
    let mut holder = Command::new(scene.path("ask"))
        .arg(lock)
        .spawn()
        .expect("a client");
    let is_locked = if db.is_postgres() {
        "select count(*) from pg_locks where relation = 'a'::regclass and mode = 'AccessExclusiveLock'"
    } else {
        "select count(*) from information_schema.processlist where state = 'User sleep'"
    };
    until("the lock", || db.sql(is_locked) == "1");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(0);
    replica.says("applied 0001_m1.sql");
    holder.wait().expect("the client");
    assert_eq!(scene.ledger("state"), ["succeeded", "succeeded"]);
    // Past the limit it fails.
    if !db.is_postgres() {
        return;
    }
    (DRIZZLE.write)(&files, db, 3);
    files.write(
        "0002_m2.sql",
        "set lock_timeout = '100ms';\nalter table a add column w int;\n",
    );
    let mut holder = Command::new(scene.path("ask"))
        .arg(lock)
        .spawn()
        .expect("a client");
    until("the lock", || db.sql(is_locked) == "1");
    let mut replica = with_sql(&scene, "v3")
        .args(["--wait-timeout", "1s"])
        .start();
    replica.ends_with(69);
    replica
        .says("the database kept the migration waiting")
        .says("lock timeout");
    holder.wait().expect("the client");
}
on_each!(a_busy_table_is_waited_for: [postgres_15, mariadb]);
