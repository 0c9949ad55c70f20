//! What can be tried again after a statement failed because another session was in the way. Pure.

use super::{
    failure::FailedFile,
    transactions::{changes_rows_only, controls_transactions, is_atomic},
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

impl FailedFile<'_> {
    /// What can be tried again.
    pub(super) fn retry(&self) -> Retry {
        if self.dialect.commits_schema_changes {
            return self.where_changes_commit();
        }
        let ended = self.has_ended();
        if self.transaction.is_open() {
            return if ended || self.has_committed {
                Retry::Nothing
            } else {
                Retry::Unit
            };
        }
        if self.dialect.one_by_one.is_some() {
            return Retry::Statement;
        }
        let is_single = self.all.len() == 1;
        if ended || is_single && !self.statement().is_some_and(is_atomic) {
            Retry::Nothing
        } else {
            Retry::Part
        }
    }

    /// Every change of the schema commits what came before it, and ends the transaction: from there on each
    /// statement is a transaction of its own. So is each one of a file that has none.
    fn where_changes_commit(&self) -> Retry {
        let tried = || self.executed().chain(self.statement());
        if tried().any(controls_transactions) {
            return Retry::Nothing;
        }
        let is_open = self.transaction.is_open() && !self.has_committed;
        if is_open && tried().all(changes_rows_only) {
            Retry::Unit
        } else {
            Retry::Statement
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{
        Backend,
        migrator::{dialect::FileTransaction, file::MigrationFile, progress::Progress},
    };

    fn after(backend: Backend, transaction: FileTransaction, sql: &str, done: usize) -> Retry {
        let file = MigrationFile {
            text: sql.to_owned(),
            ..MigrationFile::default()
        };
        let dialect = backend.driver().migrations;
        let progress = Progress {
            done,
            ..Progress::default()
        };
        FailedFile::new(&file.whole(), dialect, transaction, &progress).retry()
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
