//! Applying migrations to `SQLite`, where a file may end the transaction that was begun for it.

use std::time::Duration;

use sqlx::{
    Sqlite as Sqlx, SqliteConnection,
    error::DatabaseError,
    migrate::{Migrate, MigrateError},
};

use crate::{
    db::{
        DatabaseUrl,
        connection::{Connection, Pending, SqlxConnection},
        fault::Fault,
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

pub(super) struct SqliteMigrations;

impl MigrationDialect for SqliteMigrations {
    fn lexical_rules(&self) -> LexicalRules {
        LexicalRules {
            comments: Comments::Standard,
            backslashes: Backslashes::Nowhere,
            name_quotes: b"`[",
            dollar_quotes: false,
            routine_bodies: true,
            is_complete: Some(is_complete),
        }
    }

    fn table(&self, table: TableName, _url: &DatabaseUrl) -> String {
        table.name.to_owned()
    }

    fn find_tables(&self, tables: &[TableName], _schema: Option<&str>) -> String {
        let names: Vec<String> = tables.iter().map(|t| format!("'{}'", t.name)).collect();
        format!(
            "SELECT m.name, CAST(EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'dirty') AS TEXT) \
             FROM sqlite_master m WHERE m.type = 'table' AND m.name IN ({})",
            names.join(", ")
        )
    }

    fn as_text(&self, column: &str) -> String {
        format!("CAST({column} AS TEXT)")
    }

    fn as_hex(&self, column: &str) -> String {
        format!("hex({column})")
    }

    fn bytes(&self, hex: &str) -> String {
        format!("X'{hex}'")
    }

    /// All writing waits at one place, where nothing was done yet.
    fn begin(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }

    fn sqlx_transaction(&self, has_no_transaction: bool) -> FileTransaction {
        if has_no_transaction {
            FileTransaction::None
        } else {
            FileTransaction::RowFirst
        }
    }

    fn after_file(&self, _database: Option<&str>) -> Option<String> {
        None
    }

    fn commits_schema_changes(&self) -> bool {
        false
    }

    fn allows_nul(&self) -> bool {
        false
    }

    fn allows_byte_order_mark(&self) -> bool {
        true
    }

    fn rollback_ends_transaction(&self) -> bool {
        true
    }

    fn can_repeat_statement(&self) -> bool {
        true
    }

    fn effects_without_transaction(&self, _statements: usize) -> PartialEffects {
        PartialEffects::Before
    }

    fn has_open_transaction<'a>(
        &self,
        connection: &'a mut dyn Connection,
    ) -> Pending<'a, Result<bool, Fault>> {
        Box::pin(async move {
            let answer = connection.run("BEGIN; COMMIT".to_owned(), CALL).await;
            Ok(answer.is_err_and(|fault| fault.message.contains("within a transaction")))
        })
    }

    fn is_committed_already(&self, fault: &Fault) -> bool {
        fault.message.contains("no transaction is active")
    }

    fn hidden_table_hint(&self) -> Option<&'static str> {
        None
    }

    fn refuses_transaction(&self, _code: &str) -> bool {
        false
    }

    /// `near "x"`, where that is only once in the statement.
    fn error_position(
        &self,
        error: &dyn DatabaseError,
        sql: &str,
        statement: Option<Statement>,
    ) -> Option<usize> {
        let statement = statement?;
        let text = &sql[statement.from..statement.end];
        let near = error.message().strip_prefix("near \"")?.split('"').next()?;
        let mut places = text.match_indices(near);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => Some(statement.from + at),
            _ => None,
        }
    }

    fn error_details(&self, _error: &dyn DatabaseError) -> String {
        String::new()
    }
}

impl MigrationConnection for SqlxConnection<Sqlx> {
    fn create_table<'a>(&'a mut self, name: &'a str) -> Pending<'a, Result<(), MigrateError>> {
        self.0.ensure_migrations_table(name)
    }

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
