//! What a backend's folder provides. To add a backend, implement this trait and the types it
//! returns.

use std::time::Duration;

use super::{
    DatabaseUrl, Error, Target,
    connection::{Connection, Pending},
    dialect::SqlDialect,
    fault::{ErrorCodes, Fault},
    ledger_read::Question,
    lock::LockAttempt,
    migrator::dialect::{MigrationConnection, MigrationDialect},
    place::{Found, Home},
    purpose::ConnectionPurpose,
    server_info::ServerInfo,
    url::TlsMode,
};

/// How a client names its sessions, and how an operator ends one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionNames {
    /// The variable of the client's environment.
    pub variable: &'static str,
    /// The call that ends a session.
    pub end: &'static str,
}

/// One kind of database. None of its methods has a default: a new backend has to decide.
pub(super) trait Driver: Sync {
    /// The word for it in flags, logs and URLs.
    fn name(&self) -> &'static str;

    /// Other words for it in flags.
    fn aliases(&self) -> &'static [&'static str];

    // What it can do: `Backend` has the same methods, for the rooms above, and says what they mean.
    fn has_lease(&self) -> bool;
    fn single_writer(&self) -> bool;
    fn may_drop_calls(&self) -> bool;
    fn can_snapshot(&self) -> bool;
    fn session_names(&self) -> Option<SessionNames>;
    fn follows_steps(&self) -> bool;
    fn has_schemas(&self) -> bool;
    fn create_hint(&self, target: &Target) -> String;
    fn locked_table_hint(&self, url: &DatabaseUrl) -> String;

    /// Whether the database is there, as far as that can be told without connecting: a file may be missing.
    fn exists(&self, url: &DatabaseUrl) -> bool;

    /// Where a server listens if nothing says otherwise; `None` for files.
    fn default_port(&self) -> Option<u16>;

    fn dialect(&self) -> &'static dyn SqlDialect;

    fn codes(&self) -> &'static dyn ErrorCodes;

    fn migrations(&self) -> &'static MigrationDialect;

    /// Connects, with this much TLS. The caller limits the time.
    fn connect<'a>(
        &self,
        url: &'a DatabaseUrl,
        purpose: ConnectionPurpose,
        mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn Connection>, Fault>>;

    /// What a server that did not answer is, if it is certainly not of this kind: `is not MySQL: …`. The
    /// caller stops waiting for it once the server answers.
    fn who_listens<'a>(&self, url: &'a DatabaseUrl) -> Pending<'a, Option<&'static str>>;

    /// The same for migrations: under a step's name, in the schema of the URL, and with the session that
    /// sqlx-cli would have. A database file that is missing is created.
    fn connect_to_migrate<'a>(
        &self,
        url: &'a DatabaseUrl,
        name: &'a str,
        mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn MigrationConnection>, Fault>>;

    /// Finds the ledgers that count and asks them `question`. Changes nothing. Where the revision has
    /// succeeded in one of them, the others need not be asked. `preamble` goes in front of the
    /// statements; without one, a server that can do it with one statement is sent one.
    fn find<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        question: Option<Question<'a>>,
        preamble: String,
        bound: Duration,
    ) -> Pending<'a, Result<Found, Error>>;

    /// Where this role could create a missing ledger, the best place first. Changes nothing; what the
    /// server does not tell beforehand is found out by trying.
    fn homes<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        bound: Duration,
    ) -> Pending<'a, Result<Vec<Home>, Error>>;

    /// Tries to take the lock, and never waits for it.
    fn try_lock<'a>(
        &self,
        connection: Box<dyn Connection>,
        target: &'a Target,
        bound: Duration,
    ) -> Pending<'a, Result<LockAttempt, Error>>;

    /// Whether anybody holds the lock, without touching it.
    fn is_locked<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
    ) -> Pending<'a, Result<bool, Error>>;

    /// The same without a connection, where a waiter can watch a file.
    fn is_lock_file_held(&self, target: &Target) -> Result<Option<bool>, Error>;

    /// What the database says about itself, for `check`. Changes nothing.
    fn describe<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        found: &'a Found,
    ) -> Pending<'a, Result<ServerInfo, Error>>;
}
