//! Waiting in turns: for a database that is away, for a replica that is at it. Each says
//! what it waits for at the start and every 30 s, and knows when to give up.

use std::time::Duration;

use crate::db::Error;
use crate::db::ledger::LedgerRow;
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::Policy;
use crate::gate::backoff::{self, Contention};
use crate::output::log::{Event, Log};
use crate::sys::clock::Moment;
use crate::sys::step::PROGRESS_INTERVAL;

/// The next pause after `waited`, where nobody crowds.
#[must_use]
pub fn pause(waited: Duration) -> Duration {
    backoff::pause(waited, Contention::default(), chance())
}

fn chance() -> u8 {
    let mut chance = [0u8];
    // Without randomness the pauses are merely equal.
    let _ = getrandom::fill(&mut chance);
    chance[0]
}

/// One wait, however many turns it takes.
#[derive(Debug)]
struct Turns {
    limit: Option<Duration>,
    since: Option<Moment>,
    said: Option<Moment>,
}

enum Turn {
    /// How long it took so far, and whether it is time to say so.
    Wait(Duration, bool),
    /// It took this long, which is too long.
    Over(Duration),
}

impl Turns {
    fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            since: None,
            said: None,
        }
    }

    fn next(&mut self) -> Turn {
        let now = Moment::now();
        let waited = now.since(*self.since.get_or_insert(now));
        if self.limit.is_some_and(|limit| waited >= limit) {
            return Turn::Over(waited);
        }
        let say = self
            .said
            .is_none_or(|said| now.since(said) >= PROGRESS_INTERVAL);
        if say {
            self.said = Some(now);
        }
        Turn::Wait(waited, say)
    }

    /// The pause after `waited`: no longer than until the limit.
    fn pause(&self, waited: Duration, crowd: Contention) -> Duration {
        self.cut(waited, backoff::pause(waited, crowd, chance()))
    }

    fn cut(&self, waited: Duration, pause: Duration) -> Duration {
        let left = self
            .limit
            .map_or(Duration::MAX, |limit| limit.saturating_sub(waited));
        pause.min(left)
    }
}

/// A database that does not serve us at the moment.
#[derive(Debug)]
pub struct ConnectRetry {
    turns: Turns,
    /// Times when it is busy with others, which is no outage: a replica that is at it will end.
    full: Turns,
    served: bool,
    /// How often in a row it had no connection to spare, or no answer in time.
    refusals: u32,
    crowd: Contention,
    fullness: Fullness,
    what: &'static str,
    hint: &'static str,
}

/// What it means that a database which has served us has no connection to spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fullness {
    /// It is busy with others.
    Busy,
    /// It is away: a holder that can't have its second connection keeps all others waiting.
    Away,
}

