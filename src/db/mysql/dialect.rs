//! The SQL of `MySQL` and `MariaDB`.

use std::time::Duration;

use crate::db::{
    dialect::{SqlDialect, Which},
    hex::hex,
    ledger_sql::{RUNNING_KEY, STATES_INDEX, TABLE},
};

const CREATE: &str = include_str!("ledger.sql");

pub(super) struct MysqlDialect;

impl SqlDialect for MysqlDialect {
    fn table(&self, schema: Option<&str>) -> String {
        match schema {
            Some(schema) => format!("{}.{TABLE}", quoted(schema)),
            None => TABLE.to_owned(),
        }
    }

    /// Times are UTC. 255 letters of utf8mb4 twice fit an `InnoDB` index of 3072 bytes:
    /// <https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html>
    fn create_ledger(&self, schema: Option<&str>) -> Vec<String> {
        vec![CREATE.trim_end().replace("{table}", &self.table(schema))]
    }

    /// An index of `InnoDB` ends with the primary key, so the older one finds the newest rows as well.
    fn has_keys(&self, schema: Option<&str>) -> String {
        let schema = schema.map_or("DATABASE()".to_owned(), |schema| self.text(schema));
        let has = |index: &str| {
            format!(
                "EXISTS (SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {schema} \
                 AND TABLE_NAME = '{TABLE}' AND INDEX_NAME = '{index}')"
            )
        };
        format!("SELECT {}, {}", has(RUNNING_KEY), has(STATES_INDEX))
    }

    /// There are no partial indexes: a column that is NULL for all other rows takes their place, since
    /// NULLs are not equal. `STORED`, because both servers had defects with indexes on virtual columns.
    fn add_running_key(&self, schema: Option<&str>) -> String {
        format!(
            "ALTER TABLE {} ADD COLUMN running_app VARCHAR(255) GENERATED ALWAYS AS \
             (CASE WHEN state = 'running' THEN app END) STORED, ADD UNIQUE KEY {RUNNING_KEY} (running_app)",
            self.table(schema)
        )
    }

    fn add_indexes(&self, schema: Option<&str>) -> Vec<String> {
        vec![format!(
            "ALTER TABLE {} ADD KEY {STATES_INDEX} (app, state, revision)",
            self.table(schema)
        )]
    }

    fn create_schema(&self, name: &str) -> Option<String> {
        Some(format!("CREATE DATABASE IF NOT EXISTS {}", quoted(name)))
    }

    fn about_owner(&self) -> &'static str {
        ""
    }

    /// `role` is `USER` or `USER@HOST`.
    fn grants(&self, schema: &str, role: &str) -> Vec<String> {
        let (user, host) = role.rsplit_once('@').unwrap_or((role, "%"));
        let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
        vec![format!(
            "GRANT SELECT, INSERT, UPDATE ON {} TO {}@{}",
            self.table(Some(schema)),
            quoted(user),
            quoted(host)
        )]
    }

    fn text(&self, value: &str) -> String {
        format!("_utf8mb4 X'{}' COLLATE utf8mb4_bin", hex(value.as_bytes()))
    }

    /// `utf8mb4_bin` pads with spaces: to it 'v1' and 'v1 ' are equal.
    fn equals(&self, column: &str, value: &str) -> String {
        format!(
            "({column} = {} AND OCTET_LENGTH({column}) = {})",
            self.text(value),
            value.len()
        )
    }

    fn now(&self) -> &'static str {
        "UTC_TIMESTAMP(6)"
    }

    fn ago(&self, duration: Duration) -> String {
        let us = duration.as_micros();
        format!("UTC_TIMESTAMP(6) - INTERVAL {us} MICROSECOND")
    }

    fn lease_end(&self, lease: Duration) -> String {
        format!(
            "UTC_TIMESTAMP(6) + INTERVAL {} MICROSECOND",
            lease.as_millis() * 1000
        )
    }

    fn lease_state(&self, longest: Duration) -> String {
        let end = self.lease_end(longest);
        format!(
            "CASE WHEN state = 'running' AND lease_until > UTC_TIMESTAMP(6) \
             THEN CASE WHEN lease_until > {end} THEN 2 ELSE 1 END ELSE 0 END"
        )
    }

    fn milliseconds(&self, from: &str, to: &str) -> String {
        format!("TIMESTAMPDIFF(MICROSECOND, {from}, {to}) DIV 1000")
    }

    fn seconds_since(&self, column: &str) -> String {
        format!("TIMESTAMPDIFF(MICROSECOND, {column}, UTC_TIMESTAMP(6)) / 1000000")
    }

    fn time_text(&self, column: &str) -> String {
        column.to_owned()
    }

    fn rfc3339(&self, column: &str) -> String {
        format!("CONCAT(LEFT(DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')")
    }

    fn reader_count(&self) -> String {
        String::new()
    }

    fn preamble(&self, _bound: Duration) -> String {
        String::new()
    }

    /// Regardless of server defaults: autocommit, no silent truncation, and a lock wait no longer
    /// than our own.
    fn writer_session(&self, silence: Duration, bound: Duration) -> Option<String> {
        Some(format!(
            "SET SESSION autocommit = 1, sql_mode = 'STRICT_TRANS_TABLES', wait_timeout = {}, \
             lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}",
            silence.as_millis().div_ceil(1000).max(1),
            seconds = bound.as_secs().max(1),
        ))
    }

    fn takes_writes(&self) -> &'static str {
        "SELECT NOT @@global.read_only"
    }

    fn sessions(&self, _names: &[String], _which: Which) -> Option<String> {
        None
    }

    fn end_session(&self, _pid: i32, _names: &[String], _which: Which) -> Option<String> {
        None
    }
}

/// `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
