//! The SQL of `SQLite`.

use std::time::Duration;

use crate::db::{
    dialect::SqlDialect,
    ledger_sql::{RUNNING_KEY, TABLE},
};

const CREATE: &str = include_str!("ledger.sql");

pub(super) struct SqliteDialect;

impl SqlDialect for SqliteDialect {
    fn table(&self, _schema: Option<&str>) -> String {
        TABLE.to_owned()
    }

    /// Times are text, RFC 3339 in UTC.
    fn create_ledger(&self, _schema: Option<&str>) -> Vec<String> {
        vec![
            CREATE.trim_end().to_owned(),
            format!("CREATE INDEX IF NOT EXISTS {TABLE}_app_revision ON {TABLE} (app, revision)"),
            self.add_running_key(None),
        ]
    }

    fn has_running_key(&self, _schema: Option<&str>) -> String {
        format!("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{RUNNING_KEY}')")
    }

    fn add_running_key(&self, _schema: Option<&str>) -> String {
        format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {RUNNING_KEY} ON {TABLE} (app) WHERE state = 'running'"
        )
    }

    fn has_roles(&self) -> bool {
        false
    }

    /// It has one rule for quoting, and would read bytes in the file's encoding, which may be UTF-16.
    fn text(&self, value: &str) -> String {
        format!("'{}'", value.replace('\'', "''"))
    }

    fn equals(&self, column: &str, value: &str) -> String {
        format!("{column} = {}", self.text(value))
    }

    fn now(&self) -> &'static str {
        "strftime('%Y-%m-%dT%H:%M:%fZ','now')"
    }

    /// The lock file tells who is alive.
    fn lease_end(&self, _lease: Duration) -> String {
        "NULL".to_owned()
    }

    fn lease_state(&self, _longest: Duration) -> String {
        "0".to_owned()
    }

    fn milliseconds(&self, from: &str, to: &str) -> String {
        format!("CAST(round((julianday({to}) - julianday({from})) * 86400000) AS INTEGER)")
    }

    fn seconds_since(&self, column: &str) -> String {
        format!("(julianday({}) - julianday({column})) * 86400", self.now())
    }

    fn rfc3339(&self, column: &str) -> String {
        column.to_owned()
    }

    fn reader_count(&self) -> String {
        String::new()
    }

    fn preamble(&self, _bound: Duration) -> String {
        String::new()
    }

    fn writer_session(&self, _silence: Duration, _bound: Duration) -> Option<String> {
        None
    }

    fn takes_writes(&self) -> &'static str {
        "SELECT 1"
    }

    fn find_ledger(&self) -> Option<String> {
        None
    }

    fn find_ledger_elsewhere(&self) -> Option<String> {
        None
    }
}
