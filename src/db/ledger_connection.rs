//! The connection on which the ledger is read and written.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Error, Target,
    connection::Connection,
    dialect::SqlDialect,
    fault::{Fault, FaultKind},
    hints,
    ledger::Ledger,
    ledger_read::{Question, Reader},
    ledger_sql::LedgerSql,
    place::Found,
    purpose::ConnectionPurpose,
    rows::TextRow,
    target::CALL,
};

/// The server ends the ledger session after this many idle leases; no harm is done.
const SILENT_LEASES: u32 = 4;

/// The ledger, on a connection that is opened when it is needed and again after it broke.
pub(super) struct LedgerConnection {
    pub(super) target: Target,
    connection: Option<Box<dyn Connection>>,
    /// The ledgers that count, the one to write first; empty where there is none, or none was looked for.
    ledgers: Vec<LedgerSql>,
    /// The database cannot hold all of Unicode: free text is written in ASCII.
    ascii: bool,
}

impl LedgerConnection {
    pub(super) fn new(target: Target, is_unicode: bool) -> Self {
        Self {
            target,
            connection: None,
            ledgers: Vec::new(),
            ascii: !is_unicode,
        }
    }

    /// The ledger to write, where one was found or created.
    pub(super) fn sql(&self) -> Option<&LedgerSql> {
        self.ledgers.first()
    }

    /// The same for a caller that needs one.
    pub(super) fn existing(&self) -> Result<&LedgerSql, Error> {
        self.sql()
            .ok_or_else(|| Error::refused("the ledger is missing", hints::TABLE_GONE))
    }

    /// Every ledger that counts.
    pub(super) fn ledgers(&self) -> &[LedgerSql] {
        &self.ledgers
    }

