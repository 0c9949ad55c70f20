//! Prisma Migrate's: a folder for each migration, with `migration.sql`; the table `_prisma_migrations`.
//!
//! `prisma migrate deploy` writes a file's row first, runs the file without a transaction of its own, and
//! completes the row. Here a file that comes to the same in a transaction gets one, with its row at the
//! end, so that a process that is killed leaves no half row behind.

use std::{collections::HashMap, fs, path::Path, time::Duration};

use sha2::{Digest, Sha256};

use super::{files, locale::by_locale};
use crate::{
    db::{
        Backend, Error,
        hex::hex,
        migrator::{
            dialect::{FileTransaction, TableName},
            error::sql_failure,
            file::MigrationFile,
            layout::{Compared, History, Layout, MigrationPlan, RESTORE, RowMoment},
            transactions::is_atomic_file,
        },
        rows::TextRow,
    },
    exit::{Failure, Problem},
};

const TABLE: &str = "_prisma_migrations";

/// The file that says which database the folder is for.
pub(super) const LOCK: &str = "migration_lock.toml";

/// The file of one migration.
pub(super) const SCRIPT: &str = "migration.sql";

pub(super) static PRISMA: Layout = Layout {
    tool: "`prisma migrate deploy`",
    table: TableName::named(TABLE),
    has_dirty: None,
    read,
    creation,
    empty_schema: Some((other_table, |table| {
        sql_failure(
            format!(
                "the database schema is not empty: it has the table {table}, but no {TABLE} (P3005)"
            ),
            "baseline the database with `prisma migrate resolve --applied NAME`, as https://pris.ly/d/migrate-baseline describes",
        )
    })),
    columns: &[
        "migration_name",
        "checksum",
        "finished_at",
        "rolled_back_at",
        "logs",
        "started_at",
    ],
    bytes: None,
    compare,
    transaction: |file, dialect| {
        if is_atomic_file(dialect, &file.text) {
            FileTransaction::RowLast
        } else {
            FileTransaction::Marked
        }
    },
    without_foreign_keys: |_| false,
    row,
    failed_row: Some(|history, file, words| {
        let (table, row) = (&history.table, unfinished_row(history, file));
        let logs = history.text(words);
        format!("UPDATE {table} SET logs = {logs} WHERE {row}")
    }),
    failed_hint: Some(|file| {
        let resolve = resolve(&file.label);
        format!("undo its changes by hand, fix the file, and {resolve}")
    }),
    no_transaction_hint: None,
    row_key: |history, file| format!("migration_name = {}", history.text(&file.label)),
};

fn unfinished_row(history: &History, file: &MigrationFile) -> String {
    let row = (PRISMA.row_key)(history, file);
    format!("{row} AND finished_at IS NULL AND rolled_back_at IS NULL")
}

fn read(path: &Path) -> Result<Vec<MigrationFile>, Failure> {
    let mut all = Vec::new();
    for name in files::folders(path)? {
        let script = format!("{name}/{SCRIPT}");
        let shown = path.join(&script);
        if !shown.is_file() {
            return Err(sql_failure(
                format!(
                    "could not find the migration file at {} (P3015)",
                    shown.display()
                ),
                "put the file back, or delete the folder if it is empty",
            ));
        }
        let text = files::text(&shown)?;
        let file = MigrationFile {
            checksum: Sha256::digest(text.as_bytes()).to_vec(),
            name: script,
            shown: shown.display().to_string(),
            runs: true,
            label: name,
            text,
            ..MigrationFile::default()
        };
        all.push(file.whole());
    }
    all.sort_by(|one, other| by_locale(&one.label, &other.label));
    Ok(all)
}

