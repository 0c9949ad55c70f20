//! Renewing the right to run while the steps run, and recording how they ended.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Gate, LockOutcome, Passed};
use crate::db::ledger::{RunOutcome, RunState};
use crate::db::{DroppedLedger, Error, Locked, OnWait, RecordError, Recorded, Renewal};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::decide;
use crate::gate::error;
use crate::gate::lease::{Lease, LeasePermit};
use crate::gate::record;
use crate::gate::retry;
use crate::gate::runtime::{GateLink, Progress, StepsRequest};
use crate::gate::wait_clock::WaitClock;
use crate::output::log::{Event, Field};
use crate::steps::{RunIdentity, StepsOutcome, Verdict};
use crate::sys::clock::Moment;

/// How long the write of a run's end may still take after a stop that arrives while it waits.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// The same if the stop arrived while the steps ran: what they did is not on record yet.
const FIRST_WRITE: Duration = Duration::from_secs(10);

impl Gate {
    /// Has the steps run, and renews lock and lease until they have ended.
    pub(super) async fn keep(
        &self,
        locked: &mut Locked,
        lease: &Arc<Lease>,
        identity: &RunIdentity,
        link: &GateLink,
    ) -> Result<StepsOutcome, Failure> {
        let (reply, mut outcome) = oneshot::channel();
        let (progress, mut steps) = mpsc::unbounded_channel();
        link.ask(StepsRequest {
            identity: identity.clone(),
            permit: permit(locked, lease)?,
            progress,
            reply,
        });
        let mut next = Instant::now() + lease.due(Moment::now());
        // The step that runs, until the ledger has it.
        let mut unwritten: Option<(String, String)> = None;
        loop {
            // A renewal carries the step's name into the ledger, not a statement of its own: the
            // step may lock the table at once, and while a statement waited for that, nothing
            // else would confirm the lock.
            let announced = tokio::select! {
                biased;
                ended = &mut outcome => return ended.map_err(|_| error::no_answer()),
                Some(Progress { step, command, announced }) = steps.recv() => {
                    unwritten = Some((step, command));
                    Some(announced)
                }
                () = sleep_until(next) => None,
            };
            let asked = Moment::now();
            let step = unwritten
                .as_ref()
                .map(|(step, command)| (step.as_str(), command.as_str()));
            let renewing = locked.renew(&identity.run_id, step, || lease.waits_for_row(true));
            let renewal = if self.target.backend().driver().is_file {
                // The end of the steps must not wait for a busy file.
                tokio::select! {
                    biased;
                    ended = &mut outcome => return ended.map_err(|_| error::no_answer()),
                    renewal = renewing => renewal,
                }
            } else {
                renewing.await
            };
            drop(announced);
            // From here on a file belongs to the step.
            unwritten = unwritten.filter(|_| !self.target.backend().driver().is_file);
            if renewal.lock.is_ok() && renewal.lease.is_ok() {
                unwritten = None;
            }
            next = Instant::now() + self.after_renewal(lease, asked, renewal);
        }
    }

    /// Notes what a renewal found out; returns when the next one is due.
    fn after_renewal(&self, lease: &Lease, asked: Moment, renewal: Renewal) -> Duration {
        match (renewal.lock, renewal.lease) {
            (Ok(()), Ok(dropped)) => {
                self.log_dropped(dropped);
                lease.confirm(asked);
                lease.due(Moment::now())
            }
            (lock, row) => {
                lease.waits_for_row(lock.is_ok() && matches!(row, Err(Error::Broken(_))));
                self.note(lease, lock.err());
                self.note(lease, row.err());
                lease.interval() / 4
            }
        }
    }

    /// Notes a failed renewal: the lock is lost for certain, or that is not known yet.
    fn note(&self, lease: &Lease, error: Option<Error>) {
        let message = match error {
            None => return,
            Some(Error::Lost(why)) => return lease.lose(why),
            // A file has no lease: all that is missing is the step's name.
            Some(_) if !self.target.backend().driver().has_lease => {
                "could not write to the ledger which step is running"
            }
            // Asking again will not help: a step revoked a privilege, say.
            Some(Error::Refused { what, .. }) => {
                return lease.lose(format!("can't write to the ledger: {what}"));
            }
            Some(_) => "the database did not confirm the lock, retrying",
        };
        if let Some(error) = error {
            self.log
                .say(Event::LeaseUnconfirmed, message, &[("error", &error)]);
        }
    }

