//! Looking at the ledger, again and again, until the database answers or it is this replica's turn.

use tokio::time::sleep;

use super::{Early, Gate, refused};
use crate::db::ledger::{Ledger, LedgerRow};
use crate::db::{Error, Session};
use crate::exit::Failure;
use crate::gate::retry::{ConnectRetry, Wait};
use crate::gate::runtime::GateLink;
use crate::output::timeline::Phase;

impl Gate {
    /// Connects and looks, until the database answers. For a command that only asks.
    pub async fn open(
        &self,
        link: &mut GateLink,
        outage: &mut ConnectRetry,
        mut early: Option<Early>,
    ) -> Result<(Session, Ledger), Failure> {
        loop {
            match self.look(link, outage, early.take()).await? {
                Ok(seen) => return Ok(seen),
                Err(error) => self.wait_out(link, outage, &error).await?,
            }
        }
    }

    /// Connects, unless that was done early, and looks, once. What the database refuses is final.
    async fn look(
        &self,
        link: &mut GateLink,
        outage: &mut ConnectRetry,
        early: Option<Early>,
    ) -> Result<Result<(Session, Ledger), Error>, Failure> {
        let revision = self.name.revision.as_deref();
        let is_first = !outage.has_served();
        let look = async {
            let mut session = match early {
                Some(early) => early.await?,
                None => Box::pin(self.target.connect()).await?,
            };
            let (ledger, looks) = if is_first {
                (session.read_ledger(revision).await?, None)
            } else {
                session.read_ledger_and_count(revision).await?
            };
            Ok((session, ledger, looks))
        };
        match link
            .unless_stopped("the wait for the database", look)
            .await?
        {
            Ok((session, ledger, looks)) => {
                outage.over(&self.log);
                outage.sample(looks);
                Ok(Ok((session, ledger)))
            }
            Err(Error::Refused { what, hint }) => Err(refused(what, hint)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Waits a little for a database that is away.
    async fn wait_out(
        &self,
        link: &mut GateLink,
        outage: &mut ConnectRetry,
        error: &Error,
    ) -> Result<(), Failure> {
        let is_held = self.is_file_held();
        let is_busy = is_held || matches!(error, Error::Full(_)) && outage.has_served();
        if !is_busy {
            self.log.timeline().enter(Phase::Database);
        }
        // SQLite: the file is busy because a holder's step is writing it.
        let pause = if is_held {
            outage.busy(&self.log, error)?
        } else {
            outage.next(&self.log, error)?
        };
        link.unless_stopped("the wait for the database", sleep(pause))
            .await
    }

    /// Whether SQLite's lock file is held. Another database is asked itself.
    fn is_file_held(&self) -> bool {
        matches!(self.target.lock_free(), Ok(Some(false)))
    }
}

/// A replica's looks. The first one asks the database, since an old revision must start at once;
/// after that, on SQLite, the database is left to whoever holds the lock file.
pub struct LedgerPoll<'a> {
    gate: &'a Gate,
    wait: Wait,
    outage: ConnectRetry,
    /// What the replica is at when the database answers.
    phase: Phase,
}

impl<'a> LedgerPoll<'a> {
    /// None yet.
    #[must_use]
    pub fn new(gate: &'a Gate, phase: Phase) -> Self {
        gate.log.timeline().enter(Phase::Database);
        Self {
            gate,
            wait: Wait::new(gate.policy.lock_timeout),
            outage: ConnectRetry::new(&gate.policy),
            phase,
        }
    }

    /// The next look that the database answers.
    ///
    /// # Errors
    /// The database refuses, or it took too long; a signal.
    pub async fn next(
        &mut self,
        link: &mut GateLink,
        mut early: Option<Early>,
    ) -> Result<(Session, Ledger), Failure> {
        loop {
            let look = self.gate.look(link, &mut self.outage, early.take());
            match look.await? {
                Ok(seen) => {
                    self.gate.log.timeline().enter(self.phase.clone());
                    return Ok(seen);
                }
                Err(error) => self.sit(link, None, &error).await?,
            }
        }
    }

    /// Waits a little for a database that lets no run begin.
    ///
    /// # Errors
    /// It took too long; a signal.
    pub async fn wait_out(
        &mut self,
        link: &mut GateLink,
        trouble: &mut ConnectRetry,
        error: &Error,
    ) -> Result<(), Failure> {
        self.sit(link, Some(trouble), error).await
    }

    async fn sit(
        &mut self,
        link: &mut GateLink,
        outage: Option<&mut ConnectRetry>,
        error: &Error,
    ) -> Result<(), Failure> {
        if self.gate.is_file_held() {
            self.gate.log.timeline().enter(self.phase.clone());
            return self.next_poll(link, None).await;
        }
        let outage = outage.unwrap_or(&mut self.outage);
        self.gate.wait_out(link, outage, error).await
    }

    /// Waits for this replica's next look at the ledger or, on SQLite, at the lock file.
    ///
    /// # Errors
    /// It took too long; a signal.
    pub async fn next_poll(
        &mut self,
        link: &mut GateLink,
        busy: Option<&LedgerRow>,
    ) -> Result<(), Failure> {
        loop {
            let pause = self.wait.next(&self.gate.log, busy, self.outage.crowd())?;
            link.unless_stopped("the wait for the lock", sleep(pause))
                .await?;
            if !self.gate.is_file_held() {
                return Ok(());
            }
        }
    }

    /// Waits for the next look for a release that nobody is at, as far as the ledger says.
    ///
    /// # Errors
    /// It took too long; a signal.
    pub async fn for_release(&mut self, link: &mut GateLink) -> Result<(), Failure> {
        if !self.gate.is_file_held() {
            let revision = self.gate.name.revision.as_deref().unwrap_or_default();
            let pause = self
                .wait
                .for_release(&self.gate.log, revision, self.outage.crowd())?;
            link.unless_stopped("the wait for the release", sleep(pause))
                .await?;
        }
        if self.gate.is_file_held() {
            self.next_poll(link, None).await?;
        }
        Ok(())
    }
}
