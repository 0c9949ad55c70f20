//! What the errors of `SQLite` mean: <https://www.sqlite.org/rescode.html>.

use crate::db::{
    Error,
    fault::{ErrorCodes, Fault, FaultKind, Meaning, TlsParameters},
    hints,
};

/// What to do about a file or a folder that this user may not write.
pub(super) const WRITE_HINT: &str =
    "give this user write access to the database file and its folder";

pub(super) static CODES: ErrorCodes = ErrorCodes {
    code: |error| error.code().unwrap_or_default().into_owned(),
    means,
    server_error,
    protocol_error: |_| None,
    // A file has no TLS.
    tls_parameters: TlsParameters {
        mode: "",
        off: "",
        root: "",
    },
};

/// It has one code for everything that is wrong with a statement.
fn means(fault: &Fault, meaning: Meaning) -> bool {
    match meaning {
        Meaning::MissingTable => fault.message.starts_with("no such table"),
        Meaning::CreatedMeanwhile => fault.message.contains("already exists"),
        Meaning::Duplicate => fault.message.starts_with("UNIQUE constraint failed"),
        Meaning::Transient => matches!(primary_code(fault), 5 | 6),
        Meaning::MissingSchema
        | Meaning::Privilege
        | Meaning::SessionEnded
        | Meaning::Unencodable
        | Meaning::LoginRefused => false,
    }
}

fn server_error(fault: &Fault, said: String) -> Error {
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

/// The low byte of the result code.
fn primary_code(fault: &Fault) -> i32 {
    fault.code.parse().unwrap_or(1_i32) & 0xff
}

/// The file cannot be there.
pub(super) fn no_file(message: String) -> Fault {
    Fault::connecting(&CODES, FaultKind::NoFile, message)
}
