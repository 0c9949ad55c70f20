//! What a held lock can do, whatever it is made of.

use std::{os::fd::BorrowedFd, time::Duration};

use super::{
    Error,
    connection::{Connection, Pending},
    error::RecordError,
    fault::{Fault, FaultKind},
    ledger::RunOutcome,
    ledger_connection::LedgerConnection,
    ledger_sql::LedgerSql,
};

/// A lock that was just taken, and what was learned on the way.
pub(super) struct TakenLock {
    pub(super) lock: Box<dyn HeldLock>,
    /// Whether the database can hold all of Unicode.
    pub(super) is_unicode: bool,
    /// The kind of cluster whose nodes each have locks of their own.
    pub(super) cluster: Option<&'static str>,
    pub(super) lock_id: String,
    /// When it was taken, in microseconds since 1970, by the clock that dates the server's sessions.
    pub(super) began_us: Option<i64>,
}

/// How a run ended, and what the ledger has of it so far.
pub(super) struct RunEnd<'a> {
    pub(super) sql: &'a LedgerSql,
    pub(super) run_id: &'a str,
    pub(super) outcome: &'a RunOutcome,
    /// Where the ledger has no row of this run: the statements that write all of it, and the table.
    pub(super) recreate: Option<Vec<String>>,
    /// Gets the reason for every try that failed and is repeated.
    pub(super) on_wait: OnWait<'a>,
}

/// What hears of a wait.
pub type OnWait<'a> = &'a mut (dyn FnMut(&Error) + Send);

impl RunEnd<'_> {
    /// The statement that records it. `guard` must hold for it to be written.
    pub(super) fn statement(&self, guard: Option<&str>) -> String {
        match &self.recreate {
            Some(recreate) => recreate.join("; "),
            None => self.sql.finish(self.run_id, self.outcome, guard),
        }
    }
}

/// A lock that is held until this is dropped.
pub(super) trait HeldLock: Send {
    /// Proves that the lock is still held.
    ///
    /// # Errors
    /// `Lost` where it certainly is not; `Broken` where no answer came in time.
    fn confirm(&mut self, bound: Duration) -> Pending<'_, Result<(), Error>>;

    /// Whether it excludes: the ledger's connection can't take it, and sees that this holder has it.
    fn excludes<'a>(&self, ledger: &'a mut LedgerConnection) -> Pending<'a, Result<bool, Error>>;

    /// Writes the `running` row. `row` gives the statement, with a condition for it to be written.
    fn append<'a>(
        &'a mut self,
        ledger: &'a mut LedgerConnection,
        row: &dyn Fn(Option<&str>) -> String,
    ) -> Pending<'a, Result<u64, Fault>>;

    /// Records the end of the run by what holds the lock, and gives the lock back.
    fn record(
        self: Box<Self>,
        end: RunEnd<'_>,
        bound: Duration,
    ) -> Pending<'_, Result<(), RecordError>>;

    /// Gives the lock back. The server, or the kernel, does so in any case.
    fn release(self: Box<Self>, bound: Duration) -> Pending<'static, ()>;

    /// A file for the steps to inherit, so that the lock lasts as long as they do.
    fn inheritable(&self) -> Option<BorrowedFd<'_>>;
}

/// The connection that a server's lock belongs to.
pub(super) struct LockConnection {
    pub(super) connection: Box<dyn Connection>,
    /// How often it was confirmed: each answer bears its question's number.
    confirmations: u64,
}

impl LockConnection {
    pub(super) fn new(connection: Box<dyn Connection>) -> Self {
        Self {
            connection,
            confirmations: 0,
        }
    }

    /// One round trip. `is_holder` is an expression that is true only in the session or transaction
    /// which took the lock; `gone` is what is lost where it is not.
    ///
    /// After a timeout the connection is kept: a late answer is recognized by its number.
    pub(super) async fn confirm(
        &mut self,
        is_holder: &str,
        gone: &str,
        bound: Duration,
    ) -> Result<(), Error> {
        self.confirmations += 1;
        let number = self.confirmations.to_string();
        let ask = format!("SELECT {is_holder}, {number}");
        match self.connection.rows(ask, bound).await {
            Ok(rows) if rows.iter().any(|row| row.flag(0) && row.text(1) == number) => Ok(()),
            Ok(_) => Err(Error::Lost(format!("lost {gone}"))),
            Err(fault) if fault.kind == FaultKind::Timeout => Err(Error::Broken(fault.message)),
            Err(fault) => Err(broke(&fault.message)),
        }
    }
}

/// The lock's connection is unusable, so the lock is lost.
pub(super) fn broke(why: &str) -> Error {
    Error::Lost(format!("the connection that holds the lock broke: {why}"))
}

/// Somebody else closed the run.
pub(super) fn not_running() -> Error {
    Error::Lost("the run's row in the ledger is no longer `running`".to_owned())
}
