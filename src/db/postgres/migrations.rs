//! Applying migrations to Postgres.

use sqlx::{
    Postgres as Sqlx,
    error::DatabaseError,
    migrate::{Migrate, MigrateError},
    postgres::{PgDatabaseError, PgErrorPosition},
};

use super::quoting::{literal, quoted};
use crate::db::{
    DatabaseUrl,
    connection::{Connection, Pending, SqlxConnection},
    fault::Fault,
    migrator::{
        dialect::{FileTransaction, MigrationConnection, MigrationDialect, TableName},
        partial_effects::PartialEffects,
        send::send,
        statements::{Backslashes, Comments, LexicalRules, Statement, byte_of_character},
    },
    target::CALL,
};

pub(super) struct PostgresMigrations;

impl MigrationDialect for PostgresMigrations {
    fn lexical_rules(&self) -> LexicalRules {
        LexicalRules {
            comments: Comments::Nested,
            backslashes: Backslashes::InEscapeStrings,
            name_quotes: b"",
            dollar_quotes: true,
            routine_bodies: false,
            is_complete: None,
        }
    }

    fn table(&self, table: TableName, url: &DatabaseUrl) -> String {
        match table.schema.or(url.schema()) {
            Some(schema) => format!("{}.{}", quoted(schema), table.name),
            None => table.name.to_owned(),
        }
    }

    fn find_tables(&self, tables: &[TableName], schema: Option<&str>) -> String {
        let places: Vec<String> = tables
            .iter()
            .map(|table| {
                let place = match table.schema.or(schema) {
                    Some(schema) => format!("n.nspname = {}", literal(schema)),
                    None => "pg_table_is_visible(c.oid)".to_owned(),
                };
                format!("c.relname = '{}' AND {place}", table.name)
            })
            .collect();
        format!(
            "SELECT c.relname::text, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid \
             AND a.attname = 'dirty')::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE {}",
            places.join(" OR ")
        )
    }

    fn as_text(&self, column: &str) -> String {
        format!("{column}::text")
    }

    fn as_hex(&self, column: &str) -> String {
        format!("encode({column}, 'hex')")
    }

    fn bytes(&self, hex: &str) -> String {
        format!("decode('{hex}', 'hex')")
    }

    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    fn sqlx_transaction(&self, has_no_transaction: bool) -> FileTransaction {
        if has_no_transaction {
            FileTransaction::None
        } else {
            FileTransaction::RowLast
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
        false
    }

    fn rollback_ends_transaction(&self) -> bool {
        false
    }

    fn can_repeat_statement(&self) -> bool {
        false
    }

    /// Several statements in one message are one transaction; some statements alone are several.
    fn effects_without_transaction(&self, statements: usize) -> PartialEffects {
        if statements == 1 {
            PartialEffects::Part
        } else {
            PartialEffects::Nothing
        }
    }

    /// A transaction's clock stands still from its beginning.
    fn has_open_transaction<'a>(
        &self,
        connection: &'a mut dyn Connection,
    ) -> Pending<'a, Result<bool, Fault>> {
        let ask = "SELECT transaction_timestamp() < statement_timestamp()";
        Box::pin(async move {
            let rows = connection.rows(ask.to_owned(), CALL).await?;
            Ok(rows.first().is_some_and(|row| row.flag(0)))
        })
    }

    fn is_committed_already(&self, _fault: &Fault) -> bool {
        false
    }

    fn hidden_table_hint(&self) -> Option<&'static str> {
        Some("if the file sets search_path, end it with `RESET search_path;`")
    }

    fn refuses_transaction(&self, code: &str) -> bool {
        code == "25001"
    }

    fn error_position(
        &self,
        error: &dyn DatabaseError,
        sql: &str,
        _statement: Option<Statement>,
    ) -> Option<usize> {
        match error.try_downcast_ref::<PgDatabaseError>()?.position()? {
            PgErrorPosition::Original(position) => Some(byte_of_character(sql, position)),
            PgErrorPosition::Internal { .. } => None,
        }
    }

    fn error_details(&self, error: &dyn DatabaseError) -> String {
        let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
            return String::new();
        };
        let more: String = [("detail", error.detail()), ("hint", error.hint())]
            .iter()
            .filter_map(|(name, more)| Some(format!(" ({name}: {})", (*more)?)))
            .collect();
        format!("{more} [{}]", error.code())
    }
}

impl MigrationConnection for SqlxConnection<Sqlx> {
    fn create_table<'a>(&'a mut self, name: &'a str) -> Pending<'a, Result<(), MigrateError>> {
        self.0.ensure_migrations_table(name)
    }

    fn send<'a>(
        &'a mut self,
        sql: &'a str,
        _all: &'a [Statement],
        _has_no_transaction: bool,
        done: &'a mut usize,
    ) -> Pending<'a, sqlx::Result<()>> {
        Box::pin(send::<Sqlx>(&mut self.0, sql, done))
    }
}
