//! Why a text is no database URL, in words that show none of it.

use std::error::Error;
use std::fmt;

/// Why a text is no database URL that launchgate can use. Carries no text of the URL but an
/// unknown scheme, because whatever is wrong with a URL, its password may be anywhere in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// Nothing, or nothing but spaces.
    Empty,
    /// It begins with a quotation mark.
    Quoted,
    /// A newline or the like, raw, or an encoded NUL.
    ControlCharacter,
    /// What is percent-encoded in it is not UTF-8.
    NotUtf8,
    /// Nothing in front that looks like a scheme.
    NoScheme,
    /// A scheme of something else.
    UnknownScheme(String),
    /// No `//` after the scheme of a server.
    NoSlashes,
    /// User and password cannot be told from the rest.
    Ambiguous,
    /// The host has characters that no host has.
    Host,
    /// More than one host.
    SeveralHosts,
    /// `hostaddr` is no IP address.
    Address,
    /// The port is not from 1 to 65535.
    Port,
    /// The parameter has a value that its meaning for TLS is not known of.
    TlsValue {
        /// The parameter, as documentation spells it.
        parameter: &'static str,
        /// The values that it may have.
        expected: &'static str,
    },
    /// A `SQLite` database in memory.
    InMemory,
    /// A `SQLite` URL with a user or a password.
    SqliteUser,
}

impl UrlError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => {
                "write it as postgres://USER:PASSWORD@HOST/DATABASE, or say --no-database"
            }
            Self::Quoted => {
                "write the URL without quotation marks: `docker run --env-file` passes them on as they are"
            }
            Self::ControlCharacter => {
                "write the URL on one line, control characters percent-encoded, and never %00"
            }
            Self::NotUtf8 => "percent-encode the UTF-8 form of user, password and database",
            Self::NoScheme | Self::UnknownScheme(_) => {
                "lock and ledger need Postgres, MySQL, MariaDB or SQLite: name one with --database-url, or \
                 say --no-database to run the steps at every start, in every replica"
            }
            Self::NoSlashes => "write it as SCHEME://USER:PASSWORD@HOST/DATABASE",
            Self::Ambiguous => {
                "percent-encode the special characters in user and password: `@` as %40, `/` as %2F, `:` as %3A, \
                 `?` as %3F, `#` as %23, `%` as %25"
            }
            Self::Host => {
                "write it as SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, an IPv6 address in brackets, special \
                 characters in user and password percent-encoded"
            }
            Self::SeveralHosts => {
                "name one host with --database-url: the primary, or an address that leads to it"
            }
            Self::Address => "write an address such as 10.0.0.5 there, or a name in `host`",
            Self::Port => {
                "write a number there, or leave it out; if this is part of the password, percent-encode the \
                 special characters in it"
            }
            Self::TlsValue { .. } => {
                "correct it in the URL; see the documentation for what each value means"
            }
            Self::InMemory => {
                "name a file (sqlite:PATH) that all replicas share, or say --no-database to run the steps at \
                 every start"
            }
            Self::SqliteUser => {
                "write sqlite:PATH; if the file's name has such characters, percent-encode them: `:` as %3A, `@` as %40"
            }
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the database URL is empty"),
            Self::Quoted => f.write_str("the database URL begins with a quotation mark"),
            Self::ControlCharacter => f.write_str("the database URL contains a control character"),
            Self::NotUtf8 => f.write_str("the database URL has percent-encoded bytes that are not UTF-8"),
            Self::NoScheme => f.write_str("the database URL does not begin with a scheme that launchgate knows"),
            Self::UnknownScheme(scheme) => write!(f, "the database URL has the unknown scheme `{scheme}`"),
            Self::NoSlashes => f.write_str("the database URL has no `//` after its scheme"),
            Self::Ambiguous => f.write_str("the database URL can be read in more than one way"),
            Self::Host => f.write_str("the database URL has no valid host"),
            Self::SeveralHosts => {
                f.write_str("the database URL names several hosts, and a lock on one of several excludes nobody")
            }
            Self::Address => f.write_str("the database URL's `hostaddr` is not an IP address"),
            Self::Port => f.write_str("the database URL's port is not a number from 1 to 65535"),
            Self::TlsValue { parameter, expected } => {
                write!(f, "the database URL's `{parameter}` is not one of {expected}")
            }
            Self::InMemory => f.write_str("a SQLite database in memory can't be shared, not even with the steps"),
            Self::SqliteUser => f.write_str("a SQLite database has no user and no password"),
        }
    }
}

impl Error for UrlError {}
