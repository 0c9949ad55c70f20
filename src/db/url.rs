//! Where the lock and the ledger live: a database URL in any of the spellings that tools use.
//!
//! Text in, typed parts out; the database layer builds its options from the parts and never
//! hands the text on, because drivers log the parameters that they don't know. Variables and files
//! are looked up through [`Surroundings`]. Invariant: no rendering of a [`DatabaseUrl`] or of a [`UrlError`]
//! shows a password or a query parameter.

mod address;
mod error;
mod foreign;
mod libpq;
mod params;
mod scheme;
mod secret;
mod server;
mod split;
mod sqlite;
mod surroundings;
mod template;
#[cfg(test)]
mod tests;
mod tls;
mod tls_mode;
mod unknown_scheme;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::redact::Secrets;
use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};

pub use error::UrlError;
pub use scheme::Backend;
pub use secret::{Secret, password_of_file, text_of_file};
pub use surroundings::Surroundings;
pub use template::{expand, expand_value};
pub use tls::Tls;
pub use tls_mode::TlsMode;

use scheme::UrlRules;
use server::ServerUrl;
use split::UrlHost;

/// A database, by its URL. `Display` and `Debug` show `postgres://user:***@host:5432/db`.
#[derive(Clone)]
pub struct DatabaseUrl {
    backend: Backend,
    location: Location,
    secrets: Secrets,
    text: Secret,
    password_file: Option<PathBuf>,
    origin: Option<String>,
}

#[derive(Clone)]
enum Location {
    Server(Box<ServerUrl>),
    File(PathBuf),
}

