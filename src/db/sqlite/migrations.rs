//! Applying migrations to `SQLite`, where a file may end the transaction that was begun for it.

use std::time::Duration;

use crate::db::{
    migrator::{
        dialect::{MigrationDialect, TableName},
        statements::Lexer,
    },
    target::CALL,
};

/// The limit for opening the file; the driver waits for a lock half as long.
pub(super) const OPEN: Duration = Duration::from_secs(2);

pub(super) static MIGRATIONS: MigrationDialect = MigrationDialect {
    lexer: Lexer::Sqlite,
    table: |table, _| table.name.to_owned(),
    find_tables: |tables, _| {
        format!(
            "SELECT m.name, CAST(EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'dirty') AS TEXT) \
             FROM sqlite_master m WHERE m.type = 'table' AND m.name IN ({})",
            TableName::list(tables)
        )
    },
    as_text: |column| format!("CAST({column} AS TEXT)"),
    as_hex: |column| format!("hex({column})"),
    bytes: |hex| format!("X'{hex}'"),
    // All writing waits at one place, before anything was done.
    begin: "BEGIN IMMEDIATE",
    begin_unflushed: "BEGIN IMMEDIATE",
    foreign_keys_off: Some("PRAGMA foreign_keys = OFF"),
    after_file: |_| None,
    commits_schema_changes: false,
    allows_nul: false,
    allows_byte_order_mark: true,
    // SQLite copies everything behind a statement before it looks at it, so that a file of megabytes sent
    // whole would take minutes.
    one_by_one: Some(16 * 1024),
    has_open_transaction: |connection| {
        Box::pin(async move {
            let answer = connection.run("BEGIN; COMMIT".to_owned(), CALL).await;
            Ok(answer.is_err_and(|fault| fault.message.contains("within a transaction")))
        })
    },
    is_committed_already: |fault| fault.message.contains("no transaction is active"),
    hidden_table_hint: None,
    refuses_transaction: None,
    // `near "x"`, if that is only once in the statement.
    error_position: |error, sql, statement| {
        let text = &sql[statement.from..statement.end];
        let near = error.message().strip_prefix("near \"")?.split('"').next()?;
        let mut places = text.match_indices(near);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => Some(statement.from + at),
            _ => None,
        }
    },
    error_details: |_| String::new(),
};
