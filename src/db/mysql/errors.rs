//! What the errors of `MySQL` and `MariaDB` mean.
//!
//! <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>,
//! <https://mariadb.com/kb/en/mariadb-error-codes/>

use sqlx::mysql::MySqlDatabaseError;

use crate::db::{
    Error,
    fault::{ErrorCodes, Fault, FaultPhase, Meaning, TlsParameters},
    hints,
};

pub(super) static CODES: ErrorCodes = ErrorCodes {
    // The number: many errors share an SQLSTATE.
    code: |error| match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(mysql) => mysql.number().to_string(),
        None => error.code().unwrap_or_default().into_owned(),
    },
    means,
    server_error,
    protocol_error: |_| None,
    tls_parameters: TlsParameters {
        mode: "ssl-mode",
        off: "ssl-mode=DISABLED",
        root: "ssl-ca",
    },
};

fn means(fault: &Fault, meaning: Meaning) -> bool {
    let codes: &[&str] = match meaning {
        Meaning::MissingTable => &["1146"],
        Meaning::MissingSchema => &["1049"],
        Meaning::CreatedMeanwhile => &["1050", "1060", "1061"],
        Meaning::Privilege => &["1142", "1143", "1227", "1370", "1044"],
        Meaning::Unencodable | Meaning::LoginRefused => &[],
        Meaning::Duplicate => &["1062"],
        Meaning::Transient => &["1205", "1213"],
        Meaning::SessionEnded => &["1053", "1927"],
    };
    codes.contains(&fault.code.as_str())
}

fn server_error(fault: &Fault, said: String) -> Error {
    match fault.code.parse().unwrap_or(0_u16) {
        1040 | 1203 | 1226 => Error::Full(said),
        1045 | 1130 | 1251 | 1396 | 1698 | 1862 | 1820 | 3118 | 3955 | 4151 => {
            Error::refused(said, hints::CREDENTIALS)
        }
        1044 | 1049 if fault.phase == FaultPhase::Connect => Error::refused(said, hints::DATABASE),
        1044 | 1142 | 1143 | 1227 | 1370 => Error::refused(said, hints::PRIVILEGES),
        1129 => Error::refused(said, "run `mysqladmin flush-hosts` on the server"),
        3159 => Error::refused(
            said,
            "the server requires TLS: set ssl-mode=REQUIRED in the database URL",
        ),
        1290 | 1792 | 1836 => Error::not_ready(said, hints::READ_ONLY),
        // a Galera node that is joining or has no quorum
        1047 => Error::not_ready(
            said,
            "check the node's log, or point the database URL to a node that has joined the cluster",
        ),
        3032 => Error::not_ready(said, "end offline mode: SET GLOBAL offline_mode = OFF"),
        1046 => Error::refused(said, hints::NO_DATABASE),
        1146 => Error::refused(said, hints::TABLE_GONE),
        1054 | 1364 | 1292 | 1366 | 1305 => Error::refused(
            format!("the ledger table does not have the expected columns: {said}"),
            hints::SHAPE,
        ),
        // killed, timed out, cut off; or out of memory, files or disk space
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
        code => Error::refused(format!("{said} ({code})"), hints::UNKNOWN),
    }
}
