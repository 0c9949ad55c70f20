//! Applying migrations to `MySQL` and `MariaDB`, which commit every change of the schema at once.

use sqlx::mysql::MySqlDatabaseError;

use crate::db::migrator::{
    dialect::{MigrationDialect, TableName},
    statements::Lexer,
};

/// `name` as a quoted identifier.
fn back_quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub(super) static MIGRATIONS: MigrationDialect = MigrationDialect {
    lexer: Lexer::Mysql,
    table: |table, url| match url.database() {
        Some(database) => format!("{}.{}", back_quoted(database), table.name),
        None => table.name.to_owned(),
    },
    find_tables: |tables, _| {
        format!(
            "SELECT t.TABLE_NAME, EXISTS (SELECT 1 FROM information_schema.COLUMNS c WHERE \
             c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.COLUMN_NAME = 'dirty') \
             FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME IN ({})",
            TableName::list(tables)
        )
    },
    // Every answer is text.
    as_text: str::to_owned,
    as_hex: |column| format!("HEX({column})"),
    bytes: |hex| format!("X'{hex}'"),
    begin: "BEGIN",
    begin_unflushed: "BEGIN",
    foreign_keys_off: None,
    // The next file starts in the URL's database, wherever this one went.
    after_file: |database| database.map(|name| format!("USE {}", back_quoted(name))),
    commits_schema_changes: true,
    allows_nul: true,
    allows_byte_order_mark: false,
    one_by_one: None,
    // The commit behind each file's row ends whatever the file left open.
    has_open_transaction: |_| Box::pin(std::future::ready(Ok(false))),
    is_committed_already: |_| false,
    hidden_table_hint: None,
    refuses_transaction: None,
    // `… at line 3`, within the statement.
    error_position: |error, sql, statement| {
        let text = &sql[statement.from..statement.end];
        let (_, number) = error.message().rsplit_once(" at line ")?;
        let number: usize = number.trim().parse().ok()?;
        let before = text.split_inclusive('\n').take(number.checked_sub(1)?);
        let start: usize = before.map(str::len).sum();
        let rest = text.get(start..)?;
        Some(statement.from + start + rest.len() - rest.trim_start().len())
    },
    error_details: |error| match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(error) => format!(" [{}]", error.number()),
        None => String::new(),
    },
};
