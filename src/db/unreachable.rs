//! Why a server could not be connected to, in words that name its address and the setting that has it.

use std::io;

use super::{
    DatabaseUrl, Error,
    fault::{Fault, FaultKind},
};

/// How the standard library begins the error of a name that can't be looked up.
const LOOKUP: &str = "failed to lookup address information";

/// A certificate that was refused: the words of rustls and webpki, in lower case, what they mean, and what to
/// do. `{names}` are the rest of those words, `{san}` is what would name the host, and `{or_own}` the client's
/// certificate.
const CERTIFICATES: [(&str, &str, &str); 5] = [
    (
        "certificate is only valid for ",
        "is for a different name",
        "connect with a name in the certificate (it has: {names}), or use a mode that does not verify the name",
    ),
    (
        "not valid for any names",
        "contains no host name",
        "create the server's certificate with {san}: a name in the CN alone does not count",
    ),
    (
        "causedasendentity",
        "is a CA certificate (CA:TRUE), as `openssl req -x509` creates it",
        "create a server certificate: `openssl req -x509 -addext basicConstraints=critical,CA:FALSE -addext {san} …`",
    ),
    // The driver reports the client's own certificate in the same words.
    (
        "unsupportedcertversion",
        "{or_own}is X.509 version 1, which can't list host names",
        "create a version 3 certificate: `openssl req -x509 -addext basicConstraints=critical,CA:FALSE -addext \
         {san} …`, or `openssl x509 -req … -extfile FILE` with {san} in FILE",
    ),
    ("expired", "has expired", "renew the server's certificate"),
];

/// Whether the host's name could not be looked up.
pub(super) fn is_unresolved(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Io(_)) && fault.message.contains(LOOKUP)
}

/// What a fault while connecting means. What the server itself answered needs no address.
pub(super) fn explain(fault: Fault, url: &DatabaseUrl) -> Error {
    if url.sqlite_path().is_some() {
        return fault.into();
    }
    let place = place(url);
    let said = brief(&fault.message);
    match fault.kind {
        FaultKind::Io(io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable) => {
            let note = if is_local(url) {
                "; in a container, localhost is the container itself"
            } else {
                ""
            };
            Error::NotYet(format!("nothing is listening at {place}: {said}{note}"))
        }
        FaultKind::Io(io::ErrorKind::NotFound) if url.socket().is_some() => {
            Error::NotYet(format!("there is no socket at {place}: {said}"))
        }
        FaultKind::Io(io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput)
        | FaultKind::Driver
        | FaultKind::NoFile
        | FaultKind::Unopened(_)
        | FaultKind::Server => fault.into(),
        FaultKind::Io(_) if is_unresolved(&fault) => Error::NotYet(format!(
            "the host name of {place} can't be resolved: {said}"
        )),
        FaultKind::Io(_) | FaultKind::Timeout => Error::NotYet(format!("{place}: {said}")),
        FaultKind::Foreign => Error::refused(
            format!("{place} answers, but {said}"),
            "fix the scheme, host and port in the database URL",
        ),
        FaultKind::Tls => certificate(said, &place, url).unwrap_or_else(|| fault.into()),
    }
}

/// Without the error's number and what the message says anyway.
fn brief(said: &str) -> &str {
    let said = said.trim_end_matches('.');
    let said = said.split(" (os error ").next().unwrap_or(said);
    said.trim_start_matches(LOOKUP).trim_start_matches(": ")
}

/// Where a server is: `db:5432 (DATABASE_URL)`.
fn place(url: &DatabaseUrl) -> String {
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

fn is_local(url: &DatabaseUrl) -> bool {
    let host = url.host().unwrap_or("localhost");
    let is_here = host == "localhost" || host.starts_with("127.") || host == "::1";
    is_here && url.socket().is_none()
}

fn certificate(said: &str, place: &str, url: &DatabaseUrl) -> Option<Error> {
    if !said.contains("invalid peer certificate") {
        return None;
    }
    let lower = said.to_ascii_lowercase();
    let (at, (words, what, hint)) = CERTIFICATES
        .iter()
        .find_map(|row| Some((lower.find(row.0)?, row)))?;
    let own = url.tls().client_cert.as_ref();
    let or_own = own.map(|file| format!("or {}, ", file.display()));
    let san = format!("subjectAltName=DNS:{}", url.host().unwrap_or("localhost"));
    let what = what.replace("{or_own}", &or_own.unwrap_or_default());
    let hint = hint
        .replace("{san}", &san)
        .replace("{names}", &said[at + words.len()..]);
    Some(Error::refused(
        format!("could not establish a TLS connection: the certificate of {place} {what}: {said}"),
        hint,
    ))
}
