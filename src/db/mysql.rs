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

use super::{
    connection::Connection, driver::Driver, hints, migrator::send::MigrationConnection,
    place::probe, server_info::ask,
};

pub(super) static MYSQL: Driver = Driver {
    name: "mysql",
    has_lease: true,
    is_file: false,
    default_port: Some(3306),
    session_names: None,
    create_hint: |target| {
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
    },
    locked_table_hint: |url| {
        format!(
            "dump without locking tables (--single-transaction), or exclude this table \
             (--ignore-table={}.launchgate_runs), then start again",
            url.database().unwrap_or("DATABASE")
        )
    },
    dialect: &dialect::SQL,
    codes: &errors::CODES,
    // The server shows no names for connections.
    connect: |url, _, mode| {
        Box::pin(async move {
            let connection = connect::connect(url, mode).await?;
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    },
    who_listens: |url| Box::pin(greeting::who_listens(url)),
    migrations: &migrations::MIGRATIONS,
    connect_to_migrate: |url, _, mode| {
        Box::pin(async move {
            let connection = connect::connect_to_migrate(url, mode).await?;
            Ok(Box::new(connection) as Box<dyn MigrationConnection>)
        })
    },
    try_lock: |connection, target, bound| Box::pin(lock::try_lock(connection, target, bound)),
    is_locked: |connection, target| {
        Box::pin(async move {
            let row = ask(connection, lock::is_held(&target.app)).await?;
            Ok(row.flag(0))
        })
    },
    find: |connection, target, question, bound| {
        Box::pin(async move {
            let candidates = places::candidates(target);
            let found = probe(connection, target, candidates, question, bound).await;
            found.map_err(|fault| places::unreadable(fault, target))
        })
    },
    newest_success: |_, _, _, _| Box::pin(async { Ok(None) }),
    homes: |_, target, _| Box::pin(std::future::ready(Ok(places::homes(target)))),
    is_lock_file_held: |_| Ok(None),
    describe: |connection, target, found| Box::pin(describe::describe(connection, target, found)),
};
