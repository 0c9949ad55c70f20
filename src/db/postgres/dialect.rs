//! Postgres' SQL.

use std::time::Duration;

use super::{
    orphans,
    quoting::{literal, quoted},
};
use crate::db::{
    dialect::{SqlDialect, Which},
    ledger_sql::{NEWEST_INDEX, RUNNING_KEY, STATES_INDEX, TABLE},
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
        let mut statements = vec![CREATE.trim_end().replace("{table}", &self.table(schema))];
        statements.extend(self.add_indexes(schema));
        statements.push(self.add_running_key(schema));
        statements
    }

    fn has_keys(&self, schema: Option<&str>) -> String {
        let has = |index: &str| {
            format!(
                "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                 WHERE i.indrelid = pg_catalog.to_regclass({}) AND c.relname = '{index}' AND i.indisvalid)",
                literal(&self.table(schema))
            )
        };
        format!(
            "SELECT {}, {} AND {}",
            has(RUNNING_KEY),
            has(NEWEST_INDEX),
            has(STATES_INDEX)
        )
    }

    fn add_running_key(&self, schema: Option<&str>) -> String {
        format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {RUNNING_KEY} ON {} (app) WHERE state = 'running'",
            self.table(schema)
        )
    }

    fn add_indexes(&self, schema: Option<&str>) -> Vec<String> {
        let table = self.table(schema);
        vec![
            format!("CREATE INDEX IF NOT EXISTS {NEWEST_INDEX} ON {table} (app, revision, id)"),
            format!(
                "CREATE INDEX IF NOT EXISTS {STATES_INDEX} ON {table} (app, state, revision, id)"
            ),
        ]
    }

    fn create_schema(&self, name: &str) -> Option<String> {
        Some(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name)))
    }

    fn about_owner(&self) -> &'static str {
        "-- Run it as a superuser or as the database's owner: a ledger of another owner is believed only\n\
         -- where --ledger names its schema.\n"
    }

    fn grants(&self, schema: &str, role: &str) -> Vec<String> {
        let role = quoted(role);
        vec![
            format!("GRANT USAGE ON SCHEMA {} TO {role}", quoted(schema)),
            format!(
                "GRANT SELECT, INSERT, UPDATE ON {} TO {role}",
                self.table(Some(schema))
            ),
        ]
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

    fn ago(&self, duration: Duration) -> String {
        let ms = duration.as_millis();
        format!("clock_timestamp() - interval '{ms} milliseconds'")
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

    fn time_text(&self, column: &str) -> String {
        format!("{column}::text")
    }

    fn rfc3339(&self, column: &str) -> String {
        format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    }

    /// By the function behind `pg_stat_activity`, without the view's joins.
    fn reader_count(&self) -> String {
        format!(
            ", (SELECT count(*) FROM pg_catalog.pg_stat_get_activity(NULL) WHERE application_name = '{}') AS readers",
            ConnectionPurpose::Read.application_name()
        )
    }

    /// Postgres runs a batch as one transaction:
    /// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>. Tables are
    /// always named with their schema, and functions and operators are the built-in ones.
    fn preamble(&self, bound: Duration) -> String {
        format!(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL application_name = '{name}'; \
             SET LOCAL search_path TO pg_catalog, pg_temp; \
             SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; ",
            // a pooler may leave a step's name on the connection
            name = ConnectionPurpose::Ledger.application_name(),
            ms = bound.as_millis().max(1)
        )
    }

    fn writer_session(&self, _silence: Duration, _bound: Duration) -> Option<String> {
        None
    }

    fn takes_writes(&self) -> &'static str {
        "SELECT NOT pg_catalog.pg_is_in_recovery() \
         AND pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'off'"
    }

    fn sessions(&self, names: &[String], which: Which) -> Option<String> {
        Some(orphans::sessions(names, which))
    }

    fn end_session(&self, pid: i32, names: &[String], which: Which) -> Option<String> {
        Some(orphans::end_session(pid, names, which))
    }
}