    pub(super) fn dialect(&self) -> &'static SqlDialect {
        self.target.dialect()
    }

    /// Opens the connection where none is open.
    pub(super) async fn open(&mut self, bound: Duration) -> Result<(), Error> {
        self.opened(bound).await.map(drop)
    }

    pub(super) async fn opened(&mut self, bound: Duration) -> Result<&mut dyn Connection, Error> {
        if self.connection.is_none() {
            let mut connection = self.target.open(ConnectionPurpose::Ledger, bound).await?;
            let silence = self.target.lease * SILENT_LEASES;
            if let Some(start) = (self.dialect().writer_session)(silence, bound) {
                connection.run(start, bound).await?;
            }
            self.connection = Some(connection);
        }
        match &mut self.connection {
            Some(connection) => Ok(connection.as_mut()),
            None => Err(Error::Broken("the ledger connection is closed".to_owned())),
        }
    }

    /// Finds the ledgers, and asks them what they say about a revision.
    pub(super) async fn read(
        &mut self,
        revision: Option<&str>,
        bound: Duration,
    ) -> Result<Ledger, Error> {
        let app = self.target.app.clone();
        let question = Question {
            app: &app,
            revision,
            reader: Reader::Later,
        };
        self.search(Some(question), bound).await?.ledger()
    }

    /// Finds the ledgers.
    pub(super) async fn find(&mut self, bound: Duration) -> Result<(), Error> {
        self.search(None, bound).await?.allow_steps()
    }

    async fn search(
        &mut self,
        question: Option<Question<'_>>,
        bound: Duration,
    ) -> Result<Found, Error> {
        let target = self.target.clone();
        let preamble = (self.dialect().preamble)(bound);
        let driver = target.backend().driver();
        let connection = self.opened(bound).await?;
        let found = (driver.find)(connection, &target, question, preamble, bound).await;
        if found.as_ref().is_err_and(is_connection_s) {
            self.connection = None;
        }
        let found = found?;
        self.ledgers.clone_from(&found.ledgers);
        for sql in &mut self.ledgers {
            sql.ascii = self.ascii;
        }
        Ok(found)
    }

    pub(super) async fn rows(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Vec<TextRow>, Error> {
        self.try_rows(sql, bound).await?.map_err(Error::from)
    }

    pub(super) async fn run(&mut self, sql: String, bound: Duration) -> Result<u64, Error> {
        self.try_run(sql, bound).await?.map_err(Error::from)
    }

    /// Runs a statement that contains free text on every ledger, the first one that it changes ends that;
    /// in ASCII where the database's encoding cannot hold the text.
    pub(super) async fn run_text(
        &mut self,
        statement: impl Fn(&LedgerSql) -> String,
        bound: Duration,
    ) -> Result<u64, Error> {
        for mut sql in self.ledgers.clone() {
            let changed = match self.try_run(statement(&sql), bound).await? {
                Err(fault) if fault.is_unencodable() => {
                    self.ascii = true;
                    sql.ascii = true;
                    self.run(statement(&sql), bound).await?
                }
                answer => answer?,
            };
            if changed > 0 {
                return Ok(changed);
            }
        }
        Ok(0)
    }

    /// Runs a statement that may run twice: where the connection turns out to be dead, once more on a
    /// new one, within the same limit.
    pub(super) async fn try_run_again(
        &mut self,
        sql: &str,
        bound: Duration,
    ) -> Result<Result<u64, Fault>, Error> {
        let since = Instant::now();
        let was_open = self.is_open();
        // half of the time to connect, half to ask
        let first = if was_open { bound } else { bound / 2 };
        let answer = self.try_run(sql.to_owned(), first).await;
        let is_broken = match &answer {
            Ok(answer) => answer
                .as_ref()
                .is_err_and(|fault| matches!(fault.clone().into(), Error::Broken(_))),
            Err(error) => matches!(error, Error::Broken(_)),
        };
        let left = bound.saturating_sub(since.elapsed());
        if is_broken && was_open && !self.is_open() && left > bound / 2 {
            return self.try_run(sql.to_owned(), left / 2).await;
        }
        answer
    }

    /// The same where no fault is expected.
    pub(super) async fn run_again(&mut self, sql: &str, bound: Duration) -> Result<u64, Error> {
        self.try_run_again(sql, bound).await?.map_err(Error::from)
    }

    /// Why nothing could be written here, and what to do about it.
    pub(super) async fn unfit(
        &mut self,
        bound: Duration,
    ) -> Result<Option<(String, String)>, Error> {
        let target = self.target.clone();
        let driver = target.backend().driver();
        let found = Found::default();
        let connection = self.opened(bound).await?;
        let info = (driver.describe)(connection, &target, &found).await?;
        Ok(info.unfit)
    }

    /// The inner fault is for a caller that is prepared for one, such as a missing table.
    pub(super) async fn try_rows(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Result<Vec<TextRow>, Fault>, Error> {
        let sql = (self.dialect().preamble)(bound) + &sql;
        let answer = self.opened(bound).await?.rows(sql, bound).await;
        Ok(self.keep_or_drop(answer))
    }

    pub(super) async fn try_run(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Result<u64, Fault>, Error> {
        let sql = (self.dialect().preamble)(bound) + &sql;
        let answer = self.opened(bound).await?.run(sql, bound).await;
        Ok(self.keep_or_drop(answer))
    }

    /// A call that ended without an answer may still receive one, which would be mistaken for the
    /// next call's.
    fn keep_or_drop<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &answer
            && (fault.kind != FaultKind::Server || is_connection_s(&fault.clone().into()))
        {
            self.connection = None;
        }
        answer
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }

    /// Whether a connection is open now.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    pub(super) fn call(&self) -> Duration {
        self.target.holder_call().min(CALL)
    }
}

/// Whether an error is the connection's: an answer may still come, or the server has ended it.
fn is_connection_s(error: &Error) -> bool {
    matches!(error, Error::Broken(_) | Error::NotYet(_) | Error::Full(_))
}
