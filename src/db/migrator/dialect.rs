//! What differs between the databases when a file of migrations is applied.

use sqlx::error::DatabaseError;

use super::{
    partial_effects::PartialEffects,
    statements::{LexicalRules, Statement},
};
use crate::db::{
    DatabaseUrl,
    connection::{Connection, Pending},
    fault::Fault,
};

/// A tool's history table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) struct TableName {
    /// The schema, where the tool always names one.
    pub(in crate::db) schema: Option<&'static str>,
    pub(in crate::db) name: &'static str,
}

/// The transaction of a file, and when its row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum FileTransaction {
    /// None: the row is written after the file.
    None,
    /// The row is written at its end.
    RowLast,
    /// A file may end it by itself. So the row comes first, marked as unfinished, and must still be there
    /// at the end: what a file left half done never counts as applied.
    RowFirst,
    /// None: the row is written before the file, marked as unfinished, and completed after it.
    Marked,
}

impl FileTransaction {
    /// Whether the file has one.
    pub(in crate::db) fn is_open(self) -> bool {
        matches!(self, Self::RowLast | Self::RowFirst)
    }
}

/// One backend's way to apply a file.
pub(in crate::db) trait MigrationDialect: Sync {
    /// How its lexer finds the ends of statements.
    fn lexical_rules(&self) -> LexicalRules;

    /// A history table's name in statements, with the schema or database that the URL names.
    fn table(&self, table: TableName, url: &DatabaseUrl) -> String;

    /// Asks which of these tables exist: name, and whether it has a column `dirty`. `schema` is where those
    /// are that name none.
    fn find_tables(&self, tables: &[TableName], schema: Option<&str>) -> String;

    /// A column as text.
    fn as_text(&self, column: &str) -> String;

    /// A column of bytes as hexadecimal text.
    fn as_hex(&self, column: &str) -> String;

    /// A literal for bytes.
    fn bytes(&self, hex: &str) -> String;

    /// What opens a transaction.
    fn begin(&self) -> &'static str;

    /// The transaction that sqlx-cli gives a file.
    fn sqlx_transaction(&self, has_no_transaction: bool) -> FileTransaction;

    /// A statement behind each file, so that the next one starts where this one did.
    fn after_file(&self, database: Option<&str>) -> Option<String>;

    /// Whether every change of the schema commits by itself.
    fn commits_schema_changes(&self) -> bool;

    /// Whether a file may have the character NUL.
    fn allows_nul(&self) -> bool;

    /// Whether a file may begin with a byte order mark.
    fn allows_byte_order_mark(&self) -> bool;

    /// Whether ROLLBACK ends a transaction for good: what follows commits by itself.
    fn rollback_ends_transaction(&self) -> bool;

    /// Whether a statement of a file without a transaction that has to wait was not begun, so that it
    /// can be sent again.
    fn can_repeat_statement(&self) -> bool;

    /// What remains of a file without a transaction that has so many statements, after one failed.
    fn effects_without_transaction(&self, statements: usize) -> PartialEffects;

    /// Whether the file left a transaction open.
    fn has_open_transaction<'a>(
        &self,
        connection: &'a mut dyn Connection,
    ) -> Pending<'a, Result<bool, Fault>>;

    /// Whether this answer to COMMIT says that the file ended the transaction itself.
    fn is_committed_already(&self, fault: &Fault) -> bool;

    /// What to do where the table cannot be found after a file, if the file may have hidden it.
    fn hidden_table_hint(&self) -> Option<&'static str>;

    /// Whether a code says that a statement can't be in a transaction.
    fn refuses_transaction(&self, code: &str) -> bool;

    /// The byte of the file that an error is about, where the database says so.
    fn error_position(
        &self,
        error: &dyn DatabaseError,
        sql: &str,
        statement: Option<Statement>,
    ) -> Option<usize>;

    /// What the database says of an error besides its message.
    fn error_details(&self, error: &dyn DatabaseError) -> String;
}

/// A connection for migrations.
pub(in crate::db) trait MigrationConnection: Connection {
    /// Creates the table where it is missing, by sqlx's own statement.
    fn create_table<'a>(
        &'a mut self,
        name: &'a str,
    ) -> Pending<'a, Result<(), sqlx::migrate::MigrateError>>;

    /// Sends a file, from statement `done` on where they are sent one by one. `done` counts those that
    /// were executed; with an error it is the number of the one that failed.
    fn send<'a>(
        &'a mut self,
        sql: &'a str,
        all: &'a [Statement],
        has_no_transaction: bool,
        done: &'a mut usize,
    ) -> Pending<'a, sqlx::Result<()>>;
}
