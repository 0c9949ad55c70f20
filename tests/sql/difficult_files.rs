//! `--sql`: files that are large, not text, or have transactions of their own, and what then counts
//! as applied.
//!
//! "65: `--sql`: a migration failed, or an applied file was changed or is missing" (contract,
//! section 6)

use crate::common::{Db, Scene, on_each};
use crate::folder::{Migrations, applied, with_sql};

/// What a file undoes is not applied, however often it is tried.
fn a_file_that_undoes_its_transaction_never_counts(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    files.write("2_b.sql", "insert into a values (1);\nROLLBACK;\n");
    for release in ["v1", "v2"] {
        let mut replica = with_sql(&scene, release).start();
        replica.ends_with(65);
        replica
            .says("migrations/2_b.sql: the file runs ROLLBACK")
            .says("remove the ROLLBACK");
        assert_eq!(scene.count("server"), 0);
        assert_eq!(applied(db), ["1|a"]);
    }
    assert_eq!(db.sql("select count(*) from a"), "0");
    files.write("2_b.sql", "insert into a values (1);\n");
    with_sql(&scene, "v3").start().ends_with(0);
    assert_eq!(applied(db), ["1|a", "2|b"]);
}
on_each!(a_file_that_undoes_its_transaction_never_counts: [mariadb, sqlite]);

/// The idiom for a table that others refer to: foreign keys can't be switched in a transaction.
#[test]
fn a_file_may_end_the_transaction_itself() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);\nCOMMIT;");
    files.write(
        "2_b.sql",
        "COMMIT;\nPRAGMA foreign_keys = off;\nBEGIN;\nalter table a rename to b;\nCOMMIT;\nPRAGMA foreign_keys = on;\n",
    );
    files.write("3_c.sql", "insert into b values (1);");
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(applied(&db), ["1|a", "2|b", "3|c"]);
    assert_eq!(db.sql("select count(*) from b"), "1");
    // One that does not come to its end behind its own COMMIT is known by its row.
    files.write("4_d.sql", "create table d (x int);\nCOMMIT;\nbogus;\n");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(65);
    replica
        .says("migrations/4_d.sql:3: ")
        .says("so the changes before that remain")
        .says("if _sqlx_migrations has a row of version 4")
        .says("undo the remaining changes by hand and delete that row");
    let mut replica = with_sql(&scene, "v3").start();
    replica.ends_with(65);
    replica
        .says("migrations/4_d.sql was started but never finished")
        .says("DELETE FROM _sqlx_migrations WHERE version = 4");
    assert_eq!(applied(&db).len(), 3);
}

/// The row is written where the URL says, and the next file starts there.
#[test]
fn a_file_may_change_to_another_database() {
    let db = Db::mariadb();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    let other = format!("{}_other", db.sql("select database()"));
    files.write("1_a.sql", "create table a (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    db.sql(&format!(
        "create database {other}; create table {other}._sqlx_migrations like _sqlx_migrations; \
         insert into {other}._sqlx_migrations select 2, description, now(), false, checksum, 0 from _sqlx_migrations"
    ));
    files.write("2_b.sql", &format!("use {other};\ncreate table b (x int);"));
    files.write("3_c.sql", "insert into a values (1);");
    with_sql(&scene, "v2").start().ends_with(0);
    assert_eq!(applied(&db), ["1|a", "2|b", "3|c"]);
    assert_eq!(
        db.sql(&format!(
            "select count(*) from {other}.b; select success from {other}._sqlx_migrations"
        )),
        "0\n0"
    );
    db.sql(&format!("drop database {other}"));
}

/// SQLite's own interface would look at it without end.
fn a_nul_byte_is_refused(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);\n\0\n");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("migrations/1_a.sql:2: NUL byte in the file")
        .says("remove the NUL byte");
    files.write("1_a.sql", "create table a (x int);\n");
    with_sql(&scene, "v2").start().ends_with(0);
    assert_eq!(applied(db), ["1|a"]);
}
on_each!(a_nul_byte_is_refused: server_and_file);

/// A constraint that is checked at the commit is the file's own, and no fault of a table's.
fn a_deferred_constraint_fails_its_file(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write(
        "1_a.sql",
        "create table a (x int primary key);\ncreate table b (x int references a (x) deferrable initially deferred);\n",
    );
    files.write("2_b.sql", "insert into b values (7);\n");
    for release in ["v1", "v2"] {
        let mut replica = with_sql(&scene, release).start();
        replica.ends_with(65);
        replica
            .says("migrations/2_b.sql: failed to commit: ")
            .says("none of this file's changes remain")
            .says("fix the file and start again");
        let log = replica.log().to_lowercase();
        assert!(
            log.contains("foreign key") && !log.contains("unexpected contents"),
            "{log}"
        );
        assert_eq!(applied(db), ["1|a"]);
    }
    files.write(
        "2_b.sql",
        "insert into a values (7); insert into b values (7);\n",
    );
    with_sql(&scene, "v3").start().ends_with(0);
    assert_eq!(applied(db), ["1|a", "2|b"]);
}
on_each!(a_deferred_constraint_fails_its_file: server_and_file);

/// A role's password is not shown, wherever in its statement the line that failed stands.
fn a_password_in_a_statement_is_hidden(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    let statement = if db.is_postgres() {
        "alter role nobody\npassword\n'p4ss-of-nobody' bogus;"
    } else {
        "create user nobody\nidentified by\n'p4ss-of-nobody' bogus;"
    };
    files.write("1_a.sql", statement);
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica.says("migrations/1_a.sql:3: ");
    assert!(!replica.log().contains("p4ss"), "{}", replica.log());
    assert!(!scene.ledger("output_tail").join("").contains("p4ss"));
}
on_each!(a_password_in_a_statement_is_hidden: each_server);

