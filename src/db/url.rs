//! Where the lock and the ledger live: a database URL in any of the spellings that tools use.
//!
//! Text in, typed parts out; the database layer builds its options from the parts and never
//! hands the text on, because drivers log the parameters that they don't know. Touches
//! standard data only. Invariant: no rendering of a [`DatabaseUrl`] or of a [`UrlError`]
//! shows a password or a query parameter.

mod error;
mod params;
mod scheme;
mod secret;
mod split;
mod sqlite;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

pub use error::UrlError;
pub use scheme::Backend;
pub use secret::Secret;
pub use tls::{Tls, TlsMode};

use params::Params;
use scheme::{Dialect, Spelling};
use secret::Secrets;
use split::{Host, Parts};

/// What stays encoded when a part is shown: what would end the part, and control characters.
const SHOWN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b':')
    .add(b'/')
    .add(b'?')
    .add(b'#')
    .add(b'@')
    .add(b'[')
    .add(b']');

/// A database, by its URL. `Display` and `Debug` show `postgres://user:***@host:5432/db`.
#[derive(Clone)]
pub struct DatabaseUrl {
    target: Target,
    secrets: Secrets,
}

#[derive(Clone)]
enum Target {
    Server(Box<Server>),
    File(PathBuf),
}

#[derive(Clone)]
struct Server {
    backend: Backend,
    host: Option<Host>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    schema: Option<String>,
    options: Option<String>,
    tls: Tls,
}

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// Schemes, however they are capitalised: those of `postgres`, `mysql` and `sqlite` and
    /// their aliases in other tools, with or without a `+driver` suffix or `jdbc:` in front,
    /// and `file:` for `SQLite`. Around the user and the password it is as lenient as can be
    /// without guessing: they end at the last `@` before the path, so a raw `@` or `#` in a
    /// password is fine, and so is a raw `/` or `?` where no other reading makes sense.
    ///
    /// One server only: several hosts are an error, since a lock that each replica might take
    /// on another server excludes nobody.
    ///
    /// # Errors
    ///
    /// An error never carries any of the URL's text but an unknown scheme. It does not name
    /// the setting that the URL came from: the caller knows.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.starts_with(['"', '\'']) {
            return Err(UrlError::Quoted);
        }
        if text.contains(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        let (dialect, rest) = scheme::split(text)?;
        let mut secrets = Secrets::default();
        let target = match dialect.backend {
            Backend::Sqlite => Target::File(sqlite::path(rest, dialect.spelling, &mut secrets)?),
            Backend::Postgres | Backend::Mysql => {
                Target::Server(Box::new(server(dialect, rest, &mut secrets)?))
            }
        };
        secrets.finish(text);
        Ok(Self { target, secrets })
    }

    /// Which kind of database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.server()
            .map_or(Backend::Sqlite, |server| server.backend)
    }

    /// The server's name or address, IPv6 without brackets; `None` where the URL has none,
    /// names a Unix socket, or is `SQLite`'s.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self.server()?.host.as_ref()? {
            Host::Name(name) => Some(name),
            Host::Socket(_) => None,
        }
    }

    /// The port; `None` where the URL has none.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.server()?.port
    }

    /// The Unix socket: the socket's directory for Postgres, as libpq has it, the socket itself
    /// for `MySQL`.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match self.server()?.host.as_ref()? {
            Host::Socket(path) => Some(path),
            Host::Name(_) => None,
        }
    }

    /// The role to log in as.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.server()?.user.as_deref()
    }

    /// The password, decoded; `None` where there is none or it is empty.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.server()?.password.as_ref()
    }

    /// The database on the server; never `SQLite`'s.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.server()?.database.as_deref()
    }

    /// The Postgres schema that the application's tables live in: Prisma's `schema`, or the first of
    /// `currentSchema` (JDBC) or `search_path` (Go).
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.server()?.schema.as_deref()
    }

    /// The Postgres start-up `options`, as they are (`-c name=value …`, or a provider's routing
    /// such as `endpoint=…`).
    #[must_use]
    pub fn options(&self) -> Option<&str> {
        self.server()?.options.as_deref()
    }

    /// How the connection is protected. `Disable` for `SQLite`.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        self.server().map_or(&tls::NONE, |server| &server.tls)
    }

    /// `SQLite`'s file. A relative path is relative to the working directory, also Prisma's.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.target {
            Target::File(path) => Some(path),
            Target::Server(_) => None,
        }
    }

    /// Every text that must not be shown, longest first: the URL itself where it has a password
    /// or parameters, and each password in it as it was written, decoded, and as other tools
    /// would encode it.
    ///
    /// A password of less than three characters is in here only as part of `user:password@` and
    /// of the URL: hiding every `a` of an output would destroy the output and tell the password.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter()
    }

    /// `text` with `***` in place of each of [`Self::secrets`].
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    /// Like [`Self::redact`], for output that need not be UTF-8. Redact before cutting to a
    /// length: half a password is found by nothing.
    #[must_use]
    pub fn redact_bytes(&self, text: &[u8]) -> Vec<u8> {
        self.secrets.redact_bytes(text)
    }

    fn server(&self) -> Option<&Server> {
        match &self.target {
            Target::Server(server) => Some(server),
            Target::File(_) => None,
        }
    }
}

