//! Which of a server's own errors mean which of ours, and what to do about them.
//!
//! Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>,
//! <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>,
//! <https://mariadb.com/kb/en/mariadb-error-codes/>, <https://www.sqlite.org/rescode.html>.

use std::io;

use super::{
    Backend,
    error::{Error, Fault, FaultKind, FaultPhase},
    postgres::TOO_OLD,
};

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let said = fault.message.trim_end_matches('.').to_owned();
        match fault.kind {
            FaultKind::Io(io::ErrorKind::PermissionDenied)
                if fault.phase == FaultPhase::Connect =>
            {
                Self::refused(
                    said,
                    "let this user open the server's socket, or connect by TCP",
                )
            }
            FaultKind::Io(io::ErrorKind::InvalidInput) => {
                Self::refused(said, "correct the host name in the database URL")
            }
            FaultKind::Io(_) | FaultKind::Timeout => fault.broken_or_not_yet(said),
            FaultKind::Tls => Self::refused(
                format!("no TLS connection: {said}"),
                tls_hint(fault.backend, &said),
            ),
            FaultKind::NoFile => Self::refused(
                said,
                "create the database file, or correct its path in the URL",
            ),
            FaultKind::Driver => driver(&fault, said),
            FaultKind::Server => match fault.backend {
                Backend::Postgres => postgres(fault, said),
                Backend::Mysql => mysql(fault, said),
                Backend::Sqlite => sqlite(&fault, said),
            },
        }
    }
}

fn tls_hint(backend: Backend, said: &str) -> String {
    let (mode, plain, root) = match backend {
        Backend::Mysql => ("ssl-mode", "ssl-mode=DISABLED", "ssl-ca"),
        _ => ("sslmode", "sslmode=disable", "sslrootcert"),
    };
    if said.contains("does not support TLS") {
        format!(
            "let the server offer TLS, or set {plain} in the database URL where the network is trusted"
        )
    } else {
        format!(
            "set {root} in the database URL to the file of the authority that signed the server's certificate, or a {mode} that verifies less"
        )
    }
}

fn driver(fault: &Fault, said: String) -> Error {
    if said.contains("RSA auth") {
        return Error::refused(
            "the server's sha2 password method needs an encrypted connection",
            "set ssl-mode=REQUIRED in the database URL",
        );
    }
    if said == TOO_OLD {
        return Error::refused(said, "launchgate needs PostgreSQL 11 or later");
    }
    match fault.phase {
        // A proxy that accepts and then says something else than the protocol's greeting.
        FaultPhase::Connect => Error::refused(
            format!("the server does not speak as expected: {said}"),
            "check that host and port of the database URL are the database's, and that its authentication method is a common one",
        ),
        FaultPhase::Call => Error::Broken(said),
    }
}

pub(super) const FILE: &str = "let this user write the database file and its folder";
const CREDENTIALS: &str = "check user name and password of the database URL, and whether the server lets this user in from here";
const DATABASE: &str = "create the database, or correct its name in the database URL";
const READ_ONLY: &str = "point the database URL at the primary, which takes writes";
const PRIVILEGES: &str = "grant the role SELECT, INSERT and UPDATE on launchgate_runs (`launchgate wait` needs SELECT only)";
const SHAPE: &str = "the table launchgate_runs is not as launchgate makes it: rename it, or compare it with `launchgate print-ddl`";
pub(super) const SCHEMA: &str =
    "create the schema, or name another with ?schema= in the database URL";
const POOLING: &str = "let the pooler use transaction or session pooling for launchgate, or give it the server's own address";

fn postgres(fault: Fault, said: String) -> Error {
    match fault.code.as_str() {
        "57P03" => Error::NotYet(said),
        "53300" => Error::Full(said),
        "3D000" => Error::refused(said, DATABASE),
        "28000" if said.contains("no encryption") || said.contains("SSL off") => Error::refused(
            said,
            "the server wants TLS: set sslmode=require in the database URL",
        ),
        code if code.starts_with("28") => Error::refused(said, CREDENTIALS),
        "42501" => Error::refused(said, PRIVILEGES),
        // untranslatable_character
        "22P05" => Error::refused(
            format!(
                "the database's encoding can't hold the name of the app or of the revision: {said}"
            ),
            "name them in ASCII (--app, --release), or keep the ledger in a database with the encoding UTF8",
        ),
        "25006" => Error::refused(said, READ_ONLY),
        "3F000" => Error::refused(said, SCHEMA),
        "42883" if said.contains("sha256") || said.contains("advisory") => {
            Error::refused(said, "launchgate needs PostgreSQL 11 or later")
        }
        "42P01" => Error::refused(
            said,
            "the table launchgate_runs is gone: a step may have dropped it",
        ),
        "42703" | "42883" | "42804" | "42809" | "22P02" | "22007" | "23502" | "428C9" => {
            Error::refused(format!("the ledger has another shape: {said}"), SHAPE)
        }
        "08P01" => pgbouncer(fault, said),
        "25P02" | "57014" | "55P03" => Error::Broken(said),
        code if ["08", "40", "53", "57", "58", "XX", "25"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            fault.broken_or_not_yet(said)
        }
        code => Error::refused(
            format!("{said} ({code})"),
            "the server's log says more; `launchgate check` tries the database without changing anything",
        ),
    }
}

