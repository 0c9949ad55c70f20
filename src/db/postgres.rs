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
    ledger_sql::LedgerSql,
    lock::LockAttempt,
    migrator::dialect::{MigrationConnection, MigrationDialect},
    purpose::ConnectionPurpose,
    server_info::{ServerInfo, ask},
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

    fn default_port(&self) -> Option<u16> {
        Some(5432)
    }

    fn session_names(&self) -> Option<SessionNames> {
        Some(SessionNames {
            variable: "PGAPPNAME",
            end: "pg_terminate_backend(pid)",
        })
    }

    fn create_hint(&self, url: &DatabaseUrl) -> String {
        let grant = format!(
            "GRANT SELECT, INSERT, UPDATE ON launchgate_runs TO {};",
            quoting::quoted(url.user().unwrap_or("ROLE"))
        );
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
        hints::create("postgres", &grant, &client)
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

    fn migrations(&self) -> &'static dyn MigrationDialect {
        &migrations::PostgresMigrations
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
            let row = ask(connection, lock::is_held(&target.app)).await?;
            Ok(row.flag(0))
        })
    }

    fn is_lock_file_held(&self, _target: &Target) -> Result<Option<bool>, Error> {
        Ok(None)
    }

    fn describe<'a>(
        &self,
        connection: &'a mut dyn Connection,
        target: &'a Target,
        sql: &'a LedgerSql,
        ledger_exists: bool,
    ) -> Pending<'a, Result<ServerInfo, Error>> {
        Box::pin(describe::describe(connection, target, sql, ledger_exists))
    }
}
