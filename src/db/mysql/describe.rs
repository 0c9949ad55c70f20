//! What a `MySQL` or `MariaDB` server says about itself.

use super::{lock, places};
use crate::db::{
    Error, Target,
    connection::Connection,
    fault::{FaultKind, Meaning},
    place::Found,
    server_info::{ServerInfo, ask, can_write},
    target::CALL,
};

/// `ER_DUP_FIELDNAME`
const TWO_COLUMNS_OF_A_NAME: &str = "1060";

pub(super) async fn describe(
    connection: &mut dyn Connection,
    target: &Target,
    found: &Found,
) -> Result<ServerInfo, Error> {
    let row = ask(
        connection,
        "SELECT VERSION(), @@GLOBAL.read_only".to_owned(),
    )
    .await?;
    let version = row.text(0);
    let read_only = row.flag(1);
    let cluster = lock::cluster(connection, CALL).await?;
    let ledger = found.ledgers.first();
    let (home, can_create) = home(connection, target).await?;
    let can_write_ledger = can_write(connection, ledger, read_only).await?;
    Ok(ServerInfo {
        product: if version.contains("MariaDB") {
            "MariaDB"
        } else {
            "MySQL"
        },
        version,
        pooler: None,
        cluster,
        ledger_exists: ledger.is_some(),
        ledger_place: ledger.and_then(|sql| sql.schema.clone()).or(home),
        ledger_owner: None,
        can_create,
        can_write_ledger,
        read_only,
        unfit: read_only.then(lock::read_only),
        lock_mode: "GET_LOCK on a session",
    })
}

/// Where a ledger would be created, and whether this role may.
async fn home(
    connection: &mut dyn Connection,
    target: &Target,
) -> Result<(Option<String>, Option<bool>), Error> {
    let mut last = (None, Some(false));
    for home in places::homes(target) {
        let can_create = can_create(connection, &home.sql.table).await?;
        last = (home.sql.schema, can_create);
        if can_create != Some(false) {
            break;
        }
    }
    Ok(last)
}

/// Whether this role may create a table, by a statement that always fails: the server looks at
/// privileges first and then at the columns, two of which have the same name.
async fn can_create(connection: &mut dyn Connection, table: &str) -> Result<Option<bool>, Error> {
    let create = format!("CREATE TABLE {table} (id INT, id INT)");
    match connection.run(create, CALL).await {
        Err(fault) if fault.means(Meaning::Privilege) || fault.means(Meaning::MissingSchema) => {
            Ok(Some(false))
        }
        Err(fault) if fault.code == TWO_COLUMNS_OF_A_NAME => Ok(Some(true)),
        // read-only, no database selected
        Err(fault) if fault.kind == FaultKind::Server => Ok(None),
        Err(fault) => Err(fault.into()),
        Ok(_) => Ok(None),
    }
}
