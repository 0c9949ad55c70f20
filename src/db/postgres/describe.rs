//! What a Postgres server says about itself.

use super::{connect::pooler, lock, quoting::quoted};
use crate::db::{
    Error, Target,
    connection::Connection,
    hints,
    ledger_sql::LedgerSql,
    server_info::{ServerInfo, ask, can_write},
};

pub(super) async fn describe(
    connection: &mut dyn Connection,
    target: &Target,
    sql: &LedgerSql,
    ledger_exists: bool,
) -> Result<ServerInfo, Error> {
    let schema = match &sql.schema {
        Some(schema) => sql.text(schema),
        None => "current_schema()::text".to_owned(),
    };
    let row = ask(
        connection,
        format!(
            "SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only'), \
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {schema})"
        ),
    )
    .await?;
    let read_only = row.flag(1) || row.flag(2);
    let unfit = if read_only {
        Some(lock::read_only(row.flag(1)))
    } else if row.opt(3).is_none() && !ledger_exists {
        Some(match &sql.schema {
            // in the words that the server has when the ledger is to be created there
            Some(schema) => (
                format!("schema {} does not exist", quoted(schema)),
                hints::SCHEMA.to_owned(),
            ),
            None => lock::no_schema(),
        })
    } else {
        None
    };
    let can_write_ledger = if ledger_exists && !read_only {
        Some(can_write(connection, sql).await?)
    } else {
        None
    };
    Ok(ServerInfo {
        product: "PostgreSQL",
        version: row.text(0),
        pooler: pooler(&target.url).await,
        ledger_exists,
        can_create: Some(row.flag(3)),
        can_write_ledger,
        read_only,
        unfit,
        lock_mode: "pg_try_advisory_xact_lock in an open transaction",
    })
}
