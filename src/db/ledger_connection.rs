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
    ledger_read::Question,
    ledger_sql::LedgerSql,
    place::{Found, Home},
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

/// What creating the ledger came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerCreation {
    /// It was missing.
    Created {
        /// Its name, with that of its schema.
        table: String,
        /// Why it is beside the app's tables instead of in a place of its own, and what to do about that.
        in_the_way: Option<(String, String)>,
    },
    /// It was there.
    Existed,
    /// It is missing, and is created after the steps.
    AfterSteps,
    /// It was there, from an older launchgate, and got the unique key or the indexes.
    Upgraded,
    /// It was there, from an older launchgate, and could not get them.
    Outdated {
        /// The database's words.
        why: String,
        /// The statements that add them, for an administrator.
        add: String,
    },
}

/// When a missing ledger is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreationTime {
    /// Not where the steps come first.
    BeforeSteps,
    /// Only in a place of its own: a step may be about to need an empty schema.
    DuringStep,
    /// Wherever it can be.
    Anytime,
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

    async fn opened(&mut self, bound: Duration) -> Result<&mut dyn Connection, Error> {
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
            counts_readers: false,
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

    /// Creates the ledger where it is missing. An existing ledger is used as is, if it has the
    /// columns, whatever the role may create. The unique key and the indexes are added if missing.
    pub(super) async fn create(
        &mut self,
        time: CreationTime,
        bound: Duration,
    ) -> Result<LedgerCreation, Error> {
        self.find(bound).await?;
        if let Some(sql) = self.sql().cloned() {
            return self.upgrade(&sql, bound).await;
        }
        if time == CreationTime::BeforeSteps && self.target.backend().driver().follows_steps {
            return Ok(LedgerCreation::AfterSteps);
        }
        for home in self.homes(bound).await? {
            if time == CreationTime::DuringStep && home.in_the_way.is_some() {
                return Ok(LedgerCreation::AfterSteps);
            }
            match self.create_at(&home, bound).await? {
                Ok(()) => return self.created(&home, bound).await,
                // another app's holder was faster
                Err(fault) if fault.is_created_meanwhile() => {
                    self.find(bound).await?;
                    self.existing()?;
                    return Ok(LedgerCreation::Existed);
                }
                Err(fault) if fault.is_privilege() || fault.is_missing_schema() => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Error::refused(
            "the ledger is missing and this role may not create it",
            self.create_hint(),
        ))
    }

    fn create_hint(&self) -> String {
        (self.target.backend().driver().create_hint)(&self.target)
    }

    async fn homes(&mut self, bound: Duration) -> Result<Vec<Home>, Error> {
        let target = self.target.clone();
        let driver = target.backend().driver();
        (driver.homes)(self.opened(bound).await?, &target, bound).await
    }

    async fn create_at(
        &mut self,
        home: &Home,
        bound: Duration,
    ) -> Result<Result<(), Fault>, Error> {
        let schema = home.sql.schema.as_deref();
        let mut statements = (self.dialect().create_ledger)(schema);
        if let Some(before) = &home.before {
            statements.insert(0, before.clone());
        }
        let created = self.try_run(statements.join("; "), bound).await?;
        Ok(created.map(drop))
    }

    /// Makes sure that what was created is what will be found: a table of that name may have been there,
    /// or its schema, which is somebody else's.
    async fn created(&mut self, home: &Home, bound: Duration) -> Result<LedgerCreation, Error> {
        self.find(bound).await?;
        let is_here = |sql: &LedgerSql| sql.table == home.sql.table;
        if !self.sql().is_some_and(is_here) {
            return Err(Error::refused(
                format!(
                    "the table {} was there already and is not trusted",
                    home.sql.table
                ),
                "see who owns it, and drop it, or name another place with --ledger",
            ));
        }
        let in_the_way = home.in_the_way.clone().map(|why| {
            let schema = home.sql.schema.as_deref().unwrap_or_default();
            let hint = format!(
                "if that suits you, say so with --ledger {schema}; else {}",
                self.create_hint()
            );
            (why, hint)
        });
        Ok(LedgerCreation::Created {
            table: home.sql.table.clone(),
            in_the_way,
        })
    }

    /// Adds the unique key and the indexes that an older launchgate's ledger lacks. Where that is not
    /// possible now the ledger is used without them: the lock and the lease remain, and the next run tries
    /// again.
    async fn upgrade(&mut self, sql: &LedgerSql, bound: Duration) -> Result<LedgerCreation, Error> {
        let schema = sql.schema.as_deref();
        let check = format!("{}; {}", sql.shape(), (self.dialect().has_keys)(schema));
        let rows = self.rows(check, bound).await?;
        let has = |column| rows.last().is_some_and(|row| row.flag(column));
        let mut missing = Vec::new();
        if !has(0) {
            missing.push((self.dialect().add_running_key)(schema));
        }
        if !has(1) {
            missing.extend((self.dialect().add_indexes)(schema));
        }
        if missing.is_empty() {
            return Ok(LedgerCreation::Existed);
        }
        for add in &missing {
            if let Err(fault) = self.add(sql, add, bound).await? {
                return Ok(LedgerCreation::Outdated {
                    why: fault.message,
                    add: missing.join("; "),
                });
            }
        }
        Ok(LedgerCreation::Upgraded)
    }

    async fn add(
        &mut self,
        sql: &LedgerSql,
        add: &str,
        bound: Duration,
    ) -> Result<Result<(), Fault>, Error> {
        let mut answer = self.try_run(add.to_owned(), bound).await?;
        if answer.as_ref().is_err_and(Fault::is_duplicate) {
            self.run(sql.interrupt_duplicates(), bound).await?;
            answer = self.try_run(add.to_owned(), bound).await?;
        }
        Ok(match answer {
            Err(fault) if fault.is_created_meanwhile() && !fault.is_duplicate() => Ok(()),
            answer => answer.map(drop),
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

/// Whether an error is the connection's: an answer may still come, or the server has ended it.
fn is_connection_s(error: &Error) -> bool {
    matches!(error, Error::Broken(_) | Error::NotYet(_) | Error::Full(_))
}
