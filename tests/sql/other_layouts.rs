//! `--sql` with folders of dbmate, goose and golang-migrate.
//!
//! "Down sections are never run. A file that no layout explains is an error … a folder of one layout with the
//! table of another in the database is refused (64) with both named." (contract, section 10)
//!
//! goose and golang-migrate can't be had as programs here, so what their sources write is the judge.

use crate::common::{Db, Gate, Scene, on_each};
use crate::folder::{Migrations, with_sql};
use crate::npm_tools::DRIZZLE;

fn the_down_section_of_dbmate_is_never_run(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    db.sql("create table customers (x int)");
    db.sql("insert into customers values (1)");
    files.write(
        "1_a.sql",
        "-- migrate:up\ncreate table if not exists customers (x int);\n-- migrate:down\ndrop table customers;\n",
    );
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(0);
    replica.says("layout=dbmate").says("schema_migrations");
    assert_eq!(db.sql("select x from customers"), "1");
    assert_eq!(db.sql("select version from schema_migrations"), "1");
}
on_each!(the_down_section_of_dbmate_is_never_run: each);

fn goose_has_the_rows_that_its_source_writes(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write(
        "00001_a.sql",
        "-- +goose Up\n-- the guests\ncreate table a (x int);\ninsert into a values (1); -- one\n\
         -- +goose Down\ndrop table a;\n",
    );
    files.write(
        "00010_b.sql",
        "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose StatementBegin\ninsert into a\nvalues (2);\n\
         -- +goose StatementEnd\n",
    );
    files.write("00002_b.go", "package migrations");
    files.write("README.md", "no migration");
    with_sql(&scene, "v1").start().ends_with(65);
    files.remove("00002_b.go");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(0);
    replica.says("layout=goose").says("pending=2");
    assert_eq!(db.sql("select x from a order by x"), "1\n2");
    assert_eq!(
        db.sql("select id, version_id, case when is_applied then 'yes' end, case when tstamp is null then 'no' else 'set' end from goose_db_version order by id"),
        "1|0|yes|set\n2|1|yes|set\n3|10|yes|set"
    );
    files.write(
        "00011_c.sql",
        "-- +goose Up\ncreate table c (x int);\n\n\nselect y from a;\n",
    );
    let mut replica = with_sql(&scene, "v3").start();
    replica.ends_with(65);
    replica.says("migrations/00011_c.sql:5: ");
    let remains = replica.log().contains("undo the remaining changes by hand");
    assert_eq!(remains, matches!(db, Db::Maria(_)), "{}", replica.log());
    // Older than what is applied: goose refuses it.
    files.remove("00011_c.sql");
    files.write("00005_late.sql", "-- +goose Up\nselect 1;\n");
    let mut replica = with_sql(&scene, "v4").start();
    replica.ends_with(65);
    replica.says("missing migrations before current version 10");
}
on_each!(goose_has_the_rows_that_its_source_writes: each);

fn golang_migrate_has_the_row_that_its_source_writes(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write(
        "1_a.up.sql",
        "create table a (x int); insert into a values (1);",
    );
    files.write("1_a.down.sql", "drop table a;");
    files.write("2_nothing.down.sql", "select 1;");
    let layout = |gate: Gate<'_>| gate.args(["--sql-layout", "golang-migrate"]).start();
    let row =
        "select version, case when dirty then 'dirty' else 'clean' end from schema_migrations";
    let mut replica = layout(with_sql(&scene, "v1"));
    replica.ends_with(0);
    replica.says("layout=golang-migrate");
    assert_eq!(db.sql("select x from a"), "1");
    assert_eq!(db.sql(row), "2|clean");
    // From now on the table tells.
    files.write("3_b.up.sql", "insert into a values (2);");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(0);
    replica.says("layout=golang-migrate").says("pending=1");
    assert_eq!(db.sql(row), "3|clean");
    files.write("10_bad.up.sql", "insert into nowhere values (1);");
    with_sql(&scene, "v3").start().ends_with(65);
    if let Db::Maria(_) = db {
        assert_eq!(db.sql(row), "10|dirty");
    } else {
        // Nothing of the file remains, so no mark does. The tool leaves one.
        assert_eq!(db.sql(row), "3|clean");
        db.sql("update schema_migrations set version = 10, dirty = true");
    }
    let mut replica = with_sql(&scene, "v4").start();
    replica.ends_with(65);
    replica
        .says("Dirty database version 10. Fix and force version.")
        .says("migrate force 3");
}
on_each!(golang_migrate_has_the_row_that_its_source_writes: each);

