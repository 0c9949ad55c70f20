//! The request to stop the gate.

use std::fmt;

use super::{Signal, name};

/// A signal that stops the gate: TERM, INT, HUP or QUIT. Made where the signal is read, or where a
/// step is seen to have died of Ctrl-C; the first one counts, and `Signals::stopped` returns it from
/// then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop(Signal);

impl Stop {
    /// SIGTERM, for a table of failures.
    pub const TERM: Self = Self(libc::SIGTERM);

    pub(in crate::sys) fn new(signal: Signal) -> Self {
        Self(signal)
    }

    /// The signal, for the step and for the exit code.
    pub fn signal(self) -> Signal {
        self.0
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(self.0))
    }
}
