//! The ledger's statements, in each backend's SQL.

use std::{fmt::Write as _, time::Duration};

use super::{
    Backend,
    ledger::{NewRun, RunOutcome, RunState},
    target::ConnectionPurpose,
};

/// The table's name.
pub(super) const TABLE: &str = "launchgate_runs";

/// More rows than any decision needs; a look stays small whatever is in the table.
const LOOK_LIMIT: u32 = 2000;

/// Writes SQL for one ledger.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    pub(super) backend: Backend,
    /// Where the table is on Postgres, as far as known.
    pub(super) schema: Option<String>,
    /// The table's name, qualified where the schema is known.
    pub(super) table: String,
    /// The database cannot hold all of Unicode: free text is written in ASCII.
    pub(super) ascii: bool,
}

/// `name` as a quoted identifier of Postgres.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            // writing to a String cannot fail
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

impl Sql {
    pub(super) fn new(backend: Backend, schema: Option<&str>) -> Self {
        let table = match schema {
            Some(schema) => format!("{}.{TABLE}", quoted(schema)),
            None => TABLE.to_owned(),
        };
        Self {
            backend,
            schema: schema.map(str::to_owned),
            table,
            ascii: false,
        }
    }

    /// A text literal: hexadecimal, so that no quoting rule or character set can change it. But for
    /// `SQLite`, which has one rule, and would read bytes in the encoding of the file, that may be
    /// UTF-16. NUL, which Postgres cannot store, becomes U+FFFD.
    pub(super) fn text(&self, value: &str) -> String {
        let value = value.replace('\0', "\u{fffd}");
        let hex = || hex(value.as_bytes());
        match self.backend {
            Backend::Postgres => format!("convert_from(decode('{}','hex'),'UTF8')", hex()),
            Backend::Mysql => format!("_utf8mb4 X'{}' COLLATE utf8mb4_bin", hex()),
            Backend::Sqlite => format!("'{}'", value.replace('\'', "''")),
        }
    }

    /// Text that somebody reads and nothing compares.
    fn free(&self, value: Option<&str>) -> String {
        match value {
            None => "NULL".to_owned(),
            // U+FFFD, which stands for NUL, is not to be had either
            Some(value) if self.ascii => {
                self.text(&value.replace(|letter: char| !letter.is_ascii() || letter == '\0', "?"))
            }
            Some(value) => self.text(value),
        }
    }