/// What launchgate's own steps say are events, with their fields and their level.
fn the_json_log_has_the_events(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    files.write("3_c.sql", "create table c (x int);");
    let json = |release: &str| {
        with_sql(&scene, release)
            .args(["--log-format", "json"])
            .start()
    };
    let mut replica = json("v1");
    replica.ends_with(0);
    replica
        .says("\"event\":\"sql.pending\"")
        .says("\"pending\":2")
        .says("\"event\":\"sql.applied\",\"level\":\"info\",\"message\":\"applied 1_a.sql\"")
        .says("\"event\":\"sql.done\"");
    files.write("2_b.sql", "create table b (x int);");
    let mut replica = json("v2");
    replica.ends_with(0);
    replica
        .says("\"event\":\"sql.late\"")
        .says("\"level\":\"warn\"");
    files.write("4_d.sql", "bogus;");
    let mut replica = json("v3");
    replica.ends_with(65);
    replica
        .says("\"event\":\"embedded.failed\"")
        .says("\"message\":\"sql: migrations/4_d.sql:1: ")
        .says("\"hint\":\"fix the file and start again\"");
    for line in replica.log().lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
    assert_eq!(
        replica.log().matches("\"event\":\"gate.failed\"").count(),
        1
    );
}
on_each!(the_json_log_has_the_events: server_and_file);

/// The ledger's texts are compared, whatever encoding the file has.
#[test]
fn a_database_in_utf_16_has_a_ledger_that_works() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    db.sql("pragma encoding = 'UTF-16'; create table x (a)");
    let files = Migrations::new(&scene);
    files.write("1_größe.sql", "create table a (x int);");
    let run = |release: &str| scene.bare(release).args(["--sql", "migrations"]).start();
    run("v1 ä").ends_with(0);
    assert_eq!(scene.ledger("revision, state"), ["v1 ä|succeeded"]);
    assert_eq!(applied(&db), ["1|größe"]);
    let mut again = run("v1 ä");
    again.ends_with(0);
    again.says("the revision has already succeeded");
}

/// Handed over whole, a file of megabytes would take minutes: each statement copies the rest.
#[test]
fn a_large_file_is_applied() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    let text = "insert into a values ('one; of; many');\n".repeat(100_000);
    let trigger = "create trigger t after insert on a begin insert into b values (1); select case when 1 then 2 end; end;";
    files.write(
        "1_a.sql",
        &format!("create table a (x text); create table b (x int);\n{text}{trigger}\ninsert into a values (1);\nbogus;\n"),
    );
    let mut replica = scene.bare("v1").args(["--sql", "migrations"]).start();
    replica.ends_with(65);
    replica.says("migrations/1_a.sql:100004: near \"bogus\"");
    files.write(
        "1_a.sql",
        &format!("create table a (x text); create table b (x int);\n{text}{trigger}\ninsert into a values (1);\n"),
    );
    scene
        .bare("v2")
        .args(["--sql", "migrations"])
        .start()
        .ends_with(0);
    assert_eq!(
        db.sql("select count(*) from a; select count(*) from b"),
        "100001\n1"
    );
}

/// A message that says too much would push its own beginning out of what is kept of a step.
#[test]
fn many_missing_files_are_counted() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    db.sql(
        "with recursive n (v) as (select 2 union all select v + 1 from n where v < 300) \
         insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         select v, 'a rather long description', true, x'00', 0 from n",
    );
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(65);
    replica
        .says("error: sql: applied to this database but missing from migrations: version 2 (a rather long description), 3 ")
        .says(" and 294 more");
}

/// An index whose order only the application knows can't be checked by anybody else.
#[test]
fn a_snapshot_that_cannot_be_checked_says_what_to_do() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    Migrations::new(&scene).write("1_a.sql", "create table b (x int);");
    db.sql(
        "create table a (x text); create index i on a (x collate nocase); insert into a values ('y'); \
         pragma writable_schema = on; \
         update sqlite_schema set sql = replace(sql, 'nocase', 'app') where name = 'i'",
    );
    let mut replica = with_sql(&scene, "v1")
        .args(["--snapshot", "snapshots"])
        .start();
    replica.ends_with(73);
    replica
        .says("no such collation sequence: app")
        .says("remove --snapshot, and use --backup");
}

/// A folder of many files is looked through while the database is connected to: it is one revision
/// all the same, and what is wrong with it is a mistake of the settings.
fn a_large_folder_is_one_revision(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    for number in 1..=70 {
        files.write(
            &format!("{number}_t.sql"),
            &format!("create table t{number} (x int);"),
        );
    }
    let start = || {
        let server = ["--sql", "migrations", "--", "/bin/true"];
        scene.command("run").args(server).start()
    };
    let mut first = start();
    first.ends_with(0);
    first
        .says("this revision revision=fp-")
        .says("source=--sql");
    assert_eq!(applied(db).len(), 70);
    let mut again = start();
    again.ends_with(0);
    again.says("the revision has already succeeded");
    assert_eq!(scene.ledger("state").len(), 1);
    files.write("71_t.sql", "create table t71 (x int);");
    start().ends_with(0);
    assert_eq!(applied(db).len(), 71);
    files.write("071_twin.sql", "create table twin (x int);");
    let mut refused = start();
    refused.ends_with(64);
    refused.says("have the same version, 71");
    assert_eq!(scene.ledger("state").len(), 2);
}
on_each!(a_large_folder_is_one_revision: each_and_pooler);
