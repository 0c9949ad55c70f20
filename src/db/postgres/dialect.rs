//! Postgres' SQL.

use std::time::Duration;

use super::{
    orphans,
    quoting::{literal, quoted},
};
use crate::db::{
    dialect::SqlDialect,
    ledger_sql::{NEWEST_INDEX, RUNNING_KEY, STATES_INDEX, TABLE},
    purpose::ConnectionPurpose,
};

const CREATE: &str = include_str!("ledger.sql");

pub(super) static SQL: SqlDialect = SqlDialect {
    table,
    create_ledger,
    has_keys,
    add_running_key,
    add_indexes,
    create_schema: |name| Some(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name))),
    about_owner: "-- Run it as a superuser or as the database's owner: a ledger of another owner is believed only\n\
         -- where --ledger names its schema.\n",
    grants,
    text,
    equals,
    now: "clock_timestamp()",
    ago: |duration| {
        let ms = duration.as_millis();
        format!("clock_timestamp() - interval '{ms} milliseconds'")
    },
    lease_end,
    lease_state,
    milliseconds: |from, to| format!("(extract(epoch FROM {to} - {from}) * 1000)::bigint"),
    // By the function that a new session finds fastest, since every start asks.
    seconds_since: |column| format!("date_part('epoch', clock_timestamp() - {column})"),
    time_text: |column| format!("{column}::text"),
    rfc3339: |column| {
        format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    },
    preamble,
    writer_session: |_, _| None,
    takes_writes: "SELECT NOT pg_catalog.pg_is_in_recovery() \
         AND pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'off'",
    sessions: |names, which| Some(orphans::sessions(names, which)),
    end_session: |pid, names, which| Some(orphans::end_session(pid, names, which)),
};

fn table(schema: Option<&str>) -> String {
    match schema {
        Some(schema) => format!("{}.{TABLE}", quoted(schema)),
        None => TABLE.to_owned(),
    }
}

fn create_ledger(schema: Option<&str>) -> Vec<String> {
    let mut statements = vec![CREATE.trim_end().replace("{table}", &table(schema))];
    statements.extend(add_indexes(schema));
    statements.push(add_running_key(schema));
    statements
}

fn has_keys(schema: Option<&str>) -> String {
    let has = |index: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = pg_catalog.to_regclass({}) AND c.relname = '{index}' AND i.indisvalid)",
            literal(&table(schema))
        )
    };
    format!(
        "SELECT {}, {} AND {}",
        has(RUNNING_KEY),
        has(NEWEST_INDEX),
        has(STATES_INDEX)
    )
}

fn add_running_key(schema: Option<&str>) -> String {
    format!(
        "CREATE UNIQUE INDEX IF NOT EXISTS {RUNNING_KEY} ON {} (app) WHERE state = 'running'",
        table(schema)
    )
}

fn add_indexes(schema: Option<&str>) -> Vec<String> {
    let table = table(schema);
    vec![
        format!("CREATE INDEX IF NOT EXISTS {NEWEST_INDEX} ON {table} (app, revision, id)"),
        format!("CREATE INDEX IF NOT EXISTS {STATES_INDEX} ON {table} (app, state, revision, id)"),
    ]
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

fn text(value: &str) -> String {
    literal(value)
}

fn equals(column: &str, value: &str) -> String {
    // No setting changes the meaning of these characters, and no function has to be looked up.
    let is_plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" -_.:/@+".contains(&byte));
    if is_plain {
        format!("{column} = '{value}'")
    } else {
        format!("{column} = {}", text(value))
    }
}

fn lease_end(lease: Duration) -> String {
    let ms = lease.as_millis();
    format!("clock_timestamp() + interval '{ms} milliseconds'")
}

fn lease_state(longest: Duration) -> String {
    let end = lease_end(longest);
    format!(
        "CASE WHEN state = 'running' AND lease_until > clock_timestamp() \
         THEN CASE WHEN lease_until > {end} THEN 2 ELSE 1 END ELSE 0 END"
    )
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
