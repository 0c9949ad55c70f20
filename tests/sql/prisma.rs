//! `--sql` with folders of Prisma Migrate: whose they are, failed rows, and what its engine requires.
//!
//! "`*/migration.sql` with `migration_lock.toml`; `_prisma_migrations`; takes over from, and hands over to
//! `prisma migrate deploy`" (contract, section 10)

use std::fs;

use crate::common::{Db, Scene, on_each};
use crate::folder::{Migrations, with_sql};
use crate::npm_tools::{PRISMA, run};

/// Prisma's engine as WebAssembly has no MySQL, so what its source says is the judge.
#[test]
fn prisma_on_mariadb_has_the_rows_that_its_source_writes() {
    let db = &Db::mariadb();
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 2);
    with_sql(&scene, "v1").start().ends_with(0);
    (PRISMA.write)(&files, db, 4);
    files.write(
        "20240103000000_m3/migration.sql",
        "-- This is an empty migration.",
    );
    with_sql(&scene, "v2").start().ends_with(0);
    let rows = db.sql((PRISMA.history)(db));
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split('|').collect()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(
        names,
        [
            "20240100000000_m0",
            "20240101000000_m1",
            "20240102000000_m2",
            "20240103000000_m3"
        ]
    );
    for row in rows {
        assert_eq!(row[2..], ["done", "1", "1", "1", "36"]);
        assert_eq!(row[1].len(), 64);
    }
    let table = "select group_concat(column_name, ' ', column_type, ' ', is_nullable order by ordinal_position separator ', ') \
                 from information_schema.columns where table_schema = database() and table_name = '_prisma_migrations'";
    assert_eq!(
        db.sql(table),
        "id varchar(36) NO, checksum varchar(64) NO, finished_at datetime(3) YES, migration_name varchar(255) NO, \
         logs text YES, rolled_back_at datetime(3) YES, started_at datetime(3) NO, \
         applied_steps_count int(10) unsigned NO"
    );
    let mut replica = with_sql(&scene, "v3").start();
    replica.ends_with(0);
    replica.says("all migrations were already applied");
}

/// Prisma's `?schema=`, which it creates where it is missing.
#[test]
fn the_schema_of_prisma_s_url_is_created() {
    let db = &Db::postgres_15();
    let mut scene = Scene::new(db);
    scene.url += "?schema=shop";
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 2);
    with_sql(&scene, "v1").start().ends_with(0);
    (PRISMA.write)(&files, db, 4);
    let (ok, said) = run(&PRISMA, &scene);
    assert!(ok && said.ends_with("_m3\n"), "{said}");
    let mut replica = with_sql(&scene, "v2").start();
    replica.ends_with(0);
    replica.says("applied=4");
    let rows = "select count(*) from shop._prisma_migrations; select count(*) from shop.b";
    assert_eq!(db.sql(rows), "4\n2");
}

/// `prisma migrate deploy` does not need the file, but without it nothing says whose the folder is.
#[test]
fn without_its_lock_file_a_folder_of_prisma_has_to_be_named() {
    let db = &Db::sqlite();
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 2);
    files.remove("migration_lock.toml");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(64);
    replica.says("set --sql-layout prisma");
    let named = with_sql(&scene, "v2").args(["--sql-layout", "prisma"]);
    named.start().ends_with(0);
    (PRISMA.write)(&files, db, 2);
    let (ok, said) = run(&PRISMA, &scene);
    assert!(ok && said == "applied: \n", "{said}");
}

/// Prisma reads its rows in the order of `started_at`.
fn rows_of_prisma_begin_after_the_one_before_ended(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 0);
    for number in 10..30 {
        fs::create_dir_all(files.0.join(format!("{number}_m"))).expect("a folder");
        files.write(&format!("{number}_m/migration.sql"), "select 1;\n");
    }
    with_sql(&scene, "v1").start().ends_with(0);
    let early = "select count(*) from (select started_at < lag(finished_at) over (order by migration_name) as early \
                 from _prisma_migrations) as r where early";
    assert_eq!(db.sql(early), "0");
}
on_each!(rows_of_prisma_begin_after_the_one_before_ended: each);

/// A folder whose last migration fails in its second statement.
fn with_a_bad_one(scene: &Scene<'_>) -> Migrations {
    let files = Migrations::new(scene);
    (PRISMA.write)(&files, scene.db, 1);
    fs::create_dir_all(files.0.join("2025_bad")).expect("a folder");
    files.write(
        "2025_bad/migration.sql",
        "create table c (x int);\nbogus;\n",
    );
    files
}

/// "a failed row of the tool, with the tool's own words for the remedy"
fn a_failed_migration_of_prisma_is_refused_until_it_is_resolved(db: &Db) {
    let scene = Scene::new(db).without_database_file();
    let files = with_a_bad_one(&scene);
    let (ok, said) = run(&PRISMA, &scene);
    assert!(!ok && said.contains("2025_bad"), "{said}");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("new migrations will not be applied (P3009)")
        .says("the `2025_bad` migration started at")
        .says("prisma migrate resolve --rolled-back 2025_bad")
        .says("UPDATE _prisma_migrations SET rolled_back_at = CURRENT_TIMESTAMP WHERE migration_name = '2025_bad'");
    db.sql(
        "UPDATE _prisma_migrations SET rolled_back_at = CURRENT_TIMESTAMP WHERE migration_name = '2025_bad' AND finished_at IS NULL",
    );
    db.sql("drop table if exists c");
    files.write("2025_bad/migration.sql", "create table c (x int);\n");
    with_sql(&scene, "v2").start().ends_with(0);
    let (ok, said) = run(&PRISMA, &scene);
    assert!(ok && said == "applied: \n", "{said}");
}
on_each!(a_failed_migration_of_prisma_is_refused_until_it_is_resolved: [postgres_15, sqlite]);

/// Where nothing of a failed file remains, no row does either.
fn a_file_that_fails_here_leaves_what_prisma_would(db: &Db) {
    let scene = Scene::new(db);
    let files = with_a_bad_one(&scene);
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica.says("migrations/2025_bad/migration.sql:2: ");
    let failed = db.sql(
        "select migration_name, logs <> '', applied_steps_count from _prisma_migrations where finished_at is null",
    );
    if let Db::Maria(_) = db {
        replica.says("prisma migrate resolve --rolled-back 2025_bad");
        assert_eq!(failed, "2025_bad|1|0");
    } else {
        replica.says("none of this file's changes remain");
        assert_eq!(failed, "");
        files.write("2025_bad/migration.sql", "create table c (x int);\n");
        with_sql(&scene, "v2").start().ends_with(0);
    }
}
on_each!(a_file_that_fails_here_leaves_what_prisma_would: each);

/// P3005: "The database schema is not empty."
fn prisma_wants_an_empty_schema(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 1);
    db.sql("create table other (x int)");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica
        .says("the database schema is not empty: it has the table other, but no _prisma_migrations (P3005)")
        .says("prisma migrate resolve --applied");
    assert_eq!(scene.count("server"), 0);
}
on_each!(prisma_wants_an_empty_schema: each);
