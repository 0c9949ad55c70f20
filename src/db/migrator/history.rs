//! What was applied: the rows of `_sqlx_migrations`.

use super::{TABLE, dialect::MigrationDialect};
use crate::db::{
    Error,
    connection::Connection,
    fault::{Fault, FaultKind},
    hex::unhex,
    rows::TextRow,
    target::CALL,
};

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number in front of the file's name.
    pub version: i64,
    /// The rest of the name.
    pub description: String,
    /// False where it was begun and not finished.
    pub success: bool,
    /// SHA-384 of the file.
    pub checksum: Vec<u8>,
}

/// What the table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// There is no table yet.
    Missing,
    /// By version.
    Rows(Vec<Applied>),
}

impl History {
    /// The rows, none if there is no table.
    #[must_use]
    pub fn rows(&self) -> &[Applied] {
        match self {
            Self::Missing => &[],
            Self::Rows(rows) => rows,
        }
    }
}

/// Reads the table, and creates none.
pub(super) async fn read(
    connection: &mut dyn Connection,
    dialect: &dyn MigrationDialect,
) -> Result<History, Error> {
    let columns = dialect.history_columns();
    let ask = format!("SELECT {columns} FROM {TABLE} ORDER BY {TABLE}.version");
    from_answer(connection.rows(ask, CALL).await)
}

fn from_answer(answer: Result<Vec<TextRow>, Fault>) -> Result<History, Error> {
    match answer {
        Ok(rows) => rows
            .iter()
            .map(applied)
            .collect::<Result<_, _>>()
            .map(History::Rows),
        Err(fault) if fault.is_missing_table() => Ok(History::Missing),
        Err(fault) => Err(refused(&fault)),
    }
}

/// A fault about the table, with hints of its own: those for the ledger would mislead.
pub(super) fn refused(fault: &Fault) -> Error {
    let said = fault.message.clone();
    if fault.is_privilege() {
        return Error::refused(
            format!("may not use the table {TABLE}: {said}"),
            format!(
                "let this role create tables, and read and write {TABLE}; or give the migration another role with --step-env-from DATABASE_URL=NAME"
            ),
        );
    }
    match Error::from(fault.clone()) {
        Error::Refused { what, hint }
            if fault.kind == FaultKind::Server && hint.contains("launchgate_runs") =>
        {
            Error::refused(
                format!("the table {TABLE} can't be used: {what}"),
                format!("compare {TABLE} with the one that sqlx-cli makes"),
            )
        }
        error => error,
    }
}

fn applied(row: &TextRow) -> Result<Applied, Error> {
    let version = row.text(0);
    let checksum = row.text(3);
    match (version.parse(), unhex(&checksum)) {
        (Ok(version), Some(checksum)) => Ok(Applied {
            version,
            description: row.text(1),
            success: row.flag(2),
            checksum,
        }),
        _ => Err(Error::refused(
            format!(
                "the table {TABLE} has another shape: version {version:?}, checksum {checksum:?}"
            ),
            format!("compare {TABLE} with the one that sqlx-cli makes"),
        )),
    }
}
