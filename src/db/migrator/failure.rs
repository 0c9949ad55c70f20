//! What is said of a file that failed: where, in whose words, and what to do. Pure.

use sqlx::{
    mysql::MySqlDatabaseError,
    postgres::{PgDatabaseError, PgErrorPosition},
};

use super::{
    MigrationFile, TABLE,
    partial_effects::PartialEffects,
    place::{Statement, byte_of_character, line},
};
use crate::db::{Backend, error::Fault};

/// How much of a failed statement is shown.
const SHOWN: usize = 160;

/// The server's last words: somebody ended the session, or the server itself
/// (PostgreSQL, "Error Codes", class 57; MariaDB, "Error Codes").
pub(super) fn ends_session(fault: &Fault) -> bool {
    match fault.backend {
        Backend::Postgres => matches!(
            fault.code.as_str(),
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05"
        ),
        Backend::Mysql => matches!(fault.code.as_str(), "1053" | "1927"),
        Backend::Sqlite => false,
    }
}

/// The line of the failed statement in the file, and what stands there.
pub(super) fn place(
    file: &MigrationFile,
    statement: Option<Statement>,
    error: &sqlx::Error,
) -> (usize, String) {
    let sql = file.sql();
    let mut at = statement.map_or(0, |s| s.word);
    if let sqlx::Error::Database(error) = error {
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            if let Some(PgErrorPosition::Original(position)) = error.position() {
                at = byte_of_character(sql, position);
            }
        } else if let Some(statement) = statement {
            let text = &sql[statement.from..statement.end];
            at = inside(text, error.message()).map_or(at, |inside| statement.from + inside);
        }
    }
    let number = line(sql, at);
    let text = sql.lines().nth(number - 1).unwrap_or_default().trim();
    if text.is_empty() || statement.is_some_and(|s| has_secret(sql, s)) {
        return (number, String::new());
    }
    let cut = text.floor_char_boundary(text.len().min(SHOWN));
    let more = if cut < text.len() { "…" } else { "" };
    (number, format!("; at `{}{more}`", &text[..cut]))
}

/// A role's password has no place in a log.
pub(super) fn has_secret(sql: &str, statement: Statement) -> bool {
    let text = sql[statement.from..statement.end].to_ascii_lowercase();
    ["password", "identified"]
        .iter()
        .any(|word| text.contains(word))
}

/// What came before the words that a server quotes of a statement.
pub(super) fn without_quotes(words: &str) -> &str {
    let end = [" at or near ", " near "]
        .iter()
        .filter_map(|near| words.find(near))
        .min();
    &words[..end.unwrap_or(words.len())]
}

/// Where in a statement the words of `SQLite` (`near "x"`) or of `MySQL` (`at line 3`) point to.
fn inside(statement: &str, message: &str) -> Option<usize> {
    if let Some(number) = message.rsplit_once(" at line ").map(|(_, number)| number) {
        let number: usize = number.trim().parse().ok()?;
        let before = statement.split_inclusive('\n').take(number - 1);
        let start: usize = before.map(str::len).sum();
        let blank = statement.get(start..)?;
        return Some(start + blank.len() - blank.trim_start().len());
    }
    let near = message.strip_prefix("near \"")?.split('"').next()?;
    let mut places = statement.match_indices(near);
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// The database's own words, all that it has.
pub(super) fn words(error: &sqlx::Error, fault: &Fault) -> String {
    let said = &fault.message;
    let sqlx::Error::Database(error) = error else {
        return said.clone();
    };
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let more: String = [("detail", error.detail()), ("hint", error.hint())]
            .iter()
            .filter_map(|(name, more)| Some(format!(" ({name}: {})", (*more)?)))
            .collect();
        return format!("{said}{more} [{}]", error.code());
    }
    match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(error) => format!("{said} [{}]", error.number()),
        None => said.clone(),
    }
}

/// What to do.
pub(super) fn hint(
    backend: Backend,
    file: &MigrationFile,
    fault: &Fault,
    is_lost: bool,
    stays: PartialEffects,
) -> String {
    let version = file.version();
    if is_lost {
        return "see in the database what it did, and in the server's log why the connection broke; then start again".to_owned();
    }
    match (backend, fault.code.as_str()) {
        (Backend::Postgres, "25001") if file.has_no_transaction() => {
            "have this statement alone in its file: several in one file are one transaction"
                .to_owned()
        }
        (Backend::Postgres, "25001") => {
            "begin the file with the line `-- no-transaction`, and have that statement alone in it"
                .to_owned()
        }
        // SQLite passes over it.
        (Backend::Postgres | Backend::Mysql, _) if file.has_byte_order_mark() => {
            "save the file as UTF-8 without a byte order mark (BOM), which is no SQL, and start again"
                .to_owned()
        }
        (Backend::Mysql | Backend::Sqlite, _) if leaves_row(backend, stays) => format!(
            "mend the file and start again; where {TABLE} has a row of version {version}, undo by hand what stays and delete that row first"
        ),
        _ => stays.hint().to_owned(),
    }
}

/// Whether the file's row, which says that it did not come to its end, may be there.
fn leaves_row(backend: Backend, stays: PartialEffects) -> bool {
    backend == Backend::Mysql || stays == PartialEffects::Committed
}
