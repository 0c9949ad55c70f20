//! `--sql`: a folder of migrations, on every database.
//!
//! "Same order, same transactions, same table contents (checksums, versions, times) as the tool:
//! after either, the other says that there is nothing to do." (contract, section 10)
//!
//! "A failure names file, line and the database's words." (contract, section 10)

use std::fs;

use crate::common::{Db, Gate, Scene, on_each, until};
use crate::folder::{Migrations, applied};
use crate::stops::slow;

/// `launchgate run --sql`, without a step of anybody else's.
pub(crate) fn with_sql<'a>(scene: &'a Scene<'a>, revision: &str) -> Gate<'a> {
    scene.bare(revision).args(["--sql", "migrations"])
}

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
    scene.script("look", "#!/bin/sh\n\"${0%/*}/ask\" 'select count(*) from a' >/dev/null 2>&1\necho \"look there=$? step=$LAUNCHGATE_STEP url=$LAUNCHGATE_DATABASE_URL\" >> \"${0%/*}/evidence\"\n");
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

/// The schema of the URL is where the migrations' tables go.
#[test]
fn postgres_schema_of_the_url() {
    let db = Db::postgres_15();
    db.sql("create schema shop");
    let mut scene = Scene::new(&db);
    scene.url += "?schema=shop";
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(db.sql("select count(*) from shop.a"), "0");
    assert_eq!(db.sql("select count(*) from shop._sqlx_migrations"), "1");
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

/// A role that may not change the schema serves; the migration has another.
#[test]
fn the_migration_may_have_a_role_of_its_own() {
    let db = Db::postgres_15();
    db.sql(
        "create role app login password 'p4ss-of-app'; create role admin login password 'p4ss-of-admin'; \
         create schema ledger authorization app; grant all on schema public to admin; \
         alter role app set search_path = ledger",
    );
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("app", "p4ss-of-app");
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table public.a (x int);");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica.says("permission denied for schema public");
    let mut replica = with_sql(&scene, "v2")
        .env("ADMIN", db.url_as("admin", "p4ss-of-admin"))
        .args(["--step-env-from", "DATABASE_URL=ADMIN"])
        .start();
    replica.ends_with(0);
    assert!(!replica.log().contains("p4ss"), "{}", replica.log());
    assert_eq!(
        db.sql("select tableowner from pg_tables where tablename = 'a'"),
        "admin"
    );
}

/// No process list shows the password.
fn the_password_is_in_no_argument(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", slow(db));
    let mut replica = with_sql(&scene, "v1").start();
    replica.wait_for_log("sql started");
    let pid = replica
        .log()
        .split("pid=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next().map(str::to_owned))
        .expect("a pid");
    until("its words", || {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|words| words.starts_with(b"launchgate\0embedded"))
    });
    let words = fs::read(format!("/proc/{pid}/cmdline")).expect("its words");
    assert_eq!(words, b"launchgate\0embedded\0sql\0--\0migrations\0");
    replica.ends_with(0);
}
on_each!(the_password_is_in_no_argument: [postgres_15]);

/// The revision is the files, where nothing else migrates and no release is named.
#[test]
fn the_folder_is_the_revision() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    let start = |args: &[&str]| {
        let mut replica = scene
            .command("job")
            .env("GIT_SHA", "abc")
            .args(args)
            .start();
        replica.ends_with(0);
        let log = replica.log();
        let at = log.find(" revision=").expect("a revision");
        log[at + 10..]
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let first = start(&["--sql", "migrations"]);
    assert!(first.starts_with("fp-"), "{first}");
    // The path to it is no part of it, nor what sqlx passes over.
    files.write("README", "x");
    let absolute = scene.path("migrations");
    assert_eq!(start(&["--sql", &absolute]), first);
    assert_eq!(scene.states().len(), 1);
    // The waiting ones say the same by the same setting.
    let mut waiter = scene.command("wait").args(["--sql", "migrations"]).start();
    waiter.ends_with(0);
    let mut waiter = scene
        .command("wait")
        .env("LAUNCHGATE_SQL", "migrations")
        .start();
    waiter.ends_with(0);
    files.write("2_b.sql", "create table b (x int);");
    assert_ne!(start(&["--sql", "migrations"]), first);
    // Another migration beside it could change without it.
    assert_eq!(start(&["--sql", "migrations", "--migrate", "true"]), "abc");
    assert_eq!(start(&["--sql", "migrations", "--release", "r1"]), "r1");
    let by_glob = start(&["--sql", "migrations", "--fingerprint", "migrations/1*"]);
    assert!(by_glob.starts_with("fp-") && by_glob != first);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_runs() {
    let db = Db::sqlite();
    let scene = Scene::new(&db).without_database_file();
    let files = Migrations::new(&scene);
    let refused = |args: &[&str], url: &str, words: &[&str]| {
        let mut replica = scene
            .command("job")
            .env("DATABASE_URL", url)
            .args(args)
            .start();
        replica.ends_with(64);
        for word in words {
            replica.says(word);
        }
        assert!(!db.sqlite_file().exists());
    };
    let url = db.url();
    refused(
        &["--sql", "migrations"],
        &url,
        &["migrations contains no migrations"],
    );
    files.write("1_a.sql", "create table a (x int);");
    refused(&["--sql", "nowhere"], &url, &["--sql: ", "nowhere"]);
    refused(
        &["--sql", "nowhere", "--release", "r"],
        &url,
        &["nowhere is not a folder"],
    );
    refused(
        &["--sql", "migrations", "--no-database"],
        &url,
        &["--sql needs a database", "remove --no-database"],
    );
    refused(
        &["--sql", "migrations"],
        "",
        &["no database is configured", "set DATABASE_URL"],
    );
    refused(
        &["--snapshot", "s", "--sql", "migrations"],
        "postgres://h/d",
        &["only a SQLite database can be snapshotted", "pg_dump"],
    );
    refused(
        &["--sql", "migrations", "--step-env", "DATABASE_URL=ftp://x"],
        &url,
        &["the steps' DATABASE_URL"],
    );
    files.write("x_a.sql", "");
    refused(
        &["--sql", "migrations"],
        &url,
        &["x_a.sql", "its name does not start with a version"],
    );
    files.remove("x_a.sql");
    files.write("01_b.sql", "");
    refused(
        &["--sql", "migrations"],
        &url,
        &["have the same version, 1"],
    );
}

/// Nothing listens there: launchgate would wait for the server before anything else is said.
#[test]
fn a_folder_for_another_database_is_refused_before_anything_connects() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    let refused = |database: &str, more: &[&str], words: &[&str]| {
        let job = scene.command("job").env("DATABASE_URL", database);
        let args = ["--release=r", "--sql=migrations", "--wait-timeout=1ms"];
        let mut replica = job.args(args).args(more).start();
        replica.ends_with(64);
        replica.says("--sql: ");
        for word in words {
            replica.says(word);
        }
    };
    let (mysql, postgres) = ("mysql://u@127.0.0.1:1/x", "postgres://u@127.0.0.1:1/x");
    files.write("migration_lock.toml", "provider = \"postgresql\"\n");
    let words = ["migration_lock.toml", "postgresql", "the database is mysql"];
    refused(mysql, &[], &words);
    let own = format!("--step-env=DATABASE_URL={mysql}");
    refused(postgres, &[&own], &words);
    files.remove("migration_lock.toml");
    fs::create_dir(files.0.join("meta")).expect("a folder");
    files.write(
        "meta/_journal.json",
        r#"{"dialect": "sqlite", "entries": []}"#,
    );
    let words = ["_journal.json", "sqlite", "the database is postgres"];
    refused(postgres, &[], &words);
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

#[test]
fn a_file_that_can_not_be_read_is_told_with_the_reason() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    fs::write(files.0.join("1_a.sql"), b"-- caf\xe9\n").expect("a file");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica.says("1_a.sql: stream did not contain valid UTF-8");
    replica.says("hint=\"save the file as UTF-8\"");
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
        Db::Postgres(_) | Db::Pooled(..) | Db::Sqlite(_) => "_sqlx_migrations",
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
