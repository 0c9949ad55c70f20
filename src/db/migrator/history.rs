//! What was applied: the rows of `_sqlx_migrations`.

use super::TABLE;
use crate::db::{
    Backend, Error,
    error::{Fault, FaultKind},
    target::CALL,
    wire::{Row, Wire},
};

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number in front of the file's name.
    pub version: i64,
    /// The rest of the name.
    pub description: String,
    /// False: it was begun and did not end.
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
    /// The rows, none where there is no table.
    #[must_use]
    pub fn rows(&self) -> &[Applied] {
        match self {
            Self::Missing => &[],
            Self::Rows(rows) => rows,
        }
    }
}

/// The statement that reads the table: text in every column.
fn question(backend: Backend) -> String {
    let columns = match backend {
        Backend::Postgres => "version::text, description, success::text, encode(checksum, 'hex')",
        Backend::Mysql => "version, description, success, HEX(checksum)",
        Backend::Sqlite => {
            "CAST(version AS TEXT), description, CAST(success AS TEXT), hex(checksum)"
        }
    };
    format!("SELECT {columns} FROM {TABLE} ORDER BY {TABLE}.version")
}

/// Reads the table, and makes none.
pub(super) async fn read(wire: &mut Wire) -> Result<History, Error> {
    let answer = wire.rows(question(wire.backend()), CALL).await;
    from_answer(answer)
}

pub(super) fn from_answer(answer: Result<Vec<Row>, Fault>) -> Result<History, Error> {
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

/// A fault at the table, with its own hints: those for the ledger would mislead.
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

fn applied(row: &Row) -> Result<Applied, Error> {
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

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
