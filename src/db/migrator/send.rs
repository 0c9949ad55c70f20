//! Sending a file's statements, and counting how many came to their end.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, SqliteConnection};

use super::place::Statement;
use crate::db::wire::Wire;

/// How much of a file `SQLite` is handed at once. It copies all that is behind a statement before it
/// looks at it, so that a file of megabytes handed over whole would take minutes.
const AT_ONCE: usize = 16 * 1024;

macro_rules! count {
    ($conn:expr, $sql:expr, $done:expr) => {{
        let mut answers = $conn.fetch_many(sqlx::raw_sql(AssertSqlSafe($sql)));
        loop {
            match answers.try_next().await {
                Ok(Some(Either::Left(_))) => *$done += 1,
                Ok(Some(Either::Right(_))) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        }
    }};
}

/// Sends all of it in one message.
pub(super) async fn send(wire: &mut Wire, sql: &str, done: &mut usize) -> sqlx::Result<()> {
    match wire {
        Wire::Postgres(conn) => count!(conn, sql, done),
        Wire::Mysql(conn) => count!(conn, sql, done),
        Wire::Sqlite(conn) => count!(conn, sql, done),
    }
}

/// Sends the statements from number `done` on, several at once where they are `alone` in no
/// transaction. With the error `done` is the number of the one that failed.
pub(super) async fn send_one_by_one(
    conn: &mut SqliteConnection,
    sql: &str,
    all: &[Statement],
    alone: bool,
    done: &mut usize,
) -> sqlx::Result<()> {
    while let Some(first) = all.get(*done) {
        let together = all[*done..].iter();
        let together = together.take_while(|s| !alone && s.end < first.from + AT_ONCE);
        let next = *done + together.count().max(1);
        let end = all.get(next).map_or(sql.len(), |statement| statement.from);
        let mut ended = 0;
        let answer: sqlx::Result<()> = count!(conn, &sql[first.from..end], &mut ended);
        if let Err(error) = answer {
            *done = (*done + ended).min(next - 1);
            return Err(error);
        }
        *done = next;
    }
    Ok(())
}
