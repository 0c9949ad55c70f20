//! What a database call can end with.
//!
//! Every message carries the server's words; none carries the password or the URL.

use std::{fmt, io, time::Duration};

use sqlx::mysql::MySqlDatabaseError;

use super::Backend;

/// Why a database call did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The database does not serve this replica at the moment: worth another try.
    NotYet(String),
    /// It serves others and has no connection to spare: busy rather than away.
    Full(String),
    /// The database refuses, and goes on refusing until somebody changes something.
    Refused {
        /// What was refused, with the server's own words.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The connection broke or went silent in the middle: what it was asked may have happened.
    Broken(String),
    /// The lock, or the run's row, is certainly no longer this holder's.
    Lost(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet(what)
            | Self::Full(what)
            | Self::Broken(what)
            | Self::Lost(what)
            | Self::Refused { what, .. } => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What to do about it, where somebody has to do something.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused { hint, .. } => Some(hint),
            _ => None,
        }
    }

    pub(super) fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

/// When a fault came up: the same code means "not yet" at the door and "broken" inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultPhase {
    Connect,
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// No answer in time.
    Timeout,
    /// The socket's own error.
    Io(io::ErrorKind),
    /// TLS was demanded and not had.
    Tls,
    /// The server answered with an error; its code is in `code`.
    Server,
    /// The driver cannot do it.
    Driver,
    /// The `SQLite` database file is not there.
    NoFile,
}

/// A driver's error, before anybody decided what it means here.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) backend: Backend,
    pub(super) phase: FaultPhase,
    pub(super) kind: FaultKind,
    pub(super) code: String,
    pub(super) message: String,
}

/// What the driver takes for an odd answer to its question for TLS, Postgres' first: it reads a
/// connection that was closed as a zero, which is what a proxy with no server behind it does. And a
/// server that can't start a process for a connection says so without being asked, after an `E`.
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>
fn unasked(said: &str) -> Option<(FaultKind, String)> {
    let (_, answer) = said.split_once("unexpected response from SSLRequest: ")?;
    let (kind, what) = match answer.get(..4)? {
        "0x00" => (
            io::ErrorKind::UnexpectedEof,
            "the connection was closed before the server said anything",
        ),
        "0x45" => (
            io::ErrorKind::ConnectionAborted,
            "the server reported an error before it read anything",
        ),
        _ => return None,
    };
    Some((FaultKind::Io(kind), what.to_owned()))
}

impl Fault {
    pub(super) fn new(backend: Backend, phase: FaultPhase, error: &sqlx::Error) -> Self {
        let mut code = String::new();
        let (kind, message) = match error {
            sqlx::Error::Database(server) => {
                code = match server.try_downcast_ref::<MySqlDatabaseError>() {
                    Some(mysql) => mysql.number().to_string(),
                    None => server.code().unwrap_or_default().into_owned(),
                };
                (FaultKind::Server, server.message().to_owned())
            }
            // rustls hands its alerts and certificate errors through as InvalidData
            sqlx::Error::Io(io)
                if io.kind() == io::ErrorKind::InvalidData && phase == FaultPhase::Connect =>
            {
                (FaultKind::Tls, io.to_string())
            }
            sqlx::Error::Io(io) => (FaultKind::Io(io.kind()), io.to_string()),
            sqlx::Error::Tls(tls) => (FaultKind::Tls, tls.to_string()),
            sqlx::Error::Protocol(said) if let Some(found) = unasked(said) => found,
            other => (FaultKind::Driver, other.to_string()),
        };
        Self {
            backend,
            phase,
            kind,
            code,
            message,
        }
    }

    pub(super) fn timeout(backend: Backend, phase: FaultPhase, bound: Duration) -> Self {
        let message = format!("no answer within {} ms", bound.as_millis());
        Self {
            backend,
            phase,
            kind: FaultKind::Timeout,
            code: String::new(),
            message,
        }
    }

    /// The ledger's table is not there (or the `SQLite` file that would hold it).
    pub(super) fn is_missing_table(&self) -> bool {
        self.kind == FaultKind::NoFile
            || self.kind == FaultKind::Server
                && match self.backend {
                    Backend::Postgres => self.code == "42P01",
                    Backend::Mysql => self.code == "1146",
                    Backend::Sqlite => self.message.starts_with("no such table"),
                }
    }

    /// Somebody else created the same table at the same moment.
    pub(super) fn is_created_meanwhile(&self) -> bool {
        self.kind == FaultKind::Server
            && match self.backend {
                Backend::Postgres => {
                    matches!(self.code.as_str(), "23505" | "42P07" | "42710" | "XX000")
                }
                Backend::Mysql => matches!(self.code.as_str(), "1050" | "1061"),
                Backend::Sqlite => self.message.contains("already exists"),
            }
    }

    /// The role may not do it.
    pub(super) fn is_privilege(&self) -> bool {
        self.kind == FaultKind::Server
            && match self.backend {
                Backend::Postgres => self.code == "42501",
                Backend::Mysql => matches!(
                    self.code.as_str(),
                    "1142" | "1143" | "1227" | "1370" | "1044"
                ),
                Backend::Sqlite => false,
            }
    }

    pub(super) fn broken_or_not_yet(self, what: String) -> Error {
        match self.phase {
            FaultPhase::Connect => Error::NotYet(what),
            FaultPhase::Call => Error::Broken(what),
        }
    }
}
