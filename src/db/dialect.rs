//! What differs between the databases' SQL, as the ledger's statements need it.

use std::time::Duration;

/// Which of the sessions with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that wait for their client, in a transaction or not.
    Idle,
}

/// One backend's SQL. Every field gives text; nothing here runs anything.
pub(super) struct SqlDialect {
    /// The ledger's table, in `schema` where that is known.
    pub(super) table: fn(schema: Option<&str>) -> String,
    /// The statements that create the ledger, in order, each without its semicolon.
    pub(super) create_ledger: fn(schema: Option<&str>) -> Vec<String>,
    /// Asks whether the ledger has the unique key that allows one `running` row for each app, and the
    /// indexes that keep reads short: two columns, true or false. Ledgers made by launchgate 0.1 lack
    /// both.
    pub(super) has_keys: fn(schema: Option<&str>) -> String,
    /// Adds that key to a ledger which lacks it.
    pub(super) add_running_key: fn(schema: Option<&str>) -> String,
    /// Adds those indexes.
    pub(super) add_indexes: fn(schema: Option<&str>) -> Vec<String>,
    /// Creates a schema or database where it is missing; `None` where there are none.
    pub(super) create_schema: fn(name: &str) -> Option<String>,
    /// Who has to run the DDL, as comments.
    pub(super) about_owner: &'static str,
    /// What a role needs to run launchgate with a ledger in `schema`; nothing where there are no roles.
    pub(super) grants: fn(schema: &str, role: &str) -> Vec<String>,
    /// A text literal that no setting of the server can change the meaning of. The text has no NUL.
    pub(super) text: fn(value: &str) -> String,
    /// A condition: `column` holds exactly `value`.
    pub(super) equals: fn(column: &str, value: &str) -> String,
    /// The database's clock now, not at the transaction's start.
    pub(super) now: &'static str,
    /// The database's clock so long ago.
    pub(super) ago: fn(duration: Duration) -> String,
    /// When a lease ends that is renewed now.
    pub(super) lease_end: fn(lease: Duration) -> String,
    /// 0 where a row's lease is over, 2 where it ends later than `longest` from now, else 1.
    pub(super) lease_state: fn(longest: Duration) -> String,
    /// Milliseconds from `from` to `to`.
    pub(super) milliseconds: fn(from: &str, to: &str) -> String,
    /// Seconds since a column's time.
    pub(super) seconds_since: fn(column: &str) -> String,
    /// A column's time as text, to compare it with itself: some have no other form (`infinity`).
    pub(super) time_text: fn(column: &str) -> String,
    /// A column's time as RFC 3339, UTC, to the millisecond.
    pub(super) rfc3339: fn(column: &str) -> String,
    /// A prefix for statements on a connection that a pooler may have lent to another client. Its
    /// effect ends with the batch.
    pub(super) preamble: fn(bound: Duration) -> String,
    /// What a session that writes starts with, where it needs anything. The server ends the session
    /// after `silence`.
    pub(super) writer_session: fn(silence: Duration, bound: Duration) -> Option<String>,
    /// Asks whether the server takes writes at the moment: one row.
    pub(super) takes_writes: &'static str,
    /// The sessions with these names, where the server shows names: process id, state, age in
    /// milliseconds, name.
    pub(super) sessions: fn(&[String], Which) -> Option<String>,
    /// Ends one of them: a row where it was there.
    pub(super) end_session: fn(i32, &[String], Which) -> Option<String>,
}
