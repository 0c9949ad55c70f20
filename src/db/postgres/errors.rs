//! What the errors of Postgres and of `PgBouncer` mean.
//!
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use std::io;

use crate::db::{
    Error,
    fault::{ErrorCodes, Fault, FaultKind, Meaning, TlsParameters},
    hints,
};

const NEEDED: &str = "launchgate needs PostgreSQL 11 or later";

pub(super) static CODES: ErrorCodes = ErrorCodes {
    code: |error| error.code().unwrap_or_default().into_owned(),
    means,
    server_error,
    protocol_error,
    tls_parameters: TlsParameters {
        mode: "sslmode",
        off: "sslmode=disable",
        root: "sslrootcert",
    },
};

fn means(fault: &Fault, meaning: Meaning) -> bool {
    let codes: &[&str] = match meaning {
        Meaning::MissingTable => &["42P01"],
        Meaning::MissingSchema => &["3F000"],
        // Two sessions that create the same table at once collide on a catalog key.
        Meaning::CreatedMeanwhile => &["23505", "42P06", "42P07", "42710", "XX000"],
        Meaning::Privilege => &["42501"],
        Meaning::Unencodable => &["22P05"],
        Meaning::LoginRefused => &["28000"],
        Meaning::Duplicate => &["23505"],
        Meaning::Transient => &["55P03", "40P01", "40001"],
        Meaning::SessionEnded => &["57P01", "57P02", "57P03", "57P04", "57P05"],
    };
    codes.contains(&fault.code.as_str())
}

fn server_error(fault: &Fault, said: String) -> Error {
    match fault.code.as_str() {
        "57P03" => Error::NotYet(said),
        "53300" => Error::Full(said),
        "3D000" => Error::refused(said, hints::DATABASE),
        "28000" if said.contains("no encryption") || said.contains("SSL off") => Error::refused(
            said,
            "the server requires TLS: set sslmode=require in the database URL",
        ),
        code if code.starts_with("28") => Error::refused(said, hints::CREDENTIALS),
        "42501" => Error::refused(said, hints::PRIVILEGES),
        "22P05" => Error::refused(
            format!(
                "the database's encoding can't hold the name of the app or of the revision: {said}"
            ),
            "use ASCII names (--app, --release), or keep the ledger in a database with UTF8 encoding",
        ),
        "25006" => Error::not_ready(said, hints::READ_ONLY),
        "3F000" => Error::refused(said, hints::SCHEMA),
        "42883" if said.contains("sha256") || said.contains("advisory") => {
            Error::refused(said, NEEDED)
        }
        "42P01" => Error::refused(said, hints::TABLE_GONE),
        "42703" | "42883" | "42804" | "42809" | "22P02" | "22007" | "23502" | "428C9" => {
            Error::refused(
                format!("the ledger table does not have the expected columns: {said}"),
                hints::SHAPE,
            )
        }
        "08P01" => pgbouncer(fault, said),
        "25P02" | "57014" | "55P03" => Error::Broken(said),
        code if ["08", "40", "53", "57", "58", "XX", "25"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            fault.broken_or_not_yet(said)
        }
        code => Error::refused(format!("{said} ({code})"), hints::UNKNOWN),
    }
}

/// `PgBouncer`'s words for what lasts, and what to do about it.
/// <https://github.com/pgbouncer/pgbouncer/blob/master/src/objects.c>
const PGBOUNCER: [(&[&str], &str); 6] = [
    (
        &[
            "authentication failed",
            "no such user",
            "auth failed",
            "password",
        ],
        hints::CREDENTIALS,
    ),
    (&["no such database", "does not exist"], hints::DATABASE),
    (
        &["SSL required", "TLS required"],
        "the pooler requires TLS: set sslmode=require in the database URL",
    ),
    (
        &["unsupported startup parameter"],
        "remove that parameter from the database URL, or add it to the pooler's ignore_startup_parameters",
    ),
    (
        &["pooling mode", "not allowed in statement"],
        "set the pooler to transaction or session pooling for launchgate, or connect to the server directly",
    ),
    (
        &["malformed SCRAM message"],
        "the driver can't log in a role with a comma in its name by SCRAM: rename the role",
    ),
];

/// `PgBouncer` reports most of its own errors as 08P01, permanent and transient ones alike.
fn pgbouncer(fault: &Fault, said: String) -> Error {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if let Some((_, hint)) = PGBOUNCER.iter().find(|(words, _)| has(words)) {
        Error::refused(said, *hint)
    } else if has(&["no more connections"]) {
        Error::Full(said)
    } else if has(&[
        "server login",
        "shutting down",
        "query_wait_timeout",
        "cannot connect",
    ]) {
        Error::NotYet(said)
    } else {
        fault.broken_or_not_yet(said)
    }
}

/// An answer that the driver did not expect, most often to its question for TLS, the first message to Postgres.
/// It reads a closed connection as a zero, which is what a proxy with no server behind it causes. And
/// a server that cannot start a process for the connection reports that unasked, after an `E`.
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>
fn protocol_error(said: &str) -> Option<(FaultKind, String)> {
    let answer = said.split_once("unexpected response from SSLRequest: ");
    let (kind, what) = match answer.map(|(_, answer)| answer.get(..4).unwrap_or(answer)) {
        Some("0x00") => (
            FaultKind::Io(io::ErrorKind::UnexpectedEof),
            "the server closed the connection without answering",
        ),
        Some("0x45") => (
            FaultKind::Io(io::ErrorKind::ConnectionAborted),
            "the server reported an error as soon as the connection was opened",
        ),
        Some("0x48") => (
            FaultKind::Foreign,
            "is not Postgres: it looks like a web server",
        ),
        Some(_) => (
            FaultKind::Foreign,
            "is not Postgres: it may be a MySQL or MariaDB server",
        ),
        None if said.contains("establish: unexpected message")
            || said.contains("unknown message type") =>
        {
            (
                FaultKind::Foreign,
                "is not Postgres: it does not speak its protocol",
            )
        }
        None => return None,
    };
    Some((kind, what.to_owned()))
}

/// `sha256()` requires 11; a server that reports version 8 or 9 today is not PostgreSQL.
pub(super) fn too_old() -> Fault {
    let why = Error::refused("the server is older than PostgreSQL 11", NEEDED);
    Fault::unopened(&CODES, why)
}
