//! What differs between the databases' SQL, as the ledger's statements need it.

use std::time::Duration;

/// The unique key that allows one `running` row for each app, where an index can be partial.
pub(super) const RUNNING_KEY: &str = "CREATE UNIQUE INDEX IF NOT EXISTS launchgate_runs_running ON {table} (app) \
     WHERE state = 'running'";

/// The index that finds a revision's rows, and its newest one in each state. A connection to Postgres loads
/// every index of the table before its first query, so there is no second one.
pub(super) const STATES_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS launchgate_runs_states ON {table} (app, revision, state, id)";

/// The names of both.
pub(super) const INDEXES: &str = "'launchgate_runs_running', 'launchgate_runs_states'";

/// One backend's SQL. Every field gives text; nothing here runs anything.
pub(super) struct SqlDialect {
    /// The ledger's table, in `schema` where that is known.
    pub(super) table: fn(schema: Option<&str>) -> String,
    /// The statements that create the ledger, in order, each without its semicolon; `{table}` stands for its
    /// name.
    pub(super) create: &'static [&'static str],
    /// Those that add what a ledger made by launchgate 0.1 lacks: the unique key that allows one `running`
    /// row for each app, and the index that keeps reads short. What is there already is a fault at most.
    pub(super) upgrade: &'static [&'static str],
    /// Asks whether a ledger has all of that.
    pub(super) is_current: fn(schema: Option<&str>) -> String,
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
    /// Seconds between two times.
    pub(super) seconds: fn(from: &str, to: &str) -> String,
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
}

impl SqlDialect {
    /// Statements of which these are the templates, for the ledger in `schema`.
    pub(super) fn for_table(&self, templates: &[&str], schema: Option<&str>) -> Vec<String> {
        let table = (self.table)(schema);
        let templates = templates.iter();
        templates
            .map(|sql| sql.trim_end().replace("{table}", &table))
            .collect()
    }
}
