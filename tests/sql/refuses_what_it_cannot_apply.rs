//! `--sql`: folders, files and settings that are refused, most of them before anything connects.
//!
//! "64: usage or configuration; nothing was touched" (contract, section 6)
//!
//! "A file that no layout explains is an error, never passed over in silence, except what the
//! layout's tool itself passes over" (contract, section 10)

use std::fs;

use crate::common::{Db, Scene};
use crate::folder::{Migrations, with_sql};

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
