//! What a `MySQL` or `MariaDB` server says about itself.

use super::lock;
use crate::db::{
    Error,
    connection::Connection,
    fault::FaultKind,
    ledger_sql::{LedgerSql, TABLE},
    server_info::{ServerInfo, ask, can_write},
    target::CALL,
};

/// `ER_DUP_FIELDNAME`
const TWO_COLUMNS_OF_A_NAME: &str = "1060";

pub(super) async fn describe(
    connection: &mut dyn Connection,
    sql: &LedgerSql,
    ledger_exists: bool,
) -> Result<ServerInfo, Error> {
    let row = ask(
        connection,
        "SELECT VERSION(), @@GLOBAL.read_only".to_owned(),
    )
    .await?;
    let version = row.text(0);
    let read_only = row.flag(1);
    let can_create = can_create(connection).await?;
    let can_write_ledger = if ledger_exists && !read_only {
        Some(can_write(connection, sql).await?)
    } else {
        None
    };
    Ok(ServerInfo {
        product: if version.contains("MariaDB") {
            "MariaDB"
        } else {
            "MySQL"
        },
        version,
        pooler: None,
        ledger_exists,
        can_create,
        can_write_ledger,
        read_only,
        unfit: read_only.then(lock::read_only),
        lock_mode: "GET_LOCK on a session",
    })
}

/// Whether this role may create the ledger, by a statement that always fails: the server looks at
/// privileges first and then at the columns, two of which have the same name.
async fn can_create(connection: &mut dyn Connection) -> Result<Option<bool>, Error> {
    let create = format!("CREATE TABLE {TABLE} (id INT, id INT)");
    match connection.run(create, CALL).await {
        Err(fault) if fault.is_privilege() => Ok(Some(false)),
        Err(fault) if fault.code == TWO_COLUMNS_OF_A_NAME => Ok(Some(true)),
        // read-only, no database selected
        Err(fault) if fault.kind == FaultKind::Server => Ok(None),
        Err(fault) => Err(fault.into()),
        Ok(_) => Ok(None),
    }
}
