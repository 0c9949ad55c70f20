//! `SQLite`: the ledger is a table in the file, the lock a file beside it.

mod dialect;
mod errors;
mod file;
mod lock;
mod lock_file;
mod migrations;
mod path;

use super::{
    connection::Connection,
    driver::Driver,
    migrator::send::MigrationConnection,
    place::{Candidate, Home, probe},
    purpose::ConnectionPurpose,
    server_info::ServerInfo,
};
use file::DatabaseFile;
use path::database_path;

pub(super) static SQLITE: Driver = Driver {
    name: "sqlite",
    // The lock file tells who is alive.
    has_lease: false,
    is_file: true,
    default_port: None,
    session_names: None,
    // A file has no roles.
    create_hint: |_| errors::WRITE_HINT.to_owned(),
    locked_table_hint: |_| {
        "make sure no step keeps the database locked in a long transaction, then start again"
            .to_owned()
    },
    dialect: &dialect::SQL,
    codes: &errors::CODES,
    connect: |url, purpose, _| {
        Box::pin(async move {
            let mut file = DatabaseFile::new(database_path(url))?;
            if purpose == ConnectionPurpose::ReadAhead {
                file.prepare().await;
            }
            Ok(Box::new(file) as Box<dyn Connection>)
        })
    },
    who_listens: |_| Box::pin(async { None }),
    migrations: &migrations::MIGRATIONS,
    connect_to_migrate: |url, _, _| {
        Box::pin(async move {
            let mut file = DatabaseFile::new(database_path(url))?;
            file.create = true;
            let connection = file.open(migrations::OPEN).await?;
            Ok(Box::new(connection) as Box<dyn MigrationConnection>)
        })
    },
    try_lock: |_, target, _| Box::pin(std::future::ready(lock::try_lock(target))),
    is_locked: |_, target| {
        let is_held = lock::is_held(database_path(&target.url), &target.app);
        Box::pin(std::future::ready(is_held))
    },
    find: |connection, target, question, bound| {
        Box::pin(async move {
            let only = Candidate {
                sql: target.plain_sql(),
                is_optional: false,
            };
            Ok(probe(connection, target, vec![only], question, bound).await?)
        })
    },
    newest_success: |_, _, _, _| Box::pin(async { Ok(None) }),
    homes: |_, target, _| {
        let home = Home {
            sql: target.plain_sql(),
            before: None,
            in_the_way: None,
        };
        Box::pin(std::future::ready(Ok(vec![home])))
    },
    is_lock_file_held: |target| lock::is_held(database_path(&target.url), &target.app).map(Some),
    describe: |_, target, found| {
        let unfit = lock::fits(database_path(&target.url), &target.app).err();
        let writable = unfit.is_none();
        let ledger_exists = !found.ledgers.is_empty();
        let info = ServerInfo {
            product: "SQLite",
            version: crate::sys::sqlite::version(),
            pooler: None,
            cluster: None,
            ledger_exists,
            ledger_place: None,
            ledger_owner: None,
            can_create: Some(writable),
            can_write_ledger: ledger_exists.then_some(writable),
            read_only: !writable,
            unfit,
            lock_mode: "flock on a file next to the database",
        };
        Box::pin(std::future::ready(Ok(info)))
    },
};
