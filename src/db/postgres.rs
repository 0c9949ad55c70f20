//! `PostgreSQL`, also behind `PgBouncer`: the lock is a transaction-level advisory lock.
//!
//! The transaction that takes it stays open, so that a pooler in transaction mode keeps the
//! server connection for it, and does nothing but confirm itself until it records the end: it
//! holds no other lock, on the system's tables neither, which `REINDEX DATABASE` and `VACUUM FULL`
//! want for themselves, and no snapshot that `CREATE INDEX CONCURRENTLY` or vacuum would wait for.
//! The server ends it when it is silent for a lease.
//! <https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS>,
//! <https://www.pgbouncer.org/features.html>.

mod connect;
mod orphans;
pub(super) mod schema;

use std::{fmt, time::Duration};

use sha2::{Digest, Sha256};

pub(super) use connect::{TOO_OLD, connect, pooler};

use super::{
    Error, Target,
    error::{Fault, FaultKind},
    ledger::RunOutcome,
    ledger_connection::LedgerConnection,
    locked::RecordError,
    sql::{Sql, hex},
    wire::{Row, Wire},
};

/// The transaction that holds the lock.
pub(super) struct Hold {
    wire: Wire,
    key: Key,
    /// When it began, in microseconds since 1970: no other transaction of this session can
    /// have the same start.
    began_us: i64,
    pid: i64,
    confirmed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    class: i32,
    object: i32,
}

/// What the server said about itself when the lock was taken.
pub(super) struct Facts {
    pub(super) sql: Sql,
    pub(super) lock_id: String,
}

impl Key {
    /// It stands for the app alone: advisory locks are per database, and where the ledger is may
    /// change while the lock is held, by an `ALTER DATABASE … SET search_path` of the migration.
    fn of(app: &str) -> Self {
        let hash = Sha256::digest(format!("launchgate lock {app}"));
        let int = |at| i32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]);
        Self {
            class: int(0),
            object: int(4),
        }
    }
}

/// As two arguments.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The cast is for the least of all integers, whose digits alone are a bigint.
        write!(f, "({})::int, ({})::int", self.class, self.object)
    }
}

/// Takes the lock; `None` where somebody else has it. Never waits for it.
pub(super) async fn try_lock(
    mut wire: Wire,
    target: &Target,
) -> Result<Result<(Hold, Facts), Wire>, Error> {
    let bound = target.holder_call();
    let key = Key::of(&target.app);
    // What reads a table keeps a lock on it until its transaction ends, here as long as the
    // migration, and REINDEX or VACUUM FULL would wait for it: the search for the ledger gives
    // back what it took.
    let batch = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO DEFAULT; \
         SET LOCAL idle_in_transaction_session_timeout = {lease}; \
         SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; \
         SELECT pg_try_advisory_xact_lock({key}), current_database(), pg_is_in_recovery(), \
         current_setting('transaction_read_only'), (extract(epoch FROM now()) * 1000000)::bigint, pg_backend_pid(), \
         current_setting('server_encoding'), {durable}, {no_limit}; \
         SAVEPOINT launchgate; {schema}; ROLLBACK TO SAVEPOINT launchgate; RELEASE SAVEPOINT launchgate",
        lease = target.lease.as_millis(),
        ms = bound.as_millis(),
        schema = schema::find(target.url.schema()),
        // with `off` a crash of the server could forget a recorded success
        durable = "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' \
                   THEN 'local' ELSE current_setting('synchronous_commit') END, true)",
        // PostgreSQL 17 has a limit for whole transactions; this one lasts as long as the migration
        no_limit = "CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL \
                    THEN set_config('transaction_timeout', '0', true) END",
    );
    let rows = wire.rows(batch, bound).await?;
    let [row, place] = rows.as_slice() else {
        return Err(Error::Broken(
            "the server said nothing about the lock".to_owned(),
        ));
    };
    refuse_unfit(row)?;
    if !row.flag(0) {
        wire.run("ROLLBACK".to_owned(), bound).await?;
        return Ok(Err(wire));
    }
    let Some(schema) = place.opt(0) else {
        let (what, hint) = no_schema();
        return Err(Error::refused(what, hint));
    };
    let mut sql = Sql::new(super::Backend::Postgres, Some(&schema));
    sql.ascii = !matches!(row.text(6).as_str(), "UTF8" | "SQL_ASCII");
    let lock_id = lock_id(&target.app, &row.text(1));
    let hold = Hold {
        key,
        began_us: row.int(4)?,
        pid: row.int(5)?,
        confirmed: 0,
        wire,
    };
    Ok(Ok((hold, Facts { sql, lock_id })))
}

