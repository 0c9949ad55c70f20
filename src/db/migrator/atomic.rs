//! Whether a file that a tool runs without a transaction comes to the same in one. Pure.
//!
//! If it does, the file and its row are one: a process that is killed leaves nothing to clean up.

use super::{
    dialect::MigrationDialect,
    retry::{first_word, is_atomic},
    statements::statements,
};
use crate::db::Backend;

/// Whether the file does the same in a transaction of its own.
pub(super) fn is_atomic_file(dialect: &MigrationDialect, sql: &str) -> bool {
    if dialect.commits_schema_changes {
        return false;
    }
    let all = statements(sql, dialect.lexical_rules);
    let mut texts = all
        .iter()
        .map(|statement| &sql[statement.word..statement.end]);
    // Postgres makes one transaction of several statements anyway; of a single one, some make their own.
    if let [only] = all[..]
        && !dialect.rollback_ends_transaction
    {
        return is_atomic(&sql[only.word..only.end]);
    }
    !texts.any(needs_none)
}

/// Whether `SQLite` accepts all statements of a file in a transaction that was begun before.
pub(super) fn is_wrappable(sql: &str) -> bool {
    let rules = Backend::Sqlite.driver().migrations.lexical_rules;
    let refused = ["BEGIN", "COMMIT", "END", "ROLLBACK", "VACUUM", "DETACH"];
    let mut all = statements(sql, rules).into_iter();
    !all.any(|s| refused.contains(&&*first_word(&sql[s.word..s.end])))
}

/// Whether a statement begins or ends a transaction, or does nothing or fails in one.
fn needs_none(statement: &str) -> bool {
    let words = [
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
        "PREPARE",
        "PRAGMA",
        "VACUUM",
        "ATTACH",
        "DETACH",
        "CALL",
        "DO",
    ];
    words.contains(&&*first_word(statement))
}

#[cfg(test)]
mod tests {
    use super::*;

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
