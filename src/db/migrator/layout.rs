//! What a tool's folder of migrations and its history table look like.
//!
//! After launchgate has applied a folder, the tool finds nothing to do, and the reverse: a layout reads
//! the same files in the same order, and writes the same rows at the same moments.

use std::{path::Path, time::Duration};

use super::{
    dialect::{FileTransaction, MigrationDialect, TableName},
    file::MigrationFile,
};
use crate::{
    db::{Backend, Error, hex::hex, rows::TextRow},
    exit::{Failure, FailureKind, Problem},
};

enum_with_all! {
    /// The tools whose folders are known.
    pub enum LayoutKind {
        /// sqlx-cli and `sqlx::migrate!`.
        Sqlx = "sqlx",
        /// Prisma Migrate.
        Prisma = "prisma",
        /// drizzle-kit and drizzle-orm's migrator.
        Drizzle = "drizzle",
        /// dbmate.
        Dbmate = "dbmate",
        /// goose.
        Goose = "goose",
        /// golang-migrate.
        GolangMigrate = "golang-migrate",
    }
}

/// A tool's history table in a database.
pub(super) struct History {
    pub(super) kind: LayoutKind,
    pub(super) layout: &'static Layout,
    /// Its name, as far as it has to be qualified.
    pub(super) table: String,
    pub(super) backend: Backend,
    /// The schema that the URL names.
    pub(super) schema: Option<String>,
}

impl History {
    /// A text literal.
    pub(super) fn text(&self, value: &str) -> String {
        let text = value.replace('\0', "\u{fffd}");
        (self.backend.driver().dialect.text)(&text)
    }

    /// A random UUID.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn uuid() -> Result<String, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::Broken(format!("no random numbers: {error}")))?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = hex(&bytes);
        for dash in [20, 16, 12, 8] {
            text.insert(dash, '-');
        }
        Ok(text)
    }

    /// A literal for bytes.
    pub(super) fn bytes(&self, value: &[u8]) -> String {
        (self.backend.driver().migrations.bytes)(&hex(value))
    }
}

/// What has to be done.
#[derive(Debug, Default)]
pub struct MigrationPlan<'a> {
    /// The files to apply, in order.
    pub pending: Vec<&'a MigrationFile>,
    /// How many are applied already.
    pub applied: usize,
    /// What the tool warns of, or what a reader of the log should know.
    pub warnings: Vec<Problem>,
    /// All pending files share one transaction.
    pub is_one_transaction: bool,
}

impl<'a> MigrationPlan<'a> {
    /// The pending files, those together that share a transaction.
    pub fn units(&self) -> impl Iterator<Item = &[&'a MigrationFile]> {
        let length = if self.is_one_transaction {
            self.pending.len()
        } else {
            1
        };
        self.pending.chunks(length.max(1))
    }
}

/// What to do about an applied migration that the folder lacks.
pub(super) const RESTORE: &str =
    "restore the file; if this image is older than the database, deploy a newer image";

/// More missing files than this are only counted: the message must fit into the recorded output.
const NAMED: usize = 5;

/// A folder's files and the rows of the table, to be compared.
pub(super) struct Compared<'a> {
    pub(super) path: &'a Path,
    pub(super) backend: Backend,
    pub(super) layout: &'static Layout,
    pub(super) files: &'a [MigrationFile],
    pub(super) rows: Vec<TextRow>,
}

