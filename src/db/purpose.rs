//! What a connection is for.

/// Decides the name that the server shows for the connection. launchgate's own names can't be
/// mistaken for a step's, which start with `launchgate/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPurpose {
    /// Reads the ledger and tries to lock.
    Read,
    /// The same, opened before anybody knows what to read: a file is opened and its schema read, so
    /// that the first read finds that done.
    ReadAhead,
    /// Writes the ledger.
    Ledger,
    /// Finds out whether a pooler is in between.
    Probe,
}

impl ConnectionPurpose {
    pub(super) fn application_name(self) -> &'static str {
        match self {
            Self::Read | Self::ReadAhead => "launchgate:look",
            Self::Ledger => "launchgate:ledger",
            Self::Probe => "launchgate:probe",
        }
    }
}
