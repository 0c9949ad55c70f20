//! A driver's error, classified by the backend's [`ErrorCodes`].

use std::{io, time::Duration};

use sqlx::error::DatabaseError;

use super::error::Error;

/// When a fault came up: the same code means "not yet" while connecting and "broken" during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultPhase {
    Connect,
    Call,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// No answer in time.
    Timeout,
    /// The socket's own error.
    Io(io::ErrorKind),
    /// TLS was required and could not be had.
    Tls,
    /// The server answered with an error; its code is in `code`.
    Server,
    /// The driver cannot do it.
    Driver,
    /// Another kind of server answers: `is not Postgres: …`.
    Foreign,
    /// The database file does not exist.
    NoFile,
    /// No connection could be opened, for this reason.
    Unopened(Error),
}

/// What a server's error means where a caller is prepared for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The table does not exist, or the file that would hold it.
    MissingTable,
    /// The schema, or database, that would hold the table does not exist.
    MissingSchema,
    /// Another session created the same thing at the same moment.
    CreatedMeanwhile,
    /// The role lacks the privilege.
    Privilege,
    /// The database's encoding cannot hold the text.
    Unencodable,
    /// This login is refused as it is, encrypted or not.
    LoginRefused,
    /// Another row has the same unique key.
    Duplicate,
    /// Other sessions were in the way: a lock that was not freed in time, a deadlock, a transaction that
    /// can't be serialized. The same again may succeed.
    Transient,
    /// The server ended the session.
    SessionEnded,
}

/// The URL parameters about TLS, for hints.
#[derive(Debug, Clone, Copy)]
pub(super) struct TlsParameters {
    pub(super) mode: &'static str,
    pub(super) off: &'static str,
    pub(super) root: &'static str,
}

/// What one backend's errors mean.
#[derive(Debug)]
pub(super) struct ErrorCodes {
    /// The server's code for an error.
    pub(super) code: fn(&dyn DatabaseError) -> String,
    /// Whether a server's answer means this. One code may mean several things.
    pub(super) means: fn(&Fault, Meaning) -> bool,
    /// What a server's answer means to everybody else; `said` are its words.
    pub(super) server_error: fn(fault: &Fault, said: String) -> Error,
    /// What happened if the driver could not make sense of an answer while it connected, where that is known.
    pub(super) protocol_error: fn(said: &str) -> Option<(FaultKind, String)>,
    /// How the URL asks for TLS.
    pub(super) tls_parameters: TlsParameters,
}

/// A driver's error, before anybody decided what it means.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) codes: &'static ErrorCodes,
    pub(super) phase: FaultPhase,
    pub(super) kind: FaultKind,
    pub(super) code: String,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(codes: &'static ErrorCodes, phase: FaultPhase, error: &sqlx::Error) -> Self {
        let mut code = String::new();
        let (kind, message) = match error {
            sqlx::Error::Database(server) => {
                code = (codes.code)(server.as_ref());
                (FaultKind::Server, server.message().to_owned())
            }
            // rustls reports its alerts and certificate errors as InvalidData
            sqlx::Error::Io(io)
                if io.kind() == io::ErrorKind::InvalidData && phase == FaultPhase::Connect =>
            {
                (FaultKind::Tls, io.to_string())
            }
            sqlx::Error::Io(io) => (FaultKind::Io(io.kind()), io.to_string()),
            sqlx::Error::Tls(tls) => (FaultKind::Tls, tls.to_string()),
            sqlx::Error::Protocol(said)
                if phase == FaultPhase::Connect
                    && let Some(found) = (codes.protocol_error)(said) =>
            {
                found
            }
            other => (FaultKind::Driver, other.to_string()),
        };
        Self {
            codes,
            phase,
            kind,
            code,
            message,
        }
    }

    pub(super) fn timeout(codes: &'static ErrorCodes, phase: FaultPhase, bound: Duration) -> Self {
        Self {
            codes,
            phase,
            kind: FaultKind::Timeout,
            code: String::new(),
            message: format!("no answer within {} ms", bound.as_millis()),
        }
    }

    /// No connection could be opened.
    pub(super) fn unopened(codes: &'static ErrorCodes, why: Error) -> Self {
        let message = why.to_string();
        Self::connecting(codes, FaultKind::Unopened(why), message)
    }

    /// One that came up while connecting, and that no driver reports.
    pub(super) fn connecting(codes: &'static ErrorCodes, kind: FaultKind, message: String) -> Self {
        Self {
            codes,
            phase: FaultPhase::Connect,
            kind,
            code: String::new(),
            message,
        }
    }

    /// Whether a caller that is prepared for this has to do with it.
    pub(super) fn means(&self, meaning: Meaning) -> bool {
        match self.kind {
            FaultKind::Server => (self.codes.means)(self, meaning),
            FaultKind::NoFile => meaning == Meaning::MissingTable,
            FaultKind::Timeout
            | FaultKind::Io(_)
            | FaultKind::Tls
            | FaultKind::Driver
            | FaultKind::Foreign
            | FaultKind::Unopened(_) => false,
        }
    }

    /// For a transient error: while connecting, retry; during a call, the outcome is unknown.
    pub(super) fn broken_or_not_yet(&self, what: String) -> Error {
        match self.phase {
            FaultPhase::Connect => Error::NotYet(what),
            FaultPhase::Call => Error::Broken(what),
        }
    }

    fn tls_error(&self, said: &str) -> Error {
        let TlsParameters { mode, off, root } = self.codes.tls_parameters;
        let hint = if said.contains("does not support TLS") {
            format!(
                "enable TLS on the server, or set {off} in the database URL if you trust the network"
            )
        } else {
            format!(
                "set {root} in the database URL to the CA certificate that signed the server's \
                 certificate, or choose a less strict {mode}"
            )
        };
        Error::refused(
            format!("could not establish a TLS connection: {said}"),
            hint,
        )
    }

    fn driver_error(&self, said: String) -> Error {
        match self.phase {
            // A proxy that accepts the connection but does not speak the protocol.
            FaultPhase::Connect => Error::refused(
                format!("unexpected answer from the server: {said}"),
                "check the host and port in the database URL, and that the server uses a common \
                 authentication method",
            ),
            FaultPhase::Call => Error::Broken(said),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let said = fault.message.trim_end_matches('.').to_owned();
        match fault.kind {
            FaultKind::Io(io::ErrorKind::PermissionDenied)
                if fault.phase == FaultPhase::Connect =>
            {
                Self::refused(
                    said,
                    "give this user access to the server's socket, or connect over TCP",
                )
            }
            FaultKind::Io(io::ErrorKind::InvalidInput) => {
                Self::refused(said, "fix the host name in the database URL")
            }
            FaultKind::Io(_) | FaultKind::Timeout => fault.broken_or_not_yet(said),
            FaultKind::Tls => fault.tls_error(&said),
            FaultKind::NoFile => Self::refused(
                said,
                "create the database file, or fix its path in the database URL",
            ),
            FaultKind::Driver | FaultKind::Foreign => fault.driver_error(said),
            FaultKind::Unopened(why) => why,
            FaultKind::Server => (fault.codes.server_error)(&fault, said),
        }
    }
}
