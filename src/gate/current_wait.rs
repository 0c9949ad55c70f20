//! What the flow on the second thread waits for, which may be given up at any moment. The first thread
//! watches that, since no timer of the flow's own thread ends a call that never yields: a server that
//! floods its client keeps the driver busy, and a file can hang.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::exit::Failure;
use crate::sys::clock::Moment;
use crate::sys::wakeup::Wakeup;

/// How long a flow may take to end cleanly after a stop. A database call takes no longer, and
/// platforms allow 30 s.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How much later than its timer the first thread gives up a wait of the flow.
const SLACK: Duration = Duration::from_millis(600);

/// The wait that the flow is in, if any.
#[derive(Debug)]
pub(super) struct CurrentWait {
    state: Mutex<WaitState>,
    /// Wakes the first thread, which looks at the limit again.
    pub(super) wake: Wakeup,
}

#[derive(Debug, Default)]
struct WaitState {
    /// Odd while the flow waits; each wait has its own number.
    number: u64,
    /// When the first thread ends the gate with this failure.
    limit: Option<(Moment, Failure)>,
}

impl CurrentWait {
    /// No wait has begun yet.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            state: Mutex::default(),
            wake: Wakeup::new()?,
        })
    }

    /// The flow waits, for as long as the limit if there is one.
    pub(super) fn begin(&self, limit: Option<(Duration, Failure)>) {
        let mut state = self.lock();
        state.number += 1;
        let at = |limit: Duration| Moment::now() + limit.saturating_add(SLACK);
        state.limit = limit.map(|(limit, failure)| (at(limit), failure));
        if state.limit.is_some() {
            self.wake.raise();
        }
    }

    /// The flow goes on.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.number += 1;
        state.limit = None;
    }

    /// The number of the wait, if there is one now.
    pub(super) fn number(&self) -> Option<u64> {
        Some(self.lock().number).filter(|number| number % 2 == 1)
    }

    /// When the first thread gives up the wait.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.lock().limit.as_ref().map(|(at, _)| *at)
    }

    /// The failure of a wait whose time is over.
    pub(super) fn overdue(&self, now: Moment) -> Option<Failure> {
        self.lock()
            .limit
            .take_if(|(at, _)| *at <= now)
            .map(|(_, failure)| failure)
    }

    /// The end of a flow that was `asked` to stop in the wait with this number, if it was in one. A wait ends
    /// at once, unless it hangs. Everything else may take its time.
    pub(super) fn stop_deadline(&self, asked: Moment, number: Option<u64>) -> Moment {
        let hangs = number.is_some() && self.number() == number;
        asked + if hangs { SLACK } else { STOP_LIMIT }
    }

    fn lock(&self) -> MutexGuard<'_, WaitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
