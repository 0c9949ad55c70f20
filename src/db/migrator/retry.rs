//! What can be tried again after a statement failed because another session was in the way. Pure.

use super::{
    dialect::{FileTransaction, MigrationDialect},
    failure::ends_transaction,
    statements::Statement,
};

/// What is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// All files that share the transaction, which was undone.
    Unit,
    /// The part of the file, of which nothing remains.
    Part,
    /// The statement alone: those before it remain.
    Statement,
    /// Nothing: nobody knows what remains.
    Nothing,
}

/// Which statements of a part were executed, and which one failed.
#[derive(Clone, Copy)]
pub(super) struct Executed<'a> {
    pub(super) sql: &'a str,
    pub(super) all: &'a [Statement],
    pub(super) done: usize,
    /// Something was committed before this part.
    pub(super) has_committed: bool,
}

impl Executed<'_> {
    fn text(&self, statement: &Statement) -> &str {
        &self.sql[statement.word..statement.end]
    }

    fn before(&self) -> impl Iterator<Item = &str> {
        self.all.iter().take(self.done).map(|s| self.text(s))
    }

    fn failed(&self) -> &str {
        self.all.get(self.done).map_or("", |s| self.text(s))
    }
}

/// What can be tried again.
pub(super) fn retry(
    dialect: &MigrationDialect,
    transaction: FileTransaction,
    executed: Executed<'_>,
) -> Retry {
    if dialect.commits_schema_changes {
        return where_changes_commit(transaction, executed);
    }
    let rollback_ends = dialect.rollback_ends_transaction;
    let ended = executed
        .before()
        .any(|s| ends_transaction(s, rollback_ends));
    if transaction.is_open() {
        return if ended || executed.has_committed {
            Retry::Nothing
        } else {
            Retry::Unit
        };
    }
    if dialect.can_repeat_statement {
        return Retry::Statement;
    }
    if ended || executed.all.len() == 1 && !is_atomic(executed.failed()) {
        Retry::Nothing
    } else {
        Retry::Part
    }
}

/// Every change of the schema commits what came before it, and ends the transaction: from there on each
/// statement is a transaction of its own. So is each one of a file that has none.
fn where_changes_commit(transaction: FileTransaction, executed: Executed<'_>) -> Retry {
    let mut all = executed.before().chain([executed.failed()]);
    if all.any(controls_transactions) {
        return Retry::Nothing;
    }
    let has_committed = executed.has_committed
        || !transaction.is_open()
        || executed.before().any(|s| !changes_rows_only(s))
        || !changes_rows_only(executed.failed());
    if has_committed {
        Retry::Statement
    } else {
        Retry::Unit
    }
}

/// Whether a statement may begin or end transactions, or hide statements that do.
fn controls_transactions(statement: &str) -> bool {
    match first_word(statement).as_str() {
        "SET" => statement.to_ascii_lowercase().contains("autocommit"),
        word => [
            "BEGIN",
            "START",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT",
            "RELEASE",
            "XA",
            "LOCK",
            "UNLOCK",
            "CALL",
            "EXECUTE",
            "DELIMITER",
        ]
        .contains(&word),
    }
}

/// Whether a statement leaves the transaction open, on a database that commits changes of the schema.
pub(super) fn changes_rows_only(statement: &str) -> bool {
    let word = first_word(statement);
    [
        "INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH", "VALUES", "SET", "DO", "USE",
        "SHOW", "",
    ]
    .contains(&word.as_str())
}

/// Whether a statement that is sent alone is done as a whole or not at all.
pub(super) fn is_atomic(statement: &str) -> bool {
    let is_plain = [
        "CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "COMMENT", "GRANT",
        "REVOKE", "SELECT", "WITH",
    ]
    .contains(&first_word(statement).as_str());
    let mut words = statement.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let has_own_steps = words.any(|word| {
        [
            "CONCURRENTLY",
            "DATABASE",
            "TABLESPACE",
            "SUBSCRIPTION",
            "SYSTEM",
            "VALUE",
        ]
        .iter()
        .any(|own| word.eq_ignore_ascii_case(own))
    });
    is_plain && !has_own_steps
}

pub(super) fn first_word(statement: &str) -> String {
    let letters = statement.trim_start().chars();
    letters
        .take_while(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Backend, migrator::statements::statements};

    fn after(backend: Backend, transaction: FileTransaction, sql: &str, done: usize) -> Retry {
        let dialect = backend.driver().migrations;
        let all = statements(sql, dialect.lexical_rules);
        let executed = Executed {
            sql,
            all: &all,
            done,
            has_committed: false,
        };
        retry(dialect, transaction, executed)
    }

    #[test]
    fn a_transaction_is_tried_again_as_a_whole() {
        let sql = "create table a (x int); update b set x = 1";
        for (backend, retried) in [
            (Backend::Postgres, Retry::Unit),
            (Backend::Sqlite, Retry::Unit),
            (Backend::Mysql, Retry::Statement),
        ] {
            assert_eq!(after(backend, FileTransaction::RowLast, sql, 1), retried);
        }
        let rows = "update a set x = 1; update b set x = 1";
        let mysql = after(Backend::Mysql, FileTransaction::RowFirst, rows, 1);
        assert_eq!(mysql, Retry::Unit);
        let ended = "update a set x = 1; commit; update b set x = 1";
        for backend in Backend::ALL {
            let retried = after(backend, FileTransaction::RowLast, ended, 2);
            assert_eq!(retried, Retry::Nothing, "{backend:?}");
        }
    }

    #[test]
    fn without_a_transaction_what_remains_is_not_done_twice() {
        let none = FileTransaction::None;
        let two = "update a set x = 1; update b set x = 1";
        assert_eq!(after(Backend::Postgres, none, two, 1), Retry::Part);
        assert_eq!(after(Backend::Sqlite, none, two, 1), Retry::Statement);
        assert_eq!(after(Backend::Mysql, none, two, 1), Retry::Statement);
        let index = "create index concurrently i on a (x)";
        assert_eq!(after(Backend::Postgres, none, index, 0), Retry::Nothing);
        let alter = "alter table a add y int";
        assert_eq!(after(Backend::Postgres, none, alter, 0), Retry::Part);
        let called = "call p(); update a set x = 1";
        assert_eq!(after(Backend::Mysql, none, called, 1), Retry::Nothing);
    }
}
