//! The events of the log: their names, which are an interface, how much each matters and what it means.

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
    /// index that keeps reads short.
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
