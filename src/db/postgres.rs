//! `PostgreSQL`, directly or behind `PgBouncer`.

mod connect;
mod describe;
mod dialect;
mod errors;
mod ledger_place;
mod lock;
mod migrations;
mod orphans;
mod quoting;

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
    place::{Found, Home},
    purpose::ConnectionPurpose,
    server_info::{ServerInfo, ask},
    target::CALL,
    url::TlsMode,
};

/// The driver.
pub(super) struct Postgres;

impl Driver for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["postgresql"]
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
        Some(5432)
    }

    fn session_names(&self) -> Option<SessionNames> {
        Some(SessionNames {
            variable: "PGAPPNAME",
            end: "pg_terminate_backend(pid)",
        })
    }

    fn follows_steps(&self) -> bool {
        false
    }

    fn has_schemas(&self) -> bool {
        true
    }

    fn create_hint(&self, target: &Target) -> String {
        let url = &target.url;
        let host = match (url.socket(), url.host()) {
            (Some(folder), _) => folder.to_string_lossy().into_owned(),
            (None, host) => host.unwrap_or("localhost").to_owned(),
        };
        let client = [
            "psql",
            "-h",
            &host,
            "-p",
            &url.port().unwrap_or(5432).to_string(),
            "-U",
            "ADMIN",
            "-d",
            url.database().or(url.user()).unwrap_or("DATABASE"),
        ];
        hints::create("postgres", url.user().unwrap_or("ROLE"), target, &client)
    }

    fn locked_table_hint(&self, _url: &DatabaseUrl) -> String {
        "make sure that no step locks that table (LOCK TABLE, or a long transaction that changes it), then start again".to_owned()
    }

    fn dialect(&self) -> &'static dyn SqlDialect {
        &dialect::PostgresDialect
    }

    fn codes(&self) -> &'static dyn ErrorCodes {
        &errors::PostgresErrors
    }

    fn connect<'a>(
        &self,
        url: &'a DatabaseUrl,
        purpose: ConnectionPurpose,
        mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn Connection>, Fault>> {
        Box::pin(async move {
            match connect::connect(url, purpose.application_name(), mode).await {
                Ok(connection) => Ok(Box::new(connection) as Box<dyn Connection>),
                Err(error) => Err(Fault::new(
                    &errors::PostgresErrors,
                    FaultPhase::Connect,
                    &error,
                )),
            }
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
        name: &'a str,
        mode: TlsMode,
    ) -> Pending<'a, Result<Box<dyn MigrationConnection>, Fault>> {
        Box::pin(async move {
            match connect::connect_to_migrate(url, name, mode).await {
                Ok(connection) => Ok(Box::new(connection) as Box<dyn MigrationConnection>),
                Err(error) => Err(Fault::new(
                    &errors::PostgresErrors,
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
            let ask_lock = dialect::PostgresDialect.preamble(CALL) + &lock::is_held(&target.app);
            let row = ask(connection, ask_lock).await?;
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
        Box::pin(ledger_place::find(
            connection, target, question, preamble, bound,
        ))
    }

    fn homes<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        bound: Duration,
    ) -> Pending<'a, Result<Vec<Home>, Error>> {
        Box::pin(async move {
            let rows = connection
                .rows(ledger_place::ask_homes(target), bound)
                .await?;
            match rows.last() {
                Some(row) => ledger_place::homes(target, row),
                None => Ok(Vec::new()),
            }
        })
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
