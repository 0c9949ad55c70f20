//! Waiting and trying again: for a database that is away, for the replica that holds the lock.
//! Each wait logs what it waits for at its start and every 30 s, and gives up at its limit.

use std::time::Duration;

use crate::db::Error;
use crate::db::ledger::LedgerRow;
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::backoff::{self, Contention};
use crate::output::log::{Event, Field, Log};
use crate::plan::gate_plan::Limits;
use crate::sys::clock::Moment;
use crate::sys::step::PROGRESS_INTERVAL;

/// The next pause after `waited`, where nobody else polls.
#[must_use]
pub fn pause(waited: Duration) -> Duration {
    backoff::pause(waited, Contention::default(), random_byte())
}

fn random_byte() -> u8 {
    let mut byte = [0u8];
    // Without randomness the pauses are merely equal.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

/// The clock of one wait, however many pauses it takes.
#[derive(Debug)]
struct WaitClock {
    limit: Option<Duration>,
    since: Option<Moment>,
    logged: Option<Moment>,
}

enum Tick {
    /// How long it has taken so far, and whether it is time to log that.
    Waiting { waited: Duration, log_now: bool },
    /// It has taken this long, which is too long.
    Over(Duration),
}

impl WaitClock {
    fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            since: None,
            logged: None,
        }
    }

    fn tick(&mut self) -> Tick {
        let now = Moment::now();
        let waited = now.since(*self.since.get_or_insert(now));
        if self.limit.is_some_and(|limit| waited >= limit) {
            return Tick::Over(waited);
        }
        let log_now = self
            .logged
            .is_none_or(|at| now.since(at) >= PROGRESS_INTERVAL);
        if log_now {
            self.logged = Some(now);
        }
        Tick::Waiting { waited, log_now }
    }

    /// The pause after `waited`, no longer than until the limit.
    fn pause(&self, waited: Duration, contention: Contention) -> Duration {
        self.up_to_limit(waited, backoff::pause(waited, contention, random_byte()))
    }

    fn up_to_limit(&self, waited: Duration, pause: Duration) -> Duration {
        let left = self
            .limit
            .map_or(Duration::MAX, |limit| limit.saturating_sub(waited));
        pause.min(left)
    }
}

/// A database that does not serve us at the moment.
#[derive(Debug)]
pub struct ConnectRetry {
    away: WaitClock,
    /// The times when it is busy with others. That is not an outage: the replica that keeps it busy
    /// will finish.
    busy: WaitClock,
    served: bool,
    /// How often in a row it had no connection to spare, or did not answer in time.
    refusals: u32,
    contention: Contention,
    fullness: Fullness,
    what: &'static str,
    hint: &'static str,
}

/// What it means that a database which has served us has no connection to spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fullness {
    /// It is busy with others.
    Busy,
    /// It is away: a holder that can't get its second connection keeps everyone else waiting.
    Away,
}

impl ConnectRetry {
    /// Gives up after `--wait-timeout`; once the database has served us, being busy is a wait
    /// for others and ends with `--lock-timeout`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            away: WaitClock::new(limits.wait_timeout),
            busy: WaitClock::new(limits.lock_timeout),
            served: false,
            refusals: 0,
            contention: Contention::default(),
            fullness: Fullness::Busy,
            what: "the database did not accept a connection",
            hint: "check that it is running and that the URL points to it; --wait-timeout limits this wait",
        }
    }

    /// For a database that can be read but refuses to start a run.
    #[must_use]
    pub fn under_lock(limits: &Limits) -> Self {
        Self {
            fullness: Fullness::Away,
            what: "the database refused to start a run",
            hint: "fix what it reports (launchgate needs two connections) and start again; --wait-timeout limits this wait",
            ..Self::new(limits)
        }
    }

    /// For a database in which something blocks a migration.
    #[must_use]
    pub fn of_migration(limits: &Limits) -> Self {
        Self {
            what: "the database kept the migration waiting",
            hint: "find out what is using it, and start again; --wait-timeout limits this wait",
            ..Self::new(limits)
        }
    }

    /// The pause before the next try.
    ///
    /// # Errors
    /// It took too long.
    pub fn next(&mut self, log: &Log, error: &Error) -> Result<Duration, Failure> {
        let is_full = matches!(error, Error::Full(_)) && self.fullness == Fullness::Busy;
        if is_full {
            self.refusals = self.refusals.saturating_add(1);
        }
        if is_full && self.served {
            return self.busy(log, error);
        }
        match self.away.tick() {
            Tick::Over(waited) => Err(Failure::new(
                FailureKind::Unreachable,
                Problem::new(
                    format!("{} for {} s: {error}", self.what, waited.as_secs()),
                    self.hint,
                ),
            )),
            Tick::Waiting { waited, log_now } => {
                if log_now {
                    log_waiting(log, waited, error);
                }
                Ok(self.away.up_to_limit(waited, self.pause(waited)))
            }
        }
    }

    /// The pause before the next try while others keep it busy.
    ///
    /// # Errors
    /// It took too long.
    pub fn busy(&mut self, log: &Log, error: &Error) -> Result<Duration, Failure> {
        match self.busy.tick() {
            Tick::Over(waited) => Err(timed_out(
                format!(
                    "the database was busy with others for {} s: {error}",
                    waited.as_secs()
                ),
                "see `launchgate status`",
            )),
            Tick::Waiting { waited, log_now } => {
                if log_now {
                    log_waiting(log, waited, error);
                }
                Ok(self.busy.up_to_limit(waited, self.pause(waited)))
            }
        }
    }

    fn pause(&self, waited: Duration) -> Duration {
        match self.refusals {
            0 => pause(waited),
            refusals => backoff::pause_when_full(refusals, random_byte()).max(pause(waited)),
        }
    }

    /// Whether it has served us at all.
    #[must_use]
    pub fn has_served(&self) -> bool {
        self.served
    }

    /// Notes how many replicas were polling at the time of the last read, if the database knows.
    pub fn sample(&mut self, pollers: Option<u32>) {
        if let Some(pollers) = pollers {
            self.contention.sample(pollers);
        }
    }

    /// How many others poll at the same time.
    #[must_use]
    pub fn contention(&self) -> Contention {
        self.contention
    }

    /// It served us. Logged if the outage was: of many short ones, one in 30 s is.
    pub fn served(&mut self, log: &Log) {
        self.served = true;
        // By halves, so that the replicas that were refused do not all return at once.
        self.refusals /= 2;
        if let Some(since) = self.away.since.take()
            && self.away.logged.is_some_and(|logged| logged >= since)
        {
            let seconds = format!("{:.1}", Moment::now().since(since).as_secs_f64());
            log.say(
                Event::DatabaseReady,
                "the database answers",
                &[("seconds", &seconds)],
            );
        }
    }
}

