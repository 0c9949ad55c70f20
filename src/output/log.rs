//! The log on standard error: one line per transition, `launchgate: MESSAGE key=value …`.
//!
//! The names of the events are an interface; `Event::ALL` lists them. Touches only the output that
//! it is given.

mod json;
mod text;

use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::exit::{Failure, Problem};
use crate::output::options::{Format, Verbosity};
use crate::output::timeline::{Timeline, seconds};
use crate::redact::Secrets;
use crate::sys::capture::{LineSink, StepOutput};
use crate::sys::output::Output;

/// How long the last lines may wait for a reader before they are dropped.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The gate stays closed.
    Error,
    /// Something to fix, although the gate continues.
    Warn,
    /// A transition.
    Info,
    /// With `-v`.
    Debug,
}

impl Level {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $level:ident;)+) => {
        /// What happened. The names are an interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Event {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Event {
            /// Every event.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name, as in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// How much it matters.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+),)+ }
            }
        }
    };
}

events! {
    /// A setting is probably a mistake.
    ConfigWarning = "config.warning", Warn;
    /// `LAUNCHGATE_SKIP` is set, so launchgate starts the server at once.
    GateSkipped = "gate.skipped", Warn;
    /// The database for the lock and the ledger, and the setting it came from.
    DatabaseChosen = "database.chosen", Info;
    /// The revision, and where it came from.
    RevisionChosen = "revision.chosen", Info;
    /// A platform's variable was ignored because its value does not identify a release.
    RevisionPassedOver = "revision.passed_over", Warn;
    /// There is no revision: the steps run at every start, under the lock.
    RevisionMissing = "revision.missing", Warn;
    /// The database does not accept connections yet.
    DatabaseWaiting = "database.waiting", Info;
    /// The database accepts connections.
    DatabaseReady = "database.ready", Info;
    /// The revision has already succeeded: nothing to run.
    GateUpToDate = "gate.up_to_date", Info;
    /// Another replica holds the lock.
    LockWaiting = "lock.waiting", Info;
    /// An attempt failed a short time ago, and `--retry-delay` delays the next one.
    RetryWaiting = "retry.waiting", Info;
    /// A step failed, and this replica will run the steps again, as `--retries` allows.
    RunRetrying = "run.retrying", Warn;
    /// This replica holds the lock.
    LockTaken = "lock.taken", Info;
    /// No second connection was available to verify that the lock is exclusive.
    LockUnproven = "lock.unproven", Warn;
    /// The database is a node of a cluster in which each node has locks of its own. The ledger's unique key
    /// keeps replicas on other nodes out.
    LockPerNode = "lock.per-node", Info;
    /// Renewing the lease failed; launchgate retries.
    LeaseUnconfirmed = "lease.unconfirmed", Warn;
    /// The steps failed and left no database file, so the attempt is neither recorded nor counted.
    RunNotCounted = "run.not-counted", Info;
    /// The ledger's table was created.
    LedgerCreated = "ledger.created", Info;
    /// The ledger's table is beside the app's tables, because this role may not create it elsewhere.
    LedgerInTheWay = "ledger.in-the-way", Warn;
    /// A table of the ledger's name belongs to a role that is not trusted, and is not read.
    LedgerPassedOver = "ledger.passed-over", Warn;
    /// A step dropped the ledger.
    LedgerDropped = "ledger.dropped", Warn;
    /// An older launchgate's ledger got the unique key that allows one `running` row per app, and the
    /// indexes that keep reads short.
    LedgerUpgraded = "ledger.upgraded", Info;
    /// An older launchgate's ledger lacks them, and they could not be added.
    LedgerOutdated = "ledger.outdated", Warn;
    /// Sessions of an earlier run are still active in the database.
    OrphansWaiting = "orphans.waiting", Warn;
    /// launchgate terminated sessions that a dead holder's run left idle.
    OrphansEnded = "orphans.ended", Warn;
    /// Sessions of an earlier run are idle, and launchgate may not end them or leaves them alone; it runs
    /// the steps anyway.
    OrphansLeft = "orphans.left", Warn;
    /// launchgate terminated the database sessions of a step that it had stopped.
    SessionsEnded = "sessions.ended", Warn;
    /// The database sessions of a stopped step could not be terminated, or that is not known.
    SessionsLeft = "sessions.left", Warn;
    /// An earlier run died; its row is now marked `interrupted`.
    RunInterrupted = "run.interrupted", Warn;
    /// A step was started.
    StepStarted = "step.started", Info;
    /// A line that a step printed. Only with `--log-format json`.
    StepOutput = "step.output", Info;
    /// A step's output is lost, because launchgate can't write to the stream.
    StepOutputLost = "step.output_lost", Warn;
    /// A step is still running.
    StepRunning = "step.running", Info;
    /// launchgate asks a step to stop.
    StepStopping = "step.stopping", Warn;
    /// A step did not stop in time, so launchgate kills it.
    StepKilled = "step.killed", Warn;
    /// A step left processes behind, and launchgate stops them.
    StepLeftovers = "step.leftovers", Warn;
    /// launchgate can't stop one of a step's processes, and waits for it to exit.
    StepOutOfReach = "step.out_of_reach", Warn;
    /// A step succeeded.
    StepSucceeded = "step.succeeded", Info;
    /// A step failed.
    StepFailed = "step.failed", Warn;
    /// How many migrations of `--sql` are pending.
    SqlPending = "sql.pending", Info;
    /// A file of `--sql` was applied.
    SqlApplied = "sql.applied", Info;
    /// A file of `--sql` is older than an applied one; launchgate applies it anyway.
    SqlLate = "sql.late", Warn;
    /// All files of `--sql` are applied.
    SqlDone = "sql.done", Info;
    /// `--sql` or `--snapshot` failed; gives the file, the line and the database's message.
    EmbeddedFailed = "embedded.failed", Error;
    /// The snapshot is complete, checked and synced to disk.
    SnapshotMade = "snapshot.made", Info;
    /// There is no database yet, so there is nothing to copy.
    SnapshotNeedless = "snapshot.needless", Info;
    /// The outcome of the run was recorded in the ledger.
    RunRecorded = "run.recorded", Info;
    /// The outcome of a run could not be written to the ledger.
    RunUnrecorded = "run.unrecorded", Warn;
    /// launchgate answers health checks on this address until the gate opens.
    HealthListening = "health.listening", Info;
    /// How the gate spent its time.
    GateSummary = "gate.summary", Info;
    /// The gate is open and there is no server to start.
    GateDone = "gate.done", Info;
    /// launchgate becomes the server.
    ServerStarting = "server.starting", Info;
    /// The server left processes behind, and launchgate stops them.
    ServerLeftovers = "server.leftovers", Warn;
    /// Processes that the server left behind did not stop in time; launchgate kills them, if it
    /// can.
    ServerLeftoversKilled = "server.leftovers_killed", Warn;
    /// Lines were dropped because 64 KiB of unread log had piled up. Errors are never dropped.
    LogLeftOut = "log.left_out", Warn;
    /// The gate stays closed.
    GateFailed = "gate.failed", Error;
    /// An executable was found.
    ProgramFound = "program.found", Debug;
}

