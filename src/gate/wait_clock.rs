//! The clock of a wait: how long it has taken, when to log it, when to give up.

use std::time::Duration;

use crate::exit::{Failure, FailureKind};
use crate::gate::backoff;
use crate::sys::clock::Moment;
use crate::sys::step::PROGRESS_INTERVAL;

/// The next pause after `waited`.
pub(super) fn pause(waited: Duration) -> Duration {
    backoff::pause(waited, random_byte())
}

pub(super) fn random_byte() -> u8 {
    let mut byte = [0u8];
    // Without randomness the pauses are merely equal.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

/// The clock of one wait, however many pauses it takes.
#[derive(Debug)]
pub(super) struct WaitClock {
    pub(super) limit: Option<Duration>,
    pub(super) since: Option<Moment>,
    pub(super) logged: Option<Moment>,
}

impl WaitClock {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            since: None,
            logged: None,
        }
    }

    /// How long it has taken so far, logged at first and every 30 s.
    ///
    /// # Errors
    /// It has taken this long, which is too long.
    pub(super) fn go_on(&mut self, log: impl FnOnce(Duration)) -> Result<Duration, Duration> {
        let now = Moment::now();
        let waited = now.since(*self.since.get_or_insert(now));
        if self.limit.is_some_and(|limit| waited >= limit) {
            return Err(waited);
        }
        if self
            .logged
            .is_none_or(|at| now.since(at) >= PROGRESS_INTERVAL)
        {
            self.logged = Some(now);
            log(waited);
        }
        Ok(waited)
    }

    /// Leaves out `time` that was spent on another wait.
    pub(super) fn leave_out(&mut self, time: Duration) {
        self.since = self.since.map(|since| since + time);
    }

    /// The pause after `waited`, no longer than until the limit.
    pub(super) fn pause(&self, waited: Duration) -> Duration {
        self.up_to_limit(waited, pause(waited))
    }

    pub(super) fn up_to_limit(&self, waited: Duration, pause: Duration) -> Duration {
        let left = self
            .limit
            .map_or(Duration::MAX, |limit| limit.saturating_sub(waited));
        pause.min(left)
    }
}

/// How long a wait was, for people: in seconds from one second on.
pub(super) fn shown(waited: Duration) -> String {
    match waited.as_secs() {
        0 => format!("{} ms", waited.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

/// The failure of a wait that `--lock-timeout` limits.
pub(super) fn timed_out(what: String, hint: &str) -> Failure {
    let hint = format!("{hint}; --lock-timeout limits this wait");
    Failure::because(FailureKind::TimedOut, what, hint)
}