impl ConnectRetry {
    /// None yet. One that lasts longer than `--wait-timeout` is the end; being busy, once it
    /// has served us, is a wait for others and ends with `--lock-timeout`.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            turns: Turns::new(policy.wait_timeout),
            full: Turns::new(policy.lock_timeout),
            served: false,
            refusals: 0,
            crowd: Contention::default(),
            fullness: Fullness::Busy,
            what: "the database did not accept a connection",
            hint: "see whether it runs and whether the URL names it; --wait-timeout is how long to wait",
        }
    }

    /// For a database that serves us as long as nothing is written.
    #[must_use]
    pub fn under_lock(policy: &Policy) -> Self {
        Self {
            fullness: Fullness::Away,
            what: "the database let no run begin",
            hint: "mend what it says (launchgate needs two connections) and start again; --wait-timeout is how long to try",
            ..Self::new(policy)
        }
    }

    /// For a database that has something in the way of a migration.
    #[must_use]
    pub fn of_migration(policy: &Policy) -> Self {
        Self {
            what: "the database kept the migration waiting",
            hint: "see who works on it, and start again; --wait-timeout is how long to wait",
            ..Self::new(policy)
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
        match self.turns.next() {
            Turn::Over(waited) => Err(Failure::new(
                FailureKind::Unreachable,
                Problem::new(
                    format!("{} for {} s: {error}", self.what, waited.as_secs()),
                    self.hint,
                ),
            )),
            Turn::Wait(waited, say) => {
                if say {
                    waiting(log, waited, error);
                }
                Ok(self.turns.cut(waited, self.pause(waited)))
            }
        }
    }

    /// The pause before the next try while others keep it busy.
    ///
    /// # Errors
    /// It took too long.
    pub fn busy(&mut self, log: &Log, error: &Error) -> Result<Duration, Failure> {
        match self.full.next() {
            Turn::Over(waited) => Err(Failure::new(
                FailureKind::TimedOut,
                Problem::new(
                    format!(
                        "the database was busy with others for {} s: {error}",
                        waited.as_secs()
                    ),
                    "see `launchgate status`; --lock-timeout is how long to wait",
                ),
            )),
            Turn::Wait(waited, say) => {
                if say {
                    waiting(log, waited, error);
                }
                Ok(self.full.cut(waited, self.pause(waited)))
            }
        }
    }

    fn pause(&self, waited: Duration) -> Duration {
        match self.refusals {
            0 => pause(waited),
            refusals => backoff::pause_when_full(refusals, chance()).max(pause(waited)),
        }
    }

    /// Whether it served us at all.
    #[must_use]
    pub fn has_served(&self) -> bool {
        self.served
    }

    /// This many looks were at the database at the time of the last one, as far as it said.
    pub fn sample(&mut self, looks: Option<u32>) {
        if let Some(looks) = looks {
            self.crowd.sample(looks);
        }
    }

    /// How crowded it is.
    #[must_use]
    pub fn crowd(&self) -> Contention {
        self.crowd
    }

    /// It served us. Said where the outage was: of many short ones, one in 30 s is.
    pub fn over(&mut self, log: &Log) {
        self.served = true;
        // By halves, so that those who were refused do not all come back at once.
        self.refusals /= 2;
        if let Some(since) = self.turns.since.take()
            && self.turns.said.is_some_and(|said| said >= since)
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

fn waiting(log: &Log, waited: Duration, error: &Error) {
    log.say(
        Event::DatabaseWaiting,
        "waiting for the database",
        &[("seconds", &waited.as_secs()), ("error", error)],
    );
}

/// Another replica that is at it.
#[derive(Debug)]
pub struct Wait {
    turns: Turns,
    /// The run that was last said to be at it.
    said: Option<String>,
}

impl Wait {
    /// Not yet.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        Self {
            turns: Turns::new(limit),
            said: None,
        }
    }

    /// The pause before the next look.
    ///
    /// # Errors
    /// It took too long.
    pub fn next(
        &mut self,
        log: &Log,
        busy: Option<&LedgerRow>,
        crowd: Contention,
    ) -> Result<Duration, Failure> {
        let holder = busy.map_or("another replica", |entry| &entry.holder);
        // Another run than the one that was said is news.
        let is_new = busy.is_some_and(|entry| self.said.as_ref() != Some(&entry.run_id));
        match self.turns.next() {
            Turn::Over(waited) => Err(Failure::new(
                FailureKind::TimedOut,
                Problem::new(
                    format!(
                        "waited {} s for {holder}; the server is not started",
                        waited.as_secs()
                    ),
                    "see `launchgate status`; --lock-timeout is how long to wait",
                ),
            )),
            Turn::Wait(waited, say) => {
                if say || is_new {
                    let seconds = waited.as_secs();
                    self.said = busy.map(|entry| entry.run_id.clone()).or(self.said.take());
                    match busy {
                        Some(entry) => log.say(
                            Event::LockWaiting,
                            "another replica is at it, waiting",
                            &[
                                ("seconds", &seconds),
                                ("holder", &entry.holder),
                                ("revision", &entry.revision),
                                ("run", &entry.run_id),
                                ("running", &format!("{}s", entry.age_ms / 1000)),
                            ],
                        ),
                        None => log.say(
                            Event::LockWaiting,
                            "another replica holds the lock, waiting",
                            &[("seconds", &seconds)],
                        ),
                    }
                }
                Ok(self.turns.pause(waited, crowd))
            }
        }
    }

    /// The pause before `launchgate wait` looks again for a release that nobody is at.
    ///
    /// # Errors
    /// It took too long.
    pub fn for_release(
        &mut self,
        log: &Log,
        revision: &str,
        crowd: Contention,
    ) -> Result<Duration, Failure> {
        match self.turns.next() {
            Turn::Over(waited) => Err(Failure::new(
                FailureKind::TimedOut,
                Problem::new(
                    format!(
                        "waited {} s for revision {revision} to succeed",
                        waited.as_secs()
                    ),
                    "see whether its job runs, and `launchgate status`; --lock-timeout is how long to wait",
                ),
            )),
            Turn::Wait(waited, say) => {
                if say {
                    let fields: [crate::output::log::Field<'_>; 2] =
                        [("seconds", &waited.as_secs()), ("revision", &revision)];
                    log.say(
                        Event::LockWaiting,
                        "waiting for the release to be migrated",
                        &fields,
                    );
                }
                Ok(self.turns.pause(waited, crowd))
            }
        }
    }
}
