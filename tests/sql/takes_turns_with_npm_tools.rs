//! `--sql` and the real tools of npm, taking turns on the same database: Prisma's schema engine,
//! drizzle-orm's migrator and dbmate.
//!
//! "Same order, same transactions, same table contents (checksums, versions, times) as the tool: after
//! either, the other says that there is nothing to do." (contract, section 10)

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::servers::PASSWORD;
use crate::common::{Db, Gate, Scene, on_each};
use crate::folder::Migrations;

/// A tool, and a folder of its layout.
pub(crate) struct Tool {
    /// The script that runs it.
    script: &'static str,
    /// Its layout, in launchgate's words.
    pub(crate) layout: &'static str,
    /// Makes the folder have so many of its four migrations.
    write: fn(&Migrations, &Db, usize),
    /// What its history says, times and random ids aside.
    pub(crate) history: fn(&Db) -> &'static str,
}

/// The statements of each migration: several, one, one that needs quotes, and one that only inserts.
fn statements(number: usize) -> &'static [&'static str] {
    match number {
        0 => &[
            "create table a (x int primary key, name varchar(20));",
            "create index i on a (name);",
        ],
        1 => &["create table b (x int);"],
        2 => &["insert into a values (1, 'it''s; so');"],
        _ => &[
            "alter table b add column y int;",
            "insert into b values (1, 2);",
            "insert into b values (3, 4);",
        ],
    }
}

pub(crate) fn provider(db: &Db) -> &'static str {
    match db {
        Db::Postgres(_) | Db::Pooled(..) => "postgresql",
        Db::Maria(_) => "mysql",
        Db::Sqlite(_) => "sqlite",
    }
}

pub(crate) const PRISMA: Tool = Tool {
    script: "prisma.mjs",
    layout: "prisma",
    write: |files, db, count| {
        let lock = format!("provider = \"{}\"\n", provider(db));
        files.write("migration_lock.toml", &lock);
        files.write("README.md", "no migration");
        for number in 0..count {
            let folder = format!("2024010{number}000000_m{number}");
            fs::create_dir_all(files.0.join(&folder)).expect("a folder");
            files.write(
                &format!("{folder}/migration.sql"),
                &format!("-- AlterTable\n{}\n", statements(number).join("\n")),
            );
        }
    },
    history: |_| {
        "select migration_name, checksum, case when finished_at >= started_at then 'done' else 'no' end, \
         rolled_back_at is null, logs is null, applied_steps_count, length(id) \
         from _prisma_migrations order by started_at, migration_name"
    },
};

pub(crate) const DRIZZLE: Tool = Tool {
    script: "drizzle.mjs",
    layout: "drizzle",
    write: |files, db, count| {
        let entries: Vec<String> = (0..count)
            .map(|number| {
                let text = statements(number).join("\n--> statement-breakpoint\n");
                files.write(&format!("000{number}_m{number}.sql"), &text);
                format!(
                    r#"{{"idx":{number},"version":"7","when":170000000000{number},"tag":"000{number}_m{number}","breakpoints":true}}"#
                )
            })
            .collect();
        fs::create_dir_all(files.0.join("meta")).expect("a folder");
        let journal = format!(
            r#"{{"version":"7","dialect":"{}","entries":[{}]}}"#,
            provider(db),
            entries.join(",")
        );
        files.write("meta/_journal.json", &journal);
        files.write("9999_not_listed.sql", "drop table a;");
    },
    history: |db| {
        if db.is_postgres() {
            "select id, hash, created_at from drizzle.__drizzle_migrations order by created_at"
        } else {
            "select id, hash, created_at from __drizzle_migrations order by created_at"
        }
    },
};

pub(crate) const DBMATE: Tool = Tool {
    script: "dbmate.mjs",
    layout: "dbmate",
    write: |files, _, count| {
        for number in 0..count {
            let options = if number == 1 {
                " transaction:false"
            } else {
                ""
            };
            files.write(
                &format!("2024010{number}_m{number}.sql"),
                &format!(
                    "-- migrate:up{options}\n{}\n-- migrate:down\ndrop table a;\n",
                    statements(number).join("\n")
                ),
            );
        }
        files.write("notes.sql", "drop table a;");
    },
    history: |_| "select version from schema_migrations order by version",
};

