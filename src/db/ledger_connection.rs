//! The connection on which the ledger is read and written.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Error, Target,
    connection::Connection,
    dialect::SqlDialect,
    fault::{Fault, FaultKind, Meaning},
    hints,
    ledger::Ledger,
    ledger_read::Question,
    ledger_sql::LedgerSql,
    place::Found,
    purpose::ConnectionPurpose,
    rows::TextRow,
    target::CALL,
};

/// The server ends a session that writes after this many idle leases; no harm is done.
const SILENT_LEASES: u32 = 4;

/// The ledger, on a connection that is opened when it is needed and again after it broke.
pub(super) struct LedgerConnection {
    pub(super) target: Target,
    purpose: ConnectionPurpose,
    /// The limit for one call.
    pub(super) bound: Duration,
    connection: Option<Box<dyn Connection>>,
    /// The ledgers that count, once they were looked for.
    pub(super) found: Option<Found>,
    /// The database cannot hold all of Unicode: free text is written in ASCII.
    pub(super) ascii: bool,
}

impl LedgerConnection {
    /// To write. It is opened by the first call.
    pub(super) fn new(target: Target, bound: Duration) -> Self {
        Self {
            target,
            purpose: ConnectionPurpose::Ledger,
            bound,
            connection: None,
            found: None,
            ascii: false,
        }
    }

    /// To read, on an open connection.
    pub(super) fn reading(target: Target, connection: Box<dyn Connection>) -> Self {
        Self {
            purpose: ConnectionPurpose::Read,
            connection: Some(connection),
            ..Self::new(target, CALL)
        }
    }

    /// The ledger to write, where one was found or created.
    pub(super) fn sql(&self) -> Option<&LedgerSql> {
        self.ledgers().first()
    }

    /// The same for a caller that needs one.
    pub(super) fn existing(&self) -> Result<&LedgerSql, Error> {
        self.sql()
            .ok_or_else(|| Error::refused("the ledger is missing", hints::TABLE_GONE))
    }

    /// Every ledger that counts, the one to write first; empty where there is none, or none was looked for.
    pub(super) fn ledgers(&self) -> &[LedgerSql] {
        self.found.as_ref().map_or(&[], |found| &found.ledgers)
    }