impl DatabaseUrl {
    /// Reads a URL by itself: what it leaves out stays open.
    ///
    /// Schemes, however they are capitalised: those of `postgres`, `mysql` and `sqlite` and
    /// their aliases in other tools, with or without a `+driver` suffix or `jdbc:` in front,
    /// and `file:` for `SQLite`. It is as lenient about the user and password as possible without
    /// guessing: they end at the last `@` before the path, so a raw `@` or `#` in a
    /// password is fine, and so is a raw `/` or `?` where no other reading makes sense.
    ///
    /// # Errors
    ///
    /// An error never carries any of the URL's text but an unknown scheme and a placeholder's name.
    /// It does not name the setting that the URL came from: the caller knows.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::read(text, None)
    }

    /// Reads a URL where it is used: libpq's variables and files fill in what a URL of Postgres
    /// leaves out, as they do for psql, and a `SQLite` path is compared with the files that exist.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and what those variables and files say that can't be.
    pub fn complete(text: &str, around: &Surroundings<'_>) -> Result<Self, UrlError> {
        Self::read(text, Some(around))
    }

    fn read(text: &str, around: Option<&Surroundings<'_>>) -> Result<Self, UrlError> {
        let text = text.trim();
        foreign::refuse(text)?;
        let (scheme, rest) = scheme::split(text)?;
        scheme::refuse_second(rest)?;
        let mut secrets = Secrets::default();
        let location = match scheme.rules() {
            UrlRules::File => {
                let path = sqlite::path(rest, scheme.spelling, &mut secrets)?;
                if let Some(around) = around {
                    sqlite::check_slashes(rest, scheme.spelling, &path, around.exists)?;
                }
                Location::File(path)
            }
            UrlRules::Libpq | UrlRules::Mysql => {
                let (server, of_server) = ServerUrl::read(scheme, rest, around)?;
                secrets = of_server;
                Location::Server(Box::new(server))
            }
        };
        secrets.finish(text);
        let text = Secret::new(text.to_owned());
        Ok(Self {
            backend: scheme.backend,
            location,
            secrets,
            text,
            password_file: None,
            origin: None,
        })
    }

    /// Takes the password from a file, read again for each connection.
    ///
    /// # Errors
    /// The file's present contents are no password, or `SQLite` has none.
    pub fn with_password_file(mut self, path: PathBuf, contents: &[u8]) -> Result<Self, UrlError> {
        if self.server().is_none() {
            return Err(UrlError::SqliteUser);
        }
        let password = password_of_file(contents)?;
        self.secrets
            .add_password(password.expose(), password.expose());
        self.secrets.finish(self.text.expose());
        self.password_file = Some(path);
        Ok(self.with_password(&password))
    }

    /// Remembers which setting it came from, for messages.
    pub fn with_origin(self, origin: String) -> Self {
        Self {
            origin: Some(origin),
            ..self
        }
    }

    /// The setting that it came from.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The file with the password, to be read for each connection.
    pub fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }

    /// The same server with another password.
    pub fn with_password(self, password: &Secret) -> Self {
        self.changed(|server| server.password = Some(password.clone()))
    }

    fn changed(mut self, change: impl FnOnce(&mut ServerUrl)) -> Self {
        if let Location::Server(server) = &mut self.location {
            change(server);
        }
        self
    }

    /// One URL for each server that this one names, in the order in which they are tried.
    pub fn each(&self) -> impl Iterator<Item = Self> + '_ {
        (0..self.count()).map(|at| {
            let one = self.clone();
            one.changed(|server| server.addresses = vec![server.addresses[at].clone()])
        })
    }

    /// The first server, by an address of its host.
    pub(super) fn at(&self, address: IpAddr) -> Self {
        self.clone().changed(|server| {
            server.addresses.truncate(1);
            server.addresses[0].host = Some(UrlHost::Name(address.to_string()));
        })
    }

    /// How many servers this URL names; 1 for `SQLite`.
    pub fn count(&self) -> usize {
        self.server().map_or(1, |server| server.addresses.len())
    }

    /// A URL of the same database for another process of launchgate, which may see other variables
    /// and read fewer files.
    pub fn handed_on(&self) -> Secret {
        match self.server() {
            Some(server) => Secret::new(server.written()),
            None => self.text.clone(),
        }
    }

    /// Which kind of database it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The server's name or address, IPv6 without brackets; `None` where the URL has none,
    /// names a Unix socket, or is `SQLite`'s.
    pub fn host(&self) -> Option<&str> {
        match self.server()?.first().host.as_ref()? {
            UrlHost::Name(name) => Some(name),
            UrlHost::Socket(_) => None,
        }
    }

    /// The port; `None` where the URL has none.
    pub fn port(&self) -> Option<u16> {
        self.server()?.first().port
    }

    /// The Unix socket: the socket's directory for Postgres, as libpq has it, the socket itself
    /// for `MySQL`.
    pub fn socket(&self) -> Option<&Path> {
        match self.server()?.first().host.as_ref()? {
            UrlHost::Socket(path) => Some(path),
            UrlHost::Name(_) => None,
        }
    }

    /// The role to log in as, where that is known.
    pub fn user(&self) -> Option<&str> {
        self.server()?.user.as_deref()
    }

    /// The password, decoded; `None` where there is none or it is empty.
    pub fn password(&self) -> Option<&Secret> {
        let server = self.server()?;
        server
            .password
            .as_ref()
            .or(server.first().password.as_ref())
    }

    /// The database on the server; never `SQLite`'s.
    pub fn database(&self) -> Option<&str> {
        self.server()?.database.as_deref()
    }

    /// The Postgres schema that the application's tables live in: Prisma's `schema`, or the first of
    /// `currentSchema` (JDBC) or `search_path` (Go).
    pub fn schema(&self) -> Option<&str> {
        self.server()?.schema.as_deref()
    }

    /// The Postgres start-up `options`, as they are (`-c name=value …`, or a provider's routing
    /// such as `endpoint=…`).
    pub fn options(&self) -> Option<&str> {
        self.server()?.options.as_deref()
    }

    /// How the connection is protected. `Disable` for `SQLite`.
    pub fn tls(&self) -> &Tls {
        self.server().map_or(&tls::NONE, ServerUrl::tls)
    }

    /// `SQLite`'s file. A relative path is relative to the working directory, also Prisma's.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.location {
            Location::File(path) => Some(path),
            Location::Server(_) => None,
        }
    }

    /// Every text that must not be shown: the URL itself where it has a password or parameters, and
    /// each password in it.
    ///
    /// A password of less than three characters is in here only as part of `user:password@` and
    /// of the URL: replacing every `a` would garble the output and reveal the password.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// `text` with `***` in place of each of [`Self::secrets`].
    pub fn redact(&self, text: &str) -> String {
        self.secrets.redact(text).into_owned()
    }

    /// `text` with these secrets hidden, and with what looks like a password of anything else.
    pub fn redact_all(&self, text: &str) -> String {
        self.secrets.redact_with_passwords(text.to_owned())
    }

    fn server(&self) -> Option<&ServerUrl> {
        match &self.location {
            Location::Server(server) => Some(server),
            Location::File(_) => None,
        }
    }
}

/// Decodes `%40`. A `%` that does not start an escape is kept, as in Python and browsers: the
/// password was not encoded.
fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| UrlError::NotUtf8)?;
    if decoded.contains('\0') {
        return Err(UrlError::ControlCharacter);
    }
    Ok(decoded.into_owned())
}

/// A name or a value in lower case, without hyphens and underscores.
fn word(text: &str) -> String {
    text.replace(['-', '_'], "").to_ascii_lowercase()
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::File(path) => write!(
                f,
                "{}:{}",
                self.backend,
                utf8_percent_encode(&path.to_string_lossy(), CONTROLS)
            ),
            Location::Server(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
