//! Why a text is not a valid database URL, without quoting it.

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
        match self {
            Self::Empty => f.write_str("the database URL is empty"),
            Self::Quoted => f.write_str("the database URL begins with a quotation mark"),
            Self::ControlCharacter => f.write_str("the database URL contains a control character"),
            Self::NotUtf8 => {
                f.write_str("the database URL has percent-encoded bytes that are not UTF-8")
            }
            Self::NoScheme => {
                f.write_str("the database URL does not begin with a supported scheme")
            }
            Self::UnknownScheme(scheme) => {
                write!(f, "the database URL has the unknown scheme `{scheme}`")
            }
            Self::NoSlashes => f.write_str("the database URL has no `//` after its scheme"),
            Self::Ambiguous => f.write_str("the database URL is ambiguous"),
            Self::Host => f.write_str("the database URL has no valid host"),
            Self::SeveralHosts => f.write_str(
                "the database URL has several hosts, which launchgate supports only for Postgres",
            ),
            Self::Address => {
                f.write_str("`hostaddr` is not an IP address, or there is not one for each host")
            }
            Self::Port => f.write_str(
                "the port is not a number from 1 to 65535, one for all hosts or one for each",
            ),
            Self::TlsValue {
                parameter,
                expected,
            } => {
                write!(f, "`{parameter}` is not one of {expected}")
            }
            Self::InMemory => {
                f.write_str("an in-memory SQLite database can't be shared, not even with the steps")
            }
            Self::SqliteUser => f.write_str("a SQLite database has no user and no password"),
            Self::ThreeSlashes { absolute, relative } => write!(
                f,
                "the database URL is ambiguous: launchgate reads three slashes as {}, which does not exist, and \
                 SQLAlchemy and Django as {}, which does",
                absolute.display(),
                relative.display()
            ),
            Self::Placeholder(Some(found)) => {
                write!(
                    f,
                    "the database URL still contains the placeholder `{found}`"
                )
            }
            Self::Placeholder(None) => f.write_str("the database URL still contains a placeholder"),
            Self::Template(name) => write!(
                f,
                "the database URL contains `{{{name}}}`, which launchgate does not replace there"
            ),
            Self::Assignment(name) => write!(
                f,
                "the text begins with `{name}=`, which is not a database URL"
            ),
            Self::ByteOrderMark => f.write_str("the text begins with a byte order mark"),
            Self::FileNotUtf8 => f.write_str("the file is not UTF-8"),
            Self::EmptyPassword => f.write_str("the file contains no password"),
            Self::PasswordLines => {
                f.write_str("the file has more than one line, or control characters")
            }
            Self::SecretReference => {
                f.write_str("the database URL is a reference to a secret, which nothing resolved")
            }
            Self::Json => f.write_str("the database URL is a JSON object"),
            Self::GoDsn => f.write_str("the database URL is a DSN of Go's MySQL driver"),
            Self::DotNet => f.write_str("the database URL is a .NET connection string"),
            Self::KeywordValue => f.write_str("the database URL is a libpq keyword/value string"),
            Self::Service(name) => write!(f, "no service file defines the service `{name}`"),
            Self::ServiceFile { file, problem } => write!(
                f,
                "failed to read the service file {}: {problem}",
                file.display()
            ),
            Self::ServiceLine => f.write_str("a line is not `name=value`"),
            Self::PassFile(file) => write!(
                f,
                "the password file {} is not a regular file that only its owner can read",
                file.display()
            ),
            Self::SessionAttrs => {
                f.write_str("`target_session_attrs` asks for a server that does not accept writes")
            }
            Self::Unsupported { parameter } => {
                write!(f, "`{parameter}` is set, which launchgate does not support")
            }
            Self::Of { origin, error } => write!(f, "{origin}: {error}"),
        }
    }
}

impl Error for UrlError {}
