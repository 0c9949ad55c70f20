//! What the gate does now, since when, and how long what it did before took.
//!
//! Written by whoever moves the gate on, read by the health listener and for the log's
//! summary. May touch nothing but the clock.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sys::clock::Moment;

/// What the gate does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing that takes time yet.
    Starting,
    /// It waits for the database to serve it.
    Database,
    /// It waits for the lock, or for the replica that holds it.
    Lock,
    /// `launchgate wait`: it waits for the release to be migrated.
    Release,
    /// It holds the lock and gets ready: self-test, orphans, ledger.
    Preparing,
    /// A step of this name runs.
    Step(String),
    /// What the steps did is written into the ledger.
    Recording,
}

impl Phase {
    /// The names of all states, in the order of a gate's way.
    pub const STATES: [&'static str; 7] = [
        "starting",
        "waiting-for-database",
        "waiting-for-lock",
        "waiting-for-release",
        "preparing",
        "running",
        "recording",
    ];

    /// Its name, an interface.
    #[must_use]
    pub fn state(&self) -> &'static str {
        Self::STATES[match self {
            Self::Starting => 0,
            Self::Database => 1,
            Self::Lock => 2,
            Self::Release => 3,
            Self::Preparing => 4,
            Self::Step(_) => 5,
            Self::Recording => 6,
        }]
    }

    /// The step that runs.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Step(name) => Some(name),
            _ => None,
        }
    }
}

/// What a gate did so far. Its clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Arc<Mutex<Option<Past>>>);

/// The times of a gate, at one moment.
#[derive(Debug, Clone)]
pub struct Past {
    began: Moment,
    since: Moment,
    waits: bool,
    /// What it does.
    pub phase: Phase,
    /// For how long.
    pub elapsed: Duration,
    /// Since its beginning.
    pub total: Duration,
    /// Waited for the database.
    pub database: Duration,
    /// Waited for the lock, or the release.
    pub lock: Duration,
    /// How long each step took, in order; the one that runs, so far.
    pub steps: Vec<(String, Duration)>,
    /// The attempt of this revision that this replica makes.
    pub attempt: Option<i32>,
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
            steps: Vec::new(),
            attempt: None,
        }
    }

    /// Adds what passed since the last look to what it was spent on.
    fn catch_up(&mut self) {
        let now = Moment::now();
        let total = now.since(self.began);
        let passed = total.saturating_sub(self.total);
        match &self.phase {
            Phase::Database => self.database += passed,
            Phase::Lock | Phase::Release => self.lock += passed,
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
    #[must_use]
    pub fn has_waited(&self) -> bool {
        self.waits
    }

    /// The steps and their times, for a line of the log.
    #[must_use]
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
    /// From now on the gate does this. To go on with the same thing is nothing new.
    pub fn enter(&self, phase: Phase) {
        let mut past = self.past();
        let past = past.get_or_insert_with(Past::new);
        if past.phase == phase && past.phase.step().is_none() {
            return;
        }
        past.catch_up();
        if let Some(name) = phase.step() {
            past.steps.push((name.to_owned(), Duration::ZERO));
        }
        past.waits |= matches!(phase, Phase::Database | Phase::Lock | Phase::Release);
        past.since = past.began.after(past.total);
        past.phase = phase;
        past.elapsed = Duration::ZERO;
    }

    /// Which attempt this is.
    pub fn attempt(&self, attempt: i32) {
        self.past().get_or_insert_with(Past::new).attempt = Some(attempt);
    }

    /// All of it, as of now; `None` where no gate has begun.
    #[must_use]
    pub fn look(&self) -> Option<Past> {
        let mut past = self.past();
        let past = past.as_mut()?;
        past.catch_up();
        Some(past.clone())
    }

    fn past(&self) -> MutexGuard<'_, Option<Past>> {
        // Times stay times, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With milliseconds.
#[must_use]
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
        timeline.attempt(2);
        let past = timeline.look().unwrap();
        assert_eq!(past.phase.state(), "recording");
        assert_eq!(past.attempt, Some(2));
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
