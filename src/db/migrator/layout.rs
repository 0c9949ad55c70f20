//! What a tool's folder of migrations and its history table look like.
//!
//! After launchgate has applied a folder, the tool finds nothing to do, and the reverse: a layout reads
//! the same files in the same order, and writes the same rows at the same moments.

use std::{path::Path, time::Duration};

use super::{
    dialect::{FileTransaction, MigrationDialect, TableName},
    error::MigrationError,
    file::MigrationFile,
};
use crate::db::{Backend, Error, Target, hex::hex, rows::TextRow};

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

/// What the tool requires before it creates its history: a database without any other table.
pub(super) struct EmptySchema {
    /// Asks for such a table.
    pub(super) ask: fn(&RowSql<'_>) -> String,
    /// The refusal, by the table's name.
    pub(super) refused: fn(&str) -> MigrationError,
}

/// What statements about a history table are made of.
pub(super) struct RowSql<'a> {
    /// The table's name, as far as it has to be qualified.
    pub(super) table: &'a str,
    pub(super) backend: Backend,
    /// The schema that the URL names.
    pub(super) schema: Option<&'a str>,
}

impl<'a> RowSql<'a> {
    pub(super) fn of(target: &'a Target, table: &'a str) -> Self {
        Self {
            table,
            backend: target.backend(),
            schema: target.url.schema(),
        }
    }

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
        let text = hex(&bytes);
        let parts = [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ];
        Ok(parts.join("-"))
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
    pub warnings: Vec<PlanWarning>,
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

/// A pending or applied file that someone should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanWarning {
    /// What is unusual.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl PlanWarning {
    /// The file is applied although `newer` is applied already.
    pub(super) fn out_of_order(file: &MigrationFile, newer: &str, tool: &str) -> Self {
        Self {
            what: format!(
                "{} is out of order: {newer} is already applied; applying it now, as {tool} does",
                file.shown
            ),
            hint: "rename it to a newer version if it depends on newer migrations".to_owned(),
        }
    }

    /// The file is not the one that was applied, and the tool does not care.
    pub(super) fn edited(file: &MigrationFile, tool: &str) -> Self {
        Self {
            what: format!(
                "{} was changed after it was applied; launchgate ignores that, as {tool} does",
                file.shown
            ),
            hint: "put the change in a new migration".to_owned(),
        }
    }
}

/// What to do about an applied migration that the folder lacks.
pub(super) const RESTORE: &str =
    "restore the file; if this image is older than the database, deploy a newer image";

/// A row that the tool would not have written.
pub(super) fn unexpected_row(table: &str, contents: &str, tool: &str) -> MigrationError {
    let what = format!("the table {table} has unexpected contents: {contents}");
    let hint = format!("compare {table} with the table that {tool} creates");
    Error::refused(what, hint).into()
}

/// A column of a history table, selected as text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    Text(&'static str),
    /// Of another type.
    Other(&'static str),
    /// Bytes, as hexadecimal digits.
    Hex(&'static str),
    /// Whether there is a value.
    IsSet(&'static str),
}

impl Column {
    pub(super) fn select(self, dialect: &MigrationDialect) -> String {
        match self {
            Self::Text(name) => name.to_owned(),
            Self::Other(name) => (dialect.as_text)(name),
            Self::Hex(name) => (dialect.as_hex)(name),
            Self::IsSet(name) => format!("CASE WHEN {name} IS NULL THEN 'false' ELSE 'true' END"),
        }
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

type Refuse = fn(&Path, Backend) -> Result<(), MigrationError>;
type Compare =
    for<'a> fn(&Path, &'a [MigrationFile], &[TextRow]) -> Result<MigrationPlan<'a>, MigrationError>;
type Session = fn(Backend, &[&MigrationFile]) -> Option<&'static str>;

/// One tool's layout. Every field has to be given, so a new layout has to decide on each.
pub(super) struct Layout {
    pub(super) table: TableName,
    /// Whether the table has a column `dirty`, if that tells it from another tool's of the same name.
    pub(super) has_dirty: Option<bool>,
    /// Reads the folder's files, in the order in which the tool applies them. Refuses what the tool
    /// refuses, and what launchgate can't explain.
    pub(super) read: fn(&Path) -> Result<Vec<MigrationFile>, MigrationError>,
    /// Refuses a folder that is for another kind of database.
    pub(super) refuse: Option<Refuse>,
    /// The statements that create the table.
    pub(super) creation: fn(&RowSql<'_>) -> String,
    pub(super) empty_schema: Option<EmptySchema>,
    /// What is selected of the table.
    pub(super) columns: &'static [Column],
    /// Compares the folder with the rows, and changes nothing. Every applied file is checked before any
    /// is applied.
    pub(super) compare: Compare,
    /// Why the tool can't apply a file that its reader accepts.
    pub(super) refuse_file: Option<fn(&MigrationFile, Backend) -> Option<MigrationError>>,
    pub(super) transaction: fn(&MigrationFile, &MigrationDialect) -> FileTransaction,
    /// A statement for the session, before the first transaction.
    pub(super) session: Option<Session>,
    /// The statement that writes a file's row, at the moments that `transaction` asks for.
    pub(super) row: fn(&RowSql<'_>, &MigrationFile, RowMoment) -> Result<String, Error>,
    /// Notes in a row that was written before the file that the file failed, in the database's words.
    pub(super) failed_row: Option<fn(&RowSql<'_>, &MigrationFile, words: &str) -> String>,
    /// What to do about a file that failed and whose row says so.
    pub(super) failed_hint: Option<fn(&MigrationFile) -> String>,
    /// How a file asks for no transaction, if it can.
    pub(super) no_transaction_hint: Option<&'static str>,
    /// The condition for a file's rows.
    pub(super) row_key: fn(&RowSql<'_>, &MigrationFile) -> String,
}
