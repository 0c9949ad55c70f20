//! The error message for a failed file: position, database message, hint. Pure.

use super::{
    dialect::{FileTransaction, MigrationDialect},
    file::MigrationFile,
    layout::Layout,
    partial_effects::PartialEffects,
    statements::{Statement, line},
};
use crate::db::fault::Fault;

/// How much of a failed statement is shown.
const SHOWN: usize = 160;

/// A file that failed, and how far it got.
#[derive(Clone, Copy)]
pub(super) struct FailedFile<'a> {
    pub(super) file: &'a MigrationFile,
    pub(super) layout: &'static Layout,
    pub(super) dialect: &'static MigrationDialect,
    pub(super) transaction: FileTransaction,
    /// The statements of the part that was sent, and the part's number.
    pub(super) all: &'a [Statement],
    pub(super) part: usize,
    /// So many of them were executed.
    pub(super) done: usize,
    /// A transaction that the file had was ended before this part.
    pub(super) has_committed: bool,
}

impl FailedFile<'_> {
    fn sql(&self) -> &str {
        self.file.part(self.part)
    }

    /// The statement that failed.
    pub(super) fn statement(&self) -> Option<Statement> {
        self.all.get(self.done).or(self.all.last()).copied()
    }

    /// What remains of the file. Not for a database that commits changes of the schema by itself.
    pub(super) fn partial_effects(&self) -> PartialEffects {
        let sql = self.sql();
        let rollback_ends = self.dialect.rollback_ends_transaction;
        let mut ran = self.all.iter().take(self.done);
        let has_ended = ran.any(|s| ends_transaction(&sql[s.word..s.end], rollback_ends));
        if has_ended || self.has_committed && self.transaction.is_open() {
            return PartialEffects::Committed;
        }
        if self.transaction.is_open() {
            PartialEffects::Nothing
        } else if self.part > 0 {
            PartialEffects::Before
        } else {
            (self.dialect.effects_without_transaction)(self.all.len())
        }
    }
}

/// Whether what came before this statement remains. A ROLLBACK undoes that; where it ends the
/// transaction for good, what follows commits by itself.
pub(super) fn ends_transaction(statement: &str, rollback_ends: bool) -> bool {
    let words = statement.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(4).map(str::to_ascii_uppercase).collect();
    match words.first().map(String::as_str) {
        Some("COMMIT" | "END") => true,
        Some("PREPARE") => words.get(1).is_some_and(|word| word == "TRANSACTION"),
        Some("ROLLBACK") => rollback_ends && !words.iter().any(|word| word == "TO"),
        _ => false,
    }
}

/// The line of the failed statement in the file, and what stands there.
pub(super) fn place(failed: &FailedFile<'_>, error: &sqlx::Error) -> (usize, String) {
    let (sql, statement) = (failed.sql(), failed.statement());
    let position = match error {
        sqlx::Error::Database(error) => {
            (failed.dialect.error_position)(error.as_ref(), sql, statement)
        }
        _ => None,
    };
    let at = position.or(statement.map(|s| s.word)).unwrap_or(0);
    let text = &failed.file.text;
    let number = line(text, failed.file.offset(failed.part) + at);
    let text = text.lines().nth(number - 1).unwrap_or_default().trim();
    if text.is_empty() || statement.is_some_and(|s| has_secret(sql, s)) {
        return (number, String::new());
    }
    let cut = text.floor_char_boundary(text.len().min(SHOWN));
    let more = if cut < text.len() { "…" } else { "" };
    (number, format!("; at `{}{more}`", &text[..cut]))
}

/// Whether a statement sets a role's password, which does not belong in a log.
pub(super) fn has_secret(sql: &str, statement: Statement) -> bool {
    let text = sql[statement.from..statement.end].to_ascii_lowercase();
    ["password", "identified"]
        .iter()
        .any(|word| text.contains(word))
}

/// The phrases that precede a server's quotation from a statement.
pub(super) fn without_quotes(words: &str) -> &str {
    let end = [" at or near ", " near "]
        .iter()
        .filter_map(|near| words.find(near))
        .min();
    &words[..end.unwrap_or(words.len())]
}

/// The database's full message.
pub(super) fn words(dialect: &MigrationDialect, error: &sqlx::Error, fault: &Fault) -> String {
    let details = match error {
        sqlx::Error::Database(error) => (dialect.error_details)(error.as_ref()),
        _ => String::new(),
    };
    format!("{}{details}", fault.message)
}

/// What to do. `table` is the history's.
pub(super) fn hint(
    failed: &FailedFile<'_>,
    fault: &Fault,
    is_lost: bool,
    effects: PartialEffects,
    table: &str,
) -> String {
    let (file, layout) = (failed.file, failed.layout);
    if is_lost {
        return "check in the database what it did, and in the server's log why the connection broke; then start again".to_owned();
    }
    if failed.dialect.refuses_transaction == Some(&*fault.code) {
        match (failed.transaction.is_open(), layout.no_transaction_hint) {
            (true, Some(hint)) => {
                return format!("{hint}, and keep only this statement in the file");
            }
            (true, None) | (false, _) => {
                return "put this statement in a file of its own: several statements in one file run as one transaction"
                    .to_owned();
            }
        }
    }
    if failed.transaction == FileTransaction::Marked
        && let Some(hint) = layout.failed_hint
    {
        return hint(file);
    }
    if file.has_byte_order_mark() && !failed.dialect.allows_byte_order_mark {
        return "save the file as UTF-8 without a byte order mark (BOM), and start again"
            .to_owned();
    }
    if may_leave_row(failed, effects) {
        return format!(
            "fix the file and start again; if {table} has a row of version {}, first undo the remaining changes by hand and delete that row",
            file.version
        );
    }
    effects.hint().to_owned()
}

/// Whether the row which says that the file is unfinished may be there.
fn may_leave_row(failed: &FailedFile<'_>, effects: PartialEffects) -> bool {
    failed.transaction == FileTransaction::RowFirst
        && (failed.dialect.commits_schema_changes || effects == PartialEffects::Committed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_end_a_transaction_are_known() {
        for (text, is_end, is_end_with_rollback) in [
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
            assert_eq!(ends_transaction(text, false), is_end, "{text}");
            assert_eq!(ends_transaction(text, true), is_end_with_rollback, "{text}");
        }
    }
}
