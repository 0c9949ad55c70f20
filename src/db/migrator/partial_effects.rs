//! What of a file that failed remains in the database, and what to do about it. Pure.

/// How much of a file is still there after one of its statements failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum PartialEffects {
    /// Nothing.
    Nothing,
    /// All that came before the statement.
    Before,
    /// What the statement itself did in steps of its own.
    Part,
    /// What the file committed.
    Committed,
}

impl PartialEffects {
    /// The end of a sentence that says what failed.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "; none of this file's changes remain",
            Self::Before => {
                "; the file has no transaction, so the changes before this statement remain"
            }
            Self::Part => "; the file has no transaction, so some of its changes may remain",
            Self::Committed => {
                "; the file ends its own transaction, so the changes before that remain"
            }
        }
    }

    /// What to do.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Nothing => "fix the file and start again",
            Self::Before | Self::Committed => {
                "undo the remaining changes by hand, fix the file and start again"
            }
            Self::Part => {
                "undo the remaining changes by hand, such as an invalid index; then fix the file and start again"
            }
        }
    }
}
