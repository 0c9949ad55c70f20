//! The rows of a history table.

use super::{dialect::MigrationDialect, layout::Layout};
use crate::db::{
    Error,
    connection::Connection,
    fault::{Fault, FaultKind},
    rows::TextRow,
    target::CALL,
};

/// Reads the table, and creates none; `None` where there is no table.
pub(super) async fn read(
    connection: &mut dyn Connection,
    dialect: &dyn MigrationDialect,
    layout: &dyn Layout,
    table: &str,
) -> Result<Option<Vec<TextRow>>, Error> {
    let ask = format!("SELECT {} FROM {table}", layout.columns(dialect));
    match connection.rows(ask, CALL).await {
        Ok(rows) => Ok(Some(rows)),
        Err(fault) if fault.is_missing_table() => Ok(None),
        Err(fault) => Err(refused(&fault, table)),
    }
}

/// A fault about the table, with hints of its own: those for the ledger would mislead.
pub(super) fn refused(fault: &Fault, table: &str) -> Error {
    let said = fault.message.clone();
    if fault.is_transient() {
        return Error::NotYet(said);
    }
    if fault.is_privilege() {
        return Error::refused(
            format!("may not use the table {table}: {said}"),
            format!(
                "let this role create tables, and read and write {table}; or give the migration another role with --step-env-from DATABASE_URL=NAME"
            ),
        );
    }
    match Error::from(fault.clone()) {
        Error::Refused { what, hint }
            if fault.kind == FaultKind::Server && hint.contains("launchgate_runs") =>
        {
            Error::refused(
                format!("the table {table} can't be used: {what}"),
                format!("compare {table} with the one that the migration tool makes"),
            )
        }
        error => error,
    }
}
