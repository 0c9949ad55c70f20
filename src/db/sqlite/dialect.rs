//! The SQL of `SQLite`.

use std::time::Duration;

use crate::db::{
    dialect::{SqlDialect, Which},
    ledger_sql::{NEWEST_INDEX, RUNNING_KEY, STATES_INDEX, TABLE},
};

const CREATE: &str = include_str!("ledger.sql");

pub(super) struct SqliteDialect;

impl SqlDialect for SqliteDialect {
    fn table(&self, _schema: Option<&str>) -> String {
        TABLE.to_owned()
    }

    /// Times are text, RFC 3339 in UTC.
    fn create_ledger(&self, schema: Option<&str>) -> Vec<String> {
        let mut statements = vec![CREATE.trim_end().to_owned()];
        statements.extend(self.add_indexes(schema));
        statements.push(self.add_running_key(schema));
        statements
    }

    fn has_keys(&self, _schema: Option<&str>) -> String {
        let has =
            |index: &str| format!("EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{index}')");
        format!(
            "SELECT {}, {} AND {}",
            has(RUNNING_KEY),
            has(NEWEST_INDEX),
            has(STATES_INDEX)
        )
    }

    fn add_running_key(&self, _schema: Option<&str>) -> String {
        format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {RUNNING_KEY} ON {TABLE} (app) WHERE state = 'running'"
        )
    }

    fn add_indexes(&self, _schema: Option<&str>) -> Vec<String> {
        vec![
            format!("CREATE INDEX IF NOT EXISTS {NEWEST_INDEX} ON {TABLE} (app, revision, id)"),
            format!(
                "CREATE INDEX IF NOT EXISTS {STATES_INDEX} ON {TABLE} (app, state, revision, id)"
            ),
        ]
    }

    fn create_schema(&self, _name: &str) -> Option<String> {
        None
    }

    fn about_owner(&self) -> &'static str {
        ""
    }

    fn grants(&self, _schema: &str, _role: &str) -> Vec<String> {
        Vec::new()
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

    fn ago(&self, duration: Duration) -> String {
        format!(
            "strftime('%Y-%m-%dT%H:%M:%fZ','now','-{}.{:03} seconds')",
            duration.as_secs(),
            duration.subsec_millis()
        )
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

    fn time_text(&self, column: &str) -> String {
        column.to_owned()
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

    fn sessions(&self, _names: &[String], _which: Which) -> Option<String> {
        None
    }

    fn end_session(&self, _pid: i32, _names: &[String], _which: Which) -> Option<String> {
        None
    }
}
