//! The error message for a failed file: position, database message, hint. Pure.

use super::{
    TABLE,
    dialect::{FileTransaction, MigrationDialect},
    folder::MigrationFile,
    partial_effects::PartialEffects,
    statements::{Statement, line},
};
use crate::db::fault::Fault;

/// How much of a failed statement is shown.
const SHOWN: usize = 160;

/// What remains of a file of which so many statements were executed. Not for a database that commits
/// changes of the schema by itself: there the table of migrations tells.
pub(super) fn partial_effects(
    file: &MigrationFile,
    dialect: &dyn MigrationDialect,
    all: &[Statement],
    done: usize,
) -> PartialEffects {
    let sql = file.sql();
    let rollback_ends = dialect.rollback_ends_transaction();
    let mut ran = all.iter().take(done);
    if ran.any(|s| ends_transaction(&sql[s.word..s.end], rollback_ends)) {
        return PartialEffects::Committed;
    }
    if file.has_no_transaction() {
        dialect.effects_without_transaction(all.len())
    } else {
        PartialEffects::Nothing
    }
}

/// Whether what came before this statement remains. A ROLLBACK undoes that; where it ends the
/// transaction for good, what follows commits by itself.
fn ends_transaction(statement: &str, rollback_ends: bool) -> bool {
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
pub(super) fn place(
    file: &MigrationFile,
    dialect: &dyn MigrationDialect,
    statement: Option<Statement>,
    error: &sqlx::Error,
) -> (usize, String) {
    let sql = file.sql();
    let position = match error {
        sqlx::Error::Database(error) => dialect.error_position(error.as_ref(), sql, statement),
        _ => None,
    };
    let at = position.or(statement.map(|s| s.word)).unwrap_or(0);
    let number = line(sql, at);
    let text = sql.lines().nth(number - 1).unwrap_or_default().trim();
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
pub(super) fn words(dialect: &dyn MigrationDialect, error: &sqlx::Error, fault: &Fault) -> String {
    let details = match error {
        sqlx::Error::Database(error) => dialect.error_details(error.as_ref()),
        _ => String::new(),
    };
    format!("{}{details}", fault.message)
}

/// What to do.
pub(super) fn hint(
    dialect: &dyn MigrationDialect,
    file: &MigrationFile,
    fault: &Fault,
    is_lost: bool,
    effects: PartialEffects,
) -> String {
    if is_lost {
        return "see in the database what it did, and in the server's log why the connection broke; then start again".to_owned();
    }
    if let Some(hint) = dialect.transaction_hint(&fault.code, file.has_no_transaction()) {
        return hint.to_owned();
    }
    if file.has_byte_order_mark() && !dialect.allows_byte_order_mark() {
        return "save the file as UTF-8 without a byte order mark (BOM), which is not SQL, and start again"
            .to_owned();
    }
    if may_leave_row(dialect, file, effects) {
        let version = file.version();
        return format!(
            "fix the file and start again; where {TABLE} has a row of version {version}, undo by hand what remains and delete that row first"
        );
    }
    effects.hint().to_owned()
}

/// Whether the row which says that the file is unfinished may be there.
fn may_leave_row(
    dialect: &dyn MigrationDialect,
    file: &MigrationFile,
    effects: PartialEffects,
) -> bool {
    let transaction = dialect.transaction(file.has_no_transaction());
    matches!(transaction, FileTransaction::RowFirst(_))
        && (dialect.commits_schema_changes() || effects == PartialEffects::Committed)
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
