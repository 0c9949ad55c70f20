//! With the lock in hand: look again, prove that it excludes, wait for what an earlier run
//! left, append the row, and have the steps run.

use std::time::Duration;

use tokio::time::sleep;

use super::{Gate, Held, Passed, Trouble};
use crate::db::ledger::{Ledger, LedgerRow, NewRun, Orphan};
use crate::db::{Error, Locked, Proof};
use crate::exit::Problem;
use crate::gate::decide::Decision;
use crate::gate::lease::Lease;
use crate::gate::outcome;
use crate::gate::retry;
use crate::gate::runtime::GateLink;
use crate::output::log::{Event, Field};
use crate::output::timeline::Phase;
use crate::steps::RunIdentity;
use crate::sys::clock::Moment;
use crate::sys::step::PROGRESS_INTERVAL;

/// How long the server may take to end a session that it was told to end.
const GOING: Duration = Duration::from_secs(2);

impl Gate {
    /// With the lock in hand: look again, prove that it excludes, wait for what an earlier
    /// run left, and run.
    pub(super) async fn hold(
        &self,
        mut locked: Locked,
        asked: Moment,
        link: &mut GateLink,
    ) -> Result<Held, Trouble> {
        let look = locked.read_ledger(self.name.revision.as_deref());
        let ledger = self.call(link, Box::pin(look)).await?;
        let (attempt, dead) = match self.decide(&ledger) {
            Ok(Decision::Run { attempt, dead }) => (attempt, dead),
            Ok(Decision::Start) => {
                locked.release().await;
                self.say_up_to_date(&ledger);
                return Ok(Held::Passed(Passed::Already));
            }
            Ok(Decision::Wait(entry)) => {
                locked.release().await;
                return Ok(Held::Again(Some(*entry)));
            }
            Ok(Decision::Refuse(refusal)) => {
                locked.release().await;
                return Err(self.refuse(&refusal).into());
            }
            Err(failure) => {
                locked.release().await;
                return Err(failure.into());
            }
        };
        self.log.timeline().enter(Phase::Preparing);
        match locked.prove().await? {
            Proof::Proven => {}
            Proof::Unproven(why) => self.log.warn(
                Event::LockUnproven,
                &Problem::new(
                    format!("no second connection proves that the lock excludes: {why}"),
                    "leave this app two connections while it migrates",
                ),
                &[],
            ),
        }
        if let Err(trouble) = self.sit_out_orphans(&mut locked, &dead, link).await {
            locked.release().await;
            return Err(trouble);
        }
        self.close_dead(&mut locked, &dead, link).await?;
        self.call(link, Box::pin(locked.create_ledger())).await?;
        if matches!(ledger, Ledger::Missing) {
            self.log.say(
                Event::LedgerCreated,
                "created the ledger, table launchgate_runs",
                &[],
            );
        }
        self.run(locked, attempt, asked, link).await
    }

    /// Whether a call under the lock may be dropped before it ended: in a file, what is written
    /// after all belongs to a run whose lock is free, which the next holder takes for dead. A
    /// server's connection is of no use after that, and what became of the call is unknown.
    pub(super) fn gives_up_calls(&self) -> bool {
        self.target.backend().may_drop_calls()
    }

