//! Trying again while the database does not serve us. Logs that at the start and every 30 s, and
//! gives up at the limit.

use std::time::Duration;

use crate::db::Error;
use crate::exit::{Failure, FailureKind};
use crate::gate::backoff;
use crate::gate::error;
use crate::gate::wait_clock::{WaitClock, pause, random_byte, shown, timed_out};
use crate::output::log::{Event, Log};
use crate::plan::gate_plan::Limits;
use crate::plan::ledger_reference::LedgerReference;
use crate::sys::clock::Moment;

/// What to do about a server that has no connection to spare.
const CONNECTIONS: &str = "raise the limit of connections (the server's, the database's or the role's), or close some; launchgate needs two";

/// The least time for an attempt to connect, however soon `--wait-timeout` is over.
const SHORTEST: Duration = Duration::from_millis(200);

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
    fullness: Fullness,
    what: &'static str,
    hint: &'static str,
    /// The command that shows who holds the gate.
    status: String,
}

/// What it means that a database which has served us has no connection to spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fullness {
    /// It is busy with others.
    Busy,
    /// It counts as unavailable: a holder that can't get its second connection blocks everyone
    /// else.
    Away,
}

impl ConnectRetry {
    /// Gives up after `--wait-timeout`; once the database has served us, being busy is a wait
    /// for others and ends with `--lock-timeout`.
    pub fn new(limits: &Limits, reference: &LedgerReference) -> Self {
        Self {
            away: WaitClock::new(limits.wait_timeout),
            busy: WaitClock::new(limits.lock_timeout),
            served: false,
            refusals: 0,
            fullness: Fullness::Busy,
            what: "the database did not accept a connection",
            hint: "check that it is running and that the URL points to it",
            status: reference.status_command(),
        }
    }

    /// For a database that can be read but refuses to start a run.
    pub fn under_lock(limits: &Limits, reference: &LedgerReference) -> Self {
        Self {
            fullness: Fullness::Away,
            what: "the database refused to start a run",
            hint: "fix what it reports and start again",
            ..Self::new(limits, reference)
        }
    }

    /// For a database in which something blocks a migration.
    pub fn of_migration(limits: &Limits, reference: &LedgerReference) -> Self {
        Self {
            what: "the database kept the migration waiting",
            hint: "find out what is using it, and start again",
            ..Self::new(limits, reference)
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
        let waited = self.away.go_on(|waited| log_waiting(log, waited, error));
        let waited = waited.map_err(|waited| self.give_up(waited, error))?;
        Ok(self.away.up_to_limit(waited, self.pause(waited)))
    }

    /// An attempt to connect begins: how long it may take, if `--wait-timeout` limits it, and the
    /// failure if it has not ended by then.
    pub fn attempt(&mut self) -> Option<(Duration, Failure)> {
        let now = Moment::now();
        let waited = now.since(*self.away.since.get_or_insert(now));
        let limit = self.away.limit?;
        let left = limit.saturating_sub(waited).max(SHORTEST);
        let error = Error::NotYet("the server keeps sending, but never answers".to_owned());
        Some((left, self.give_up(waited + left, &error)))
    }

    fn give_up(&self, waited: Duration, error: &Error) -> Failure {
        let waited = shown(waited);
        if let Error::NotReady { what, hint } = error {
            let what = format!("{what}; waited {waited} for that to change (--wait-timeout)");
            return error::refused(what, hint.clone());
        }
        Failure::because(
            FailureKind::Unreachable,
            format!("{} for {waited}: {error}", self.what),
            format!("{}; --wait-timeout limits this wait", self.hint_for(error)),
        )
    }

    /// The pause before the next try while others keep it busy.
    ///
    /// # Errors
    /// It took too long.
    pub fn busy(&mut self, log: &Log, error: &Error) -> Result<Duration, Failure> {
        self.away.since = None;
        let waited = self.busy.go_on(|waited| log_waiting(log, waited, error));
        let waited = waited.map_err(|waited| {
            timed_out(
                format!("the database was busy for {}: {error}", shown(waited)),
                &format!("see who is using it with `{}`", self.status),
            )
        })?;
        Ok(self.busy.up_to_limit(waited, self.pause(waited)))
    }

    fn hint_for(&self, error: &Error) -> &'static str {
        match error {
            Error::Full(_) => CONNECTIONS,
            Error::NotYet(_)
            | Error::Broken(_)
            | Error::Lost(_)
            | Error::NotReady { .. }
            | Error::Refused { .. } => self.hint,
        }
    }

    fn pause(&self, waited: Duration) -> Duration {
        match self.refusals {
            0 => pause(waited),
            refusals => backoff::pause_when_full(refusals, random_byte()).max(pause(waited)),
        }
    }

    /// Whether it has served us at all.
    pub fn has_served(&self) -> bool {
        self.served
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
                "connected to the database",
                &[("seconds", &seconds)],
            );
        }
    }
}

/// Logs what the database is waited for.
pub(super) fn log_waiting(log: &Log, waited: Duration, error: &Error) {
    log.say(
        Event::DatabaseWaiting,
        "waiting for the database",
        &[("seconds", &waited.as_secs()), ("error", error)],
    );
}
