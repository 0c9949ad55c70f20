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
mod server;
mod split;
mod sqlite;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};

pub use error::UrlError;
pub use scheme::Backend;
pub use secret::Secret;
pub use tls::{Tls, TlsMode};

use secret::Secrets;
use server::Server;
use split::Host;

/// A database, by its URL. `Display` and `Debug` show `postgres://user:***@host:5432/db`.
#[derive(Clone)]
pub struct DatabaseUrl {
    target: Target,
    secrets: Secrets,
    text: Secret,
    own_user: Option<String>,
}

#[derive(Clone)]
enum Target {
    Server(Box<Server>),
    File(PathBuf),
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
                Target::Server(Box::new(Server::read(dialect, rest, &mut secrets)?))
            }
        };
        secrets.finish(text);
        let text = Secret::new(text.to_owned());
        Ok(Self {
            target,
            secrets,
            text,
            own_user: None,
        })
    }

    /// The role to log in as where the URL names none; no part of what is shown of it.
    #[must_use]
    pub fn with_own_user(self, name: Option<String>) -> Self {
        Self {
            own_user: name,
            ..self
        }
    }

    /// The URL as it was given, to be handed to another process of launchgate.
    #[must_use]
    pub fn text(&self) -> &Secret {
        &self.text
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

    /// The role that the URL names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.server()?.user.as_deref()
    }

    /// The role to log in as, where that is known.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.user().or(self.own_user.as_deref())
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

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
