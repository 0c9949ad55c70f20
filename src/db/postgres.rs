//! `PostgreSQL`, also behind `PgBouncer`: the lock is a transaction-level advisory lock.
//!
//! The transaction that takes it stays open, so that a pooler in transaction mode keeps the
//! server connection for it, and does nothing but confirm itself until it records the end: it
//! holds no lock that a migration could want, no snapshot that `CREATE INDEX CONCURRENTLY` or
//! vacuum would wait for. The server ends it when it is silent for a lease.
//! <https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS>,
//! <https://www.pgbouncer.org/features.html>.

mod connect;
mod orphans;

use std::time::Duration;

use sha2::{Digest, Sha256};

pub(super) use connect::{TOO_OLD, connect, pooler};

use super::{
    Error, Target,
    book::Book,
    error::{Fault, Kind},
    ledger::Outcome,
    locked::RecordError,
    sql::{Sql, TABLE, hex},
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
    class: i64,
    object: i64,
}

/// What the server said about itself when the lock was taken.
pub(super) struct Facts {
    pub(super) sql: Sql,
    pub(super) lock_id: String,
}

/// `schema`, `class`, `object`: where the ledger is or would be made, and the lock's key, which
/// stands for app and schema however the URL is spelt. Advisory locks are per database.
fn key(target: &Target) -> String {
    let sql = target.sql();
    let schema = match target.url.schema() {
        Some(schema) => sql.text(schema),
        None => format!(
            "coalesce((SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = to_regclass('{TABLE}')), current_schema()::text)"
        ),
    };
    format!(
        "(SELECT s.schema, ('x' || substr(s.hash, 1, 8))::bit(32)::int AS class, \
         ('x' || substr(s.hash, 9, 8))::bit(32)::int AS object FROM (SELECT l.schema, encode(sha256(convert_to(\
         'launchgate lock ' || {app}, 'UTF8') || '\\x00'::bytea || convert_to(l.schema, 'UTF8')), 'hex') AS hash \
         FROM (SELECT {schema} AS schema) l) s)",
        app = sql.text(&target.app),
    )
}

/// Takes the lock; `None` where somebody else has it. Never waits for it.
pub(super) async fn try_lock(
    mut wire: Wire,
    target: &Target,
) -> Result<Result<(Hold, Facts), Wire>, Error> {
    let bound = target.holder_call();
    let batch = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO DEFAULT; \
         SET LOCAL idle_in_transaction_session_timeout = {lease}; \
         SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; \
         SELECT pg_try_advisory_xact_lock(k.class, k.object), k.schema, current_database(), pg_is_in_recovery(), \
         current_setting('transaction_read_only'), (extract(epoch FROM now()) * 1000000)::bigint, pg_backend_pid(), \
         current_setting('server_encoding'), k.class, k.object, {durable}, {no_limit} FROM {key} k",
        lease = target.lease.as_millis(),
        ms = bound.as_millis(),
        key = key(target),
        // with `off` a crash of the server could forget a recorded success
        durable = "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' \
                   THEN 'local' ELSE current_setting('synchronous_commit') END, true)",
        // PostgreSQL 17 has a limit for whole transactions; this one lasts as long as the migration
        no_limit = "(SELECT count(set_config(name, '0', true)) FROM pg_settings WHERE name = 'transaction_timeout')",
    );
    let rows = wire.rows(batch, bound).await?;
    let row = rows
        .last()
        .ok_or_else(|| Error::Broken("the server said nothing about the lock".to_owned()))?;
    refuse_unfit(row)?;
    if !row.flag(0) {
        wire.run("ROLLBACK".to_owned(), bound).await?;
        return Ok(Err(wire));
    }
    let schema = row.text(1);
    let mut sql = Sql::new(super::Backend::Postgres, Some(&schema));
    sql.ascii = !matches!(row.text(7).as_str(), "UTF8" | "SQL_ASCII");
    let lock_id = lock_id(&target.app, &schema, &row.text(2));
    let key = Key {
        class: row.int(8)?,
        object: row.int(9)?,
    };
    let hold = Hold {
        key,
        began_us: row.int(5)?,
        pid: row.int(6)?,
        confirmed: 0,
        wire,
    };
    Ok(Ok((hold, Facts { sql, lock_id })))
}

fn refuse_unfit(row: &Row) -> Result<(), Error> {
    if row.flag(3) || row.flag(4) {
        let what = if row.flag(3) {
            "the server is a standby"
        } else {
            "the session is read-only"
        };
        return Err(Error::refused(
            what,
            "point the database URL at the primary, as a role that may write",
        ));
    }
    if row.opt(1).is_none() {
        return Err(Error::refused(
            "the role's search_path names no schema that exists",
            "create the schema, or name one with ?schema= in the database URL",
        ));
    }
    Ok(())
}

/// 16 hexadecimal digits that stand for app, schema and database.
pub(super) fn lock_id(app: &str, schema: &str, database: &str) -> String {
    let hash = Sha256::digest(format!("launchgate\0{app}\0{schema}\0{database}"));
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
            Err(fault) if fault.kind == Kind::Timeout => Err(Error::Broken(fault.message)),
            Err(fault) => Err(Error::Lost(format!(
                "the lock's connection broke: {}",
                fault.message
            ))),
        }
    }

    /// The ledger's connection must not get the lock, and must see this one have it.
    pub(super) async fn excludes(&self, book: &mut Book) -> Result<bool, Error> {
        let Key { class, object } = self.key;
        let ask = format!(
            "SELECT pg_try_advisory_xact_lock({class}, {object}), EXISTS (SELECT FROM pg_locks l \
             JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND l.granted AND {} \
             AND l.pid = {})",
            held(class, object),
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
        outcome: &Outcome,
        bound: Duration,
    ) -> Result<(), RecordError> {
        let lost = |fault: Fault| match fault.kind {
            Kind::Server => Error::from(fault),
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
                let answered = fault.kind == Kind::Server;
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

/// The condition on `pg_locks l` that an advisory lock of two integers has. Its columns are
/// unsigned: <https://www.postgresql.org/docs/current/view-pg-locks.html>.
fn held(class: i64, object: i64) -> String {
    format!(
        "l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = {} AND l.objid::bigint = {}",
        class & 0xffff_ffff,
        object & 0xffff_ffff
    )
}

/// Whether anybody holds the lock, without touching it.
pub(super) fn is_held(target: &Target) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database, {} k \
         WHERE d.datname = current_database() AND l.granted AND l.locktype = 'advisory' AND l.objsubid = 2 \
         AND l.classid::bigint = k.class::bigint & 4294967295 AND l.objid::bigint = k.object::bigint & 4294967295)",
        key(target)
    )
}
