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
        Sqlx,
        /// Prisma Migrate.
        Prisma,
        /// drizzle-kit and drizzle-orm's migrator.
        Drizzle,
        /// dbmate.
        Dbmate,
        /// goose.
        Goose,
        /// golang-migrate.
        GolangMigrate,
    }
}

impl LayoutKind {
    /// Its name in flags and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlx => "sqlx",
            Self::Prisma => "prisma",
            Self::Drizzle => "drizzle",
            Self::Dbmate => "dbmate",
            Self::Goose => "goose",
            Self::GolangMigrate => "golang-migrate",
        }
    }

    /// The layout that a flag names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How a history table is created.
pub(super) enum Creation {
    /// By sqlx's own statement.
    BySqlx,
    /// By these, in order.
    Statements(Vec<String>),
}

/// A history is created only where there is no other table.
pub(super) struct EmptySchema {
    /// Asks for such a table.
    pub(super) ask: String,
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
        self.backend.driver().dialect().text(&text)
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
        self.backend.driver().migrations().bytes(&hex(value))
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

/// A pending or applied file that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanWarning {
    /// What is unusual.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// One tool's layout. None of its methods has a default: a new layout has to decide.
pub(super) trait Layout: Sync {
    fn table(&self, backend: Backend) -> TableName;

    /// Reads the folder's files, those to apply in the order in which the tool applies them.
    ///
    /// # Errors
    /// What the tool refuses, and what it can't explain.
    fn read(&self, path: &Path) -> Result<Vec<MigrationFile>, MigrationError>;

    /// Refuses a folder that is for another kind of database.
    fn refuse(&self, path: &Path, backend: Backend) -> Result<(), MigrationError>;

    /// Whether a table of its name, with or without a column `dirty`, is its own.
    fn is_own(&self, has_dirty: bool) -> bool;

    fn creation(&self, rows: &RowSql<'_>) -> Creation;

    /// What the tool requires before it creates its history, where it is so strict.
    fn empty_schema(&self, rows: &RowSql<'_>) -> Option<EmptySchema>;

    /// What is selected of the table, each column as text.
    fn columns(&self, dialect: &dyn MigrationDialect) -> String;

    /// Compares the folder with the rows, and changes nothing. Every applied file is checked before any
    /// is applied.
    fn compare<'a>(
        &self,
        path: &Path,
        files: &'a [MigrationFile],
        rows: &[TextRow],
    ) -> Result<MigrationPlan<'a>, MigrationError>;

    fn transaction(&self, file: &MigrationFile, dialect: &dyn MigrationDialect) -> FileTransaction;

    /// A statement for the session, before the first transaction.
    fn session(&self, backend: Backend, pending: &[&MigrationFile]) -> Option<&'static str>;

    /// The statement for the row of a file that begins.
    fn begin_row(&self, rows: &RowSql<'_>, file: &MigrationFile) -> Result<String, Error>;

    /// The statement that completes such a row.
    fn finish_row(&self, rows: &RowSql<'_>, file: &MigrationFile, elapsed: Duration) -> String;

    /// The statement for the row of a file that is done, where it had none before.
    fn whole_row(
        &self,
        rows: &RowSql<'_>,
        file: &MigrationFile,
        elapsed: Duration,
    ) -> Result<String, Error>;

    /// Notes in a row that was written before the file that the file failed. `words` are the database's.
    fn failed_row(&self, rows: &RowSql<'_>, file: &MigrationFile, words: &str) -> Option<String>;

    /// What to do about a file that failed and whose row says so.
    fn failed_hint(&self, file: &MigrationFile) -> Option<String>;

    /// How a file asks for no transaction; `None` where it can't.
    fn no_transaction_hint(&self) -> Option<&'static str>;

    /// A file's row, for people.
    fn row_words(&self, file: &MigrationFile) -> String;

    /// The condition for a file's row, done or not.
    fn row_of(&self, rows: &RowSql<'_>, file: &MigrationFile) -> String;

    /// The condition for a file's row that says that it is done.
    fn done_row_of(&self, rows: &RowSql<'_>, file: &MigrationFile) -> String;
}
