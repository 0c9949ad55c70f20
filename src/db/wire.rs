//! One connection, spoken to in plain SQL text, every call bounded in time.
//!
//! Statements go out by the simple query protocol, values as hexadecimal literals: nothing is
//! prepared, so a pooler that gives every transaction another server connection does no harm,
//! one call is one round trip, and no setting of the server changes what a literal means.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _, SqliteConnection,
    mysql::MySqlRow, postgres::PgRow, sqlite::SqliteRow,
};
use tokio::time::timeout;

use super::{
    Backend,
    error::{Error, Fault, FaultPhase},
};

/// Closing politely is worth this much time and no more.
const CLOSE: Duration = Duration::from_millis(300);

pub(super) enum Wire {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// What a statement that writes did.
pub(super) struct Done {
    pub(super) affected: u64,
    pub(super) insert_id: i64,
}

/// A row as text, column by column.
pub(super) struct Row(Vec<Option<String>>);

impl Row {
    pub(super) fn opt(&self, column: usize) -> Option<String> {
        self.0.get(column).cloned().flatten()
    }

    pub(super) fn text(&self, column: usize) -> String {
        self.opt(column).unwrap_or_default()
    }

    /// 1, t and true are true; NULL is not.
    pub(super) fn flag(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Some(word)) if matches!(word.as_str(), "1" | "t" | "true" | "on" | "ON"))
    }

    pub(super) fn int(&self, column: usize) -> Result<i64, Error> {
        let word = self.text(column);
        word.parse().map_err(|_| {
            Error::refused(
                format!("the ledger has another shape: {word:?} where a number was expected"),
                "compare the table launchgate_runs with `launchgate print-ddl`",
            )
        })
    }

    /// Of seconds and their fraction; none of a clock that was set back.
    pub(super) fn milliseconds(&self, column: usize) -> Result<i64, Error> {
        let word = self.text(column);
        let seconds: Option<f64> = word.parse().ok().filter(|s: &f64| s.is_finite());
        let Some(seconds) = seconds else {
            return Ok(self.int(column)?.saturating_mul(1000));
        };
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }

    pub(super) fn opt_int(&self, column: usize) -> Option<i32> {
        self.opt(column)?.parse().ok()
    }
}

impl Wire {
    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Postgres(_) => Backend::Postgres,
            Self::Mysql(_) => Backend::Mysql,
            Self::Sqlite(_) => Backend::Sqlite,
        }
    }

    /// The rows of all statements in `sql`, in order.
    ///
    /// After a fault that is not the server's own answer the wire must be dropped, but for
    /// [`super::locked::Locked::confirm`], which knows its own answers from older ones.
    pub(super) async fn rows(&mut self, sql: String, bound: Duration) -> Result<Vec<Row>, Fault> {
        let backend = self.backend();
        let query = sqlx::raw_sql(AssertSqlSafe(sql));
        let rows = async {
            match self {
                Self::Postgres(conn) => query.fetch_all(conn).await?.iter().map(pg_row).collect(),
                Self::Mysql(conn) => query.fetch_all(conn).await?.iter().map(my_row).collect(),
                Self::Sqlite(conn) => query.fetch_all(conn).await?.iter().map(lite_row).collect(),
            }
        };
        bounded(backend, bound, rows).await
    }

    /// Runs `sql`; `affected` sums over its statements.
    pub(super) async fn run(&mut self, sql: String, bound: Duration) -> Result<Done, Fault> {
        let backend = self.backend();
        let query = sqlx::raw_sql(AssertSqlSafe(sql));
        let done = async {
            Ok(match self {
                Self::Postgres(conn) => Done {
                    affected: query.execute(conn).await?.rows_affected(),
                    insert_id: 0,
                },
                Self::Mysql(conn) => {
                    let done = query.execute(conn).await?;
                    let insert_id = i64::try_from(done.last_insert_id()).unwrap_or(i64::MAX);
                    Done {
                        affected: done.rows_affected(),
                        insert_id,
                    }
                }
                Self::Sqlite(conn) => {
                    let done = query.execute(conn).await?;
                    Done {
                        affected: done.rows_affected(),
                        insert_id: done.last_insert_rowid(),
                    }
                }
            })
        };
        bounded(backend, bound, done).await
    }

    /// Says goodbye, so that the server's log has nothing to complain about.
    pub(super) async fn close(self) {
        let goodbye = async {
            match self {
                Self::Postgres(conn) => conn.close().await,
                Self::Mysql(conn) => conn.close().await,
                Self::Sqlite(conn) => conn.close().await,
            }
        };
        // Nobody is left to tell: the server sees the socket close in any case.
        drop(timeout(CLOSE, goodbye).await);
    }
}

async fn bounded<T>(
    backend: Backend,
    bound: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Fault> {
    match timeout(bound, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::new(backend, FaultPhase::Call, &error)),
        Err(_) => Err(Fault::timeout(backend, FaultPhase::Call, bound)),
    }
}

fn pg_row(row: &PgRow) -> Result<Row, sqlx::Error> {
    (0..row.len())
        .map(|column| row.try_get_unchecked(column))
        .collect::<Result<_, _>>()
        .map(Row)
}

/// Bytes, since a server may be set to answer in a character set of its own choice.
fn my_row(row: &MySqlRow) -> Result<Row, sqlx::Error> {
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (0..row.len())
        .map(|column| {
            row.try_get_unchecked::<Option<Vec<u8>>, _>(column)
                .map(|value| value.map(lossy))
        })
        .collect::<Result<_, _>>()
        .map(Row)
}

fn lite_row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    (0..row.len())
        .map(|column| row.try_get_unchecked(column))
        .collect::<Result<_, _>>()
        .map(Row)
}
