//! Sending statements, and counting how many were executed.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor};

use crate::db::connection::SqlxBackend;

/// Sends all of it in one message.
pub(in crate::db) async fn send<DB: SqlxBackend>(
    connection: &mut DB::Connection,
    sql: &str,
    done: &mut usize,
) -> sqlx::Result<()>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut answers = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
    while let Some(answer) = answers.try_next().await? {
        if let Either::Left(_) = answer {
            *done += 1;
        }
    }
    Ok(())
}
