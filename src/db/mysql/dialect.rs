//! The SQL of `MySQL` and `MariaDB`.

use std::time::Duration;

use crate::db::{dialect::SqlDialect, hex::hex, ledger_sql::TABLE};

pub(super) static SQL: SqlDialect = SqlDialect {
    table,
    // Times are UTC. 255 letters of utf8mb4 twice fit an `InnoDB` index of 3072 bytes:
    // <https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html>
    create: &[include_str!("ledger.sql")],
    upgrade: &[
        // There are no partial indexes: a column that is NULL for all other rows takes their place, since
        // NULLs are not equal. `STORED`, because both servers had defects with indexes on virtual columns.
        "ALTER TABLE {table} ADD COLUMN running_app VARCHAR(255) GENERATED ALWAYS AS \
         (CASE WHEN state = 'running' THEN app END) STORED, ADD UNIQUE KEY launchgate_runs_running (running_app)",
        // An index of `InnoDB` ends with the primary key, so the older one finds the newest rows as well.
        "ALTER TABLE {table} ADD KEY launchgate_runs_states (app, state, revision)",
    ],
    is_current,
    create_schema: |name| Some(format!("CREATE DATABASE IF NOT EXISTS {}", quoted(name))),
    about_owner: "",
    grants,
    text,
    equals,
    now: "UTC_TIMESTAMP(6)",
    ago: |duration| {
        let us = duration.as_micros();
        format!("UTC_TIMESTAMP(6) - INTERVAL {us} MICROSECOND")
    },
    lease_end,
    seconds: |from, to| format!("TIMESTAMPDIFF(MICROSECOND, {from}, {to}) / 1000000"),
    rfc3339: |column| {
        format!("CONCAT(LEFT(DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')")
    },
    preamble: |_| String::new(),
    // Regardless of server defaults: autocommit, no silent truncation, and a lock wait no longer
    // than our own.
    writer_session: |silence, bound| {
        Some(format!(
            "SET SESSION autocommit = 1, sql_mode = 'STRICT_TRANS_TABLES', wait_timeout = {}, \
             lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}",
            silence.as_millis().div_ceil(1000).max(1),
            seconds = bound.as_secs().max(1),
        ))
    },
    takes_writes: "SELECT NOT @@global.read_only",
};

fn table(schema: Option<&str>) -> String {
    match schema {
        Some(schema) => format!("{}.{TABLE}", quoted(schema)),
        None => TABLE.to_owned(),
    }
}

fn is_current(schema: Option<&str>) -> String {
    let schema = schema.map_or("DATABASE()".to_owned(), text);
    format!(
        "SELECT COUNT(DISTINCT INDEX_NAME) = 2 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {schema} \
         AND TABLE_NAME = '{TABLE}' AND INDEX_NAME IN ('launchgate_runs_running', 'launchgate_runs_states')"
    )
}

/// `role` is `USER` or `USER@HOST`.
fn grants(schema: &str, role: &str) -> Vec<String> {
    let (user, host) = role.rsplit_once('@').unwrap_or((role, "%"));
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    vec![format!(
        "GRANT SELECT, INSERT, UPDATE ON {} TO {}@{}",
        table(Some(schema)),
        quoted(user),
        quoted(host)
    )]
}

fn text(value: &str) -> String {
    format!("_utf8mb4 X'{}' COLLATE utf8mb4_bin", hex(value.as_bytes()))
}

/// `utf8mb4_bin` pads with spaces: to it 'v1' and 'v1 ' are equal.
fn equals(column: &str, value: &str) -> String {
    format!(
        "({column} = {} AND OCTET_LENGTH({column}) = {})",
        text(value),
        value.len()
    )
}

fn lease_end(lease: Duration) -> String {
    format!(
        "UTC_TIMESTAMP(6) + INTERVAL {} MICROSECOND",
        lease.as_millis() * 1000
    )
}

/// `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
