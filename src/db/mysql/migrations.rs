//! Applying migrations to `MySQL` and `MariaDB`, which commit every change of the schema at once.

use sqlx::{
    MySql,
    error::DatabaseError,
    migrate::{Migrate, MigrateError},
    mysql::MySqlDatabaseError,
};

use crate::db::{
    DatabaseUrl,
    connection::{Connection, Pending, SqlxConnection},
    fault::Fault,
    migrator::{
        dialect::{FileTransaction, MigrationConnection, MigrationDialect, TableName},
        partial_effects::PartialEffects,
        send::send,
        statements::{Backslashes, Comments, LexicalRules, Statement},
    },
};

/// `name` as a quoted identifier.
fn back_quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub(super) struct MysqlMigrations;

impl MigrationDialect for MysqlMigrations {
    fn lexical_rules(&self) -> LexicalRules {
        LexicalRules {
            comments: Comments::Hash,
            backslashes: Backslashes::Everywhere,
            name_quotes: b"`",
            dollar_quotes: false,
            routine_bodies: true,
            is_complete: None,
        }
    }

    fn table(&self, table: TableName, url: &DatabaseUrl) -> String {
        match url.database() {
            Some(database) => format!("{}.{}", back_quoted(database), table.name),
            None => table.name.to_owned(),
        }
    }

    fn find_tables(&self, tables: &[TableName], _schema: Option<&str>) -> String {
        let names: Vec<String> = tables.iter().map(|t| format!("'{}'", t.name)).collect();
        format!(
            "SELECT t.TABLE_NAME, EXISTS (SELECT 1 FROM information_schema.COLUMNS c WHERE \
             c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.COLUMN_NAME = 'dirty') \
             FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME IN ({})",
            names.join(", ")
        )
    }

    /// Every answer is text.
    fn as_text(&self, column: &str) -> String {
        column.to_owned()
    }

    fn as_hex(&self, column: &str) -> String {
        format!("HEX({column})")
    }

    fn bytes(&self, hex: &str) -> String {
        format!("X'{hex}'")
    }

    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    fn sqlx_transaction(&self, _has_no_transaction: bool) -> FileTransaction {
        FileTransaction::RowFirst
    }

    /// The next file starts in the URL's database, wherever this one went.
    fn after_file(&self, database: Option<&str>) -> Option<String> {
        database.map(|name| format!("USE {}", back_quoted(name)))
    }

    fn commits_schema_changes(&self) -> bool {
        true
    }

    fn allows_nul(&self) -> bool {
        true
    }

    fn allows_byte_order_mark(&self) -> bool {
        false
    }

    fn rollback_ends_transaction(&self) -> bool {
        false
    }

    fn can_repeat_statement(&self) -> bool {
        false
    }

    fn effects_without_transaction(&self, _statements: usize) -> PartialEffects {
        PartialEffects::Nothing
    }

    /// The commit behind each file's row ends whatever the file left open.
    fn has_open_transaction<'a>(
        &self,
        _connection: &'a mut dyn Connection,
    ) -> Pending<'a, Result<bool, Fault>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    fn is_committed_already(&self, _fault: &Fault) -> bool {
        false
    }

    fn hidden_table_hint(&self) -> Option<&'static str> {
        None
    }

    fn refuses_transaction(&self, _code: &str) -> bool {
        false
    }

    /// `… at line 3`, within the statement.
    fn error_position(
        &self,
        error: &dyn DatabaseError,
        sql: &str,
        statement: Option<Statement>,
    ) -> Option<usize> {
        let statement = statement?;
        let text = &sql[statement.from..statement.end];
        let (_, number) = error.message().rsplit_once(" at line ")?;
        let number: usize = number.trim().parse().ok()?;
        let before = text.split_inclusive('\n').take(number.checked_sub(1)?);
        let start: usize = before.map(str::len).sum();
        let rest = text.get(start..)?;
        Some(statement.from + start + rest.len() - rest.trim_start().len())
    }

    fn error_details(&self, error: &dyn DatabaseError) -> String {
        match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => format!(" [{}]", error.number()),
            None => String::new(),
        }
    }
}

impl MigrationConnection for SqlxConnection<MySql> {
    fn create_table<'a>(&'a mut self, name: &'a str) -> Pending<'a, Result<(), MigrateError>> {
        self.0.ensure_migrations_table(name)
    }

    fn send<'a>(
        &'a mut self,
        sql: &'a str,
        all: &'a [Statement],
        _has_no_transaction: bool,
        done: &'a mut usize,
    ) -> Pending<'a, sqlx::Result<()>> {
        let from = all.get(*done).filter(|_| *done > 0);
        let rest = &sql[from.map_or(0, |statement| statement.from)..];
        Box::pin(send::<MySql>(&mut self.0, rest, done))
    }
}
