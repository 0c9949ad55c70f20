//! The connection on which the ledger is read and written.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Error, Target,
    connection::Connection,
    fault::{Fault, FaultKind},
    ledger_sql::LedgerSql,
    purpose::ConnectionPurpose,
    rows::TextRow,
    target::CALL,
};

/// The server ends the ledger session after this many idle leases; no harm is done.
const SILENT_LEASES: u32 = 4;

/// The ledger, on a connection that is opened when it is needed and again after it broke.
pub(super) struct LedgerConnection {
    pub(super) target: Target,
    pub(super) sql: LedgerSql,
    connection: Option<Box<dyn Connection>>,
}

/// What creating the ledger came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerCreation {
    /// It was missing.
    Created,
    /// It was there.
    Existed,
    /// It was there, from an older launchgate, and got the unique key.
    KeyAdded,
    /// It was there, from an older launchgate, and the unique key could not be added.
    KeyMissing {
        /// The database's words.
        why: String,
        /// The statement that adds it, for an administrator.
        add: String,
    },
}

impl LedgerConnection {
    pub(super) fn new(target: Target, sql: LedgerSql) -> Self {
        Self {
            target,
            sql,
            connection: None,
        }
    }

    /// Opens the connection where none is open.
    pub(super) async fn open(&mut self, bound: Duration) -> Result<(), Error> {
        self.opened(bound).await.map(drop)
    }

    async fn opened(&mut self, bound: Duration) -> Result<&mut dyn Connection, Error> {
        if self.connection.is_none() {
            let mut connection = self.target.open(ConnectionPurpose::Ledger, bound).await?;
            let silence = self.target.lease * SILENT_LEASES;
            if let Some(start) = self.sql.dialect.writer_session(silence, bound) {
                connection.run(start, bound).await?;
            }
            self.connection = Some(connection);
        }
        match &mut self.connection {
            Some(connection) => Ok(connection.as_mut()),
            None => Err(Error::Broken("the ledger connection is closed".to_owned())),
        }
    }

    /// Finds out where the ledger is, where the URL does not decide it.
    pub(super) async fn find(&mut self, bound: Duration) -> Result<(), Error> {
        if self.sql.schema.is_some() {
            return Ok(());
        }
        if let Some(find) = self.sql.dialect.find_ledger() {
            let rows = self.rows(find, bound).await?;
            if let Some(schema) = rows.last().and_then(|row| row.opt(0)) {
                self.sql = LedgerSql::new(self.sql.dialect, Some(&schema));
            }
        }
        Ok(())
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

    /// Runs a statement that contains free text; in ASCII where the database's encoding cannot hold
    /// it.
    pub(super) async fn run_text(
        &mut self,
        statement: impl Fn(&LedgerSql) -> String,
        bound: Duration,
    ) -> Result<u64, Error> {
        match self.try_run(statement(&self.sql), bound).await? {
            Err(fault) if fault.is_unencodable() => {
                self.sql.ascii = true;
                self.run(statement(&self.sql), bound).await
            }
            answer => answer.map_err(Error::from),
        }
    }

    /// Runs a statement that may run twice: where the connection turns out to be dead, once more on a
    /// new one, within the same limit.
    pub(super) async fn run_again(&mut self, sql: &str, bound: Duration) -> Result<u64, Error> {
        let since = Instant::now();
        let was_open = self.is_open();
        // half of the time to connect, half to ask
        let first = if was_open { bound } else { bound / 2 };
        let answer = self.run(sql.to_owned(), first).await;
        let left = bound.saturating_sub(since.elapsed());
        match answer {
            Err(Error::Broken(_)) if was_open && !self.is_open() && left > bound / 2 => {
                self.run(sql.to_owned(), left / 2).await
            }
            answer => answer,
        }
    }

    /// The inner fault is for a caller that is prepared for one, such as a missing table.
    pub(super) async fn try_rows(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Result<Vec<TextRow>, Fault>, Error> {
        let sql = self.sql.dialect.preamble(bound) + &sql;
        let answer = self.opened(bound).await?.rows(sql, bound).await;
        Ok(self.keep_or_drop(answer))
    }

    pub(super) async fn try_run(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Result<u64, Fault>, Error> {
        let sql = self.sql.dialect.preamble(bound) + &sql;
        let answer = self.opened(bound).await?.run(sql, bound).await;
        Ok(self.keep_or_drop(answer))
    }

    /// A call that ended without an answer may still receive one, which would be mistaken for the
    /// next call's.
    fn keep_or_drop<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &answer
            && (fault.kind != FaultKind::Server
                || matches!(
                    Error::from(fault.clone()),
                    Error::Broken(_) | Error::NotYet(_) | Error::Full(_)
                ))
        {
            self.connection = None;
        }
        answer
    }

    /// Creates the ledger where it is missing. An existing ledger is used as is, if it has the
    /// columns, whatever the role may create. The unique key is added if missing.
    pub(super) async fn create(&mut self, bound: Duration) -> Result<LedgerCreation, Error> {
        let schema = self.sql.schema.clone();
        let has_key = self.sql.dialect.has_running_key(schema.as_deref());
        let check = format!("{}; {has_key}", self.sql.shape());
        match self.try_rows(check.clone(), bound).await? {
            Ok(rows) if rows.last().is_some_and(|row| row.flag(0)) => {
                return Ok(LedgerCreation::Existed);
            }
            Ok(_) => return self.add_running_key(bound).await,
            Err(fault) if fault.is_missing_table() => {}
            Err(fault) => return Err(fault.into()),
        }
        let statements = self.sql.dialect.create_ledger(schema.as_deref()).join("; ");
        self.opened(bound).await?.allow_create();
        match self.try_run(statements, bound).await? {
            Ok(_) => Ok(LedgerCreation::Created),
            // another app's holder was faster
            Err(fault) if fault.is_created_meanwhile() => {
                self.rows(check, bound).await?;
                Ok(LedgerCreation::Existed)
            }
            Err(fault) if fault.is_privilege() => Err(Error::refused(
                format!("this role may not create the ledger: {}", fault.message),
                self.target.backend().create_hint(&self.target.url),
            )),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Adds the unique key. Where that is not possible now the ledger is used without it: the lock and
    /// the lease remain, and the next run tries again.
    async fn add_running_key(&mut self, bound: Duration) -> Result<LedgerCreation, Error> {
        let add = self.sql.dialect.add_running_key(self.sql.schema.as_deref());
        let mut answer = self.try_run(add.clone(), bound).await?;
        if answer.as_ref().is_err_and(Fault::is_duplicate) {
            self.run(self.sql.interrupt_duplicates(), bound).await?;
            answer = self.try_run(add.clone(), bound).await?;
        }
        Ok(match answer {
            Ok(_) => LedgerCreation::KeyAdded,
            Err(fault) if fault.is_created_meanwhile() && !fault.is_duplicate() => {
                LedgerCreation::Existed
            }
            Err(fault) => LedgerCreation::KeyMissing {
                why: fault.message,
                add,
            },
        })
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
