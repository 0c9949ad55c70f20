//! Why migrations are not applied.

use crate::{
    db::{
        Error,
        fault::{Fault, FaultKind},
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

impl MigrationError {
    /// The migrations themselves: one failed, or they don't match what was applied. `what` is file, line and
    /// the database's own words.
    pub(super) fn migration(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Folder(Failure::because(FailureKind::Sql, what, hint))
    }

    /// The folder has another layout than the database's table, or none. Nothing was touched.
    pub(super) fn layout(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Folder(Failure::usage(what, hint))
    }

    /// What is wrong.
    pub fn what(&self) -> String {
        match self {
            Self::Folder(failure) => failure.problem().what().to_owned(),
            Self::Database(error) => error.to_string(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Folder(failure) => failure.problem().hint().to_owned(),
            Self::Database(error) => error.hint().unwrap_or("start again").to_owned(),
        }
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
    if fault.is_transient() {
        return Error::NotYet(said);
    }
    if fault.is_privilege() {
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
