//! `SQLite`: the ledger is a table in the file, the lock a file beside it.

mod dialect;
mod errors;
mod file;
mod lock;
mod lock_file;
mod migrations;
mod path;

use std::time::Duration;

use super::{
    DatabaseUrl, Error, Target,
    connection::{Connection, Pending},
    dialect::SqlDialect,
    driver::{Driver, SessionNames},
    fault::{ErrorCodes, Fault},
    ledger_read::Question,
    lock::{LockAttempt, TakenLock},
    lock_id::lock_id,
    migrator::dialect::{MigrationConnection, MigrationDialect},
    place::{Candidate, Found, Home, probe},
    purpose::ConnectionPurpose,
    server_info::ServerInfo,
    url::TlsMode,
};
use file::DatabaseFile;
use lock::LockFile;
use path::database_path;

/// The driver.
pub(super) struct Sqlite;

impl Driver for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// The lock file tells who is alive.
    fn has_lease(&self) -> bool {
        false
    }

    fn single_writer(&self) -> bool {
        true
    }

    /// What a dropped call still writes belongs to a run whose lock is free, which the next holder
    /// takes for dead.
    fn may_drop_calls(&self) -> bool {
        true
    }

    fn can_snapshot(&self) -> bool {
        true
    }

    fn exists(&self, url: &DatabaseUrl) -> bool {
        database_path(url).exists()
    }

    fn default_port(&self) -> Option<u16> {
        None
    }

    fn session_names(&self) -> Option<SessionNames> {
        None
    }

    fn follows_steps(&self) -> bool {
        true
    }

    fn has_schemas(&self) -> bool {
        false
    }

    /// A file has no roles.
    fn create_hint(&self, _target: &Target) -> String {
        errors::WRITE_HINT.to_owned()
    }

    fn locked_table_hint(&self, _url: &DatabaseUrl) -> String {
        "make sure no step keeps the database locked in a long transaction, then start again"
            .to_owned()
    }

    fn dialect(&self) -> &'static dyn SqlDialect {
        &dialect::SqliteDialect
    }

    fn codes(&self) -> &'static dyn ErrorCodes {
        &errors::SqliteErrors
    }

    fn connect<'a>(
        &self,
        url: &'a DatabaseUrl,
        purpose: ConnectionPurpose,
        _mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn Connection>, Fault>> {
        Box::pin(async move {
            let mut file = DatabaseFile::new(database_path(url))?;
            if purpose == ConnectionPurpose::ReadAhead {
                file.prepare().await;
            }
            Ok(Box::new(file) as Box<dyn Connection>)
        })
    }

    fn who_listens<'a>(&self, _url: &'a DatabaseUrl) -> Pending<'a, Option<&'static str>> {
        Box::pin(async { None })
    }

    fn migrations(&self) -> &'static MigrationDialect {
        &migrations::MIGRATIONS
    }

    fn connect_to_migrate<'a>(
        &self,
        url: &'a DatabaseUrl,
        _name: &'a str,
        _mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn MigrationConnection>, Fault>> {
        Box::pin(async move {
            let mut file = DatabaseFile::new(database_path(url))?;
            file.allow_create();
            let connection = file.open(migrations::OPEN).await?;
            Ok(Box::new(connection) as Box<dyn MigrationConnection>)
        })
    }

    fn try_lock<'a>(
        &self,
        connection: Box<dyn Connection>,
        target: &'a Target,
        _bound: Duration,
    ) -> Pending<'a, Result<LockAttempt, Error>> {
        Box::pin(async move {
            let database = path::resolve(database_path(&target.url))?;
            let path = lock_file::lock_path(&database, &target.app)?;
            let lock_id = lock_id(&target.app, &path.to_string_lossy());
            Ok(match LockFile::try_lock(&database, path, connection)? {
                Ok(lock) => LockAttempt::Taken(TakenLock {
                    lock: Box::new(lock),
                    is_unicode: true,
                    lock_id,
                }),
                Err(connection) => LockAttempt::Busy(connection),
            })
        })
    }

    fn is_locked<'a>(
        &self,
        _connection: &'a mut dyn Connection,
        target: &'a Target,
    ) -> Pending<'a, Result<bool, Error>> {
        let is_held = lock::is_held(database_path(&target.url), &target.app);
        Box::pin(std::future::ready(is_held))
    }

    fn find<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        question: Option<Question<'a>>,
        preamble: String,
        bound: Duration,
    ) -> Pending<'a, Result<Found, Error>> {
        Box::pin(async move {
            let only = Candidate {
                sql: target.plain_sql(),
                is_optional: false,
            };
            Ok(probe(connection, vec![only], question, &preamble, bound).await?)
        })
    }

    fn homes<'a>(
        &self,
        _connection: &'a mut dyn Connection,
        target: &'a Target,
        _bound: Duration,
    ) -> Pending<'a, Result<Vec<Home>, Error>> {
        let home = Home {
            sql: target.plain_sql(),
            before: None,
            in_the_way: None,
        };
        Box::pin(std::future::ready(Ok(vec![home])))
    }

    fn is_lock_file_held(&self, target: &Target) -> Result<Option<bool>, Error> {
        lock::is_held(database_path(&target.url), &target.app).map(Some)
    }

    fn describe<'a>(
        &self,
        _connection: &'a mut dyn Connection,
        target: &'a Target,
        found: &'a Found,
    ) -> Pending<'a, Result<ServerInfo, Error>> {
        let info = lock::unfit(database_path(&target.url), &target.app).map(|unfit| {
            let writable = unfit.is_none();
            let ledger_exists = !found.ledgers.is_empty();
            ServerInfo {
                product: "SQLite",
                version: crate::sys::sqlite::version(),
                pooler: None,
                ledger_exists,
                ledger_place: None,
                ledger_owner: None,
                can_create: Some(writable),
                can_write_ledger: ledger_exists.then_some(writable),
                read_only: !writable,
                unfit,
                lock_mode: "flock on a file next to the database",
            }
        });
        Box::pin(std::future::ready(info))
    }
}
