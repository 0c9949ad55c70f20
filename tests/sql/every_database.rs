//! `--sql`: a folder of migrations, on every database.
//!
//! "Same order, same transactions, same table contents (checksums, versions, times) as the tool:
//! after either, the other says that there is nothing to do." (contract, section 10)
//!
//! "A failure names file, line and the database's words." (contract, section 10)

use crate::common::{Db, Scene, on_each, until};
use crate::folder::{Migrations, applied, with_sql};

fn applies_in_order_and_once(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("10_c.sql", "insert into a select max(x) + 1 from a;");
    files.write(
        "2_b.up.sql",
        "create table b (x int);\ninsert into a values (7);\n",
    );
    files.write("2_b.down.sql", "drop table b;");
    files.write("1_a.sql", "create table a (x int);");
    files.write("README.md", "not one");
    files.write("notes.sql", "not one either");
    let mut first = with_sql(&scene, "v1").start();
    first.ends_with(0);
    first
        .says("applied 1_a.sql seconds=")
        .says("applied 2_b.up.sql")
        .says("all migrations are applied applied=3");
    assert_eq!(db.sql("select x from a order by x"), "7\n8");
    assert_eq!(applied(db), ["1|a", "2|b", "10|c"]);
    let rows = scene.ledger("state, step, command");
    assert_eq!(rows, ["succeeded|sql|--sql migrations"]);
    // Another release of the same files has nothing to do.
    let mut second = with_sql(&scene, "v2").start();
    second.ends_with(0);
    second.says("all migrations were already applied");
    assert_eq!(applied(db).len(), 3);
    scene.check_settled("v2");
}
on_each!(applies_in_order_and_once: each_version);

fn replicas_apply_once(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    for n in 1..=20 {
        files.write(
            &format!("{n}_t.sql"),
            &format!("create table t{n} (x int);"),
        );
    }
    let mut all: Vec<_> = (0..4).map(|_| with_sql(&scene, "v1").start()).collect();
    for replica in &mut all {
        replica.ends_with(0);
    }
    let ran = all.iter().filter(|r| r.log().contains("applied 1_t.sql"));
    assert_eq!(ran.count(), 1);
    assert_eq!(applied(db).len(), 20);
    scene.check_settled("v1");
}
on_each!(replicas_apply_once: each_and_pooler);

fn a_failing_statement_is_shown_with_file_and_line(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int primary key);");
    files.write(
        "2_b.sql",
        "-- comment;\ninsert into a values (1);\n\ninsert into a\n  values (1);\n",
    );
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("applied 1_a.sql")
        .says("error: migrations/2_b.sql:4: ")
        .says("sql: migrations/2_b.sql:4: ")
        .says("none of this file's changes remain")
        .says("`insert into a`");
    assert!(replica.log().to_lowercase().contains("unique") || replica.log().contains("Duplicate"));
    assert_eq!(db.sql("select count(*) from a"), "0");
    assert_eq!(scene.count("server"), 0);
    assert_eq!(applied(db), ["1|a"]);
    assert_eq!(scene.ledger("state, step, exit_code"), ["failed|sql|65"]);
    assert!(
        scene
            .ledger("output_tail")
            .join("\n")
            .contains("migrations/2_b.sql:4")
    );
    // What the parser refuses is pointed at within its statement.
    files.write(
        "2_b.sql",
        "insert into a values (1);\n\ninsert into a\n  valuse (1);\n",
    );
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(65);
    replica.says("migrations/2_b.sql:4: ").says("valuse (1)");
    // Once the file is fixed, it continues from there.
    files.write("2_b.sql", "insert into a values (1);");
    with_sql(&scene, "v3").start().ends_with(0);
    assert_eq!(applied(db), ["1|a", "2|b"]);
}
on_each!(a_failing_statement_is_shown_with_file_and_line: each_and_pooler);

fn changed_and_missing_files_are_named_and_nothing_is_applied(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);\n");
    files.write("2_b.sql", "create table b (x int);\n");
    with_sql(&scene, "v1").start().ends_with(0);
    files.write("3_c.sql", "create table c (x int);\n");
    files.write("2_b.sql", "create table b (x int, y int);\n");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(65);
    replica
        .says("migrations/2_b.sql was changed after it was applied")
        .says("put the change in a new file");
    files.write("2_b.sql", "create table b (x int);\r\n");
    let mut replica = with_sql(&scene, "v3").start();
    replica.ends_with(65);
    replica.says("the line endings of migrations/2_b.sql changed after it was applied");
    files.remove("2_b.sql");
    let mut replica = with_sql(&scene, "v4").start();
    replica.ends_with(65);
    replica
        .says("missing from migrations: version 2 (b)")
        .says("restore the file");
    assert_eq!(applied(db), ["1|a", "2|b"]);
    assert_eq!(scene.count("server"), 1);
}
on_each!(changed_and_missing_files_are_named_and_nothing_is_applied: each);

