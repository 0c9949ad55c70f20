//! The database file. Each call opens it and closes it again: a step may change the journal mode,
//! vacuum, or put another file in its place, and never runs into one of our locks. Persistent
//! pragmas are not
//! touched.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Sqlite as Sqlx,
    sqlite::{SqliteConnectOptions, SqliteQueryResult, SqliteRow},
};
use tokio::time::timeout;

use super::{
    errors::{CODES, no_file},
    path::resolve,
};
use crate::{
    db::{
        connection::{Connection, Pending, SqlxBackend, SqlxConnection},
        fault::{ErrorCodes, Fault, FaultPhase},
        rows::{TextRow, text_columns},
    },
    sys::sqlite_memory::use_own_memory,
};

/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long opening the file ahead of the first call may take.
const AHEAD: Duration = Duration::from_millis(200);

impl SqlxBackend for Sqlx {
    const CODES: &'static ErrorCodes = &CODES;

    fn text_row(row: &SqliteRow) -> sqlx::Result<TextRow> {
        text_columns(row)
    }

    fn affected(done: &SqliteQueryResult) -> u64 {
        done.rows_affected()
    }
}

/// A database file, reopened by each call.
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// A missing file is created.
    pub(super) create: bool,
    /// Opened ahead of the next call.
    prepared: Option<SqlxConnection<Sqlx>>,
}

impl DatabaseFile {
    /// The file may be missing, its folder not.
    pub(super) fn new(path: &Path) -> Result<Self, Fault> {
        use_own_memory();
        let path = resolve(path)?;
        if path.exists() && !path.is_file() {
            let kind = if path.is_dir() {
                "folder"
            } else {
                "device, pipe or socket"
            };
            return Err(no_file(format!(
                "{} is a {kind}, not a database file",
                path.display()
            )));
        }
        Ok(Self {
            path,
            create: false,
            prepared: None,
        })
    }

    /// Opens the file for the next call and reads its schema, where that can be done at once. The call
    /// itself finds out what is wrong.
    pub(super) async fn prepare(&mut self) {
        let schema = "SELECT 1 FROM sqlite_master LIMIT 0".to_owned();
        if let Ok(mut connection) = self.open(AHEAD).await
            && connection.rows(schema, AHEAD).await.is_ok()
        {
            self.prepared = Some(connection);
        }
    }

    pub(super) async fn open(&mut self, bound: Duration) -> Result<SqlxConnection<Sqlx>, Fault> {
        if let Some(connection) = self.prepared.take() {
            return Ok(connection);
        }
        if !self.create && !self.path.exists() {
            return Err(no_file(format!("{} does not exist", self.path.display())));
        }
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(self.create)
            .busy_timeout(BUSY.min(bound / 2))
            .statement_cache_capacity(0)
            .disable_statement_logging();
        match timeout(bound, options.connect()).await {
            Ok(Ok(connection)) => Ok(SqlxConnection(connection)),
            Ok(Err(error)) => Err(Fault::new(&CODES, FaultPhase::Connect, &error)),
            Err(_) => Err(Fault::timeout(&CODES, FaultPhase::Connect, bound)),
        }
    }
}

impl Connection for DatabaseFile {
    fn rows(&mut self, sql: String, bound: Duration) -> Pending<'_, Result<Vec<TextRow>, Fault>> {
        Box::pin(async move {
            let mut connection = Box::new(self.open(bound).await?);
            let answer = connection.rows(sql, bound).await;
            connection.close().await;
            answer
        })
    }

    fn run(&mut self, sql: String, bound: Duration) -> Pending<'_, Result<u64, Fault>> {
        Box::pin(async move {
            let mut connection = Box::new(self.open(bound).await?);
            let answer = connection.run(sql, bound).await;
            connection.close().await;
            answer
        })
    }

    fn close(self: Box<Self>) -> Pending<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
