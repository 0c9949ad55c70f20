//! `MySQL` and `MariaDB`: the lock is `GET_LOCK`, which belongs to a session.
//!
//! What both speak: <https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html>,
//! <https://mariadb.com/kb/en/get_lock/>. Names are server-wide and at most 64 letters, so the
//! name is a hash of app and database. The server ends the session when it is silent for a lease.

use std::time::Duration;

use sqlx::{
    ConnectOptions, MySqlConnection,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

use super::{
    DatabaseUrl, Error, Target,
    error::{Fault, FaultKind},
    ledger::{NewRun, RunOutcome},
    ledger_connection::LedgerConnection,
    locked::RecordError,
    postgres::lock_id,
    sql::Sql,
    target::ConnectionPurpose,
    url::TlsMode,
    wire::Wire,
};

/// Connects. No statement is sent at connect: literals bring their own character set, and
/// times are asked for in UTC. Migrations get the session that sqlx-cli gives them.
pub(super) async fn connect(
    url: &DatabaseUrl,
    purpose: ConnectionPurpose<'_>,
    mode: TlsMode,
) -> sqlx::Result<MySqlConnection> {
    let mut options = MySqlConnectOptions::new()
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if !matches!(purpose, ConnectionPurpose::Migrate(_)) {
        options = options
            .no_engine_substitution(false)
            .pipes_as_concat(false)
            .timezone(None)
            .set_names(false);
    }
    if let Some(host) = url.host() {
        options = options.host(host);
    }
    if let Some(socket) = url.socket() {
        options = options.socket(socket);
    }
    if let Some(port) = url.port() {
        options = options.port(port);
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
    tls(options, url, mode).connect().await
}

fn tls(options: MySqlConnectOptions, url: &DatabaseUrl, mode: TlsMode) -> MySqlConnectOptions {
    let tls = url.tls();
    let mut options = options.ssl_mode(match mode {
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Allow | TlsMode::Prefer => MySqlSslMode::Preferred,
        TlsMode::Require => MySqlSslMode::Required,
        TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
        TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    });
    if let Some(file) = &tls.root_cert {
        options = options.ssl_ca(file);
    }
    if let Some(file) = &tls.client_cert {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &tls.client_key {
        options = options.ssl_client_key(file);
    }
    options
}

/// What a session that writes starts with: whatever the server's defaults are, a statement
/// commits by itself, cuts nothing off, and waits for no lock for longer than we do. The
/// server ends the session when it is silent for as long as `silence`.
pub(super) fn session(silence: Duration, bound: Duration) -> String {
    format!(
        "SET SESSION autocommit = 1, sql_mode = 'STRICT_TRANS_TABLES', wait_timeout = {}, \
         lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}",
        silence.as_millis().div_ceil(1000).max(1),
        seconds = bound.as_secs().max(1),
    )
}

/// The lock's name, as an expression.
fn name(target: &Target) -> String {
    format!(
        "CONCAT('launchgate:', LEFT(SHA2(CONCAT({}, ' ', LOWER(DATABASE())), 256), 32))",
        target.sql().text(&target.app)
    )
}

/// The session that holds the lock.
pub(super) struct Hold {
    wire: Wire,
    /// Letters, digits and a colon.
    name: String,
    connection: i64,
    confirmed: u64,
}

/// What the server said about itself when the lock was taken.
pub(super) struct Facts {
    pub(super) sql: Sql,
    pub(super) lock_id: String,
}

/// Takes the lock; the wire comes back where somebody else has it. Never waits for it.
pub(super) async fn try_lock(
    mut wire: Wire,
    target: &Target,
) -> Result<Result<(Hold, Facts), Wire>, Error> {
    let bound = target.holder_call();
    let batch = format!(
        "{}; SELECT DATABASE(), @@GLOBAL.read_only, CONNECTION_ID(), n.name, \
         CASE WHEN n.name IS NULL THEN NULL ELSE GET_LOCK(COALESCE(n.name, 'launchgate:'), 0) END \
         FROM (SELECT {} AS name) n",
        session(target.lease, bound),
        name(target)
    );
    let rows = wire.rows(batch, bound).await?;
    let row = rows
        .last()
        .ok_or_else(|| Error::Broken("the server said nothing about the lock".to_owned()))?;
    let Some(database) = row.opt(0) else {
        return Err(Error::refused(
            "no database selected",
            "name a database in the database URL",
        ));
    };
    if row.flag(1) {
        let (what, hint) = read_only();
        return Err(Error::refused(what, hint));
    }
    match row.opt(4).as_deref() {
        Some("1") => {}
        Some("0") => return Ok(Err(wire)),
        _ => {
            return Err(Error::refused(
                "GET_LOCK gave no answer",
                "the server's log says why; launchgate needs MySQL 5.7, MariaDB 10.2 or later",
            ));
        }
    }
    let facts = Facts {
        sql: target.sql(),
        lock_id: lock_id(&target.app, &database),
    };
    Ok(Ok((
        Hold {
            name: row.text(3),
            connection: row.int(2)?,
            confirmed: 0,
            wire,
        },
        facts,
    )))
}

/// Why nothing can be written, and what to do.
pub(super) fn read_only() -> (String, String) {
    let hint = "point the database URL at the primary, which takes writes";
    ("the server is read-only".to_owned(), hint.to_owned())
}

/// Holds where `SET` came before it in the same packet, on the session that has the lock. A
/// user variable, so that a replica that replays the statement gets the same answer.
const GUARD: &str = "@launchgate_holds = 1";

impl Hold {
    fn guarded(&self, statement: &str) -> String {
        format!(
            "SET @launchgate_holds = (IS_USED_LOCK('{}') = CONNECTION_ID()); {statement}",
            self.name
        )
    }

    /// One round trip that only the session that took the lock can answer.
    pub(super) async fn confirm(&mut self, bound: Duration) -> Result<(), Error> {
        self.confirmed += 1;
        let number = self.confirmed;
        let ask = format!(
            "SELECT IS_USED_LOCK('{}') = CONNECTION_ID() AND CONNECTION_ID() = {}, {number}",
            self.name, self.connection
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
                "the session that held the lock is gone".to_owned(),
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
        let ask = format!("SELECT GET_LOCK('{0}', 0), IS_USED_LOCK('{0}')", self.name);
        let rows = book.rows(ask, book.call()).await?;
        let excluded = rows.last().is_some_and(|row| {
            row.opt(0).as_deref() == Some("0") && row.text(1) == self.connection.to_string()
        });
        Ok(excluded)
    }

    /// The `running` row, written by the session that holds the lock.
    pub(super) async fn append(
        &mut self,
        target: &Target,
        sql: &Sql,
        run: &NewRun,
        bound: Duration,
    ) -> Result<i64, Error> {
        let insert = self.guarded(&sql.append(&target.app, run, target.lease, Some(GUARD)));
        let done = self.wire.run(insert, bound).await?;
        if done.affected == 1 {
            Ok(done.insert_id)
        } else {
            Err(Error::Lost(
                "the session that writes does not hold the lock".to_owned(),
            ))
        }
    }

    /// The end of the run, by the session that holds the lock; then the lock is given back.
    pub(super) async fn record(
        mut self,
        sql: &Sql,
        run_id: &str,
        outcome: &RunOutcome,
        bound: Duration,
    ) -> Result<(), RecordError> {
        let update = self.guarded(&sql.finish(run_id, outcome, Some(GUARD)));
        match self.wire.run(update, bound).await {
            Ok(done) if done.affected == 1 => {
                self.release(bound).await;
                Ok(())
            }
            Ok(_) => {
                self.release(bound).await;
                Err(RecordError::NotRecorded(Error::Lost(
                    "the lock or the run's row is not this holder's any more".to_owned(),
                )))
            }
            Err(fault) if answered(&fault) => {
                self.release(bound).await;
                Err(RecordError::NotRecorded(fault.into()))
            }
            Err(fault) => Err(RecordError::Unknown(Error::Broken(fault.message))),
        }
    }

    pub(super) async fn release(mut self, bound: Duration) {
        // The server frees the lock with the session, whatever comes of this.
        if self
            .wire
            .rows(format!("SELECT RELEASE_LOCK('{}')", self.name), bound)
            .await
            .is_ok()
        {
            self.wire.close().await;
        }
    }
}

/// The statement certainly had no effect. A statement that was killed may be one that was
/// committed before the news came.
fn answered(fault: &Fault) -> bool {
    fault.kind == FaultKind::Server
        && !matches!(fault.code.as_str(), "1053" | "1317" | "1927" | "4031")
}

/// Whether anybody holds the lock, without touching it.
pub(super) fn is_held(target: &Target) -> String {
    format!("SELECT IS_USED_LOCK({}) IS NOT NULL", name(target))
}
