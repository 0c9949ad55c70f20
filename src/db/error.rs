//! What a database call can end with.
//!
//! Every message carries the server's words; none carries the password or the URL.

use std::fmt;

/// Why a database call did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The database is unavailable right now; retry.
    NotYet(String),
    /// It is up but has no free connection: busy, not down.
    Full(String),
    /// It is up but takes no writes: a standby, a read-only session, a node that is joining. It is
    /// waited for, and then refused.
    NotReady {
        /// What it said.
        what: String,
        /// What to do if it stays like that.
        hint: String,
    },
    /// The database refuses, and will keep refusing until someone changes something.
    Refused {
        /// What was refused, in the server's own words.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The connection broke or went silent during the call: the statement may have run.
    Broken(String),
    /// This holder certainly no longer has the lock, or the run's row.
    Lost(String),
}

/// Why the outcome of a run may not be in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// It certainly does not have it.
    NotRecorded(Error),
    /// No answer to the commit: [`super::Target::run_state`] tells.
    Unknown(Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet(what)
            | Self::Full(what)
            | Self::Broken(what)
            | Self::Lost(what)
            | Self::NotReady { what, .. }
            | Self::Refused { what, .. } => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// A hint, if action is needed.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotReady { hint, .. } | Self::Refused { hint, .. } => Some(hint),
            Self::NotYet(_) | Self::Full(_) | Self::Broken(_) | Self::Lost(_) => None,
        }
    }

    pub(super) fn not_ready(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotReady {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub(super) fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            hint: hint.into(),
        }
    }
}
