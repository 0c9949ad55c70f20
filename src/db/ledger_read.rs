//! The statements that read. For what decides about a revision each part is a search in an index, so that
//! the size of the ledger doesn't matter.

use super::ledger_sql::{COLUMNS, LedgerSql, TIMES};

/// So many of a revision's newest rows are read whatever their state.
const NEWEST: u32 = 100;

/// As long as a revision has not succeeded, its attempts are counted up to this many rows.
const ATTEMPTS: u32 = 2000;

/// What a reader wants to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// Without one, only what runs now is read.
    pub(super) revision: Option<&'a str>,
}

impl LedgerSql {
    /// Reads what decides about a revision: what runs now, the newest success, block and reset, and its
    /// newest rows. Each part is a search in an index, so that the size of the ledger doesn't matter.
    pub(super) fn read(&self, app: &str, question: Question<'_>) -> String {
        let chosen = self.decisive(app, question.revision).join(" UNION ");
        format!(
            "SELECT id, revision, run_id, state, {lease}, holder, {age}, note, {ended}, lease_until \
             FROM ({chosen}) chosen JOIN {table} ON id = chosen_id ORDER BY id DESC",
            lease = self.lease_state(),
            age = (self.dialect.seconds)("started_at", self.now()),
            ended = (self.dialect.seconds)("finished_at", self.now()),
            table = self.table,
        )
    }

    /// The numbers of the rows that can decide something, in parts.
    fn decisive(&self, app: &str, revision: Option<&str>) -> Vec<String> {
        let app = self.of_app(app);
        let newest = |condition: &str, limit: u32| {
            format!(
                "SELECT * FROM (SELECT id AS chosen_id FROM {} WHERE {app}{condition} ORDER BY id DESC LIMIT {limit}) part",
                self.table
            )
        };
        let mut parts = vec![newest(" AND state = 'running'", NEWEST)];
        let Some(revision) = revision else {
            return parts;
        };
        let revision = self.is("revision", revision);
        let in_state = |state: &str| format!(" AND state = '{state}' AND {revision}");
        parts.push(newest(&format!(" AND {revision}"), NEWEST));
        for state in ["succeeded", "blocked", "reset"] {
            parts.push(newest(&in_state(state), 1));
        }
        let succeeded = in_state("succeeded");
        let unless = format!(
            " AND NOT EXISTS (SELECT 1 FROM {} WHERE {app}{succeeded})",
            self.table
        );
        parts.push(newest(&(in_state("failed") + &unless), ATTEMPTS));
        parts.push(newest(&(in_state("interrupted") + &unless), ATTEMPTS));
        parts
    }

    pub(super) fn state_of(&self, run_id: &str) -> String {
        format!(
            "SELECT state FROM {} WHERE {}",
            self.table,
            self.is("run_id", run_id)
        )
    }

    /// The apps that have rows, or rows of one revision.
    pub(super) fn apps(&self, revision: Option<&str>, limit: u32) -> String {
        let of = revision.map_or("1 = 1".to_owned(), |revision| self.is("revision", revision));
        let suffix = self.app_suffix();
        let scope = if suffix.is_empty() {
            String::new()
        } else {
            let length = suffix.chars().count();
            format!(" AND RIGHT(app, {length}) = {}", self.text(&suffix))
        };
        format!(
            "SELECT DISTINCT app FROM {} WHERE {of}{scope} ORDER BY app LIMIT {limit}",
            self.table
        )
    }

    pub(super) fn history(&self, app: &str, limit: u32) -> String {
        let end = format!("COALESCE(finished_at, {})", self.now());
        format!(
            "SELECT {COLUMNS}, {times}, {duration}, {lease} FROM {table} WHERE {of} ORDER BY id DESC LIMIT {limit}",
            times = TIMES.map(self.dialect.rfc3339).join(", "),
            duration = (self.dialect.seconds)("started_at", &end),
            lease = self.lease_state(),
            table = self.table,
            of = self.of_app(app),
        )
    }
}