impl<'a> Compared<'a> {
    /// The files that are to run and are not applied. Warns of those that something `newer` is applied than.
    pub(super) fn plan(
        &self,
        is_applied: impl Fn(&MigrationFile) -> bool,
        newer: impl Fn(&MigrationFile) -> Option<String>,
    ) -> MigrationPlan<'a> {
        let files = self.files.iter().filter(|file| file.runs);
        let (applied, pending): (Vec<_>, Vec<_>) = files.partition(|file| is_applied(file));
        let warn = |file: &&MigrationFile| {
            Some(Problem::new(
                format!(
                    "{} is out of order: {} is already applied; applying it now, as {} does",
                    file.shown,
                    newer(file)?,
                    self.layout.tool
                ),
                "rename it to a newer version if it depends on newer migrations",
            ))
        };
        MigrationPlan {
            applied: applied.len(),
            warnings: pending.iter().filter_map(warn).collect(),
            pending,
            is_one_transaction: false,
        }
    }

    /// The file is not the one that was applied, and the tool does not care.
    pub(super) fn edited(&self, file: &MigrationFile) -> Problem {
        Problem::new(
            format!(
                "{} was changed after it was applied; launchgate ignores that, as {} does",
                file.shown, self.layout.tool
            ),
            "put the change in a new migration",
        )
    }

    /// Says that the folder lacks these files.
    pub(super) fn missing(&self, files: &[String]) -> String {
        let named = &files[..files.len().min(NAMED)];
        let more = match files.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "applied to this database but missing from {}: {}{more}",
            self.path.display(),
            named.join(", ")
        )
    }

    /// A whole number of a row, which `SQLite` may give a fraction.
    pub(super) fn number(&self, row: &TextRow, column: usize) -> Result<i64, Failure> {
        let text = row.text(column);
        let whole = text.split('.').next().unwrap_or_default();
        whole.parse().map_err(|_| {
            let (table, column) = (self.layout.table.name, self.layout.columns[column]);
            let what = format!("the table {table} has unexpected contents: {column} {text:?}");
            let hint = format!(
                "compare {table} with the table that {} creates",
                self.layout.tool
            );
            Failure::because(FailureKind::Database, what, hint)
        })
    }
}

/// When a file's row is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowMoment {
    /// Before the file: as unfinished.
    Before,
    /// After a file whose row was written before.
    Completed(Duration),
    /// After a file that has no row yet.
    After(Duration),
}

type Sql = fn(&History) -> String;
type Refuse = fn(&str) -> Failure;

/// One tool's layout. Every field has to be given, so a new layout has to decide on each.
pub(super) struct Layout {
    /// The program that wrote the table, for messages.
    pub(super) tool: &'static str,
    pub(super) table: TableName,
    /// Whether the table has a column `dirty`, if that tells it from another tool's of the same name.
    pub(super) has_dirty: Option<bool>,
    /// Reads the folder's files, in the order in which the tool applies them. Refuses what the tool
    /// refuses, and what launchgate can't explain.
    pub(super) read: fn(&Path) -> Result<Vec<MigrationFile>, Failure>,
    /// The statements that create the table.
    pub(super) creation: Sql,
    /// Where the tool creates its table only if there is no other one: asks for one, and refuses it by
    /// its name.
    pub(super) empty_schema: Option<(Sql, Refuse)>,
    /// What is selected of the table, as text.
    pub(super) columns: &'static [&'static str],
    /// One column more, whose bytes are selected as hexadecimal digits.
    pub(super) bytes: Option<&'static str>,
    /// What is to be done. Every applied file is checked before any is applied.
    pub(super) compare: for<'a> fn(&Compared<'a>) -> Result<MigrationPlan<'a>, Failure>,
    pub(super) transaction: fn(&MigrationFile, &MigrationDialect) -> FileTransaction,
    /// Whether `SQLite` enforces no foreign keys while these files are applied. The Go tools' sessions never do:
    /// dropping a table in order to recreate it would delete the rows that refer to it.
    pub(super) without_foreign_keys: fn(pending: &[&MigrationFile]) -> bool,
    /// The statement that writes a file's row, at the moments that `transaction` asks for.
    pub(super) row: fn(&History, &MigrationFile, RowMoment) -> Result<String, Error>,
    /// Notes in a row that was written before the file that the file failed, in the database's words.
    pub(super) failed_row: Option<fn(&History, &MigrationFile, words: &str) -> String>,
    /// What to do about a file that failed and whose row says so.
    pub(super) failed_hint: Option<fn(&MigrationFile) -> String>,
    /// How a file asks for no transaction, if it can.
    pub(super) no_transaction_hint: Option<&'static str>,
    /// The condition for a file's rows.
    pub(super) row_key: fn(&History, &MigrationFile) -> String,
}
