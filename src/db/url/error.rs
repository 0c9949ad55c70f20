//! Why a text is not a valid database URL, without quoting it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Why a text is no database URL that launchgate can use. Carries no text of the URL but an unknown
/// scheme and the name of a placeholder, because whatever is wrong with a URL, its password may be anywhere in it.
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
    /// A second URL after the first.
    SeveralUrls,
    /// The host has characters that no host has.
    Host,
    /// More than one host, on another server than Postgres.
    SeveralHosts,
    /// `hostaddr` is not an IP address.
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
    /// Three slashes, of which tools make two different paths, and only the relative one exists.
    ThreeSlashes {
        /// The path from the root.
        absolute: PathBuf,
        /// The path from the working directory.
        relative: PathBuf,
    },
    /// A placeholder that nothing replaced, where it can be shown.
    Placeholder(Option<String>),
    /// A name in braces, in a source where none is replaced.
    Template(String),
    /// An assignment to this variable.
    Assignment(String),
    /// A byte order mark in front.
    ByteOrderMark,
    /// A file that is not UTF-8.
    FileNotUtf8,
    /// A file without a password in it.
    EmptyPassword,
    /// A file with more than a password in it.
    PasswordLines,
    /// What a secrets manager's name for a secret looks like: `op://vault/item`.
    SecretReference,
    /// A JSON object, as AWS keeps a database's secret.
    Json,
    /// Go's `user:password@tcp(host:port)/database`.
    GoDsn,
    /// .NET's `Server=host;Database=database`.
    DotNet,
    /// libpq's `host=host dbname=database`.
    KeywordValue,
    /// A section that no service file has.
    Service(String),
    /// A service file that can't be read.
    ServiceFile {
        /// Which.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// A line of a service file that is no `key=value`.
    ServiceLine,
    /// A password file that can't be read, or that others may.
    PassFile(PathBuf),
    /// A server that takes no writes is asked for.
    SessionAttrs,
    /// A protection that the driver can't give.
    Unsupported {
        /// The parameter, as libpq spells it.
        parameter: &'static str,
    },
    /// One of these, from a variable or a file beside the URL.
    Of {
        /// Which.
        origin: String,
        /// What.
        error: Box<Self>,
    },
}

impl UrlError {
    /// What to do about it.
    pub fn hint(&self) -> Cow<'static, str> {
        self.words().1
    }

    /// The same, with where it came from.
    pub(super) fn of(self, origin: &str) -> Self {
        Self::Of {
            origin: origin.to_owned(),
            error: Box::new(self),
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().0)
    }
}

impl Error for UrlError {}
