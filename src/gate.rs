//! The gate: everything that happens before the server starts. Reads like section 5 of the
//! contract: wait for the database, look at the ledger, lock, look again, run, record.
//!
//! May touch `db`, `sys` and `log`; never SQL or system calls.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::db::ledger::{Entry, Ledger, NewRun, State};
use crate::db::{self, Backend, Error, Locked, Proof, RecordError, Session, Target};
use crate::decide::{Decision, Refusal, decide};
use crate::exit::{Failure, Problem};
use crate::lease::{Lease, LeaseGuard};
use crate::log::{Event, Log};
use crate::network::{Link, StepsRequest};
use crate::outcome;
use crate::patience::{Outage, Wait};
use crate::plan::Steps;
use crate::steps::{self, Keep, Outcome, Ready, RunIdentity, Verdict};
use crate::sys::clock::Moment;
use crate::sys::supervise::{Host, NoGuard};

/// What the ledger is keyed by, and which release it is.
#[derive(Debug, Clone, Default)]
pub struct Name {
    /// The revision, where there is one.
    pub revision: Option<String>,
    /// The release's id, where it is known.
    pub release: Option<String>,
    /// Where the release's id came from.
    pub source: Option<String>,
}

/// The limits of waiting and trying. `None` is no limit.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// For the database to accept a connection.
    pub wait_timeout: Option<Duration>,
    /// For another replica.
    pub lock_timeout: Option<Duration>,
    /// Failed attempts of one revision.
    pub max_attempts: Option<u32>,
    /// For sessions that an earlier run left.
    pub orphan_timeout: Option<Duration>,
}

/// Everything the gate needs to know.
#[derive(Clone)]
pub struct Gate {
    /// Where lock and ledger live.
    pub target: Target,
    /// Which revision.
    pub name: Name,
    /// Limits.
    pub policy: Policy,
    /// Host name and process id.
    pub holder: String,
    /// The log.
    pub log: Log,
}

/// How the gate was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Another run did it.
    Already,
    /// This replica ran the steps.
    Here,
}

enum Held {
    Passed(Passed),
    Again(Option<Entry>),
}

/// Why the work under the lock did not come to an end.
enum Trouble {
    /// The gate stays closed.
    Final(Failure),
    /// The database went away before a step ran: start over.
    Again(Error),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { what, hint } => Self::Final(refused(what, hint)),
            other => Self::Again(other),
        }
    }
}

/// The database refuses.
#[must_use]
pub fn refused(what: String, hint: String) -> Failure {
    Failure::Database(Problem::new(what, hint))
}

/// Runs the steps with no lock and no ledger.
///
/// # Errors
/// A step failed, or a signal stopped the gate.
pub fn pass_alone(
    host: &Host,
    log: &Log,
    steps: &Steps,
    ready: &[Ready],
    identity: &RunIdentity,
) -> Result<(), Failure> {
    let work = (steps, ready);
    let outcome = steps::run(
        host,
        log,
        work,
        identity,
        Keep::Nothing,
        &mut NoGuard,
        &mut |_| Ok(()),
    );
    match outcome.verdict {
        Verdict::Done => Ok(()),
        Verdict::Failed(failure) | Verdict::Stopped { failure, .. } | Verdict::Lost(failure) => {
            Err(failure)
        }
    }
}

impl Gate {
    /// Passes the gate: returns once the revision is recorded as succeeded, by this replica
    /// or another.
    ///
    /// # Errors
    /// Everything that keeps a gate closed.
    pub async fn pass(self, mut link: Link) -> Result<Passed, Failure> {
        let mut wait = Wait::new(self.policy.lock_timeout);
        let mut outage = Outage::new(self.policy.wait_timeout);
        loop {
            let (session, ledger) = self.open(&mut link, &mut outage).await?;
            let busy = match self.decide(&ledger)? {
                Decision::Start => {
                    session.close().await;
                    self.say_up_to_date(&ledger);
                    return Ok(Passed::Already);
                }
                Decision::Wait(entry) => {
                    session.close().await;
                    Some(*entry)
                }
                Decision::Run { .. } => match self.lock(session, &mut link, &mut outage).await? {
                    Held::Passed(passed) => return Ok(passed),
                    Held::Again(entry) => entry,
                },
                Decision::Refuse(refusal) => return Err(self.refuse(&refusal)),
            };
            self.turn(&mut link, &mut wait, busy.as_ref()).await?;
        }
    }

    /// Connects and looks, until the database answers.
    pub async fn open(
        &self,
        link: &mut Link,
        outage: &mut Outage,
    ) -> Result<(Session, Ledger), Failure> {
        loop {
            let look = async {
                let mut session = self.target.connect().await?;
                let ledger = session.look(self.name.revision.as_deref()).await?;
                Ok((session, ledger))
            };
            match link
                .unless_stopped("the wait for the database", look)
                .await?
            {
                Ok(seen) => {
                    outage.over(&self.log);
                    return Ok(seen);
                }
                Err(Error::Refused { what, hint }) => return Err(refused(what, hint)),
                Err(error) => self.sit_out(link, outage, &error).await?,
            }
        }
    }