    fn log_dropped(&self, dropped: Option<DroppedLedger>) {
        let what = match dropped {
            None => return,
            Some(DroppedLedger::Recreated(table)) => {
                format!("a step dropped the ledger: recreated it, table {table}")
            }
            Some(DroppedLedger::CreatedAfterSteps) => {
                "a step dropped the ledger: it is recreated after the steps".to_owned()
            }
        };
        let hint = if self.target.backend().driver().is_file {
            "to keep the rows of earlier runs, make the steps leave the table launchgate_runs alone"
        } else {
            "to keep the rows of earlier runs, put the ledger where no step drops it: --ledger NAME"
        };
        self.log
            .warn(Event::LedgerDropped, &Problem::new(what, hint), &[]);
    }

    /// Records how the run ended, and gives the lock back. A failure comes with whether its attempt is in
    /// the ledger.
    pub(super) async fn conclude(
        &self,
        locked: Locked,
        lease: &Lease,
        run_id: &str,
        mut ended: StepsOutcome,
        link: &mut GateLink,
    ) -> Result<LockOutcome, (Failure, bool)> {
        if let Verdict::Lost(failure) = &mut ended.verdict
            && lease.missed_row_alone()
        {
            let lost = failure.problem().what();
            *failure = Failure::because(
                FailureKind::LockLost,
                format!(
                    "{lost}: the lock's connection still responds, but the table launchgate_runs can't be \
                     written; most likely a step has locked it"
                ),
                (self.target.backend().driver().locked_table_hint)(&self.target.url),
            );
        }
        // The password file may have been replaced since the start.
        let url = self.target.url_with_current_secrets();
        self.log.hide(|secrets| secrets.add_all(url.secrets()));
        let row = record::row(&ended, &self.log.secrets());
        let lock_id = locked.lock_id().to_owned();
        // A lost lock goes first: whoever has it now does not wait for this.
        let mut locked = Some(locked).filter(|_| !matches!(ended.verdict, Verdict::Lost(_)));
        self.end_stopped(locked.as_mut(), &lock_id, run_id, &mut ended)
            .await;
        let patience = match ended.verdict {
            Verdict::Stopped { .. } => FIRST_WRITE,
            _ => LAST_WRITE,
        };
        let failure = ended.verdict.into_failure();
        let Some(locked) = locked else {
            self.record_lost(run_id, &row).await;
            return Err((failure.unwrap_or_else(error::no_answer), true));
        };
        match self
            .record_unless_stopped(locked, lease, run_id, &row, link, patience)
            .await
        {
            Ok((recorded, refusal)) => match failure.or(refusal) {
                None => Ok(LockOutcome::Passed(Passed::Here)),
                Some(failure) => Err((failure, recorded == Recorded::Written)),
            },
            Err(why) => {
                let unrecorded = || {
                    Failure::because(
                        FailureKind::LockLost,
                        format!(
                            "the steps succeeded, but the result could not be recorded under the lock: {why}"
                        ),
                        "start again: the steps will run again",
                    )
                };
                Err((failure.unwrap_or_else(unrecorded), true))
            }
        }
    }

    /// Writes the run's end. A stop ends the wait for a file that is busy or full, after `patience`.
    async fn record_unless_stopped(
        &self,
        locked: Locked,
        lease: &Lease,
        run_id: &str,
        row: &RunOutcome,
        link: &mut GateLink,
        patience: Duration,
    ) -> Result<(Recorded, Option<Failure>), String> {
        let (mut clock, mut why) = (WaitClock::new(None), None);
        let mut on_wait = |error: &Error| {
            let _ = clock.go_on(|waited| retry::log_waiting(&self.log, waited, error));
            why = Some(error.to_string());
        };
        let given_up = async {
            link.stopped().await;
            sleep(patience).await;
        };
        tokio::select! {
            biased;
            recorded = self.record(locked, lease, run_id, row, &mut on_wait) => return recorded,
            () = given_up, if self.target.backend().driver().is_file => {}
        }
        let why = why.unwrap_or_else(|| "the database did not answer".to_owned());
        self.warn_unrecorded(run_id, &why);
        Err(why)
    }

