//! `PostgreSQL`, also behind `PgBouncer`: the lock is a transaction-level advisory lock.
//!
//! The transaction that takes it stays open, so that a pooler in transaction mode keeps the
//! server connection for it, and does nothing but confirm itself until it records the end: it
//! holds no lock that a migration could want, no snapshot that `CREATE INDEX CONCURRENTLY` or
//! vacuum would wait for. The server ends it when it is silent for a lease.
//! <https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS>,
//! <https://www.pgbouncer.org/features.html>.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::timeout;

use super::{
    DatabaseUrl, Error, Target,
    book::Book,
    error::{Fault, Kind},
    ledger::{Orphan, Outcome},
    locked::RecordError,
    sql::{Sql, TABLE},
    target::{CALL, Purpose},
    url::TlsMode,
    wire::{Row, Wire},
};

/// Connects. Everything that is not said here the driver takes from libpq's variables, as
/// every Postgres client does.
pub(super) async fn connect(
    url: &DatabaseUrl,
    purpose: Purpose,
    mode: TlsMode,
) -> sqlx::Result<PgConnection> {
    let options = options(url, purpose.application_name(), mode)?;
    let conn = options.connect().await?;
    match conn.server_version_num() {
        Some(version) if version < 110_000 => Err(sqlx::Error::Tls(
            "launchgate needs PostgreSQL 11 or later".into(),
        )),
        _ => Ok(conn),
    }
}

pub(super) fn options(
    url: &DatabaseUrl,
    name: &str,
    mode: TlsMode,
) -> sqlx::Result<PgConnectOptions> {
    let mut options = match url.options() {
        // the driver has no other way to take them as they are
        Some(raw) => {
            let raw = utf8_percent_encode(raw, NON_ALPHANUMERIC);
            format!("postgres://localhost?options={raw}").parse()?
        }
        None => PgConnectOptions::new_without_pgpass(),
    };
    // poolers refuse start-up parameters they don't track, extra_float_digits among them
    options = options
        .application_name(name)
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(host) = url.host() {
        options = options.host(host);
    }
    if let Some(socket) = url.socket() {
        options = options.socket(socket);
    }
    if let Some(port) = url.port() {
        options = options.port(port);
    } else if url.host().is_some() || url.socket().is_some() {
        options = options.port(5432);
    }
    if let Some(user) = url.user() {
        options = options.username(user);
    }
    if let Some(password) = url.password() {
        options = options.password(password.expose());
    }
    if let Some(database) = url.database() {
        options = options.database(database);
    }
    Ok(tls(options, url, mode))
}

fn tls(options: PgConnectOptions, url: &DatabaseUrl, mode: TlsMode) -> PgConnectOptions {
    let tls = url.tls();
    // a Unix socket needs no TLS and has none: libpq passes sslmode over there
    let mode = if url.socket().is_some() {
        TlsMode::Disable
    } else {
        mode
    };
    let mut options = options.ssl_mode(match mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Allow => PgSslMode::Allow,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    });
    if let Some(file) = &tls.root_cert {
        options = options.ssl_root_cert(file);
    }
    if let Some(file) = &tls.client_cert {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &tls.client_key {
        options = options.ssl_client_key(file);
    }
    options
}

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
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
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

    /// `candidates` that are active or in a transaction that began before this one.
    pub(super) async fn orphans(
        &self,
        book: &mut Book,
        lock_id: &str,
    ) -> Result<Vec<Orphan>, Error> {
        let ask = format!(
            "SELECT a.pid, coalesce(a.state, 'unknown'), \
             coalesce((extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) * 1000)::bigint, 0), \
             a.application_name FROM pg_stat_activity a WHERE {} ORDER BY a.pid",
            self.orphaned(book, lock_id)
        );
        let rows = book.rows(ask, book.call()).await?;
        rows.iter()
            .map(|row| {
                Ok(Orphan {
                    pid: i32::try_from(row.int(0)?).unwrap_or_default(),
                    state: row.text(1),
                    age_ms: row.int(2)?,
                    run_id: row
                        .text(3)
                        .rsplit('/')
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                })
            })
            .collect()
    }

    /// Ends what `run_ids` left idle in a transaction. Says how many; none where this role
    /// may not.
    pub(super) async fn end_idle_orphans(
        &self,
        book: &mut Book,
        lock_id: &str,
        run_ids: &[String],
    ) -> Result<u32, Error> {
        if run_ids.is_empty() {
            return Ok(0);
        }
        let names: Vec<_> = run_ids
            .iter()
            .map(|run| book.sql.text(&format!("launchgate/{lock_id}/{run}")))
            .collect();
        let ask = format!(
            "SELECT count(*) FILTER (WHERE ended) FROM (SELECT pg_terminate_backend(a.pid) AS ended \
             FROM pg_stat_activity a WHERE {} AND a.state LIKE 'idle in transaction%' \
             AND a.application_name IN ({})) e",
            self.orphaned(book, lock_id),
            names.join(", ")
        );
        match book.try_rows(ask, book.call()).await? {
            Ok(rows) => Ok(rows
                .last()
                .map_or(Ok(0), |row| row.int(0))?
                .try_into()
                .unwrap_or(0)),
            Err(fault) if fault.is_privilege() => Ok(0),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Where a role may not see another's `state`, the lock that every transaction has on its
    /// own virtual id tells as much, and everybody may see that:
    /// <https://www.postgresql.org/docs/current/view-pg-locks.html>.
    fn orphaned(&self, book: &Book, lock_id: &str) -> String {
        format!(
            "a.datname = current_database() AND a.pid <> pg_backend_pid() \
             AND starts_with(a.application_name, {name}) \
             AND (a.state = 'active' OR a.state = 'fastpath function call' \
             OR a.xact_start < timestamptz 'epoch' + {began} * interval '1 microsecond' \
             OR a.state IS NULL AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' \
             AND l.granted AND l.mode = 'ExclusiveLock'))",
            name = book.sql.text(&format!("launchgate/{lock_id}/")),
            began = self.began_us,
        )
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

/// What stands between: a setting of our own, given at start-up, is there on a direct
/// connection; a pooler refuses it or drops it. A connection of its own.
pub(super) async fn pooler(target: &Target) -> Option<String> {
    let mode = target.url.tls().mode;
    let options = options(&target.url, Purpose::Probe.application_name(), mode).ok()?;
    let options = options.options([("launchgate.probe", "1")]);
    let ask = async {
        let conn = options.connect().await?;
        let mut wire = Wire::Postgres(conn);
        let rows = wire
            .rows(
                "SELECT current_setting('launchgate.probe', true)".to_owned(),
                CALL,
            )
            .await;
        wire.close().await;
        Ok::<_, sqlx::Error>(rows)
    };
    match timeout(CALL, ask).await {
        Ok(Ok(Ok(rows))) if !rows.last().is_some_and(|row| row.flag(0)) => {
            Some("a pooler".to_owned())
        }
        Ok(Err(error)) if error.to_string().contains("unsupported startup parameter") => {
            Some("PgBouncer".to_owned())
        }
        _ => None,
    }
}
