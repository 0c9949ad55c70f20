//! What a backend's folder provides. To add a backend, fill in a `Driver`, and implement the traits and
//! fill in the structs that it refers to.

use std::time::Duration;

use super::{
    DatabaseUrl, Error, Target,
    connection::{Connection, Pending},
    dialect::SqlDialect,
    fault::{ErrorCodes, Fault},
    ledger::LedgerRow,
    ledger_read::Question,
    lock::TakenLock,
    migrator::{dialect::MigrationDialect, send::MigrationConnection},
    place::{Found, Home},
    purpose::ConnectionPurpose,
    server_info::ServerInfo,
    url::TlsMode,
};

/// Which of the sessions with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that wait for their client, in a transaction or not.
    Idle,
}

/// The orphans that a holder looks for.
pub(super) struct OrphanSearch<'a> {
    /// What the names of all steps' sessions for this app and database contain.
    pub(super) lock_id: &'a str,
    /// When this holder took the lock, in microseconds since 1970.
    pub(super) began_us: i64,
    /// The names of dead runs' sessions.
    pub(super) dead: &'a [String],
    /// The ledger's table, if there is one: it tells which runs are closed.
    pub(super) table: Option<&'a str>,
}

/// How a client names its sessions, and the statements that find them and end them. Each lists process id,
/// state, age in milliseconds, name.
#[derive(Debug, Clone, Copy)]
pub struct SessionNames {
    /// The variable of the client's environment.
    pub variable: &'static str,
    /// The call by which an operator ends a session.
    pub end: &'static str,
    /// The sessions with these names.
    pub(super) list: fn(&[String], Which) -> String,
    /// Ends one of them: a row where it was there.
    pub(super) end_one: fn(i32, &[String], Which) -> String,
    /// Those that steps of earlier runs left.
    pub(super) orphans: fn(&OrphanSearch<'_>) -> String,
}

type Answer<'a, T> = Pending<'a, Result<T, Error>>;
type Opened<'a> = Pending<'a, Result<Box<dyn Connection>, Fault>>;
type OpenedToMigrate<'a> = Pending<'a, Result<Box<dyn MigrationConnection>, Fault>>;
type TryLock =
    for<'a> fn(Box<dyn Connection>, &'a Target, bound: Duration) -> Answer<'a, Option<TakenLock>>;
type Find = for<'a> fn(
    connection: &'a mut dyn Connection,
    target: &'a Target,
    question: Option<Question<'a>>,
    bound: Duration,
) -> Answer<'a, Found>;
type NewestSuccess = for<'a> fn(
    connection: &'a mut dyn Connection,
    target: &'a Target,
    revision: &'a str,
    bound: Duration,
) -> Answer<'a, Option<LedgerRow>>;

/// One kind of database. Every field has to be given, so a new backend has to decide on each.
pub struct Driver {
    /// The word for it in flags, logs and URLs.
    pub(super) name: &'static str,
    /// A running row carries a lease, which its holder renews. Without one the kernel keeps the lock for
    /// exactly as long as the holder or one of its steps lives.
    pub has_lease: bool,
    /// It is a file: one writer at a time, so that the ledger can't be written while a step writes; a step may
    /// want to create it, or to find it empty, so a missing ledger is created only after the steps; there are no
    /// schemas and no roles; and `--snapshot` can copy it. A call under the lock may be dropped before it ends:
    /// what it still writes belongs to a run whose lock is free, which the next holder takes for dead. (On a
    /// server the connection would be lost and the call's effect unknown.)
    pub is_file: bool,
    /// How sessions are named, if the server shows the name that a client's environment gives them, so that
    /// those of a dead step can be recognised.
    pub session_names: Option<SessionNames>,
    /// How an administrator creates the ledger for a role that may not.
    pub create_hint: fn(&Target) -> String,
    /// What to do if a step keeps the ledger's table locked.
    pub locked_table_hint: fn(&DatabaseUrl) -> String,
    /// Where a server listens if nothing says otherwise; `None` for files.
    pub(super) default_port: Option<u16>,
    pub(super) dialect: &'static SqlDialect,
    pub(super) codes: &'static ErrorCodes,
    pub(super) migrations: &'static MigrationDialect,
    /// Connects, with this much TLS. The caller limits the time.
    pub(super) connect: for<'a> fn(&'a DatabaseUrl, ConnectionPurpose, TlsMode) -> Opened<'a>,
    /// What a server that did not answer is, if it is certainly not of this kind: `is not MySQL: …`. The
    /// caller stops waiting for it once the server answers.
    pub(super) who_listens: for<'a> fn(&'a DatabaseUrl) -> Pending<'a, Option<&'static str>>,
    /// The same for migrations: under a step's name, in the schema of the URL, and with the session that
    /// sqlx-cli would have. A database file that is missing is created.
    pub(super) connect_to_migrate:
        for<'a> fn(&'a DatabaseUrl, name: String, TlsMode) -> OpenedToMigrate<'a>,
    /// Finds the ledgers that count and asks them `question`. Changes nothing. If the revision has
    /// succeeded in one of them, the others need not be asked.
    pub(super) find: Find,
    /// The revision's newest success, where one round trip can tell that it counts, and `find` would need
    /// more. Changes nothing.
    pub(super) newest_success: NewestSuccess,
    /// Where this role could create a missing ledger, the best place first. Changes nothing; what the
    /// server does not tell beforehand is found out by trying.
    pub(super) homes:
        for<'a> fn(&'a mut dyn Connection, &'a Target, bound: Duration) -> Answer<'a, Vec<Home>>,
    /// Tries to take the lock, and never waits for it. `None`: another replica has it.
    pub(super) try_lock: TryLock,
    /// Whether anybody holds the lock, without touching it.
    pub(super) is_locked: for<'a> fn(&'a mut dyn Connection, &'a Target) -> Answer<'a, bool>,
    /// The same without a connection, if a waiter can watch a file.
    pub(super) is_lock_file_held: fn(&Target) -> Result<Option<bool>, Error>,
    /// What the database says about itself, for `check`. Changes nothing.
    pub(super) describe:
        for<'a> fn(&'a mut dyn Connection, &'a Target, &'a Found) -> Answer<'a, ServerInfo>,
}
