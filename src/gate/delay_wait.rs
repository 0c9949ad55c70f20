//! Waiting for the delay after a failed attempt to pass.

use std::time::{Duration, SystemTime};

use crate::gate::decide::RetryDelay;
use crate::gate::wait_clock::{self, WaitClock, random_byte};
use crate::output::log::{Event, Field, Log};
use crate::sys::clock::Moment;

/// The wait of one replica. It has no limit of its own: the delay has one.
#[derive(Debug)]
pub(super) struct DelayWait {
    /// The number of failures that the delay follows, and when this replica began to wait.
    began: Option<(usize, Moment)>,
    clock: WaitClock,
}

impl DelayWait {
    /// A wait that has not begun.
    pub(super) fn new() -> Self {
        Self {
            began: None,
            clock: WaitClock::new(None),
        }
    }

    /// Logs the delay, at first and every 30 s. `end_it` is the command that ends it.
    pub(super) fn log(&mut self, log: &Log, delay: RetryDelay, end_it: Option<&str>) {
        let now = Moment::now();
        if self.began.is_none_or(|(failed, _)| failed != delay.failed) {
            self.began = Some((delay.failed, now));
            self.clock = WaitClock::new(None);
        }
        if !self.clock.is_log_due(now) {
            return;
        }
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

    /// The pause before the next read. An operator may end the delay earlier, so this replica keeps
    /// polling. Those that wait for its end do not all return at once.
    pub(super) fn pause(&self, delay: RetryDelay) -> Duration {
        let since = self.began.map(|(_, since)| since);
        let waited = since.map_or(Duration::ZERO, |since| Moment::now().since(since));
        let pause = wait_clock::pause(waited);
        if pause < delay.remaining {
            return pause;
        }
        delay.remaining + pause * u32::from(random_byte()) / (8 * 255)
    }
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
