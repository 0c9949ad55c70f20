//! Applying migrations to `SQLite`, where a file may end the transaction that was begun for it.

use std::time::Duration;

use sqlx::{Sqlite as Sqlx, SqliteConnection};

use crate::{
    db::{
        connection::{Pending, SqlxConnection},
        migrator::{
            dialect::{FileTransaction, MigrationConnection, MigrationDialect, TableName},
            partial_effects::PartialEffects,
            send::send,
            statements::{Backslashes, Comments, LexicalRules, Statement},
        },
        target::CALL,
    },
    sys::sqlite::is_complete,
};

/// The limit for opening the file; the driver waits for a lock half as long.
pub(super) const OPEN: Duration = Duration::from_secs(2);

/// How much of a file is handed over at once. `SQLite` copies everything behind a statement before it
/// looks at it, so that a file of megabytes handed over whole would take minutes.
const AT_ONCE: usize = 16 * 1024;

pub(super) static MIGRATIONS: MigrationDialect = MigrationDialect {
    lexical_rules: LexicalRules {
        comments: Comments::Standard,
        backslashes: Backslashes::Nowhere,
        name_quotes: b"`[",
        dollar_quotes: false,
        routine_bodies: true,
        is_complete: Some(is_complete),
    },
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
    sqlx_transaction: |has_none| {
        if has_none {
            FileTransaction::None
        } else {
            FileTransaction::RowFirst
        }
    },
    after_file: |_| None,
    commits_schema_changes: false,
    allows_nul: false,
    allows_byte_order_mark: true,
    rollback_ends_transaction: true,
    can_repeat_statement: true,
    effects_without_transaction: |_| PartialEffects::Before,
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
        let statement = statement?;
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

impl MigrationConnection for SqlxConnection<Sqlx> {
    fn send<'a>(
        &'a mut self,
        sql: &'a str,
        all: &'a [Statement],
        has_no_transaction: bool,
        done: &'a mut usize,
    ) -> Pending<'a, sqlx::Result<()>> {
        Box::pin(send_in_parts(
            &mut self.0,
            sql,
            all,
            has_no_transaction,
            done,
        ))
    }
}

/// Sends the statements from number `done` on, several at once unless each is `alone`, in no
/// transaction.
async fn send_in_parts(
    connection: &mut SqliteConnection,
    sql: &str,
    all: &[Statement],
    alone: bool,
    done: &mut usize,
) -> sqlx::Result<()> {
    while let Some(first) = all.get(*done) {
        let together = all[*done..].iter();
        let together = together.take_while(|s| !alone && s.end < first.from + AT_ONCE);
        let next = *done + together.count().max(1);
        let end = all.get(next).map_or(sql.len(), |statement| statement.from);
        let mut ended = 0;
        if let Err(error) = send::<Sqlx>(connection, &sql[first.from..end], &mut ended).await {
            *done = (*done + ended).min(next - 1);
            return Err(error);
        }
        *done = next;
    }
    Ok(())
}