    /// Waits a little for a database that is away.
    async fn sit_out(
        &self,
        link: &mut Link,
        outage: &mut Outage,
        error: &Error,
    ) -> Result<(), Failure> {
        let pause = outage.next(&self.log, error)?;
        link.unless_stopped("the wait for the database", sleep(pause))
            .await
    }

    /// Waits for this replica's next look at the ledger or, on SQLite, at the lock file.
    pub async fn turn(
        &self,
        link: &mut Link,
        wait: &mut Wait,
        busy: Option<&Entry>,
    ) -> Result<(), Failure> {
        loop {
            let pause = wait.next(&self.log, busy)?;
            link.unless_stopped("the wait for the lock", sleep(pause))
                .await?;
            // Another database is asked itself: this question is for SQLite alone.
            if !matches!(self.target.lock_free(), Ok(Some(false))) {
                return Ok(());
            }
        }
    }

    fn decide(&self, ledger: &Ledger) -> Result<Decision, Failure> {
        let decision = decide(
            ledger,
            self.name.revision.as_deref(),
            self.policy.max_attempts,
        );
        match decision {
            Decision::Refuse(refusal) => Err(self.refuse(&refusal)),
            decision => Ok(decision),
        }
    }

    /// Why this revision is refused.
    #[must_use]
    pub fn refuse(&self, refusal: &Refusal) -> Failure {
        let revision = self.name.revision.as_deref().unwrap_or_default();
        let problem = match refusal {
            Refusal::Blocked { by, note } => {
                let note = note
                    .as_ref()
                    .map(|note| format!(": {note}"))
                    .unwrap_or_default();
                Problem::new(
                    format!("revision {revision} was blocked by {by}{note}"),
                    format!(
                        "deploy another release, or lift it with `launchgate resolve {revision} --as retry`"
                    ),
                )
            }
            Refusal::Exhausted { failed, last } => Problem::new(
                format!(
                    "revision {revision} failed {failed} times, the last in run {last}; it is not tried again"
                ),
                format!(
                    "see why with `launchgate status`, then `launchgate resolve {revision} --as retry`, or deploy a release that mends it"
                ),
            ),
            Refusal::Unknown => {
                return Failure::Database(Problem::new(
                    format!(
                        "the ledger has a row about revision {revision} in a state that this launchgate does not know"
                    ),
                    "a newer launchgate wrote it: use at least that version in this image",
                ));
            }
        };
        Failure::Refused(problem)
    }

    fn say_up_to_date(&self, ledger: &Ledger) {
        let run = match ledger {
            Ledger::Rows(rows) => rows.iter().find(|row| row.state == Some(State::Succeeded)),
            Ledger::Missing => None,
        };
        let none = String::new();
        let (by, run) = run.map_or((&none, &none), |row| (&row.holder, &row.run_id));
        self.log.say(
            Event::GateUpToDate,
            "the revision succeeded already, no step is run",
            &[("by", by), ("run", run)],
        );
    }