/// As Prisma's engine writes it.
fn creation(history: &History) -> String {
    let table = &history.table;
    let create = match history.backend {
        Backend::Postgres => format!(
            "CREATE TABLE {table} (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, \
             finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, \
             rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), \
             applied_steps_count INTEGER NOT NULL DEFAULT 0)"
        ),
        Backend::Mysql => format!(
            "CREATE TABLE {table} (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, \
             finished_at DATETIME(3), migration_name VARCHAR(255) NOT NULL, logs TEXT, \
             rolled_back_at DATETIME(3), started_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), \
             applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0) \
             DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
        ),
        Backend::Sqlite => format!(
            "CREATE TABLE \"{table}\" (\"id\" TEXT PRIMARY KEY NOT NULL, \"checksum\" TEXT NOT NULL, \
             \"finished_at\" DATETIME, \"migration_name\" TEXT NOT NULL, \"logs\" TEXT, \
             \"rolled_back_at\" DATETIME, \"started_at\" DATETIME NOT NULL DEFAULT current_timestamp, \
             \"applied_steps_count\" INTEGER UNSIGNED NOT NULL DEFAULT 0)"
        ),
    };
    // Prisma creates the schema that the URL names. IF NOT EXISTS requires a privilege even if it exists.
    if let (Some(schema), Some((quoted, _))) = (&history.schema, table.rsplit_once('.')) {
        return format!(
            "DO $prisma$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {}) \
             THEN CREATE SCHEMA {quoted}; END IF; END $prisma$; {create}",
            history.text(schema)
        );
    }
    create
}

/// Asks for a table that is not Prisma's.
fn other_table(history: &History) -> String {
    match history.backend {
        Backend::Postgres => {
            let schema = history.schema.as_ref().map(|schema| history.text(schema));
            let schema = schema.unwrap_or_else(|| "current_schema()".to_owned());
            format!(
                "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'r' AND n.nspname = {schema} \
                 AND c.relname NOT IN ('launchgate_runs', 'spatial_ref_sys') LIMIT 1"
            )
        }
        Backend::Mysql => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_type = 'BASE TABLE' AND table_name <> 'launchgate_runs' LIMIT 1"
                .to_owned()
        }
        Backend::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             AND name <> 'launchgate_runs' LIMIT 1"
                .to_owned()
        }
    }
}

fn compare<'a>(found: &Compared<'a>) -> Result<MigrationPlan<'a>, Failure> {
    let mut applied: HashMap<String, String> = HashMap::new();
    for row in found.rows.iter().filter(|row| row.opt(3).is_none()) {
        if row.opt(2).is_none() {
            return Err(unfinished(row));
        }
        applied.insert(row.text(0), row.text(1));
    }
    let newest = applied.keys().max_by(|one, other| by_locale(one, other));
    let newer =
        |file: &MigrationFile| newest.filter(|newest| by_locale(&file.label, newest).is_lt());
    let mut plan = found.plan(
        |file| applied.contains_key(&file.label),
        |file| newer(file).map(|newest| format!("the newer {newest}")),
    );
    for file in found.files {
        let checksum = applied.remove(&file.label);
        if checksum.is_some_and(|checksum| !matches(file, &checksum)) {
            plan.warnings.push(found.edited(file));
        }
    }
    let mut gone: Vec<String> = applied.into_keys().collect();
    gone.sort();
    if !gone.is_empty() {
        plan.warnings.push(Problem::new(
            format!(
                "{}; launchgate ignores that, as {} does",
                found.missing(&gone),
                PRISMA.tool
            ),
            RESTORE,
        ));
    }
    Ok(plan)
}

