//! With the lock held: read the ledger again, prove that the lock excludes, wait for what an
//! earlier run left, append the row, and have the steps run.

use std::time::Duration;

use super::{Gate, HoldError, LockOutcome};
use crate::db::ledger::{LedgerRow, NewRun};
use crate::db::{Appended, Error, LedgerCreation, Locked, Proof};
use crate::exit::Problem;
use crate::gate::decide::{self, Decision};
use crate::gate::error;
use crate::gate::lease::Lease;
use crate::gate::lease_watch::LeaseWatch;
use crate::gate::own_tries::counted;
use crate::gate::runtime::GateLink;
use crate::output::log::{Event, Field};
use crate::output::timeline::Phase;
use crate::steps::{self, RunIdentity, Verdict};
use crate::sys::clock::Moment;

impl Gate {
    /// With the lock held: reads the ledger again, prepares, and runs the steps.
    pub(super) async fn hold(
        &self,
        mut locked: Locked,
        asked: Moment,
        link: &mut GateLink,
        leases: &mut LeaseWatch,
    ) -> Result<LockOutcome, HoldError> {
        let look = locked.read_ledger(self.revision.revision.as_deref());
        let mut ledger = self.call(link, Box::pin(look)).await?;
        leases.judge(&mut ledger, Moment::now());
        let (attempt, dead) = match self.due(&ledger, None) {
            Ok(run) => run,
            Err(outcome) => {
                locked.release().await;
                return Ok(outcome);
            }
        };
        self.log.timeline.enter(Phase::Preparing);
        self.prove(&mut locked).await?;
        let dead_runs: Vec<String> = dead.iter().map(|row| row.run_id.clone()).collect();
        if let Err(error) = self.fence(&mut locked, &dead_runs, link).await {
            locked.release().await;
            return Err(error);
        }
        self.close_dead(&mut locked, &dead, &dead_runs, link)
            .await?;
        let creation = self.call(link, Box::pin(locked.create_ledger())).await?;
        self.log_creation(creation);
        let revision = self.revision.revision.as_deref();
        let failed = revision.map(|revision| decide::failures(&ledger, revision));
        self.run(locked, attempt, failed, &dead_runs, asked, link)
            .await
    }

    fn log_creation(&self, creation: LedgerCreation) {
        match creation {
            LedgerCreation::Existed | LedgerCreation::AfterSteps => {}
            LedgerCreation::Created { table, in_the_way } => {
                self.log.say(
                    Event::LedgerCreated,
                    &format!("created the ledger (table {table})"),
                    &[],
                );
                if let Some((why, hint)) = in_the_way {
                    let what = format!(
                        "the ledger is next to the app's tables, where tools that want an empty schema find it: {why}"
                    );
                    self.log
                        .warn(Event::LedgerInTheWay, &Problem::new(what, hint), &[]);
                }
            }
            LedgerCreation::Upgraded => self.log.say(
                Event::LedgerUpgraded,
                "added the unique key to the ledger that allows one running row per app, and its indexes",
                &[],
            ),
            LedgerCreation::Outdated { why, add } => self.log.warn(
                Event::LedgerOutdated,
                &Problem::new(
                    format!(
                        "the ledger lacks the unique key that allows one running row per app, or its indexes: {why}"
                    ),
                    format!("run this as the table's owner: {add}"),
                ),
                &[],
            ),
        }
    }

    async fn prove(&self, locked: &mut Locked) -> Result<(), HoldError> {
        if let Some(cluster) = locked.cluster() {
            self.log.say(
                Event::LockPerNode,
                "the lock excludes replicas on this node only; the ledger's unique key keeps out those on other nodes",
                &[("cluster", &cluster)],
            );
        }
        if let Proof::Unproven(why) = locked.prove().await? {
            self.log.warn(
                Event::LockUnproven,
                &Problem::new(
                    format!(
                        "could not verify with a second connection that the lock is exclusive: {why}"
                    ),
                    "make sure that two connections are available while this app migrates",
                ),
                &[],
            );
        }
        Ok(())
    }

