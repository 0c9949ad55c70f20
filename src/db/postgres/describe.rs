//! What a Postgres server says about itself.

use super::{connect::pooler, ledger_place, lock};
use crate::db::{
    Error, Target,
    connection::Connection,
    place::Found,
    server_info::{ServerInfo, ask, can_write},
};

pub(super) async fn describe(
    connection: &mut dyn Connection,
    target: &Target,
    found: &Found,
) -> Result<ServerInfo, Error> {
    let row = ask(
        connection,
        "SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), \
         pg_catalog.current_setting('transaction_read_only')"
            .to_owned(),
    )
    .await?;
    let read_only = row.flag(1) || row.flag(2);
    let mut homes = ledger_place::homes(
        target,
        &ask(connection, ledger_place::ask_homes(target)).await?,
    )?;
    // Another's table of that name is in the way of a new one.
    let taken = |schema: &str| {
        found
            .passed_over
            .iter()
            .any(|ledger| ledger.schema == schema)
    };
    homes.retain(|home| !home.sql.schema.as_deref().is_some_and(taken));
    let ledger = found.ledgers.first();
    let can_write_ledger = can_write(connection, ledger, read_only).await?;
    let home = homes.first().map(|home| &home.sql);
    Ok(ServerInfo {
        product: "PostgreSQL",
        version: row.text(0),
        pooler: pooler(&target.url).await,
        cluster: None,
        ledger_exists: ledger.is_some(),
        ledger_place: ledger.or(home).and_then(|sql| sql.schema.clone()),
        ledger_owner: found.owner.clone(),
        can_create: Some(!homes.is_empty()),
        can_write_ledger,
        read_only,
        unfit: read_only.then(|| lock::read_only(row.flag(1))),
        lock_mode: "pg_try_advisory_xact_lock in an open transaction",
    })
}