/// What the tool says of the folder, and whether it succeeded.
pub(crate) fn run(tool: &Tool, scene: &Scene<'_>) -> (bool, String) {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let tools = build.expect("the build's folder").join("test-tools");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/judges");
    let output = Command::new("node")
        .arg(script.join(tool.script))
        .arg(tools)
        .arg(&scene.url)
        .arg(scene.folder().join("migrations"))
        .output()
        .expect("node");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn with_sql<'a>(scene: &'a Scene<'a>, revision: &str) -> Gate<'a> {
    scene.bare(revision).args(["--sql", "migrations"])
}

/// Tables, columns and indexes.
pub(crate) fn schema(db: &Db) -> String {
    let ask = match db {
        Db::Postgres(_) | Db::Pooled(..) => {
            "select table_name, column_name, data_type, is_nullable, column_default, character_maximum_length \
             from information_schema.columns where table_schema in ('public', 'drizzle') \
             and table_name <> 'launchgate_runs' order by table_name, ordinal_position; \
             select indexdef from pg_indexes where schemaname in ('public', 'drizzle') \
             and tablename <> 'launchgate_runs' order by 1"
        }
        Db::Maria(_) => {
            "select table_name, column_name, column_type, is_nullable, column_default, collation_name \
             from information_schema.columns where table_schema = database() and table_name <> 'launchgate_runs' \
             order by table_name, ordinal_position; \
             select table_name, index_name, column_name from information_schema.statistics \
             where table_schema = database() and table_name <> 'launchgate_runs' order by 1, 2, 3"
        }
        Db::Sqlite(_) => {
            "select type, name, replace(replace(sql, char(10), ' '), char(9), ' ') from sqlite_master where name not like 'sqlite_%' \
             and tbl_name <> 'launchgate_runs' order by name"
        }
    };
    db.sql(ask)
}

/// Tables, columns, indexes and the history.
fn dump(tool: &Tool, db: &Db) -> Vec<String> {
    let history = (tool.history)(db);
    let rows = "select x, name from a order by x; select x, y from b order by x";
    let text = format!("{}\n{}\n{}", schema(db), db.sql(history), db.sql(rows));
    // How a tool lays out its CREATE TABLE is its own affair.
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.replace("( ", "(").replace(" )", ")").replace('"', "");
    words.split(" | ").map(str::to_owned).collect()
}

pub(crate) fn wipe(db: &Db) {
    match db {
        Db::Postgres(_) | Db::Pooled(..) => {
            db.sql(
                "drop schema public cascade; create schema public; drop schema if exists drizzle cascade; \
                 drop schema if exists launchgate cascade",
            );
        }
        Db::Maria(_) => {
            db.sql("drop database shop; create database shop");
        }
        Db::Sqlite(_) => {
            let _ = fs::remove_file(db.sqlite_file());
        }
    }
}

fn take_turns(tool: &Tool, db: &Db) {
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    // The tool alone.
    (tool.write)(&files, db, 4);
    let (ok, said) = run(tool, &scene);
    assert!(ok, "{said}");
    let theirs = dump(tool, db);
    // launchgate has nothing to do after it.
    let mut replica = with_sql(&scene, "after").start();
    replica.ends_with(0);
    replica
        .says("all migrations were already applied")
        .says(&format!("layout={}", tool.layout))
        .says("applied=4");
    assert_eq!(dump(tool, db), theirs);
    // Half by launchgate, the rest by the tool.
    wipe(db);
    fs::remove_dir_all(&files.0).expect("the folder");
    let files = Migrations::new(&scene);
    (tool.write)(&files, db, 2);
    with_sql(&scene, "half").start().ends_with(0);
    (tool.write)(&files, db, 4);
    let (ok, said) = run(tool, &scene);
    assert!(ok, "{said}");
    assert_eq!(dump(tool, db), theirs);
    // Half by the tool, the rest by launchgate; the tool has nothing to do after that.
    wipe(db);
    fs::remove_dir_all(&files.0).expect("the folder");
    let files = Migrations::new(&scene);
    (tool.write)(&files, db, 2);
    let (ok, said) = run(tool, &scene);
    assert!(ok, "{said}");
    (tool.write)(&files, db, 4);
    let mut replica = with_sql(&scene, "rest").start();
    replica.ends_with(0);
    replica.says("pending=2").says("applied=2");
    assert_eq!(dump(tool, db), theirs);
    let (ok, said) = run(tool, &scene);
    assert!(ok && (said == "applied: \n" || said == "done\n"), "{said}");
    assert_eq!(dump(tool, db), theirs);
}

