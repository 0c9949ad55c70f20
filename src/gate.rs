//! The gate: everything that happens before the server starts. Reads like section 5 of the
//! contract: wait for the database, read the ledger, lock, read it again, run, record.
//!
//! Invariant: it opens only once the ledger says that the revision succeeded. No SQL and no system
//! calls here; those are in `db` and `sys`.

pub mod backoff;
mod current_wait;
pub mod decide;
pub mod delay_wait;
mod error;
mod hold;
mod holder_wait;
mod keep;
pub mod lease;
pub mod lease_watch;
mod orphans;
mod own_tries;
mod poll;
mod record;
mod rehearse;
pub mod retry;
pub mod runtime;
mod serve;
mod wait_clock;

pub use error::{call_failed, refused, revision_refused};
pub use serve::{pass_alone, pass_together};

use crate::db::ledger::{Ledger, LedgerRow, RunState};
use crate::db::{Error, Session, Target};
use crate::exit::Failure;
use crate::gate::decide::{Attempts, Decision, RetryDelay, RevisionRefusal, decide};
use crate::gate::error::HoldError;
use crate::gate::lease_watch::LeaseWatch;
use crate::gate::own_tries::OwnTries;
use crate::gate::poll::LedgerPoll;
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime::{GateLink, Meanwhile};
use crate::output::log::{Event, Log};
use crate::output::timeline::Phase;
use crate::plan::gate_plan::{GatePlan, Limits};
use crate::plan::ledger_reference::LedgerReference;
use crate::plan::revision::{RevisionFiles, RevisionInfo};
use crate::sys::clock::Moment;

/// The engine that carries out a [`GatePlan`].
pub struct Gate {
    target: Target,
    reference: LedgerReference,
    revision: RevisionInfo,
    /// The files that are the revision, until they have been read.
    unread: Option<RevisionFiles>,
    limits: Limits,
    holder: String,
    log: Log,
}

/// A connection that is being made while the revision's files are read.
type EarlyConnection = Meanwhile<Result<Session, Error>>;

/// How the gate opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Another run did the work.
    Already,
    /// This replica ran the steps.
    Here,
}

/// What came of a look at the ledger or, if there was something to run, of trying to lock and run.
enum LockOutcome {
    /// The gate is open.
    Passed(Passed),
    /// Another replica holds the lock; its row, where the ledger has one.
    Busy(Option<Box<LedgerRow>>),
    /// An attempt failed, and the next one may not begin yet.
    Delayed(RetryDelay),
    /// This revision must not start.
    Refused(RevisionRefusal),
    /// A step failed.
    StepFailed(Failure),
}

impl Gate {
    /// The engine for this plan.
    #[must_use]
    pub fn new(plan: GatePlan, log: Log) -> Self {
        let GatePlan {
            target,
            reference,
            revision,
            unread,
            limits,
            holder,
        } = plan;
        Self {
            target,
            reference,
            revision,
            unread,
            limits,
            holder,
            log,
        }
    }

    /// Passes the gate: returns once the revision is recorded as succeeded, by this replica
    /// or another.
    ///
    /// # Errors
    /// Everything that keeps a gate closed.
    pub async fn pass(mut self, mut link: GateLink) -> Result<Passed, Failure> {
        let mut early = self.find_revision(&mut link).await?;
        let mut poll = LedgerPoll::new(&self, Phase::Lock);
        let mut tries = OwnTries::new(self.limits.retries, self.attempts());
        // A database that accepts connections may still refuse to write: its disk may be full.
        let mut write_retry = ConnectRetry::under_lock(&self.limits, &self.reference);
        loop {
            let (session, ledger) = poll.next(&mut link, early.take()).await?;
            // No ledger counts the attempts of what has no revision.
            let own_delay = tries.delay().filter(|_| !self.is_counted());
            let outcome = match self.due(&ledger, own_delay) {
                Ok(_) => {
                    let locking = self.lock(session, &mut link, &mut poll.leases);
                    match locking.await {
                        Ok(outcome) => outcome,
                        Err(HoldError::Final(failure)) => return Err(failure),
                        Err(HoldError::StartOver(error)) => {
                            let retry = Some(&mut write_retry);
                            poll.wait_out(&mut link, retry, &error).await?;
                            continue;
                        }
                    }
                }
                Err(outcome) => {
                    session.close().await;
                    outcome
                }
            };
            write_retry.served(&self.log);
            match outcome {
                LockOutcome::Passed(passed) => return Ok(passed),
                LockOutcome::Busy(row) => poll.wait_for_holder(&mut link, row.as_deref()).await?,
                LockOutcome::Delayed(delay) => poll.wait_for_delay(&mut link, delay).await?,
                LockOutcome::StepFailed(failure) => {
                    tries.again(failure, &self.log)?;
                    poll = LedgerPoll::new(&self, Phase::Lock);
                }
                LockOutcome::Refused(refusal) => {
                    let is_exhausted = matches!(refusal, RevisionRefusal::Exhausted { .. });
                    let own = tries.last().filter(|_| is_exhausted);
                    return Err(own.unwrap_or_else(|| self.refuse(&refusal)));
                }
            }
        }
    }

