//! The SQL of `SQLite`.

use crate::db::{
    dialect::{INDEXES, RUNNING_KEY, STATES_INDEX, SqlDialect},
    ledger_sql::TABLE,
};

pub(super) static SQL: SqlDialect = SqlDialect {
    table: |_| TABLE.to_owned(),
    // Times are text, RFC 3339 in UTC.
    create: &[include_str!("ledger.sql"), STATES_INDEX, RUNNING_KEY],
    upgrade: &[RUNNING_KEY, STATES_INDEX],
    is_current: |_| format!("SELECT COUNT(*) = 2 FROM sqlite_master WHERE name IN ({INDEXES})"),
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
    seconds: |from, to| format!("(julianday({to}) - julianday({from})) * 86400"),
    rfc3339: |column| column.to_owned(),
    preamble: |_| String::new(),
    writer_session: |_, _| None,
    takes_writes: "SELECT 1",
};

/// It has one rule for quoting, and would read bytes in the file's encoding, which may be UTF-16.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn equals(column: &str, value: &str) -> String {
    format!("{column} = {}", text(value))
}