    /// `column` holds exactly `value`.
    fn is(&self, column: &str, value: &str) -> String {
        // No setting changes what such letters mean, and they need no function to be looked up.
        let is_plain = value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" -_.:/@+".contains(&byte));
        let literal = match self.backend {
            Backend::Postgres if is_plain => format!("'{value}'"),
            _ => self.text(value),
        };
        let same = format!("{column} = {literal}");
        match self.backend {
            // utf8mb4_bin pads with spaces: to it 'v1' and 'v1 ' are equal
            Backend::Mysql => format!("({same} AND OCTET_LENGTH({column}) = {})", value.len()),
            _ => same,
        }
    }

    /// The database's clock, not the transaction's.
    pub(super) fn now(&self) -> &'static str {
        match self.backend {
            Backend::Postgres => "clock_timestamp()",
            Backend::Mysql => "UTC_TIMESTAMP(6)",
            Backend::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ','now')",
        }
    }

    fn lease_end(&self, lease: Duration) -> String {
        let ms = lease.as_millis();
        match self.backend {
            Backend::Postgres => format!("clock_timestamp() + interval '{ms} milliseconds'"),
            Backend::Mysql => format!("UTC_TIMESTAMP(6) + INTERVAL {} MICROSECOND", ms * 1000),
            // the lock file tells who is alive
            Backend::Sqlite => "NULL".to_owned(),
        }
    }

    fn lease_live(&self) -> String {
        match self.backend {
            Backend::Sqlite => "0".to_owned(),
            _ => format!(
                "CASE WHEN state = 'running' AND lease_until > {} THEN 1 ELSE 0 END",
                self.now()
            ),
        }
    }

    /// Milliseconds from `from` to `to`.
    fn ms_between(&self, from: &str, to: &str) -> String {
        match self.backend {
            Backend::Postgres => format!("(extract(epoch FROM {to} - {from}) * 1000)::bigint"),
            Backend::Mysql => format!("TIMESTAMPDIFF(MICROSECOND, {from}, {to}) DIV 1000"),
            Backend::Sqlite => {
                format!("CAST(round((julianday({to}) - julianday({from})) * 86400000) AS INTEGER)")
            }
        }
    }

    /// Seconds since a row's start. On Postgres by what a new session finds fastest: every start asks.
    fn age(&self) -> String {
        let now = self.now();
        match self.backend {
            Backend::Postgres => format!("date_part('epoch', {now} - started_at)"),
            Backend::Mysql => format!("TIMESTAMPDIFF(MICROSECOND, started_at, {now}) / 1000000"),
            Backend::Sqlite => format!("(julianday({now}) - julianday(started_at)) * 86400"),
        }
    }

    fn rfc3339(&self, column: &str) -> String {
        match self.backend {
            Backend::Postgres => {
                format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
            }
            Backend::Mysql => {
                format!("CONCAT(LEFT(DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')")
            }
            Backend::Sqlite => column.to_owned(),
        }
    }

    /// What goes before a statement on a connection that a pooler may have lent to somebody
    /// else before. All of it ends with the batch, which Postgres runs as one transaction:
    /// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>.
    pub(super) fn preamble(&self, bound: Duration) -> String {
        match self.backend {
            Backend::Postgres => format!(
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO DEFAULT; \
                 SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; ",
                ms = bound.as_millis().max(1)
            ),
            _ => String::new(),
        }
    }

    pub(super) fn look(&self, app: &str, revision: Option<&str>) -> String {
        self.look_at(app, revision, "")
    }

    /// A look that also counts the looks that are connected now.
    pub(super) fn look_around(&self, app: &str, revision: Option<&str>) -> String {
        let count = match self.backend {
            // The function behind pg_stat_activity, without the view's joins.
            Backend::Postgres => format!(
                ", (SELECT count(*) FROM pg_catalog.pg_stat_get_activity(NULL) \
                 WHERE application_name = '{}')",
                ConnectionPurpose::Look.application_name()
            ),
            Backend::Mysql | Backend::Sqlite => String::new(),
        };
        self.look_at(app, revision, &count)
    }

    fn look_at(&self, app: &str, revision: Option<&str>, more: &str) -> String {
        let asked = revision.map_or(String::new(), |revision| {
            format!(" OR {}", self.is("revision", revision))
        });
        format!(
            "SELECT id, revision, run_id, state, {live}, holder, {age}, note{more} FROM {table} \
             WHERE {app} AND (state = 'running'{asked}) ORDER BY id DESC LIMIT {LOOK_LIMIT}",
            live = self.lease_live(),
            age = self.age(),
            table = self.table,
            app = self.is("app", app),
        )
    }

    /// Fails where the table is missing or has another shape; returns nothing.
    pub(super) fn shape(&self) -> String {
        format!(
            "SELECT id, app, revision, release_id, release_source, run_id, attempt, state, step, exit_code, \
             term_signal, command, holder, version, note, output_tail, started_at, heartbeat_at, lease_until, \
             finished_at FROM {} WHERE 1 = 0",
            self.table
        )
    }

    /// Fails where a run could not be brought to its end: a column is missing, or the right to
    /// write it. Changes nothing.
    pub(super) fn may_finish(&self) -> String {
        let columns = [
            "state",
            "step",
            "exit_code",
            "term_signal",
            "command",
            "note",
            "output_tail",
            "heartbeat_at",
            "lease_until",
            "finished_at",
        ];
        let set: Vec<_> = columns
            .iter()
            .map(|name| format!("{name} = {name}"))
            .collect();
        format!("UPDATE {} SET {} WHERE 1 = 0", self.table, set.join(", "))
    }

    /// Fails where no row could be appended. Appends none.
    pub(super) fn may_append(&self) -> String {
        let columns = "app, revision, release_id, release_source, run_id, attempt, state, holder, version, \
                       note, started_at, heartbeat_at, lease_until, finished_at";
        format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE 1 = 0",
            table = self.table
        )
    }

    /// Appends the `running` row. `guard` must hold for it to be written.
    pub(super) fn append(
        &self,
        app: &str,
        run: &NewRun,
        lease: Duration,
        guard: Option<&str>,
    ) -> String {
        let now = self.now();
        let values = format!(
            "{}, {}, {}, {}, {}, {}, 'running', {}, {}, {now}, {now}, {}",
            self.text(app),
            self.text(&run.revision),
            self.free(run.release_id.as_deref()),
            self.free(run.release_source.as_deref()),
            self.text(&run.run_id),
            run.attempt,
            self.free(Some(&run.holder)),
            self.text(env!("CARGO_PKG_VERSION")),
            self.lease_end(lease),
        );
        let source = match guard {
            Some(guard) => format!("SELECT {values} FROM DUAL WHERE {guard}"),
            None => format!("VALUES ({values})"),
        };
        let returning = if self.backend == Backend::Postgres {
            " RETURNING id"
        } else {
            ""
        };
        format!(
            "INSERT INTO {} (app, revision, release_id, release_source, run_id, attempt, state, holder, version, \
             started_at, heartbeat_at, lease_until) {source}{returning}",
            self.table
        )
    }

    /// Appends an operator's decision, which is over at once.
    pub(super) fn decide(
        &self,
        app: &str,
        revision: &str,
        state: RunState,
        run_id: &str,
        note: Option<&str>,
        who: &str,
    ) -> String {
        let now = self.now();
        format!(
            "INSERT INTO {} (app, revision, run_id, attempt, state, holder, version, note, started_at, finished_at) \
             VALUES ({}, {}, {}, 0, '{state}', {}, {}, {}, {now}, {now})",
            self.table,
            self.text(app),
            self.text(revision),
            self.text(run_id),
            self.free(Some(who)),
            self.text(env!("CARGO_PKG_VERSION")),
            self.free(note),
        )
    }

    /// Renews the lease; `news` are the step that runs now and its command.
    pub(super) fn heartbeat(
        &self,
        run_id: &str,
        news: Option<(&str, &str)>,
        lease: Duration,
    ) -> String {
        let news = news.map_or(String::new(), |(step, command)| {
            let [step, command] = [step, command].map(|text| self.free(Some(text)));
            format!("step = {step}, command = {command}, ")
        });
        format!(
            "UPDATE {} SET {news}heartbeat_at = {}, lease_until = {} WHERE {} AND state = 'running'",
            self.table,
            self.now(),
            self.lease_end(lease),
            self.is("run_id", run_id),
        )
    }

    /// The row leaves `running`, once. `guard` must hold for it to be written.
    pub(super) fn finish(&self, run_id: &str, outcome: &RunOutcome, guard: Option<&str>) -> String {
        let number =
            |value: Option<i32>| value.map_or("NULL".to_owned(), |value| value.to_string());
        let now = self.now();
        let guard = guard.map_or(String::new(), |guard| format!(" AND {guard}"));
        format!(
            "UPDATE {} SET state = '{}', step = COALESCE({}, step), exit_code = {}, term_signal = {}, \
             command = COALESCE({}, command), note = {}, output_tail = {}, lease_until = {now}, \
             finished_at = {now} WHERE {} AND state = 'running'{guard}",
            self.table,
            outcome.state,
            self.free(outcome.step.as_deref()),
            number(outcome.exit_code),
            number(outcome.term_signal),
            self.free(outcome.command.as_deref()),
            self.free(outcome.note.as_deref()),
            self.free(outcome.output_tail.as_deref()),
            self.is("run_id", run_id),
        )
    }

    /// Dead rows become `interrupted`; a row whose lease is not over is left alone.
    pub(super) fn interrupt(&self, run_ids: &[String], note: &str) -> String {
        let ids: Vec<_> = run_ids.iter().map(|id| self.text(id)).collect();
        format!(
            "UPDATE {} SET state = 'interrupted', note = {}, finished_at = {now} WHERE state = 'running' \
             AND (lease_until IS NULL OR lease_until <= {now}) AND run_id IN ({})",
            self.table,
            self.free(Some(note)),
            ids.join(", "),
            now = self.now(),
        )
    }

    pub(super) fn state_of(&self, run_id: &str) -> String {
        format!(
            "SELECT state FROM {} WHERE {}",
            self.table,
            self.is("run_id", run_id)
        )
    }

    pub(super) fn history(&self, app: &str, limit: u32) -> String {
        let time = |column| self.rfc3339(column);
        format!(
            "SELECT id, app, revision, release_id, release_source, run_id, attempt, state, step, exit_code, \
             term_signal, command, holder, version, note, output_tail, {}, {}, {}, {}, {}, {} \
             FROM {} WHERE {} ORDER BY id DESC LIMIT {limit}",
            time("started_at"),
            time("heartbeat_at"),
            time("lease_until"),
            time("finished_at"),
            self.ms_between(
                "started_at",
                &format!("COALESCE(finished_at, {})", self.now())
            ),
            self.lease_live(),
            self.table,
            self.is("app", app),
        )
    }
}
