//! A connection that holds no lock: it reads, tries to lock, and takes an operator's decision.

use std::time::Duration;

use super::{
    Error, Locked, ServerInfo, Target,
    connection::Connection,
    fault::Fault,
    hex::hex,
    ledger::{Ledger, Run, RunState},
    ledger_connection::LedgerConnection,
    ledger_sql::LedgerSql,
    lock::LockAttempt,
    purpose::ConnectionPurpose,
    rows::{self, READERS, TextRow},
    target::{CALL, CONNECT},
};

/// A connection.
pub struct Session {
    target: Target,
    connection: Box<dyn Connection>,
    /// Knows the ledger's schema once it had to be looked for.
    sql: LedgerSql,
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
        let sql = target.sql();
        Self {
            target,
            connection,
            sql,
        }
    }

    /// Asks the ledger, and where an unqualified name reaches none, one that is elsewhere.
    async fn ask(&mut self, statement: impl Fn(&Self) -> String) -> Result<Vec<TextRow>, Fault> {
        match self.connection.rows(statement(self), CALL).await {
            Err(fault) if fault.is_missing_table() && self.find_elsewhere().await? => {
                self.connection.rows(statement(self), CALL).await
            }
            answer => answer,
        }
    }

    /// Whether there is a ledger that only had to be looked for.
    async fn find_elsewhere(&mut self) -> Result<bool, Fault> {
        if self.sql.schema.is_some() {
            return Ok(false);
        }
        let Some(find) = self.sql.dialect.find_ledger_elsewhere() else {
            return Ok(false);
        };
        let rows = self.connection.rows(find, CALL).await?;
        let Some(schema) = rows.last().and_then(|row| row.opt(0)) else {
            return Ok(false);
        };
        self.sql = LedgerSql::new(self.sql.dialect, Some(&schema));
        Ok(true)
    }

    /// Reads the ledger: one round trip, one statement, nothing written, no lock. Only a ledger that
    /// an unqualified name does not reach takes two more.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        let read = |own: &Self| own.sql.read(&own.target.app, revision);
        rows::ledger(self.ask(read).await)
    }

    /// The same for a waiter, and how many connections read the ledger at this moment, this one
    /// included, where the server tells: Postgres does, for sessions of the same role.
    pub async fn read_ledger_and_count(
        &mut self,
        revision: Option<&str>,
    ) -> Result<(Ledger, Option<u32>), Error> {
        let read = |own: &Self| own.sql.read_and_count(&own.target.app, revision);
        let answer = self.ask(read).await;
        let first = answer.as_ref().ok().and_then(|rows| rows.first());
        let readers = first.and_then(|row| row.opt(READERS)?.parse().ok());
        Ok((rows::ledger(answer)?, readers))
    }

    /// Tries to take the lock, without waiting for it.
    pub async fn try_lock(self) -> Result<Attempt, Error> {
        let Self {
            target, connection, ..
        } = self;
        let driver = target.backend().driver();
        let attempt = driver.try_lock(connection, &target, target.holder_call());
        Ok(match attempt.await? {
            LockAttempt::Taken(taken) => Attempt::Locked(Locked::new(taken, target)),
            LockAttempt::Busy(connection) => Attempt::Busy(Self::new(target, connection)),
        })
    }

    /// Whether the lock is held now. Does not touch it.
    pub async fn is_locked(&mut self) -> Result<bool, Error> {
        let driver = self.target.backend().driver();
        driver
            .is_locked(self.connection.as_mut(), &self.target)
            .await
    }

    /// The newest rows of this app, newest first; none if there is no ledger.
    pub async fn history(&mut self, limit: u32) -> Result<Vec<Run>, Error> {
        let newest = |own: &Self| own.sql.history(&own.target.app, limit);
        match self.ask(newest).await {
            Ok(rows) => rows.iter().map(rows::run).collect(),
            Err(fault) if fault.is_missing_table() => Ok(Vec::new()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The apps that have rows in the ledger, or rows of one revision, by name.
    pub async fn apps(&mut self, revision: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
        let apps = |own: &Self| own.sql.apps(revision, limit);
        match self.ask(apps).await {
            Ok(rows) => Ok(rows.iter().filter_map(|row| row.opt(0)).collect()),
            Err(fault) if fault.is_missing_table() => Ok(Vec::new()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Asks the database about itself. Changes nothing.
    pub async fn describe(&mut self) -> Result<ServerInfo, Error> {
        let shape = self.connection.rows(self.sql.shape(), CALL).await;
        let ledger_exists = match shape {
            Ok(_) => true,
            Err(fault) if fault.is_missing_table() => false,
            // it exists and is not readable: that is what `can_write_ledger` says
            Err(fault) if fault.is_privilege() => true,
            Err(fault) => return Err(fault.into()),
        };
        let driver = self.target.backend().driver();
        let connection = self.connection.as_mut();
        driver
            .describe(connection, &self.target, &self.sql, ledger_exists)
            .await
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
        let mut ledger = LedgerConnection::new(self.target.clone(), self.target.sql());
        ledger.find(CALL).await?;
        ledger.create(CALL).await?;
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
