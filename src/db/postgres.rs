//! `PostgreSQL`, directly or behind `PgBouncer`.

mod connect;
mod describe;
mod dialect;
mod errors;
mod ledger_place;
mod lock;
mod migrations;
mod newest_success;
mod orphans;
mod quoting;

use super::{
    connection::Connection,
    driver::{Driver, SessionNames},
    hints,
    migrator::send::MigrationConnection,
    server_info::ask,
    target::CALL,
};

pub(super) static POSTGRES: Driver = Driver {
    name: "postgres",
    has_lease: true,
    is_file: false,
    default_port: Some(5432),
    session_names: Some(SessionNames {
        variable: "PGAPPNAME",
        end: "pg_terminate_backend(pid)",
        list: orphans::sessions,
        end_one: orphans::end_session,
        orphans: orphans::orphans,
    }),
    create_hint: |target| {
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
    },
    locked_table_hint: |_| {
        "make sure that no step locks that table (LOCK TABLE, or a long transaction that changes it), then start again".to_owned()
    },
    dialect: &dialect::SQL,
    codes: &errors::CODES,
    connect: |url, purpose, mode| {
        Box::pin(async move {
            let connection = connect::connect(url, purpose.application_name(), mode).await?;
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    },
    who_listens: |_| Box::pin(async { None }),
    migrations: &migrations::MIGRATIONS,
    connect_to_migrate: |url, name, mode| {
        Box::pin(async move {
            let connection = connect::connect_to_migrate(url, &name, mode).await?;
            Ok(Box::new(connection) as Box<dyn MigrationConnection>)
        })
    },
    try_lock: |connection, target, bound| Box::pin(lock::try_lock(connection, target, bound)),
    is_locked: |connection, target| {
        Box::pin(async move {
            let ask_lock = (dialect::SQL.preamble)(CALL) + &lock::is_held(&target.app);
            let row = ask(connection, ask_lock).await?;
            Ok(row.flag(0))
        })
    },
    find: |connection, target, question, bound| {
        Box::pin(ledger_place::find(connection, target, question, bound))
    },
    newest_success: |connection, target, revision, bound| {
        Box::pin(newest_success::newest_success(
            connection, target, revision, bound,
        ))
    },
    homes: |connection, target, bound| {
        Box::pin(async move {
            let rows = connection
                .rows(ledger_place::ask_homes(target), bound)
                .await?;
            match rows.last() {
                Some(row) => ledger_place::homes(target, row),
                None => Ok(Vec::new()),
            }
        })
    },
    is_lock_file_held: |_| Ok(None),
    describe: |connection, target, found| Box::pin(describe::describe(connection, target, found)),
};
