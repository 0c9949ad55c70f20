//! What the gate is doing now, since when, and how long each earlier phase took.
//!
//! The gate and the steps write it; the health listener, the live line and the log's summary read
//! it. Touches only the clock.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sys::clock::Moment;

/// What the gate is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet that takes time.
    Starting,
    /// Waiting for the database.
    Database,
    /// Waiting for the lock, or for the replica that holds it.
    Lock,
    /// `launchgate wait`: waiting for the release to be migrated.
    Release,
    /// Waiting for the delay after a failed attempt, which ends at this moment.
    Delay(Moment),
    /// Holding the lock and getting ready: self-test, orphans, ledger.
    Preparing,
    /// Running the step of this name.
    Step(String),
    /// Writing the outcome to the ledger.
    Recording,
}

impl Phase {
    /// The name of its state. It is an interface.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Database => "waiting-for-database",
            Self::Lock => "waiting-for-lock",
            Self::Release => "waiting-for-release",
            Self::Delay(_) => "waiting-for-retry",
            Self::Preparing => "preparing",
            Self::Step(_) => "running",
            Self::Recording => "recording",
        }
    }

    /// How long the delay after a failed attempt still lasts.
    pub fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay(end) => Some(end.since(Moment::now())),
            _ => None,
        }
    }

    /// The running step.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Step(name) => Some(name),
            _ => None,
        }
    }
}

/// What a gate has done so far. Clones share the same data.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Arc<Mutex<Option<Past>>>);

/// A snapshot of a gate's times.
#[derive(Debug, Clone)]
pub struct Past {
    began: Moment,
    since: Moment,
    waits: bool,
    /// The current phase.
    pub phase: Phase,
    /// Time in this phase.
    pub elapsed: Duration,
    /// Time since the gate began.
    pub total: Duration,
    /// Time spent waiting for the database.
    pub database: Duration,
    /// Time spent waiting for the lock or the release.
    pub lock: Duration,
    /// Time spent in the delay after a failed attempt.
    pub delay: Duration,
    /// How long each step took, in order, including the running one so far.
    pub steps: Vec<(String, Duration)>,
}

impl Past {
    fn new() -> Self {
        let now = Moment::now();
        Self {
            began: now,
            since: now,
            waits: false,
            phase: Phase::Starting,
            elapsed: Duration::ZERO,
            total: Duration::ZERO,
            database: Duration::ZERO,
            lock: Duration::ZERO,
            delay: Duration::ZERO,
            steps: Vec::new(),
        }
    }

    /// Adds the time since the last look to the current phase.
    fn catch_up(&mut self) {
        let now = Moment::now();
        let total = now.since(self.began);
        let passed = total.saturating_sub(self.total);
        match &self.phase {
            Phase::Database => self.database += passed,
            Phase::Lock | Phase::Release => self.lock += passed,
            Phase::Delay(_) => self.delay += passed,
            Phase::Step(_) => {
                if let Some((_, time)) = self.steps.last_mut() {
                    *time += passed;
                }
            }
            Phase::Starting | Phase::Preparing | Phase::Recording => {}
        }
        self.total = total;
        self.elapsed = now.since(self.since);
    }

    /// Whether there is a database to wait for.
    pub fn has_waited(&self) -> bool {
        self.waits
    }

    /// The steps and their times, for a log line.
    pub fn list_steps(&self) -> String {
        let mut list = String::new();
        for (name, time) in &self.steps {
            let comma = if list.is_empty() { "" } else { ", " };
            let _ = write!(list, "{comma}{name} {}s", seconds(*time));
        }
        list
    }
}

impl Timeline {
    /// Enters a phase. Entering the current one again changes nothing.
    pub fn enter(&self, phase: Phase) {
        let mut past = self.past();
        let past = past.get_or_insert_with(Past::new);
        if past.phase == phase && past.phase.step().is_none() {
            return;
        }
        if let (Phase::Delay(end), Phase::Delay(new)) = (&mut past.phase, &phase) {
            *end = *new;
            return;
        }
        past.catch_up();
        if let Some(name) = phase.step() {
            past.steps.push((name.to_owned(), Duration::ZERO));
        }
        past.waits |= matches!(phase, Phase::Database | Phase::Lock | Phase::Release);
        past.since = past.began + past.total;
        past.phase = phase;
        past.elapsed = Duration::ZERO;
    }

    /// The times as of now; `None` if no gate has begun.
    pub fn look(&self) -> Option<Past> {
        let mut past = self.past();
        let past = past.as_mut()?;
        past.catch_up();
        Some(past.clone())
    }

    fn past(&self) -> MutexGuard<'_, Option<Past>> {
        // The times are valid even if a holder of the mutex panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds with milliseconds, such as `1.204`.
pub fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_spent_on_what_the_gate_does() {
        let timeline = Timeline::default();
        assert!(timeline.look().is_none());
        for phase in [
            Phase::Database,
            Phase::Database,
            Phase::Lock,
            Phase::Step("one".into()),
            Phase::Step("one".into()),
            Phase::Recording,
        ] {
            timeline.enter(phase);
        }
        let past = timeline.look().unwrap();
        assert_eq!(past.phase.state(), "recording");
        assert_eq!(past.steps.len(), 2);
        let steps: Duration = past.steps.iter().map(|(_, time)| *time).sum();
        assert!(past.database + past.lock + steps <= past.total);
    }

    #[test]
    fn a_look_counts_nothing_twice() {
        let timeline = Timeline::default();
        timeline.enter(Phase::Lock);
        for _ in 0..100 {
            let past = timeline.look().unwrap();
            assert!(past.lock <= past.total, "{past:?}");
            assert_eq!(past.elapsed.max(past.lock), past.elapsed);
        }
    }
}
