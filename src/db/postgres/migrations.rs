//! Applying migrations to Postgres.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::quoting::{literal, quoted};
use crate::db::{
    migrator::{
        dialect::{MigrationDialect, TableName},
        statements::{Lexer, byte_of_character},
    },
    target::CALL,
};

pub(super) static MIGRATIONS: MigrationDialect = MigrationDialect {
    lexer: Lexer::Postgres,
    table: |table, url| match table.schema.or(url.schema()) {
        Some(schema) => format!("{}.{}", quoted(schema), table.name),
        None => table.name.to_owned(),
    },
    find_tables,
    as_text: |column| format!("{column}::text"),
    as_hex: |column| format!("encode({column}, 'hex')"),
    bytes: |hex| format!("decode('{hex}', 'hex')"),
    begin: "BEGIN",
    // The log is written in order: a commit that is flushed flushes those before it.
    begin_unflushed: "BEGIN; SET LOCAL synchronous_commit TO off",
    foreign_keys_off: None,
    after_file: |_| None,
    commits_schema_changes: false,
    allows_nul: false,
    allows_byte_order_mark: false,
    one_by_one: None,
    // A transaction's clock stands still from its beginning.
    has_open_transaction: |connection| {
        let ask = "SELECT transaction_timestamp() < statement_timestamp()";
        Box::pin(async move {
            let rows = connection.rows(ask.to_owned(), CALL).await?;
            Ok(rows.first().is_some_and(|row| row.flag(0)))
        })
    },
    is_committed_already: |_| false,
    hidden_table_hint: Some("if the file sets search_path, end it with `RESET search_path;`"),
    refuses_transaction: Some("25001"),
    error_position: |error, sql, _| match error.try_downcast_ref::<PgDatabaseError>()?.position()? {
        PgErrorPosition::Original(position) => Some(byte_of_character(sql, position)),
        PgErrorPosition::Internal { .. } => None,
    },
    error_details: |error| {
        let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
            return String::new();
        };
        let more: String = [("detail", error.detail()), ("hint", error.hint())]
            .iter()
            .filter_map(|(name, more)| Some(format!(" ({name}: {})", (*more)?)))
            .collect();
        format!("{more} [{}]", error.code())
    },
};

fn find_tables(tables: &[TableName], schema: Option<&str>) -> String {
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
