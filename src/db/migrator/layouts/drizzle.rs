//! Drizzle's: `meta/_journal.json` lists the files; the table `__drizzle_migrations`.
//!
//! drizzle-orm's migrator, which drizzle-kit uses too, applies what the journal dates later than the newest
//! row, all of it in one transaction.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files;
use crate::db::{
    Backend,
    hex::hex,
    migrator::{
        dialect::{FileTransaction, TableName},
        error::MigrationError,
        file::MigrationFile,
        layout::{Column, Layout, MigrationPlan, PlanWarning, RowSql, unexpected_row},
        statements::{line, statements},
    },
    rows::TextRow,
};

const TABLE: &str = "__drizzle_migrations";

const TOOL: &str = "drizzle-kit";

/// The list of the files, in the order in which they are applied.
pub(super) const JOURNAL: &str = "meta/_journal.json";

/// What separates the statements of a file.
const BREAKPOINT: &str = "--> statement-breakpoint";

pub(super) static DRIZZLE: Layout = Layout {
    table: TableName {
        schema: Some("drizzle"),
        name: TABLE,
    },
    has_dirty: None,
    read,
    refuse: Some(refuse),
    creation,
    empty_schema: None,
    columns: &[Column::Text("hash"), Column::Other("created_at")],
    compare,
    refuse_file: Some(refuse_file),
    transaction: |_, _| FileTransaction::RowLast,
    session: Some(session),
    row: |rows, file, _| {
        let (table, hash, when) = (rows.table, hex(&file.checksum), file.version);
        Ok(format!(
            "INSERT INTO {table} (hash, created_at) VALUES ('{hash}', {when})"
        ))
    },
    failed_row: None,
    failed_hint: None,
    no_transaction_hint: None,
    row_key: |_, file| format!("created_at = {}", file.version),
};

fn read(path: &Path) -> Result<Vec<MigrationFile>, MigrationError> {
    let shown = path.join(JOURNAL);
    let text = files::text(&shown)?;
    let journal: Value = serde_json::from_str(&text).map_err(|error| {
        MigrationError::migration(
            format!("{}: {error}", shown.display()),
            "restore the file as drizzle-kit wrote it",
        )
    })?;
    let unusable = |what: &str| {
        MigrationError::migration(
            format!("{}: {what}", shown.display()),
            "restore the file as drizzle-kit wrote it",
        )
    };
    let entries = journal.get("entries").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| unusable("there are no `entries`"))?;
    let mut all = vec![MigrationFile {
        name: JOURNAL.to_owned(),
        shown: shown.display().to_string(),
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

fn refuse(path: &Path, backend: Backend) -> Result<(), MigrationError> {
    let text = files::text(&path.join(JOURNAL))?;
    let journal: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(found) = journal.get("dialect").and_then(Value::as_str) else {
        return Ok(());
    };
    let fits = match backend {
        Backend::Postgres => ["postgresql", "pg"].contains(&found),
        Backend::Mysql => found == "mysql",
        Backend::Sqlite => ["sqlite", "turso"].contains(&found),
    };
    if fits {
        return Ok(());
    }
    Err(MigrationError::Layout {
        what: format!(
            "{JOURNAL} says that the migrations in {} are for {found}, and the database is {backend}",
            path.display()
        ),
        hint: "name the other database, or the folder for this one".to_owned(),
    })
}

fn creation(rows: &RowSql<'_>) -> String {
    let table = rows.table;
    let created = match rows.backend {
        Backend::Postgres | Backend::Mysql => "bigint",
        Backend::Sqlite => "numeric",
    };
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at {created})"
    );
    match rows.backend {
        Backend::Postgres => format!("CREATE SCHEMA IF NOT EXISTS \"drizzle\"; {create}"),
        Backend::Mysql | Backend::Sqlite => create,
    }
}

fn compare<'a>(
    _path: &Path,
    files: &'a [MigrationFile],
    rows: &[TextRow],
) -> Result<MigrationPlan<'a>, MigrationError> {
    let rows: Vec<(String, i64)> = rows.iter().map(applied).collect::<Result<_, _>>()?;
    let newest = rows.iter().map(|(_, when)| *when).max();
    let mut plan = MigrationPlan {
        is_one_transaction: true,
        ..MigrationPlan::default()
    };
    for file in files.iter().filter(|file| file.runs) {
        if newest.is_none_or(|newest| newest < file.version) {
            plan.pending.push(file);
            continue;
        }
        plan.applied += 1;
        let mut same_time = rows.iter().filter(|(_, when)| *when == file.version);
        match same_time.next() {
            Some((hash, _)) if *hash == hex(&file.checksum) => {}
            Some(_) => plan.warnings.push(PlanWarning::edited(file, TOOL)),
            None => plan.warnings.push(passed_over(file)),
        }
    }
    Ok(plan)
}

/// drizzle-kit writes this pragma around a table that it recreates. In a transaction it does nothing,
/// and dropping the old table would delete what refers to it.
fn session(backend: Backend, pending: &[&MigrationFile]) -> Option<&'static str> {
    let turns_off = |file: &&MigrationFile| {
        let text: String = file.text.split_whitespace().collect();
        text.to_ascii_lowercase().contains("pragmaforeign_keys=off")
    };
    match backend {
        Backend::Sqlite if pending.iter().any(turns_off) => Some("PRAGMA foreign_keys = OFF"),
        Backend::Sqlite | Backend::Postgres | Backend::Mysql => None,
    }
}

fn file(path: &Path, tag: &str, when: i64) -> Result<MigrationFile, MigrationError> {
    let name = format!("{tag}.sql");
    let shown = path.join(&name);
    if !shown.is_file() {
        return Err(MigrationError::migration(
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
fn refuse_file(file: &MigrationFile, backend: Backend) -> Option<MigrationError> {
    let rules = backend.driver().migrations.lexical_rules;
    for (part, range) in file.parts.iter().enumerate() {
        let text = file.part(part);
        let is_blank = text
            .trim_matches(|c: char| c == ';' || c.is_whitespace())
            .is_empty();
        let what = match (backend, statements(text, rules).len()) {
            (Backend::Mysql, _) if is_blank => "nothing stands",
            (Backend::Sqlite, 0) => "no statement stands",
            (Backend::Sqlite, 2..) => "several statements stand",
            (Backend::Postgres | Backend::Mysql | Backend::Sqlite, _) => continue,
        };
        let line = line(&file.text, range.start);
        return Some(MigrationError::migration(
            format!(
                "{}:{line}: {what} between two lines `{BREAKPOINT}`, which drizzle-orm can't apply on {backend}",
                file.shown
            ),
            format!("put `{BREAKPOINT}` between statements, and only there"),
        ));
    }
    None
}

fn applied(row: &TextRow) -> Result<(String, i64), MigrationError> {
    let created = row.text(1);
    // SQLite's `numeric` may hold a number with a fraction.
    let whole = created.split('.').next().unwrap_or_default();
    let when = whole
        .parse()
        .map_err(|_| unexpected_row(TABLE, &format!("created_at {created:?}"), TOOL))?;
    Ok((row.text(0), when))
}

fn passed_over(file: &MigrationFile) -> PlanWarning {
    PlanWarning {
        what: format!(
            "{} was never applied, and {JOURNAL} dates it before the newest one that was: like drizzle-kit, launchgate passes it over",
            file.shown
        ),
        hint: format!("generate it again, or set its `when` in {JOURNAL} to a later time"),
    }
}
