//! The ledger's statements: the same for every backend but for what its dialect says.

use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{
    dialect::SqlDialect,
    ledger::{LONGEST_LEASE, NewRun, RunOutcome, RunState},
};

/// The table's name.
pub(super) const TABLE: &str = "launchgate_runs";

/// The schema, or database, of the ledger's own: the tools that look after the app's tables don't look
/// there.
pub(super) const HOME: &str = "launchgate";

/// The unique key that allows one `running` row for each app.
pub(super) const RUNNING_KEY: &str = "launchgate_runs_running";

/// The index that finds a revision's newest rows.
pub(super) const NEWEST_INDEX: &str = "launchgate_runs_newest";

/// The index that finds a revision's newest row in each state, and what runs now.
pub(super) const STATES_INDEX: &str = "launchgate_runs_states";

/// The characters of a database's name that can't stand behind an app's name.
const SCOPE: &AsciiSet = &CONTROLS.add(b'@').add(b'%');

/// Writes the statements for one ledger.
#[derive(Clone)]
pub(super) struct LedgerSql {
    pub(super) dialect: &'static SqlDialect,
    /// The ledger's schema, as far as known.
    pub(super) schema: Option<String>,
    /// The table's name, qualified where the schema is known.
    pub(super) table: String,
    /// The app's database, where the ledger is one for all databases of a server.
    scope: Option<String>,
    /// The database cannot hold all of Unicode: free text is written in ASCII.
    pub(super) ascii: bool,
}

impl LedgerSql {
    pub(super) fn new(
        dialect: &'static SqlDialect,
        schema: Option<&str>,
        scope: Option<&str>,
    ) -> Self {
        Self {
            schema: schema.map(str::to_owned),
            scope: scope.map(|database| utf8_percent_encode(database, SCOPE).to_string()),
            ..Self::named(dialect, &(dialect.table)(schema))
        }
    }

    /// The statements for a table of this name, as it stands in SQL.
    pub(super) fn named(dialect: &'static SqlDialect, table: &str) -> Self {
        Self {
            dialect,
            schema: None,
            table: table.to_owned(),
            scope: None,
            ascii: false,
        }
    }

    /// The app as the ledger has it: where several databases share one ledger, `APP@DATABASE`, since a
    /// revision that succeeded in one of them has not succeeded in another.
    fn app(&self, app: &str) -> String {
        match &self.scope {
            Some(database) => self.text(&format!("{app}@{database}")),
            None => self.text(app),
        }
    }

    pub(super) fn of_app(&self, app: &str) -> String {
        match &self.scope {
            Some(database) => self.is("app", &format!("{app}@{database}")),
            None => self.is("app", app),
        }
    }

    /// A text literal. NUL, which Postgres cannot store, becomes U+FFFD.
    pub(super) fn text(&self, value: &str) -> String {
        (self.dialect.text)(&value.replace('\0', "\u{fffd}"))
    }

    /// Text that people read and nothing compares.
    fn free(&self, value: Option<&str>) -> String {
        match value {
            None => "NULL".to_owned(),
            // U+FFFD, which stands for NUL, is missing too
            Some(value) if self.ascii => {
                self.text(&value.replace(|letter: char| !letter.is_ascii() || letter == '\0', "?"))
            }
            Some(value) => self.text(value),
        }
    }

    pub(super) fn is(&self, column: &str, value: &str) -> String {
        (self.dialect.equals)(column, value)
    }

