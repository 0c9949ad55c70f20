//! The SQL of `SQLite`.

use crate::db::{
    dialect::SqlDialect,
    ledger_sql::{NEWEST_INDEX, RUNNING_KEY, STATES_INDEX, TABLE},
};

const CREATE: &str = include_str!("ledger.sql");

pub(super) static SQL: SqlDialect = SqlDialect {
    table: |_| TABLE.to_owned(),
    create_ledger,
    has_keys,
    add_running_key,
    add_indexes,
    create_schema: |_| None,
    about_owner: "",
    grants: |_, _| Vec::new(),
    text,
    equals,
    now: "strftime('%Y-%m-%dT%H:%M:%fZ','now')",
    ago: |duration| {
        format!(
            "strftime('%Y-%m-%dT%H:%M:%fZ','now','-{}.{:03} seconds')",
            duration.as_secs(),
            duration.subsec_millis()
        )
    },
    // The lock file tells who is alive.
    lease_end: |_| "NULL".to_owned(),
    lease_state: |_| "0".to_owned(),
    milliseconds: |from, to| {
        format!("CAST(round((julianday({to}) - julianday({from})) * 86400000) AS INTEGER)")
    },
    seconds_since,
    time_text: |column| column.to_owned(),
    rfc3339: |column| column.to_owned(),
    preamble: |_| String::new(),
    writer_session: |_, _| None,
    takes_writes: "SELECT 1",
    sessions: |_, _| None,
    end_session: |_, _, _| None,
};

/// Times are text, RFC 3339 in UTC.
fn create_ledger(schema: Option<&str>) -> Vec<String> {
    let mut statements = vec![CREATE.trim_end().to_owned()];
    statements.extend(add_indexes(schema));
    statements.push(add_running_key(schema));
    statements
}

fn has_keys(_schema: Option<&str>) -> String {
    let has = |index: &str| format!("EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{index}')");
    format!(
        "SELECT {}, {} AND {}",
        has(RUNNING_KEY),
        has(NEWEST_INDEX),
        has(STATES_INDEX)
    )
}

fn add_running_key(_schema: Option<&str>) -> String {
    format!(
        "CREATE UNIQUE INDEX IF NOT EXISTS {RUNNING_KEY} ON {TABLE} (app) WHERE state = 'running'"
    )
}

fn add_indexes(_schema: Option<&str>) -> Vec<String> {
    vec![
        format!("CREATE INDEX IF NOT EXISTS {NEWEST_INDEX} ON {TABLE} (app, revision, id)"),
        format!("CREATE INDEX IF NOT EXISTS {STATES_INDEX} ON {TABLE} (app, state, revision, id)"),
    ]
}

/// It has one rule for quoting, and would read bytes in the file's encoding, which may be UTF-16.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn equals(column: &str, value: &str) -> String {
    format!("{column} = {}", text(value))
}

fn seconds_since(column: &str) -> String {
    format!("(julianday({}) - julianday({column})) * 86400", SQL.now)
}
