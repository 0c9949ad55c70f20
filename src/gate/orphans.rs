//! The sessions that a run's steps leave in the database: a statement outlives its client, and a client
//! may outlive its holder.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Gate, HoldError, record};
use crate::db::ledger::Orphan;
use crate::db::{EndedSessions, Error, Locked};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::runtime::GateLink;
use crate::gate::wait_clock::{WaitClock, shown};
use crate::output::log::{Event, Field};
use crate::steps::{StepsOutcome, Verdict};

/// How long the server may take to end sessions that it was asked to end.
const SESSION_END: Duration = Duration::from_secs(2);

/// How long ending a stopped step's sessions may take, connecting included.
const STOPPED: Duration = Duration::from_secs(3);

impl Gate {
    /// Waits until no session of an earlier run is at work, and ends what dead runs left idle: their
    /// clients may live, and go on at any moment.
    pub(super) async fn fence(
        &self,
        locked: &mut Locked,
        dead: &[String],
        link: &mut GateLink,
    ) -> Result<(), HoldError> {
        let mut clock = WaitClock::new(self.limits.orphan_timeout);
        let mut is_refused = false;
        loop {
            is_refused = self.end_idle(locked, dead, is_refused).await?;
            let orphans = locked.orphans(dead).await?;
            if orphans.is_empty() {
                return Ok(());
            }
            let waited = clock.go_on(|waited| {
                let list = record::list_orphans(&orphans);
                let message = "waiting for active database sessions left by an earlier run";
                let fields: [Field<'_>; 2] = [("seconds", &waited.as_secs()), ("sessions", &list)];
                self.log.say(Event::OrphansWaiting, message, &fields);
            });
            let waited = match waited {
                Ok(waited) => waited,
                Err(waited) => return self.give_up_waiting(&orphans, waited),
            };
            locked.confirm().await?;
            let pause = clock.pause(waited).min(self.target.lease / 6);
            link.unless_stopped("waiting for orphaned sessions", sleep(pause))
                .await?;
        }
    }

    /// Ends sessions that dead runs left idle. Returns whether the role may not end some of them, which
    /// is logged once.
    async fn end_idle(
        &self,
        locked: &mut Locked,
        dead: &[String],
        was_refused: bool,
    ) -> Result<bool, HoldError> {
        if dead.is_empty() || was_refused {
            return Ok(was_refused);
        }
        let done = locked.end_idle_sessions(dead, SESSION_END).await?;
        if done.ended > 0 {
            let message = "terminated sessions that a dead run left idle";
            let fields: [Field<'_>; 1] = [("sessions", &done.ended)];
            self.log.say(Event::OrphansEnded, message, &fields);
        }
        let Some(why) = done.why else {
            return Ok(false);
        };
        let list = record::list_orphans(&done.left);
        self.log.warn(
            Event::OrphansLeft,
            &Problem::new(
                format!(
                    "this role may not terminate sessions that a dead run left idle: {list}: {why}"
                ),
                self.may_end_sessions(),
            ),
            &[],
        );
        Ok(true)
    }

    /// What to do about sessions that this role may not end, or that are still there.
    fn may_end_sessions(&self) -> String {
        let end = self.ending_a_session();
        format!(
            "terminate them{end}; a role may terminate its own sessions, and with pg_signal_backend those of others"
        )
    }

    fn ending_a_session(&self) -> String {
        let names = self.target.backend().driver().session_names;
        names.map_or(String::new(), |names| format!(" with {}", names.end))
    }

    /// Right before the first step: whether a client of a dead run came back since. Then the gate starts
    /// over, and waits for what it does.
    pub(super) async fn look_again(
        &self,
        locked: &mut Locked,
        dead: &[String],
    ) -> Result<(), Error> {
        if dead.is_empty() {
            return Ok(());
        }
        // Nothing renews the lease yet.
        let limit = SESSION_END.min(self.target.lease / 6);
        locked.end_idle_sessions(dead, limit).await?;
        let mut orphans = locked.orphans(dead).await?;
        orphans.retain(|orphan| !orphan.is_idle() && dead.contains(&orphan.run_id));
        if orphans.is_empty() {
            return Ok(());
        }
        let list = record::list_orphans(&orphans);
        Err(Error::NotYet(format!(
            "a dead run went on in the database: {list}"
        )))
    }

    /// The time is up: working sessions keep the gate closed, idle ones do not.
    fn give_up_waiting(&self, orphans: &[Orphan], waited: Duration) -> Result<(), HoldError> {
        let (list, end) = (record::list_orphans(orphans), self.ending_a_session());
        if !orphans.iter().all(Orphan::is_idle) {
            let waited = shown(waited);
            let failure = Failure::because(
                FailureKind::TimedOut,
                format!(
                    "database sessions of an earlier run are still active after {waited} (--orphan-timeout): {list}"
                ),
                format!("let them finish, or terminate them{end}, then start again"),
            );
            return Err(failure.into());
        }
        let problem = Problem::new(
            format!(
                "no longer waiting for sessions that an earlier run left idle in a transaction: {list}"
            ),
            format!(
                "they may hold locks that the steps need: find their client, or terminate them{end}"
            ),
        );
        self.log.warn(Event::OrphansLeft, &problem, &[]);
        Ok(())
    }

    /// A step that was stopped is stopped in the database too, so that the server does not go on with
    /// its statement and commit. `locked`: the lock, unless it is lost.
    pub(super) async fn end_stopped(
        &self,
        locked: Option<&mut Locked>,
        lock_id: &str,
        run_id: &str,
        outcome: &mut StepsOutcome,
    ) {
        let was_stopped = match &outcome.verdict {
            Verdict::Stopped { done, .. } => !done,
            Verdict::Failed(failure) => failure.kind() == FailureKind::StepTimeout,
            Verdict::Lost(_) => true,
            Verdict::Done | Verdict::Interrupted(_) => false,
        };
        let has_names = self.target.backend().driver().session_names.is_some();
        if !was_stopped || outcome.last.is_none() || !has_names {
            return;
        }
        let ending = async {
            match locked {
                Some(locked) => locked.end_own_sessions(run_id, SESSION_END).await,
                None => self.target.end_sessions(lock_id, run_id, SESSION_END).await,
            }
        };
        let late = || {
            Err(Error::NotYet(format!(
                "no answer within {} s",
                STOPPED.as_secs()
            )))
        };
        let done = timeout(STOPPED, ending).await.unwrap_or_else(|_| late());
        if self.log_ended(done, run_id)
            && let Verdict::Stopped { failure, .. } | Verdict::Lost(failure) = &mut outcome.verdict
            && matches!(failure.kind(), FailureKind::Stopped(_))
        {
            failure.replace_hint(NEXT_START);
        }
    }

    /// Says what became of a stopped step's sessions; whether none is left.
    fn log_ended(&self, done: Result<EndedSessions, Error>, run_id: &str) -> bool {
        let problem = |what: String| {
            Problem::new(
                format!("could not terminate the database sessions of the stopped step: {what}"),
                self.may_end_sessions(),
            )
        };
        let run: Field<'_> = ("run", &run_id);
        let problem = match done {
            Ok(EndedSessions { ended, left, .. }) if left.is_empty() => {
                if ended > 0 {
                    let message = "terminated the database sessions of the stopped step";
                    let fields = [("sessions", &ended as _), run];
                    self.log.say(Event::SessionsEnded, message, &fields);
                }
                return true;
            }
            Ok(EndedSessions { left, why, .. }) => {
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                problem(format!("{}{why}", record::list_orphans(&left)))
            }
            Err(error) => problem(error.to_string()),
        };
        self.log.warn(Event::SessionsLeft, &problem, &[run]);
        false
    }
}

/// What to do about a stopped step that has no sessions left in the database.
const NEXT_START: &str = "the next start runs the steps again";
