//! Postgres' SQL.

use std::time::Duration;

use super::quoting::{literal, quoted};
use crate::db::{
    dialect::{INDEXES, RUNNING_KEY, STATES_INDEX, SqlDialect},
    ledger_sql::TABLE,
    purpose::ConnectionPurpose,
};

pub(super) static SQL: SqlDialect = SqlDialect {
    table,
    create: &[include_str!("ledger.sql"), STATES_INDEX, RUNNING_KEY],
    upgrade: &[RUNNING_KEY, STATES_INDEX],
    is_current,
    create_schema: |name| Some(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name))),
    about_owner: "-- Run it as a superuser or as the database's owner: a ledger of another owner is believed only\n\
         -- where --ledger names its schema.\n",
    grants,
    text: literal,
    equals,
    now: "clock_timestamp()",
    ago: |duration| {
        let ms = duration.as_millis();
        format!("clock_timestamp() - interval '{ms} milliseconds'")
    },
    lease_end,
    // By the function that a new session finds fastest, since every start asks.
    seconds: |from, to| format!("date_part('epoch', {to} - {from})"),
    rfc3339: |column| {
        format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    },
    preamble,
    writer_session: |_, _| None,
    takes_writes: "SELECT NOT pg_catalog.pg_is_in_recovery() \
         AND pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'off'",
};

fn table(schema: Option<&str>) -> String {
    match schema {
        Some(schema) => format!("{}.{TABLE}", quoted(schema)),
        None => TABLE.to_owned(),
    }
}

fn is_current(schema: Option<&str>) -> String {
    format!(
        "SELECT count(*) = 2 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = pg_catalog.to_regclass({}) AND i.indisvalid AND c.relname IN ({INDEXES})",
        literal(&table(schema))
    )
}

fn grants(schema: &str, role: &str) -> Vec<String> {
    let role = quoted(role);
    vec![
        format!("GRANT USAGE ON SCHEMA {} TO {role}", quoted(schema)),
        format!(
            "GRANT SELECT, INSERT, UPDATE ON {} TO {role}",
            table(Some(schema))
        ),
    ]
}

fn equals(column: &str, value: &str) -> String {
    // No setting changes the meaning of these characters, and no function has to be looked up.
    let is_plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" -_.:/@+".contains(&byte));
    if is_plain {
        format!("{column} = '{value}'")
    } else {
        format!("{column} = {}", literal(value))
    }
}

fn lease_end(lease: Duration) -> String {
    let ms = lease.as_millis();
    format!("clock_timestamp() + interval '{ms} milliseconds'")
}

/// Postgres runs a batch as one transaction:
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>. Tables are
/// always named with their schema, and functions and operators are the built-in ones.
fn preamble(bound: Duration) -> String {
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL application_name = '{name}'; \
         SET LOCAL search_path TO pg_catalog, pg_temp; \
         SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; ",
        // a pooler may leave a step's name on the connection
        name = ConnectionPurpose::Ledger.application_name(),
        ms = bound.as_millis().max(1)
    )
}