fn refuse_unfit(row: &Row) -> Result<(), Error> {
    if !row.flag(2) && !row.flag(3) {
        return Ok(());
    }
    let (what, hint) = read_only(row.flag(2));
    Err(Error::refused(what, hint))
}

/// Why nothing can be written, and what to do.
pub(super) fn read_only(is_standby: bool) -> (String, String) {
    let what = if is_standby {
        "the server is a standby"
    } else {
        "the session is read-only"
    };
    let hint = "point the database URL at the primary, as a role that may write";
    (what.to_owned(), hint.to_owned())
}

/// Why there is no place for the ledger, and what to do.
pub(super) fn no_schema() -> (String, String) {
    let what = "the role's search_path names no schema that exists";
    let hint = "create the schema, or name one with ?schema= in the database URL";
    (what.to_owned(), hint.to_owned())
}

/// 16 hexadecimal digits that stand for app and database.
pub(super) fn lock_id(app: &str, database: &str) -> String {
    let hash = Sha256::digest(format!("launchgate\0{app}\0{database}"));
    hex(&hash[..8])
}

impl Hold {
    /// One round trip that only the transaction that took the lock can answer.
    ///
    /// After a silence the connection is kept: an answer that comes late is told from the
    /// next one by its number.
    pub(super) async fn confirm(&mut self, bound: Duration) -> Result<(), Error> {
        self.confirmed += 1;
        let number = self.confirmed;
        let ask = format!(
            "SELECT (extract(epoch FROM now()) * 1000000)::bigint = {} AND pg_backend_pid() = {}, {number}",
            self.began_us, self.pid
        );
        match self.wire.rows(ask, bound).await {
            Ok(rows)
                if rows
                    .iter()
                    .any(|row| row.flag(0) && row.text(1) == number.to_string()) =>
            {
                Ok(())
            }
            Ok(_) => Err(Error::Lost(
                "the transaction that held the lock is gone".to_owned(),
            )),
            Err(fault) if fault.kind == FaultKind::Timeout => Err(Error::Broken(fault.message)),
            Err(fault) => Err(Error::Lost(format!(
                "the lock's connection broke: {}",
                fault.message
            ))),
        }
    }

    /// The ledger's connection must not get the lock, and must see this one have it.
    pub(super) async fn excludes(&self, book: &mut LedgerConnection) -> Result<bool, Error> {
        let ask = format!(
            "SELECT pg_try_advisory_xact_lock({}), EXISTS ({} AND l.pid = {})",
            self.key,
            held(self.key),
            self.pid
        );
        let rows = book.rows(ask, book.call()).await?;
        Ok(rows.last().is_some_and(|row| !row.flag(0) && row.flag(1)))
    }

    /// The end of the run, by the transaction that holds the lock, and the lock's with it.
    pub(super) async fn record(
        mut self,
        sql: &Sql,
        run_id: &str,
        outcome: &RunOutcome,
        bound: Duration,
    ) -> Result<(), RecordError> {
        let lost = |fault: Fault| match fault.kind {
            FaultKind::Server => Error::from(fault),
            _ => Error::Lost(format!("the lock's connection broke: {}", fault.message)),
        };
        let done = self
            .wire
            .run(sql.finish(run_id, outcome, None), bound)
            .await;
        match done {
            Ok(done) if done.affected == 1 => {}
            Ok(_) => {
                self.release(bound).await;
                return Err(RecordError::NotRecorded(Error::Lost(
                    "the run's row is not `running` any more".to_owned(),
                )));
            }
            Err(fault) => {
                let answered = fault.kind == FaultKind::Server;
                if answered {
                    self.release(bound).await;
                }
                return Err(RecordError::NotRecorded(lost(fault)));
            }
        }
        match self.wire.run("COMMIT".to_owned(), bound).await {
            Ok(_) => {
                self.wire.close().await;
                Ok(())
            }
            Err(fault) => Err(RecordError::Unknown(Error::Broken(fault.message))),
        }
    }

    pub(super) async fn release(mut self, bound: Duration) {
        // The server frees the lock with the connection, whatever comes of this.
        if self.wire.run("ROLLBACK".to_owned(), bound).await.is_ok() {
            self.wire.close().await;
        }
    }
}

/// The rows of `pg_locks l` that an advisory lock of two integers has while it is held. Its columns
/// are unsigned: <https://www.postgresql.org/docs/current/view-pg-locks.html>.
fn held(Key { class, object }: Key) -> String {
    format!(
        "SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() \
         AND l.granted AND l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = {} AND l.objid::bigint = {}",
        class.cast_unsigned(),
        object.cast_unsigned()
    )
}

/// Whether anybody holds the lock, without touching it.
pub(super) fn is_held(target: &Target) -> String {
    format!("SELECT EXISTS ({})", held(Key::of(&target.app)))
}
