//! Drizzle's: `meta/_journal.json` lists the files; the table `__drizzle_migrations`.
//!
//! drizzle-orm's migrator, which drizzle-kit uses too, applies what the journal dates later than the newest
//! row, all of it in one transaction.

use std::{fmt::Display, path::Path};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files;
use crate::{
    db::{
        Backend,
        hex::hex,
        migrator::{
            dialect::{FileTransaction, TableName},
            error::sql_failure,
            file::MigrationFile,
            layout::{Compared, History, Layout, MigrationPlan},
            statements::{line, statements},
        },
    },
    exit::{Failure, Problem},
};

/// The list of the files, in the order in which they are applied.
pub(super) const JOURNAL: &str = "meta/_journal.json";

/// What separates the statements of a file.
const BREAKPOINT: &str = "--> statement-breakpoint";

pub(super) static DRIZZLE: Layout = Layout {
    tool: "drizzle-kit",
    table: TableName {
        schema: Some("drizzle"),
        name: "__drizzle_migrations",
    },
    has_dirty: None,
    read,
    creation,
    empty_schema: None,
    columns: &["hash", "created_at"],
    bytes: None,
    compare,
    transaction: |_, _| FileTransaction::RowLast,
    without_foreign_keys: |pending| pending.iter().any(|file| turns_foreign_keys_off(file)),
    row: |history, file, _| {
        let (table, hash, when) = (&history.table, hex(&file.checksum), file.version);
        Ok(format!(
            "INSERT INTO {table} (hash, created_at) VALUES ('{hash}', {when})"
        ))
    },
    failed_row: None,
    failed_hint: None,
    no_transaction_hint: None,
    row_key: |_, file| format!("created_at = {}", file.version),
};

fn read(path: &Path) -> Result<Vec<MigrationFile>, Failure> {
    let shown = path.join(JOURNAL).display().to_string();
    let unusable = |what: &dyn Display| {
        sql_failure(
            format!("{shown}: {what}"),
            "restore the file as drizzle-kit wrote it",
        )
    };
    let journal: Result<Value, _> = serde_json::from_str(&files::text(&path.join(JOURNAL))?);
    let journal = journal.map_err(|error| unusable(&error))?;
    let entries = journal.get("entries").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| unusable(&"there are no `entries`"))?;
    let mut all = vec![MigrationFile {
        name: JOURNAL.to_owned(),
        shown: shown.clone(),
        ..MigrationFile::default()
    }];
    for entry in entries {
        let tag = entry.get("tag").and_then(Value::as_str);
        let when = entry.get("when").and_then(Value::as_i64);
        let (Some(tag), Some(when)) = (tag, when) else {
            return Err(unusable(&format!(
                "{entry} has no `tag` or no whole `when`"
            )));
        };
        all.push(file(path, tag, when)?);
    }
    Ok(all)
}

/// The kind of database that the journal is for, if it says so.
pub(super) fn dialect(path: &Path) -> Result<Option<String>, Failure> {
    let text = files::text(&path.join(JOURNAL))?;
    let journal: Value = serde_json::from_str(&text).unwrap_or_default();
    let dialect = journal.get("dialect").and_then(Value::as_str);
    Ok(dialect.map(str::to_owned))
}

fn creation(history: &History) -> String {
    let table = &history.table;
    let created = match history.backend {
        Backend::Postgres | Backend::Mysql => "bigint",
        Backend::Sqlite => "numeric",
    };
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at {created})"
    );
    match history.backend {
        Backend::Postgres => format!("CREATE SCHEMA IF NOT EXISTS \"drizzle\"; {create}"),
        Backend::Mysql | Backend::Sqlite => create,
    }
}

fn compare<'a>(found: &Compared<'a>) -> Result<MigrationPlan<'a>, Failure> {
    // SQLite's `numeric` may hold a number with a fraction.
    let rows: Vec<(String, i64)> = found
        .rows
        .iter()
        .map(|row| Ok((row.text(0), found.number(row, 1)?)))
        .collect::<Result<_, Failure>>()?;
    let newest = rows.iter().map(|(_, when)| *when).max();
    let is_applied = |file: &MigrationFile| newest.is_some_and(|newest| file.version <= newest);
    let mut plan = found.plan(is_applied, |_| None);
    plan.is_one_transaction = true;
    for file in found
        .files
        .iter()
        .filter(|file| file.runs && is_applied(file))
    {
        let mut same_time = rows.iter().filter(|(_, when)| *when == file.version);
        match same_time.next() {
            Some((hash, _)) if *hash == hex(&file.checksum) => {}
            Some(_) => plan.warnings.push(found.edited(file)),
            None => plan.warnings.push(passed_over(file)),
        }
    }
    let mut pending = plan.pending.iter();
    match pending.find_map(|file| refuse(file, found.backend)) {
        Some(refusal) => Err(refusal),
        None => Ok(plan),
    }
}

/// drizzle-kit writes this pragma around a table that it recreates. In a transaction it does nothing,
/// and dropping the old table would delete what refers to it.
fn turns_foreign_keys_off(file: &MigrationFile) -> bool {
    let text: String = file.text.split_whitespace().collect();
    text.to_ascii_lowercase().contains("pragmaforeign_keys=off")
}

fn file(path: &Path, tag: &str, when: i64) -> Result<MigrationFile, Failure> {
    let name = format!("{tag}.sql");
    let shown = path.join(&name);
    if !shown.is_file() {
        return Err(sql_failure(
            format!("{JOURNAL} lists {tag}, and there is no {}", shown.display()),
            "put the file back, or drop the migration with `drizzle-kit drop`",
        ));
    }
    let text = files::text(&shown)?;
    let mut parts = Vec::new();
    let mut from = 0;
    for part in text.split(BREAKPOINT) {
        let to = from + part.len();
        parts.push(from..to);
        from = to + BREAKPOINT.len();
    }
    Ok(MigrationFile {
        name,
        shown: shown.display().to_string(),
        runs: true,
        version: when,
        label: tag.to_owned(),
        checksum: Sha256::digest(text.as_bytes()).to_vec(),
        text,
        parts,
        ..MigrationFile::default()
    })
}

/// `SQLite` executes one statement at a time: some of drizzle-orm's drivers refuse a second one, some pass it
/// over, and none accepts less than one. `MySQL` refuses an empty message, but not one of comments.
fn refuse(file: &MigrationFile, backend: Backend) -> Option<Failure> {
    let lexer = backend.driver().migrations.lexer;
    for (part, range) in file.parts.iter().enumerate() {
        let text = file.part(part);
        let is_blank = text
            .trim_matches(|c: char| c == ';' || c.is_whitespace())
            .is_empty();
        let what = match (backend, statements(text, lexer).len()) {
            (Backend::Mysql, _) if is_blank => "nothing stands",
            (Backend::Sqlite, 0) => "no statement stands",
            (Backend::Sqlite, 2..) => "several statements stand",
            (Backend::Postgres | Backend::Mysql | Backend::Sqlite, _) => continue,
        };
        let line = line(&file.text, range.start);
        return Some(sql_failure(
            format!(
                "{}:{line}: {what} between two lines `{BREAKPOINT}`, which drizzle-orm can't apply on {backend}",
                file.shown
            ),
            format!("put `{BREAKPOINT}` between statements, and only there"),
        ));
    }
    None
}

fn passed_over(file: &MigrationFile) -> Problem {
    Problem::new(
        format!(
            "{} was never applied, and {JOURNAL} dates it before the newest one that was: like drizzle-kit, launchgate passes it over",
            file.shown
        ),
        format!("generate it again, or set its `when` in {JOURNAL} to a later time"),
    )
}
