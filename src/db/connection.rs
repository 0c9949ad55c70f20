//! A connection to a database, used in plain SQL text, with a time limit on every call.
//!
//! Statements go out by the simple query protocol, with values as hexadecimal literals. Nothing is
//! prepared, so a pooler may give each transaction a different server connection; one call
//! is one round trip; and no setting of the server changes what a literal means.

use std::{pin::Pin, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, Executor};
use tokio::time::timeout;

use super::{
    fault::{ErrorCodes, Fault, FaultPhase},
    rows::TextRow,
};

/// What an asynchronous method of a trait returns.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long saying goodbye may take.
const CLOSE: Duration = Duration::from_millis(300);

/// An open connection, or a file that each call opens for itself.
pub(super) trait Connection: Send {
    /// The rows of all statements in `sql`, in order.
    ///
    /// After any fault that the server did not report itself, drop the connection: a late answer
    /// would be mistaken for the next call's. Only a lock's connection is kept, since it numbers
    /// its queries.
    fn rows(&mut self, sql: String, bound: Duration) -> Pending<'_, Result<Vec<TextRow>, Fault>>;

    /// Runs `sql` and returns how many rows its statements changed altogether.
    fn run(&mut self, sql: String, bound: Duration) -> Pending<'_, Result<u64, Fault>>;

    /// Says goodbye, so that the server's log has nothing to complain about.
    fn close(self: Box<Self>) -> Pending<'static, ()>;
}

/// A database that sqlx has a driver for.
pub(super) trait SqlxBackend: sqlx::Database {
    /// What its errors mean.
    const CODES: &'static ErrorCodes;
    fn text_row(row: &Self::Row) -> sqlx::Result<TextRow>;
    fn affected(done: &Self::QueryResult) -> u64;
}

/// Why a connection could not be made.
pub(super) fn not_connected<DB: SqlxBackend>(error: &sqlx::Error) -> Fault {
    Fault::new(DB::CODES, FaultPhase::Connect, error)
}

/// A connection by sqlx's driver.
pub(super) struct SqlxConnection<DB: sqlx::Database>(pub(super) DB::Connection);

impl<DB: SqlxBackend> Connection for SqlxConnection<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    fn rows(&mut self, sql: String, bound: Duration) -> Pending<'_, Result<Vec<TextRow>, Fault>> {
        Box::pin(async move {
            let query = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.0);
            let rows = bounded(DB::CODES, bound, query).await?;
            rows.iter()
                .map(DB::text_row)
                .collect::<sqlx::Result<_>>()
                .map_err(|error| Fault::new(DB::CODES, FaultPhase::Call, &error))
        })
    }

    fn run(&mut self, sql: String, bound: Duration) -> Pending<'_, Result<u64, Fault>> {
        Box::pin(async move {
            let query = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0);
            let done = bounded(DB::CODES, bound, query).await?;
            Ok(DB::affected(&done))
        })
    }

    fn close(self: Box<Self>) -> Pending<'static, ()> {
        Box::pin(async move {
            // Whatever comes of it, the server sees the socket close.
            drop(timeout(CLOSE, self.0.close()).await);
        })
    }
}

async fn bounded<T>(
    codes: &'static ErrorCodes,
    bound: Duration,
    call: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, Fault> {
    match timeout(bound, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::new(codes, FaultPhase::Call, &error)),
        Err(_) => Err(Fault::timeout(codes, FaultPhase::Call, bound)),
    }
}
