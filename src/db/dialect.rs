//! What differs between the databases' SQL, as the ledger's statements need it.

use std::time::Duration;

/// Which of the sessions with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that wait for their client, in a transaction or not.
    Idle,
}

/// One backend's SQL. Every method returns text; nothing here runs anything.
pub(super) trait SqlDialect: Sync {
    /// The ledger's table, in `schema` where that is known.
    fn table(&self, schema: Option<&str>) -> String;

    /// The statements that create the ledger, in order, each without its semicolon.
    fn create_ledger(&self, schema: Option<&str>) -> Vec<String>;

    /// Asks whether the ledger has the unique key that allows one `running` row for each app, and the
    /// indexes that keep reads short: two columns, true or false. Ledgers made by launchgate 0.1 lack
    /// both.
    fn has_keys(&self, schema: Option<&str>) -> String;

    /// Adds that key to a ledger which lacks it.
    fn add_running_key(&self, schema: Option<&str>) -> String;

    /// Adds those indexes.
    fn add_indexes(&self, schema: Option<&str>) -> Vec<String>;

    /// Creates a schema or database where it is missing; `None` where there are none.
    fn create_schema(&self, name: &str) -> Option<String>;

    /// Who has to run the DDL, as comments.
    fn about_owner(&self) -> &'static str;

    /// What a role needs to run launchgate with a ledger in `schema`; nothing where there are no roles.
    fn grants(&self, schema: &str, role: &str) -> Vec<String>;

    /// A text literal that no setting of the server can change the meaning of. The text has no NUL.
    fn text(&self, value: &str) -> String;

    /// A condition: `column` holds exactly `value`.
    fn equals(&self, column: &str, value: &str) -> String;

    /// The database's clock now, not at the transaction's start.
    fn now(&self) -> &'static str;

    /// The database's clock so long ago.
    fn ago(&self, duration: Duration) -> String;

    /// When a lease ends that is renewed now.
    fn lease_end(&self, lease: Duration) -> String;

    /// 0 where a row's lease is over, 2 where it ends later than `longest` from now, else 1.
    fn lease_state(&self, longest: Duration) -> String;

    /// Milliseconds from `from` to `to`.
    fn milliseconds(&self, from: &str, to: &str) -> String;

    /// Seconds since a column's time.
    fn seconds_since(&self, column: &str) -> String;

    /// A column's time as text, to compare it with itself: some have no other form (`infinity`).
    fn time_text(&self, column: &str) -> String;

    /// A column's time as RFC 3339, UTC, to the millisecond.
    fn rfc3339(&self, column: &str) -> String;

    /// A column, with a leading comma, that counts the connections reading the ledger now; empty if
    /// the server can't tell.
    fn reader_count(&self) -> String;

    /// A prefix for statements on a connection that a pooler may have lent to another client. Its
    /// effect ends with the batch.
    fn preamble(&self, bound: Duration) -> String;

    /// What a session that writes starts with, where it needs anything. The server ends the session
    /// after `silence`.
    fn writer_session(&self, silence: Duration, bound: Duration) -> Option<String>;

    /// Asks whether the server takes writes at the moment: one row.
    fn takes_writes(&self) -> &'static str;

    /// The sessions with these names, where the server shows names: process id, state, age in
    /// milliseconds, name.
    fn sessions(&self, names: &[String], which: Which) -> Option<String>;

    /// Ends one of them: a row where it was there.
    fn end_session(&self, pid: i32, names: &[String], which: Which) -> Option<String>;
}