fn a_late_file_is_applied_with_a_warning(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    files.write("3_c.sql", "create table c (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    files.write("2_b.sql", "create table b (x int);");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(0);
    replica.says(
        "warning: migrations/2_b.sql is out of order: the newer version 3 is already applied",
    );
    assert_eq!(applied(db), ["1|a", "2|b", "3|c"]);
}
on_each!(a_late_file_is_applied_with_a_warning: server_and_file);

fn runs_between_the_migrate_and_the_verify_steps(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    scene.write_program("look", "#!/bin/sh\n\"${0%/*}/ask\" 'select count(*) from a' >/dev/null 2>&1\necho \"look there=$? step=$LAUNCHGATE_STEP url=$LAUNCHGATE_DATABASE_URL\" >> \"${0%/*}/evidence\"\n");
    let look = scene.path("look");
    with_sql(&scene, "v1")
        .args(["--verify", &look, "--migrate", &look, "--backup", &look])
        .start()
        .ends_with(0);
    let seen: Vec<_> = scene
        .evidence()
        .iter()
        .filter(|l| l.word() == "look")
        .map(|l| {
            (
                l.get("step").to_owned(),
                l.get("there") == "0",
                l.get("url").to_owned(),
            )
        })
        .collect();
    let step = |name: &str, there| (name.to_owned(), there, String::new());
    assert_eq!(
        seen,
        [
            step("backup", false),
            step("migrate", false),
            step("verify", true)
        ]
    );
}
on_each!(runs_between_the_migrate_and_the_verify_steps: server_and_file);

/// What files that tools or editors wrote do on a server.
#[test]
fn a_hidden_table_and_a_byte_order_mark_are_told() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    let dumped =
        "select pg_catalog.set_config('search_path', '', false);\ncreate table public.a (x int);\n";
    files.write("1_a.sql", dumped);
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("migrations/1_a.sql: after this migration the table _sqlx_migrations can no longer be found")
        .says("RESET search_path;");
    files.write("1_a.sql", &format!("{dumped}reset search_path;\n"));
    files.write("2_b.sql", "\u{feff}create table b (x int);\n");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(65);
    replica.says("applied 1_a.sql").says("byte order mark");
    assert_eq!(applied(&db), ["1|a"]);
}

/// Where MySQL commits by itself, the row of the table says that the file did not end.
#[test]
fn mariadb_says_what_stays() {
    let db = Db::mariadb();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    files.write("1_a.down.sql", "drop table a;");
    files.write("1_a.up.sql", "create table a (x int);\nbogus statement;\n");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("migrations/1_a.up.sql:2: ")
        .says("commits each schema change immediately, so the changes before this statement remain")
        .says("delete that row");
    files.write("1_a.up.sql", "create table a (x int);\n");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(65);
    replica
        .says("migrations/1_a.up.sql was started but never finished")
        .says("DELETE FROM _sqlx_migrations WHERE version = 1");
    db.sql("drop table a; delete from _sqlx_migrations where version = 1");
    with_sql(&scene, "v3").start().ends_with(0);
    assert_eq!(applied(&db), ["1|a"]);
}

/// Nothing is wrong with the file then.
#[test]
fn a_session_that_somebody_ends_is_told_as_that() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int); select pg_sleep(600);");
    let mut replica = with_sql(&scene, "v1").start();
    let all =
        "from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()";
    until("the migration", || {
        db.sql(&format!("select count(*) {all}")) == "1"
    });
    db.sql(&format!("select pg_terminate_backend(pid) {all}"));
    replica.ends_with(65);
    replica
        .says("migrations/1_a.sql:1: terminating connection")
        .says("in the server's log why the connection broke");
    files.write("1_a.sql", "create table a (x int);");
    with_sql(&scene, "v2").start().ends_with(0);
    assert_eq!(applied(&db), ["1|a"]);
}

fn check_lists_and_changes_nothing(db: &Db) {
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    files.write("10_c.sql", "create table c (x int);");
    files.write("9_b.up.sql", "create table b (x int);");
    files.write("9_b.down.sql", "drop table b;");
    let check = || {
        let mut command = scene
            .command("check")
            .args(["--release", "v1", "--sql", "migrations"])
            .start();
        let code = command.wait();
        (code, command.out(), command.log())
    };
    let (code, out, log) = check();
    assert_eq!(code, 0, "{log}");
    let table = match db {
        Db::Maria(_) => "`shop`._sqlx_migrations",
        Db::Postgres(..) | Db::Sqlite(_) => "_sqlx_migrations",
    };
    let listed = format!(
        "\nMIGRATIONS in migrations\nlayout          sqlx\ntable           {table}\napplied         0\npending         2\n  9_b.up.sql\n  10_c.sql\n"
    );
    assert!(out.contains(&listed), "{out}");
    if let Db::Sqlite(_) = db {
        assert!(!db.sqlite_file().exists());
    } else {
        let tables = "select count(*) from information_schema.tables where table_name in ('_sqlx_migrations', 'launchgate_runs', 'b')";
        assert_eq!(db.sql(tables), "0");
    }
    with_sql(&scene, "v0").start().ends_with(0);
    files.write("11_d.sql", "create table d (x int);");
    let (code, out, log) = check();
    assert_eq!(code, 0, "{log}");
    assert!(
        out.contains("applied         2\npending         1\n  11_d.sql\n"),
        "{out}"
    );
    files.write("10_c.sql", "create table e (x int);");
    let (code, _, log) = check();
    assert_eq!(code, 65, "{log}");
    assert!(log.contains("migrations/10_c.sql was changed"), "{log}");
    assert_eq!(applied(db).len(), 2);
}
on_each!(check_lists_and_changes_nothing: each_and_pooler);
