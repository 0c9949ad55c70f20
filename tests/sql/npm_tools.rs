//! The real tools of npm, each with a folder of its layout: Prisma's schema engine, drizzle-orm's migrator and
//! dbmate.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Db, Scene};
use crate::folder::Migrations;

/// A tool, and a folder of its layout.
pub(crate) struct Tool {
    /// The script that runs it.
    script: &'static str,
    /// Its layout, in launchgate's words.
    pub(crate) layout: &'static str,
    /// Makes the folder have so many of its four migrations.
    pub(crate) write: fn(&Migrations, &Db, usize),
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
        Db::Postgres(..) => "postgresql",
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

/// Tables, columns and indexes.
pub(crate) fn schema(db: &Db) -> String {
    let ask = match db {
        Db::Postgres(..) => {
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
pub(crate) fn dump(tool: &Tool, db: &Db) -> Vec<String> {
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
        Db::Postgres(..) => {
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