    /// The number of the attempt that is due, and the rows of dead holders; otherwise what the ledger
    /// means instead. `own_delay` is one that no ledger knows.
    fn due(
        &self,
        ledger: &Ledger,
        own_delay: Option<RetryDelay>,
    ) -> Result<(i32, Vec<LedgerRow>), LockOutcome> {
        Err(match self.decision(ledger) {
            Decision::Run { attempt, dead } => match own_delay {
                None => return Ok((attempt, dead)),
                Some(delay) => LockOutcome::Delayed(delay),
            },
            Decision::Start => {
                self.log_up_to_date(ledger);
                LockOutcome::Passed(Passed::Already)
            }
            Decision::Wait(row) => LockOutcome::Busy(Some(row)),
            Decision::Delay(delay) => LockOutcome::Delayed(delay),
            Decision::Refuse(refusal) => LockOutcome::Refused(refusal),
        })
    }

    /// Waits until the ledger says that the revision succeeded. Reads only.
    ///
    /// # Errors
    /// The revision is refused, or it took too long; a signal.
    pub async fn wait_for_success(mut self, mut link: GateLink) -> Result<(), Failure> {
        let mut early = self.find_revision(&mut link).await?;
        let mut poll = LedgerPoll::new(&self, Phase::Release);
        loop {
            let (session, ledger) = poll.next(&mut link, early.take()).await?;
            session.close().await;
            match self.decision(&ledger) {
                Decision::Start => return Ok(()),
                Decision::Refuse(refusal) => return Err(self.refuse(&refusal)),
                Decision::Wait(entry) => poll.wait_for_holder(&mut link, Some(&entry)).await?,
                Decision::Run { .. } => poll.wait_for_release(&mut link, None).await?,
                Decision::Delay(delay) => poll.wait_for_release(&mut link, Some(delay)).await?,
            }
        }
    }

    /// Reads the files that are the revision, if any, and connects meanwhile: most starts have
    /// nothing else to do, and each takes milliseconds.
    async fn find_revision(
        &mut self,
        link: &mut GateLink,
    ) -> Result<Option<EarlyConnection>, Failure> {
        let Some(reading) = self.unread.take() else {
            return Ok(None);
        };
        if reading.is_quick() {
            self.revision.revision = Some(reading.read(&self.log)?);
            return Ok(None);
        }
        let target = self.target.clone();
        let early = runtime::meanwhile(async move { target.connect_early().await });
        let log = self.log.clone();
        let read = runtime::on_a_thread(move || reading.read(&log));
        self.revision.revision = Some(link.unless_stopped("reading files", read).await??);
        Ok(Some(early))
    }

    /// What the ledger means for this revision.
    #[must_use]
    pub fn decision(&self, ledger: &Ledger) -> Decision {
        self.decision_about(ledger, self.revision.revision.as_deref())
    }

    /// What the ledger means for a revision.
    #[must_use]
    pub fn decision_about(&self, ledger: &Ledger, revision: Option<&str>) -> Decision {
        decide(ledger, revision, self.attempts())
    }

    fn attempts(&self) -> Attempts {
        Attempts {
            max: self.limits.max_attempts,
            delay: self.limits.retry_delay,
        }
    }

    /// The revision, empty if there is none.
    fn revision(&self) -> &str {
        self.revision.revision.as_deref().unwrap_or_default()
    }

    /// Whether the ledger counts the attempts.
    fn is_counted(&self) -> bool {
        self.revision.revision.is_some()
    }

    fn refuse(&self, refusal: &RevisionRefusal) -> Failure {
        revision_refused(&self.target, &self.reference, self.revision(), refusal)
    }

    fn log_up_to_date(&self, ledger: &Ledger) {
        let mut rows = ledger.rows().iter();
        let run = rows.find(|row| row.state == Some(RunState::Succeeded));
        let none = String::new();
        let (by, run) = run.map_or((&none, &none), |row| (&row.holder, &row.run_id));
        self.log.say(
            Event::GateUpToDate,
            "the revision has already succeeded, skipping the steps",
            &[("by", by), ("run", run)],
        );
    }

    /// Tries to take the lock and, with it, does whatever is left to do.
    async fn lock(
        &self,
        session: Session,
        link: &mut GateLink,
        leases: &mut LeaseWatch,
    ) -> Result<LockOutcome, HoldError> {
        let asked = Moment::now();
        let locking = link.unless_stopped("waiting for the lock", session.try_lock());
        match locking.await?? {
            None => Ok(LockOutcome::Busy(None)),
            Some(locked) => self.hold(locked, asked, link, leases).await,
        }
    }
}