/// Reads what follows `postgres:` or `mysql:`. As in libpq, parameters win over the same part in
/// front of them.
fn server(dialect: Dialect, rest: &str, secrets: &mut Secrets) -> Result<Server, UrlError> {
    let Some(rest) = rest.strip_prefix("//") else {
        return jdbc_local(dialect, rest, secrets);
    };
    let parts = split::split(rest)?;
    let (user, password) = match parts.userinfo {
        Some(userinfo) => credentials(userinfo, secrets)?,
        None => (None, None),
    };
    let params = Params::read(parts.query, dialect, secrets)?;
    let host = host(dialect.backend, parts.host.clone(), &params)?;
    let on_socket = matches!(host, Some(Host::Socket(_)));
    Ok(Server {
        backend: dialect.backend,
        tls: params.tls.resolve(dialect, on_socket)?,
        host,
        port: params.port.or(parts.port),
        user: params.user.or(user),
        password: params.password.or(password).map(Secret::new),
        database: match params.database {
            Some(database) => Some(database),
            None => database(&parts)?,
        },
        schema: params.schema,
        options: params.options,
    })
}

/// `jdbc:postgresql:db`, a database on this machine (pgJDBC, "Connecting to the Database").
fn jdbc_local(dialect: Dialect, rest: &str, secrets: &mut Secrets) -> Result<Server, UrlError> {
    let name = rest.split('?').next().unwrap_or_default();
    // Nothing that could be a user and a password with the slashes forgotten.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let postgres = dialect.backend == Backend::Postgres && dialect.spelling == Spelling::Jdbc;
    if !postgres || name.is_empty() || !name.chars().all(plain) {
        return Err(UrlError::NoSlashes);
    }
    server(dialect, &format!("//localhost/{rest}"), secrets)
}

fn credentials(
    userinfo: &str,
    secrets: &mut Secrets,
) -> Result<(Option<String>, Option<String>), UrlError> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decoded = decode(password)?;
    secrets.add_userinfo(userinfo);
    secrets.add_password(password, &decoded);
    Ok((non_empty(decode(user)?), non_empty(decoded)))
}

fn host(
    backend: Backend,
    authority: Option<Host>,
    params: &Params,
) -> Result<Option<Host>, UrlError> {
    let host = match (&params.socket, &params.host) {
        (Some(path), _) if backend == Backend::Mysql => Some(Host::Socket(PathBuf::from(path))),
        (_, Some(host)) => Some(Host::from_decoded(host)?),
        _ => authority,
    };
    let Some(address) = params
        .address
        .as_deref()
        .filter(|_| backend == Backend::Postgres)
    else {
        return Ok(host);
    };
    address.parse::<IpAddr>().map_err(|_| UrlError::Address)?;
    // libpq connects to `hostaddr` and verifies the certificate against `host`. The driver knows
    // one name for both, and of the two the verification is what must not be lost.
    if host.is_some() && params.tls.verifies_host() {
        return Ok(host);
    }
    Ok(Some(Host::Name(address.to_owned())))
}

fn database(parts: &Parts<'_>) -> Result<Option<String>, UrlError> {
    let path = parts.path.trim_start_matches('/');
    Ok(non_empty(decode(path.strip_suffix('/').unwrap_or(path))?))
}

/// Decodes `%40`. A `%` that starts no code stays, as in Python and in browsers: it is part of a
/// password that nobody encoded.
fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| UrlError::NotUtf8)?;
    if decoded.contains('\0') {
        return Err(UrlError::ControlCharacter);
    }
    Ok(decoded.into_owned())
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::File(path) => write!(
                f,
                "sqlite:{}",
                utf8_percent_encode(&path.to_string_lossy(), CONTROLS)
            ),
            Target::Server(server) => server.fmt(f),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.backend)?;
        if self.user.is_some() || self.password.is_some() {
            let user = self.user.as_deref().unwrap_or_default();
            write!(f, "{}", utf8_percent_encode(user, SHOWN))?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        match &self.host {
            Some(Host::Name(name)) if name.contains(':') => write!(f, "[{name}]")?,
            Some(Host::Name(name)) => f.write_str(name)?,
            Some(Host::Socket(path)) => {
                write!(
                    f,
                    "{}",
                    utf8_percent_encode(&path.to_string_lossy(), NON_ALPHANUMERIC)
                )?;
            }
            None => {}
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.database {
            Some(database) => write!(f, "/{}", utf8_percent_encode(database, SHOWN)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