fn prisma_and_launchgate_take_turns(db: &Db) {
    take_turns(&PRISMA, db);
}
on_each!(prisma_and_launchgate_take_turns: [postgres_15, sqlite]);

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

/// drizzle-kit says nothing of either.
#[test]
fn drizzle_s_files_that_are_not_what_was_applied_are_warned_of() {
    let db = &Db::sqlite();
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    (DRIZZLE.write)(&files, db, 3);
    let (ok, said) = run(&DRIZZLE, &scene);
    assert!(ok, "{said}");
    db.sql("delete from __drizzle_migrations where created_at = 1700000000001");
    files.write("0000_m0.sql", "select 1;");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(0);
    replica
        .says("0000_m0.sql was changed after it was applied; launchgate ignores that, as drizzle-kit does")
        .says("0001_m1.sql was never applied")
        .says("all migrations were already applied");
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

fn drizzle_and_launchgate_take_turns(db: &Db) {
    take_turns(&DRIZZLE, db);
}
on_each!(drizzle_and_launchgate_take_turns: each);

/// "The revision is (…) the fingerprint of `--sql DIR`": a journal that lists one more of the files is another one.
#[test]
fn what_the_journal_lists_is_a_part_of_the_revision() {
    let db = &Db::sqlite();
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    let job = || scene.command("job").args(["--sql", "migrations"]).start();
    (DRIZZLE.write)(&files, db, 2);
    let listed = fs::read(files.0.join("meta/_journal.json")).expect("the journal");
    (DRIZZLE.write)(&files, db, 1);
    let mut first = job();
    first.ends_with(0);
    first.says("applied 0000_m0.sql");
    fs::write(files.0.join("meta/_journal.json"), listed).expect("the journal");
    let mut second = job();
    second.ends_with(0);
    second.says("applied 0001_m1.sql");
}

/// "a failed row of the tool, with the tool's own words for the remedy"
fn a_failed_migration_of_prisma_is_refused_until_it_is_resolved(db: &Db) {
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 1);
    fs::create_dir_all(files.0.join("2025_bad")).expect("a folder");
    files.write(
        "2025_bad/migration.sql",
        "create table c (x int);\nbogus;\n",
    );
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
    let files = Migrations::new(&scene);
    (PRISMA.write)(&files, db, 1);
    fs::create_dir_all(files.0.join("2025_bad")).expect("a folder");
    files.write(
        "2025_bad/migration.sql",
        "create table c (x int);\nbogus;\n",
    );
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
        Db::Postgres(_) | Db::Pooled(..) => "\"drizzle\".__drizzle_migrations",
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

/// "A statement that fails because somebody else is at work (…) is tried again with its transaction, as
/// long as `--wait-timeout`; it is no attempt."
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
    crate::common::until("the lock", || db.sql(is_locked) == "1");
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
    crate::common::until("the lock", || db.sql(is_locked) == "1");
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

fn dbmate_and_launchgate_take_turns(db: &Db) {
    if let Db::Postgres(_) = db {
        // Go's driver refuses a password that is hashed in as few rounds as the fixture's.
        let password = PASSWORD.replace('\'', "''");
        db.sql(&format!("alter role postgres password '{password}'"));
    }
    take_turns(&DBMATE, db);
}
on_each!(dbmate_and_launchgate_take_turns: each);