    /// Writes the run's end under the lock, unless a success would come from a lost lock. Returns the
    /// refusal of a revision that was blocked meanwhile, too.
    async fn record(
        &self,
        mut locked: Locked,
        lease: &Lease,
        run_id: &str,
        row: &RunOutcome,
        on_wait: OnWait<'_>,
    ) -> Result<(Recorded, Option<Failure>), String> {
        let is_done = row.state == RunState::Succeeded;
        // If this fails, recording the run will fail too, and say why.
        if let Ok(dropped) = locked.keep_row(run_id).await {
            self.log_dropped(dropped);
        }
        let refusal = if is_done {
            self.blocked_meanwhile(&mut locked, run_id).await
        } else {
            None
        };
        let lost = lease.lost(Moment::now()).filter(|_| is_done);
        let recorded = match lost {
            Some(why) => Err(why),
            None => match locked.record(run_id, row, on_wait).await {
                Ok(recorded) => Ok(recorded),
                Err(RecordError::NotRecorded(error)) => Err(error.to_string()),
                Err(RecordError::Unknown(error)) => {
                    let written = self.find_out(lease, run_id, row.state, &error).await;
                    written.map(|()| Recorded::Written)
                }
            },
        };
        match &recorded {
            Ok(recorded) => self.log_recorded(*recorded, run_id, row.state),
            Err(why) if is_done => self.take_back(run_id, why).await,
            Err(_) => self.record_lost(run_id, row).await,
        }
        recorded.map(|recorded| (recorded, refusal))
    }

    fn log_recorded(&self, recorded: Recorded, run_id: &str, state: RunState) {
        let (event, message) = match recorded {
            Recorded::Written => (Event::RunRecorded, "recorded the run"),
            Recorded::NoDatabase => (
                Event::RunNotCounted,
                "the steps left no database file: this attempt is neither recorded nor counted",
            ),
        };
        let fields: [Field<'_>; 2] = [("run", &run_id), ("state", &state)];
        self.log.say(event, message, &fields);
    }

    /// An operator may have blocked the revision while its steps ran: their success is recorded,
    /// but the server must not start. A database that does not answer blocks nothing.
    async fn blocked_meanwhile(&self, locked: &mut Locked, run_id: &str) -> Option<Failure> {
        let revision = self.revision.revision.as_deref()?;
        let ledger = locked.read_ledger(Some(revision)).await.ok()?;
        decide::blocked_meanwhile(&ledger, revision, run_id).map(|refusal| self.refuse(&refusal))
    }

    /// The answer to the commit did not come: asks on a fresh connection, as long as no other
    /// replica can have taken over.
    async fn find_out(
        &self,
        lease: &Lease,
        run_id: &str,
        wanted: RunState,
        error: &Error,
    ) -> Result<(), String> {
        loop {
            match self.target.run_state(run_id).await {
                Ok(Some(state)) if state == wanted => return Ok(()),
                Ok(_) => return Err(error.to_string()),
                Err(_) if lease.lost(Moment::now()).is_some() => return Err(error.to_string()),
                Err(_) => sleep(Duration::from_millis(300)).await,
            }
        }
    }

    /// Closes the row of a run that lost its lock; its step is gone by now.
    async fn record_lost(&self, run_id: &str, row: &RunOutcome) {
        match self.target.interrupt_own(run_id, row).await {
            Ok(true) => self.log_recorded(Recorded::Written, run_id, row.state),
            Ok(false) => {}
            Err(error) => self.warn_unrecorded(run_id, &error),
        }
    }

    fn warn_unrecorded(&self, run_id: &str, why: &dyn Display) {
        let problem = Problem::new(
            format!("could not record the end of the run: {why}"),
            "nothing to fix: the next holder will close this run's row once the lease expires",
        );
        self.log
            .warn(Event::RunUnrecorded, &problem, &[("run", &run_id)]);
    }

    /// Closes the row of a run that did not count.
    pub(super) async fn take_back(&self, run_id: &str, why: &str) {
        self.record_lost(run_id, &record::interrupted(why)).await;
    }
}

/// The lease as the permit of the steps, with the lock file that they inherit, if there is one.
fn permit(locked: &Locked, lease: &Arc<Lease>) -> Result<LeasePermit, Failure> {
    let inherit = locked.inheritable().map(|fd| fd.try_clone_to_owned());
    Ok(LeasePermit {
        lease: Arc::clone(lease),
        inherit: inherit
            .transpose()
            .map_err(|error| error::no_descriptor(&error))?,
    })
}
