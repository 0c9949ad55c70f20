//! `--sql` and the real sqlx-cli, taking turns on the same database.
//!
//! "after either, the other says that there is nothing to do." (contract, section 10)

use crate::common::{Db, Gate, Scene, on_each};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folder::{Migrations, applied};

/// What `scripts/install-test-tools` installed.
fn sqlx() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let program = build
        .expect("the build's folder")
        .join("test-tools/sqlx-cli/bin/sqlx");
    assert!(
        program.exists(),
        "there is no {}: run scripts/install-test-tools",
        program.display()
    );
    program
}

/// `sqlx migrate ARGS`: whether it succeeded, and what it said.
fn migrate(scene: &Scene<'_>, args: &[&str]) -> (bool, String) {
    let output = Command::new(sqlx())
        .arg("migrate")
        .args(args)
        .args(["--source", "migrations", "--no-dotenv"])
        .current_dir(scene.folder())
        .env_clear()
        .env("NO_COLOR", "1")
        .env("DATABASE_URL", &scene.url)
        .output()
        .expect("sqlx");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn with_sql<'a>(scene: &'a Scene<'a>, revision: &str) -> Gate<'a> {
    scene.bare(revision).args(["--sql", "migrations"])
}

/// Every column that both must write alike.
fn rows(db: &Db) -> Vec<String> {
    let checksum = match db {
        Db::Sqlite(_) => "hex(checksum)",
        _ => "upper(encode(checksum, 'hex'))",
    };
    let time = "case when execution_time > 0 then 'timed' else execution_time || '' end";
    let when = "case when installed_on is null then 'no' else 'dated' end";
    let ask = format!(
        "select version, description, {when}, success, {checksum}, {time} from _sqlx_migrations order by version"
    );
    db.sql(&ask).lines().map(str::to_owned).collect()
}

/// The table as its own server describes it.
fn table(db: &Db) -> String {
    db.sql(match db {
        Db::Sqlite(_) => "select sql from sqlite_schema where tbl_name = '_sqlx_migrations' and sql <> ''",
        _ => "select column_name, data_type, is_nullable, column_default from information_schema.columns where table_name = '_sqlx_migrations' order by ordinal_position",
    })
}

/// Both kinds of files, other files beside them, names that are not plain, and one without a
/// transaction.
fn files(scene: &Scene<'_>) -> Migrations {
    let files = Migrations::new(scene);
    files.write(
        "1_first_table.sql",
        "create table a (x int);\r\ninsert into a values (1);\r\n",
    );
    files.write("2_it's é_ünï.up.sql", "create table b (x int);\n-- the end");
    files.write("2_it's é_ünï.down.sql", "drop table b;\n");
    files.write("02_it's é_ünï.down.sql", "drop table b;\n");
    files.write(
        "0010_index.sql",
        "-- no-transaction\ncreate index i on a (x);\n",
    );
    files.write("9_later__with.dots.sql", "insert into a values (9);");
    files.write("readme.md", "no migration");
    files.write("snippet.sql", "no migration");
    files
}

fn the_table_is_the_same(db: &Db) {
    let scene = Scene::new(db);
    let _files = files(&scene);
    if let Db::Sqlite(_) = db {
        db.sql("create table made (x int)");
    }
    let (ok, said) = migrate(&scene, &["run"]);
    assert!(ok, "{said}");
    let (theirs, made) = (rows(db), table(db));
    assert_eq!(theirs.len(), 4);
    db.sql("drop table _sqlx_migrations");
    db.sql("drop table a");
    db.sql("drop table b");
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(rows(db), theirs);
    assert_eq!(table(db), made);
}
on_each!(the_table_is_the_same: server_and_file);

fn sqlx_goes_on_where_launchgate_stopped(db: &Db) {
    let scene = Scene::new(db);
    let files = files(&scene);
    with_sql(&scene, "v1").start().ends_with(0);
    let (ok, said) = migrate(&scene, &["info"]);
    assert!(
        ok && !said.contains("pending") && !said.contains("differ"),
        "{said}"
    );
    files.write("11_more.sql", "create table c (x int);");
    let (ok, said) = migrate(&scene, &["run"]);
    assert!(ok && said.contains("Applied 11/migrate more"), "{said}");
    assert!(!said.contains("Applied 9/"), "{said}");
    // And undoes what launchgate did.
    files.remove("11_more.sql");
    files.remove("9_later__with.dots.sql");
    files.remove("0010_index.sql");
    let (ok, said) = migrate(&scene, &["revert", "--ignore-missing"]);
    assert!(ok && said.contains("Applied 2/revert"), "{said}");
    assert_eq!(applied(db).len(), 4);
}
on_each!(sqlx_goes_on_where_launchgate_stopped: server_and_file);

fn launchgate_goes_on_where_sqlx_stopped(db: &Db) {
    let scene = Scene::new(db);
    let files = files(&scene);
    if let Db::Sqlite(_) = db {
        db.sql("create table made (x int)");
    }
    let (ok, said) = migrate(&scene, &["run", "--target-version", "2"]);
    assert!(ok, "{said}");
    assert_eq!(applied(db).len(), 2);
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(0);
    replica
        .says("pending=2 applied=2")
        .says("applied 9_later__with.dots.sql");
    assert_eq!(applied(db).len(), 4);
    let (ok, said) = migrate(&scene, &["revert"]);
    assert!(ok, "{said}");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(0);
    replica.says("out of order").says("pending=1 applied=3");
    // Both take the same for a change.
    files.write("1_first_table.sql", "create table a (x int);\n");
    let (ok, said) = migrate(&scene, &["run"]);
    assert!(
        !ok && said.contains("migration 1 was previously applied but has been modified"),
        "{said}"
    );
    with_sql(&scene, "v3").start().ends_with(65);
}
on_each!(launchgate_goes_on_where_sqlx_stopped: server_and_file);

/// A file that is older than what is applied: sqlx-cli applies it, and so does launchgate.
fn both_apply_what_is_late(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("3_c.sql", "create table c (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    files.write("1_a.sql", "create table a (x int);");
    let (ok, said) = migrate(&scene, &["run"]);
    assert!(ok && said.contains("Applied 1/migrate a"), "{said}");
    files.write("2_b.sql", "create table b (x int);");
    with_sql(&scene, "v2").start().ends_with(0);
    let (ok, said) = migrate(&scene, &["info"]);
    assert!(ok && !said.contains("pending"), "{said}");
}
on_each!(both_apply_what_is_late: server_and_file);