/// The Go tools don't enforce foreign keys on `SQLite`. With them, dropping the old table would delete the rows
/// that refer to it.
#[test]
fn a_recreated_table_keeps_the_rows_that_refer_to_it() {
    let first = "create table p (x integer primary key);\n\
                 create table c (x int, p int references p (x) on delete cascade);\n\
                 insert into p values (1);\ninsert into c values (1, 1);\n";
    let second = "create table n (x integer primary key, y int);\ninsert into n select x, 2 from p;\n\
                  drop table p;\nalter table n rename to p;\n";
    for (layout, end, up, down) in [
        ("dbmate", ".sql", "-- migrate:up\n", "-- migrate:down\n"),
        ("goose", ".sql", "-- +goose Up\n", "-- +goose Down\n"),
        ("golang-migrate", ".up.sql", "", ""),
    ] {
        let db = &Db::sqlite();
        let scene = Scene::new(db);
        let files = Migrations::new(&scene);
        files.write(&format!("1_a{end}"), &format!("{up}{first}{down}"));
        files.write(&format!("2_b{end}"), &format!("{up}{second}{down}"));
        let gate = with_sql(&scene, "v1").args(["--sql-layout", layout]);
        gate.start().ends_with(0);
        assert_eq!(db.sql("select c.x, p.y from c join p on p.x = c.p"), "1|2");
    }
}

/// golang-migrate on `SQLite` wraps each file in a transaction, unless `x-no-tx-wrap` says otherwise, which a
/// folder needs whose files begin their own.
#[test]
fn golang_migrate_s_files_are_wrapped_unless_one_begins_a_transaction() {
    let db = &Db::sqlite();
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    let layout = |gate: Gate<'_>| gate.args(["--sql-layout", "golang-migrate"]).start();
    let deferred = "pragma defer_foreign_keys = on; create table a (x int); select nothing;";
    files.write("1_a.up.sql", deferred);
    let mut replica = layout(with_sql(&scene, "v1"));
    replica.ends_with(65);
    replica.says("none of this file's changes remain");
    files.write("1_a.up.sql", "begin; create table a (x int); commit;");
    files.write("2_b.up.sql", "vacuum;");
    layout(with_sql(&scene, "v2")).ends_with(0);
    files.write("3_c.up.sql", "create table b (x int); select nothing;");
    let mut replica = layout(with_sql(&scene, "v3"));
    replica.ends_with(65);
    replica
        .says("the changes before this statement remain")
        .says("version 3 is dirty");
}

/// The tools read a file when they apply it, and never again.
#[test]
fn an_applied_file_that_can_t_be_read_any_more_is_no_reason_to_refuse() {
    for (good, bad, newer) in [
        (
            "-- migrate:up\ncreate table a (x int);\n-- migrate:down\n",
            "-- migrate:up\ncreate table a (x int);\n",
            "-- migrate:up\ncreate table b (x int);\n-- migrate:down\n",
        ),
        (
            "-- +goose Up\ncreate table a (x int);\n",
            "-- +goose Up\ncreate table a (x int)\n",
            "-- +goose Up\ncreate table b (x int);\n",
        ),
    ] {
        let db = &Db::sqlite();
        let scene = Scene::new(db);
        let files = Migrations::new(&scene);
        files.write("1_a.sql", good);
        with_sql(&scene, "v1").start().ends_with(0);
        files.write("1_a.sql", bad);
        files.write("2_b.sql", newer);
        with_sql(&scene, "v2").start().ends_with(0);
        files.write("3_c.sql", bad);
        let mut replica = with_sql(&scene, "v3").start();
        replica.ends_with(65);
        replica.says("migrations/3_c.sql");
    }
}

#[test]
fn up_files_without_any_table_are_sqlx_s() {
    let db = &Db::sqlite();
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.up.sql", "create table a (x int);");
    files.write("1_a.down.sql", "drop table a;");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(0);
    replica.says("layout=sqlx");
}