fn row(history: &History, file: &MigrationFile, moment: RowMoment) -> Result<String, Error> {
    let (table, now) = (&history.table, time_before(history.backend, Duration::ZERO));
    let insert = |columns: &str, values: &str| {
        let (checksum, name) = (hex(&file.checksum), history.text(&file.label));
        Ok(format!(
            "INSERT INTO {table} (id, checksum, migration_name, started_at{columns}) \
             VALUES ('{}', '{checksum}', {name}, {values})",
            History::uuid()?
        ))
    };
    match moment {
        RowMoment::Before => insert("", &now),
        RowMoment::Completed(_) => Ok(format!(
            "UPDATE {table} SET applied_steps_count = 1, finished_at = {now} WHERE {}",
            unfinished_row(history, file)
        )),
        RowMoment::After(elapsed) => {
            // Prisma orders its rows by this: no earlier than the end of the file before.
            let started = match history.backend {
                Backend::Postgres => "now()".to_owned(),
                Backend::Mysql | Backend::Sqlite => time_before(history.backend, elapsed),
            };
            insert(
                ", finished_at, applied_steps_count",
                &format!("{started}, {now}, 1"),
            )
        }
    }
}

/// The time as Prisma stores it: UTC, to the millisecond; in `SQLite` a number.
fn time_before(backend: Backend, elapsed: Duration) -> String {
    let ms = elapsed.as_millis();
    match backend {
        Backend::Postgres => format!("clock_timestamp() - interval '{ms} milliseconds'"),
        Backend::Mysql => format!("UTC_TIMESTAMP(3) - INTERVAL {} MICROSECOND", ms * 1000),
        Backend::Sqlite => {
            format!("CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) - {ms}")
        }
    }
}

/// What marks a failed migration as undone.
fn resolve(name: &str) -> String {
    let quoted = name.replace('\'', "''");
    format!(
        "mark it with `prisma migrate resolve --rolled-back {name}`, or without Prisma \
         `UPDATE {TABLE} SET rolled_back_at = CURRENT_TIMESTAMP WHERE migration_name = '{quoted}' AND finished_at IS NULL`"
    )
}

fn unfinished(row: &TextRow) -> Failure {
    let (name, started) = (row.text(0), row.text(5));
    let logs = row.text(4);
    let logs = match logs.trim() {
        "" => String::new(),
        logs => format!(" with the following logs: {logs}"),
    };
    sql_failure(
        format!(
            "found failed migrations in the target database, new migrations will not be applied (P3009): \
             the `{name}` migration started at {started} failed{logs}"
        ),
        format!("undo its changes by hand, and {}", resolve(&name)),
    )
}

/// Whether a row's checksum is that of the file, whatever its line endings. Old versions of Prisma wrote
/// no leading zeros.
fn matches(file: &MigrationFile, checksum: &str) -> bool {
    let unix = file.text.replace("\r\n", "\n");
    let windows = file.text.replace('\n', "\r\n");
    [&file.text, &unix, &windows].into_iter().any(|text| {
        let digest = Sha256::digest(text.as_bytes());
        let digest = hex(&digest);
        digest == checksum || without_zeros(&digest) == checksum
    })
}

/// A hash with one digit for a byte below 16.
fn without_zeros(hex: &str) -> String {
    let bytes = hex.as_bytes().chunks(2);
    bytes
        .flat_map(|byte| byte.strip_prefix(b"0").unwrap_or(byte))
        .map(|digit| char::from(*digit))
        .collect()
}

/// The kind of database that the lock file is for.
pub(super) fn provider(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path.join(LOCK)).ok()?;
    let line = text.lines().find(|line| line.starts_with("provider"))?;
    let (_, value) = line.split_once('=')?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_ignore_line_endings_and_may_lack_zeros() {
        let file = |text: &str| MigrationFile {
            text: text.to_owned(),
            ..MigrationFile::default()
        };
        let checksum = |text: &str| hex(&Sha256::digest(text.as_bytes()));
        assert!(matches(&file("a;\nb;\n"), &checksum("a;\r\nb;\r\n")));
        assert!(matches(&file("a;\r\nb;\r\n"), &checksum("a;\nb;\n")));
        assert!(!matches(&file("a;\nb;\n"), &checksum("a;\nb;")));
        let digest = Sha256::digest(b"abcd");
        let old = without_zeros(&hex(&digest));
        assert_eq!(&old[..8], "88d4266f");
        assert_eq!(old.len(), 63);
        assert!(matches(&file("abcd"), &old));
    }
}