fn log_waiting(log: &Log, waited: Duration, error: &Error) {
    log.say(
        Event::DatabaseWaiting,
        "waiting for the database",
        &[("seconds", &waited.as_secs()), ("error", error)],
    );
}

fn timed_out(what: String, hint: &str) -> Failure {
    let hint = format!("{hint}; --lock-timeout limits this wait");
    Failure::new(FailureKind::TimedOut, Problem::new(what, hint))
}

/// The wait for the replica that holds the lock.
#[derive(Debug)]
pub struct HolderWait {
    clock: WaitClock,
    /// The run that was last named in the log.
    named: Option<String>,
}

impl HolderWait {
    /// A wait that has not begun.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        Self {
            clock: WaitClock::new(limit),
            named: None,
        }
    }

    /// The pause before the next read.
    ///
    /// # Errors
    /// It took too long.
    pub fn next(
        &mut self,
        log: &Log,
        holder: Option<&LedgerRow>,
        contention: Contention,
    ) -> Result<Duration, Failure> {
        let is_another = holder.is_some_and(|entry| self.named.as_ref() != Some(&entry.run_id));
        match self.clock.tick() {
            Tick::Over(waited) => {
                let name = holder.map_or("another replica", |entry| &entry.holder);
                Err(timed_out(
                    format!("waited {} s for {name}", waited.as_secs()),
                    "see `launchgate status`",
                ))
            }
            Tick::Waiting { waited, log_now } => {
                if log_now || is_another {
                    self.log(log, waited, holder);
                }
                Ok(self.clock.pause(waited, contention))
            }
        }
    }

    fn log(&mut self, log: &Log, waited: Duration, holder: Option<&LedgerRow>) {
        let seconds = waited.as_secs();
        let Some(entry) = holder else {
            return log.say(
                Event::LockWaiting,
                "another replica holds the lock, waiting",
                &[("seconds", &seconds)],
            );
        };
        self.named = Some(entry.run_id.clone());
        log.say(
            Event::LockWaiting,
            "another replica is running the steps, waiting",
            &[
                ("seconds", &seconds),
                ("holder", &entry.holder),
                ("revision", &entry.revision),
                ("run", &entry.run_id),
                ("running", &format!("{}s", entry.age_ms / 1000)),
            ],
        );
    }

    /// The pause before `launchgate wait` reads again, for a release that nobody is migrating.
    ///
    /// # Errors
    /// It took too long.
    pub fn for_release(
        &mut self,
        log: &Log,
        revision: &str,
        contention: Contention,
    ) -> Result<Duration, Failure> {
        match self.clock.tick() {
            Tick::Over(waited) => Err(timed_out(
                format!(
                    "waited {} s for revision {revision} to succeed",
                    waited.as_secs()
                ),
                "check that the job that migrates it is running, and see `launchgate status`",
            )),
            Tick::Waiting { waited, log_now } => {
                if log_now {
                    let fields: [Field<'_>; 2] =
                        [("seconds", &waited.as_secs()), ("revision", &revision)];
                    log.say(
                        Event::LockWaiting,
                        "waiting for the release to be migrated",
                        &fields,
                    );
                }
                Ok(self.clock.pause(waited, contention))
            }
        }
    }
}