    /// Tries to take the lock, and with it does what is to be done.
    async fn lock(
        &self,
        session: Session,
        link: &mut Link,
        outage: &mut Outage,
    ) -> Result<Held, Failure> {
        let asked = Moment::now();
        let error = match session.try_lock().await {
            Ok(db::Attempt::Busy(session)) => {
                session.close().await;
                return Ok(Held::Again(None));
            }
            Ok(db::Attempt::Locked(locked)) => match self.hold(locked, asked, link).await {
                Ok(held) => return Ok(held),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Again(error)) => error,
            },
            Err(Error::Refused { what, hint }) => return Err(refused(what, hint)),
            Err(error) => error,
        };
        self.sit_out(link, outage, &error).await?;
        Ok(Held::Again(None))
    }

    /// With the lock in hand: look again, prove that it excludes, wait for what an earlier
    /// run left, and run.
    async fn hold(
        &self,
        mut locked: Locked,
        asked: Moment,
        link: &mut Link,
    ) -> Result<Held, Trouble> {
        let ledger = locked.look(self.name.revision.as_deref()).await?;
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
        self.log.say(
            Event::LockTaken,
            "this replica holds the lock",
            &[("attempt", &attempt)],
        );
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
        self.close_dead(&mut locked, &dead).await?;
        if matches!(ledger, Ledger::Missing) {
            locked.create_ledger().await?;
            self.log.say(
                Event::LedgerCreated,
                "created the ledger, table launchgate_runs",
                &[],
            );
        }
        self.run(locked, attempt, asked, link).await
    }

    async fn close_dead(&self, locked: &mut Locked, dead: &[Entry]) -> Result<(), Trouble> {
        if dead.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = dead.iter().map(|row| row.run_id.clone()).collect();
        locked
            .interrupt(
                &ids,
                "its holder died, or lost the lock and could not say so",
            )
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

    /// A statement outlives its client: waits until no session of an earlier run is at work.
    async fn sit_out_orphans(
        &self,
        locked: &mut Locked,
        dead: &[Entry],
        link: &mut Link,
    ) -> Result<(), Trouble> {
        let began = Moment::now();
        let mut said = false;
        let mut ended = false;
        loop {
            let orphans = locked.orphans().await?;
            if orphans.is_empty() {
                return Ok(());
            }
            let waited = Moment::now().since(began);
            let list = outcome::list_orphans(&orphans);
            let is_over = self
                .policy
                .orphan_timeout
                .is_some_and(|limit| waited >= limit);
            if is_over && !ended {
                ended = true;
                let ids: Vec<String> = dead.iter().map(|row| row.run_id.clone()).collect();
                let count = locked.end_idle_orphans(&ids).await?;
                if count > 0 {
                    let message = "ended sessions that a dead run left idle in a transaction";
                    self.log
                        .say(Event::OrphansEnded, message, &[("sessions", &count)]);
                    continue;
                }
            }
            if is_over
                && waited
                    >= self.policy.orphan_timeout.unwrap_or_default()
                        + Duration::from_secs(2 * u64::from(ended))
            {
                return Err(outcome::orphans_remain(&list, waited).into());
            }
            if !said {
                said = true;
                let message = "waiting for database sessions that an earlier run left at work";
                self.log
                    .say(Event::OrphansWaiting, message, &[("sessions", &list)]);
            }
            locked.confirm().await?;
            let pause = crate::patience::pause(waited).min(self.target.lease / 6);
            link.unless_stopped("the wait for orphaned sessions", sleep(pause))
                .await?;
        }
    }

    /// Appends the row, confirms the lock, and only then has the first step started.
    async fn run(
        &self,
        mut locked: Locked,
        attempt: i32,
        asked: Moment,
        link: &mut Link,
    ) -> Result<Held, Trouble> {
        let run_id = outcome::run_id()?;
        let beaten = Moment::now();
        locked.append(&self.new_run(&run_id, attempt)).await?;
        if let Err(error) = locked.confirm().await {
            drop(locked);
            self.take_back(&run_id, &error.to_string()).await;
            return Err(error.into());
        }
        // SQLite's lock is the kernel's: it lasts as long as the step, with no heartbeat.
        let length = match self.target.backend() {
            Backend::Sqlite => Duration::from_secs(u64::from(u32::MAX)),
            Backend::Postgres | Backend::Mysql => self.target.lease,
        };
        let lease =
            Lease::new(length, asked.max(beaten)).map_err(|error| outcome::no_event(&error))?;
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
        let is_postgres = self.target.backend() == Backend::Postgres;
        RunIdentity {
            app: self.target.app.clone(),
            release: self.name.release.clone().unwrap_or_default(),
            revision: self.name.revision.clone().unwrap_or_default(),
            run_id: run_id.to_owned(),
            attempt,
            application_name: is_postgres
                .then(|| format!("launchgate/{}/{run_id}", locked.lock_id())),
        }
    }

    /// Has the steps run, and renews lock and lease until they are through.
    async fn keep(
        &self,
        locked: &mut Locked,
        lease: &Arc<Lease>,
        identity: &RunIdentity,
        link: &Link,
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
        let mut next = Instant::now() + lease.interval();
        loop {
            tokio::select! {
                biased;
                ended = &mut outcome => return ended.map_err(|_| outcome::no_answer()),
                Some((step, command)) = steps.recv() => {
                    let told = locked.progress(&identity.run_id, &step, &command).await;
                    self.note(lease, told.err());
                }
                () = sleep_until(next) => {
                    let asked = Moment::now();
                    let renewal = locked.renew(&identity.run_id).await;
                    let pause = match (renewal.lock, renewal.lease) {
                        (Ok(()), Ok(())) => {
                            lease.confirm(asked);
                            lease.interval()
                        }
                        (lock, row) => {
                            self.note(lease, lock.err());
                            self.note(lease, row.err());
                            lease.interval() / 4
                        }
                    };
                    next = Instant::now() + pause;
                }
            }
        }
    }

    /// A renewal that failed: lost for certain, or not known yet.
    fn note(&self, lease: &Lease, error: Option<Error>) {
        match error {
            None => {}
            Some(Error::Lost(why)) => lease.lose(why),
            Some(error) => self.log.say(
                Event::LeaseUnconfirmed,
                "the database did not confirm the lock, asking again",
                &[("error", &error)],
            ),
        }
    }

    /// Records how the run ended, and gives the lock back.
    async fn conclude(
        &self,
        locked: Locked,
        lease: &Lease,
        run_id: &str,
        ended: Outcome,
    ) -> Result<Held, Failure> {
        let row = outcome::row(&ended, &self.target.url);
        let (failure, is_done) = match ended.verdict {
            Verdict::Done => (None, true),
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
                let fields: [crate::log::Field<'_>; 2] = [("run", &run_id), ("state", &row.state)];
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

    /// The answer to the commit did not come: a fresh connection tells, as long as nobody
    /// else can have taken the run over.
    async fn find_out(
        &self,
        lease: &Lease,
        run_id: &str,
        wanted: State,
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
    async fn finish_lost(&self, run_id: &str, row: &db::ledger::Outcome) {
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
    async fn take_back(&self, run_id: &str, why: &str) {
        self.finish_lost(run_id, &outcome::interrupted(why)).await;
    }
}
