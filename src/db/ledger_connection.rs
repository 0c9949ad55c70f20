//! The connection that the ledger is read and written on.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Backend, Target, ddl,
    error::{Error, Fault, FaultKind},
    sql::Sql,
    sqlite::Store,
    target::{CALL, ConnectionPurpose},
    wire::{Done, Row, Wire},
};

/// The ledger's session may be silent for longer than the lock's: nothing is lost with it.
const SILENT_LEASES: u32 = 4;

/// A way to the database: an open connection, or a file that each call opens for itself.
pub(super) enum Link {
    Wire(Wire),
    File(Store),
}

impl Link {
    pub(super) async fn rows(&mut self, sql: String, bound: Duration) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Wire(wire) => wire.rows(sql, bound).await,
            Self::File(store) => {
                let mut wire = store.open(bound).await?;
                let answer = wire.rows(sql, bound).await;
                wire.close().await;
                answer
            }
        }
    }

    pub(super) async fn run(&mut self, sql: String, bound: Duration) -> Result<Done, Fault> {
        match self {
            Self::Wire(wire) => wire.run(sql, bound).await,
            Self::File(store) => {
                let mut wire = store.open(bound).await?;
                let answer = wire.run(sql, bound).await;
                wire.close().await;
                answer
            }
        }
    }

    pub(super) async fn close(self) {
        if let Self::Wire(wire) = self {
            wire.close().await;
        }
    }
}

/// The ledger, on a connection that is opened when it is needed and again when it broke.
pub(super) struct LedgerConnection {
    pub(super) target: Target,
    pub(super) sql: Sql,
    link: Option<Link>,
}

impl LedgerConnection {
    pub(super) fn new(target: Target, sql: Sql) -> Self {
        Self {
            target,
            sql,
            link: None,
        }
    }

    /// Opens the connection where none is open.
    pub(super) async fn open(&mut self, bound: Duration) -> Result<(), Error> {
        if self.link.is_none() {
            let mut link = self.target.link(ConnectionPurpose::Ledger, bound).await?;
            if self.sql.backend == Backend::Mysql {
                link.run(
                    super::mysql::session(self.target.lease * SILENT_LEASES, bound),
                    bound,
                )
                .await?;
            }
            self.link = Some(link);
        }
        Ok(())
    }

    /// Finds out where the ledger is, where nothing but the `search_path` says so: Postgres.
    pub(super) async fn find(&mut self, bound: Duration) -> Result<(), Error> {
        if self.sql.backend != Backend::Postgres || self.sql.schema.is_some() {
            return Ok(());
        }
        let rows = self
            .rows(super::postgres::schema::find(None), bound)
            .await?;
        if let Some(schema) = rows.last().and_then(|row| row.opt(0)) {
            self.sql = Sql::new(Backend::Postgres, Some(&schema));
        }
        Ok(())
    }

    pub(super) async fn rows(&mut self, sql: String, bound: Duration) -> Result<Vec<Row>, Error> {
        self.try_rows(sql, bound).await?.map_err(Error::from)
    }

    pub(super) async fn run(&mut self, sql: String, bound: Duration) -> Result<Done, Error> {
        self.try_run(sql, bound).await?.map_err(Error::from)
    }

    /// Runs a statement with text that somebody reads; in ASCII where the database's encoding
    /// cannot hold it.
    pub(super) async fn run_text(
        &mut self,
        statement: impl Fn(&Sql) -> String,
        bound: Duration,
    ) -> Result<Done, Error> {
        match self.try_run(statement(&self.sql), bound).await? {
            // untranslatable_character
            Err(fault) if fault.code == "22P05" => {
                self.sql.ascii = true;
                self.run(statement(&self.sql), bound).await
            }
            answer => answer.map_err(Error::from),
        }
    }

    /// Runs a statement that may as well run twice: where the connection turns out to be dead,
    /// once more on a new one, within the same bound.
    pub(super) async fn run_again(&mut self, sql: &str, bound: Duration) -> Result<Done, Error> {
        let since = Instant::now();
        let was_open = self.is_open();
        // one half to connect, one half to ask
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

    /// The inner fault is for a caller that expects one, such as a missing table.
    pub(super) async fn try_rows(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Result<Vec<Row>, Fault>, Error> {
        self.open(bound).await?;
        let sql = self.sql.preamble(bound) + &sql;
        let Some(link) = &mut self.link else {
            return Err(closed());
        };
        let answer = link.rows(sql, bound).await;
        Ok(self.keep_or_drop(answer))
    }

    pub(super) async fn try_run(
        &mut self,
        sql: String,
        bound: Duration,
    ) -> Result<Result<Done, Fault>, Error> {
        self.open(bound).await?;
        let sql = self.sql.preamble(bound) + &sql;
        let Some(link) = &mut self.link else {
            return Err(closed());
        };
        let answer = link.run(sql, bound).await;
        Ok(self.keep_or_drop(answer))
    }

    /// A connection that did not end a call with the server's own answer may still get one,
    /// and would take it for the next call's.
    fn keep_or_drop<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &answer
            && (fault.kind != FaultKind::Server
                || matches!(
                    Error::from(fault.clone()),
                    Error::Broken(_) | Error::NotYet(_) | Error::Full(_)
                ))
        {
            self.link = None;
        }
        answer
    }

    /// Makes the ledger where it is missing. One that is there is taken as it is, whatever
    /// the role may create, if it has the columns.
    pub(super) async fn create(&mut self, bound: Duration) -> Result<(), Error> {
        match self.try_rows(self.sql.shape(), bound).await? {
            Ok(_) => return Ok(()),
            Err(fault) if fault.is_missing_table() => {}
            Err(fault) => return Err(fault.into()),
        }
        let schema = self.sql.schema.clone();
        let statements = ddl::statements(self.sql.backend, schema.as_deref()).join("; ");
        self.open(bound).await?;
        if let Some(Link::File(store)) = &mut self.link {
            store.create = true;
        }
        match self.try_run(statements, bound).await? {
            Ok(_) => Ok(()),
            // another app's holder was faster
            Err(fault) if fault.is_created_meanwhile() => {
                self.rows(self.sql.shape(), bound).await.map(drop)
            }
            Err(fault) if fault.is_privilege() => Err(Error::refused(
                format!("may not create the ledger: {}", fault.message),
                format!(
                    "run `launchgate print-ddl --database {}` as an admin",
                    self.sql.backend
                ),
            )),
            Err(fault) => Err(fault.into()),
        }
    }

    pub(super) async fn close(self) {
        if let Some(link) = self.link {
            link.close().await;
        }
    }

    /// Whether a connection is open now.
    pub(super) fn is_open(&self) -> bool {
        self.link.is_some()
    }

    pub(super) fn call(&self) -> Duration {
        self.target.holder_call().min(CALL)
    }
}

fn closed() -> Error {
    Error::Broken("the ledger's connection is closed".to_owned())
}
