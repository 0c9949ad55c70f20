//! The lock: a transaction-level advisory lock.
//!
//! The transaction that takes it stays open, so that a pooler in transaction mode keeps the server
//! connection for it, and does nothing but confirm itself until it records the end. It holds no other
//! lock, not even on the system's tables, which `REINDEX DATABASE` and `VACUUM FULL` want for
//! themselves, and no snapshot that `CREATE INDEX CONCURRENTLY` or vacuum would wait for. The server
//! ends it after a lease of silence.
//! <https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS>,
//! <https://www.pgbouncer.org/features.html>.

use std::{fmt, os::fd::BorrowedFd, time::Duration};

use sha2::{Digest, Sha256};

use crate::db::{
    Error, Target,
    connection::{Connection, Pending},
    error::RecordError,
    fault::{Fault, FaultKind},
    ledger_connection::LedgerConnection,
    lock::{HeldLock, LockConnection, RunEnd, TakenLock, broke, not_running},
    lock_id::lock_id,
};

/// The transaction that holds the lock.
struct AdvisoryLock {
    session: LockConnection,
    key: LockKey,
    /// When it began, in microseconds since 1970: no other transaction of this session can have the
    /// same start.
    began_us: i64,
    pid: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LockKey {
    class: i32,
    object: i32,
}

impl LockKey {
    /// It depends on the app only: advisory locks are per database, and the migration may change
    /// where
    /// the ledger is looked for while the lock is held (`ALTER DATABASE … SET search_path`).
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
impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The cast is for the smallest integer, whose unsigned digits parse as a bigint.
        write!(f, "({})::int, ({})::int", self.class, self.object)
    }
}

/// Takes the lock, unless another replica has it. Never waits for it.
pub(super) async fn try_lock(
    mut connection: Box<dyn Connection>,
    target: &Target,
    bound: Duration,
) -> Result<Option<TakenLock>, Error> {
    let key = LockKey::of(&target.app);
    // Whatever reads a table keeps a lock on it until its transaction ends, here as long as the
    // migration, and REINDEX or VACUUM FULL would wait for it: nothing here reads one.
    let batch = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL application_name = 'launchgate:lock'; \
         SET LOCAL search_path TO pg_catalog, pg_temp; \
         SET LOCAL idle_in_transaction_session_timeout = {lease}; \
         SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; \
         SELECT pg_try_advisory_xact_lock({key}), current_database(), pg_is_in_recovery(), \
         current_setting('transaction_read_only'), (extract(epoch FROM now()) * 1000000)::bigint, pg_backend_pid(), \
         current_setting('server_encoding'), {durable}, {no_limit}",
        lease = target.lease.as_millis(),
        ms = bound.as_millis(),
        // with `off` a crash of the server could forget a recorded success
        durable = "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' \
                   THEN 'local' ELSE current_setting('synchronous_commit') END, true)",
        // PostgreSQL 17 can limit whole transactions; this one lasts as long as the migration
        no_limit = "CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL \
                    THEN set_config('transaction_timeout', '0', true) END",
    );
    let rows = connection.rows(batch, bound).await?;
    let [row] = rows.as_slice() else {
        return Err(Error::Broken("the lock query returned no row".to_owned()));
    };
    if row.flag(2) || row.flag(3) {
        return Err(read_only(row.flag(2)));
    }
    if !row.flag(0) {
        connection.run("ROLLBACK".to_owned(), bound).await?;
        connection.close().await;
        return Ok(None);
    }
    let began_us = row.int(4)?;
    Ok(Some(TakenLock {
        lock_id: lock_id(&target.app, &row.text(1)),
        is_unicode: matches!(row.text(6).as_str(), "UTF8" | "SQL_ASCII"),
        cluster: None,
        began_us: Some(began_us),
        lock: Box::new(AdvisoryLock {
            key,
            began_us,
            pid: row.int(5)?,
            session: LockConnection::new(connection),
        }),
    }))
}

/// Why nothing can be written.
pub(super) fn read_only(is_standby: bool) -> Error {
    let what = if is_standby {
        "the server is a standby"
    } else {
        "the session is read-only"
    };
    let hint = "point the database URL at the primary, with a role that may write";
    Error::not_ready(what, hint)
}

impl HeldLock for AdvisoryLock {
    fn confirm(&mut self, bound: Duration) -> Pending<'_, Result<(), Error>> {
        // By a volatile function too: Pgpool-II sends a query without one to a standby.
        let is_holder = format!(
            "clock_timestamp() IS NOT NULL AND (extract(epoch FROM now()) * 1000000)::bigint = {} AND pg_backend_pid() = {}",
            self.began_us, self.pid
        );
        Box::pin(async move {
            let gone = "the transaction that held the lock";
            self.session.confirm(&is_holder, gone, bound).await
        })
    }

    fn excludes<'a>(&self, ledger: &'a mut LedgerConnection) -> Pending<'a, Result<bool, Error>> {
        let ask = format!(
            "SELECT NOT pg_try_advisory_xact_lock({}) AND EXISTS ({} AND l.pid = {})",
            self.key,
            held(self.key),
            self.pid
        );
        Box::pin(ledger.is_true(ask))
    }

    /// By the ledger's connection: this transaction must stay without an id.
    fn append<'a>(
        &'a mut self,
        ledger: &'a mut LedgerConnection,
        row: &dyn Fn(Option<&str>) -> String,
    ) -> Pending<'a, Result<u64, Fault>> {
        Box::pin(ledger.run(row(None)))
    }

    /// The end of the run and the end of the lock are one commit.
    fn record(
        mut self: Box<Self>,
        end: RunEnd<'_>,
        bound: Duration,
    ) -> Pending<'_, Result<(), RecordError>> {
        Box::pin(async move {
            let update = end.statement(None);
            match self.session.connection.run(update, bound).await {
                Ok(1) => {}
                Ok(_) => {
                    self.release(bound).await;
                    return Err(RecordError::NotRecorded(not_running()));
                }
                Err(fault) if fault.kind == FaultKind::Server => {
                    self.release(bound).await;
                    return Err(RecordError::NotRecorded(fault.into()));
                }
                Err(fault) => return Err(RecordError::NotRecorded(broke(&fault.message))),
            }
            let mut connection = self.session.connection;
            match connection.run("COMMIT".to_owned(), bound).await {
                Ok(_) => {
                    connection.close().await;
                    Ok(())
                }
                Err(fault) => Err(RecordError::Unknown(Error::Broken(fault.message))),
            }
        })
    }

    fn release(self: Box<Self>, bound: Duration) -> Pending<'static, ()> {
        Box::pin(async move {
            let mut connection = self.session.connection;
            if connection.run("ROLLBACK".to_owned(), bound).await.is_ok() {
                connection.close().await;
            }
        })
    }

    fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The rows of `pg_locks l` that an advisory lock of two integers has while it is held. Its columns
/// are unsigned: <https://www.postgresql.org/docs/current/view-pg-locks.html>.
fn held(LockKey { class, object }: LockKey) -> String {
    format!(
        "SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() \
         AND l.granted AND l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = {} AND l.objid::bigint = {}",
        class.cast_unsigned(),
        object.cast_unsigned()
    )
}

/// Whether anybody holds the lock, without touching it.
pub(super) fn is_held(app: &str) -> String {
    format!(
        "SELECT clock_timestamp() IS NOT NULL AND EXISTS ({})",
        held(LockKey::of(app))
    )
}
