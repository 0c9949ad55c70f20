//! Waiting for the delay after a failed attempt to pass.

use std::time::{Duration, SystemTime};

use crate::gate::decide::RetryDelay;
use crate::gate::wait_clock::{WaitClock, pause, random_byte};
use crate::output::log::{Event, Field, Log};

/// The wait of one replica. It has no limit of its own: the delay has one.
#[derive(Debug)]
pub(super) struct DelayWait {
    /// The number of failures that the delay follows.
    failed: usize,
    clock: WaitClock,
}

impl DelayWait {
    /// A wait that has not begun.
    pub(super) fn new() -> Self {
        Self {
            failed: 0,
            clock: WaitClock::new(None),
        }
    }

    /// Logs the delay, at first and every 30 s. `end_it` is the command that ends it.
    ///
    /// Returns the pause before the next read. An operator may end the delay earlier, so this replica
    /// keeps polling. Those that wait for its end do not all return at once.
    pub(super) fn go_on(&mut self, log: &Log, delay: RetryDelay, end_it: Option<&str>) -> Duration {
        if self.failed != delay.failed {
            self.failed = delay.failed;
            self.clock = WaitClock::new(None);
        }
        let waited = self.clock.go_on(|_| log_delay(log, delay, end_it));
        let pause = pause(waited.unwrap_or_default());
        if pause < delay.remaining {
            return pause;
        }
        delay.remaining + pause * u32::from(random_byte()) / (8 * 255)
    }
}

/// Logs that an attempt failed, and when the next one may begin.
pub(super) fn log_delay(log: &Log, delay: RetryDelay, end_it: Option<&str>) {
    let (seconds, until) = (seconds(delay.remaining), until(delay.remaining));
    let hint = end_it.map(|command| format!("`{command}` ends the wait"));
    let mut fields: Vec<Field<'_>> = vec![
        ("failed", &delay.failed),
        ("seconds", &seconds),
        ("until", &until),
    ];
    fields.extend(hint.iter().map(|hint| -> Field<'_> { ("hint", hint) }));
    let message = "an attempt failed, waiting before the next one";
    log.say(Event::RetryWaiting, message, &fields);
}

/// In whole seconds, rounded up: an attempt never begins earlier than logged.
pub fn seconds(remaining: Duration) -> u64 {
    remaining
        .as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

/// When that is, by this machine's clock; a century ahead at most, since a year has four digits.
pub fn until(remaining: Duration) -> String {
    const CENTURY: Duration = Duration::from_hours(24 * 36_525);
    let end = SystemTime::now() + remaining.min(CENTURY);
    humantime::format_rfc3339_seconds(end).to_string()
}