    pub(super) fn dialect(&self) -> &'static SqlDialect {
        self.target.dialect()
    }

    /// The connection, opened where none is open.
    pub(super) async fn opened(&mut self) -> Result<(&Target, &mut dyn Connection), Error> {
        self.opened_within(self.bound).await
    }

    async fn opened_within(
        &mut self,
        bound: Duration,
    ) -> Result<(&Target, &mut dyn Connection), Error> {
        if self.connection.is_none() {
            let mut connection = self.target.open(self.purpose, bound).await?;
            let silence = self.target.lease * SILENT_LEASES;
            if self.purpose == ConnectionPurpose::Ledger
                && let Some(start) = (self.dialect().writer_session)(silence, bound)
            {
                connection.run(start, bound).await?;
            }
            self.connection = Some(connection);
        }
        match &mut self.connection {
            Some(connection) => Ok((&self.target, connection.as_mut())),
            None => Err(Error::Broken("the ledger connection is closed".to_owned())),
        }
    }

    /// Whether a connection is open now.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// The target and the connection, for another purpose.
    pub(super) async fn into_parts(mut self) -> Result<(Target, Box<dyn Connection>), Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.target.open(self.purpose, self.bound).await?,
        };
        Ok((self.target, connection))
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }

    /// Finds the ledgers, and asks them what they say about a revision.
    pub(super) async fn read(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        self.search(Some(Question { revision })).await?.ledger()
    }

    /// The same in one round trip if the revision has succeeded, as most starts find.
    pub(super) async fn read_at_start(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        if let Some(revision) = revision {
            let bound = self.bound;
            let (target, connection) = self.opened().await?;
            let ask = target.backend().driver().newest_success;
            let success = ask(connection, target, revision, bound).await;
            if let Some(row) = self.keep_or_close(success)? {
                return Ok(Ledger::Rows(vec![row]));
            }
        }
        self.read(revision).await
    }

    /// Finds the ledgers. Fails where no step may run.
    pub(super) async fn find(&mut self) -> Result<(), Error> {
        self.search(None).await?.allow_steps()
    }

    pub(super) async fn search(&mut self, question: Option<Question<'_>>) -> Result<&Found, Error> {
        let bound = self.bound;
        let (target, connection) = self.opened().await?;
        let find = target.backend().driver().find;
        let found = find(connection, target, question, bound).await;
        let mut found = self.keep_or_close(found)?;
        for sql in &mut found.ledgers {
            sql.ascii = self.ascii;
        }
        Ok(self.found.insert(found))
    }

    /// Asks each ledger, which are looked for first where they were not yet.
    pub(super) async fn ask(
        &mut self,
        statement: impl Fn(&LedgerSql) -> String,
    ) -> Result<Vec<TextRow>, Error> {
        if self.found.is_none() {
            self.search(None).await?;
        }
        let mut rows = Vec::new();
        for sql in self.ledgers().to_vec() {
            rows.extend(self.rows(statement(&sql)).await?);
        }
        Ok(rows)
    }

    /// Runs a statement that contains free text on every ledger, the first one that it changes ends that;
    /// in ASCII where the database's encoding cannot hold the text.
    pub(super) async fn run_text(
        &mut self,
        statement: impl Fn(&LedgerSql) -> String,
    ) -> Result<u64, Error> {
        for mut sql in self.ledgers().to_vec() {
            let changed = match self.run(statement(&sql)).await {
                Err(fault) if fault.means(Meaning::Unencodable) => {
                    self.ascii = true;
                    sql.ascii = true;
                    self.run(statement(&sql)).await?
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
    pub(super) async fn run_again(&mut self, sql: &str) -> Result<u64, Fault> {
        let since = Instant::now();
        let (bound, was_open) = (self.bound, self.is_open());
        // half of the time to connect, half to ask
        let first = if was_open { bound } else { bound / 2 };
        let answer = self.run_within(sql.to_owned(), first).await;
        let is_broken = |fault: &Fault| matches!(fault.clone().into(), Error::Broken(_));
        let left = bound.saturating_sub(since.elapsed());
        if answer.as_ref().is_err_and(is_broken) && was_open && !self.is_open() && left > bound / 2
        {
            return self.run_within(sql.to_owned(), left / 2).await;
        }
        answer
    }

    pub(super) async fn rows(&mut self, sql: String) -> Result<Vec<TextRow>, Fault> {
        let bound = self.bound;
        let sql = (self.dialect().preamble)(bound) + &sql;
        let answer = match self.opened().await {
            Ok((_, connection)) => connection.rows(sql, bound).await,
            Err(error) => Err(Fault::unopened(self.target.backend().driver().codes, error)),
        };
        self.keep_or_drop(answer)
    }

    /// Whether a question's answer ends with a row that says so.
    pub(super) async fn is_true(&mut self, ask: String) -> Result<bool, Error> {
        let rows = self.rows(ask).await?;
        Ok(rows.last().is_some_and(|row| row.flag(0)))
    }

    pub(super) async fn run(&mut self, sql: String) -> Result<u64, Fault> {
        self.run_within(sql, self.bound).await
    }

    async fn run_within(&mut self, sql: String, bound: Duration) -> Result<u64, Fault> {
        let sql = (self.dialect().preamble)(bound) + &sql;
        let answer = match self.opened_within(bound).await {
            Ok((_, connection)) => connection.run(sql, bound).await,
            Err(error) => Err(Fault::unopened(self.target.backend().driver().codes, error)),
        };
        self.keep_or_drop(answer)
    }

    fn keep_or_close<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        if answer.as_ref().is_err_and(is_connection_s) {
            self.connection = None;
        }
        answer
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
}

/// Whether an error is the connection's: an answer may still come, or the server has ended it.
fn is_connection_s(error: &Error) -> bool {
    matches!(error, Error::Broken(_) | Error::NotYet(_) | Error::Full(_))
}
