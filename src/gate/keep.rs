//! Renewing the right to run while the steps run, and recording how they ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Gate, Held, Passed};
use crate::db::ledger::RunState;
use crate::db::{self, Error, Locked, RecordError};
use crate::exit::{Failure, Problem};
use crate::gate::decide;
use crate::gate::lease::{Lease, LeaseGuard};
use crate::gate::outcome;
use crate::gate::runtime::{GateLink, Progress, StepsRequest};
use crate::output::log::{Event, Field};
use crate::steps::{Outcome, RunIdentity, Verdict};
use crate::sys::clock::Moment;

impl Gate {
    /// Has the steps run, and renews lock and lease until they are through.
    pub(super) async fn keep(
        &self,
        locked: &mut Locked,
        lease: &Arc<Lease>,
        identity: &RunIdentity,
        link: &GateLink,
    ) -> Result<Outcome, Failure> {
        let (reply, mut outcome) = oneshot::channel();
        let (progress, mut steps) = mpsc::unbounded_channel();
        let inherit = locked
            .inheritable()
            .map(|fd| fd.try_clone_to_owned())
            .transpose();
        let guard = LeaseGuard {
            lease: Arc::clone(lease),
            inherit: inherit.map_err(|error| outcome::no_event(&error))?,
        };
        link.ask(StepsRequest {
            identity: identity.clone(),
            guard,
            progress,
            reply,
        });
        let mut next = Instant::now() + lease.due(Moment::now());
        // Which step runs, until the ledger was told.
        let mut news: Option<(String, String)> = None;
        loop {
            // The ledger is told by a renewal, not beside one: a step may lock the table at once,
            // and while a statement waits for that nothing else would confirm the lock.
            let told = tokio::select! {
                biased;
                ended = &mut outcome => return ended.map_err(|_| outcome::no_answer()),
                Some(Progress { step, command, told }) = steps.recv() => {
                    news = Some((step, command));
                    Some(told)
                }
                () = sleep_until(next) => None,
            };
            let asked = Moment::now();
            let step = news
                .as_ref()
                .map(|(step, command)| (step.as_str(), command.as_str()));
            let renewing = locked.renew(&identity.run_id, step, || lease.waits_for_row(true));
            let renewal = if self.gives_up_calls() {
                // A file that is busy keeps nobody who does not wait for it any more.
                tokio::select! {
                    biased;
                    ended = &mut outcome => return ended.map_err(|_| outcome::no_answer()),
                    renewal = renewing => renewal,
                }
            } else {
                renewing.await
            };
            drop(told);
            // From here on a file is the step's.
            news = news.filter(|_| !self.target.backend().single_writer());
            let pause = match (renewal.lock, renewal.lease) {
                (Ok(()), Ok(())) => {
                    lease.confirm(asked);
                    news = None;
                    lease.due(Moment::now())
                }
                (lock, row) => {
                    lease.waits_for_row(lock.is_ok() && matches!(row, Err(Error::Broken(_))));
                    self.note(lease, lock.err());
                    self.note(lease, row.err());
                    lease.interval() / 4
                }
            };
            next = Instant::now() + pause;
        }
    }

    /// A renewal that failed: lost for certain, or not known yet.
    fn note(&self, lease: &Lease, error: Option<Error>) {
        let message = match error {
            None => return,
            Some(Error::Lost(why)) => return lease.lose(why),
            // A file has no lease: all that is missing is which step runs.
            Some(_) if !self.target.backend().has_lease() => {
                "the ledger could not be told which step runs"
            }
            // It will not get better by asking again: a step dropped the ledger, say.
            Some(Error::Refused { what, .. }) => {
                return lease.lose(format!("the ledger can't be written: {what}"));
            }
            Some(_) => "the database did not confirm the lock, asking again",
        };
        if let Some(error) = error {
            self.log
                .say(Event::LeaseUnconfirmed, message, &[("error", &error)]);
        }
    }

    /// Records how the run ended, and gives the lock back.
    pub(super) async fn conclude(
        &self,
        mut locked: Locked,
        lease: &Lease,
        run_id: &str,
        mut ended: Outcome,
    ) -> Result<Held, Failure> {
        if let Verdict::Lost(failure) = &mut ended.verdict
            && lease.missed_row_alone()
        {
            *failure = outcome::table_locked(failure, &self.target);
        }
        let row = outcome::row(&ended, &self.target.url);
        let (failure, is_done) = match ended.verdict {
            Verdict::Done => (self.blocked_meanwhile(&mut locked, run_id).await, true),
            Verdict::Failed(failure) => (Some(failure), false),
            Verdict::Stopped { failure, done } => (Some(failure), done),
            Verdict::Lost(failure) => {
                drop(locked);
                self.finish_lost(run_id, &row).await;
                return Err(failure);
            }
        };
        let recorded = match lease.lost(Moment::now()) {
            Some(why) if is_done => Err(why),
            _ => match locked.record(run_id, &row).await {
                Ok(()) => Ok(()),
                Err(RecordError::NotRecorded(error)) => Err(error.to_string()),
                Err(RecordError::Unknown(error)) => {
                    self.find_out(lease, run_id, row.state, &error).await
                }
            },
        };
        match recorded {
            Ok(()) => {
                let fields: [Field<'_>; 2] = [("run", &run_id), ("state", &row.state)];
                self.log
                    .say(Event::RunRecorded, "recorded the run", &fields);
                failure.map_or(Ok(Held::Passed(Passed::Here)), Err)
            }
            Err(why) if is_done => {
                self.take_back(run_id, &why).await;
                Err(failure.unwrap_or_else(|| outcome::unrecorded(&why)))
            }
            Err(_) => {
                self.finish_lost(run_id, &row).await;
                Err(failure.unwrap_or_else(outcome::no_answer))
            }
        }
    }

    /// An operator may have blocked the revision while its steps ran: what they did is
    /// recorded, but the server must not start. No answer says nothing.
    async fn blocked_meanwhile(&self, locked: &mut Locked, run_id: &str) -> Option<Failure> {
        let revision = self.name.revision.as_deref()?;
        let ledger = locked.read_ledger(Some(revision)).await.ok()?;
        decide::blocked_meanwhile(&ledger, revision, run_id).map(|refusal| self.refuse(&refusal))
    }

    /// The answer to the commit did not come: a fresh connection tells, as long as nobody
    /// else can have taken the run over.
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
    async fn finish_lost(&self, run_id: &str, row: &db::ledger::RunOutcome) {
        match self.target.interrupt_own(run_id, row).await {
            Ok(true) => self.log.say(
                Event::RunRecorded,
                "recorded the run",
                &[("run", &run_id), ("state", &row.state)],
            ),
            Ok(false) => {}
            Err(error) => self.log.warn(
                Event::RunUnrecorded,
                &Problem::new(
                    format!("the run's end could not be recorded: {error}"),
                    "nothing to do: the next holder closes it after the lease",
                ),
                &[("run", &run_id)],
            ),
        }
    }

    /// Closes the row of a run that did not count.
    pub(super) async fn take_back(&self, run_id: &str, why: &str) {
        self.finish_lost(run_id, &outcome::interrupted(why)).await;
    }
}