    /// A call under the lock, ended by a signal where it may be: a file can be busy for long.
    /// It comes in a box, since the future of all this would hold it more than once.
    async fn call<T>(
        &self,
        link: &mut GateLink,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Trouble> {
        if self.gives_up_calls() {
            Ok(link
                .unless_stopped("a call of the database under the lock", call)
                .await??)
        } else {
            Ok(call.await?)
        }
    }

    async fn close_dead(
        &self,
        locked: &mut Locked,
        dead: &[LedgerRow],
        link: &mut GateLink,
    ) -> Result<(), Trouble> {
        if dead.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = dead.iter().map(|row| row.run_id.clone()).collect();
        let note = "its holder died, or lost the lock and could not say so";
        self.call(link, Box::pin(locked.interrupt(&ids, note)))
            .await?;
        for row in dead {
            let seconds = row.age_ms / 1000;
            self.log.say(
                Event::RunInterrupted,
                "an earlier run died in the middle; what it left undone is run again",
                &[
                    ("run", &row.run_id),
                    ("holder", &row.holder),
                    ("age", &format!("{seconds}s")),
                ],
            );
        }
        Ok(())
    }

    /// A statement outlives its client: waits until no session of an earlier run is at work. What
    /// is idle in a transaction is not at work, but it may be about to go on.
    async fn sit_out_orphans(
        &self,
        locked: &mut Locked,
        dead: &[LedgerRow],
        link: &mut GateLink,
    ) -> Result<(), Trouble> {
        let began = Moment::now();
        let mut said: Option<Moment> = None;
        let mut ended: Option<Moment> = None;
        loop {
            let mut orphans = locked.orphans().await?;
            if orphans.is_empty() {
                return Ok(());
            }
            let waited = Moment::now().since(began);
            let limit = self.policy.orphan_timeout.unwrap_or(Duration::MAX);
            let mut pause = retry::pause(waited).min(limit.saturating_sub(waited));
            if waited >= limit {
                if ended.is_none() && self.end_idle(locked, dead).await? {
                    ended = Some(Moment::now());
                    orphans = locked.orphans().await?;
                }
                let is_going = ended.is_some_and(|ended| Moment::now().since(ended) < GOING);
                if !is_going {
                    return self.judge(&orphans, waited);
                }
                pause = GOING / 10;
            }
            if said.is_none_or(|said| Moment::now().since(said) >= PROGRESS_INTERVAL) {
                said = Some(Moment::now());
                let list = outcome::list_orphans(&orphans);
                let message = "waiting for database sessions that an earlier run left at work";
                let fields: [Field<'_>; 2] = [("seconds", &waited.as_secs()), ("sessions", &list)];
                self.log.say(Event::OrphansWaiting, message, &fields);
            }
            locked.confirm().await?;
            let pause = pause.min(self.target.lease / 6);
            link.unless_stopped("the wait for orphaned sessions", sleep(pause))
                .await?;
        }
    }

    /// Ends what dead runs left idle in a transaction; whether there was any.
    async fn end_idle(&self, locked: &mut Locked, dead: &[LedgerRow]) -> Result<bool, Trouble> {
        let ids: Vec<String> = dead.iter().map(|row| row.run_id.clone()).collect();
        let count = locked.end_idle_orphans(&ids).await?;
        if count > 0 {
            let message = "ended sessions that a dead run left idle in a transaction";
            self.log
                .say(Event::OrphansEnded, message, &[("sessions", &count)]);
        }
        Ok(count > 0)
    }

    /// The time is up: what is at work keeps the gate closed, what is idle does not.
    fn judge(&self, orphans: &[Orphan], waited: Duration) -> Result<(), Trouble> {
        let list = outcome::list_orphans(orphans);
        if !orphans.iter().all(Orphan::is_idle) {
            return Err(outcome::orphans_remain(&list, waited).into());
        }
        if !orphans.is_empty() {
            self.log
                .warn(Event::OrphansLeft, &outcome::idle_orphans(&list), &[]);
        }
        Ok(())
    }

    /// Appends the row, confirms the lock, and only then has the first step started.
    async fn run(
        &self,
        mut locked: Locked,
        attempt: i32,
        asked: Moment,
        link: &mut GateLink,
    ) -> Result<Held, Trouble> {
        let run_id = outcome::run_id()?;
        let beaten = Moment::now();
        let new = self.new_run(&run_id, attempt);
        self.call(link, Box::pin(locked.append(&new))).await?;
        if let Err(error) = locked.confirm().await {
            drop(locked);
            self.take_back(&run_id, &error.to_string()).await;
            return Err(error.into());
        }
        self.log.timeline().attempt(attempt);
        let fields: [Field<'_>; 2] = [("attempt", &attempt), ("run", &run_id)];
        self.log.say(
            Event::LockTaken,
            "this replica holds the lock and runs the steps",
            &fields,
        );
        let confirmed = asked.max(beaten);
        let lease = if self.target.backend().has_lease() {
            Lease::new(self.target.lease, confirmed)
        } else {
            // The kernel keeps the lock as long as the step lives. But its file may be removed.
            Lease::endless(self.target.lease / 6, confirmed)
        }
        .map_err(|error| outcome::no_event(&error))?;
        let identity = self.identity(&locked, &run_id, attempt);
        let outcome = self.keep(&mut locked, &lease, &identity, link).await?;
        self.conclude(locked, &lease, &run_id, outcome)
            .await
            .map_err(Trouble::Final)
    }

    fn new_run(&self, run_id: &str, attempt: i32) -> NewRun {
        NewRun {
            revision: self.name.revision.clone().unwrap_or_default(),
            release_id: self.name.release.clone(),
            release_source: self.name.source.clone(),
            run_id: run_id.to_owned(),
            attempt,
            holder: self.holder.clone(),
        }
    }

    fn identity(&self, locked: &Locked, run_id: &str, attempt: i32) -> RunIdentity {
        RunIdentity {
            app: self.target.app.clone(),
            release: self.name.release.clone().unwrap_or_default(),
            revision: self.name.revision.clone().unwrap_or_default(),
            run_id: run_id.to_owned(),
            attempt,
            application_name: locked.session_name(run_id),
        }
    }
}
