//! Sending statements, and counting how many were executed.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor};

use super::{dialect::MigrationDialect, statements::Statement};
use crate::db::{
    connection::{Connection, Pending, SqlxBackend, SqlxConnection},
    fault::{ErrorCodes, Fault, FaultPhase},
};

/// A statement that failed.
pub(in crate::db) struct StatementFault {
    pub(super) fault: Fault,
    /// What the database says of it besides its message.
    pub(super) details: String,
    /// The byte of the text that it is about, if the database says so.
    pub(super) at: Option<usize>,
}

impl From<Fault> for StatementFault {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            details: String::new(),
            at: None,
        }
    }
}

/// A connection for migrations.
pub(in crate::db) trait MigrationConnection: Connection {
    /// Sends a part of a file, from statement `done` on: in one message, unless the database executes
    /// statements one by one. `done` counts those that were executed; with an error it is the number of the
    /// one that failed.
    fn send<'a>(
        &'a mut self,
        dialect: &'static MigrationDialect,
        sql: &'a str,
        all: &'a [Statement],
        has_no_transaction: bool,
        done: &'a mut usize,
    ) -> Pending<'a, Result<(), StatementFault>>;
}

impl<DB: SqlxBackend> MigrationConnection for SqlxConnection<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    fn send<'a>(
        &'a mut self,
        dialect: &'static MigrationDialect,
        sql: &'a str,
        all: &'a [Statement],
        has_no_transaction: bool,
        done: &'a mut usize,
    ) -> Pending<'a, Result<(), StatementFault>> {
        Box::pin(async move {
            while let Some(first) = all.get(*done) {
                let is_beside = |other: &&Statement| match dialect.one_by_one {
                    Some(most) => !has_no_transaction && other.end < first.from + most,
                    None => true,
                };
                let together = all[*done..].iter().take_while(is_beside).count();
                let next = *done + together.max(1);
                let start = if *done == 0 { 0 } else { first.from };
                let end = all.get(next).map_or(sql.len(), |after| after.from);
                let text = AssertSqlSafe(&sql[start..end]);
                let mut answers = self.0.fetch_many(sqlx::raw_sql(text));
                let mut executed = 0;
                loop {
                    match answers.try_next().await {
                        Ok(Some(Either::Left(_))) => executed += 1,
                        Ok(Some(Either::Right(_))) => {}
                        Ok(None) => break,
                        Err(error) => {
                            *done = (*done + executed).min(next - 1);
                            return Err(explained(dialect, DB::CODES, (sql, all[*done]), &error));
                        }
                    }
                }
                *done = next;
            }
            Ok(())
        })
    }
}

fn explained(
    dialect: &MigrationDialect,
    codes: &'static ErrorCodes,
    (sql, statement): (&str, Statement),
    error: &sqlx::Error,
) -> StatementFault {
    let mut failed = StatementFault::from(Fault::new(codes, FaultPhase::Call, error));
    if let sqlx::Error::Database(error) = error {
        failed.details = (dialect.error_details)(error.as_ref());
        failed.at = (dialect.error_position)(error.as_ref(), sql, statement);
    }
    failed
}
