//! The lock: `GET_LOCK`, which belongs to a session.
//!
//! What both servers speak: <https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html>,
//! <https://mariadb.com/kb/en/get_lock/>. Names are server-wide and have at most 64 letters, so the
//! name is a hash of app and database. The server ends the session after a lease of silence.

use std::{os::fd::BorrowedFd, time::Duration};

use super::dialect::SQL;
use crate::db::{
    Error, Target,
    connection::{Connection, Pending},
    error::RecordError,
    fault::{Fault, FaultKind},
    hints,
    ledger_connection::LedgerConnection,
    lock::{HeldLock, LockConnection, RunEnd, TakenLock},
    lock_id::lock_id,
};

/// The lock's name, as an expression.
fn name(app: &str) -> String {
    format!(
        "CONCAT('launchgate:', LEFT(SHA2(CONCAT({}, ' ', LOWER(DATABASE())), 256), 32))",
        (SQL.text)(app)
    )
}

/// The session that holds the lock.
struct NamedLock {
    session: LockConnection,
    /// Letters, digits and a colon.
    name: String,
    /// The session's connection id.
    connection_id: i64,
}

/// Takes the lock, unless another replica has it. Never waits for it.
pub(super) async fn try_lock(
    mut connection: Box<dyn Connection>,
    target: &Target,
    bound: Duration,
) -> Result<Option<TakenLock>, Error> {
    let session = (SQL.writer_session)(target.lease, bound);
    let batch = format!(
        "{}; SELECT DATABASE(), @@GLOBAL.read_only, CONNECTION_ID(), n.name, \
         CASE WHEN n.name IS NULL THEN NULL ELSE GET_LOCK(COALESCE(n.name, 'launchgate:'), 0) END \
         FROM (SELECT {} AS name) n",
        session.unwrap_or_default(),
        name(&target.app)
    );
    let rows = connection.rows(batch, bound).await?;
    let row = rows
        .last()
        .ok_or_else(|| Error::Broken("the lock query returned no row".to_owned()))?;
    let Some(database) = row.opt(0) else {
        return Err(Error::refused("no database selected", hints::NO_DATABASE));
    };
    if row.flag(1) {
        return Err(read_only());
    }
    match row.opt(4).as_deref() {
        Some("1") => {}
        Some("0") => {
            connection.close().await;
            return Ok(None);
        }
        _ => {
            return Err(Error::refused(
                "GET_LOCK returned NULL",
                "check the server's log; launchgate needs MySQL 5.7 or later, or MariaDB 10.2 or later",
            ));
        }
    }
    let (name, connection_id) = (row.text(3), row.int(2)?);
    Ok(Some(TakenLock {
        lock_id: lock_id(&target.app, &database),
        is_unicode: true,
        began_us: None,
        cluster: cluster(&mut *connection, bound).await?,
        lock: Box::new(NamedLock {
            name,
            connection_id,
            session: LockConnection::new(connection),
        }),
    }))
}

/// The kind of cluster that the server is a node of, where each node has locks of its own.
pub(super) async fn cluster(
    connection: &mut dyn Connection,
    bound: Duration,
) -> Result<Option<&'static str>, Fault> {
    // Each server lacks the other's variable.
    let ask = "SHOW GLOBAL VARIABLES WHERE Variable_name = 'wsrep_on' AND Value = 'ON' \
               OR Variable_name = 'group_replication_group_name' AND Value <> ''";
    let rows = connection.rows(ask.to_owned(), bound).await?;
    Ok(rows.first().map(|row| match row.text(0).as_str() {
        "wsrep_on" => "Galera",
        _ => "Group Replication",
    }))
}

/// Why nothing can be written.
pub(super) fn read_only() -> Error {
    Error::not_ready("the server is read-only", hints::READ_ONLY)
}

/// Holds where `SET` came before it in the same packet, on the session that has the lock. A user
/// variable, so that a replica that replays the statement gets the same answer.
const GUARD: &str = "@launchgate_holds = 1";

impl NamedLock {
    fn guarded(&self, statement: &str) -> String {
        format!(
            "SET @launchgate_holds = (IS_USED_LOCK('{}') = CONNECTION_ID()); {statement}",
            self.name
        )
    }
}

impl HeldLock for NamedLock {
    fn confirm(&mut self, bound: Duration) -> Pending<'_, Result<(), Error>> {
        let is_holder = format!(
            "IS_USED_LOCK('{}') = CONNECTION_ID() AND CONNECTION_ID() = {}",
            self.name, self.connection_id
        );
        Box::pin(async move {
            let gone = "the session that held the lock";
            self.session.confirm(&is_holder, gone, bound).await
        })
    }

    fn excludes<'a>(&self, ledger: &'a mut LedgerConnection) -> Pending<'a, Result<bool, Error>> {
        let ask = format!(
            "SELECT GET_LOCK('{0}', 0) = 0 AND IS_USED_LOCK('{0}') = {1}",
            self.name, self.connection_id
        );
        Box::pin(ledger.is_true(ask))
    }

    /// By the session that holds the lock.
    fn append<'a>(
        &'a mut self,
        ledger: &'a mut LedgerConnection,
        row: &dyn Fn(Option<&str>) -> String,
    ) -> Pending<'a, Result<u64, Fault>> {
        let insert = self.guarded(&row(Some(GUARD)));
        self.session.connection.run(insert, ledger.bound)
    }

    /// By the session that holds the lock; then the lock is given back.
    fn record(
        mut self: Box<Self>,
        end: RunEnd<'_>,
        bound: Duration,
    ) -> Pending<'_, Result<(), RecordError>> {
        let update = self.guarded(&end.statement(Some(GUARD)));
        Box::pin(async move {
            let answer = match self.session.connection.run(update, bound).await {
                Ok(1) => Ok(()),
                Ok(_) => Err(RecordError::NotRecorded(Error::Lost(
                    "this holder no longer owns the lock or the run's row".to_owned(),
                ))),
                Err(fault) if had_no_effect(&fault) => Err(RecordError::NotRecorded(fault.into())),
                Err(fault) => return Err(RecordError::Unknown(Error::Broken(fault.message))),
            };
            self.release(bound).await;
            answer
        })
    }

    fn release(self: Box<Self>, bound: Duration) -> Pending<'static, ()> {
        Box::pin(async move {
            let mut connection = self.session.connection;
            let release = format!("SELECT RELEASE_LOCK('{}')", self.name);
            if connection.rows(release, bound).await.is_ok() {
                connection.close().await;
            }
        })
    }

    fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The statement certainly had no effect. One that was killed may have been committed before that
/// came.
fn had_no_effect(fault: &Fault) -> bool {
    fault.kind == FaultKind::Server
        && !matches!(fault.code.as_str(), "1053" | "1317" | "1927" | "4031")
}

/// Whether anybody holds the lock, without touching it.
pub(super) fn is_held(app: &str) -> String {
    format!("SELECT IS_USED_LOCK({}) IS NOT NULL", name(app))
}
