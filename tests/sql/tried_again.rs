//! What another session undid is tried again.
//!
//! "A statement that fails because somebody else is at work (lock timeout, deadlock, serialization failure: 55P03,
//! 40P01, 40001; 1205, 1213; busy) is tried again with its transaction, as long as `--wait-timeout`; it is no
//! attempt." (contract, section 10)
//!
//! Here the server itself raises each code, twice. What counts that is no part of a transaction: a sequence, or a
//! table in an engine that has none. `a_busy_table_is_waited_for` has a lock in the way, `sqlite_in_use.rs` a busy
//! database.

use crate::common::{Db, Scene, on_each};
use crate::every_database::with_sql;
use crate::folder::Migrations;

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
