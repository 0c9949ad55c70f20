//! The ledger's rows, as every backend gives and takes them. Data only.

use std::fmt;
use std::time::Duration;

enum_with_all! {
    /// What became of an attempt: the column `state`, whose words these are. In the order of a row's life.
    pub enum RunState {
        /// Its holder runs it, or died while running it.
        Running = "running",
        /// Every step succeeded.
        Succeeded = "succeeded",
        /// A step failed.
        Failed = "failed",
        /// A signal, a lost lock or the holder's death ended it before its steps did.
        Interrupted = "interrupted",
        /// An operator's decision: this revision must never start.
        Blocked = "blocked",
        /// An operator's decision: attempts are counted from here on.
        Reset = "reset",
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest lease that a holder can have.
pub const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// Whether the holder of a `running` row counts as alive, by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowLease {
    /// Its lease is over, or it has none.
    Over,
    /// It ends within the longest lease from now.
    Live,
    /// It ends later than any lease can, or never: the database's clock was set back, say. With the
    /// text of `lease_until`, which every renewal changes.
    TooLong(String),
}

/// How many characters a revision may have: what every backend can index.
pub const REVISION_MAX: usize = 255;

/// What the decision needs of one row. Rows come newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The row's `id`: later rows have larger ones.
    pub id: i64,
    /// The revision it is about; empty where the run had none.
    pub revision: String,
    /// The run it is about.
    pub run_id: String,
    /// What became of it; `None` where a newer launchgate wrote a word this one doesn't know.
    pub state: Option<RunState>,
    /// Whether its holder still counts as alive.
    pub lease: RowLease,
    /// Who ran it, for messages.
    pub holder: String,
    /// How long ago it started, in milliseconds, by the database's clock.
    pub age_ms: i64,
    /// How long ago it ended, in milliseconds, by the database's clock: less than 0 after that clock was
    /// set back. `None` if it has not ended.
    pub ended_ms: Option<i64>,
    /// An operator's words, or why it ended.
    pub note: Option<String>,
}

/// A table of the ledger's name that is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignLedger {
    /// Where it is.
    pub schema: String,
    /// Who owns it.
    pub owner: String,
}

/// What was read from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ledger {
    /// The table does not exist yet: nothing has run.
    Missing,
    /// This app's rows: those of the revision asked for that can decide something
    /// (`succeeded`, `failed`, `interrupted`, `blocked`, `reset`) and all that are `running`,
    /// newest first.
    Rows(Vec<LedgerRow>),
}

impl Ledger {
    /// The rows: none if there is no table.
    pub fn rows(&self) -> &[LedgerRow] {
        match self {
            Self::Missing => &[],
            Self::Rows(rows) => rows,
        }
    }

    /// The rows of every other run.
    #[must_use]
    pub fn without(mut self, run_id: &str) -> Self {
        if let Self::Rows(rows) = &mut self {
            rows.retain(|row| row.run_id != run_id);
        }
        self
    }
}

/// A new row, in state `running`; the database fills in the times.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Empty where the run has none.
    pub revision: String,
    /// The platform's or the user's release id, where known.
    pub release_id: Option<String>,
    /// Where it came from: `--release`, or a variable's name.
    pub release_source: Option<String>,
    /// 32 hexadecimal digits.
    pub run_id: String,
    /// 1 for a revision's first run since its last reset.
    pub attempt: i32,
    /// Host name and process id of this launchgate.
    pub holder: String,
}

/// How a run ended: what its row gets when it leaves `running`.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// `Succeeded`, `Failed` or `Interrupted`.
    pub state: RunState,
    /// The step that ran last, where one did.
    pub step: Option<String>,
    /// Its exit code, where it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it, where one did.
    pub term_signal: Option<i32>,
    /// Its command, secrets removed.
    pub command: Option<String>,
    /// Why, in words.
    pub note: Option<String>,
    /// The last 4 KiB of its output, secrets removed.
    pub output_tail: Option<String>,
}

/// A whole row, for `status`. Times are RFC 3339, UTC, to the millisecond.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns of the contract, by name")]
pub struct Run {
    pub id: i64,
    pub app: String,
    pub revision: String,
    pub release_id: Option<String>,
    pub release_source: Option<String>,
    pub run_id: String,
    pub attempt: i32,
    /// The word as it stands in the table.
    pub state: String,
    pub step: Option<String>,
    pub exit_code: Option<i32>,
    pub term_signal: Option<i32>,
    pub command: Option<String>,
    pub holder: String,
    pub version: String,
    pub note: Option<String>,
    pub output_tail: Option<String>,
    pub started_at: String,
    pub heartbeat_at: Option<String>,
    pub lease_until: Option<String>,
    pub finished_at: Option<String>,
    /// From start to end, or to now while it runs, by the database's clock.
    pub duration_ms: i64,
    /// Whether `lease_until` is still ahead, by the database's clock.
    pub lease_live: bool,
}

/// A database session that a step of an earlier run left behind (Postgres).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The server's process id of the session.
    pub pid: i32,
    /// `active`, `idle in transaction`, …; `unknown` where this role may not see it.
    pub state: String,
    /// Milliseconds since its transaction began.
    pub age_ms: i64,
    /// The run that left it.
    pub run_id: String,
}

impl Orphan {
    /// Whether it waits for its client, in a transaction. Where this role may not see what it does, it
    /// counts as active.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state.starts_with("idle")
    }
}