    /// A call under the lock; a signal ends it where that is safe, since a file can be busy for
    /// long. Boxed, because the future of `hold` would otherwise hold it several times.
    async fn call<T>(
        &self,
        link: &mut GateLink,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, HoldError> {
        if self.target.backend().driver().is_file {
            Ok(link
                .unless_stopped("calling the database under the lock", call)
                .await??)
        } else {
            Ok(call.await?)
        }
    }

    async fn close_dead(
        &self,
        locked: &mut Locked,
        dead: &[LedgerRow],
        runs: &[String],
        link: &mut GateLink,
    ) -> Result<(), HoldError> {
        if dead.is_empty() {
            return Ok(());
        }
        let note = "the holder died, or lost the lock and could not record that";
        self.call(link, Box::pin(locked.interrupt(runs, note)))
            .await?;
        for row in dead {
            let seconds = row.age_ms / 1000;
            self.log.say(
                Event::RunInterrupted,
                "an earlier run died before it finished; running its steps again",
                &[
                    ("run", &row.run_id),
                    ("holder", &row.holder),
                    ("age", &format!("{seconds}s")),
                ],
            );
        }
        Ok(())
    }

    /// Appends the row, confirms the lock, and only then has the steps run.
    async fn run(
        &self,
        mut locked: Locked,
        attempt: i32,
        failed: Option<usize>,
        dead: &[String],
        asked: Moment,
        link: &mut GateLink,
    ) -> Result<LockOutcome, HoldError> {
        let run_id = steps::new_run_id()?;
        let appended = Moment::now();
        let new = self.new_run(&run_id, attempt);
        if self.call(link, Box::pin(locked.append(&new))).await? == Appended::Busy {
            locked.release().await;
            return Ok(LockOutcome::Busy(None));
        }
        let due = match self.is_still_due(&mut locked, &run_id).await {
            Ok(true) => self.look_again(&mut locked, dead).await.map(|()| true),
            other => other,
        };
        match due {
            Ok(true) => {}
            Ok(false) => {
                self.take_back(&run_id, "another run came first").await;
                locked.release().await;
                return Ok(LockOutcome::Busy(None));
            }
            Err(error) => {
                drop(locked);
                self.take_back(&run_id, &error.to_string()).await;
                return Err(error.into());
            }
        }
        let fields: [Field<'_>; 2] = [("attempt", &attempt), ("run", &run_id)];
        self.log.say(
            Event::LockTaken,
            "this replica holds the lock, running the steps",
            &fields,
        );
        let length = if self.target.backend().driver().has_lease {
            self.target.lease
        } else {
            // The kernel keeps the lock as long as the step lives. But its file may be removed.
            Duration::from_secs(u32::MAX.into())
        };
        let lease = Lease::new(length, self.target.lease / 6, asked.max(appended));
        let lease = lease.map_err(|error| error::no_descriptor(&error))?;
        let identity = self.identity(&locked, &run_id, attempt);
        let outcome = self.keep(&mut locked, &lease, &identity, link).await?;
        let has_failed = matches!(outcome.verdict, Verdict::Failed(_));
        let concluded = self.conclude(locked, &lease, &run_id, outcome, link).await;
        match (concluded, failed) {
            (Err((failure, true)), Some(earlier)) if has_failed => {
                let end_it = self.reference.retry_command(self.revision());
                let number = earlier + 1;
                let failure = counted(failure, number, self.attempts(), Some(&end_it));
                Ok(LockOutcome::StepFailed(failure))
            }
            (Err((failure, _)), _) if has_failed => Ok(LockOutcome::StepFailed(failure)),
            (concluded, _) => concluded.map_err(|(failure, _)| HoldError::Final(failure)),
        }
    }

    /// Reads the ledger once more, then proves that the lock is still held. Where locks are local to a
    /// node, a holder on another node may have finished this revision since the ledger was read; from
    /// now on this run's row keeps every other holder out.
    async fn is_still_due(&self, locked: &mut Locked, run_id: &str) -> Result<bool, Error> {
        let revision = self.revision.revision.as_deref();
        let ledger = locked.read_ledger(revision).await?.without(run_id);
        locked.confirm().await?;
        Ok(matches!(self.decision(&ledger), Decision::Run { .. }))
    }

    fn new_run(&self, run_id: &str, attempt: i32) -> NewRun {
        NewRun {
            revision: self.revision.revision.clone().unwrap_or_default(),
            release_id: self.revision.release.clone(),
            release_source: self.revision.source.clone(),
            run_id: run_id.to_owned(),
            attempt,
            holder: self.holder.clone(),
        }
    }

    fn identity(&self, locked: &Locked, run_id: &str, attempt: i32) -> RunIdentity {
        RunIdentity {
            app: self.target.app.clone(),
            release: self.revision.release.clone().unwrap_or_default(),
            revision: self.revision.revision.clone().unwrap_or_default(),
            run_id: run_id.to_owned(),
            attempt,
            session_name: locked.session_name(run_id),
        }
    }
}
