//! A connection that holds no lock: it reads, tries to lock, and takes an operator's decision.

use std::time::Duration;

use super::{
    Error, Locked, ServerInfo, Target,
    connection::Connection,
    hex::hex,
    ledger::{ForeignLedger, Ledger, Run, RunState},
    ledger_connection::LedgerConnection,
    ledger_creation::CreationTime,
    ledger_read::{Question, Reader},
    ledger_sql::LedgerSql,
    lock::LockAttempt,
    place::Found,
    purpose::ConnectionPurpose,
    rows::{self, TextRow},
    target::{CALL, CONNECT},
};

/// A connection.
pub struct Session {
    target: Target,
    connection: Box<dyn Connection>,
    /// The ledgers, once they were looked for.
    found: Option<Found>,
}

/// What came of trying to lock.
pub enum Attempt {
    /// The lock is ours.
    Locked(Locked),
    /// Somebody else has it.
    Busy(Session),
}

impl Target {
    /// One attempt to connect, limited to five seconds.
    ///
    /// A database file has no server: each call opens and closes it, and this only checks that its
    /// folder exists.
    pub async fn connect(&self) -> Result<Session, Error> {
        self.connect_within(None).await
    }

    /// The same, limited to `bound` if that is less.
    pub async fn connect_within(&self, bound: Option<Duration>) -> Result<Session, Error> {
        let bound = bound.map_or(CONNECT, |bound| bound.min(CONNECT));
        self.session(ConnectionPurpose::Read, bound).await
    }

    /// The same, and as much of the first read as can be done before it is known what to read.
    /// Nothing is locked.
    pub async fn connect_early(&self) -> Result<Session, Error> {
        self.session(ConnectionPurpose::ReadAhead, CONNECT).await
    }

    async fn session(&self, purpose: ConnectionPurpose, bound: Duration) -> Result<Session, Error> {
        let (target, connection) = self.reach(purpose, bound).await?;
        Ok(Session::new(target, connection))
    }
}

impl Session {
    fn new(target: Target, connection: Box<dyn Connection>) -> Self {
        Self {
            target,
            connection,
            found: None,
        }
    }

    /// Reads the ledger: nothing is written, nothing locked. One round trip if the revision has succeeded;
    /// otherwise one or two more may follow.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        self.search(revision, Reader::Start).await?.ledger()
    }

    /// The same for a replica that waits: the revision has probably not succeeded yet.
    pub async fn read_ledger_again(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        self.search(revision, Reader::Later).await?.ledger()
    }

    async fn search(&mut self, revision: Option<&str>, reader: Reader) -> Result<&Found, Error> {
        let question = Question {
            app: &self.target.app,
            revision,
            reader,
        };
        let driver = self.target.backend().driver();
        let connection = self.connection.as_mut();
        let found = (driver.find)(
            connection,
            &self.target,
            Some(question),
            String::new(),
            CALL,
        )
        .await?;
        Ok(self.found.insert(found))
    }

    /// The tables of the ledger's name that the last read saw and did not believe.
    #[must_use]
    pub fn passed_over(&self) -> &[ForeignLedger] {
        self.found
            .as_ref()
            .map_or(&[], |found| found.passed_over.as_slice())
    }

    async fn ledgers(&mut self) -> Result<Vec<LedgerSql>, Error> {
        if self.found.is_none() {
            self.search(None, Reader::Start).await?;
        }
        let found = self.found.as_ref();
        Ok(found.map_or_else(Vec::new, |found| found.ledgers.clone()))
    }

    /// Asks each ledger.
    async fn ask(
        &mut self,
        statement: impl Fn(&LedgerSql) -> String,
    ) -> Result<Vec<TextRow>, Error> {
        let mut rows = Vec::new();
        for sql in self.ledgers().await? {
            let ask = (sql.dialect.preamble)(CALL) + &statement(&sql);
            rows.extend(self.connection.rows(ask, CALL).await?);
        }
        Ok(rows)
    }

    /// Tries to take the lock, without waiting for it.
    pub async fn try_lock(self) -> Result<Attempt, Error> {
        let Self {
            target, connection, ..
        } = self;
        let driver = target.backend().driver();
        let attempt = (driver.try_lock)(connection, &target, target.holder_call());
        Ok(match attempt.await? {
            LockAttempt::Taken(taken) => Attempt::Locked(Locked::new(taken, target)),
            LockAttempt::Busy(connection) => Attempt::Busy(Self::new(target, connection)),
        })
    }

    /// Whether the lock is held now. Does not touch it.
    pub async fn is_locked(&mut self) -> Result<bool, Error> {
        let driver = self.target.backend().driver();
        (driver.is_locked)(self.connection.as_mut(), &self.target).await
    }

    /// The newest rows of this app, newest first; none if there is no ledger.
    pub async fn history(&mut self, limit: u32) -> Result<Vec<Run>, Error> {
        let app = self.target.app.clone();
        let rows = self.ask(|sql| sql.history(&app, limit)).await?;
        let runs = rows.iter().map(rows::run);
        let mut runs = runs.collect::<Result<Vec<_>, _>>()?;
        // From several ledgers: the times are text that sorts.
        runs.sort_by(|a, b| (&b.started_at, b.id).cmp(&(&a.started_at, a.id)));
        runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for run in &mut runs {
            run.app.clone_from(&app);
        }
        Ok(runs)
    }

    /// The apps that have rows in the ledger, or rows of one revision, by name.
    pub async fn apps(&mut self, revision: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
        let suffixes = self.ledgers().await?;
        let suffixes: Vec<String> = suffixes.iter().map(LedgerSql::app_suffix).collect();
        let rows = self.ask(|sql| sql.apps(revision, limit)).await?;
        let plain = |app: String| {
            let suffix = suffixes.iter().find(|suffix| !suffix.is_empty());
            let plain = suffix.and_then(|suffix| app.strip_suffix(suffix.as_str()));
            plain.map_or(app.clone(), str::to_owned)
        };
        let mut apps: Vec<String> = rows
            .iter()
            .filter_map(|row| row.opt(0))
            .map(plain)
            .collect();
        apps.sort();
        apps.dedup();
        Ok(apps)
    }

    /// Asks the database about itself. Changes nothing.
    pub async fn describe(&mut self) -> Result<ServerInfo, Error> {
        self.search(None, Reader::Start).await?;
        let found = self.found.take().unwrap_or_default();
        let driver = self.target.backend().driver();
        let connection = self.connection.as_mut();
        let info = (driver.describe)(connection, &self.target, &found).await;
        self.found = Some(found);
        info
    }

    /// Appends an operator's decision (`Succeeded`, `Blocked` or `Reset`) about a revision, and
    /// creates the ledger where it is missing. Returns the new row's run id.
    pub async fn decide_by_operator(
        &mut self,
        revision: &str,
        state: RunState,
        note: Option<&str>,
        who: &str,
    ) -> Result<String, Error> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Broken(format!("failed to get random numbers: {error}")))?;
        let run_id = hex(&random);
        let mut ledger = LedgerConnection::new(self.target.clone(), true);
        ledger.create(CreationTime::Anytime, CALL).await?;
        let app = &self.target.app;
        ledger
            .run_text(
                |sql| sql.decide(app, revision, state, &run_id, note, who),
                CALL,
            )
            .await?;
        ledger.close().await;
        Ok(run_id)
    }

    /// Closes the connection cleanly. Dropping it also works, but the server may log an error.
    pub async fn close(self) {
        self.connection.close().await;
    }
}
