//! What statements do to the transaction that they are executed in. Pure.

use super::{
    dialect::MigrationDialect,
    statements::{Statement, statements},
};
use crate::db::Backend;

/// Whether what came before this statement remains. A ROLLBACK undoes that; where statements are executed
/// one by one it ends the transaction for good, and what follows commits by itself.
pub(super) fn ends_transaction(statement: &str, one_by_one: bool) -> bool {
    let words = statement.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(4).map(str::to_ascii_uppercase).collect();
    match words.first().map(String::as_str) {
        Some("COMMIT" | "END") => true,
        Some("PREPARE") => words.get(1).is_some_and(|word| word == "TRANSACTION"),
        Some("ROLLBACK") => one_by_one && !words.iter().any(|word| word == "TO"),
        _ => false,
    }
}

/// Whether these statements end the transaction that they are executed in.
pub(super) fn commits(dialect: &MigrationDialect, sql: &str, all: &[Statement]) -> bool {
    all.iter().map(|s| s.of(sql)).any(|statement| {
        ends_transaction(statement, dialect.one_by_one.is_some())
            || dialect.commits_schema_changes && !changes_rows_only(statement)
    })
}

/// Whether a statement may begin or end transactions, or hide statements that do.
pub(super) fn controls_transactions(statement: &str) -> bool {
    begins_with(
        statement,
        "BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE XA LOCK UNLOCK CALL EXECUTE DELIMITER",
    ) || begins_with(statement, "SET") && statement.to_ascii_lowercase().contains("autocommit")
}

/// Whether a statement leaves the transaction open, on a database that commits changes of the schema.
pub(super) fn changes_rows_only(statement: &str) -> bool {
    let words = "INSERT UPDATE DELETE REPLACE SELECT WITH VALUES SET DO USE SHOW";
    first_word(statement).is_empty() || begins_with(statement, words)
}

/// Whether a statement that is sent alone is done as a whole or not at all.
pub(super) fn is_atomic(statement: &str) -> bool {
    let own_steps = "CONCURRENTLY DATABASE TABLESPACE SUBSCRIPTION SYSTEM VALUE";
    let mut words = statement.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    begins_with(
        statement,
        "CREATE ALTER DROP INSERT UPDATE DELETE TRUNCATE COMMENT GRANT REVOKE SELECT WITH",
    ) && !words.any(|word| is_one_of(word, own_steps))
}

/// Whether a file that a tool runs without a transaction comes to the same in one. Then the file and its
/// row are one: a process that is killed leaves nothing to clean up.
pub(super) fn is_atomic_file(dialect: &MigrationDialect, sql: &str) -> bool {
    // These begin or end a transaction, or do nothing or fail in one.
    let outside = "BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE PREPARE PRAGMA VACUUM ATTACH DETACH CALL DO";
    let all = statements(sql, dialect.lexer);
    match all[..] {
        _ if dialect.commits_schema_changes => false,
        // Postgres makes one transaction of several statements anyway; of a single one, some make their own.
        [only] if dialect.one_by_one.is_none() => is_atomic(only.of(sql)),
        _ => !all.iter().any(|s| begins_with(s.of(sql), outside)),
    }
}

/// Whether `SQLite` accepts all statements of a file in a transaction that was begun before.
pub(super) fn is_wrappable(sql: &str) -> bool {
    let lexer = Backend::Sqlite.driver().migrations.lexer;
    let refused = "BEGIN COMMIT END ROLLBACK VACUUM DETACH";
    let all = statements(sql, lexer);
    !all.iter().any(|s| begins_with(s.of(sql), refused))
}

/// Whether a statement's first word is one of these, separated by blanks.
fn begins_with(statement: &str, words: &str) -> bool {
    is_one_of(first_word(statement), words)
}

fn first_word(statement: &str) -> &str {
    let statement = statement.trim_start();
    let end = statement.find(|c: char| !c.is_ascii_alphabetic());
    &statement[..end.unwrap_or(statement.len())]
}

fn is_one_of(word: &str, words: &str) -> bool {
    words.split(' ').any(|one| word.eq_ignore_ascii_case(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_end_a_transaction_are_known() {
        for (text, is_end, is_end_one_by_one) in [
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
            assert_eq!(ends_transaction(text, true), is_end_one_by_one, "{text}");
        }
    }

    #[test]
    fn a_file_is_wrapped_only_if_that_changes_nothing() {
        let two = "create table a (x int); create index i on a (x);";
        let pragma = "PRAGMA foreign_keys=OFF; drop table a;";
        let index = "create index concurrently i on a (x);";
        let own = "begin; create table a (x int); commit;";
        for (sql, postgres, sqlite) in [
            (two, true, true),
            (pragma, false, false),
            (index, false, true),
            (own, false, false),
            ("-- nothing", true, true),
            ("vacuum", false, false),
        ] {
            let is = |backend: Backend| is_atomic_file(backend.driver().migrations, sql);
            assert_eq!(is(Backend::Postgres), postgres, "{sql}");
            assert_eq!(is(Backend::Sqlite), sqlite, "{sql}");
            assert!(!is(Backend::Mysql), "{sql}");
        }
    }
}