#[test]
fn the_table_of_another_tool_is_refused_with_both_named() {
    let db = &Db::sqlite();
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "-- migrate:up\nselect 1;\n-- migrate:down\n");
    with_sql(&scene, "v1").start().ends_with(0);
    files.write("1_a.sql", "-- +goose Up\nselect 1;\n");
    let one_attempt = || with_sql(&scene, "v2").args(["--max-attempts=1", "--retry-delay=1h"]);
    let mut replica = one_attempt().start();
    replica.ends_with(64);
    replica.says("goose").says("dbmate").says("--sql-layout");
    // "64 usage or configuration; nothing was touched": it is no attempt, and the right folder runs at once.
    assert_eq!(scene.states(), ["succeeded", "interrupted"]);
    files.write("1_a.sql", "-- migrate:up\nselect 1;\n-- migrate:down\n");
    one_attempt().start().ends_with(0);
    files.write("1_a.sql", "-- +goose Up\nselect 1;\n");
    files.write("2_b.sql", "-- migrate:up\n-- migrate:down\n");
    let mut replica = with_sql(&scene, "v3").start();
    replica.ends_with(64);
    replica.says("keep the migrations of one tool in the folder");
}

/// Its drivers for `SQLite` run one statement at a time, and those for `MySQL` refuse an empty message.
fn a_part_that_drizzle_can_t_apply_is_refused(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    std::fs::create_dir(files.0.join("meta")).expect("a folder");
    let journal = r#"{"entries":[{"idx":0,"when":1,"tag":"0000_a"}]}"#;
    files.write("meta/_journal.json", journal);
    let two = "create table a (x int);\ncreate table b (x int);\n";
    let none = "create table c (x int);\n--> statement-breakpoint\n\n";
    for (revision, text, line) in [("v1", two, 1), ("v2", none, 2)] {
        files.write("0000_a.sql", text);
        let mut replica = with_sql(&scene, revision).start();
        if db.is_sqlite() || text == none {
            replica.ends_with(65);
            replica.says(&format!("migrations/0000_a.sql:{line}: "));
            replica.says("put `--> statement-breakpoint` between statements, and only there");
        } else {
            replica.ends_with(0);
            files.write("meta/_journal.json", &journal.replace(":1,", ":2,"));
        }
    }
}
on_each!(a_part_that_drizzle_can_t_apply_is_refused: [mariadb, sqlite]);

/// A name that only dbmate explains counts for the revision too.
#[test]
fn a_new_file_of_any_name_makes_a_new_revision() {
    let db = &Db::sqlite();
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write(
        "1_a.sql",
        "-- migrate:up\ncreate table a (x int);\n-- migrate:down\n",
    );
    let start = || {
        let server = scene.path("server");
        let gate = scene.command("run").env("REVISION", "v1").server(&[server]);
        gate.args(["--sql", "migrations"]).start()
    };
    start().ends_with(0);
    files.write(
        "2.sql",
        "-- migrate:up\ninsert into a values (2);\n-- migrate:down\n",
    );
    start().ends_with(0);
    assert_eq!(db.sql("select x from a"), "2");
}

/// "a folder of one layout with the table of another in the database is refused (64) with both named"
fn a_folder_of_another_layout_than_the_table_is_refused(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_z.sql", "create table z (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    files.remove("1_z.sql");
    (DRIZZLE.write)(&files, db, 2);
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(64);
    replica
        .says("migrations has the layout of drizzle, and the database has the table _sqlx_migrations of sqlx, but not __drizzle_migrations")
        .says("set --sql-layout drizzle");
    let mut replica = scene
        .command("check")
        .args(["--release", "v3", "--sql", "migrations"])
        .start();
    replica.ends_with(64);
    let mut replica = with_sql(&scene, "v4")
        .args(["--sql-layout", "prisma"])
        .start();
    replica.ends_with(64);
    replica.says("migrations has the layout of drizzle, but --sql-layout is prisma");
    let mut replica = with_sql(&scene, "v5")
        .args(["--sql-layout", "other"])
        .start();
    replica.ends_with(64);
    replica.says("--sql-layout: `other` is not a valid layout of migrations");
    let check = scene.command("check").args([
        "--release",
        "v6",
        "--sql",
        "migrations",
        "--sql-layout",
        "drizzle",
    ]);
    let mut check = check.start();
    check.ends_with(0);
    let table = match db {
        Db::Postgres(..) => "\"drizzle\".__drizzle_migrations",
        Db::Maria(_) => "`shop`.__drizzle_migrations",
        Db::Sqlite(_) => "__drizzle_migrations",
    };
    let listed = format!(
        "\nMIGRATIONS in migrations\nlayout          drizzle\ntable           {table}\napplied         0\npending         2\n  0000_m0.sql\n  0001_m1.sql\n"
    );
    assert!(check.out().contains(&listed), "{}", check.out());
    with_sql(&scene, "v7")
        .args(["--sql-layout", "drizzle"])
        .start()
        .ends_with(0);
}
on_each!(a_folder_of_another_layout_than_the_table_is_refused: each);
