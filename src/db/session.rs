//! A connection that holds no lock: it reads, tries to lock, and takes an operator's decision.

use std::time::Duration;

use super::{
    Error, Locked, ServerInfo, Target,
    hex::hex,
    ledger::{ForeignLedger, Ledger, Run, RunState},
    ledger_connection::LedgerConnection,
    ledger_creation::CreationTime,
    ledger_sql::LedgerSql,
    purpose::ConnectionPurpose,
    rows,
    target::{CALL, CONNECT},
};

/// A connection.
pub struct Session {
    ledger: LedgerConnection,
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
        let ledger = LedgerConnection::reading(target, connection);
        Ok(Session { ledger })
    }
}

impl Session {
    /// Reads the ledger: nothing is written, nothing locked. One round trip if the revision has succeeded;
    /// otherwise more follow.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        self.ledger.read_at_start(revision).await
    }

    /// The same for a replica that waits: the revision has probably not succeeded yet.
    pub async fn read_ledger_again(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        self.ledger.read(revision).await
    }

    /// The tables of the ledger's name that the last read saw and did not believe.
    #[must_use]
    pub fn passed_over(&self) -> &[ForeignLedger] {
        let found = self.ledger.found.as_ref();
        found.map_or(&[], |found| &found.passed_over)
    }

    /// Tries to take the lock, without waiting for it. `None`: another replica has it.
    pub async fn try_lock(self) -> Result<Option<Locked>, Error> {
        let (target, connection) = self.ledger.into_parts().await?;
        let driver = target.backend().driver();
        let taken = (driver.try_lock)(connection, &target, target.holder_call()).await?;
        Ok(taken.map(|taken| Locked::new(taken, target)))
    }

    /// Whether the lock is held now. Does not touch it.
    pub async fn is_locked(&mut self) -> Result<bool, Error> {
        let (target, connection) = self.ledger.opened().await?;
        (target.backend().driver().is_locked)(connection, target).await
    }

    /// The newest rows of this app, newest first; none if there is no ledger.
    pub async fn history(&mut self, limit: u32) -> Result<Vec<Run>, Error> {
        let app = self.ledger.target.app.clone();
        let rows = self.ledger.ask(|sql| sql.history(&app, limit)).await?;
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
        let rows = self.ledger.ask(|sql| sql.apps(revision, limit)).await?;
        let ledgers = self.ledger.ledgers().iter();
        let suffix = ledgers.map(LedgerSql::app_suffix).find(|s| !s.is_empty());
        let plain = |app: &str| Some(app.strip_suffix(suffix.as_deref()?)?.to_owned());
        let apps = rows.iter().filter_map(|row| row.opt(0));
        let mut apps: Vec<String> = apps.map(|app| plain(&app).unwrap_or(app)).collect();
        apps.sort();
        apps.dedup();
        Ok(apps)
    }

    /// Asks the database about itself. Changes nothing.
    pub async fn describe(&mut self) -> Result<ServerInfo, Error> {
        self.ledger.search(None).await?;
        let found = self.ledger.found.take().unwrap_or_default();
        let (target, connection) = self.ledger.opened().await?;
        let info = (target.backend().driver().describe)(connection, target, &found).await;
        self.ledger.found = Some(found);
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
        let target = &self.ledger.target;
        let mut ledger = LedgerConnection::new(target.clone(), CALL);
        ledger.create(CreationTime::Anytime).await?;
        ledger
            .run_text(|sql| sql.decide(&target.app, revision, state, &run_id, note, who))
            .await?;
        ledger.close().await;
        Ok(run_id)
    }

    /// Closes the connection cleanly. Dropping it also works, but the server may log an error.
    pub async fn close(self) {
        self.ledger.close().await;
    }
}
