//! The gate: everything that happens before the server starts. Reads like section 5 of the
//! contract: wait for the database, look at the ledger, lock, look again, run, record.
//!
//! May touch `db`, `sys` and `log`; never SQL or system calls.

pub mod backoff;
pub mod decide;
mod hold;
mod keep;
pub mod lease;
pub mod outcome;
mod poll;
pub mod retry;
pub mod runtime;

use std::time::Duration;

pub use poll::LedgerPoll;

use crate::db::ledger::{Ledger, LedgerRow, RunState};
use crate::db::{self, Error, Session, Target};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::decide::{Decision, Refusal, decide};
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime::{GateLink, Meanwhile};
use crate::output::log::{Event, Log};
use crate::output::timeline::Phase;
use crate::plan::Steps;
use crate::plan::revision::{Reading, RevisionInfo};
use crate::steps::{self, OutputCapture, Ready, RunIdentity, Verdict};
use crate::sys::clock::Moment;
use crate::sys::host::Host;
use crate::sys::step::NoGuard;

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
    /// Which revision, as far as it is known.
    pub name: RevisionInfo,
    /// The files that are yet to be read for it.
    pub reading: Option<Reading>,
    /// Limits.
    pub policy: Policy,
    /// Host name and process id.
    pub holder: String,
    /// The log.
    pub log: Log,
}

/// A connection that is being made while the files are read.
pub type Early = Meanwhile<Result<Session, Error>>;

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
    /// Somebody else is at it.
    Again(Option<LedgerRow>),
    /// The database failed us, which is to be sat out.
    Failed(Error),
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
    Failure::new(FailureKind::Database, Problem::new(what, hint))
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
        OutputCapture::Nothing,
        &mut NoGuard,
        &mut |_| None,
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
    pub async fn pass(mut self, mut link: GateLink) -> Result<Passed, Failure> {
        let mut early = self.find_name(&mut link).await?;
        let mut looks = LedgerPoll::new(&self, Phase::Lock);
        // Accepting connections is not enough: a disk may be full.
        let mut trouble = ConnectRetry::under_lock(&self.policy);
        loop {
            let (session, ledger) = looks.next(&mut link, early.take()).await?;
            let busy = match self.decide(&ledger)? {
                Decision::Start => {
                    session.close().await;
                    self.say_up_to_date(&ledger);
                    return Ok(Passed::Already);
                }
                Decision::Wait(entry) => {
                    session.close().await;
                    trouble.over(&self.log);
                    Some(*entry)
                }
                Decision::Run { .. } => match self.lock(session, &mut link, &mut trouble).await? {
                    Held::Passed(passed) => return Ok(passed),
                    Held::Again(entry) => entry,
                    Held::Failed(error) => {
                        looks.wait_out(&mut link, &mut trouble, &error).await?;
                        continue;
                    }
                },
                Decision::Refuse(refusal) => return Err(self.refuse(&refusal)),
            };
            looks.next_poll(&mut link, busy.as_ref()).await?;
        }
    }

    /// Reads the files that are the revision, where they are, and connects meanwhile: most starts
    /// have nothing else to do, and either takes milliseconds.
    ///
    /// # Errors
    /// A file that can't be read; a signal.
    pub async fn find_name(&mut self, link: &mut GateLink) -> Result<Option<Early>, Failure> {
        let Some(reading) = self.reading.take() else {
            return Ok(None);
        };
        if reading.is_quick() {
            self.name = reading.read(&self.log)?;
            return Ok(None);
        }
        let target = self.target.clone();
        let early = runtime::meanwhile(async move { target.connect_early().await });
        let log = self.log.clone();
        let read = runtime::on_a_thread(move || reading.read(&log));
        self.name = link.unless_stopped("the reading of files", read).await??;
        Ok(Some(early))
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
        // As it can be pasted.
        let quoted = shlex::try_quote(revision).unwrap_or_default();
        let retry = if revision.starts_with('-') {
            format!("launchgate resolve --as retry -- {quoted}")
        } else {
            format!("launchgate resolve {quoted} --as retry")
        };
        let problem = match refusal {
            Refusal::Blocked { by, note } => {
                let note = note
                    .as_ref()
                    .map(|note| format!(": {}", self.target.url.redact(note)))
                    .unwrap_or_default();
                Problem::new(
                    format!("revision {revision} was blocked by {by}{note}"),
                    format!("deploy another release, or lift it with `{retry}`"),
                )
            }
            Refusal::Exhausted { failed, last } => Problem::new(
                format!(
                    "{failed} failed attempts of revision {revision} are enough, the last was run {last}; it is not tried again"
                ),
                format!(
                    "see why with `launchgate status`, then `{retry}`, or deploy a release that mends it"
                ),
            ),
            Refusal::Unknown => {
                return Failure::new(
                    FailureKind::Database,
                    Problem::new(
                        format!(
                            "the ledger has a row about revision {revision} in a state that this launchgate does not know"
                        ),
                        "a newer launchgate wrote it: use at least that version in this image",
                    ),
                );
            }
        };
        Failure::new(FailureKind::Refused, problem)
    }

    fn say_up_to_date(&self, ledger: &Ledger) {
        let run = match ledger {
            Ledger::Rows(rows) => rows
                .iter()
                .find(|row| row.state == Some(RunState::Succeeded)),
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
        link: &mut GateLink,
        trouble: &mut ConnectRetry,
    ) -> Result<Held, Failure> {
        let asked = Moment::now();
        let locking = link.unless_stopped("the wait for the lock", session.try_lock());
        let error = match locking.await? {
            Ok(db::Attempt::Busy(session)) => {
                session.close().await;
                trouble.over(&self.log);
                return Ok(Held::Again(None));
            }
            Ok(db::Attempt::Locked(locked)) => match self.hold(locked, asked, link).await {
                Ok(held) => {
                    trouble.over(&self.log);
                    return Ok(held);
                }
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Again(error)) => error,
            },
            Err(Error::Refused { what, hint }) => return Err(refused(what, hint)),
            Err(error) => error,
        };
        Ok(Held::Failed(error))
    }
}
