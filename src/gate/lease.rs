//! The right to run, shared by both threads: one renews it, the other stops the step once it can no
//! longer be confirmed. Holds no connection and no process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sys::clock::Moment;
use crate::sys::step::RunPermit;
use crate::sys::wakeup::Wakeup;

/// When the right to run was last confirmed, and whether it is certainly lost.
#[derive(Debug)]
pub struct Lease {
    length: Duration,
    interval: Duration,
    state: Mutex<LeaseState>,
    changed: Wakeup,
}

#[derive(Debug)]
struct LeaseState {
    confirmed: Moment,
    lost: Option<String>,
    /// At the last renewal the lock answered, but the run's row did not, or not yet.
    row_alone: bool,
    /// The same, at the moment when a third of the lease had passed.
    missed_row_alone: Option<bool>,
}

/// How long killing a step and reaping it may take.
const KILL_TIME: Duration = Duration::from_secs(1);

/// Whether a holder that has been silent for so long has lost the right to run: after a third of the
/// lease. The other two thirds are for stopping the step.
pub fn is_silent_too_long(silent: Duration, lease: Duration) -> bool {
    silent >= lease / 3
}

/// How long a silent holder may keep a step that it stops. After that it kills the step, however little
/// of the grace period is over: a holder that was paused notices the loss late, and the step has to be
/// gone before the lease ends.
pub fn longest_silence(lease: Duration) -> Duration {
    lease.saturating_sub(KILL_TIME)
}

impl Lease {
    /// A lease of this length, to be renewed every `interval`, that was confirmed by a request sent at
    /// `confirmed`.
    pub fn new(
        length: Duration,
        interval: Duration,
        confirmed: Moment,
    ) -> std::io::Result<Arc<Self>> {
        let state = Mutex::new(LeaseState {
            confirmed,
            lost: None,
            row_alone: false,
            missed_row_alone: None,
        });
        Ok(Arc::new(Self {
            length,
            interval,
            state,
            changed: Wakeup::new()?,
        }))
    }

    fn state(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it is renewed.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How long until it must be renewed: one interval after the request that last confirmed it,
    /// however long the answer took.
    pub fn due(&self, now: Moment) -> Duration {
        self.interval.saturating_sub(now.since(self.confirmed()))
    }

    /// Lock and lease were confirmed by a request sent at `asked`. The time of the request counts, not
    /// that of the answer: the database read its clock no earlier.
    pub fn confirm(&self, asked: Moment) {
        let mut state = self.state();
        state.confirmed = state.confirmed.max(asked);
        state.row_alone = false;
    }

    /// The state of the renewal: `row_alone` if the lock was confirmed, but not the run's row.
    pub fn waits_for_row(&self, row_alone: bool) {
        self.state().row_alone = row_alone;
    }

    /// Whether only the run's row kept it from being renewed in time.
    pub fn missed_row_alone(&self) -> bool {
        self.state().missed_row_alone == Some(true)
    }

    /// Marks it as certainly lost.
    pub fn lose(&self, why: String) {
        self.state().lost.get_or_insert(why);
        self.changed.raise();
    }

    /// Why the right to run is lost at `now`, if it is: certainly, or because a third of the lease
    /// passed without a confirmation. The other two thirds are for stopping the step.
    pub fn lost(&self, now: Moment) -> Option<String> {
        let mut state = self.state();
        if let Some(why) = &state.lost {
            return Some(format!("the lock was lost: {why}"));
        }
        let silent = now.since(state.confirmed);
        if !is_silent_too_long(silent, self.length) {
            return None;
        }
        // Remembered now, since stopping the step may remove the cause.
        let row_alone = state.row_alone;
        state.missed_row_alone.get_or_insert(row_alone);
        Some(format!(
            "the lock could not be confirmed for {} s, a third of --lease",
            silent.as_secs()
        ))
    }

    fn confirmed(&self) -> Moment {
        self.state().confirmed
    }
}

/// The lease as the permit of a step.
#[derive(Debug)]
pub struct LeasePermit {
    /// The lease.
    pub lease: Arc<Lease>,
    /// A lock file that the step inherits.
    pub inherit: Option<OwnedFd>,
}

impl RunPermit for LeasePermit {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.lease.changed.as_fd())
    }

    fn lost(&mut self, now: Moment) -> Option<String> {
        self.lease.lost(now)
    }

    fn next_look(&self) -> Option<Moment> {
        Some(self.lease.confirmed() + self.lease.length / 3)
    }

    fn kill_at(&self) -> Option<Moment> {
        Some(self.lease.confirmed() + longest_silence(self.lease.length))
    }

    fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        self.inherit.as_ref().map(AsFd::as_fd)
    }
}
