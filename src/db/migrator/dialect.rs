//! What differs between the databases when a file of migrations is applied.

use sqlx::error::DatabaseError;

use super::statements::{Lexer, Statement};
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

impl TableName {
    pub(super) const fn named(name: &'static str) -> Self {
        Self { schema: None, name }
    }

    /// The names as literals, for `IN (…)`.
    pub(in crate::db) fn list(tables: &[Self]) -> String {
        let names: Vec<String> = tables.iter().map(|t| format!("'{}'", t.name)).collect();
        names.join(", ")
    }
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

/// One backend's way to apply a file. Every field has to be given, so a new backend has to decide on each.
pub(in crate::db) struct MigrationDialect {
    /// How its lexer finds the ends of statements.
    pub(in crate::db) lexer: Lexer,
    /// A history table's name in statements, with the schema or database that the URL names.
    pub(in crate::db) table: fn(TableName, &DatabaseUrl) -> String,
    /// Asks which of these tables exist: name, and whether it has a column `dirty`. `schema` is where
    /// those are that name none.
    pub(in crate::db) find_tables: fn(tables: &[TableName], schema: Option<&str>) -> String,
    /// A column as text.
    pub(in crate::db) as_text: fn(column: &str) -> String,
    /// A column of bytes as hexadecimal text.
    pub(in crate::db) as_hex: fn(column: &str) -> String,
    /// A literal for bytes, from hexadecimal text.
    pub(in crate::db) bytes: fn(hex: &str) -> String,
    /// What opens a transaction.
    pub(in crate::db) begin: &'static str,
    /// What opens one whose commit need not reach the disk, since that of a later one takes it along.
    pub(in crate::db) begin_unflushed: &'static str,
    /// Turns foreign keys off for the session, if they can be: before the first transaction.
    pub(in crate::db) foreign_keys_off: Option<&'static str>,
    /// A statement after each file, so that the next one starts in the same database.
    pub(in crate::db) after_file: fn(database: Option<&str>) -> Option<String>,
    /// Every change of the schema commits by itself.
    pub(in crate::db) commits_schema_changes: bool,
    /// A file may have the character NUL.
    pub(in crate::db) allows_nul: bool,
    /// A file may begin with a byte order mark.
    pub(in crate::db) allows_byte_order_mark: bool,
    /// Each statement is executed for itself, though this many bytes of them may be sent at once. Where
    /// ROLLBACK ended a transaction, what follows commits by itself, and a statement that has to wait was
    /// not begun. `None`: what is sent together is one transaction, or commits as the server likes.
    pub(in crate::db) one_by_one: Option<usize>,
    /// Whether the file left a transaction open.
    pub(in crate::db) has_open_transaction:
        for<'a> fn(&'a mut dyn Connection) -> Pending<'a, Result<bool, Fault>>,
    /// Whether this answer to COMMIT says that the file ended the transaction itself.
    pub(in crate::db) is_committed_already: fn(&Fault) -> bool,
    /// What to do if the table can't be found after a file, which may have hidden it.
    pub(in crate::db) hidden_table_hint: Option<&'static str>,
    /// The code which says that a statement can't be in a transaction.
    pub(in crate::db) refuses_transaction: Option<&'static str>,
    /// The byte of the file that an error is about, if the database says so.
    pub(in crate::db) error_position:
        fn(error: &dyn DatabaseError, sql: &str, statement: Statement) -> Option<usize>,
    /// What the database says of an error besides its message.
    pub(in crate::db) error_details: fn(&dyn DatabaseError) -> String,
}
