//! Why a server could not be connected to, in words that name its address and the setting that has it.

use std::io;

use super::{
    DatabaseUrl, Error,
    fault::{Fault, FaultKind},
};

/// What to write in front of a certificate's names, where rustls lists them.
const NAMES: &str = "certificate is only valid for ";

/// How the standard library begins the error of a name that can't be looked up.
const LOOKUP: &str = "failed to lookup address information";

/// Whether the host's name could not be looked up.
pub(super) fn is_unresolved(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Io(_)) && fault.message.contains(LOOKUP)
}

/// What a fault while connecting means. What the server itself answered needs no address.
pub(super) fn explain(fault: Fault, url: &DatabaseUrl) -> Error {
    if url.sqlite_path().is_some() {
        return fault.into();
    }
    let place = Place(url);
    let said = brief(&fault.message).to_owned();
    match fault.kind {
        FaultKind::Io(io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable) => {
            Error::NotYet(place.nothing_listens(&said))
        }
        FaultKind::Io(io::ErrorKind::NotFound) if url.socket().is_some() => {
            Error::NotYet(format!("there is no socket at {}: {said}", place.shown()))
        }
        FaultKind::Io(io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => {
            fault.into()
        }
        FaultKind::Io(_) if is_unresolved(&fault) => Error::NotYet(format!(
            "the host name of {} can't be resolved: {said}",
            place.shown()
        )),
        FaultKind::Io(_) | FaultKind::Timeout => {
            Error::NotYet(format!("{}: {said}", place.shown()))
        }
        FaultKind::Driver if said.contains("unexpected response from SSLRequest") => {
            other_server(&format!("is not Postgres: {}", looks_like(&said)), url)
        }
        FaultKind::Driver
            if said.contains("establish: unexpected message")
                || said.contains("unknown message type") =>
        {
            other_server("is not Postgres: it does not speak its protocol", url)
        }
        FaultKind::Tls => certificate(&said, url).unwrap_or_else(|| fault.into()),
        FaultKind::Driver | FaultKind::NoFile | FaultKind::Unopened(_) | FaultKind::Server => {
            fault.into()
        }
    }
}

/// Another kind of server answers at this address.
pub(super) fn other_server(what: &str, url: &DatabaseUrl) -> Error {
    Error::refused(
        format!("{} answers, but {what}", Place(url).shown()),
        "fix the scheme, host and port in the database URL",
    )
}

/// Without the error's number and what the message says anyway.
fn brief(said: &str) -> &str {
    let said = said.trim_end_matches('.');
    let said = said.split(" (os error ").next().unwrap_or(said);
    said.trim_start_matches(LOOKUP).trim_start_matches(": ")
}

/// What answers, by the first byte of its answer.
fn looks_like(said: &str) -> &str {
    if said.contains("SSLRequest: 0x48") {
        "it looks like a web server"
    } else if said.contains("SSLRequest: ") {
        "it may be a MySQL or MariaDB server"
    } else {
        said
    }
}

/// Where a server is.
struct Place<'a>(&'a DatabaseUrl);

impl Place<'_> {
    /// `db:5432 (DATABASE_URL)`.
    fn shown(&self) -> String {
        let url = self.0;
        let port = url.port().or(url.backend().driver().default_port);
        let address = match (url.host(), url.socket(), port) {
            (_, Some(socket), _) => socket.display().to_string(),
            (Some(host), None, Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
            (host, None, Some(port)) => format!("{}:{port}", host.unwrap_or("localhost")),
            (host, None, None) => host.unwrap_or("localhost").to_owned(),
        };
        match url.origin() {
            Some(origin) => format!("{address} ({origin})"),
            None => address,
        }
    }

    fn nothing_listens(&self, said: &str) -> String {
        let host = self.0.host().unwrap_or("localhost");
        let is_local = host == "localhost" || host.starts_with("127.") || host == "::1";
        let note = if is_local && self.0.socket().is_none() {
            "; in a container, localhost is the container itself"
        } else {
            ""
        };
        format!("nothing is listening at {}: {said}{note}", self.shown())
    }
}

/// A certificate that was refused, by the words of rustls and webpki.
fn certificate(said: &str, url: &DatabaseUrl) -> Option<Error> {
    if !said.contains("invalid peer certificate") {
        return None;
    }
    let place = Place(url).shown();
    let host = url.host().unwrap_or("localhost");
    let make = format!("subjectAltName=DNS:{host}");
    let (what, hint) = if let Some((_, names)) = said.split_once(NAMES) {
        (
            "is for a different name".to_owned(),
            format!(
                "connect with a name in the certificate (it has: {names}), or use a mode that does \
                 not verify the name"
            ),
        )
    } else if said.contains("not valid for any names") {
        (
            "contains no host name".to_owned(),
            format!(
                "create the server's certificate with {make}: a name in the CN alone does not count"
            ),
        )
    } else if said.contains("CaUsedAsEndEntity") {
        (
            "is a CA certificate (CA:TRUE), as `openssl req -x509` creates it".to_owned(),
            format!(
                "create a server certificate: `openssl req -x509 -addext \
                 basicConstraints=critical,CA:FALSE -addext {make} …`"
            ),
        )
    } else if said.contains("UnsupportedCertVersion") {
        // The driver reports the client's own certificate in the same words.
        let own = url.tls().client_cert.as_ref();
        let or_own = own.map(|file| format!("or {}, ", file.display()));
        (
            format!(
                "{}is X.509 version 1, which can't list host names",
                or_own.unwrap_or_default()
            ),
            format!(
                "create a version 3 certificate: `openssl req -x509 -addext \
                 basicConstraints=critical,CA:FALSE -addext {make} …`, or `openssl x509 -req … \
                 -extfile FILE` with {make} in FILE"
            ),
        )
    } else if said.contains("Expired") || said.contains("expired") {
        (
            "has expired".to_owned(),
            "renew the server's certificate".to_owned(),
        )
    } else {
        return None;
    };
    Some(Error::refused(
        format!("could not establish a TLS connection: the certificate of {place} {what}: {said}"),
        hint,
    ))
}
