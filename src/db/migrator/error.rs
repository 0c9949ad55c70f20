//! Why migrations are not applied.

use crate::{
    db::{
        Error,
        fault::{Fault, FaultKind, Meaning},
    },
    exit::{Failure, FailureKind},
};

/// Why the migrations of a folder were not all applied.
#[derive(Debug, Clone)]
pub enum MigrationError {
    /// The folder.
    Folder(Failure),
    /// The database.
    Database(Error),
}

/// The migrations themselves: one failed, or they don't match what was applied. `what` is file, line and
/// the database's own words.
pub(super) fn sql_failure(what: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure::because(FailureKind::Sql, what, hint)
}

impl From<Failure> for MigrationError {
    fn from(failure: Failure) -> Self {
        Self::Folder(failure)
    }
}

impl From<Error> for MigrationError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// A fault about the table, with hints of its own: those for the ledger would mislead.
pub(super) fn refused(fault: &Fault, table: &str) -> Error {
    let said = fault.message.clone();
    if fault.means(Meaning::Transient) {
        return Error::NotYet(said);
    }
    if fault.means(Meaning::Privilege) {
        return Error::refused(
            format!("no permission to use the table {table}: {said}"),
            format!(
                "allow this role to create tables and to read and write {table}, or give the migration another role with --step-env-from DATABASE_URL=NAME"
            ),
        );
    }
    match Error::from(fault.clone()) {
        Error::Refused { what, hint }
            if fault.kind == FaultKind::Server && hint.contains("launchgate_runs") =>
        {
            Error::refused(
                format!("the table {table} can't be used: {what}"),
                format!("compare {table} with the table that the migration tool creates"),
            )
        }
        error => error,
    }
}