    pub(super) fn now(&self) -> &'static str {
        self.dialect.now
    }

    /// Fails if the table is missing or lacks a column; returns nothing.
    pub(super) fn shape(&self) -> String {
        format!(
            "SELECT id, app, revision, release_id, release_source, run_id, attempt, state, step, exit_code, \
             term_signal, command, holder, version, note, output_tail, started_at, heartbeat_at, lease_until, \
             finished_at FROM {} WHERE 1 = 0",
            self.table
        )
    }

    /// Fails if the end of a run could not be recorded, because a column or a privilege is missing.
    /// Changes nothing.
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

    /// Appends the `running` row of a run that began so long `ago`. `guard` must hold for it to be written.
    pub(super) fn append(
        &self,
        app: &str,
        run: &NewRun,
        ago: Duration,
        lease: Duration,
        guard: Option<&str>,
    ) -> String {
        let now = self.now();
        let values = format!(
            "{}, {}, {}, {}, {}, {}, 'running', {}, {}, {}, {now}, {}",
            self.app(app),
            self.text(&run.revision),
            self.free(run.release_id.as_deref()),
            self.free(run.release_source.as_deref()),
            self.text(&run.run_id),
            run.attempt,
            self.free(Some(&run.holder)),
            self.text(env!("CARGO_PKG_VERSION")),
            (self.dialect.ago)(ago),
            (self.dialect.lease_end)(lease),
        );
        let source = match guard {
            Some(guard) => format!("SELECT {values} FROM DUAL WHERE {guard}"),
            None => format!("VALUES ({values})"),
        };
        format!(
            "INSERT INTO {} (app, revision, release_id, release_source, run_id, attempt, state, holder, version, \
             started_at, heartbeat_at, lease_until) {source}",
            self.table
        )
    }

    /// Appends the row of a run that has ended, unless the ledger has it: it began so long `ago`.
    pub(super) fn append_ended(
        &self,
        app: &str,
        run: &NewRun,
        ago: Duration,
        outcome: &RunOutcome,
    ) -> String {
        let number =
            |value: Option<i32>| value.map_or("NULL".to_owned(), |value| value.to_string());
        let now = self.now();
        format!(
            "INSERT INTO {table} (app, revision, release_id, release_source, run_id, attempt, state, step, exit_code, \
             term_signal, command, holder, version, note, output_tail, started_at, heartbeat_at, lease_until, \
             finished_at) SELECT {}, {}, {}, {}, {}, {}, '{}', {}, {}, {}, {}, {}, {}, {}, {}, {}, {now}, {now}, {now} \
             WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {})",
            self.app(app),
            self.text(&run.revision),
            self.free(run.release_id.as_deref()),
            self.free(run.release_source.as_deref()),
            self.text(&run.run_id),
            run.attempt,
            outcome.state,
            self.free(outcome.step.as_deref()),
            number(outcome.exit_code),
            number(outcome.term_signal),
            self.free(outcome.command.as_deref()),
            self.free(Some(&run.holder)),
            self.text(env!("CARGO_PKG_VERSION")),
            self.free(outcome.note.as_deref()),
            self.free(outcome.output_tail.as_deref()),
            (self.dialect.ago)(ago),
            self.is("run_id", &run.run_id),
            table = self.table,
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
            self.app(app),
            self.text(revision),
            self.text(run_id),
            self.free(Some(who)),
            self.text(env!("CARGO_PKG_VERSION")),
            self.free(note),
        )
    }

    /// Renews the lease; `step` is the step that runs now and its command.
    pub(super) fn heartbeat(
        &self,
        run_id: &str,
        step: Option<(&str, &str)>,
        lease: Duration,
    ) -> String {
        let step = step.map_or(String::new(), |(step, command)| {
            let [step, command] = [step, command].map(|text| self.free(Some(text)));
            format!("step = {step}, command = {command}, ")
        });
        format!(
            "UPDATE {} SET {step}heartbeat_at = {}, lease_until = {} WHERE {} AND state = 'running'",
            self.table,
            self.now(),
            (self.dialect.lease_end)(lease),
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

    /// Dead rows become `interrupted`. A row whose lease was renewed meanwhile is left alone.
    pub(super) fn interrupt(&self, run_ids: &[String], note: &str) -> String {
        let ids: Vec<_> = run_ids.iter().map(|id| self.text(id)).collect();
        format!(
            "UPDATE {} SET state = 'interrupted', note = {}, finished_at = {} WHERE state = 'running' \
             AND {} <> 1 AND run_id IN ({})",
            self.table,
            self.free(Some(note)),
            self.now(),
            (self.dialect.lease_state)(LONGEST_LEASE),
            ids.join(", "),
        )
    }

    /// Of several `running` rows of one app, all but the newest become `interrupted`, as far as their
    /// leases are over: they keep the unique key from being added.
    pub(super) fn interrupt_duplicates(&self) -> String {
        format!(
            "UPDATE {table} SET state = 'interrupted', note = {note}, finished_at = {now} \
             WHERE state = 'running' AND (lease_until IS NULL OR lease_until <= {now}) AND id NOT IN \
             (SELECT id FROM (SELECT MAX(id) AS id FROM {table} WHERE state = 'running' GROUP BY app) newest)",
            table = self.table,
            note = self.text("the holder died and a later run of this app has begun"),
            now = self.now(),
        )
    }

    /// What follows the app's name in the column, where databases share the ledger.
    pub(super) fn app_suffix(&self) -> String {
        let scope = self.scope.as_ref();
        scope.map_or(String::new(), |database| format!("@{database}"))
    }
}