/// `PgBouncer` puts most of its own words under 08P01, the lasting and the passing ones.
/// <https://github.com/pgbouncer/pgbouncer/blob/master/src/objects.c>
fn pgbouncer(fault: Fault, said: String) -> Error {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&[
        "authentication failed",
        "no such user",
        "auth failed",
        "password",
    ]) {
        Error::refused(said, CREDENTIALS)
    } else if has(&["no such database", "does not exist"]) {
        Error::refused(said, DATABASE)
    } else if has(&["SSL required", "TLS required"]) {
        Error::refused(
            said,
            "the pooler wants TLS: set sslmode=require in the database URL",
        )
    } else if has(&["unsupported startup parameter"]) {
        Error::refused(
            said,
            "take that parameter out of the database URL, or add it to the pooler's ignore_startup_parameters",
        )
    } else if has(&["pooling mode", "not allowed in statement"]) {
        Error::refused(said, POOLING)
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

fn mysql(fault: Fault, said: String) -> Error {
    match fault.code.parse().unwrap_or(0_u16) {
        1040 | 1203 | 1226 => Error::Full(said),
        1045 | 1130 | 1251 | 1396 | 1698 | 1862 | 1820 | 3118 | 3955 | 4151 => {
            Error::refused(said, CREDENTIALS)
        }
        1044 | 1049 if fault.phase == FaultPhase::Connect => Error::refused(said, DATABASE),
        1044 | 1142 | 1143 | 1227 | 1370 => Error::refused(said, PRIVILEGES),
        1129 => Error::refused(said, "run `mysqladmin flush-hosts` on the server"),
        3159 => Error::refused(
            said,
            "the server wants TLS: set ssl-mode=REQUIRED in the database URL",
        ),
        1290 | 1792 | 1836 => Error::refused(said, READ_ONLY),
        1046 => Error::refused(said, "name a database in the database URL"),
        1146 => Error::refused(
            said,
            "the table launchgate_runs is gone: a step may have dropped it",
        ),
        1054 | 1364 | 1292 | 1366 | 1305 => {
            Error::refused(format!("the ledger has another shape: {said}"), SHAPE)
        }
        // killed, timed out, cut off; or the server's own troubles: memory, files, disk
        1053
        | 1077
        | 1079
        | 1152
        | 1153
        | 1158..=1161
        | 1205
        | 1213
        | 1317
        | 1927
        | 1969
        | 3024
        | 4031
        | 1021
        | 1037
        | 1038
        | 1041
        | 1114
        | 1135 => fault.broken_or_not_yet(said),
        code => Error::refused(
            format!("{said} ({code})"),
            "the server's log says more; `launchgate check` tries the database without changing anything",
        ),
    }
}

fn sqlite(fault: &Fault, said: String) -> Error {
    // the low byte is the primary result code: https://www.sqlite.org/rescode.html
    match fault.code.parse().unwrap_or(1_i32) & 0xff {
        5 | 6 => Error::NotYet(said),
        8 => Error::refused(said, FILE),
        3 | 14 | 23 => Error::refused(
            said,
            "let this user read and write the database file and its folder",
        ),
        11 | 26 => Error::refused(
            said,
            "the file of the database URL is not a sound SQLite database: correct the path, or restore it",
        ),
        1 if said.contains("no such table") => Error::refused(
            said,
            "the table launchgate_runs is gone: a step may have dropped it",
        ),
        1 | 19 | 20 => Error::refused(format!("the ledger has another shape: {said}"), SHAPE),
        // full disk, I/O error, interrupted, out of memory
        _ => Error::Broken(said),
    }
}
