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

/// The table's columns but for its times.
pub(super) const COLUMNS: &str = "id, app, revision, release_id, release_source, run_id, attempt, state, step, \
     exit_code, term_signal, command, holder, version, note, output_tail";

/// The columns behind those.
pub(super) const TIMES: [&str; 4] = ["started_at", "heartbeat_at", "lease_until", "finished_at"];

/// Columns, and what is written there.
type Values = Vec<(&'static str, String)>;

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

    fn app(&self, app: &str) -> String {
        self.text(&(app.to_owned() + &self.app_suffix()))
    }

    pub(super) fn of_app(&self, app: &str) -> String {
        self.is("app", &(app.to_owned() + &self.app_suffix()))
    }

    /// What follows the app's name in its column where several databases share one ledger: a revision that
    /// succeeded in one of them has not succeeded in another.
    pub(super) fn app_suffix(&self) -> String {
        let scope = self.scope.as_ref();
        scope.map_or(String::new(), |database| format!("@{database}"))
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
        let times = TIMES.join(", ");
        format!("SELECT {COLUMNS}, {times} FROM {} WHERE 1 = 0", self.table)
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
        self.update(columns.map(|name| (name, name.to_owned())), "1 = 0")
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
        let mut row = self.begun(app, run, ago);
        row.extend([
            ("state", "'running'".to_owned()),
            ("heartbeat_at", self.now().to_owned()),
            ("lease_until", (self.dialect.lease_end)(lease)),
        ]);
        let guard = guard.map(|guard| format!("FROM DUAL WHERE {guard}"));
        self.insert(row, guard)
    }

    /// Appends the row of a run that has ended, unless the ledger has it: it began so long `ago`.
    pub(super) fn append_ended(
        &self,
        app: &str,
        run: &NewRun,
        ago: Duration,
        outcome: &RunOutcome,
    ) -> String {
        let mut row = self.begun(app, run, ago);
        row.extend(self.ended(outcome));
        row.push(("heartbeat_at", self.now().to_owned()));
        let is_new = format!("WHERE NOT EXISTS ({})", self.state_of(&run.run_id));
        self.insert(row, Some(is_new))
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
        let row = vec![
            ("app", self.app(app)),
            ("revision", self.text(revision)),
            ("run_id", self.text(run_id)),
            ("attempt", "0".to_owned()),
            ("state", format!("'{state}'")),
            ("holder", self.free(Some(who))),
            ("version", self.text(env!("CARGO_PKG_VERSION"))),
            ("note", self.free(note)),
            ("started_at", self.now().to_owned()),
            ("finished_at", self.now().to_owned()),
        ];
        self.insert(row, None)
    }

    /// Renews the lease; `step` is the step that runs now and its command.
    pub(super) fn heartbeat(
        &self,
        run_id: &str,
        step: Option<(&str, &str)>,
        lease: Duration,
    ) -> String {
        let step = step.map(|(step, command)| {
            [("step", step), ("command", command)]
                .map(|(column, text)| (column, self.free(Some(text))))
        });
        let lease = [
            ("heartbeat_at", self.now().to_owned()),
            ("lease_until", (self.dialect.lease_end)(lease)),
        ];
        let values = step.into_iter().flatten().chain(lease);
        self.update(values, &self.is_running(run_id))
    }

    /// The row leaves `running`, once. `guard` must hold for it to be written.
    pub(super) fn finish(&self, run_id: &str, outcome: &RunOutcome, guard: Option<&str>) -> String {
        let mut values = self.ended(outcome);
        for (column, value) in &mut values {
            if matches!(*column, "step" | "command") {
                *value = format!("COALESCE({value}, {column})");
            }
        }
        let guard = guard.map_or(String::new(), |guard| format!(" AND {guard}"));
        self.update(values, &(self.is_running(run_id) + &guard))
    }

    /// Dead rows become `interrupted`. A row whose lease was renewed meanwhile is left alone.
    pub(super) fn interrupt(&self, run_ids: &[String], note: &str) -> String {
        let ids: Vec<_> = run_ids.iter().map(|id| self.text(id)).collect();
        let are_dead = format!(
            "state = 'running' AND {} <> 1 AND run_id IN ({})",
            self.lease_state(),
            ids.join(", ")
        );
        self.update(self.interrupted(note), &are_dead)
    }

    /// Of several `running` rows of one app, all but the newest become `interrupted`, as far as their
    /// leases are over: they keep the unique key from being added.
    pub(super) fn interrupt_duplicates(&self) -> String {
        let are_older = format!(
            "state = 'running' AND (lease_until IS NULL OR lease_until <= {}) AND id NOT IN \
             (SELECT id FROM (SELECT MAX(id) AS id FROM {} WHERE state = 'running' GROUP BY app) newest)",
            self.now(),
            self.table,
        );
        let note = "the holder died and a later run of this app has begun";
        self.update(self.interrupted(note), &are_older)
    }

    /// What the row of every run has.
    fn begun(&self, app: &str, run: &NewRun, ago: Duration) -> Values {
        vec![
            ("app", self.app(app)),
            ("revision", self.text(&run.revision)),
            ("release_id", self.free(run.release_id.as_deref())),
            ("release_source", self.free(run.release_source.as_deref())),
            ("run_id", self.text(&run.run_id)),
            ("attempt", run.attempt.to_string()),
            ("holder", self.free(Some(&run.holder))),
            ("version", self.text(env!("CARGO_PKG_VERSION"))),
            ("started_at", (self.dialect.ago)(ago)),
        ]
    }

    /// What the row of a run that has ended has besides.
    fn ended(&self, outcome: &RunOutcome) -> Values {
        let number =
            |value: Option<i32>| value.map_or("NULL".to_owned(), |value| value.to_string());
        vec![
            ("state", format!("'{}'", outcome.state)),
            ("step", self.free(outcome.step.as_deref())),
            ("exit_code", number(outcome.exit_code)),
            ("term_signal", number(outcome.term_signal)),
            ("command", self.free(outcome.command.as_deref())),
            ("note", self.free(outcome.note.as_deref())),
            ("output_tail", self.free(outcome.output_tail.as_deref())),
            ("lease_until", self.now().to_owned()),
            ("finished_at", self.now().to_owned()),
        ]
    }

    fn interrupted(&self, note: &str) -> Values {
        vec![
            ("state", "'interrupted'".to_owned()),
            ("note", self.free(Some(note))),
            ("finished_at", self.now().to_owned()),
        ]
    }

    fn is_running(&self, run_id: &str) -> String {
        self.is("run_id", run_id) + " AND state = 'running'"
    }

    /// 0 where a row's lease is over, 2 where it ends later than the longest lease from now, else 1.
    pub(super) fn lease_state(&self) -> String {
        let end = (self.dialect.lease_end)(LONGEST_LEASE);
        format!(
            "CASE WHEN state = 'running' AND lease_until > {} \
             THEN CASE WHEN lease_until > {end} THEN 2 ELSE 1 END ELSE 0 END",
            self.now()
        )
    }

    /// `source` is what follows the values where the row is only written on a condition.
    fn insert(&self, row: Values, source: Option<String>) -> String {
        let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        let (columns, values) = (columns.join(", "), values.join(", "));
        let values = match source {
            Some(source) => format!("SELECT {values} {source}"),
            None => format!("VALUES ({values})"),
        };
        format!("INSERT INTO {} ({columns}) {values}", self.table)
    }

    fn update(
        &self,
        values: impl IntoIterator<Item = (&'static str, String)>,
        condition: &str,
    ) -> String {
        let values = values.into_iter();
        let set: Vec<_> = values
            .map(|(column, value)| format!("{column} = {value}"))
            .collect();
        format!(
            "UPDATE {} SET {} WHERE {condition}",
            self.table,
            set.join(", ")
        )
    }
}
