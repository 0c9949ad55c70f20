//! What of a file that failed stays in the database, and what to do about it. Pure.

use super::{MigrationFile, place::Statement};
use crate::db::Backend;

/// How much of a file is still there after one of its statements failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartialEffects {
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
    /// After `done` of these statements. Not for MySQL, whose table tells.
    pub(super) fn of(
        file: &MigrationFile,
        backend: Backend,
        all: &[Statement],
        done: usize,
    ) -> Self {
        let sql = file.sql();
        let mut ran = all.iter().take(done);
        if ran.any(|s| ends_transaction(&sql[s.word..s.end], backend)) {
            return Self::Committed;
        }
        match backend {
            // Several statements in one message are one transaction; alone, some are several.
            Backend::Postgres if file.has_no_transaction() && all.len() == 1 => Self::Part,
            Backend::Sqlite if file.has_no_transaction() => Self::Before,
            _ => Self::Nothing,
        }
    }

    /// The end of a sentence that says what failed.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "; nothing of this file stays",
            Self::Before => {
                "; the file has `-- no-transaction`, so what came before this statement stays"
            }
            Self::Part => "; the file has `-- no-transaction`, so part of what it did may stay",
            Self::Committed => "; the file ends its transaction itself, so what came before stays",
        }
    }

    /// What to do.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Nothing => "mend the file and start again",
            Self::Before | Self::Committed => {
                "undo by hand what stays, mend the file and start again"
            }
            Self::Part => {
                "undo by hand what stays, such as an invalid index; then mend the file and start again"
            }
        }
    }
}

/// What came before a ROLLBACK is undone, and what comes behind it commits by itself on SQLite.
fn ends_transaction(statement: &str, backend: Backend) -> bool {
    let words = statement.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(4).map(str::to_ascii_uppercase).collect();
    match words.first().map(String::as_str) {
        Some("COMMIT" | "END") => true,
        Some("PREPARE") => words.get(1).is_some_and(|word| word == "TRANSACTION"),
        Some("ROLLBACK") => backend == Backend::Sqlite && !words.iter().any(|word| word == "TO"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_end_a_transaction_are_known() {
        for (text, postgres, sqlite) in [
            ("commit", true, true),
            ("COMMIT AND CHAIN", true, true),
            ("end transaction", true, true),
            ("prepare transaction 'x'", true, true),
            ("prepare x as select 1", false, false),
            ("rollback", false, true),
            ("rollback transaction to savepoint a", false, false),
            ("comment on table commit is 'x'", false, false),
            ("", false, false),
        ] {
            assert_eq!(
                ends_transaction(text, Backend::Postgres),
                postgres,
                "{text}"
            );
            assert_eq!(ends_transaction(text, Backend::Sqlite), sqlite, "{text}");
        }
    }
}
