//! What the errors of `SQLite` mean: <https://www.sqlite.org/rescode.html>.

use sqlx::error::DatabaseError;

use crate::db::{
    Error,
    fault::{ErrorCodes, Fault, FaultKind, FaultPhase, Meaning, TlsParameters},
    hints,
};

/// What to do about a file or a folder that this user may not write.
pub(super) const WRITE_HINT: &str =
    "give this user write access to the database file and its folder";

#[derive(Debug)]
pub(super) struct SqliteErrors;

impl ErrorCodes for SqliteErrors {
    fn code(&self, error: &dyn DatabaseError) -> String {
        error.code().unwrap_or_default().into_owned()
    }

    /// It has one code for everything that is wrong with a statement.
    fn means(&self, fault: &Fault, meaning: Meaning) -> bool {
        match meaning {
            Meaning::MissingTable => fault.message.starts_with("no such table"),
            Meaning::CreatedMeanwhile => fault.message.contains("already exists"),
            Meaning::Duplicate => fault.message.starts_with("UNIQUE constraint failed"),
            Meaning::Transient => matches!(primary_code(fault), 5 | 6),
            Meaning::MissingSchema
            | Meaning::Privilege
            | Meaning::Unencodable
            | Meaning::LoginRefused => false,
        }
    }

    fn server_error(&self, fault: &Fault, said: String) -> Error {
        match primary_code(fault) {
            5 | 6 => Error::NotYet(said),
            8 => Error::refused(said, WRITE_HINT),
            3 | 14 | 23 => Error::refused(
                said,
                "give this user read and write access to the database file and its folder",
            ),
            11 | 26 => Error::refused(
                said,
                "the file in the database URL is not a valid SQLite database: fix the path, or \
                 restore the file from a backup",
            ),
            1 if said.contains("no such table") => Error::refused(said, hints::TABLE_GONE),
            1 | 19 | 20 => Error::refused(
                format!("the ledger table does not have the expected columns: {said}"),
                hints::SHAPE,
            ),
            13 => Error::Broken(format!("{said}: free space on the database's disk")),
            // I/O error, interrupted, out of memory
            _ => Error::Broken(said),
        }
    }

    fn protocol_error(&self, _said: &str) -> Option<(FaultKind, String)> {
        None
    }

    fn driver_error(&self, _said: &str) -> Option<Error> {
        None
    }

    /// A file has no TLS.
    fn tls_parameters(&self) -> TlsParameters {
        TlsParameters {
            mode: "",
            off: "",
            root: "",
        }
    }

    fn ends_session(&self, _code: &str) -> bool {
        false
    }
}

/// The low byte of the result code.
fn primary_code(fault: &Fault) -> i32 {
    fault.code.parse().unwrap_or(1_i32) & 0xff
}

/// The file cannot be there.
pub(super) fn no_file(message: String) -> Fault {
    Fault {
        codes: &SqliteErrors,
        phase: FaultPhase::Connect,
        kind: FaultKind::NoFile,
        code: String::new(),
        message,
    }
}