/// What kind of reader a text line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// A file or a pipe: plain text.
    Pipe,
    /// A terminal without colours.
    Plain,
    /// A terminal with colours.
    Colour,
}

/// The log of this process.
#[derive(Debug, Clone)]
pub struct Log {
    output: Arc<Output>,
    verbosity: Verbosity,
    format: Format,
    paint: Paint,
    timeline: Timeline,
    /// What no line shows.
    secrets: Arc<RwLock<Arc<Secrets>>>,
}

/// A key and its value.
pub type Field<'a> = (&'a str, &'a dyn Display);

/// The same, with the text to show.
type ShownField<'a> = (&'a str, String);

impl Log {
    /// A log on this output.
    pub fn new(output: Arc<Output>, verbosity: Verbosity) -> Self {
        Self {
            output,
            verbosity,
            format: Format::Text,
            paint: Paint::Pipe,
            timeline: Timeline::default(),
            secrets: Arc::default(),
        }
    }

    /// The same log with this much in it.
    #[must_use]
    pub fn at(self, verbosity: Verbosity) -> Self {
        Self { verbosity, ..self }
    }

    /// Adds texts that no line may show from now on.
    pub fn hide(&self, add: impl FnOnce(&mut Secrets)) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        add(Arc::make_mut(&mut secrets));
    }

    /// The texts that no line shows.
    #[must_use]
    pub fn secrets(&self) -> Arc<Secrets> {
        let secrets = self.secrets.read();
        Arc::clone(&secrets.unwrap_or_else(PoisonError::into_inner))
    }

    /// The same log in this format.
    pub fn in_format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// The same log for this kind of reader.
    pub fn painted(self, paint: Paint) -> Self {
        Self { paint, ..self }
    }

    /// The kind of reader.
    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// What the gate is doing, and has done.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Logs where the gate's time went.
    pub fn summarize(&self) {
        let Some(past) = self.timeline.look() else {
            return;
        };
        let steps = past.list_steps();
        let (total, database) = (seconds(past.total), seconds(past.database));
        let (lock, delay) = (seconds(past.lock), seconds(past.delay));
        let mut fields: Vec<Field<'_>> = vec![("seconds", &total)];
        // Without a database there were no waits.
        if past.has_waited() {
            fields.push(("database_seconds", &database));
            fields.push(("lock_seconds", &lock));
        }
        if !past.delay.is_zero() {
            fields.push(("delay_seconds", &delay));
        }
        if !steps.is_empty() {
            fields.push(("steps", &steps));
        }
        self.say(Event::GateSummary, "time spent in the gate", &fields);
    }

    /// What happens to the output of a step of which `tail` bytes are kept; `None` if it has
    /// launchgate's own streams. In the JSON format its lines become objects, unless the step writes
    /// its own events.
    pub fn step_output(
        &self,
        step: &str,
        tail: Option<usize>,
        writes_events: bool,
    ) -> Option<StepOutput> {
        let sinks = (self.format == Format::Json && !writes_events).then(|| {
            ["stdout", "stderr"].map(|stream| -> Box<dyn LineSink> {
                Box::new(json::StepLines::new(step, stream, Arc::clone(&self.output)))
            })
        });
        (tail.is_some() || sinks.is_some()).then(|| StepOutput {
            tail: tail.unwrap_or_default(),
            sinks,
        })
    }

    /// The format of a line.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How much is logged.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Logs an event.
    pub fn say(&self, event: Event, message: &str, fields: &[Field<'_>]) {
        let most = match self.verbosity {
            Verbosity::Quiet => Level::Warn,
            Verbosity::Normal => Level::Info,
            Verbosity::Verbose => Level::Debug,
        };
        if event.level() > most {
            return;
        }
        // The reason why the gate stays closed is always queued: it is one line, and whoever reads
        // on must find it.
        if event.level() != Level::Error && !self.output.has_room() {
            return self.output.leave_out();
        }
        let count = self.output.take_left_out();
        if count > 0 {
            self.write(
                Event::LogLeftOut,
                "dropped log lines because nothing was reading them",
                &[
                    ("lines", &count),
                    ("hint", &"read the log faster, or log less with -q"),
                ],
            );
        }
        self.write(event, message, fields);
    }

    fn write(&self, event: Event, message: &str, fields: &[Field<'_>]) {
        let level = event.level();
        let secrets = self.secrets();
        // A setting's value may be a URL that was meant for another setting.
        let shown = |text: String| secrets.redact_with_passwords(text);
        let message = shown(message.to_owned());
        let fields = fields.iter();
        let fields: Vec<ShownField<'_>> = fields
            .map(|(name, value)| (*name, shown(value.to_string())))
            .collect();
        let line = match self.format {
            Format::Text => text::line(level, &message, &fields, self.paint),
            Format::Json => json::line(level, event, &message, &fields),
        };
        self.output.write(line.as_bytes());
    }

    /// Logs a warning, with the hint last.
    pub fn warn(&self, event: Event, problem: &Problem, fields: &[Field<'_>]) {
        let mut fields = fields.to_vec();
        let hint = problem.hint();
        fields.push(("hint", &hint));
        self.say(event, problem.what(), &fields);
    }

    /// Logs why the gate stays closed, with the hint last.
    pub fn fail(&self, failure: &Failure) {
        self.say_why(Event::GateFailed, failure);
    }

    /// Logs why an embedded step failed.
    pub fn fail_step(&self, failure: &Failure) {
        self.say_why(Event::EmbeddedFailed, failure);
    }

    fn say_why(&self, event: Event, failure: &Failure) {
        let (code, hint) = (failure.code(), failure.problem().hint());
        let fields: [Field<'_>; 2] = [("code", &code), ("hint", &hint)];
        self.say(event, failure.problem().what(), &fields);
    }
}

#[cfg(test)]
mod tests;
