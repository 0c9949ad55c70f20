//! `MySQL` and `MariaDB`.

mod connect;
mod describe;
mod dialect;
mod errors;
mod greeting;
mod lock;
mod migrations;
mod places;
mod socket_login;

use std::time::Duration;

use super::{
    DatabaseUrl, Error, Target,
    connection::{Connection, Pending},
    dialect::SqlDialect,
    driver::{Driver, SessionNames},
    fault::{ErrorCodes, Fault, FaultPhase},
    hints,
    ledger_read::Question,
    lock::LockAttempt,
    migrator::dialect::{MigrationConnection, MigrationDialect},
    place::{Found, Home, probe},
    purpose::ConnectionPurpose,
    server_info::{ServerInfo, ask},
    url::TlsMode,
};

/// The driver.
pub(super) struct Mysql;

impl Driver for Mysql {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["mariadb"]
    }

    fn has_lease(&self) -> bool {
        true
    }

    fn single_writer(&self) -> bool {
        false
    }

    fn may_drop_calls(&self) -> bool {
        false
    }

    fn can_snapshot(&self) -> bool {
        false
    }

    fn exists(&self, _url: &DatabaseUrl) -> bool {
        true
    }

    fn default_port(&self) -> Option<u16> {
        Some(3306)
    }

    fn session_names(&self) -> Option<SessionNames> {
        None
    }

    fn follows_steps(&self) -> bool {
        false
    }

    fn has_schemas(&self) -> bool {
        true
    }

    fn create_hint(&self, target: &Target) -> String {
        let url = &target.url;
        let port = url.port().unwrap_or(3306).to_string();
        let socket = url.socket().map(|path| path.to_string_lossy().into_owned());
        let mut client = vec!["mysql"];
        match &socket {
            Some(socket) => client.extend(["-S", socket]),
            None => client.extend(["-h", url.host().unwrap_or("localhost"), "-P", &port]),
        }
        client.extend(["-u", "ADMIN", "-p"]);
        hints::create("mysql", url.user().unwrap_or("USER"), target, &client)
    }

    fn locked_table_hint(&self, url: &DatabaseUrl) -> String {
        format!(
            "dump without locking tables (--single-transaction), or exclude this table \
             (--ignore-table={}.launchgate_runs), then start again",
            url.database().unwrap_or("DATABASE")
        )
    }

    fn dialect(&self) -> &'static dyn SqlDialect {
        &dialect::MysqlDialect
    }

    fn codes(&self) -> &'static dyn ErrorCodes {
        &errors::MysqlErrors
    }

    /// The server shows no names for connections.
    fn connect<'a>(
        &self,
        url: &'a DatabaseUrl,
        _purpose: ConnectionPurpose,
        mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn Connection>, Fault>> {
        Box::pin(async move {
            match connect::connect(url, mode).await {
                Ok(connection) => Ok(Box::new(connection) as Box<dyn Connection>),
                Err(error) => Err(Fault::new(
                    &errors::MysqlErrors,
                    FaultPhase::Connect,
                    &error,
                )),
            }
        })
    }

    fn who_listens<'a>(&self, url: &'a DatabaseUrl) -> Pending<'a, Option<&'static str>> {
        Box::pin(greeting::who_listens(url))
    }

    fn migrations(&self) -> &'static MigrationDialect {
        &migrations::MIGRATIONS
    }

    fn connect_to_migrate<'a>(
        &self,
        url: &'a DatabaseUrl,
        _name: &'a str,
        mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn MigrationConnection>, Fault>> {
        Box::pin(async move {
            match connect::connect_to_migrate(url, mode).await {
                Ok(connection) => Ok(Box::new(connection) as Box<dyn MigrationConnection>),
                Err(error) => Err(Fault::new(
                    &errors::MysqlErrors,
                    FaultPhase::Connect,
                    &error,
                )),
            }
        })
    }

    fn try_lock<'a>(
        &self,
        connection: Box<dyn Connection>,
        target: &'a Target,
        bound: Duration,
    ) -> Pending<'a, Result<LockAttempt, Error>> {
        Box::pin(lock::try_lock(connection, target, bound))
    }

    fn is_locked<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
    ) -> Pending<'a, Result<bool, Error>> {
        Box::pin(async move {
            let row = ask(connection, lock::is_held(&target.app)).await?;
            Ok(row.flag(0))
        })
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
            let candidates = places::candidates(target);
            Ok(probe(connection, candidates, question, &preamble, bound).await?)
        })
    }

    fn homes<'a>(
        &self,
        _connection: &'a mut dyn Connection,
        target: &'a Target,
        _bound: Duration,
    ) -> Pending<'a, Result<Vec<Home>, Error>> {
        Box::pin(std::future::ready(Ok(places::homes(target))))
    }

    fn is_lock_file_held(&self, _target: &Target) -> Result<Option<bool>, Error> {
        Ok(None)
    }

    fn describe<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        found: &'a Found,
    ) -> Pending<'a, Result<ServerInfo, Error>> {
        Box::pin(describe::describe(connection, target, found))
    }
}
