//! Postgres' SQL.

use std::time::Duration;

use super::{
    ledger_place,
    quoting::{literal, quoted},
};
use crate::db::{
    dialect::SqlDialect,
    ledger_sql::{RUNNING_KEY, TABLE},
    purpose::ConnectionPurpose,
};

const CREATE: &str = include_str!("ledger.sql");

pub(super) struct PostgresDialect;

impl SqlDialect for PostgresDialect {
    fn table(&self, schema: Option<&str>) -> String {
        match schema {
            Some(schema) => format!("{}.{TABLE}", quoted(schema)),
            None => TABLE.to_owned(),
        }
    }

    fn create_ledger(&self, schema: Option<&str>) -> Vec<String> {
        let table = self.table(schema);
        vec![
            CREATE.trim_end().replace("{table}", &table),
            format!("CREATE INDEX IF NOT EXISTS {TABLE}_app_revision ON {table} (app, revision)"),
            self.add_running_key(schema),
        ]
    }

    fn has_running_key(&self, schema: Option<&str>) -> String {
        format!(
            "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = to_regclass({}) AND c.relname = '{RUNNING_KEY}' AND i.indisvalid)",
            literal(&self.table(schema))
        )
    }

    fn add_running_key(&self, schema: Option<&str>) -> String {
        format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {RUNNING_KEY} ON {} (app) WHERE state = 'running'",
            self.table(schema)
        )
    }

    fn has_roles(&self) -> bool {
        true
    }

    fn text(&self, value: &str) -> String {
        literal(value)
    }

    fn equals(&self, column: &str, value: &str) -> String {
        // No setting changes the meaning of these characters, and no function has to be looked up.
        let is_plain = value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" -_.:/@+".contains(&byte));
        if is_plain {
            format!("{column} = '{value}'")
        } else {
            format!("{column} = {}", self.text(value))
        }
    }

    fn now(&self) -> &'static str {
        "clock_timestamp()"
    }

    fn lease_end(&self, lease: Duration) -> String {
        let ms = lease.as_millis();
        format!("clock_timestamp() + interval '{ms} milliseconds'")
    }

    fn lease_state(&self, longest: Duration) -> String {
        let end = self.lease_end(longest);
        format!(
            "CASE WHEN state = 'running' AND lease_until > clock_timestamp() \
             THEN CASE WHEN lease_until > {end} THEN 2 ELSE 1 END ELSE 0 END"
        )
    }

    fn milliseconds(&self, from: &str, to: &str) -> String {
        format!("(extract(epoch FROM {to} - {from}) * 1000)::bigint")
    }

    /// By the function that a new session finds fastest, since every start asks.
    fn seconds_since(&self, column: &str) -> String {
        format!("date_part('epoch', clock_timestamp() - {column})")
    }

    fn rfc3339(&self, column: &str) -> String {
        format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    }

    /// By the function behind `pg_stat_activity`, without the view's joins.
    fn reader_count(&self) -> String {
        format!(
            ", (SELECT count(*) FROM pg_catalog.pg_stat_get_activity(NULL) WHERE application_name = '{}')",
            ConnectionPurpose::Read.application_name()
        )
    }

    /// Postgres runs a batch as one transaction:
    /// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>.
    fn preamble(&self, bound: Duration) -> String {
        format!(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO DEFAULT; \
             SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; ",
            ms = bound.as_millis().max(1)
        )
    }

    fn writer_session(&self, _silence: Duration, _bound: Duration) -> Option<String> {
        None
    }

    fn takes_writes(&self) -> &'static str {
        "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
    }

    fn find_ledger(&self) -> Option<String> {
        Some(ledger_place::find(None))
    }

    fn find_ledger_elsewhere(&self) -> Option<String> {
        Some(ledger_place::find_elsewhere())
    }
}
