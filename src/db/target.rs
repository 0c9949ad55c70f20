//! Where to connect, and connecting.

use std::{path::Path, time::Duration};

use tokio::time::timeout;

use super::{
    Backend, DatabaseUrl, Locked, Session,
    error::{Error, Fault, FaultKind, FaultPhase},
    ledger::{RunOutcome, RunState},
    ledger_connection::{LedgerConnection, Link},
    mysql, postgres,
    sql::Sql,
    sqlite,
    url::TlsMode,
    wire::Wire,
};

/// One attempt to connect, name look-up, TLS and login included.
const CONNECT: Duration = Duration::from_secs(5);

/// One call of somebody who holds no lock.
pub(super) const CALL: Duration = Duration::from_secs(10);

/// One app's lock and ledger in one database.
#[derive(Debug, Clone)]
pub struct Target {
    /// The database.
    pub url: DatabaseUrl,
    /// Lock and ledger are per app.
    pub app: String,
    /// How long a holder that is silent still counts as alive.
    pub lease: Duration,
}

/// What a connection is for: the end of the name that the server shows for it. None of launchgate's
/// own can be taken for a step's session, whose name starts with `launchgate/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPurpose<'a> {
    Look,
    Ledger,
    Probe,
    /// The embedded migrator, which is a step: under the name that steps have, and with all that
    /// sqlx-cli would set for its session.
    Migrate(&'a str),
}

impl<'a> ConnectionPurpose<'a> {
    pub(super) fn application_name(self) -> &'a str {
        match self {
            Self::Migrate(name) => name,
            Self::Look => "launchgate:look",
            Self::Ledger => "launchgate:ledger",
            Self::Probe => "launchgate:probe",
        }
    }
}

impl Target {
    /// Which kind of database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.url.backend()
    }

    /// One attempt to connect, bounded by five seconds.
    ///
    /// `SQLite` has no server to connect to: its file is opened and closed by every call, and
    /// here it only has to be possible that it is there one day.
    pub async fn connect(&self) -> Result<Session, Error> {
        let link = self.link(ConnectionPurpose::Look, CONNECT).await?;
        Ok(Session::new(self.clone(), link))
    }

    /// The same, and what of the first look can be done before it is known what is asked: a `SQLite`
    /// file is opened and its schema read, which that look then finds done. Nothing is locked.
    pub async fn connect_early(&self) -> Result<Session, Error> {
        let mut session = self.connect().await?;
        if let Link::File(store) = &mut session.link {
            store.prepare().await;
        }
        Ok(session)
    }

    /// Whether the lock could be had, without touching the database: `SQLite` only, where a
    /// waiter polls the lock file; `None` elsewhere.
    pub fn lock_free(&self) -> Result<Option<bool>, Error> {
        match self.url.sqlite_path() {
            Some(path) => sqlite::lock_free(path, &self.app).map(Some),
            None => Ok(None),
        }
    }

    /// What the ledger says became of a run; `None` where it has no such row. For a holder
    /// that got no answer to its commit. On a fresh connection.
    pub async fn run_state(&self, run_id: &str) -> Result<Option<RunState>, Error> {
        let mut book = LedgerConnection::new(self.clone(), self.sql());
        book.find(CALL).await?;
        let rows = book.rows(book.sql.state_of(run_id), CALL).await?;
        book.close().await;
        Ok(rows.first().and_then(|row| RunState::parse(&row.text(0))))
    }

    /// Ends the row of a run whose holder lost its lock and has reaped its step. On a fresh
    /// connection. False where the row had left `running` already.
    ///
    /// A run that lost its lock never counts as succeeded: that state is refused.
    pub async fn interrupt_own(&self, run_id: &str, outcome: &RunOutcome) -> Result<bool, Error> {
        if outcome.state == RunState::Succeeded {
            return Err(Error::Lost(
                "a run that lost its lock cannot be recorded as succeeded".to_owned(),
            ));
        }
        let mut book = LedgerConnection::new(self.clone(), self.sql());
        book.find(CALL).await?;
        let done = book
            .run_text(|sql| sql.finish(run_id, outcome, None), CALL)
            .await?;
        book.close().await;
        Ok(done.affected == 1)
    }

    pub(super) fn sql(&self) -> Sql {
        Sql::new(self.backend(), self.url.schema())
    }

    /// How long one call of a holder may take: less than a lease by far.
    pub(super) fn holder_call(&self) -> Duration {
        match self.backend() {
            Backend::Sqlite => CALL,
            _ => (self.lease / 3).clamp(Duration::from_secs(1), CALL),
        }
    }

    /// How long one heartbeat or one look at the lock may take.
    pub(super) fn beat(&self) -> Duration {
        (self.lease / 6).clamp(Duration::from_millis(300), CALL)
    }

    pub(super) async fn link(
        &self,
        purpose: ConnectionPurpose<'_>,
        bound: Duration,
    ) -> Result<Link, Error> {
        let bound = bound.min(CONNECT);
        let mode = self.url.tls().mode;
        match self.link_once(purpose, bound, mode).await {
            // `prefer` goes on without, `allow` goes on with TLS, as libpq has it
            Err(fault) if fault.kind == FaultKind::Tls && mode == TlsMode::Prefer => {
                self.link_once(purpose, bound, TlsMode::Disable).await
            }
            Err(fault) if fault.code == "28000" && mode == TlsMode::Allow => {
                self.link_once(purpose, bound, TlsMode::Require).await
            }
            answer => answer,
        }
        .map_err(Error::from)
        .or_else(|error| self.tls_files().and(Err(error)))
    }

    async fn link_once(
        &self,
        purpose: ConnectionPurpose<'_>,
        bound: Duration,
        mode: TlsMode,
    ) -> Result<Link, Fault> {
        let backend = self.backend();
        let connect = async {
            match (backend, self.url.sqlite_path()) {
                (Backend::Postgres, _) => postgres::connect(&self.url, purpose, mode)
                    .await
                    .map(Wire::Postgres),
                (Backend::Mysql, _) => mysql::connect(&self.url, purpose, mode)
                    .await
                    .map(Wire::Mysql),
                (Backend::Sqlite, path) => {
                    return sqlite::Store::new(path.unwrap_or(Path::new(""))).map(Link::File);
                }
            }
            .map(Link::Wire)
            .map_err(|error| Fault::new(backend, FaultPhase::Connect, &error))
        };
        match timeout(bound, connect).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::timeout(backend, FaultPhase::Connect, bound)),
        }
    }

    /// Names the certificate file that cannot be read, where one is behind a failed connection.
    fn tls_files(&self) -> Result<(), Error> {
        let tls = self.url.tls();
        for file in [&tls.root_cert, &tls.client_cert, &tls.client_key]
            .into_iter()
            .flatten()
        {
            if let Err(error) = std::fs::File::open(file) {
                return Err(Error::refused(
                    format!("cannot read {}: {error}", file.display()),
                    "correct the certificate's path in the database URL, relative to the working directory",
                ));
            }
        }
        Ok(())
    }
}

/// The lock, for messages.
impl Locked {
    /// Where this lock is.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.book.target
    }
}
