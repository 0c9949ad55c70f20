//! Drizzle's: `meta/_journal.json` lists the files; the table `__drizzle_migrations`.
//!
//! drizzle-orm's migrator, which drizzle-kit uses too, applies what the journal dates later than the newest
//! row, all of it in one transaction.

use std::{path::Path, time::Duration};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files;
use crate::db::{
    Backend, Error,
    hex::hex,
    migrator::{
        dialect::{FileTransaction, MigrationDialect, TableName},
        error::MigrationError,
        file::MigrationFile,
        layout::{Creation, EmptySchema, Layout, MigrationPlan, PlanWarning, RowSql},
    },
    rows::TextRow,
};

const TABLE: &str = "__drizzle_migrations";

/// The list of the files, in the order in which they are applied.
pub(super) const JOURNAL: &str = "meta/_journal.json";

/// What separates the statements of a file.
const BREAKPOINT: &str = "--> statement-breakpoint";

pub(super) struct Drizzle;

impl Layout for Drizzle {
    fn table(&self, backend: Backend) -> TableName {
        TableName {
            schema: match backend {
                Backend::Postgres => Some("drizzle"),
                Backend::Mysql | Backend::Sqlite => None,
            },
            name: TABLE,
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<MigrationFile>, MigrationError> {
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

    fn refuse(&self, path: &Path, backend: Backend) -> Result<(), MigrationError> {
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

    fn is_own(&self, _has_dirty: bool) -> bool {
        true
    }

    fn creation(&self, rows: &RowSql<'_>) -> Creation {
        let table = rows.table;
        let created = match rows.backend {
            Backend::Postgres | Backend::Mysql => "bigint",
            Backend::Sqlite => "numeric",
        };
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at {created})"
        );
        Creation::Statements(match rows.backend {
            Backend::Postgres => vec!["CREATE SCHEMA IF NOT EXISTS \"drizzle\"".to_owned(), create],
            Backend::Mysql | Backend::Sqlite => vec![create],
        })
    }

    fn empty_schema(&self, _rows: &RowSql<'_>) -> Option<EmptySchema> {
        None
    }

    fn columns(&self, dialect: &dyn MigrationDialect) -> String {
        format!("hash, {}", dialect.as_text("created_at"))
    }

    fn compare<'a>(
        &self,
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
                Some(_) => plan.warnings.push(edited(file)),
                None => plan.warnings.push(passed_over(file)),
            }
        }
        Ok(plan)
    }

    fn transaction(
        &self,
        _file: &MigrationFile,
        _dialect: &dyn MigrationDialect,
    ) -> FileTransaction {
        FileTransaction::RowLast
    }

    /// drizzle-kit writes this pragma around a table that it makes anew. In a transaction it does nothing,
    /// and dropping the old table would delete what refers to it.
    fn session(&self, backend: Backend, pending: &[&MigrationFile]) -> Option<&'static str> {
        let turns_off = |file: &&MigrationFile| {
            let text: String = file.text.split_whitespace().collect();
            text.to_ascii_lowercase().contains("pragmaforeign_keys=off")
        };
        match backend {
            Backend::Sqlite if pending.iter().any(turns_off) => Some("PRAGMA foreign_keys = OFF"),
            Backend::Sqlite | Backend::Postgres | Backend::Mysql => None,
        }
    }

    fn begin_row(&self, rows: &RowSql<'_>, file: &MigrationFile) -> Result<String, Error> {
        self.whole_row(rows, file, Duration::ZERO)
    }

    fn finish_row(&self, rows: &RowSql<'_>, file: &MigrationFile, _elapsed: Duration) -> String {
        let (table, row) = (rows.table, self.row_of(rows, file));
        format!("UPDATE {table} SET hash = hash WHERE {row}")
    }

    fn whole_row(
        &self,
        rows: &RowSql<'_>,
        file: &MigrationFile,
        _elapsed: Duration,
    ) -> Result<String, Error> {
        Ok(format!(
            "INSERT INTO {} (hash, created_at) VALUES ('{}', {})",
            rows.table,
            hex(&file.checksum),
            file.version
        ))
    }

    fn failed_row(
        &self,
        _rows: &RowSql<'_>,
        _file: &MigrationFile,
        _words: &str,
    ) -> Option<String> {
        None
    }

    fn failed_hint(&self, _file: &MigrationFile) -> Option<String> {
        None
    }

    fn no_transaction_hint(&self) -> Option<&'static str> {
        None
    }

    fn row_words(&self, file: &MigrationFile) -> String {
        format!("a row created at {}", file.version)
    }

    fn row_of(&self, _rows: &RowSql<'_>, file: &MigrationFile) -> String {
        format!("created_at = {}", file.version)
    }

    fn done_row_of(&self, rows: &RowSql<'_>, file: &MigrationFile) -> String {
        self.row_of(rows, file)
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
        if !part.trim().is_empty() {
            parts.push(from..to);
        }
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
        has_no_transaction: false,
    })
}

fn applied(row: &TextRow) -> Result<(String, i64), MigrationError> {
    let created = row.text(1);
    // SQLite's `numeric` may hold a number with a fraction.
    let whole = created.split('.').next().unwrap_or_default();
    match whole.parse() {
        Ok(when) => Ok((row.text(0), when)),
        Err(_) => Err(Error::refused(
            format!("the table {TABLE} has another shape: created_at {created:?}"),
            format!("compare {TABLE} with the one that drizzle-kit makes"),
        )
        .into()),
    }
}

fn edited(file: &MigrationFile) -> PlanWarning {
    PlanWarning {
        what: format!(
            "{} was changed after it was applied; that is ignored, as drizzle-kit does",
            file.shown
        ),
        hint: "write the change as a new migration".to_owned(),
    }
}

fn passed_over(file: &MigrationFile) -> PlanWarning {
    PlanWarning {
        what: format!(
            "{} was never applied, and {JOURNAL} dates it before the newest one that was: like drizzle-kit, launchgate passes it over",
            file.shown
        ),
        hint: format!("generate it anew, or set its `when` in {JOURNAL} to a later time"),
    }
}
