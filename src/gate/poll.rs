//! Reading the ledger, again and again, until the database answers or it is this replica's turn.

use std::time::Duration;

use tokio::time::sleep;

use super::{EarlyConnection, Gate, refused};
use crate::db::ledger::{ForeignLedger, Ledger, LedgerRow};
use crate::db::{Error, Session};
use crate::exit::{Failure, Problem};
use crate::gate::decide::RetryDelay;
use crate::gate::delay_wait::DelayWait;
use crate::gate::lease_watch::LeaseWatch;
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime::GateLink;
use crate::gate::wait_clock::WaitClock;
use crate::output::log::Event;
use crate::output::timeline::Phase;
use crate::sys::clock::Moment;

impl Gate {
    /// Connects and reads the ledger, as soon as the database answers. For a command that only
    /// asks.
    ///
    /// # Errors
    /// The database refuses, or it took too long; a signal.
    pub async fn open(&self, link: &mut GateLink) -> Result<(Session, Ledger), Failure> {
        let mut retry = ConnectRetry::new(&self.limits, &self.reference);
        loop {
            match self.read_once(link, &mut retry, None).await? {
                Ok(read) => return Ok(read),
                Err(error) => self.wait_out(link, &mut retry, &error).await?,
            }
        }
    }

    /// Connects, unless `early` did, and reads the ledger once. A refusal of the database is final.
    async fn read_once(
        &self,
        link: &mut GateLink,
        retry: &mut ConnectRetry,
        early: Option<EarlyConnection>,
    ) -> Result<Result<(Session, Ledger), Error>, Failure> {
        let revision = self.revision.revision.as_deref();
        let is_first = !retry.has_served();
        let limit = retry.attempt();
        let bound = limit.as_ref().map(|(limit, _)| *limit);
        let read = async {
            let mut session = match early {
                Some(early) => early.await?,
                None => Box::pin(self.target.connect_within(bound)).await?,
            };
            let ledger = if is_first {
                session.read_ledger(revision).await?
            } else {
                session.read_ledger_again(revision).await?
            };
            Ok((session, ledger))
        };
        let read = link.attempt("waiting for the database", limit, read);
        let read = read.await?.unwrap_or_else(|| {
            let limit = bound.unwrap_or_default().as_millis();
            Err(Error::NotYet(format!("no answer within {limit} ms")))
        });
        match read {
            Ok((session, ledger)) => {
                if is_first {
                    self.log_passed_over(session.passed_over());
                }
                retry.served(&self.log);
                Ok(Ok((session, ledger)))
            }
            Err(Error::Refused { what, hint }) => Err(refused(what, hint)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn log_passed_over(&self, ledgers: &[ForeignLedger]) {
        for ForeignLedger { schema, owner } in ledgers {
            let problem = Problem::new(
                format!(
                    "passing over the table launchgate_runs in schema {schema}, which is {owner}'s: anyone who may create tables could have made it"
                ),
                format!("if it is the ledger, say so with --ledger {schema}; else drop it"),
            );
            self.log.warn(Event::LedgerPassedOver, &problem, &[]);
        }
    }

    /// Waits a little for a database that does not serve us.
    pub(super) async fn wait_out(
        &self,
        link: &mut GateLink,
        retry: &mut ConnectRetry,
        error: &Error,
    ) -> Result<(), Failure> {
        let is_held = self.is_file_held();
        let is_busy = is_held || matches!(error, Error::Full(_)) && retry.has_served();
        if !is_busy {
            self.log.timeline.enter(Phase::Database);
        }
        // SQLite: the file is busy because a holder's step is writing it.
        let pause = if is_held {
            retry.busy(&self.log, error)?
        } else {
            retry.next(&self.log, error)?
        };
        link.unless_stopped("waiting for the database", sleep(pause))
            .await
    }

    /// Whether SQLite's lock file is held. Other databases are asked over a connection.
    fn is_file_held(&self) -> bool {
        matches!(self.target.lock_free(), Ok(Some(false)))
    }
}

/// A replica's reads of the ledger. The first one asks the database, since an old revision must
/// start at once; after that, on SQLite, the database is left to whoever holds the lock file.
pub(super) struct LedgerPoll<'a> {
    pub(super) gate: &'a Gate,
    /// How long it has waited for the holder or the release.
    pub(super) clock: WaitClock,
    /// The run that was last named in the log.
    pub(super) named: Option<String>,
    delay: DelayWait,
    pub(super) retry: ConnectRetry,
    pub(super) leases: LeaseWatch,
    /// What the replica waits for once the database answers, where no delay is left.
    phase: Phase,
    /// What it waits for at the moment.
    current: Phase,
}

impl<'a> LedgerPoll<'a> {
    pub(super) fn new(gate: &'a Gate, phase: Phase) -> Self {
        gate.log.timeline.enter(Phase::Database);
        Self {
            gate,
            clock: WaitClock::new(gate.limits.lock_timeout),
            named: None,
            delay: DelayWait::new(),
            leases: LeaseWatch::new(gate.target.lease),
            retry: ConnectRetry::new(&gate.limits, &gate.reference),
            current: phase.clone(),
            phase,
        }
    }

    /// The next read that the database answers.
    ///
    /// # Errors
    /// The database refuses, or it took too long; a signal.
    pub(super) async fn next(
        &mut self,
        link: &mut GateLink,
        mut early: Option<EarlyConnection>,
    ) -> Result<(Session, Ledger), Failure> {
        loop {
            let read = self.gate.read_once(link, &mut self.retry, early.take());
            match read.await? {
                Ok((session, mut ledger)) => {
                    self.leases.judge(&mut ledger, Moment::now());
                    self.gate.log.timeline.enter(self.current.clone());
                    return Ok((session, ledger));
                }
                Err(error) => self.wait_out(link, None, &error).await?,
            }
        }
    }

    /// Waits a little for a database that does not answer or, with `write_retry`, that can be read but
    /// refuses to start a run.
    ///
    /// # Errors
    /// It took too long; a signal.
    pub(super) async fn wait_out(
        &mut self,
        link: &mut GateLink,
        write_retry: Option<&mut ConnectRetry>,
        error: &Error,
    ) -> Result<(), Failure> {
        if self.gate.is_file_held() {
            return self.wait_for_holder(link, None).await;
        }
        let retry = write_retry.unwrap_or(&mut self.retry);
        self.gate.wait_out(link, retry, error).await
    }

    /// Waits for this replica's next read of the ledger or, on SQLite, of the lock file.
    ///
    /// # Errors
    /// It took too long; a signal.
    pub(super) async fn wait_for_holder(
        &mut self,
        link: &mut GateLink,
        holder: Option<&LedgerRow>,
    ) -> Result<(), Failure> {
        self.enter(self.phase.clone());
        loop {
            let pause = self.holder_pause(holder)?;
            link.unless_stopped("waiting for the lock", sleep(pause))
                .await?;
            if !self.gate.is_file_held() {
                return Ok(());
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.gate.log.timeline.enter(phase.clone());
        self.current = phase;
    }

    /// The pause before the next read, during a delay.
    fn delay_pause(&mut self, delay: RetryDelay) -> Duration {
        self.enter(Phase::Delay(Moment::now() + delay.remaining));
        let gate = self.gate;
        let end_it = || gate.reference.retry_command(gate.revision());
        let end_it = gate.is_counted().then(end_it);
        self.delay.go_on(&gate.log, delay, end_it.as_deref())
    }

    /// Waits for the next read while an attempt that failed delays the next one. That is no wait for a
    /// holder, so --lock-timeout does not limit it.
    ///
    /// # Errors
    /// A signal.
    pub(super) async fn wait_for_delay(
        &mut self,
        link: &mut GateLink,
        delay: RetryDelay,
    ) -> Result<(), Failure> {
        let began = Moment::now();
        let pause = self.delay_pause(delay);
        link.unless_stopped("waiting before the next attempt", sleep(pause))
            .await?;
        self.clock.leave_out(Moment::now().since(began));
        Ok(())
    }

    /// Waits for the next read, for a release that nobody is migrating as far as the ledger says,
    /// perhaps because of a `delay`.
    ///
    /// # Errors
    /// It took too long; a signal.
    pub(super) async fn wait_for_release(
        &mut self,
        link: &mut GateLink,
        delay: Option<RetryDelay>,
    ) -> Result<(), Failure> {
        if let Some(delay) = delay {
            let _ = self.delay_pause(delay);
        } else {
            self.enter(self.phase.clone());
        }
        if !self.gate.is_file_held() {
            let pause = self.release_pause()?;
            link.unless_stopped("waiting for the release", sleep(pause))
                .await?;
        }
        if self.gate.is_file_held() {
            self.wait_for_holder(link, None).await?;
        }
        Ok(())
    }
}
