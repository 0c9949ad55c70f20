//! How far the files that share a transaction were applied.

use std::time::Duration;

use tokio::time::Instant;

/// What comes next for a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Begin,
    Execute,
    Record,
    /// The row is written, and the commit has to wait.
    Commit,
}

/// How far the files that share a transaction were applied. It outlives a wait for others.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The number of the file that is being applied.
    pub(super) file: usize,
    pub(super) stage: Stage,
    /// The part of the file that is being sent.
    pub(super) part: usize,
    /// So many statements of the part were executed.
    pub(super) done: usize,
    /// Something of these files was committed already, in spite of their transaction or for lack of one.
    pub(super) has_committed: bool,
    pub(super) started: Option<Instant>,
    /// What the file's own statements took, once they were executed.
    pub(super) elapsed: Duration,
}
